"""Coverage-guided fuzzing of every target: python -m fuzz --megabytes 200 [--keep FOLDER] [TARGET ...]

Each target runs in a process of its own, with bounds on time and memory, until it has consumed its share of the bytes.
Prints a line per target: bytes and inputs consumed, seconds, and where the input of a crash is kept. Ends with 1
when something broke or a target did not get through its share.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from fuzz.targets import TARGETS

MEGABYTE = 1_000_000
SECONDS_PER_MEGABYTE = 180
SECONDS_MIN = 120
HERE = Path(__file__).parent


@dataclass
class Outcome:
    """What became of a target. crashes: files with inputs; trace: the end of what was said."""

    name: str
    consumed: int
    runs: int
    seconds: float
    crashes: list[Path]
    trace: str
    finished: bool

    def line(self) -> str:
        """Return the outcome in a line."""
        state = "ok" if self.finished else f"BROKEN {' '.join(map(str, self.crashes))}"
        return f"{self.name:14} {self.consumed:>12,} bytes {self.runs:>10,} inputs {self.seconds:>7.1f} s  {state}"


def run_target(name: str, folder: Path, budget: int) -> Outcome:
    """Run one target until it has consumed budget bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "fuzz.engine", name, str(folder), str(budget)]
    limit = max(SECONDS_MIN, SECONDS_PER_MEGABYTE * budget / MEGABYTE)
    began = time.monotonic()
    try:
        done = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, timeout=limit)
        code, said = done.returncode, done.stdout + done.stderr
    except subprocess.TimeoutExpired:
        code, said = -1, f"not through after {limit:.0f} s"
    note = folder / "consumed"
    consumed, runs = map(int, note.read_text().split()) if note.exists() else (0, 0)
    crashes = sorted(path for path in folder.glob("*-*") if path.is_file())
    finished = code == 0 and not crashes
    return Outcome(name, consumed, runs, time.monotonic() - began, crashes, said[-4000:], finished)


def main(words: list[str]) -> int:
    """Run the targets one after another; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all when none is given")
    parser.add_argument("--megabytes", type=float, default=200.0, help="to be consumed by all targets together")
    parser.add_argument("--keep", type=Path, help="folder for corpora and for the inputs of crashes")
    asked = parser.parse_args(words)
    names = asked.targets or list(TARGETS)
    folder = asked.keep or Path(tempfile.mkdtemp(prefix="fuzz-"))
    broken = 0
    total = 0
    shares = {name: TARGETS[name].share if name in TARGETS else 1.0 for name in names}
    for name in names:
        share = shares[name] / sum(shares.values())
        outcome = run_target(name, folder / name, int(asked.megabytes * MEGABYTE * share))
        print(outcome.line(), flush=True)
        if not outcome.finished:
            print(outcome.trace, flush=True)
            broken += 1
        total += outcome.consumed
    print(f"{'all':14} {total:>12,} bytes; {broken} of {len(names)} targets broken; kept in {folder}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
