"""Result pages: benchmarks/results/<name>.md, the newest section first."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import machine

RESULTS = Path(__file__).resolve().parent / "results"
Rows = Sequence[tuple[str, str]]


def table(rows: Rows, head: tuple[str, str] = ("measure", "value")) -> str:
    """Two columns of Markdown."""
    lines = [f"| {head[0]} | {head[1]} |", "|---|---|"]
    return "\n".join(lines + [f"| {name} | {value} |" for name, value in rows])


def publish(
    name: str, heading: str, server: str, body: str, *, keep: bool = True
) -> None:
    """Print a section and, to keep it, put it on top of the page ``name``.

    ``server``: the version of PostgreSQL, "" where none was measured.
    """
    now = datetime.now(UTC)
    place = machine.describe() + (f", PostgreSQL {server}" if server else "")
    section = f"## {now:%Y-%m-%d %H:%M} UTC: {heading}\n\n{place}\n\n{body}\n"
    print(f"\n{section}")
    if not keep:
        return
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.md"
    title = f"# Results of benchmarks/{name}.py\n\n"
    before = path.read_text(encoding="utf-8") if path.exists() else title
    older = before.removeprefix(title)
    path.write_text(f"{title}{section}\n{older}".rstrip() + "\n", encoding="utf-8")
