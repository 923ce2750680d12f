"""What verification reads: an archive, which is a tree with a folder `AWSLogs`, wherever it lies.

Keys here are relative to the folder above `AWSLogs`, so they are the same for a bucket, a prefix in it, and a copy.
A directory may be a bucket that this product serves (metadata lies beside it) or a plain copy (there is none). The archive
in an S3 bucket is in verify_s3.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import chain
from pathlib import Path
from typing import NamedTuple, Protocol
from weakref import finalize

from apitrail.objects.cold import ColdObjects
from apitrail.objects.keys import OWN, facts_path
from apitrail.objects.sidecar import SIDECAR_BYTES_MAX, metadata_of

TOP = "AWSLogs/"
DEPTH_MAX = 4
BODY_BYTES_MAX = 256 * 1024 * 1024
NOT_FOUND = "not found"
ARCHIVED = "is archived and must be restored before it can be proved"


class Entry(NamedTuple):
    """A listed file. mark: changes whenever the file does. modified: epoch seconds."""

    key: str
    size: int
    mark: str
    modified: float


class Archive(Protocol):
    """Reads an archive. Raises: SinkError when it cannot be reached; OSError for a directory.

    label: what a key is called in reports. bucket: its name where it is known, else empty. prefix: what stands before
    the keys here in that bucket. keeps_metadata: False for a plain copy, in which signatures are missing.
    """

    bucket: str
    prefix: str
    keeps_metadata: bool

    def label(self, key: str) -> str: ...

    def entries(self, prefix: str, after: str = "") -> Iterator[Entry]:
        """Yield the files below a prefix (which ends in a slash) in the order of their keys, from after a key."""
        ...

    def folders(self, prefix: str) -> list[str]:
        """Return the names of the folders directly below a prefix that is empty or ends in a slash."""
        ...

    def bodies(self, keys: Iterable[str]) -> Iterator[tuple[str, bytes | str]]:
        """Yield each key with its bytes, or with why they cannot be had: NOT_FOUND or ARCHIVED.

        A key that begins with a slash is one from the root of the archive's bucket, for archives with a bucket.
        """
        ...

    def objects(self, keys: Sequence[str]) -> Iterator[tuple[str, tuple[bytes | str, Mapping[str, str]]]]:
        """Yield each key with the file's bytes, or why they cannot be had as above, and user metadata."""
        ...


