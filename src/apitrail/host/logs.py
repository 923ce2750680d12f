"""What game servers write: a bounded log of what each prints, and collecting it with the files that the game names.

Files are reached step by step from the instance's folder, and no link is followed, because the game may change what is there
at any time.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from apitrail.host.programs import ProgramError, map_path

LOGS, GAME = "logs", "game"
OLDER = ".1"
KEPT = 40
"""Log files kept per instance; the oldest go when processes are started."""

FILES_MAX = 200
DEPTH_MAX = 4
BEGINNING = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class LogFile(NamedTuple):
    """A collected file. name: its path in the collection."""

    name: str
    content: bytes


class BoundedLog:
    """What a process prints, in two files of at most half of bytes_max each; the older half is replaced."""

    def __init__(self, path: Path, bytes_max: int) -> None:
        self._path = path
        self._half = max(1, bytes_max // 2)
        self._file = path.open("wb", buffering=0)
        self._size = 0

    def write(self, text: bytes) -> None:
        """Add what was printed."""
        while text:
            room = self._half - self._size
            self._file.write(text[:room])
            self._size += len(text[:room])
            text = text[room:]
            if self._size == self._half:
                self._turn()

    def close(self) -> None:
        """End the log."""
        self._file.close()

    def _turn(self) -> None:
        self._file.close()
        self._path.replace(self._path.with_name(self._path.name + OLDER))
        self._file = self._path.open("wb", buffering=0)
        self._size = 0


def log_name(process: str) -> str:
    """Return the name of a process's log file."""
    return f"{process}.log"


def drop_old_logs(folder: Path) -> None:
    """Remove the oldest log files of an instance, so that as many as are kept are left."""
    found = sorted((path.stat().st_mtime, path) for path in folder.iterdir())
    for _, path in found[:-KEPT]:
        path.unlink(missing_ok=True)


def collect(instance: Path, process: str, log_paths: Sequence[str], bytes_max: int) -> list[LogFile]:
    """Return what a process has printed and the files that it has named, the ends of those that are too long. Blocks.

    instance: its folder. log_paths: files or folders, as the game names them. Together at most bytes_max.
    """
    name = log_name(process)
    printed = b"".join(_tail(instance, (LOGS, part), bytes_max) or b"" for part in (name + OLDER, name))[-bytes_max:]
    collected = [LogFile(name, printed)] if printed else []
    left = bytes_max - len(printed)
    for parts in _named(instance, log_paths):
        if (content := _tail(instance, (GAME, *parts), left)) is None:
            continue
        collected.append(LogFile("/".join((GAME, *parts)), content))
        left -= len(content)
        if left <= 0 or len(collected) >= FILES_MAX:
            break
    return collected


def _named(instance: Path, log_paths: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the parts, below the game's folder, of each file that log paths mean."""
    seen = set[tuple[str, ...]]()
    for path in log_paths:
        with suppress(ProgramError):
            parts = map_path(Path(), path).parts
            found = _files_below(instance, parts, DEPTH_MAX)
            fresh = [one for one in found if one not in seen]
            seen.update(fresh)
            yield from fresh


def _files_below(instance: Path, parts: tuple[str, ...], depth: int) -> Iterator[tuple[str, ...]]:
    """Yield a file itself, or the files in a folder."""
    with suppress(OSError):
        handle = open_below(instance, (GAME, *parts))
        try:
            if not stat.S_ISDIR(os.fstat(handle).st_mode):
                yield parts
                return
            names = sorted(entry.name for entry in os.scandir(handle))[:FILES_MAX]
        finally:
            os.close(handle)
        for name in names if depth else ():
            yield from _files_below(instance, (*parts, name), depth - 1)


def open_below(root: Path, parts: Sequence[str]) -> int:
    """Open a file or folder below a folder for reading, following no link on the way. Raises: OSError."""
    handle = os.open(root, BEGINNING | os.O_DIRECTORY)
    for place, part in enumerate(parts):
        is_last = place == len(parts) - 1
        try:
            below = os.open(part, BEGINNING | (0 if is_last else os.O_DIRECTORY), dir_fd=handle)
        finally:
            os.close(handle)
        handle = below
    return handle


def _tail(root: Path, parts: Sequence[str], bytes_max: int) -> bytes | None:
    """Return the end of a plain file, or None where there is none."""
    with suppress(OSError):
        handle = open_below(root, parts)
        with os.fdopen(handle, "rb") as file:
            facts = os.fstat(handle)
            if not stat.S_ISREG(facts.st_mode):
                return None
            file.seek(max(0, facts.st_size - bytes_max))
            return file.read(bytes_max)
    return None
