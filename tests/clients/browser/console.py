"""A visitor in headless Chromium who types a line into the console of a page.

Prints what the browser complains of, such as a policy that blocks the report.
    python console.py <chromium> <port of the page's server> <URL> <JavaScript>
"""

import json
import sys
from urllib.parse import urlsplit

from playwright.sync_api import sync_playwright

QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")


def main(chromium: str, port: str, url: str, line: str) -> None:
    # The page lives at the shop's own name, as in the world.
    mapped = f"--host-resolver-rules=MAP {urlsplit(url).hostname}:80 127.0.0.1:{port}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=[*QUIET, mapped]
        )
        page = browser.new_page()
        troubles: list[str] = []
        page.on(
            "console",
            lambda told: troubles.append(told.text) if told.type == "error" else None,
        )
        page.goto(url, wait_until="load")
        with page.expect_response(lambda told: "/envelope/" in told.url):
            page.evaluate(line)
        page.wait_for_timeout(1500)  # the spans of the page's load wait a second
        page.goto("about:blank")
        page.wait_for_timeout(500)
        browser.close()
    sys.stdout.write(json.dumps(troubles))


if __name__ == "__main__":
    main(*sys.argv[1:])
