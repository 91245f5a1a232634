"""Simulated deploys: what an environment's errors and traffic do around a deploy.

Per-minute counts; minute 0 is the one in which CI posted the deploy. Seeded. Every
world has 1,500 tenants with a Zipf law of traffic, a daily cycle, and a history of one
day (a week where traffic is tiny). The worlds are those of the study that the verdict's
constants come from; HELD_OUT were not looked at while they were chosen.
"""

import math
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

MINUTES = 60  # of the watch
TENANTS = 1500
ZIPF = 1.0 / np.arange(1, TENANTS + 1)
ZIPF /= ZIPF.sum()
ZIPF_CUMULATED = np.cumsum(ZIPF)
RUSH = 2_300_000 / 1440.0  # requests per minute
NEW_ISSUE_SHARE = 0.02  # of errors, in issues never seen before

World = dict[str, Any]
Array = Any  # numpy arrays of whatever type


@dataclass(frozen=True, slots=True)
class Scale:
    """Requests per minute, minutes of history, median errors of a one-tenant burst."""

    requests: float
    history: int
    burst: float


SCALES = {
    "rush": Scale(RUSH, 1440, 30.0),
    "d10": Scale(RUSH / 10, 1440, 10.0),
    "d100": Scale(RUSH / 100, 1440, 5.0),
    "tiny": Scale(2.0, 10080, 4.0),
}
GOOD: dict[str, World] = {
    "none": {},
    "nb": {"noise": 0.4},
    "bursts": {"bursts": 1.5},
    "nb+bursts": {"noise": 0.4, "bursts": 1.5},
    "restart30-90s": {"spike": (10.0, 30, 90)},
    "traffic-drop": {"traffic": "drop"},
    "diurnal-up": {"traffic": "up", "drift": 0.10},
    "diurnal-down": {"traffic": "down", "drift": 0.10},
    "canary-none": {"canary": 0.05},
    "canary-outage": {"canary": 0.05, "outage": (3.0, 10)},
}
REPORTED: dict[str, World] = {
    "restart2-4min": {"spike": (5.0, 120, 240)},
    "x1.25": {"factor": 1.25},
    "outage-ext": {"outage": (3.0, 10)},
    "outage-ext, outside control": {"outage": (3.0, 10), "sibling": True},
}
BAD: dict[str, World] = {
    "x1.5": {"factor": 1.5},
    "x2": {"factor": 2.0},
    "x5": {"factor": 5.0},
    "x20": {"factor": 20.0},
    "ramp->x5": {"ramp": (5.0, 40)},
    "late-x3@20": {"late": (3.0, 20)},
    "tenant-big": {"new_error": ("tenant", 3, 0.10)},
    "tenant-small": {"new_error": ("tenant", 300, 1.0)},
    "one-path": {"new_error": ("path", 0.005, 0.30)},
    "x2 nb+bursts": {"factor": 2.0, "noise": 0.4, "bursts": 1.5},
    "x5 nb+bursts": {"factor": 5.0, "noise": 0.4, "bursts": 1.5},
    "canary-x2": {"canary": 0.05, "factor": 2.0},
    "canary-x5": {"canary": 0.05, "factor": 5.0},
    "canary-x20": {"canary": 0.05, "factor": 20.0},
}
TINY_GOOD: dict[str, World] = {"none": {}, "bursts": {"bursts": 0.1}}
TINY_BAD: dict[str, World] = {
    "x5": {"factor": 5.0},
    "x20": {"factor": 20.0},
    "all-fail": {"factor": 100.0},
}
HELD_OUT: dict[str, World] = {
    "ar sd .6": {"noise": 0.6},
    "ar tau 20": {"noise": 0.4, "tau": 20.0},
    "bursts 5/h": {"bursts": 5.0},
    "bursts of 10 tenants": {"bursts": 1.5, "burst_tenants": 10},
    "rare 10-tenant bursts": {"bursts": 0.1, "burst_tenants": 10},
}


