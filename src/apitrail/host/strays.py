"""Processes that must not be left behind: what game servers have started, however far it went.

Orphans come to the host, which is their subreaper. What a host that was killed has left is found by a mark in its environment.
"""

import ctypes
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
MARK = "APITRAIL_HOST"
PROCESS = "GAMELIFT_SDK_PROCESS_ID"
ROUNDS_MAX = 100
PR_SET_CHILD_SUBREAPER = 36
PR_SET_PDEATHSIG = 1


def adopt_orphans() -> None:
    """Become the parent of all descendants whose own parents have ended."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def end_with_parent(parent: int) -> None:
    """Be told to end (SIGTERM) when the parent does."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def kill_group(leader: int) -> None:
    """Kill a process group, if there is still one."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def end_group(leader: int) -> None:
    """Ask a process group to end, if there is still one."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGTERM)


def kill_marked(mark: str, process: str = "") -> int:
    """Kill whatever runs with a mark in its environment, or only what a game server of this id has started.

    Returns how many were found; those that they start meanwhile are found as well.
    """
    wanted = {f"{MARK}={mark}".encode()} | ({f"{PROCESS}={process}".encode()} if process else set())
    count = 0
    for _ in range(ROUNDS_MAX):
        found = [pid for pid in _pids() if pid != os.getpid() and wanted <= _environment(pid)]
        for pid in found:
            _kill(pid)
        reap_orphans(set())
        count += len(found)
        if not found:
            break
    return count


def kill_children() -> None:
    """Kill and reap every descendant of this process, layer by layer, until none is left."""
    for _ in range(ROUNDS_MAX):
        children = list(_children())
        if not children:
            return
        for pid in children:
            _kill(pid)
        for pid in children:
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


def reap_orphans(own: set[int]) -> None:
    """Let adopted processes that have ended go. own: children that somebody else waits for."""
    for pid in _children():
        if pid not in own:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def _pids() -> Iterator[int]:
    return (int(path.name) for path in PROC.iterdir() if path.name.isdigit())


def _environment(pid: int) -> set[bytes]:
    """Return what a process was started with; nothing for one that is gone or somebody else's."""
    with suppress(OSError):
        return set((PROC / str(pid) / "environ").read_bytes().split(b"\0"))
    return set()


def _children() -> Iterator[int]:
    me = str(os.getpid())
    return (pid for pid in _pids() if _parent(pid) == me)


def _parent(pid: int) -> str:
    with suppress(OSError):
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[1]
    return ""


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)
