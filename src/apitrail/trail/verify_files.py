"""Reading digest files and checking log files, one at a time and without memory of others: what worker processes do."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple, cast

import msgspec
from isal import isal_zlib

from apitrail.trail.digest import ALGORITHM, GENERATED, HASH_ALGORITHM, SIGNATURE, SIGNATURE_ALGORITHM
from apitrail.trail.vectors import clear_vectors
from apitrail.trail.verify_archive import Archive, place_of, relative

INVALID_FORMAT = "invalid format"
WRONG_HASH = "hash value doesn't match"
TRAILING = "unexpected data after end of compressed stream"
CUT = "the end of its compressed stream is cut off"
WRONG_SIGNATURE = "signature verification failed"
GZIP_WINDOW = 31
BadGzip = cast(type[Exception], isal_zlib.error)
BLOCK_BYTES = 4 * 1024 * 1024
DIGEST_BYTES_MAX = 64 * 1024 * 1024
LOOKED_BYTES_MAX = 64 * 1024 * 1024
_STOP = re.compile(
    rb'"eventTime":"([^"]{20})","eventSource":"cloudtrail\.amazonaws\.com","eventName":'
    rb'"(StopLogging|DeleteTrail|UpdateTrail)"(.{0,4096}?)"eventID"',
    re.DOTALL,
)
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z", re.ASCII)
_NAMED = re.compile(rb'"name":"([^"]{1,2048})"')
_OFF = b'"enableLogFileValidation":false'


class _LogFile(msgspec.Struct, rename="camel"):
    """A log file, in the words of a digest file."""

    s3_bucket: str
    s3_object: str
    hash_value: str
    hash_algorithm: str = HASH_ALGORITHM


class _Content(msgspec.Struct, rename="camel"):
    """What is read of a digest file. previous_*: null in a starting one; the signature may not even then be absent."""

    digest_public_key_fingerprint: str
    digest_s3_bucket: str
    digest_s3_object: str
    digest_start_time: str
    digest_end_time: str
    previous_digest_signature: str | None
    log_files: list[_LogFile] | None
    previous_digest_s3_bucket: str | None = None
    previous_digest_s3_object: str | None = None
    previous_digest_hash_value: str | None = None


_DECODER = msgspec.json.Decoder(_Content)


class Digest(NamedTuple):
    """A digest file as it was read. problem: why it is none, else empty. start_at, end_at: epoch seconds.

    Members are as in the file; previous_* are empty in a starting digest. signature, generated: from the object's metadata.
    log_count: how many log files it lists. refusal: what is wrong with the signature, empty when it is right, None when it was
    not checked because it does not stand with the file.
    """

    key: str
    problem: str = ""
    sha256: str = ""
    bucket: str = ""
    object: str = ""
    fingerprint: str = ""
    start_at: int = 0
    end_at: int = 0
    end_text: str = ""
    previous_bucket: str = ""
    previous_key: str = ""
    previous_sha256: str = ""
    previous_signature: str = ""
    signature: str = ""
    generated: str = ""
    log_count: int = 0
    refusal: str | None = None


class Log(NamedTuple):
    """A log file as a digest lists it. place: bucket and prefix, with a slash; key: from `AWSLogs/` on. sha256: hex."""

    place: str
    key: str
    sha256: str


class Checked(NamedTuple):
    """What became of a log file. problem: empty when it is valid. stops: epoch seconds of events that end the trail's proof."""

    key: str
    problem: str
    stops: tuple[int, ...] = ()


def read_digest(key: str, body: bytes | str, metadata: Mapping[str, str]) -> tuple[Digest, list[Log]]:
    """Return a digest file and the log files that it lists. body: its bytes, or why they cannot be had."""
    if isinstance(body, str):
        return Digest(key, body), []
    content = inflate(body, DIGEST_BYTES_MAX)
    if content is None:
        return Digest(key, INVALID_FORMAT), []
    try:
        return _parse(key, content, metadata)
    except ValueError:
        return Digest(key, INVALID_FORMAT), []


