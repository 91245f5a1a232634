"""Does the verdict leave good deploys alone, and how soon does it find bad ones?

Drives ``releases.verdict`` minute by minute through simulated deploys (worlds.py) and
writes results/verdict.md. Needs numpy. With two cores the full size takes about half
an hour.

    python -m benchmarks.verdict [--runs 4000] [--bad-runs 400] [--only rush]
"""

import argparse
import math
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks import worlds
from benchmarks.page import publish
from benchmarks.worlds import MINUTES, ZIPF, Array, Deploys, World
from releases import verdict
from releases.verdict import Baseline, Evidence, Minute, NewIssue, Rule

RULE = Rule()
CHUNK = 250
WINDOWS = (60, 120, 240, 480, 720, 1440, 2880, 10080)
ENOUGH = 200  # effective errors of a baseline
# The new issue that a fault brings, and those that bursts of one tenant bring.
FAULT, EPISODE = 1, 2


@dataclass(frozen=True, slots=True)
class Cell:
    """One world at one traffic."""

    scale: str
    name: str
    world: World
    runs: int
    rate: float
    kind: str  # good, reported, bad, held out


Found = tuple[float, str]  # minute (infinite: never) and rule
Results = list[tuple[Cell, list[Found]]]


@dataclass(slots=True)
class Batch:
    """Events of a batch of deploys, sorted so that a run's rows are together."""

    deploys: Deploys
    cells: Array  # (run, minute, tenant, in control) of each distinct cell
    counts: Array
    first: Array  # where each run's rows begin
    issue_cells: Array
    issue_counts: Array
    issue_first: Array


def batch_of(deploys: Deploys) -> Batch:
    """Count events per run, minute, tenant and arm."""
    keys = np.stack(
        [deploys.run, deploys.minute, deploys.tenant, deploys.in_control.astype(int)]
    )
    cells, counts = np.unique(keys, axis=1, return_counts=True)
    new = (
        (deploys.issue > 0) & ~deploys.in_control & (deploys.minute >= deploys.history)
    )
    issue_keys = np.stack(
        [
            deploys.run[new],
            deploys.minute[new] - deploys.history,
            deploys.tenant[new],
            deploys.issue[new],
        ]
    )
    issue_cells, issue_counts = np.unique(issue_keys, axis=1, return_counts=True)
    edges = np.arange(deploys.runs + 1)
    return Batch(
        deploys,
        cells,
        counts,
        np.searchsorted(cells[0], edges),
        issue_cells,
        issue_counts,
        np.searchsorted(issue_cells[0], edges),
    )


def baseline_of(batch: Batch, run: int) -> Baseline:
    """What the history of one run says, as calibration and watch would read it."""
    deploys, history = batch.deploys, batch.deploys.history
    rows = slice(batch.first[run], batch.first[run + 1])
    _, minute, tenant, _ = batch.cells[:, rows]
    counts = batch.counts[rows]
    past = minute < history
    minute, tenant, counts = minute[past], tenant[past], counts[past]
    cap = verdict.cap_of(counts.sum() / history)
    capped = np.minimum(counts, cap)
    by_minute = np.bincount(minute, weights=capped, minlength=history)
    requests = deploys.requests[run, :history]
    length = verdict.block_minutes(by_minute.mean())
    number = history // length
    blocks = list(
        zip(
            by_minute[-number * length :].reshape(number, length).sum(1).tolist(),
            requests[-number * length :].reshape(number, length).sum(1).tolist(),
            strict=True,
        )
    )
    dispersion = verdict.dispersion_of(blocks)
    window = history
    for window in (w for w in WINDOWS if w <= history):
        if by_minute[-window:].sum() / dispersion >= ENOUGH:
            break
    recent = minute >= history - window
    usual = np.bincount(tenant[recent], weights=capped[recent], minlength=len(ZIPF))
    whole = np.bincount(tenant, weights=counts, minlength=len(ZIPF))
    return Baseline(
        errors=float(by_minute[-window:].sum()),
        exposure=float(requests[-window:].sum()),
        cap=cap,
        dispersion=dispersion,
        longest_episode=int(deploys.longest_episode[run]),
        tenants=len(ZIPF),
        history_errors=float(counts.sum()),
        history_exposure=float(requests.sum()),
        tenant_errors=dict(enumerate(whole.tolist(), 1)),
        tenant_share=SHARES,
        tenant_errors_capped=dict(enumerate(usual.tolist(), 1)),
    )


SHARES = dict(enumerate(ZIPF.tolist(), 1))


