"""S3 URLs presigned by Signature Version 2 (`AWSAccessKeyId`, `Signature`, `Expires` in the query).

boto3 still makes them for custom endpoints. Only the query form is served; the Authorization header form is not.
Source: Amazon S3 User Guide, "Signing and authenticating REST requests (AWS signature version 2)".
"""

import base64
import hmac
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from urllib.parse import unquote, unquote_plus

from apitrail.identity.canonical import header_map
from apitrail.identity.credentials import Credential
from apitrail.identity.refusals import refusal
from apitrail.wire.http import HttpRequest

REGION = "us-east-1"
SUBRESOURCES = frozenset(
    {
        "accelerate",
        "acl",
        "analytics",
        "cors",
        "defaultObjectAcl",
        "delete",
        "inventory",
        "lifecycle",
        "location",
        "logging",
        "metrics",
        "notification",
        "object-lock",
        "partNumber",
        "policy",
        "replication",
        "requestPayment",
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
        "restore",
        "select",
        "select-type",
        "storageClass",
        "tagging",
        "torrent",
        "uploadId",
        "uploads",
        "versionId",
        "versioning",
        "versions",
        "website",
    }
)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a presigned URL says of itself. parameters: decoded, all of the query, in order; value None without `=`."""

    access_key: str
    signature: str
    expires: str
    parameters: tuple[tuple[str, str | None], ...]


def find_claim(request: HttpRequest) -> Claim | None:
    """Return the claim of a URL presigned by version 2, or None if the request is not one."""
    if b"AWSAccessKeyId=" not in request.raw_query:
        return None
    parameters = tuple(_parameters(request.raw_query))
    named = {name: value or "" for name, value in parameters}
    if not {"AWSAccessKeyId", "Signature", "Expires"} <= named.keys():
        message = "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"
        raise refusal("malformed", "s3", message, access_key=named.get("AWSAccessKeyId", ""))
    return Claim(named["AWSAccessKeyId"], named["Signature"], named["Expires"], parameters)


def _parameters(raw_query: bytes) -> list[tuple[str, str | None]]:
    found: list[tuple[str, str | None]] = []
    for part in raw_query.decode("latin-1").split("&"):
        name, equals, value = part.partition("=")
        found.append((unquote(name), unquote_plus(value) if equals else None))
    return found


def check(
    request: HttpRequest, claim: Claim, credential: Credential | None, now: datetime, virtual_bucket: str
) -> Credential:
    """Return the credential if it signed the URL, which has not expired. Raises: AuthenticationError."""
    key = claim.access_key
    if credential is None:
        raise refusal("unknown-key", "s3", access_key=key)
    if not credential.active:
        raise refusal("inactive-key", "s3", access_key=key)
    _check_expiry(claim, credential, now)
    _check_token(request, claim, credential)
    mac = hmac.digest(credential.secret_key.encode(), string_to_sign(request, claim, virtual_bucket), "sha1")
    if not hmac.compare_digest(base64.b64encode(mac), claim.signature.encode()):
        raise refusal("bad-signature", "s3", access_key=key)
    return credential


def _check_expiry(claim: Claim, credential: Credential, now: datetime) -> None:
    text = claim.expires
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise refusal("malformed", "s3", "Expires must be a time in epoch seconds.", access_key=claim.access_key)
    if now.timestamp() > int(text):
        raise refusal("expired-url", "s3", access_key=claim.access_key)
    if credential.expires_at is not None and now >= credential.expires_at:
        raise refusal("expired-token", "s3", access_key=claim.access_key)


def _check_token(request: HttpRequest, claim: Claim, credential: Credential) -> None:
    named = dict(claim.parameters)
    token = named.get("x-amz-security-token") or request.header("x-amz-security-token") or ""
    if credential.token and not token:
        raise refusal("missing-token", "s3", access_key=claim.access_key)
    if not hmac.compare_digest(token.encode(), credential.token.encode()):
        raise refusal("bad-token", "s3", access_key=claim.access_key)


def string_to_sign(request: HttpRequest, claim: Claim, virtual_bucket: str) -> bytes:
    """Return what version 2 signs. Headers that the signer moved into the query count as headers."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in header_map(request.headers).items()}
    moved = {name.lower(): value or "" for name, value in claim.parameters if name.lower().startswith("x-amz-")}
    named = {name.lower(): value or "" for name, value in claim.parameters}
    amazon = {name: value for name, value in headers.items() if name.startswith("x-amz-")} | moved
    lines = [
        request.method,
        headers.get("content-md5") or named.get("content-md5", ""),
        headers.get("content-type") or named.get("content-type", ""),
        claim.expires,
        *(f"{name}:{value}" for name, value in sorted(amazon.items())),
        _resource(request, claim, virtual_bucket),
    ]
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _resource(request: HttpRequest, claim: Claim, virtual_bucket: str) -> str:
    path = (f"/{virtual_bucket}" if virtual_bucket else "") + (request.raw_path.decode("latin-1") or "/")
    listed = sorted((pair for pair in claim.parameters if pair[0] in SUBRESOURCES), key=itemgetter(0))
    shown = [name if value is None else f"{name}={value}" for name, value in listed]
    return path + ("?" + "&".join(shown) if shown else "")
