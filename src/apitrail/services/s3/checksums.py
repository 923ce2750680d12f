"""Checksums of objects: those that clients send are verified, kept and returned; others are computed when asked for.

Source: Amazon S3 User Guide, checking object integrity. Values are base64 of the big-endian checksum.
"""

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import anycrc

from apitrail.services.s3.errors import refuse
from apitrail.wire.call import Call

PREFIX = "x-amz-checksum-"
FULL_OBJECT, COMPOSITE = "FULL_OBJECT", "COMPOSITE"


class Sum(Protocol):
    """A checksum in the making."""

    def update(self, block: bytes, /) -> object: ...

    def digest(self) -> bytes: ...


class _Crc:
    def __init__(self, size: int, step: Callable[[bytes, int], int]) -> None:
        self._size, self._step, self._value = size, step, 0

    def update(self, block: bytes, /) -> None:
        self._value = self._step(block, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


_CRC32C = anycrc.Model("CRC32-ISCSI")
_CRC64NVME = anycrc.Model("CRC64-NVME")

ALGORITHMS: dict[str, Callable[[], Sum]] = {
    "CRC32": lambda: _Crc(4, zlib.crc32),
    "CRC32C": lambda: _Crc(4, _CRC32C.calc),
    "CRC64NVME": lambda: _Crc(8, _CRC64NVME.calc),
    "SHA1": lambda: hashlib.sha1(usedforsecurity=False),
    "SHA256": hashlib.sha256,
    "SHA512": hashlib.sha512,
    "MD5": lambda: hashlib.md5(usedforsecurity=False),
}
WHOLE = ("CRC32", "CRC32C", "CRC64NVME")
"""Algorithms whose checksum of a multipart object may be of the whole object."""


class Sums:
    """Several checksums of one stream of blocks. md5: hex of all, beside those asked for."""

    def __init__(self, algorithms: Iterable[str]) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sums = {name: ALGORITHMS[name]() for name in algorithms}

    def update(self, block: bytes) -> None:
        """Take in the next bytes."""
        self._md5.update(block)
        for one in self._sums.values():
            one.update(block)

    @property
    def md5(self) -> str:
        """Return the MD5 so far, in hex."""
        return self._md5.hexdigest()

    @property
    def values(self) -> dict[str, str]:
        """Return the checksums so far, in base64 by algorithm."""
        return {name: base64.b64encode(one.digest()).decode() for name, one in self._sums.items()}


def sum_of_sums(algorithm: str, values: Iterable[str]) -> str:
    """Return the composite checksum of parts: of their checksums, and `-<count>`."""
    parts = [base64.b64decode(value) for value in values]
    made = ALGORITHMS[algorithm]()
    made.update(b"".join(parts))
    return f"{base64.b64encode(made.digest()).decode()}-{len(parts)}"


def etag_of_parts(etags: Iterable[str]) -> str:
    """Return the etag of a multipart object: the MD5 of the parts' MD5s (hex), and `-<count>`."""
    parts = [bytes.fromhex(etag) for etag in etags]
    return f"{hashlib.md5(b''.join(parts), usedforsecurity=False).hexdigest()}-{len(parts)}"


def given(params: Mapping[str, Any]) -> dict[str, str]:
    """Return the checksums among the parameters of a call or the members of a part, by algorithm."""
    return {name: params[f"Checksum{name}"] for name in ALGORITHMS if params.get(f"Checksum{name}")}


def sent(call: Call) -> dict[str, str]:
    """Return the checksums that came with the body of a call, in headers or behind it."""
    found = given(call.params)
    for name, value in (call.staged.checksums if call.staged else {}).items():
        algorithm = name.lower().removeprefix(PREFIX).upper()
        if name.lower().startswith(PREFIX) and algorithm in ALGORITHMS:
            found[algorithm] = value
    return found


def check(expected: Mapping[str, str], actual: Mapping[str, str]) -> None:
    """Raise BadDigest unless what was sent is what was computed."""
    for name, value in expected.items():
        if actual[name] != value:
            raise refuse("BadDigest", f"The {name} you specified did not match the calculated checksum.")


def check_md5(expected: str | None, actual_hex: str) -> None:
    """Raise InvalidDigest or BadDigest unless a Content-MD5 header, if there is one, is right."""
    if expected is None:
        return
    try:
        wanted = base64.b64decode(expected, validate=True)
    except (binascii.Error, ValueError):
        wanted = b""
    if len(wanted) != 16:
        raise refuse("InvalidDigest", **{"Content-MD5": expected})
    if wanted.hex() != actual_hex:
        raise refuse("BadDigest", "The Content-MD5 you specified did not match what we received.")


def members(values: Mapping[str, str]) -> dict[str, str]:
    """Return checksums as members of an answer, with their type."""
    if not values:
        return {}
    found = {f"Checksum{name}": value for name, value in values.items()}
    composite = any("-" in value for value in values.values())
    return {**found, "ChecksumType": COMPOSITE if composite else FULL_OBJECT}
