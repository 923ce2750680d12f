"""The keys below a folder in order, found lazily: only folders that can hold the next key are read.

Two trees make one listing: the plain one, where a path is the key, and the odd one (see keys).
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from apitrail.objects.keys import CHUNK, ODD, OWN, is_key, is_name, odd_name
from apitrail.objects.tree import folder

# A name in a tree: the key (of a file) or the beginning of all keys in it (of a folder).
Node = tuple[bytes, bool]
Children = Callable[[bytes], Iterator[Node]]


def _entries(root: Path, names: tuple[bytes, ...]) -> list[Node]:
    """Return names and kinds (True: folder) of what is in a folder; nothing when the folder is not there."""
    try:
        with folder(root, names) as opened, os.scandir(opened) as found:
            return [
                (os.fsencode(entry.name), not is_file)
                for entry in found
                if (is_file := entry.is_file(follow_symlinks=False)) or entry.is_dir(follow_symlinks=False)
            ]
    except (FileNotFoundError, NotADirectoryError):
        return []


def plain_children(root: Path) -> Children:
    """Return the function that lists the plain tree: begin is empty or ends in a slash."""

    def children(begin: bytes) -> Iterator[Node]:
        names = tuple(begin.split(b"/")[:-1])
        if not all(map(is_name, names)):
            return
        for name, is_folder in _entries(root, names):
            if begin or name.lower() != OWN:
                yield begin + name + (b"/" if is_folder else b""), is_folder

    return children


def odd_children(root: Path) -> Children:
    """Return the function that lists the odd tree: begin is a multiple of 60 bytes."""

    def children(begin: bytes) -> Iterator[Node]:
        chunks = tuple(begin[at : at + CHUNK].hex().encode() for at in range(0, len(begin), CHUNK))
        for name, is_folder in _entries(root, (*ODD, *chunks)):
            part = odd_name(name, is_folder=is_folder)
            if part:
                yield begin + part, is_folder

    return children


class Walk:
    """Finds the first key at or above a bound in one tree; bounds never go down."""

    def __init__(self, children: Children, prefix: bytes, top: bytes) -> None:
        self._children = children
        self._prefix = prefix
        self._stack: list[list[Node]] = [[(top, True)]]

    def find(self, bound: bytes) -> bytes | None:
        """Return the first key at or above bound that has the prefix, or None."""
        while self._stack:
            level = self._stack[-1]
            if not level:
                self._stack.pop()
                continue
            full, is_folder = level[-1]
            if not is_folder and full >= bound:
                return full
            level.pop()
            if is_folder and (full >= bound or bound.startswith(full)):
                self._stack.append(self._level(full, bound))
        return None

    def _level(self, begin: bytes, bound: bytes) -> list[Node]:
        prefix = self._prefix
        found = [
            node
            for node in self._children(begin)
            if (node[0] >= bound or (node[1] and bound.startswith(node[0])))
            and (node[0].startswith(prefix) or (node[1] and prefix.startswith(node[0])))
            and (node[1] or is_key(node[0]))
        ]
        found.sort(reverse=True)
        return found


class BucketWalk:
    """The plain and the odd tree of a root as one."""

    def __init__(self, root: Path, prefix: bytes) -> None:
        top = prefix[: prefix.rfind(b"/") + 1]
        plain = all(map(is_name, top.split(b"/")[:-1])) and not top.lower().startswith(OWN + b"/")
        whole = prefix[: max(len(prefix) - 1, 0) // CHUNK * CHUNK]
        self._trees = [Walk(odd_children(root), prefix, whole)]
        if plain:
            self._trees.append(Walk(plain_children(root), prefix, top))

    def find(self, bound: bytes) -> bytes | None:
        """Return the first key of both at or above bound, or None."""
        found = [key for tree in self._trees if (key := tree.find(bound)) is not None]
        return min(found, default=None)
