"""Authentication by AWS Signature Version 4: header and presigned form.

authenticate checks, in this order: a signature is there; the key is known and active; the date is right; the session token
belongs to the key; what must be signed is signed; the signature; the body's hash; the session has not expired.
Equal requests are not refused within the time window: SDKs repeat them byte by byte.
Chunk signatures of streamed bodies are in chunks.py, SigV2 presigned URLs in sigv2.py. Source: AWS General Reference.
"""

import hmac
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from hashlib import sha256
from urllib.parse import unquote_plus

from msgspec import Struct

from apitrail.identity import canonical, sigv2
from apitrail.identity.credentials import Credential, Credentials
from apitrail.identity.principal import Principal
from apitrail.identity.refusals import Family, family_of, family_of_request, refusal
from apitrail.wire.http import HttpRequest
from apitrail.wire.scope import Scope

SKEW = timedelta(minutes=15)
EXPIRES_S_MAX = 604_800
ANONYMOUS_ACCOUNT = "000000000000"
SIGNED_CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_CHUNKS_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
LITERALS = frozenset({canonical.UNSIGNED, UNSIGNED_TRAILER, SIGNED_CHUNKS, SIGNED_CHUNKS_TRAILER})

_BASIC_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z", re.ASCII)
_HEX_HASH = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_ACCOUNT = re.compile(r"\d{12}", re.ASCII)


class Authenticated(Struct, frozen=True):
    """A caller whose signature is right.

    region, service: of the credential scope (SigV2: `us-east-1`, `s3`). credential: None for an unknown key in
    permissive mode. signing_key: for chunk signatures; empty without credential and for SigV2.
    """

    principal: Principal
    region: str
    service: str
    access_key: str
    credential: Credential | None
    signing_key: bytes
    scope: Scope | None


class _Claim(Struct, frozen=True):
    """What a signed request says of itself. at: x-amz-date as sent. query: parameters by name, for presigned ones."""

    scope: Scope
    family: Family
    headers: canonical.HeaderMap
    query: dict[str, str]
    at: str
    token: str
    payload: str


def authenticate(
    request: HttpRequest,
    scope: Scope | None,
    credentials: Credentials,
    now: datetime,
    *,
    permissive: bool = False,
    body_sha256: str | None = None,
    virtual_bucket: str = "",
) -> Authenticated:
    """Return who signed a request.

    body_sha256: lower-case hex, for a body that is neither in the request nor staged. permissive: an unknown key is root of
    the account that it names (12 digits) or of 000000000000, and the clock is not compared; a known key is checked as ever.
    virtual_bucket: the bucket that the Host header names, if any; only SigV2 needs it.
    Raises: AuthenticationError, with the code and message that the service family uses.
    """
    if scope is None:
        return _without_scope(request, credentials, now, permissive, virtual_bucket)
    family = family_of(scope.service)
    credential = credentials.find(scope.access_key)
    if credential is None:
        if permissive:
            return guest(scope.access_key, scope.region, scope.service, scope)
        raise refusal("unknown-key", family, access_key=scope.access_key)
    claim = _claim(request, scope, family)
    if not credential.active:
        raise refusal("inactive-key", family, access_key=scope.access_key)
    _check_time(claim, now, permissive)
    _check_token(claim, credential)
    _check_signed_headers(claim)
    key = _check_signature(request, claim, credential, body_sha256)
    _check_body(request, claim, body_sha256)
    if credential.expires_at is not None and now >= credential.expires_at:
        raise refusal("expired-token", family, access_key=scope.access_key)
    return Authenticated(credential.principal, scope.region, scope.service, scope.access_key, credential, key, scope)


def _without_scope(
    request: HttpRequest, credentials: Credentials, now: datetime, permissive: bool, virtual_bucket: str
) -> Authenticated:
    claim = sigv2.find_claim(request)
    if claim is None:
        raise refusal("unsigned", family_of_request(request))
    credential = credentials.find(claim.access_key)
    if credential is None and permissive:
        return guest(claim.access_key, sigv2.REGION, "s3", None)
    known = sigv2.check(request, claim, credential, now, virtual_bucket)
    return Authenticated(known.principal, sigv2.REGION, "s3", claim.access_key, known, b"", None)


def guest(access_key: str, region: str, service: str, scope: Scope | None) -> Authenticated:
    """Return who an unknown key stands for in permissive mode: root of the account that it names, or of 000000000000."""
    account = access_key if _ACCOUNT.fullmatch(access_key) else ANONYMOUS_ACCOUNT
    principal = Principal("Root", account, f"arn:aws:iam::{account}:root", account, access_key=access_key)
    return Authenticated(principal, region, service, access_key, None, b"", scope)


def _claim(request: HttpRequest, scope: Scope, family: Family) -> _Claim:
    headers = canonical.header_map(request.headers)
    query = _parameters(request.raw_query) if scope.presigned else {}
    if scope.presigned:
        at, token = query.get("X-Amz-Date", ""), query.get("X-Amz-Security-Token", "")
        payload = query.get("X-Amz-Content-Sha256") or _text(headers, b"x-amz-content-sha256")
    else:
        at, token = _text(headers, b"x-amz-date"), _text(headers, b"x-amz-security-token")
        payload = _text(headers, b"x-amz-content-sha256")
        at = at or _from_http_date(_text(headers, b"date"))
    if payload and payload not in LITERALS and not _HEX_HASH.fullmatch(payload):
        raise refusal("malformed", family, "x-amz-content-sha256 must be UNSIGNED-PAYLOAD or a hash in hex.")
    if not payload and scope.presigned and family == "s3":
        payload = canonical.UNSIGNED
    return _Claim(scope, family, headers, query, at, token, payload)


