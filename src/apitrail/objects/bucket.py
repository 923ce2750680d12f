"""What every bucket does, and the values it takes and gives."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from apitrail.errors import SinkError

KEY_BYTES_MAX = 1024
OCTETS = "application/octet-stream"
GOVERNANCE, COMPLIANCE = "GOVERNANCE", "COMPLIANCE"
HELD = "ON"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is kept beside the bytes of an object.

    etag: without quotes; empty when it is the MD5 of the bytes, to be computed. metadata: user metadata, names in
    lower case without `x-amz-meta-`. headers: further headers to answer with, by lower-case name
    (`cache-control`, ...). tags: object tags. checksums: base64 by algorithm (`CRC32`), of the whole object
    unless the value ends in `-<parts>`. parts: sizes of the parts of a multipart upload. number: place in the
    order of writes, for writes that may be repeated late: one with a lower number than the last is dropped; 0: none.
    version: the version's id, empty for the null version and where there are no versions. is_marker: a delete marker.
    storage_class: empty for STANDARD. archived_size: bytes of an archived object, which is kept compressed; -1: it is not
    archived. restoring: a copy of it is on its way; restored_until: there is one until then (epoch seconds).
    lock_mode: GOVERNANCE or COMPLIANCE, empty without retention, which ends at lock_until (epoch seconds).
    legal_hold: ON or OFF, empty where it was never set.
    """

    content_type: str = OCTETS
    content_encoding: str = ""
    etag: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)
    parts: tuple[int, ...] = ()
    number: int = 0
    version: str = ""
    is_marker: bool = False
    storage_class: str = ""
    archived_size: int = -1
    restoring: bool = False
    restored_until: int = 0
    lock_mode: str = ""
    lock_until: int = 0
    legal_hold: str = ""

    @property
    def is_archived(self) -> bool:
        """Whether the object must be restored before it can be read."""
        return self.archived_size >= 0

    def is_locked(self, now: datetime, *, bypass: bool = False) -> bool:
        """Return whether the version may not be removed. bypass: set aside retention in governance mode."""
        if self.legal_hold == HELD:
            return True
        return self.lock_until > now.timestamp() and not (bypass and self.lock_mode == GOVERNANCE)


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """An object without its bytes. etag: without quotes. modified: UTC. facts: may be bare in listings."""

    key: str
    size: int
    etag: str
    modified: datetime
    facts: Facts = field(default_factory=Facts)


@dataclass(frozen=True, slots=True)
class Version:
    """A version in a listing. is_latest: it is what the key means."""

    info: ObjectInfo
    is_latest: bool


@dataclass(frozen=True, slots=True)
class VersionPage:
    """A part of a listing of versions. next: key and version (empty after a common prefix) of the last one, None at the end."""

    versions: Sequence[Version]
    common_prefixes: Sequence[str]
    next: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a listing. next: the `after` of the following page, None at the end."""

    objects: Sequence[ObjectInfo]
    common_prefixes: Sequence[str]
    next: str | None


class ObjectBody(Protocol):
    """Bytes of an object, or of a range of it; what was opened stays the same when the object is replaced.

    start, end: the range, end exclusive. Use it as an asynchronous context, or read it once.
    """

    @property
    def info(self) -> ObjectInfo: ...

    @property
    def start(self) -> int: ...

    @property
    def end(self) -> int: ...

    async def read(self) -> bytes: ...

    def chunks(self) -> AsyncIterator[bytes]: ...

    async def close(self) -> None: ...


class Bucket(Protocol):
    """Where files live; put is repeated after any doubt, always with the same key, and must end in one object.

    A put is all or nothing, and durable when it returns. Keys are 1 to 1024 bytes of UTF-8.
    Raises: SinkError with the store's code (`NoSuchBucket`, `AccessDenied`, ...), temporary when worth repeating.
    """

    async def put(
        self, key: str, body: bytes, *, content_type: str, content_encoding: str = "", metadata: Mapping[str, str] = {}
    ) -> None:
        """Store body under key."""
        ...

    async def put_file(self, key: str, path: Path, facts: Facts) -> ObjectInfo:
        """Store the content of a staged file under key; the staged file is gone when it returns."""
        ...

    async def get(self, key: str, start: int | None = None, end: int | None = None) -> ObjectBody:
        """Open an object, or its bytes from start up to but without end. Raises: NoSuchKey; InvalidRange."""
        ...

    async def head(self, key: str) -> ObjectInfo | None:
        """Return what is known of an object, or None where there is none."""
        ...

    async def list(self, prefix: str = "", after: str = "", limit: int = 1000, delimiter: str = "") -> Page:
        """Return the objects after a key, in the order of their UTF-8 bytes, at most limit names."""
        ...

    async def delete(self, key: str) -> bool:
        """Remove an object; False when there was none."""
        ...

    async def check(self) -> None:
        """Return if objects can be written, else raise SinkError."""
        ...


def check_key(key: str) -> bytes:
    """Return the UTF-8 bytes of a key. Raises: SinkError (KeyTooLongError, InvalidArgument)."""
    try:
        encoded = key.encode()
    except UnicodeEncodeError:
        raise SinkError("The key is not valid Unicode.", code="InvalidArgument", temporary=False) from None
    if not encoded:
        raise SinkError("The key is empty.", code="InvalidArgument", temporary=False)
    if len(encoded) > KEY_BYTES_MAX:
        message = f"The key has {len(encoded)} bytes, at most {KEY_BYTES_MAX} are allowed."
        raise SinkError(message, code="KeyTooLongError", temporary=False)
    return encoded


def check_range(size: int, start: int | None, end: int | None) -> tuple[int, int]:
    """Return the range as two offsets within the object. Raises: SinkError InvalidRange when it begins behind it."""
    first, last = start or 0, size if end is None else min(end, size)
    if first < 0 or (start is not None and first >= max(last, 1)) or first > last:
        raise SinkError(
            f"The range from {start} to {end} is not within {size} bytes.", code="InvalidRange", temporary=False
        )
    return first, last


def no_such_key(key: str) -> SinkError:
    """Return the error for a key that has no object."""
    return SinkError(f"There is no object {key!r}.", code="NoSuchKey", temporary=False)


def no_such_version(key: str, version: str) -> SinkError:
    """Return the error for a version that is not there."""
    return SinkError(f"There is no version {version} of {key!r}.", code="NoSuchVersion", temporary=False)


def no_such_bucket(name: str) -> SinkError:
    """Return the error for a bucket that is not there."""
    return SinkError(f"There is no bucket {name}.", code="NoSuchBucket", temporary=False)