def minutes_of(batch: Batch, run: int, cap: int) -> list[Minute]:
    """The sixty minutes of one run."""
    deploys, history = batch.deploys, batch.deploys.history
    rows = slice(batch.first[run], batch.first[run + 1])
    cells, counts = batch.cells[:, rows], batch.counts[rows]
    errors: list[dict[int, int]] = [{} for _ in range(MINUTES)]
    control = [0] * MINUTES
    after = cells[1] >= history
    for minute, tenant, other, count in zip(
        (cells[1][after] - history).tolist(),
        (cells[2][after] + 1).tolist(),
        cells[3][after].tolist(),
        counts[after].tolist(),
        strict=True,
    ):
        if other:
            control[minute] += min(count, cap)
        else:
            errors[minute][tenant] = count
    requests = deploys.requests[run, history:].tolist()
    others = [0] * MINUTES
    if deploys.control is not None:
        others = deploys.control[run, history:].tolist()
    return [
        Minute(float(requests[m]), errors[m], float(control[m]), float(others[m]))
        for m in range(MINUTES)
    ]


def issues_of(batch: Batch, run: int) -> dict[int, dict[int, dict[int, int]]]:
    """Errors of new issues: issue -> minute -> tenant -> count."""
    rows = slice(batch.issue_first[run], batch.issue_first[run + 1])
    found: dict[int, dict[int, dict[int, int]]] = {}
    for minute, tenant, issue, count in zip(
        *(column.tolist() for column in batch.issue_cells[1:, rows]),
        batch.issue_counts[rows].tolist(),
        strict=True,
    ):
        # Each burst is an issue of its own, and hits one tenant: so is its number.
        number = FAULT if issue == FAULT else EPISODE + tenant
        cell = found.setdefault(number, {}).setdefault(minute, {})
        cell[tenant + 1] = cell.get(tenant + 1, 0) + count
    return found


def outside_of(batch: Batch, run: int, upto: int) -> dict[int, float]:
    """How much the sibling project rose since each start, against its last 4 hours."""
    sibling = batch.deploys.sibling
    if sibling is None:
        return {}
    history = batch.deploys.history
    errors, requests = sibling[0][run], sibling[1][run]
    before = (
        errors[history - 240 : history].sum() / requests[history - 240 : history].sum()
    )
    return {
        start: float(
            errors[history + start : history + upto].sum()
            / max(1, requests[history + start : history + upto].sum())
            / before
        )
        for start in (RULE.grace, *range(RULE.grace + 5, MINUTES - 2, 5))
        if start < upto
    }


def worth_judging(minutes: Sequence[Minute], base: Baseline, cap: int) -> list[bool]:
    """By minute: whether any start can pass the cheap conditions of a global hit.

    Only what ``judge`` itself demands (ratio and number of errors), so that leaving
    the other minutes out changes no result.
    """
    errors = np.array([verdict.capped_total(m.errors, cap) for m in minutes])
    exposure = np.array([m.exposure for m in minutes])
    against = np.array([m.control_errors for m in minutes])
    other = np.array([m.control_exposure for m in minutes])
    concurrent = bool(other.sum())
    possible = np.zeros(MINUTES + 1, bool)
    for start in (RULE.grace, *range(RULE.grace + 5, MINUTES - 2, 5)):
        x, n = errors[start:].cumsum(), exposure[start:].cumsum()
        rate = base.rate
        if concurrent:
            rate = (against[start:].cumsum() + 0.5) / np.maximum(
                other[start:].cumsum(), 1
            )
        enough = (x >= RULE.min_events) & (x >= RULE.ratio * rate * n * 0.999)
        possible[start + 1 :] |= enough
    found: list[bool] = possible.tolist()
    return found


def detect(batch: Batch, run: int) -> Found:
    """The minute at whose end the release is first called degraded, and by what."""
    base = baseline_of(batch, run)
    share = batch.deploys.share
    minutes = minutes_of(batch, run, base.cap)
    possible = worth_judging(minutes, base, verdict.arm_cap(base.cap, share))
    issues = issues_of(batch, run)
    concurrent = batch.deploys.control is not None
    for upto in range(RULE.grace + 1, MINUTES + 1):
        new = [
            NewIssue(pk, {m: cell for m, cell in cells.items() if m < upto})
            for pk, cells in issues.items()
            if len(cells) >= 3 or len({t for c in cells.values() for t in c}) >= 5
        ]
        if not possible[upto] and not new:
            continue
        evidence = Evidence(
            minutes[:upto],
            new,
            share=share,
            concurrent=concurrent,
            outside_ratio=outside_of(batch, run, upto),
        )
        if not possible[upto]:
            if verdict.guard_issue(RULE, base, evidence):
                return upto, "new_issue"
            if verdict.guard_tenant(RULE, base, evidence):
                return upto, "tenant"
            continue
        found = verdict.judge(RULE, base, evidence)
        if found.rule:
            return upto, found.rule
    return math.inf, ""