@dataclass(slots=True)
class Deploys:
    """A batch of simulated deploys.

    ``requests`` is (runs, history + 60) of the new release's arm; ``control`` the
    requests of the other arm, ``sibling`` (errors, requests) of a project that did not
    deploy. Events are parallel arrays: run, minute since the start of history, tenant,
    whether in the control arm, and issue (0 known, 1 new, 2 a new one of one tenant).
    """

    runs: int
    history: int
    share: float
    requests: Array
    control: Array | None
    sibling: tuple[Array, Array] | None
    run: Array
    minute: Array
    tenant: Array
    in_control: Array
    issue: Array
    longest_episode: Array


def seed_of(*parts: object) -> int:
    return zlib.crc32("|".join(map(str, parts)).encode())


def simulate(scale: Scale, world: World, runs: int, rate: float, seed: int) -> Deploys:
    """``runs`` deploys in a world whose base error rate is ``rate`` (0-1)."""
    chance = np.random.default_rng(seed)
    history, length = scale.history, scale.history + MINUTES
    traffic = _traffic(chance, runs, scale, world.get("traffic"))
    share = float(world.get("canary", 1.0))
    factor = _factor(chance, runs, world)
    common = np.ones((runs, length))
    if "noise" in world:
        tau = world.get("tau", 5.0)
        common *= _noise(chance, runs, length, world["noise"], tau)
    common[:, history:] *= _outage(chance, runs, world)
    sibling = None
    if world.get("sibling"):
        sibling = (chance.poisson(traffic * rate * common), chance.poisson(traffic))
    events: list[tuple[Array, ...]] = []
    requests: dict[str, Array] = {}
    for arm in ("new", "control") if share < 1 else ("new",):
        expected = traffic.copy()
        expected[:, history:] *= share if arm == "new" else 1 - share
        if arm == "control":
            expected[:, :history] = 0
        requests[arm] = chance.poisson(expected)
        errors = np.minimum(expected * rate * common, expected)
        if arm == "new":
            errors[:, history:] = np.minimum(
                errors[:, history:] * factor, expected[:, history:]
            )
        run, minute = _spread(chance.poisson(errors))
        new = (chance.random(run.size) < NEW_ISSUE_SHARE).astype(np.int8)
        events.append((run, minute, _tenants(chance, run.size), arm == "control", new))
        if arm == "new" and "new_error" in world:
            events.append(
                _new_error(chance, runs, expected, history, world["new_error"])
            )
    longest = np.zeros(runs, int)
    if "bursts" in world:
        events.append(_bursts(chance, runs, length, history, scale, world, share))
        past = chance.poisson(0.10 * world["bursts"] * 336, runs)
        longest = np.array(
            [
                math.ceil((1 + chance.exponential(2.0, p)).max()) if p else 0
                for p in past
            ]
        )
    columns = [
        np.concatenate([np.broadcast_to(e[i], e[0].shape) for e in events])
        for i in range(5)
    ]
    return Deploys(
        runs,
        history,
        share,
        requests["new"],
        requests.get("control"),
        sibling,
        columns[0],
        columns[1],
        columns[2],
        columns[3].astype(bool),
        columns[4],
        longest,
    )


def _traffic(chance: Any, runs: int, scale: Scale, mode: str | None) -> Array:
    """Expected requests per minute: a daily cycle, deployed in working hours."""
    at = chance.uniform(9 * 60, 18 * 60, runs)
    minutes = np.arange(-scale.history, MINUTES)
    curve = 1 + 0.5 * np.sin(2 * np.pi * (at[:, None] + minutes - 9 * 60) / 1440.0)
    ramp = np.clip((minutes + 1) / MINUTES, 0, 1)
    if mode == "drop":
        curve = curve * np.where(minutes >= 0, 0.3, 1.0)
    elif mode == "up":
        curve = curve * (1 + 1.5 * ramp)
    elif mode == "down":
        curve = curve * (1 - 0.6 * ramp)
    return scale.requests * curve


def _noise(chance: Any, runs: int, length: int, sd: float, tau: float) -> Array:
    """A lognormal factor on the error rate that forgets itself over ``tau`` minutes."""
    keep = math.exp(-1 / tau)
    state = np.empty((runs, length))
    state[:, 0] = chance.standard_normal(runs)
    steps = chance.standard_normal((runs, length)) * math.sqrt(1 - keep * keep)
    for i in range(1, length):
        state[:, i] = keep * state[:, i - 1] + steps[:, i]
    return np.exp(sd * state - sd * sd / 2)


