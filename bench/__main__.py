"""`python -m bench [A1 ...] [--rounds 5] [--minutes 1] [--page FILE]`: measure, print a table, write the results."""

import argparse
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from apitrail import __version__
from bench import ROOT, WORK
from bench.capture import a1_cpu, a1_peers, a2, a3
from bench.delivery import a5
from bench.history import a6
from bench.launch_day import c1
from bench.matching import c2
from bench.processes import Others
from bench.puts import b1
from bench.results import Row, print_rows, write_json, write_page
from bench.start import a4
from bench.trails import b3
from bench.verify import b2

WIDTH = 200
Measure = Callable[[argparse.Namespace], list[Row]]
FIGURES: dict[str, Measure] = {
    "A1": lambda asked: [*a1_cpu(asked.rounds), *a1_peers(asked.rounds)],
    "A2": lambda asked: a2(asked.rounds),
    "A3": lambda asked: a3(asked.rounds, asked.minutes),
    "A4": lambda asked: a4(asked.rounds),
    "A5": lambda asked: a5(asked.rounds),
    "A6": lambda asked: a6(asked.rounds),
    "B1": lambda asked: b1(asked.rounds),
    "B2": lambda asked: b2(asked.rounds),
    "B3": lambda asked: b3(asked.rounds),
    "C1": lambda asked: c1(asked.rounds, asked.page),
    "C2": lambda asked: c2(asked.rounds),
}


def main(words: list[str]) -> int:
    """Measure what is asked for; return 1 when a target is missed."""
    asked = _parse(words)
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    facts, began = _facts(), time.monotonic()
    rows: list[Row] = []
    shares = []
    for name in asked.figures or FIGURES:
        console.print(f"{name} ...", style="dim")
        others = Others()
        rows += FIGURES[name](asked)
        shares.append(f"{name} {100 * others.share():.0f} %")
    facts["duration"] = f"{time.monotonic() - began:.0f} s, {asked.rounds} rounds"
    facts["CPU time that others used meanwhile"] = ", ".join(shares)
    print_rows(rows, console)
    for name, fact in facts.items():
        console.print(f"{name}: {fact}", style="dim")
    console.print(f"written to {write_json(rows, facts, WORK).relative_to(ROOT)}")
    if asked.page:
        write_page(rows, facts, asked.page)
    return int(any(row.met is False for row in rows))


def _parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("bench", description=__doc__)
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=f"of {', '.join(FIGURES)}; all when none is given")
    parser.add_argument("--rounds", type=int, default=5, help="how often each thing is measured")
    parser.add_argument("--minutes", type=float, default=1.0, help="how long A3's load lasts")
    parser.add_argument("--page", type=Path, help="write the table as a page of the docs, too")
    asked = parser.parse_args(words)
    if wrong := set(asked.figures) - FIGURES.keys():
        parser.error(f"no such figure: {', '.join(sorted(wrong))}")
    if asked.rounds < 1 or asked.minutes <= 0:
        parser.error("--rounds and --minutes must be positive")
    return asked


def _facts() -> dict[str, str]:
    """Return what somebody who reads the results must know."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "version": f"{__version__}, commit {_commit()}",
        "machine": f"{os.cpu_count()} cores, {memory:.0f} GiB of memory, {platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
    }


def _commit() -> str:
    """Return the commit, marked where the product's files differ from it."""
    commit = _git("rev-parse", "--short", "HEAD") or "unknown"
    return f"{commit} with local changes" if _git("status", "--porcelain", "--", "src") else commit


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
