"""Processes: started, watched and ended. CPU time and memory are read from /proc."""

import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
START_S = 90.0
STOP_S = 15.0
QUIET_S = 0.25
QUIET_TICKS = 1
SETTLE_S = 8.0


class NotStarted(Exception):
    """A process ended, or was not ready in time; the message has the end of its log."""


class Process:
    """A process in a group of its own. log: where its output goes."""

    def __init__(self, command: Sequence[str | Path], log: Path, env: Mapping[str, str] | None = None) -> None:
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as out:
            self._popen = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._popen.pid

    def wait_until(self, is_ready: Callable[[], object], pause_s: float = 0.05) -> None:
        """Wait until is_ready returns something true; OSError and ValueError mean not yet. Raises: NotStarted."""
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            if self._popen.poll() is not None:
                raise NotStarted(f"it ended with {self._popen.returncode}: {self._log_end()}")
            with suppress(OSError, ValueError):
                if is_ready():
                    return
            time.sleep(pause_s)
        raise NotStarted(f"it was not ready after {START_S:g} s: {self._log_end()}")

    def _log_end(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1][:200] if lines else "it said nothing"

    def stop(self) -> None:
        """Ask the process to end, and end its group if it does not."""
        self._popen.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(STOP_S)
        self.kill()

    def kill(self) -> None:
        """End the process and its group at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait()

    def __enter__(self) -> "Process":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process, user and system, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def rss_mb(pid: int) -> float:
    """Return the resident memory of a process in MB (10^6 bytes)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmRSS:"))


def settle(pid: int) -> None:
    """Wait until a process has done what it still had to do after its last call, at most SETTLE_S."""
    end = time.monotonic() + SETTLE_S
    before = cpu_seconds(pid)
    while time.monotonic() < end:
        time.sleep(QUIET_S)
        now = cpu_seconds(pid)
        if (now - before) * TICKS_PER_S <= QUIET_TICKS:
            return
        before = now


class Others:
    """Tells how much of the machine other processes have used since it was made: ours are all that we have ended by then."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._before = _machine_cpu_s() - _our_cpu_s()

    def share(self) -> float:
        """Return their part of all cores' time, 0 to 1."""
        used = _machine_cpu_s() - _our_cpu_s() - self._before
        return max(0.0, used / ((time.monotonic() - self._began) * (os.cpu_count() or 1)))


def _machine_cpu_s() -> float:
    """Return the CPU time that was used on the machine since it started."""
    user, nice, system, _, _, irq, soft_irq = map(int, Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + irq + soft_irq) / TICKS_PER_S


def _our_cpu_s() -> float:
    """Return the CPU time of this process and of all its children that have ended."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, kinds))


def is_listening(address: tuple[str, int]) -> bool:
    """Return true when somebody listens on an address. Raises: OSError when nobody does."""
    with socket.create_connection(address, timeout=1):
        return True


def free_port() -> int:
    """Return a port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
