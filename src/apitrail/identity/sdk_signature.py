"""Signature Version 4 as the game server SDK uses it: parameters of the WebSocket's URL, without a canonical request.

What is signed is the query string of only a few parameters (ComputeId, FleetId and pID), sorted and URL-encoded;
its hash takes the place of the canonical request's. Source: server SDK 5, a signature of whose Go
version was checked by hand.
"""

import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import quote, quote_plus, urlencode

from apitrail.identity.canonical import scope_text, signature_of, signing_key
from apitrail.identity.credentials import Credential, Credentials
from apitrail.identity.principal import Principal
from apitrail.identity.refusals import refusal
from apitrail.identity.sigv4 import SKEW, guest, parse_time

ALGORITHM = "AWS4-HMAC-SHA256"
SERVICE = "gamelift"
SCOPE_PARTS = 5
ENCODINGS = (quote_plus, quote)
"""How SDKs encode a blank: Go as a plus sign, others as %20."""


def authenticate_process(
    query: Mapping[str, str], names: Sequence[str], credentials: Credentials, now: datetime, *, permissive: bool = False
) -> tuple[Principal, str]:
    """Return who signed a game server's URL, and the region of the signature.

    query: its decoded parameters. names: those that are signed, sorted. permissive: as in sigv4.authenticate.
    Raises: AuthenticationError.
    """
    parts = query.get("X-Amz-Credential", "").split("/")
    if query.get("X-Amz-Algorithm") != ALGORITHM or len(parts) != SCOPE_PARTS or parts[3] != SERVICE:
        raise refusal("malformed", "json", f"X-Amz-Algorithm must be {ALGORITHM}, with a scope of {SERVICE}.")
    access_key, date, region = parts[:3]
    credential = credentials.find(access_key)
    if credential is None:
        if permissive:
            return guest(access_key, region, SERVICE, None).principal, region
        raise refusal("unknown-key", "json", access_key=access_key)
    _check_credential(query, credential, access_key, now)
    at = parse_time(query.get("X-Amz-Date", ""))
    if at is None or not query["X-Amz-Date"].startswith(date):
        raise refusal("malformed", "json", "X-Amz-Date must be a time like 20260304T091500Z, of the scope's day.")
    if not permissive and abs(now - at) > SKEW:
        raise refusal("skew", "json", "X-Amz-Date is more than 15 minutes away from the server's time.")
    given = query.get("X-Amz-Signature", "").encode()
    if not any(hmac.compare_digest(given, wanted) for wanted in _signatures(query, names, credential, date, region)):
        raise refusal("bad-signature", "json", access_key=access_key)
    return credential.principal, region


def _check_credential(query: Mapping[str, str], credential: Credential, access_key: str, now: datetime) -> None:
    if not credential.active:
        raise refusal("inactive-key", "json", access_key=access_key)
    if not hmac.compare_digest(query.get("X-Amz-Security-Token", "").encode(), credential.token.encode()):
        raise refusal("bad-token", "json", access_key=access_key)
    if credential.expires_at is not None and now >= credential.expires_at:
        raise refusal("expired-token", "json", access_key=access_key)


def _signatures(
    query: Mapping[str, str], names: Sequence[str], credential: Credential, date: str, region: str
) -> list[bytes]:
    """Return the right signature in each encoding."""
    key, scope = signing_key(credential.secret_key, date, region, SERVICE), scope_text(date, region, SERVICE)
    pairs = [(name, query.get(name, "")) for name in names]
    texts = (urlencode(pairs, safe="", quote_via=encode).encode() for encode in ENCODINGS)
    return [signature_of(key, query["X-Amz-Date"], scope, text).encode() for text in texts]