def _parse(key: str, content: bytes, metadata: Mapping[str, str]) -> tuple[Digest, list[Log]]:
    """Raises: ValueError for content that is no digest."""
    said = _DECODER.decode(content)
    if "_backfill." in key and GENERATED not in metadata and metadata:
        return Digest(key, INVALID_FORMAT), []
    logs = [_log(item) for item in said.log_files or ()]
    digest = Digest(
        key=key,
        problem=_problem(metadata),
        sha256=hashlib.sha256(content).hexdigest(),
        bucket=said.digest_s3_bucket,
        object=said.digest_s3_object,
        fingerprint=said.digest_public_key_fingerprint,
        start_at=epoch(said.digest_start_time),
        end_at=epoch(said.digest_end_time),
        end_text=said.digest_end_time,
        previous_bucket=said.previous_digest_s3_bucket or "",
        previous_key=said.previous_digest_s3_object or "",
        previous_sha256=said.previous_digest_hash_value or "",
        previous_signature=said.previous_digest_signature or "",
        signature=metadata.get(SIGNATURE, ""),
        generated=metadata.get(GENERATED, ""),
        log_count=len(logs),
    )
    return digest, logs


def _problem(metadata: Mapping[str, str]) -> str:
    """Return what is wrong with metadata that is there at all; a plain copy has none."""
    if not metadata:
        return ""
    named = SIGNATURE in metadata and metadata.get(ALGORITHM) == SIGNATURE_ALGORITHM
    return "" if named else WRONG_SIGNATURE


def _log(item: _LogFile) -> Log:
    if item.hash_algorithm != HASH_ALGORITHM:
        raise ValueError("unknown hash algorithm")
    return Log(place_of(item.s3_bucket, item.s3_object), relative(item.s3_object), item.hash_value)


@lru_cache(maxsize=4096)
def epoch(text: str) -> int:
    """Return `2026-03-04T09:15:02Z` in epoch seconds. Raises: ValueError."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(f"not a time: {text[:100]}")
    year, month, day, hour, minute, second = map(int, found.groups())  # strptime takes ten times as long
    return int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp())


def inflate(body: bytes, limit: int) -> bytes | None:
    """Return the content of one gzip member, None when it is no such thing, has something after it, or is too large."""
    reader = isal_zlib.decompressobj(wbits=GZIP_WINDOW)
    try:
        content = reader.decompress(body, limit)
    except BadGzip:
        return None
    clear_vectors()
    return content if reader.eof and not reader.unused_data else None


def check_logs(archive: Archive, wanted: Iterable[tuple[str, str]], look_for: tuple[str, ...] = ()) -> list[Checked]:
    """Return what became of log files, given as key and hash, in their order.

    look_for: names of a trail; when given, events by which its logging or validation was stopped are looked for.
    """
    asked = list(wanted)
    bodies = archive.bodies([key for key, _ in asked])
    return [_check(key, body, sha256, look_for) for (_, sha256), (key, body) in zip(asked, bodies, strict=True)]


def _check(key: str, body: bytes | str, sha256: str, look_for: tuple[str, ...]) -> Checked:
    if isinstance(body, str):
        return Checked(key, body)
    problem = judge(body, sha256)
    stops = _stops(body, look_for) if look_for and not problem else ()
    return Checked(key, problem, stops)


def judge(body: bytes, sha256: str) -> str:
    """Return what is wrong with the bytes of a log file, empty when its content has the hash and nothing else is there."""
    reader = isal_zlib.decompressobj(wbits=GZIP_WINDOW)
    rolling = hashlib.sha256()
    try:
        part = reader.decompress(body, _size_said(body))
        while part:
            clear_vectors()
            rolling.update(part)
            part = b"" if reader.eof else reader.decompress(reader.unconsumed_tail, BLOCK_BYTES)
    except BadGzip:
        return INVALID_FORMAT
    if reader.unused_data:
        return TRAILING
    if rolling.hexdigest() != sha256:
        return WRONG_HASH
    return "" if reader.eof else CUT


def _size_said(body: bytes) -> int:
    """Return what to ask for first: the size in the gzip trailer and a byte more: one buffer of the right size is enough."""
    return min(int.from_bytes(body[-4:], "little") + 1, BLOCK_BYTES)


def _stops(body: bytes, names: tuple[str, ...]) -> tuple[int, ...]:
    """Return when a trail's logging or validation was stopped, by the events in a log file."""
    content = inflate(body, LOOKED_BYTES_MAX) or b""
    return tuple(epoch(found[1].decode()) for found in _STOP.finditer(content) if _is_stop(found[2], found[3], names))


def _is_stop(event: bytes, rest: bytes, names: tuple[str, ...]) -> bool:
    """Return whether a call ended a trail's proof. rest: of its record, from the event's name to its id."""
    named = _NAMED.search(rest)
    of_trail = named is not None and named[1].decode(errors="replace") in names
    return of_trail and b'"errorCode"' not in rest and (event != b"UpdateTrail" or _OFF in rest)
