"""A4: what starting costs, and what a server that has nothing to do needs."""

import resource
import subprocess
import sys
import time
from pathlib import Path

from bench.processes import rss_mb
from bench.results import Row, Target
from bench.server import PRODUCT, Server

READY_S_MAX = 2.0
IDLE_S = 3.0
IDLE_MB_MAX = 120.0
VERSION_MS_MAX = 150.0
RUNS = 4


def a4(rounds: int) -> list[Row]:
    """Measure start, idle memory and the command line's own cost."""
    ready, idle, version, bare = [], [], [], []
    for _ in range(rounds):
        with Server("a4", prepare=_leave_empty) as server:
            ready.append(server.start_s)
            time.sleep(IDLE_S)
            idle.append(rss_mb(server.pid))
        version.append(_cpu_ms([*PRODUCT, "--version"]))
        bare.append(_cpu_ms([sys.executable, "-c", "pass"]))
    over = [ours - theirs for ours, theirs in zip(version, bare, strict=True)]
    beside = f"bare interpreter {min(bare):.3g}..{max(bare):.3g} ms"
    return [
        Row("A4", "start of `apitrail serve`, empty store, until ready", "s", ready, target=Target(READY_S_MAX)),
        Row("A4", f"memory, idle for {IDLE_S:g} s", "MB", idle, target=Target(IDLE_MB_MAX)),
        Row(
            "A4",
            "CPU of `apitrail --version` over the interpreter",
            "ms",
            over,
            target=Target(VERSION_MS_MAX),
            beside=beside,
        ),
    ]


def _leave_empty(data: Path) -> None:
    """Prepare nothing."""
    assert not any(data.iterdir())


def _cpu_ms(command: list[str]) -> float:
    """Return the CPU time of a command, the mean of some runs."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(RUNS):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return 1000 * used / RUNS
