"""Rows of results, and where they go: a table on the terminal, a JSON file, a page of the docs."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.markup import escape
from rich.table import Table

HEADINGS = ("figure", "what", "ours", "peer or limit", "ratio", "spread", "target", "met", "beside")
MARKS = {True: "yes", False: "NO", None: "-"}


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure must reach. of: its own value (`ours`), or its ratio to the other one (`ratio`)."""

    bound: float
    of: str = "ours"
    at_least: bool = False

    def is_met(self, ours: float, ratio: float) -> bool:
        """Return whether a result reaches the target."""
        value = ratio if self.of == "ratio" else ours
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<="
        return f"ratio {sign} {show(self.bound)}" if self.of == "ratio" else f"{sign} {show(self.bound)}"


@dataclass(frozen=True, slots=True)
class Row:
    """One result. ours, theirs: a value per round; theirs is empty where there is nothing to compare with.

    unit: of both. other: name of the peer or limit. missing: why nothing was measured. beside: what else was seen.
    """

    figure: str
    what: str
    unit: str
    ours: Sequence[float] = ()
    other: str = ""
    theirs: Sequence[float] = ()
    target: Target | None = None
    beside: str = ""
    missing: str = ""
    ratios: list[float] = field(init=False)

    def __post_init__(self) -> None:
        pairs = zip(self.ours, self.theirs, strict=bool(self.theirs))
        object.__setattr__(self, "ratios", [ours / theirs for ours, theirs in pairs if theirs])

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None where there is none, or nothing was measured."""
        if self.target is None or self.missing:
            return None
        return self.target.is_met(median(self.ours), median(self.ratios) if self.ratios else 0.0)

    def cells(self) -> tuple[str, ...]:
        """Return the row as texts, in the order of HEADINGS."""
        if self.missing:
            return (self.figure, self.what, "", self.other, "", "", str(self.target or ""), "-", self.missing)
        spread = self.ratios if self.target is not None and self.target.of == "ratio" else self.ours
        return (
            self.figure,
            self.what,
            f"{show(median(self.ours))} {self.unit}",
            f"{self.other} {show(median(self.theirs))}" if self.theirs else self.other,
            show(median(self.ratios)) if self.ratios else "",
            f"{show(min(spread))}..{show(max(spread))}",
            str(self.target or ""),
            MARKS[self.met],
            self.beside,
        )


def show(value: float) -> str:
    """Return a number with three significant digits, large ones with commas."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def print_rows(rows: Sequence[Row], console: Console) -> None:
    """Print the table."""
    table = Table(*HEADINGS)
    for row in rows:
        colour = {True: "green", False: "bold red", None: ""}[row.met]
        table.add_row(*map(escape, row.cells()), style=colour)
    console.print(table)


def write_json(rows: Sequence[Row], facts: dict[str, str], folder: Path) -> Path:
    """Write facts and rows, and return where."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"results-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    listed = [{**asdict(row), "target": str(row.target or ""), "met": row.met} for row in rows]
    path.write_text(json.dumps({"facts": facts, "rows": listed}, indent=2, default=list) + "\n")
    return path


def write_page(rows: Sequence[Row], facts: dict[str, str], path: Path) -> None:
    """Write the page of evidence."""
    table = [HEADINGS, ("---",) * len(HEADINGS), *(row.cells() for row in rows)]
    lines = [
        "# Measured",
        "",
        "What `make bench` printed when it was last run in full. Every comparison is of this one run: rounds alternate, each",
        "value is the median of its rounds, and the spread is their smallest and largest value (of the ratio where that is the",
        "target). CPU time is user and system time of the server process from `/proc`, with the work it does after the last",
        "answer, per call. A target that is missed is shown as such. Where others used much of the machine meanwhile, times and",
        "rates say little, ratios and CPU times more.",
        "",
        *(f"- {name}: {fact}" for name, fact in facts.items()),
        "",
        *("| " + " | ".join(cells) + " |" for cells in table),
        "",
        "## How to repeat it",
        "",
        "`make bench` runs everything; `.venv/bin/python -m bench A1 A3 --rounds 5 --minutes 1` runs some figures, and",
        "`--page docs/evidence/bench.md` writes this page. Peers are installed from PyPI at the versions named, into",
        "environments below `.bench/`. Results are also written there as JSON. How the cost of C1's calls grows with the store",
        "is drawn on [a page of its own](launch-day.md).",
        "",
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines))
