"""Says a watch's judgement in words. Pure but for the rows it is given."""

import math
from typing import Any

from releases.models import Action, Watch

UNITS = {
    Watch.Source.TRAFFIC: "requests",
    Watch.Source.SESSIONS: "sessions",
    Watch.Source.REQUESTS: "transactions",
    Watch.Source.NONE: "expected errors",
}
INCONCLUSIVE = {
    "superseded": "A newer deploy replaced it before it could be judged.",
    "no_data": "Nothing was heard of it: no sessions, transactions or posted traffic "
    "name this release. Send one of them, or check the release name of the SDK.",
    "no_baseline": "There is nothing to compare it with: no other release has counts "
    "here from before.",
    "outside": "The error rate rose, but projects that did not deploy rose as much, so "
    "the cause lies outside of this release.",
    "burst": "The error rate rose for a few tenants and minutes only, as bursts do.",
    "few_tenants": "The error rate rose for too few tenants to blame the release.",
    "added_sources": "A source of posted traffic began during the watch, so the rate "
    "may look lower than it is: without its traffic the release is not surely healthy.",
    "incomplete": "Clients or the server dropped events in too many minutes, so what "
    "was counted is not all there was.",
}
LESS = {
    "silent_source": "No rollback: a source of the posted traffic fell silent, so the "
    "rate may look higher than it is.",
    "small_tenant": "No rollback: the tenant has less than one percent of the traffic.",
    "few_networks": "No rollback: all errors came with public keys from next to no "
    "client networks, which one person could forge.",
}


def sentence_of(watch: Watch) -> str:
    """One to three sentences that say what the numbers say, and why."""
    name = f"{watch.deploy.release.version} in {watch.deploy.environment.name}"
    if watch.verdict == Watch.Verdict.PENDING:
        return _pending(watch, name)
    if watch.verdict == Watch.Verdict.HEALTHY:
        return f"{name} is healthy: {_comparison(watch)}."
    if watch.verdict == Watch.Verdict.DEGRADED:
        return _degraded(watch, name)
    reason = INCONCLUSIVE.get(watch.reason, "")
    if not reason:
        reason = f"There is too little data to be sure: {_comparison(watch)}."
    return f"{name}: inconclusive. {reason}"


def _pending(watch: Watch, name: str) -> str:
    if watch.serving_since is None:
        return f"{name} is watched; nothing was heard of it yet."
    if not watch.numbers:
        return f"{name} is watched; its first minutes do not count yet."
    numbers = watch.numbers
    minutes, window = numbers["minutes"], watch.settings["window"]
    so_far = ""
    if numbers["ratio_high"] is not None:
        good = numbers["ratio_high"] < watch.settings["ratio"]
        so_far = "healthy so far, " if good and not numbers["held_back"] else ""
    return f"{name}: {so_far}minute {minutes} of {window}: {_comparison(watch)}."


def _degraded(watch: Watch, name: str) -> str:
    numbers = watch.numbers
    done = {
        Action.ROLLBACK: "roll back",
        Action.ALERT: "alert",
        Action.OBSERVE: "observed only",
    }[Action(watch.action)]
    parts = [f"{name} is degraded at minute {numbers['minutes']} ({done})"]
    if watch.reason == "global":
        parts.append(f": {_comparison(watch)}")
    elif watch.reason == "new_issue":
        parts.append(": a new issue hits several tenants")
    else:
        parts.append(": new issues keep hitting one tenant")
    parts.append(_blame(watch.suspects))
    text = "".join(parts) + "."
    if watch.reason == "global" and numbers["log_evidence"]:
        text += f" Evidence 1 in 10^{numbers['log_evidence'] / math.log(10):.0f}."
    less = LESS.get(numbers.get("action_reason", ""), "")
    return f"{text} {less}".strip()


def _comparison(watch: Watch) -> str:
    """``error rate 1.9 % vs 0.4 % (4.6x, 95 % 3.1-6.8, surely above 2.6x), …``."""
    numbers = watch.numbers
    if not numbers or not numbers.get("exposure"):
        return "no minute after the grace has counts yet"
    unit = UNITS[Watch.Source(numbers["source"])]
    text = (
        f"error rate {percent(numbers['rate'])} vs "
        f"{percent(numbers['baseline_rate'])} baseline, {times(numbers['ratio'])}"
    )
    if numbers["ratio_low"] is not None:
        text += (
            f" [95 % {numbers['ratio_low']:.1f}-{numbers['ratio_high']:.1f}, surely "
            f"above {times(numbers['surely_above'])}]"
        )
    errors = f"{numbers['errors']:,} errors in {numbers['exposure']:,.0f} {unit}"
    tenants = numbers["tenants"]
    return f"{text}, {errors}" + (f", {tenants} tenants" if tenants else "")


def _blame(suspects: list[dict[str, Any]]) -> str:
    if not suspects:
        return ""
    first = suspects[0]
    new = "new in this release, " if first["is_new"] else ""
    return (
        f", mainly {first['short_id']} {first['title'][:80]} ({new}"
        f"{first['share']:.0%} of the excess, {first['tenants']} tenants)"
    )


def percent(rate: float | None) -> str:
    """A rate as percent with two significant digits."""
    if rate is None:
        return "unknown"
    if rate <= 0:
        return "0 %"
    digits = max(0, 1 - math.floor(math.log10(rate * 100)))
    return f"{rate * 100:.{digits}f} %"


def times(ratio: float | None) -> str:
    """A ratio such as 4.6x."""
    if ratio is None:
        return "unknown"
    return f"{ratio:.1f}x" if ratio < 100 else f"{ratio:.0f}x"
