"""The keys below a folder in order, found lazily: only folders that can hold the next key are read.

Two trees make one listing: the plain one, where a path is the key, and the odd one (see keys).
"""

import os
from bisect import bisect_left
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from apitrail.clock import Clock
from apitrail.objects.keys import CHUNK, ODD, OWN, is_key, is_name, odd_name
from apitrail.objects.tree import folder

# A name in a tree: the key (of a file, False) or the beginning of all keys in it (of a folder, True).
Node = tuple[bytes, bool]
LevelOf = Callable[[bytes], list[Node]]

REMEMBERED = 4
REMEMBERED_FROM_NODES = 1000
SETTLED_S = 2.0


class Levels:
    """The folders of a bucket as sorted nodes.

    Large ones are remembered between the pages of a listing, as long as the folder's ctime stays. A folder changed
    in the last two seconds is not: it could change once more within one tick of the file system's clock.
    """

    def __init__(self, root: Path, clock: Clock) -> None:
        self._root = root
        self._clock = clock
        self._known: dict[tuple[bytes, int, int, int], list[Node]] = {}

    def plain(self, begin: bytes) -> list[Node]:
        """Return the nodes of the plain tree whose keys begin so; begin is empty or ends in a slash."""
        names = tuple(begin.split(b"/")[:-1])
        return self._sorted(b"p" + begin, names, lambda found: _plain(begin, found)) if all(map(is_name, names)) else []

    def odd(self, begin: bytes, base: tuple[bytes, ...] = ODD) -> list[Node]:
        """Return the nodes of the odd tree, or another of its form, whose keys begin so; begin is a multiple of 60 bytes."""
        chunks = tuple(begin[at : at + CHUNK].hex().encode() for at in range(0, len(begin), CHUNK))
        return self._sorted(base[-1] + b":" + begin, (*base, *chunks), lambda found: _odd(begin, found))

    def _sorted(self, tree: bytes, names: tuple[bytes, ...], read: Callable[[int], Iterator[Node]]) -> list[Node]:
        try:
            with folder(self._root, names) as opened:
                state = os.fstat(opened)
                mark = (tree, state.st_dev, state.st_ino, state.st_ctime_ns)
                found = self._known.get(mark)
                if found is None:
                    found = sorted(read(opened))
                    if len(found) >= REMEMBERED_FROM_NODES and self._settled(state, os.fstat(opened)):
                        self._remember(mark, found)
                return found
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _settled(self, before: os.stat_result, after: os.stat_result) -> bool:
        old_s = self._clock.now().timestamp() - after.st_ctime_ns / 1e9
        return before.st_ctime_ns == after.st_ctime_ns and old_s > SETTLED_S

    def _remember(self, mark: tuple[bytes, int, int, int], found: list[Node]) -> None:
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[mark] = found


def _entries(opened: int) -> Iterator[tuple[bytes, bool]]:
    with os.scandir(opened) as found:
        for entry in found:
            if entry.is_file(follow_symlinks=False):
                yield os.fsencode(entry.name), False
            elif entry.is_dir(follow_symlinks=False):
                yield os.fsencode(entry.name), True


def _plain(begin: bytes, opened: int) -> Iterator[Node]:
    for name, is_folder in _entries(opened):
        full = begin + name
        if (begin or name.lower() != OWN) and is_key(full):
            yield (full + b"/" if is_folder else full), is_folder


def _odd(begin: bytes, opened: int) -> Iterator[Node]:
    for name, is_folder in _entries(opened):
        part = odd_name(name, is_folder=is_folder)
        if part and (is_folder or is_key(begin + part)):
            yield begin + part, is_folder


class Walk:
    """Finds the first key at or above a bound in one tree; bounds never go down, and are never below the prefix."""

    def __init__(self, level_of: LevelOf, prefix: bytes, top: bytes) -> None:
        self._level_of = level_of
        self._prefix = prefix
        self._stack: list[tuple[list[Node], int]] = [([(top, True)], 0)]

    def find(self, bound: bytes) -> bytes | None:
        """Return the first key at or above bound, or None where no more has the prefix."""
        while self._stack:
            nodes, at = self._stack.pop()
            at = _seek(nodes, bound, at)
            if at == len(nodes):
                continue
            full, is_folder = nodes[at]
            if not full.startswith(self._prefix) and not self._prefix.startswith(full):
                return None
            self._stack.append((nodes, at + is_folder))
            if not is_folder:
                return full
            self._stack.append((self._level_of(full), 0))
        return None


def _seek(nodes: list[Node], bound: bytes, start: int) -> int:
    """Return the place of the first node that can have a key at or above bound."""
    at = bisect_left(nodes, (bound, False), start)
    if at > start and nodes[at - 1][1] and bound.startswith(nodes[at - 1][0]):
        return at - 1
    return at


class BucketWalk:
    """The plain tree of a bucket and those of the odd form as one. bases: where the latter begin."""

    def __init__(self, levels: Levels, prefix: bytes, *bases: tuple[bytes, ...]) -> None:
        top = prefix[: prefix.rfind(b"/") + 1]
        whole = prefix[: max(len(prefix) - 1, 0) // CHUNK * CHUNK]
        self._trees = [Walk(partial(levels.odd, base=base), prefix, whole) for base in (ODD, *bases)]
        if all(map(is_name, top.split(b"/")[:-1])) and not top.lower().startswith(OWN + b"/"):
            self._trees.append(Walk(levels.plain, prefix, top))

    def find(self, bound: bytes) -> bytes | None:
        """Return the first key of both trees at or above bound, or None."""
        found = [key for tree in self._trees if (key := tree.find(bound)) is not None]
        return min(found, default=None)