def _text(headers: canonical.HeaderMap, name: bytes) -> str:
    return headers.get(name, b"").decode("latin-1")


def _parameters(raw_query: bytes) -> dict[str, str]:
    pairs = (part.partition("=") for part in raw_query.decode("latin-1").split("&"))
    return {unquote_plus(name): unquote_plus(value) for name, _, value in pairs}


def _from_http_date(text: str) -> str:
    if not text or _BASIC_TIME.fullmatch(text):
        return text
    try:
        return parsedate_to_datetime(text).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    except (ValueError, OverflowError):
        return ""


@lru_cache(maxsize=1024)
def parse_time(text: str) -> datetime | None:
    """Return the time of a text like 20260304T091500Z, or None."""
    match = _BASIC_TIME.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = map(int, match.groups())
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None


def _check_time(claim: _Claim, now: datetime, permissive: bool) -> None:
    at, key = parse_time(claim.at), claim.scope.access_key
    if at is None:
        message = "The request must carry its time in X-Amz-Date, as in 20260304T091500Z."
        raise refusal("malformed", claim.family, message, access_key=key)
    if claim.scope.date != claim.at[:8]:
        message = (
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{claim.scope.date[:16]}' != '{claim.at[:8]}', from '{claim.at}'."
        )
        raise refusal("unsigned-header", claim.family, message, access_key=key)
    if claim.scope.presigned:
        _check_expiry(claim, at, now, permissive)
    elif not permissive and abs(now - at) > SKEW:
        raise refusal("skew", claim.family, _skew_message(at, now), access_key=key)


def _check_expiry(claim: _Claim, at: datetime, now: datetime, permissive: bool) -> None:
    text = claim.query.get("X-Amz-Expires", "")
    key = claim.scope.access_key
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= EXPIRES_S_MAX):
        message = f"X-Amz-Expires must be a number of seconds from 1 to {EXPIRES_S_MAX}."
        raise refusal("malformed", claim.family, message, access_key=key)
    if (now - at).total_seconds() > int(text):
        raise refusal("expired-url", claim.family, _skew_message(at, now), access_key=key)
    if not permissive and at - now > SKEW:
        raise refusal("skew", claim.family, _skew_message(at, now), access_key=key)


def _skew_message(at: datetime, now: datetime) -> str:
    sent, server = at.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%dT%H%M%SZ")
    if at > now:
        edge = (now + SKEW).strftime("%Y%m%dT%H%M%SZ")
        return f"Signature not yet current: {sent} is still later than {edge} ({server} + 15 min.)"
    edge = (now - SKEW).strftime("%Y%m%dT%H%M%SZ")
    return f"Signature expired: {sent} is now earlier than {edge} ({server} - 15 min.)"


def _check_token(claim: _Claim, credential: Credential) -> None:
    if not claim.token and not credential.token:
        return
    if not claim.token:
        raise refusal("missing-token", claim.family, access_key=claim.scope.access_key)
    if not hmac.compare_digest(claim.token.encode(), credential.token.encode()):
        raise refusal("bad-token", claim.family, access_key=claim.scope.access_key)


def _check_signed_headers(claim: _Claim) -> None:
    _, signed, _ = canonical.signed_names(claim.scope.signed_headers)
    for name in claim.headers:
        if name[:6] == b"x-amz-" and name not in signed:
            message = f"The header '{name.decode('latin-1')}' was not signed."
            raise refusal("unsigned-header", claim.family, message, access_key=claim.scope.access_key)
    if b"host" not in signed:
        message = "'Host' must be a 'SignedHeader' in the AWS Authorization."
        raise refusal("malformed", claim.family, message, access_key=claim.scope.access_key)


def _check_signature(request: HttpRequest, claim: _Claim, credential: Credential, body_sha256: str | None) -> bytes:
    scope = claim.scope
    without = "X-Amz-Signature" if scope.presigned else ""
    text = canonical.canonical_request(
        request.method,
        canonical.canonical_path(request.raw_path, s3=claim.family == "s3"),
        canonical.canonical_query(request.raw_query, without=without),
        claim.headers,
        scope.signed_headers,
        claim.payload or _body_hash(request, body_sha256),
    )
    key = canonical.signing_key(credential.secret_key, scope.date, scope.region, scope.service)
    wanted = canonical.signature_of(key, claim.at, canonical.scope_text(scope.date, scope.region, scope.service), text)
    if not hmac.compare_digest(wanted.encode(), scope.signature.encode()):
        raise refusal("bad-signature", claim.family, access_key=scope.access_key)
    return key


def _body_hash(request: HttpRequest, body_sha256: str | None) -> str:
    if body_sha256 is not None:
        return body_sha256
    if request.staged is not None:
        return request.staged.sha256
    return sha256(request.body).hexdigest()


def _check_body(request: HttpRequest, claim: _Claim, body_sha256: str | None) -> None:
    if not claim.payload or claim.payload in LITERALS:
        return
    computed = _body_hash(request, body_sha256)
    if not hmac.compare_digest(computed, claim.payload.lower()):
        members = {"ClientComputedContentSHA256": claim.payload, "S3ComputedContentSHA256": computed}
        shown = members if claim.family == "s3" else {}
        raise refusal("altered-body", claim.family, access_key=claim.scope.access_key, members=shown)
