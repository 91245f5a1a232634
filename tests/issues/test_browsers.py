"""Names of browsers and systems out of User-Agent headers."""

import pytest

from issues.digest.browsers import browser_and_system

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15"
WINDOWS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/156.0.0.0"
)
ANDROID = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"


@pytest.mark.parametrize(
    ("user_agent", "browser", "system"),
    [
        (f"{IPHONE} Version/19.1 Mobile/15E148 Safari/604.1", "Safari 19", "iOS 19"),
        (f"{IPHONE} CriOS/156.0 Mobile/15E148 Safari/604.1", "Chrome 156", "iOS 19"),
        (f"{IPHONE} FxiOS/140.0 Mobile/15E148 Safari/605.1", "Firefox 140", "iOS 19"),
        (f"{IPHONE} Mobile/15E148 Instagram 350.0.1", "Instagram 350", "iOS 19"),
        (f"{IPHONE} Mobile/15E148 [FBAN/FBIOS;FBAV/480]", "Facebook", "iOS 19"),
        (f"{IPHONE} Mobile/15E148", "iOS WebView", "iOS 19"),
        (f"{WINDOWS} Safari/537.36", "Chrome 156", "Windows"),
        (f"{WINDOWS} Safari/537.36 Edg/156.0.0.0", "Edge 156", "Windows"),
        (f"{WINDOWS} Safari/537.36 OPR/120.0.0.0", "Opera 120", "Windows"),
        (f"{ANDROID} Chrome/156.0 Mobile Safari/537.36", "Chrome 156", "Android 15"),
        (
            f"{ANDROID} SamsungBrowser/28.0 Chrome/130.0 Mobile Safari/537.36",
            "Samsung Internet 28",
            "Android 15",
        ),
        (f"{MAC} Gecko/20100101 Firefox/140.0", "Firefox 140", "macOS"),
        (
            f"{MAC} AppleWebKit/605.1.15 Version/26.0 Safari/605.1.15",
            "Safari 26",
            "macOS",
        ),
        (
            "Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/156.0",
            "Headless Chrome 156",
            "Linux",
        ),
        ("Mozilla/5.0 (compatible; Googlebot/2.1)", "Googlebot", ""),
        ("curl/8.5.0", "curl", ""),
        ("sentry.python/2.75.0", "", ""),
        ("", "", ""),
    ],
)
def test_a_user_agent_is_named(user_agent: str, browser: str, system: str) -> None:
    assert browser_and_system(user_agent) == (browser, system)
