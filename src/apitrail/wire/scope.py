"""What a request says about its own signature, before anything of it is checked.

Source: AWS Signature Version 4, Authorization header and query string forms.
"""

import re
from functools import lru_cache

from msgspec import Struct

from apitrail.errors import ServiceError
from apitrail.wire.form import parse_pairs
from apitrail.wire.http import HttpRequest

ALGORITHM = "AWS4-HMAC-SHA256"
AUTHORIZATION_MAX = 8_192
CLAIMS_MAX = 1_024
"""Characters of a header whose claims are remembered."""

NO_SIGNATURE = "0" * 64
PARTS = ("Credential", "SignedHeaders", "Signature")

# The access key: printable ASCII without comma and slash.
_CREDENTIAL = re.compile(
    r"([!-+.0-~-]{1,128})/([0-9]{8})/([A-Za-z0-9_-]{1,64})/([A-Za-z0-9_-]{1,64})/aws4_request", re.ASCII
)
_SIGNATURE = re.compile(r"[0-9a-f]{64}")
_HEADERS = re.compile(r"[!-:<-~]+(?:;[!-:<-~]+)*")


class Scope(Struct, frozen=True):
    """A signature's claims. date: yyyymmdd. signed_headers: as listed. signature: 64 lower-case hex digits.

    presigned: the claims came in the query string.
    """

    access_key: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    presigned: bool


def find_scope(request: HttpRequest) -> Scope | None:
    """Return the claims of a request's SigV4 signature, or None where it has none.

    Raises: ServiceError (IncompleteSignature, 400) where there is one that cannot be read.
    """
    authorization = request.header("authorization")
    if authorization is not None:
        return _of_header(authorization)
    if b"X-Amz-Credential=" in request.raw_query or b"X-Amz-Signature=" in request.raw_query:
        return _make_scope(_split_query(request), presigned=True)
    return None


def _of_header(authorization: str) -> Scope:
    """Return the claims of an Authorization header. A client's calls have the same but for the signature at its end."""
    claims, name, signature = authorization.rpartition("Signature=")
    if not name or len(claims) > CLAIMS_MAX or not _SIGNATURE.fullmatch(signature):
        return _make_scope(_split_header(authorization), presigned=False)
    known = _claims(claims)
    return Scope(known.access_key, known.date, known.region, known.service, known.signed_headers, signature, False)


@lru_cache(maxsize=1024)
def _claims(text: str) -> Scope:
    """Return the claims before a signature that is well formed, with none."""
    return _make_scope(_split_header(f"{text}Signature={NO_SIGNATURE}"), presigned=False)


def _incomplete(message: str) -> ServiceError:
    return ServiceError(message, code="IncompleteSignature", status=400)


def _split_header(authorization: str) -> dict[str, str]:
    if len(authorization) > AUTHORIZATION_MAX:
        raise _incomplete(f"The Authorization header must have at most {AUTHORIZATION_MAX} characters.")
    algorithm, _, rest = authorization.strip().partition(" ")
    if algorithm != ALGORITHM:
        raise _incomplete(f"The Authorization header must begin with {ALGORITHM}.")
    found = {}
    for part in rest.split(","):
        name, _, value = part.strip().partition("=")
        if name in found:
            raise _incomplete(f"The Authorization header must have each of {', '.join(PARTS)} once.")
        found[name] = value
    for name in PARTS:
        if not found.get(name):
            raise _incomplete(f"The Authorization header requires the parameter '{name}'.")
    return found


def _split_query(request: HttpRequest) -> dict[str, str]:
    pairs = parse_pairs(request.raw_query)
    found = {name: value for name, value in pairs if name.startswith("X-Amz-")}
    if found.get("X-Amz-Algorithm") != ALGORITHM:
        raise _incomplete(f"The query parameter X-Amz-Algorithm must be {ALGORITHM}.")
    for name in PARTS:
        if not found.get(f"X-Amz-{name}"):
            raise _incomplete(f"The signed query string requires the parameter 'X-Amz-{name}'.")
        if sum(pair[0] == f"X-Amz-{name}" for pair in pairs) > 1:
            raise _incomplete(f"The signed query string must have 'X-Amz-{name}' once.")
    return {name: found[f"X-Amz-{name}"] for name in PARTS}


def _make_scope(found: dict[str, str], presigned: bool) -> Scope:
    match = _CREDENTIAL.fullmatch(found["Credential"])
    if match is None:
        raise _incomplete("Credential must have the form <access key>/<yyyymmdd>/<region>/<service>/aws4_request.")
    if not _HEADERS.fullmatch(found["SignedHeaders"]):
        raise _incomplete("SignedHeaders must be a list of header names, separated by semicolons.")
    if not _SIGNATURE.fullmatch(found["Signature"]):
        raise _incomplete("Signature must be 64 lower-case hexadecimal digits.")
    signed = tuple(found["SignedHeaders"].split(";"))
    return Scope(match[1], match[2], match[3], match[4], signed, found["Signature"], presigned)
