"""What a User-Agent header says for the filters: a robot, or which engine renders.

Browsers are told by engine, as that decides what a page can run: Edge, Opera, Samsung
Internet and in-app browsers of today are Chrome, and all browsers on iOS are Safari of
the system's version, whatever number they give themselves.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

# In small letters. A robot names itself; what only looks automatic stays: headless
# browsers run tests, and curl, okhttp and the like are programs that use an API.
_ROBOTS = re.compile(
    r"""
    # bot, bots, robot: not Cubot, which makes phones, nor a word that goes on
    (?<!cu)bots?(?![a-z])|(?<!cu)bots?(?=v?\d)|crawl|spider(?![a-z])|slurp
    # search engines and their tools
    |mediapartners-google|adsbot|feedfetcher|google-inspectiontool|googleother
    |google-read-aloud|google-site-verification|google\ favicon|google-safety
    |google-adwords|google\ web\ preview|google\ page\ speed|lighthouse|bingpreview
    |yandex(?:images|metrika|direct|webmaster|media|blogs|favicons|video|rca|turbo)
    |ia_archiver|heritrix|nutch|scrapy|daum/|naver\.me|yeti/|coccoc|sogou\s
    # models that read the web
    |chatgpt-user|claude-user|perplexity-user|cohere-ai|anthropic-ai|meta-external
    |google-extended|diffbot|omgili
    # previews of links
    |facebookexternalhit|facebookcatalog|whatsapp/|skypeuripreview|embedly|iframely
    |quora\ link\ preview|outbrain|vkshare|flipboardproxy|yahoo\ link\ preview|tumblr/
    |snap\ url\ preview|bitrix\ link\ preview|nuzzel|slack-imgproxy|ms-office
    |microsoft\ office\ existence
    # monitors and measurements
    |pingdom|statuscake|site24x7|newrelicpinger|datadog/?\s?synthetics|catchpoint
    |uptime(?:-kuma|/|\ )|checkly|gtmetrix|ptst/|elb-healthchecker|googlehc|kube-probe
    |cloudflare-healthchecks|amazon-route53|prerender|w3c_validator|screaming\ frog
    # scanners
    |security\ scanner|zgrab|nuclei|nikto|censysinspect|wpscan|sqlmap|acunetix|nmap\s
    |masscan|expanse|nessus
    """,
    re.VERBOSE,
)
# It also calls the webhooks of Slack apps.
_WELCOME = re.compile(r"slackbot")

# First match wins: nearly every browser claims to be some others as well.
_ENGINES = (
    ("Internet Explorer", re.compile(r"(?:msie |trident/.*rv:)(\d+)")),
    ("Safari", re.compile(r"(?:iphone|ipad|ipod)[^)]* os (\d+)[_ ;)]")),
    ("Edge", re.compile(r"edge/(\d+)")),
    ("Chrome", re.compile(r"(?:chrome|chromium)/(\d+)")),
    ("Opera", re.compile(r"opera(?:.*version)?[/ ](\d+)")),
    ("Firefox", re.compile(r"(?<!like )firefox/(\d+)")),
    ("Android Browser", re.compile(r"android (\d+)")),
    ("Safari", re.compile(r"version/(\d+)\S* (?:mobile/\S+ )?safari/")),
)
_EDGE_ON_CHROME = re.compile(r"edg/(\d+)")


@dataclass(frozen=True, slots=True)
class UserAgent:
    """``engines`` are names as in tenants.patterns.BROWSERS with their versions."""

    is_robot: bool
    engines: tuple[tuple[str, int], ...]


def read_user_agent(header: str) -> UserAgent:
    """By its first 512 characters; the last few thousand answers are remembered."""
    return _read(header[:512])


@lru_cache(maxsize=8192)
def _read(head: str) -> UserAgent:
    lowered = head.lower()
    is_robot = bool(_ROBOTS.search(lowered)) and not _WELCOME.search(lowered)
    return UserAgent(is_robot, _engines(lowered))


def _engines(lowered: str) -> tuple[tuple[str, int], ...]:
    for name, pattern in _ENGINES:
        found = pattern.search(lowered)
        if found:
            edge = _EDGE_ON_CHROME.search(lowered) if name == "Chrome" else None
            engine = (name, int(found[1]))
            return (("Edge", int(edge[1])), engine) if edge else (engine,)
    return ()
