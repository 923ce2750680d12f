"""What verification reads: an archive, which is a tree with a folder `AWSLogs`, wherever it lies.

Keys here are relative to the folder above `AWSLogs`, so they are the same for a bucket, a prefix in it, and a copy.
A directory may be a bucket that this product serves (metadata lies beside it) or a plain copy (there is none). The archive
in an S3 bucket is in verify_s3.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from apitrail.objects.keys import OWN, facts_path
from apitrail.objects.sidecar import SIDECAR_BYTES_MAX, decode_sidecar

TOP = "AWSLogs/"
DEPTH_MAX = 4
BODY_BYTES_MAX = 256 * 1024 * 1024


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

    def bodies(self, keys: Iterable[str]) -> Iterator[tuple[str, bytes | None]]:
        """Yield each key with its bytes, None when there is no such file.

        A key that begins with a slash is one from the root of the archive's bucket, for archives with a bucket.
        """
        ...

    def object(self, key: str) -> tuple[bytes, Mapping[str, str]] | None:
        """Return a file's bytes and user metadata, None when there is no such file."""
        ...


class FolderArchive:
    """The archive in a directory. root: the folder above `AWSLogs`."""

    bucket = ""
    prefix = ""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._home = next((place for place in (root, *root.parents) if (place / OWN.decode()).is_dir()), None)
        self.keeps_metadata = self._home is not None

    def label(self, key: str) -> str:
        """Return the path of a file."""
        return str(self._root / key)

    def entries(self, prefix: str, after: str = "") -> Iterator[Entry]:
        """Yield the files below a prefix; see Archive.entries."""
        pending = [prefix]
        while pending:
            key = pending.pop()
            if key.endswith("/"):
                pending += sorted(self._below(key, after), reverse=True)
            else:
                yield self._entry(key)

    def _below(self, folder: str, after: str) -> Iterator[str]:
        """Yield the files of a folder that come after a key, and with a slash the folders that may hold such."""
        for item in self._scan(folder):
            key = folder + item.name
            if item.is_dir(follow_symlinks=False):
                if _reaches(key + "/", after):
                    yield key + "/"
            elif item.is_file(follow_symlinks=False) and key > after:
                yield key

    def _scan(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self._root / folder) as items:
                return list(items)
        except FileNotFoundError:
            return []

    def _entry(self, key: str) -> Entry:
        facts = (self._root / key).stat()
        mark = f"{facts.st_size}-{facts.st_ino}-{facts.st_mtime_ns}-{facts.st_ctime_ns}"
        return Entry(key, facts.st_size, mark, facts.st_mtime)

    def folders(self, prefix: str) -> list[str]:
        """Return the folders below a prefix; see Archive.folders."""
        return sorted(item.name for item in self._scan(prefix) if item.is_dir(follow_symlinks=False))

    def bodies(self, keys: Iterable[str]) -> Iterator[tuple[str, bytes | None]]:
        """Yield keys with their bytes; see Archive.bodies."""
        for key in keys:
            yield key, self._read(key)

    def object(self, key: str) -> tuple[bytes, Mapping[str, str]] | None:
        """Return a file's bytes and metadata, {} in a plain copy; see Archive.object."""
        body = self._read(key)
        return None if body is None else (body, self._metadata(key))

    def _read(self, key: str) -> bytes | None:
        path = self._root / key
        try:
            with path.open("rb", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size
                return file.readall() if size <= BODY_BYTES_MAX else b""
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    def _metadata(self, key: str) -> Mapping[str, str]:
        """Return the metadata that a bucket of this product keeps beside a file."""
        if self._home is None:
            return {}
        path = self._root / key
        name = path.relative_to(self._home).as_posix()
        sidecar = self._home.joinpath(*(part.decode() for part in facts_path(name.encode())))
        try:
            with sidecar.open("rb") as file:
                found = decode_sidecar(file.read(SIDECAR_BYTES_MAX), name)
        except FileNotFoundError:
            return {}
        entry = found.entry_of(path.stat())
        return entry.facts.metadata if entry else found.edited_facts().metadata


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
