"""How verdicts, rates and rollbacks read on the pages."""

import math
from datetime import timedelta

from releases.models import Rollback, Watch
from releases.rollbacks.orders import Step

UNITS = {
    Watch.Source.TRAFFIC: "requests",
    Watch.Source.SESSIONS: "sessions",
    Watch.Source.REQUESTS: "transactions",
}
SOURCES = {
    Watch.Source.TRAFFIC: "requests that web servers post",
    Watch.Source.SESSIONS: "sessions that SDKs report",
    Watch.Source.REQUESTS: "transactions, weighted by their sample rate",
    Watch.Source.NONE: "nothing: errors are held against the same hour of other weeks",
}
REASONS = {
    "window_over": "too little data to be sure",
    "global": "the whole release is worse",
    "new_issue": "a new issue hits several tenants",
    "tenant": "new issues keep hitting one tenant",
    "superseded": "a newer deploy took its place",
    "no_data": "the release served nothing that was counted",
    "no_baseline": "there is no release to compare with",
    "outside": "the rise is seen outside this release as well",
    "burst": "a burst: neither wide nor lasting",
    "few_tenants": "too few tenants are hit",
    "added_sources": "a source of traffic began during the watch",
    "incomplete": "minutes are missing or incomplete",
    "few_networks": "too few client networks stand behind the errors",
}
ROLLBACKS = {
    Rollback.State.REFUSED: ("warning", "rollback refused"),
    Rollback.State.DRY_RUN: ("info", "rollback, dry run"),
    Rollback.State.PENDING: ("info", "rollback ordered"),
    Rollback.State.SENDING: ("info", "rollback is called"),
    Rollback.State.CALLED: ("info", "rollback called"),
    Rollback.State.FAILED: ("fatal", "rollback failed"),
    Rollback.State.UNKNOWN: ("fatal", "rollback: outcome unknown"),
    Rollback.State.VERIFIED: ("resolved", "rolled back"),
    Rollback.State.NOT_VERIFIED: ("fatal", "rolled back, still bad"),
}


LOUD = {Step.DOUBT, Step.FAILED, Step.UNKNOWN, Step.NOT_VERIFIED}
GOOD = {Step.CALLED, Step.CARRIED_OUT, Step.VERIFIED}


def tone(what: str) -> str:
    """The look of a step in the log of a rollback: loud, good, or ""."""
    if what in LOUD:
        return "loud"
    return "good" if what in GOOD else ""


def reason_of(watch: Watch) -> str:
    """Why the watch ended as it did; "" for a healthy one, which needs no reason."""
    if watch.verdict == Watch.Verdict.HEALTHY:
        return ""
    return REASONS.get(watch.reason, watch.reason)


def short(number: float) -> str:
    """Three digits of a number that matter, never an exponent."""
    if number >= 100:
        return f"{number:,.0f}"
    text = f"{number:.{_decimals(number)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _decimals(number: float) -> int:
    if number <= 0:
        return 0
    return min(6, max(0, 2 - math.floor(math.log10(number))))


def rate_label(rate: float, unit: str) -> str:
    """0.019 as "1.9 %"; without a unit of exposure 3.2 as "3.2 a minute"."""
    return f"{short(rate * 100)} %" if unit else f"{short(rate)} a minute"


def times(ratio: float) -> str:
    """A multiple, such as "4.6x", as sentences have it."""
    return f"{ratio:.1f}x" if ratio < 100 else f"{ratio:,.0f}x"


def chance(log_evidence: float) -> str:
    """Evidence in nats as "1 in 2,000": how often a harmless release would show it."""
    if log_evidence < math.log(2):
        return "none yet"
    if log_evidence > math.log(1e12):
        return f"1 in 10^{log_evidence / math.log(10):.0f}"
    times = math.exp(log_evidence)
    for size, word in ((1e9, " billion"), (1e6, " million")):
        if times >= 0.9995 * size:
            return f"1 in {times / size:.0f}{word}"
    return f"1 in {times:,.0f}"


def clock(span: timedelta) -> str:
    """A span as m:ss, or h:mm:ss; never below 0."""
    seconds = max(0, int(span.total_seconds()))
    minutes, rest = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes}:{rest:02}"
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def web_link(address: str) -> str:
    """The address if a page may link to it: a CD could answer with any text."""
    return address if address.startswith(("https://", "http://")) else ""
