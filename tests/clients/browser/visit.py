"""A visitor in headless Chromium: opens an order page, clicks, leaves.

Prints the ids of the events that the page sent.
    python visit.py <chromium> <port of the page's server> <URL>
"""

import json
import sys
from urllib.parse import urlsplit

from playwright.sync_api import sync_playwright

QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")


def main(chromium: str, port: str, url: str) -> None:
    # The page lives at the shop's own name, as in the world.
    mapped = f"--host-resolver-rules=MAP {urlsplit(url).hostname}:80 127.0.0.1:{port}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=[*QUIET, mapped]
        )
        page = browser.new_page()
        page.goto(url, wait_until="load")
        page.click("#refresh")
        page.wait_for_function("window.sent.length === 1")
        sent = page.evaluate("window.sent")
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(1500)  # the spans of the page's load wait a second
        page.goto("about:blank")
        page.wait_for_timeout(500)
        browser.close()
    sys.stdout.write(json.dumps({"sent": sent}))


if __name__ == "__main__":
    main(*sys.argv[1:])