class FolderArchive:
    """The archive in a directory. root: the folder above `AWSLogs`. What lifecycle archived in a bucket of ours is read as well.

    bucket, prefix: when the directory is known to be that of a server's bucket, or a prefix in it; then files are called by
    their object keys.
    """

    def __init__(self, root: Path, bucket: str = "", prefix: str = "") -> None:
        self.bucket = bucket
        self.prefix = prefix
        self._base = f"{root}/"
        self._shown = "" if str(root) == "." else self._base
        self._top = _descriptor(self, root)
        self._home = next((place for place in (root, *root.parents) if (place / OWN.decode()).is_dir()), None)
        self.keeps_metadata = self._home is not None
        self._cold = ColdObjects(self._home) if self._home is not None else None
        self._name = "" if self._home is None or root == self._home else f"{root.relative_to(self._home).as_posix()}/"
        self._home_top = self._top if self._home is None or root == self._home else _descriptor(self, self._home)

    def label(self, key: str) -> str:
        """Return the path of a file, or `s3://bucket/key`."""
        if self.bucket:
            return f"s3://{self.bucket}/{key[1:] if key.startswith('/') else self.prefix + key}"
        return key if key.startswith("/") else self._shown + key

    def entries(self, prefix: str, after: str = "") -> Iterator[Entry]:
        """Yield the files below a prefix; see Archive.entries."""
        archived = self._archived(prefix, after)
        first = next(archived, None)
        return (
            self._files(prefix, after)
            if first is None
            else merge(self._files(prefix, after), chain((first,), archived))
        )

    def _archived(self, prefix: str, after: str) -> Iterator[Entry]:
        """Yield what is archived below a prefix."""
        for record in self._cold.below(self._name + prefix) if self._cold is not None else ():
            if record.key[len(self._name) :] > after:
                entry, key = record.entry, record.key[len(self._name) :]
                yield Entry(key, entry.facts.archived_size, f"archived-{record.name}", entry.mtime_ns / 1e9)

    def _files(self, prefix: str, after: str) -> Iterator[Entry]:
        pending: list[tuple[str, os.DirEntry[str] | None]] = [(prefix, None)]
        while pending:
            key, item = pending.pop()
            if item is None:
                pending += sorted(self._below(key, after), key=lambda pair: pair[0], reverse=True)
            else:
                yield _entry(key, item.stat())

    def _below(self, folder: str, after: str) -> Iterator[tuple[str, os.DirEntry[str] | None]]:
        """Yield the files of a folder that come after a key, and with a slash the folders that may hold such."""
        for item in self._scan(folder):
            key = folder + item.name
            if item.is_dir(follow_symlinks=False):
                if _reaches(key + "/", after):
                    yield key + "/", None
            elif item.is_file(follow_symlinks=False) and key > after:
                yield key, item

    def _scan(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self._base + folder) as items:
                return list(items)
        except FileNotFoundError:
            return []

    def folders(self, prefix: str) -> list[str]:
        """Return the folders below a prefix; see Archive.folders."""
        names = {item.name for item in self._scan(prefix) if item.is_dir(follow_symlinks=False)}
        return sorted(names.union(self._cold.folders(self._name + prefix) if self._cold is not None else ()))

    def bodies(self, keys: Iterable[str]) -> Iterator[tuple[str, bytes | str]]:
        """Yield keys with their bytes; see Archive.bodies."""
        for key in keys:
            name, top = (f".{key}", self._home_top) if key.startswith("/") else (key, self._top)
            found = _read(name, top, BODY_BYTES_MAX)
            yield key, found[0] if found else self._read_archived(key)[0]

    def objects(self, keys: Sequence[str]) -> Iterator[tuple[str, tuple[bytes | str, Mapping[str, str]]]]:
        """Yield keys with their bytes and metadata, {} in a plain copy; see Archive.objects."""
        for key in keys:
            found = _read(key, self._top, BODY_BYTES_MAX)
            yield key, (found[0], self._metadata(key, found[1])) if found else self._read_archived(key)

    def _read_archived(self, key: str) -> tuple[bytes | str, Mapping[str, str]]:
        """Return the bytes and metadata of a key that has no file, as far as it is archived."""
        if (
            self._cold is None
            or (record := self._cold.find(key[1:] if key.startswith("/") else self._name + key)) is None
        ):
            return NOT_FOUND, {}
        body = self._cold.read(record, BODY_BYTES_MAX)
        return NOT_FOUND if body is None else body, record.entry.facts.metadata

    def _metadata(self, key: str, state: os.stat_result) -> Mapping[str, str]:
        """Return the metadata that a bucket of this product keeps beside a file. state: of the file that was read."""
        if self._home is None:
            return {}
        name = self._name + key
        sidecar = _read(b"/".join(facts_path(name.encode())), self._home_top, SIDECAR_BYTES_MAX)
        return {} if sidecar is None else metadata_of(sidecar[0], name, state)


def _entry(key: str, state: os.stat_result) -> Entry:
    mark = f"{state.st_size}-{state.st_ino}-{state.st_mtime_ns}-{state.st_ctime_ns}"
    return Entry(key, state.st_size, mark, state.st_mtime)


def _descriptor(owner: object, folder: Path) -> int | None:
    """Return the descriptor of a folder, closed with its owner; None when there is no such folder."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    finalize(owner, os.close, descriptor)
    return descriptor


def _read(path: str | bytes, top: int | None, limit: int) -> tuple[bytes, os.stat_result] | None:
    """Return a file's bytes (none of a larger one than the limit) and state, None when there is no such file.

    path: below the folder with the descriptor top. Plain system calls: file objects take three times as long, and there are
    many small files; the whole path of each would take a quarter longer.
    """
    if top is None:
        return None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=top)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            return None
        body, size = b"", state.st_size if state.st_size <= limit else 0
        while len(body) < size and (more := os.read(descriptor, size - len(body))):
            body += more
        return body, state
    finally:
        os.close(descriptor)


def _reaches(folder: str, after: str) -> bool:
    """Return whether a folder may hold keys after one."""
    return folder > after or after.startswith(folder)


def find_top(archive: Archive, prefix: str = "", depth: int = DEPTH_MAX) -> str | None:
    """Return the prefix below which `AWSLogs` lies, nearest first, None when there is none within a few levels."""
    level = [prefix]
    for _ in range(depth):
        below: list[str] = []
        for place in level:
            names = archive.folders(place)
            if TOP[:-1] in names:
                return place
            below += [f"{place}{name}/" for name in names if not name.startswith(".")]
        level = below[:1000]
    return None


def relative(key: str) -> str:
    """Return the part of an object key from `AWSLogs/` on."""
    at = key.find(TOP)
    return key[at:] if at >= 0 else key


def place_of(bucket: str, key: str) -> str:
    """Return bucket and prefix of an object as one text with a slash at its end: `audit/prod/`."""
    return f"{bucket}/{key[: len(key) - len(relative(key))]}"
