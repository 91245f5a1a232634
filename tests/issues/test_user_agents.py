"""Robots, people, and engines out of User-Agent headers as they are sent."""

import pytest

from issues.digest.user_agents import read_user_agent

KHTML = "(KHTML, like Gecko)"
CHROME = f"AppleWebKit/537.36 {KHTML} Chrome/141.0.0.0 Safari/537.36"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
PIXEL = "Mozilla/5.0 (Linux; Android 15; Pixel 9 Build/AP3A)"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15"
ROBOTS = [
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    f"{PIXEL} {CHROME} (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Googlebot-Image/1.0",
    "AdsBot-Google (+http://www.google.com/adsbot.html)",
    "Mediapartners-Google",
    "FeedFetcher-Google; (+http://www.google.com/feedfetcher.html)",
    f"{MAC} {CHROME} Storebot-Google/1.0",
    "Mozilla/5.0 (compatible; Google-InspectionTool/1.0;)",
    "GoogleOther",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    f"Mozilla/5.0 (Windows NT 6.1) {CHROME} BingPreview/1.0b",
    "Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch)",
    "DuckDuckBot/1.1; (+http://duckduckgo.com/duckduckbot.html)",
    "Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider)",
    "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
    "Mozilla/5.0 (compatible; YandexImages/3.0; +http://yandex.com/bots)",
    "Sogou web spider/4.0(+http://www.sogou.com/docs/help/webmasters.htm#07)",
    f"{PIXEL} AppleWebKit/537.36 {KHTML} Mobile Safari/537.36 (compatible; "
    "Bytespider; spider-feedback@bytedance.com)",
    f"{MAC} AppleWebKit/605.1.15 {KHTML} Version/17.4 Safari/605.1.15 (Applebot/0.1)",
    "Mozilla/5.0 (compatible; PetalBot;+https://webmaster.petalsearch.com/site)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "Mozilla/5.0 (compatible; SemrushBot/7~bl; +http://www.semrush.com/bot.html)",
    "Mozilla/5.0 (compatible; MJ12bot/v1.4.8; http://mj12bot.com/)",
    "Mozilla/5.0 (compatible; DotBot/1.2; +https://opensiteexplorer.org/dotbot)",
    "Screaming Frog SEO Spider/19.2",
    "ia_archiver (+http://www.alexa.com/site/help/webmasters)",
    "Mozilla/5.0 (compatible; archive.org_bot +http://archive.org/details/archive)",
    f"Mozilla/5.0 AppleWebKit/537.36 {KHTML}; compatible; GPTBot/1.2; +https://openai",
    f"Mozilla/5.0 AppleWebKit/537.36 {KHTML}; compatible; ChatGPT-User/1.0",
    f"Mozilla/5.0 AppleWebKit/537.36 {KHTML}; compatible; ClaudeBot/1.0; +claudebot@",
    f"Mozilla/5.0 AppleWebKit/537.36 {KHTML}; compatible; PerplexityBot/1.0",
    "CCBot/2.0 (https://commoncrawl.org/faq/)",
    f"{MAC} {CHROME} (compatible; Amazonbot/0.1)",
    "meta-externalagent/1.1 (+https://developers.facebook.com/docs/sharing/webmasters)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "facebookcatalog/1.0",
    "Twitterbot/1.0",
    "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +linkedin.com)",
    "WhatsApp/2.23.20.0",
    "TelegramBot (like TwitterBot)",
    "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
    "Mozilla/5.0 (compatible; Pinterestbot/1.0; +https://www.pinterest.com/bot.html)",
    "SkypeUriPreview Preview/0.5",
    "Slack-ImgProxy (+https://api.slack.com/robots)",
    "Mozilla/5.0 (compatible; HubSpot Crawler; web-crawlers@hubspot.com)",
    f"{PIXEL} {CHROME} Calypso AppCrawler",
    "Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)",
    "Mozilla/5.0 (compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
    f"Better Uptime Bot {WINDOWS} {CHROME}",
    f"{WINDOWS} {CHROME} (StatusCake)",
    f"{WINDOWS} {CHROME} DatadogSynthetics",
    f"{MAC} {CHROME} Chrome-Lighthouse",
    f"{WINDOWS} {CHROME} PTST/240201.1",
    f"{MAC} {CHROME} GTmetrix",
    "ELB-HealthChecker/2.0",
    "GoogleHC/1.0",
    "kube-probe/1.29",
    "Mozilla/5.0 (compatible;Cloudflare-Healthchecks/1.0;+https://www.cloudflare.com)",
    "AWS Security Scanner",
    "Mozilla/5.0 zgrab/0.x",
    "Mozilla/5.0 (compatible; Nmap Scripting Engine; https://nmap.org/book/nse.html)",
    "Scrapy/2.11.0 (+https://scrapy.org)",
    "Mozilla/5.0 (compatible; CensysInspect/1.1; +https://about.censys.io/)",
    f"Prerender (+https://github.com/prerender/prerender) {CHROME}",
]
WELCOME = [
    f"{WINDOWS} {CHROME}",
    f"{WINDOWS} {CHROME} Edg/141.0.0.0",
    f"{WINDOWS} Gecko/20100101 Firefox/143.0",
    f"{MAC} AppleWebKit/605.1.15 {KHTML} Version/18.5 Safari/605.1.15",
    f"{IPHONE} {KHTML} Version/18.5 Mobile/15E148 Safari/604.1",
    f"{IPHONE} {KHTML} CriOS/141.0.0.0 Mobile/15E148 Safari/604.1",
    f"{IPHONE} {KHTML} GSA/380.0 Mobile/15E148 Safari/604.1",
    f"{IPHONE} {KHTML} Mobile/15E148 [FBAN/FBIOS;FBAV/480.0;FBBV/1;FBLC/de_DE]",
    f"{IPHONE} {KHTML} Mobile/15E148 Instagram 350.0.1 (iPhone15,2; iOS 18_5)",
    f"{IPHONE} {KHTML} Mobile/15E148 [Pinterest/iOS]",
    f"{IPHONE} {KHTML} Mobile/15E148 Snapchat/13.1 (like Safari/8618)",
    f"{IPHONE} {KHTML} Version/18.0 YaBrowser/24.10 Mobile/15E148 Safari/604.1",
    f"{PIXEL} AppleWebKit/537.36 {KHTML} Version/4.0 Chrome/141.0 Mobile "
    "Safari/537.36 [FB_IAB/FB4A;FBAV/480.0;]",
    f"{PIXEL} {CHROME} musical_ly_2023 BytedanceWebview/d8a21c6",
    f"Mozilla/5.0 (Linux; Android 10; CUBOT X30) {CHROME}",
    f"Mozilla/5.0 (Linux; Android 9; CUBOT_KINGKONG_MINI) {CHROME}",
    f"Mozilla/5.0 (Linux; arm_64; Android 13; SM-A525F) {CHROME} YaApp_Android/24.1",
    # Tests and people's own programs.
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/141.0.0.0",
    "curl/8.5.0",
    "python-requests/2.32.3",
    "okhttp/4.12.0",
    "axios/1.7.2",
    "Go-http-client/2.0",
    "PostmanRuntime/7.39",
    # Webhooks that a shop's server lives by.
    "Slackbot 1.0 (+https://api.slack.com/robots)",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "Shopify-Captain-Hook",
    "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
    "APIs-Google (+https://developers.google.com/webmasters/APIs-Google.html)",
    "GitHub-Hookshot/044aadd",
    "PayPal IPN ( https://www.paypal.com/ipn )",
    "facebookexternalua",
    "facebookplatform/1.0 (+http://developers.facebook.com)",
    "Klaviyo/1.0",
    # What no filter may trip over.
    "sentry.python/2.75.0",
    "Botanical-Garden-App/3.1",
    "some client",
    "",
]


@pytest.mark.parametrize("header", ROBOTS)
def test_a_robot_is_known(header: str) -> None:
    assert read_user_agent(header).is_robot


@pytest.mark.parametrize("header", WELCOME)
def test_people_and_programs_are_no_robots(header: str) -> None:
    assert not read_user_agent(header).is_robot


@pytest.mark.parametrize(
    ("header", "engines"),
    [
        (f"{WINDOWS} {CHROME}", [("Chrome", 141)]),
        (f"{WINDOWS} {CHROME} OPR/120.0.0.0", [("Chrome", 141)]),
        (f"{WINDOWS} {CHROME} Edg/140.0.0.0", [("Edge", 140), ("Chrome", 141)]),
        # Edge for Android had numbers of its own for years.
        (f"{PIXEL} {CHROME} EdgA/45.12.4.5121", [("Chrome", 141)]),
        (
            f"{WINDOWS} AppleWebKit/537.36 {KHTML} Chrome/64.0.3282.140 "
            "Safari/537.36 Edge/18.17763",
            [("Edge", 18)],
        ),
        (
            "Mozilla/5.0 (Linux; Android 7.0; SM-G930V) AppleWebKit/537.36 "
            f"{KHTML} SamsungBrowser/4.0 Chrome/44.0.2403.133 Mobile Safari/537.36",
            [("Chrome", 44)],
        ),
        (
            "Mozilla/5.0 (Linux; U; Android 9; en-US; RMX1825) AppleWebKit/537.36 "
            f"{KHTML} Version/4.0 Chrome/57.0.2987.108 UCBrowser/12.13 Mobile "
            "Safari/537.36",
            [("Chrome", 57)],
        ),
        ("Mozilla/5.0 (X11; Linux) HeadlessChrome/141.0", [("Chrome", 141)]),
        (f"{WINDOWS} Gecko/20100101 Firefox/143.0", [("Firefox", 143)]),
        (
            "Mozilla/5.0 (Windows NT 6.1; rv:52.0) Gecko/20100101 Firefox/52.0",
            [("Firefox", 52)],
        ),
        ("Mozilla/5.0 (Macintosh) Camino/2.0 (like Firefox/3.5.10)", []),
        (
            f"{MAC} AppleWebKit/605.1.15 {KHTML} Version/18.5 Safari/605.1.15",
            [("Safari", 18)],
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_5) AppleWebKit/537.78.2 "
            f"{KHTML} Version/7.0.6 Safari/537.78.2",
            [("Safari", 7)],
        ),
        (f"{IPHONE} {KHTML} Version/18.5 Mobile/15E148 Safari/604.1", [("Safari", 18)]),
        # On iOS the system's version counts, whatever the browser calls itself.
        (f"{IPHONE} {KHTML} CriOS/60.0 Mobile/15E148 Safari/604.1", [("Safari", 18)]),
        (f"{IPHONE} {KHTML} FxiOS/8.3 Mobile/15E148 Safari/605.1", [("Safari", 18)]),
        (f"{IPHONE} {KHTML} OPT/3.3.3 Mobile/15E148", [("Safari", 18)]),
        (f"{IPHONE} {KHTML} EdgiOS/45.11 Mobile/15E148", [("Safari", 18)]),
        (f"{IPHONE} {KHTML} Mobile/15E148 Instagram 350.0", [("Safari", 18)]),
        (
            "Mozilla/5.0 (iPad; CPU OS 9_3_5 like Mac OS X) AppleWebKit/601.1.46 "
            f"{KHTML} Version/9.0 Mobile/13G36 Safari/601.1",
            [("Safari", 9)],
        ),
        (
            "Mozilla/5.0 (iPod touch; CPU iPhone OS 12_5 like Mac OS X)",
            [("Safari", 12)],
        ),
        (
            "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0)",
            [("Internet Explorer", 8)],
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko",
            [("Internet Explorer", 11)],
        ),
        (
            "Mozilla/5.0 (Mobile; Windows Phone 8.1; Android 4.0; ARM; Trident/7.0; "
            "Touch; rv:11.0; IEMobile/11.0; NOKIA; Lumia 520) like iPhone OS 7_0_3 "
            f"Mac OS X AppleWebKit/537 {KHTML} Mobile Safari/537",
            [("Internet Explorer", 11)],
        ),
        (
            "Opera/9.80 (Windows NT 6.1) Presto/2.12.388 Version/12.16",
            [("Opera", 12)],
        ),
        (
            "Opera/9.80 (Android; Opera Mini/36.2.2254/119.132; U; id) "
            "Presto/2.12.423 Version/12.16",
            [("Opera", 12)],
        ),
        ("Opera/8.54 (Windows NT 5.1; U; en)", [("Opera", 8)]),
        (
            "Mozilla/5.0 (Linux; U; Android 4.0.3; de-de; GT-I9100) "
            f"AppleWebKit/534.30 {KHTML} Version/4.0 Mobile Safari/534.30",
            [("Android Browser", 4)],
        ),
        ("curl/8.5.0", []),
        ("", []),
    ],
)
def test_a_browser_is_told_by_its_engine(
    header: str, engines: list[tuple[str, int]]
) -> None:
    assert list(read_user_agent(header).engines) == engines


def test_a_header_of_a_megabyte_is_read_by_its_beginning() -> None:
    assert not read_user_agent("x" * 1_000_000 + "Googlebot/2.1").is_robot
