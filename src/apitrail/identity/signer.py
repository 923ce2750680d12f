"""Signing of our own requests and URLs with Signature Version 4."""

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from urllib.parse import quote, urlsplit, urlunsplit

from apitrail.identity import canonical
from apitrail.identity.credentials import Credential

NEVER_SIGNED = frozenset(
    {"authorization", "connection", "expect", "transfer-encoding", "user-agent", "x-amzn-trace-id"}
)


def sign_headers(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    credential: Credential,
    region: str,
    service: str,
    now: datetime,
) -> dict[str, str]:
    """Return the headers of a request with its date, host, token and Authorization added; names in lower case."""
    split = urlsplit(url)
    at = f"{now:%Y%m%dT%H%M%SZ}"
    sent = {name.lower(): value for name, value in headers.items()}
    sent |= {"host": split.netloc.rpartition("@")[2], "x-amz-date": at}
    payload = sha256(body).hexdigest()
    if credential.token:
        sent["x-amz-security-token"] = credential.token
    if service == "s3":
        sent.setdefault("x-amz-content-sha256", payload)
    signed = _signature(
        method,
        split.path,
        split.query,
        sent,
        sent.get("x-amz-content-sha256", payload),
        credential,
        at,
        (region, service),
    )
    scope = canonical.scope_text(at[:8], region, service)
    sent["authorization"] = (
        f"{canonical.ALGORITHM} Credential={credential.access_key}/{scope}, "
        f"SignedHeaders={';'.join(_names(sent))}, Signature={signed}"
    )
    return sent


def presign_url(
    method: str,
    url: str,
    credential: Credential,
    region: str,
    service: str,
    now: datetime,
    expires_s: int = 900,
    headers: Mapping[str, str] | None = None,
) -> str:
    """Return a URL that carries its signature. expires_s: 1 to 604800. headers: those the client must send along."""
    split = urlsplit(url)
    at = f"{now:%Y%m%dT%H%M%SZ}"
    sent = {name.lower(): value for name, value in (headers or {}).items()}
    sent["host"] = split.netloc.rpartition("@")[2]
    added = {
        "X-Amz-Algorithm": canonical.ALGORITHM,
        "X-Amz-Credential": f"{credential.access_key}/{canonical.scope_text(at[:8], region, service)}",
        "X-Amz-Date": at,
        "X-Amz-Expires": str(expires_s),
        "X-Amz-SignedHeaders": ";".join(_names(sent)),
    }
    if credential.token:
        added["X-Amz-Security-Token"] = credential.token
    parts = [split.query] if split.query else []
    query = "&".join(parts + [f"{name}={quote(value, safe='')}" for name, value in added.items()])
    payload = canonical.UNSIGNED if service == "s3" else canonical.EMPTY_SHA256
    signed = _signature(method, split.path, query, sent, payload, credential, at, (region, service))
    return urlunsplit((split.scheme, split.netloc, split.path or "/", f"{query}&X-Amz-Signature={signed}", ""))


def _names(headers: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(sorted(name for name in headers if name not in NEVER_SIGNED))


def _signature(
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    payload: str,
    credential: Credential,
    at: str,
    place: tuple[str, str],
) -> str:
    region, service = place
    text = canonical.canonical_request(
        method,
        canonical.canonical_path(path.encode(), s3=service == "s3"),
        canonical.canonical_query(query.encode()),
        canonical.header_map([(name.encode(), value.encode()) for name, value in headers.items()]),
        _names(headers),
        payload,
    )
    key = canonical.signing_key(credential.secret_key, at[:8], region, service)
    return canonical.signature_of(key, at, canonical.scope_text(at[:8], region, service), text)