def run_chunk(cell: Cell, number: int, runs: int) -> list[Found]:
    seed = worlds.seed_of(cell.scale, cell.name.partition(",")[0], number)
    deploys = worlds.simulate(
        worlds.SCALES[cell.scale], cell.world, runs, cell.rate, seed
    )
    batch = batch_of(deploys)
    return [detect(batch, run) for run in range(runs)]


def cells_of(args: argparse.Namespace) -> Iterator[Cell]:
    """Every world at every traffic that was asked for."""
    for scale in args.only.split(","):
        if scale == "tiny":
            for name, world in worlds.TINY_GOOD.items():
                yield Cell(scale, name, world, args.runs, 0.01, "good")
            for name, world in worlds.TINY_BAD.items():
                yield Cell(scale, name, world, args.bad_runs, 0.01, "bad")
            continue
        for name, world in worlds.GOOD.items():
            yield Cell(scale, name, world, args.runs, 0.004, "good")
        for name, world in worlds.REPORTED.items():
            yield Cell(scale, name, world, args.bad_runs, 0.004, "reported")
        for name, world in worlds.BAD.items():
            yield Cell(scale, name, world, args.bad_runs, 0.004, "bad")
        if scale in {"rush", "d10"}:
            for name, world in worlds.HELD_OUT.items():
                yield Cell(scale, name, world, args.held_runs, 0.004, "held out")


def measure(cells: Sequence[Cell]) -> Results:
    """All cells, a chunk at a time on every core."""
    found: dict[int, list[Found]] = {i: [] for i in range(len(cells))}
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        jobs = []
        for i, cell in enumerate(cells):
            size = CHUNK if cell.scale != "tiny" else CHUNK // 2
            for number in range(math.ceil(cell.runs / size)):
                runs = min(size, cell.runs - number * size)
                jobs.append((i, pool.submit(run_chunk, cell, number, runs)))
        for i, job in jobs:
            found[i] += job.result()
            if len(found[i]) == cells[i].runs:
                cell = cells[i]
                print(cell.scale, cell.name, line_of(cell, found[i]), flush=True)
    return [(cell, found[i]) for i, cell in enumerate(cells)]


def line_of(cell: Cell, found: Sequence[Found]) -> str:
    times = np.array([at for at, _ in found])
    if cell.kind != "bad":
        hits = [rule for _, rule in found if rule]
        by = ", ".join(f"{rule} {hits.count(rule)}" for rule in sorted(set(hits)))
        share = f"{100 * np.isfinite(times).mean():.2f}"
        return f"{share}{f' ({by})' if by else ''}"
    median, p90 = (np.quantile(times, q, method="higher") for q in (0.5, 0.9))
    return f"{100 * (times <= 10).mean():.0f} / {_minute(median)} / {_minute(p90)}"


def _minute(value: Any) -> str:
    return f"{value:.0f}" if np.isfinite(value) else "-"


TITLES = {
    "good": "False rollbacks in 60 minutes, % of deploys (by rule)",
    "held out": "Worlds that were held out while the constants were chosen, %",
    "reported": "Degraded in 60 minutes, % (no bar)",
    "bad": "Bad deploys: found within 10 min % / median minute / 90th percentile",
}


def report(results: Results) -> str:
    parts = []
    for kind, title in TITLES.items():
        rows: dict[str, dict[str, str]] = {}
        scales: list[str] = []
        for cell, found in results:
            if cell.kind == kind:
                rows.setdefault(cell.name, {})[cell.scale] = line_of(cell, found)
                if cell.scale not in scales:
                    scales.append(cell.scale)
        if not rows:
            continue
        lines = [f"| world | {' | '.join(scales)} |", "|---" * (len(scales) + 1) + "|"]
        lines += [
            f"| {name} | {' | '.join(row.get(s, '') for s in scales)} |"
            for name, row in rows.items()
        ]
        parts.append(f"{title}\n\n" + "\n".join(lines))
    return "\n\n".join(parts)


def main() -> None:
    """Judge every world, print, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=4000)
    parser.add_argument("--held-runs", type=int, default=1000)
    parser.add_argument("--bad-runs", type=int, default=400)
    parser.add_argument("--only", default="rush,d10,d100,tiny")
    parser.add_argument("--worlds", default="", help="only these, comma-separated")
    parser.add_argument("--dry", action="store_true", help="print, write no page")
    args = parser.parse_args()
    began = time.monotonic()
    wanted = set(filter(None, args.worlds.split(",")))
    cells = [c for c in cells_of(args) if not wanted or c.name in wanted]
    text = report(measure(cells))
    text += f"\n\n{time.monotonic() - began:.0f} s."
    heading = (
        f"{args.runs} good, {args.bad_runs} bad, {args.held_runs} held-out "
        "deploys a cell"
    )
    publish("verdict", heading, "", text, keep=not args.dry)


if __name__ == "__main__":
    main()
