"""What lies behind the current files of a folder bucket: older versions, delete markers, and archived objects.

Each is a record, `.apitrail/versions/<2>/<62>/<order>-<version>.json` by the SHA-256 of the key, in the form of a sidecar's
entry, with its bytes beside it as `.data`. The order is the number of the write and the time of the file, so the names sort
from old to new. `.apitrail/past` names the keys that have records, in the form of the odd tree (see keys), so that versions
can be listed in the order of keys; `.apitrail/cold` names those whose current object is archived.
The bytes of an archived version are compressed (xz) and lie below `.apitrail/archive`; `.data` is then a restored copy.
"""

import lzma
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from apitrail.objects import keys, tree
from apitrail.objects.bucket import no_such_version
from apitrail.objects.content import blocks, write_all
from apitrail.objects.sidecar import SIDECAR_BYTES_MAX, Entry

VERSIONS = (keys.OWN, b"versions")
PAST = (keys.OWN, b"past")
COLD = (keys.OWN, b"cold")
ARCHIVE = (keys.OWN, b"archive")
NULL = "null"
PRESET = 6
Place = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """A version that is not the current file. order: its place, see the module."""

    key: str
    order: str
    entry: Entry

    @property
    def version(self) -> str:
        """The version's id, empty for the null version."""
        return self.entry.facts.version

    @property
    def is_marker(self) -> bool:
        """Whether it is a delete marker, which has no bytes."""
        return self.entry.facts.is_marker

    @property
    def name(self) -> str:
        """The name of its files, without ending."""
        return f"{self.order}-{self.version or NULL}"


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Record)


def order_of(number: int, mtime_ns: int) -> str:
    """Return the place of a version among those of its key, as text that sorts."""
    return f"{number:020}-{mtime_ns:020}"


def listing_path(base: Place, key: bytes) -> Place:
    """Return where a key is named in the tree of keys with records, or of keys that are archived."""
    return (*base, *keys.odd_path(key)[len(keys.ODD) :])


def record_folder(key: bytes) -> Place:
    """Return the folder of a key's records."""
    digest = keys.facts_path(key)
    return (*VERSIONS, digest[-2], digest[-1].removesuffix(b".json"))


class Past:
    """The records of one bucket. All functions block; whoever changes a key's records holds the key's lock."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def records(self, key: bytes) -> list[Record]:
        """Return the records of a key, newest first."""
        folder = record_folder(key)
        try:
            with tree.folder(self._root, folder) as opened, os.scandir(opened) as scan:
                names = sorted((os.fsencode(entry.name) for entry in scan), reverse=True)
        except (FileNotFoundError, NotADirectoryError):
            return []
        found = (self._read((*folder, name)) for name in names if name.endswith(b".json"))
        return [record for record in found if record is not None and record.key.encode() == key]

    def _read(self, path: Place) -> Record | None:
        content = tree.read_small(self._root, path, SIDECAR_BYTES_MAX)
        try:
            return _DECODER.decode(content) if content is not None else None
        except msgspec.DecodeError:
            return None

    def write(self, record: Record, temporary: tuple[Path, int]) -> None:
        """Store a record through a new temporary file; the bytes it speaks of must be there already."""
        path, descriptor = temporary
        write_all(descriptor, _ENCODER.encode(record))
        os.fsync(descriptor)
        self._list(PAST, record.key.encode())
        tree.place(self._root, path, self._path(record, b".json"))

    def link(self, record: Record, source: Place) -> None:
        """Give the bytes of a current file to a record as well."""
        tree.link(self._root, source, self._path(record, b".data"))

    def take(self, record: Record, source: Path) -> None:
        """Move a file to be the bytes of a record."""
        tree.place(self._root, source, self._path(record, b".data"))

    def data_path(self, record: Record) -> Path:
        """Return where the bytes of a record lie."""
        return self._root.joinpath(*map(os.fsdecode, self._path(record, b".data")))

    def open(self, record: Record) -> int | None:
        """Open the bytes of a record; None where they are gone."""
        return tree.open_file(self._root, self._path(record, b".data"))

    def open_archived(self, record: Record) -> int | None:
        """Open the compressed bytes of an archived record; None where they are gone."""
        return tree.open_file(self._root, self._archive(record))

    def drop(self, record: Record) -> None:
        """Remove a record and its bytes."""
        for path in (self._path(record, b".json"), self._path(record, b".data"), self._archive(record)):
            tree.remove(self._root, path, keep=len(VERSIONS))
        key = record.key.encode()
        if not self.records(key):
            tree.remove(self._root, listing_path(PAST, key), keep=len(PAST))

    def pack(self, record: Record, source: int, temporary: tuple[Path, int]) -> None:
        """Compress an open file to be the archived bytes of a record, through a new temporary file."""
        path, descriptor = temporary
        packer = lzma.LZMACompressor(preset=PRESET)
        for block in blocks(source):
            write_all(descriptor, packer.compress(block))
        write_all(descriptor, packer.flush())
        os.fsync(descriptor)
        tree.place(self._root, path, self._archive(record))

    def unpack(self, record: Record, temporary: tuple[Path, int]) -> None:
        """Make a readable copy of an archived record's bytes, through a new temporary file."""
        path, descriptor = temporary
        found = self.open_archived(record)
        if found is None:
            raise no_such_version(record.key, record.version or NULL)
        try:
            unpacker = lzma.LZMADecompressor()
            for block in blocks(found):
                write_all(descriptor, unpacker.decompress(block))
        finally:
            os.close(found)
        os.fsync(descriptor)
        tree.place(self._root, path, self._path(record, b".data"))

    def drop_copy(self, record: Record) -> None:
        """Remove the readable bytes of an archived record."""
        tree.remove(self._root, self._path(record, b".data"), keep=len(VERSIONS))

    def is_cold(self, key: bytes) -> bool:
        """Return whether the current object of a key is archived."""
        return tree.stat_file(self._root, listing_path(COLD, key)) is not None

    def is_empty(self) -> bool:
        """Return whether no key has records."""
        return not any(path.is_file() for path in self._root.joinpath(".apitrail", "versions").rglob("*.json"))

    def _list(self, base: Place, key: bytes) -> None:
        path = listing_path(base, key)
        if tree.stat_file(self._root, path) is None:
            with tree.folder(self._root, path[:-1], make=True) as above:
                os.close(os.open(path[-1], tree.LOCK_FLAGS, 0o644, dir_fd=above))
                os.fsync(above)

    def note_cold(self, key: bytes, is_cold: bool) -> None:
        """Note whether the current object of a key is archived."""
        if is_cold:
            self._list(COLD, key)
        else:
            tree.remove(self._root, listing_path(COLD, key), keep=len(COLD))

    def _archive(self, record: Record) -> Place:
        return (*ARCHIVE, *record_folder(record.key.encode())[len(VERSIONS) :], record.name.encode() + b".xz")

    def _path(self, record: Record, ending: bytes) -> Place:
        return (*record_folder(record.key.encode()), record.name.encode() + ending)


def newest(records: Sequence[Record]) -> Record | None:
    """Return the first record, None where there is none."""
    return records[0] if records else None
