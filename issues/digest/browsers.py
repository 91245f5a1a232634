"""Browser and operating system out of a User-Agent header: names for people to read."""

import re
from functools import lru_cache

# First match wins: nearly every browser also claims to be Safari, most to be Chrome.
_BROWSERS = (
    (r"(Googlebot|bingbot|YandexBot|AhrefsBot|Applebot|DuckDuckBot|GPTBot)", ""),
    (r"(?:FBAN|FBAV)/", "Facebook"),
    (r"Instagram (\d+)", "Instagram"),
    (r"musical_ly|BytedanceWebview", "TikTok"),
    (r"Edg(?:e|A|iOS)?/(\d+)", "Edge"),
    (r"(?:OPR|Opera|OPT)/(\d+)", "Opera"),
    (r"SamsungBrowser/(\d+)", "Samsung Internet"),
    (r"YaBrowser/(\d+)", "Yandex Browser"),
    (r"DuckDuckGo/(\d+)", "DuckDuckGo"),
    (r"(?:Firefox|FxiOS)/(\d+)", "Firefox"),
    (r"HeadlessChrome/(\d+)", "Headless Chrome"),
    (r"(?:Chrome|Chromium|CriOS)/(\d+)", "Chrome"),
    (r"(?:MSIE |Trident/.*rv:)(\d+)", "Internet Explorer"),
    (r"Version/(\d+)\S* (?:Mobile/\S+ )?Safari/", "Safari"),
    (r"(?:iPhone|iPad|iPod).*AppleWebKit/", "iOS WebView"),
    (r"(curl|Wget|python-requests|python-httpx|okhttp|axios|node-fetch)/", ""),
)
_SYSTEMS = (
    (r"(?:iPhone|iPad|iPod).*? OS (\d+)", "iOS"),
    (r"Android (\d+)", "Android"),
    (r"Android", "Android"),
    (r"Windows Phone", "Windows Phone"),
    (r"Windows", "Windows"),
    (r"CrOS", "ChromeOS"),
    (r"Mac OS X|Macintosh", "macOS"),
    (r"Linux|X11", "Linux"),
)


def browser_and_system(user_agent: str) -> tuple[str, str]:
    """Such as ("Safari 19", "iOS 19"); "" for what the header does not tell.

    Desktop systems come without a version: browsers have frozen it.
    """
    return _read(user_agent[:512])


@lru_cache(maxsize=4096)
def _read(head: str) -> tuple[str, str]:
    return _first(_BROWSERS, head), _first(_SYSTEMS, head)


def _first(table: tuple[tuple[str, str], ...], text: str) -> str:
    for pattern, name in table:
        found = re.search(pattern, text)
        if found:
            told = found.group(1) if found.re.groups else ""
            return f"{name} {told}".strip()
    return ""
