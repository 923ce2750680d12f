"""Digest files: their names, their content, and the text that is signed. Nothing here reads or writes anything.

Source: CloudTrail User Guide, digest file structure; custom implementations of log file integrity validation.
"""

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from apitrail.trail.logfile import account_folder

SIGNATURE_ALGORITHM = "SHA256withRSA"
HASH_ALGORITHM = "SHA-256"
BACKFILL = "_backfill"
SIGNATURE, ALGORITHM, GENERATED = "signature", "signature-algorithm", "backfill-generation-timestamp"
_NAME = re.compile(
    r"(?P<account>\d{12})_CloudTrail-Digest_(?P<region>[a-z]{2,4}(?:-[a-z]+)+-\d{1,2})_(?P<trail>[A-Za-z0-9._-]{3,128})"
    r"_(?P<home>[a-z]{2,4}(?:-[a-z]+)+-\d{1,2})_(?P<stamp>\d{8}T\d{6}Z)(?P<backfill>_backfill)?\.json\.gz"
)


class Series(NamedTuple):
    """What the digests of one chain have in common. region: of the events. trail: its name. home: the trail's home region."""

    account: str
    region: str
    trail: str
    home: str


class DigestName(NamedTuple):
    """What the name of a digest file says. end_at: epoch seconds."""

    series: Series
    end_at: int
    is_backfill: bool


class Listed(NamedTuple):
    """A log file as a digest lists it. sha256: hex, of the content. oldest, newest: epoch seconds of its events."""

    bucket: str
    key: str
    sha256: str
    oldest: int
    newest: int


class Previous(NamedTuple):
    """The digest before, in the same chain. sha256, signature: hex."""

    bucket: str
    key: str
    sha256: str
    signature: str


class Window(NamedTuple):
    """start, end: epoch seconds; end exclusive."""

    start: int
    end: int


def digest_folder(series: Series, prefix: str = "", organization: str = "") -> str:
    """Return the key prefix below which the digests of an account and region lie, with a slash at its end."""
    return f"{account_folder(series.account, prefix, organization)}CloudTrail-Digest/{series.region}/"


def digest_key(
    series: Series, end_at: int, prefix: str = "", *, is_backfill: bool = False, organization: str = ""
) -> str:
    """Return the object key of a digest file.

    Form: [prefix/]AWSLogs/[organization/]<account>/CloudTrail-Digest/<region>/<yyyy>/<mm>/<dd>/<file>, with file
    <account>_CloudTrail-Digest_<region>_<trail>_<home>_<yyyymmdd>T<hhmmss>Z[_backfill].json.gz
    end_at: end of its window in epoch seconds.
    """
    at = datetime.fromtimestamp(end_at, UTC)
    tail = BACKFILL if is_backfill else ""
    name = f"{series.account}_CloudTrail-Digest_{series.region}_{series.trail}_{series.home}_{at:%Y%m%dT%H%M%SZ}{tail}"
    return f"{digest_folder(series, prefix, organization)}{at:%Y/%m/%d}/{name}.json.gz"


def parse_digest_key(key: str) -> DigestName | None:
    """Return what a key says by its last part, or None when it is no digest file's."""
    found = _NAME.fullmatch(key.rpartition("/")[2])
    if found is None:
        return None
    try:
        at = _epoch(found["stamp"])
    except ValueError:
        return None
    series = Series(found["account"], found["region"], found["trail"], found["home"])
    return DigestName(series, at, found["backfill"] is not None)


@lru_cache(maxsize=4096)
def _epoch(stamp: str) -> int:
    """Return `20260304T091502Z` in epoch seconds. Raises: ValueError."""
    day = int(stamp[:4]), int(stamp[4:6]), int(stamp[6:8])
    at = datetime(*day, int(stamp[9:11]), int(stamp[11:13]), int(stamp[13:15]), tzinfo=UTC)
    return int(at.timestamp())


def render_digest(
    account: str,
    window: Window,
    bucket: str,
    key: str,
    fingerprint: str,
    previous: Previous | None,
    files: Sequence[Listed],
) -> bytes:
    """Return the content of a digest file, before compression.

    account: of the log files. fingerprint: of the key that will sign it. previous: None in a starting digest.
    """
    content = {
        "awsAccountId": account,
        "digestStartTime": utc_text(window.start),
        "digestEndTime": utc_text(window.end),
        "digestS3Bucket": bucket,
        "digestS3Object": key,
        "digestPublicKeyFingerprint": fingerprint,
        "digestSignatureAlgorithm": SIGNATURE_ALGORITHM,
        "newestEventTime": utc_text(max(file.newest for file in files)) if files else None,
        "oldestEventTime": utc_text(min(file.oldest for file in files)) if files else None,
        "previousDigestS3Bucket": previous.bucket if previous else None,
        "previousDigestS3Object": previous.key if previous else None,
        "previousDigestHashValue": previous.sha256 if previous else None,
        "previousDigestHashAlgorithm": HASH_ALGORITHM if previous else None,
        "previousDigestSignature": previous.signature if previous else None,
        "logFiles": [_file(file) for file in files],
    }
    return orjson.dumps(content)


def _file(file: Listed) -> dict[str, Any]:
    return {
        "s3Bucket": file.bucket,
        "s3Object": file.key,
        "hashValue": file.sha256,
        "hashAlgorithm": HASH_ALGORITHM,
        "newestEventTime": utc_text(file.newest),
        "oldestEventTime": utc_text(file.oldest),
    }


def string_to_sign(end_time: str, bucket: str, key: str, sha256: str, previous_signature: str | None) -> bytes:
    """Return the bytes that are signed. end_time: as it stands in the digest. sha256: hex, of the digest's content."""
    return f"{end_time}\n{bucket}/{key}\n{sha256}\n{previous_signature or 'null'}".encode()


def metadata(signature: str, generated: str = "") -> dict[str, str]:
    """Return the user metadata of a digest object. generated: for backfill digests, see generated_text."""
    found = {SIGNATURE: signature, ALGORITHM: SIGNATURE_ALGORITHM}
    return {**found, GENERATED: generated} if generated else found


def utc_text(at: int) -> str:
    """Return epoch seconds as `2026-03-04T09:15:02Z`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def generated_text(at: datetime) -> str:
    """Return when a backfill digest was made, as its metadata says it: `2026-02-01T00:00:00.000Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def fingerprint_of(value: bytes) -> str:
    """Return the fingerprint of a public key's DER: hex MD5, as CloudTrail's keys have it."""
    return hashlib.md5(value, usedforsecurity=False).hexdigest()