def _factor(chance: Any, runs: int, world: World) -> Array:
    """(runs, 60) factor on the new release's error rate."""
    minutes = np.arange(MINUTES)
    factor = np.ones((runs, MINUTES)) * world.get("factor", 1.0)
    if "ramp" in world:
        top, over = world["ramp"]
        factor *= 1 + (top - 1) * np.clip((minutes + 0.5) / over, 0, 1)
    if "late" in world:
        times, start = world["late"]
        factor[:, start:] *= times
    if "spike" in world:
        times, low, high = world["spike"]
        lasts = chance.uniform(low, high, runs)[:, None] / 60.0
        begins = chance.uniform(0, 15, runs)[:, None] / 60.0
        ends = np.minimum(minutes[None, :] + 1, begins + lasts)
        overlap = np.clip(ends - np.maximum(minutes[None, :], begins), 0, 1)
        factor *= 1 + (times - 1) * overlap
    if "drift" in world:
        factor *= 1 + world["drift"] * np.clip((minutes + 1) / MINUTES, 0, 1)
    return factor


def _outage(chance: Any, runs: int, world: World) -> Array:
    """(runs, 60) factor on everybody's error rate."""
    if "outage" not in world:
        return np.ones((runs, MINUTES))
    times, lasts = world["outage"]
    at = chance.integers(5, 40, runs)[:, None]
    minutes = np.arange(MINUTES)[None, :]
    return np.where((minutes >= at) & (minutes < at + lasts), times, 1.0)


def _spread(counts: Array) -> tuple[Array, Array]:
    """Counts by run and minute as one entry per event."""
    run, minute = np.nonzero(counts)
    times = counts[run, minute]
    return np.repeat(run, times), np.repeat(minute, times)


def _tenants(chance: Any, size: int) -> Array:
    return np.searchsorted(ZIPF_CUMULATED, chance.random(size))


def _new_error(
    chance: Any,
    runs: int,
    expected: Array,
    history: int,
    told: tuple[str, float, float],
) -> tuple[Array, ...]:
    what, subject, failing = told
    mean = np.zeros_like(expected)
    part = ZIPF[int(subject) - 1] if what == "tenant" else subject
    mean[:, history:] = expected[:, history:] * part * failing
    run, minute = _spread(chance.poisson(mean))
    one = np.full(run.size, int(subject) - 1)
    tenant = one if what == "tenant" else _tenants(chance, run.size)
    return run, minute, tenant, False, np.int8(1)


def _bursts(
    chance: Any,
    runs: int,
    length: int,
    history: int,
    scale: Scale,
    world: World,
    share: float,
) -> tuple[Array, ...]:
    number = chance.poisson(world["bursts"] * length / 60.0, runs)
    run = np.repeat(np.arange(runs), number)
    start = chance.uniform(0, length, run.size)
    lasts = 1 + chance.exponential(2.0, run.size)
    size = chance.poisson(scale.burst * chance.lognormal(0, 1, run.size))
    weights = np.cumsum(np.sqrt(ZIPF) / np.sqrt(ZIPF).sum())
    tenant = np.searchsorted(weights, chance.random(run.size))
    each = np.repeat(run, size)
    minute = np.floor(
        np.repeat(start, size) + chance.random(each.size) * np.repeat(lasts, size)
    ).astype(int)
    kept = minute < length
    each, minute, tenant = each[kept], minute[kept], np.repeat(tenant, size)[kept]
    together = world.get("burst_tenants", 1)
    if together > 1:
        tenant = (tenant + 37 * chance.integers(0, together, tenant.size)) % TENANTS
    in_control = (chance.random(each.size) >= share) & (minute >= history)
    fresh = chance.random(run.size) < 0.10
    issue = 2 * np.repeat(fresh, size)[kept].astype(np.int8)
    return each, minute, tenant, in_control, issue
