"""The one sidecar format: what a folder bucket keeps of an object beside its bytes.

A JSON file per key, `.apitrail/facts/<2>/<62>.json` by the SHA-256 of the key, with the key and up to two
entries, newest first. An entry belongs to the file with its size and modification time. That is what makes a
put atomic over two files: the sidecar with the new and the old entry is written first, then the file is
renamed into place. Whichever file a crash leaves, its entry is there. A file that fits no entry was edited by
hand: it keeps the newest entry's headers and metadata, but loses etag, checksums and parts.
"""

import os
from dataclasses import dataclass, replace

import msgspec

from apitrail.objects.bucket import Facts

SIDECAR_BYTES_MAX = 256 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """Facts of the file that has this size and this modification time (nanoseconds)."""

    size: int
    mtime_ns: int
    facts: Facts

    def fits(self, state: os.stat_result) -> bool:
        """Return whether this entry speaks of that file."""
        return self.size == state.st_size and self.mtime_ns == state.st_mtime_ns


@dataclass(frozen=True, slots=True)
class Sidecar:
    """The content of a sidecar file.

    number: the highest order number of a write or delete of this key, see Facts; a sidecar without entries
    remembers a delete. version: of the format.
    """

    key: str
    entries: tuple[Entry, ...] = ()
    number: int = 0
    version: int = 1

    def entry_of(self, state: os.stat_result) -> Entry | None:
        """Return the entry of a file, None when the file is not one of ours any more."""
        return next((entry for entry in self.entries if entry.fits(state)), None)

    def edited_facts(self) -> Facts:
        """Return what still holds for a file that was edited or put by hand."""
        if not self.entries:
            return Facts()
        return replace(self.entries[0].facts, etag="", checksums={}, parts=(), version="")

    def encode(self) -> bytes:
        """Return the bytes of the sidecar file."""
        return _ENCODER.encode(self)


def decode_sidecar(content: bytes | None, key: str) -> Sidecar:
    """Return the sidecar in these bytes; an empty one when they are missing, damaged or of another key."""
    try:
        found = _DECODER.decode(content or b"")
    except msgspec.DecodeError:
        return Sidecar(key)
    return found if found.key == key and found.version == 1 else Sidecar(key)


def metadata_of(content: bytes, key: str, state: os.stat_result) -> dict[str, str]:
    """Return only the user metadata of a file, {} when the sidecar is missing, damaged or of another key; costs half as much.

    state: of the file. One that was edited or put by hand keeps the metadata of the newest entry.
    """
    try:
        found = _METADATA_DECODER.decode(content)
    except msgspec.DecodeError:
        return {}
    if found.key != key or found.version != 1 or not found.entries:
        return {}
    fitting = (one for one in found.entries if (one.size, one.mtime_ns) == (state.st_size, state.st_mtime_ns))
    return next(fitting, found.entries[0]).facts.metadata


class _Metadata(msgspec.Struct):
    metadata: dict[str, str] = {}


class _MetadataEntry(msgspec.Struct):
    size: int
    mtime_ns: int
    facts: _Metadata


class _MetadataSidecar(msgspec.Struct):
    key: str
    entries: tuple[_MetadataEntry, ...] = ()
    version: int = 1


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Sidecar)
_METADATA_DECODER = msgspec.json.Decoder(_MetadataSidecar)
