"""The canonical request of Signature Version 4, from a request as it came over the wire.

Paths: S3 takes the path as it is, encoded once; all others collapse dots and repeated slashes and encode once more.
Queries: each name and value is decoded (`+` is a space) and encoded again, then sorted.
Headers: lower case, trimmed, inner spaces collapsed, repeats joined by a comma.
Source: AWS General Reference, "Create a canonical request"; the deviations of clients are in the tests.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import quote_from_bytes, unquote_to_bytes

if TYPE_CHECKING:
    from _hashlib import HASH

ALGORITHM = "AWS4-HMAC-SHA256"
TERMINATOR = "aws4_request"
UNSIGNED = "UNSIGNED-PAYLOAD"
EMPTY_SHA256 = sha256(b"").hexdigest()
BLOCK = 64
INNER = bytes(byte ^ 0x36 for byte in range(256))
OUTER = bytes(byte ^ 0x5C for byte in range(256))

_PLAIN_PATH = re.compile(rb"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?")

HeaderMap = dict[bytes, bytes]


def header_map(headers: Sequence[tuple[bytes, bytes]]) -> HeaderMap:
    """Return canonical values by name (lower case)."""
    found = dict(headers)
    lines = b"\n%b\n" % b"\n".join(found.values())
    if len(found) < len(headers) or b"  " in lines or b"\n " in lines or b" \n" in lines or b"\t" in lines:
        return _tidied(headers)
    return found


def _tidied(headers: Iterable[tuple[bytes, bytes]]) -> HeaderMap:
    found: HeaderMap = {}
    for name, value in headers:
        if b"  " in value or value[:1] in b" \t" or value[-1:] in b" \t" or b"\t" in value:
            value = b" ".join(value.split())
        found[name] = found[name] + b"," + value if name in found else value
    return found


def canonical_path(raw_path: bytes, *, s3: bool) -> bytes:
    """Return the path as it is signed. raw_path: as in the request line, percent-encoded by the client."""
    if not raw_path or raw_path == b"/":
        return b"/"
    if _PLAIN_PATH.fullmatch(raw_path):
        return raw_path
    return _s3_path(raw_path) if s3 else _normal_path(raw_path)


def _s3_path(raw_path: bytes) -> bytes:
    return "/".join([quote_from_bytes(unquote_to_bytes(part), safe="") for part in raw_path.split(b"/")]).encode()


def _normal_path(raw_path: bytes) -> bytes:
    kept: list[bytes] = []
    for segment in raw_path.split(b"/"):
        if segment == b"..":
            del kept[-1:]
        elif segment not in (b"", b"."):
            kept.append(segment)
    tail = b"/" if kept and raw_path.endswith(b"/") else b""
    return quote_from_bytes(b"/" + b"/".join(kept) + tail, safe="/").encode()


def _encode_again(text: bytes) -> str:
    return quote_from_bytes(unquote_to_bytes(text.replace(b"+", b" ")), safe="")


def canonical_query(raw_query: bytes, *, without: str = "") -> bytes:
    """Return the query as it is signed. without: name of a parameter to leave out (the signature itself)."""
    if not raw_query:
        return b""
    pairs = []
    for part in raw_query.split(b"&"):
        if part:
            name, _, value = part.partition(b"=")
            pairs.append((_encode_again(name), _encode_again(value)))
    return "&".join([f"{name}={value}" for name, value in sorted(pairs) if name != without]).encode()


@lru_cache(maxsize=512)
def signed_names(names: tuple[str, ...]) -> tuple[tuple[bytes, ...], frozenset[bytes], bytes]:
    """Return names of signed headers as a list, as a set, and as the line of the canonical request."""
    encoded = tuple(name.encode("latin-1", "replace") for name in names)
    return encoded, frozenset(encoded), b";".join(encoded)


def canonical_request(
    method: str, path: bytes, query: bytes, headers: HeaderMap, names: tuple[str, ...], payload_hash: str
) -> bytes:
    """Return the bytes whose SHA-256 is signed. path, query: canonical. names: signed headers, sorted."""
    listed, _, joined = signed_names(names)
    lines = [method.encode(), path, query]
    lines += [name + b":" + headers.get(name, b"") for name in listed]
    lines += [b"", joined, payload_hash.encode()]
    return b"\n".join(lines)


@lru_cache(maxsize=4096)
def _mac_states(key: bytes) -> tuple["HASH", "HASH"]:
    """Return SHA-256 after the inner and the outer padded key (RFC 2104), to go on from.

    OpenSSL's own HMAC takes twice as long, and gives the interpreter lock away for each signature.
    """
    padded = (key if len(key) <= BLOCK else sha256(key).digest()).ljust(BLOCK, b"\0")
    return sha256(padded.translate(INNER)), sha256(padded.translate(OUTER))


def _mac(key: bytes, text: str) -> bytes:
    inner, outer = (state.copy() for state in _mac_states(key))
    inner.update(text.encode())
    outer.update(inner.digest())
    return outer.digest()


@lru_cache(maxsize=4096)
def signing_key(secret_key: str, date: str, region: str, service: str) -> bytes:
    """Return the key that signs the requests of one day, region and service. date: yyyymmdd."""
    return _mac(_mac(_mac(_mac(b"AWS4" + secret_key.encode(), date), region), service), TERMINATOR)


def scope_text(date: str, region: str, service: str) -> str:
    """Return the credential scope without the access key."""
    return f"{date}/{region}/{service}/{TERMINATOR}"


def signature_of(key: bytes, at: str, scope: str, canonical: bytes) -> str:
    """Return the signature, lower-case hex. at: yyyymmddThhmmssZ. canonical: see canonical_request."""
    return _mac(key, f"{ALGORITHM}\n{at}\n{scope}\n{sha256(canonical).hexdigest()}").hex()
