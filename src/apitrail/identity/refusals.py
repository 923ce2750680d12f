"""How an authentication is refused: one table from (family, cause) to code, status and message.

A family is a group of services that answer alike: S3, the query services, all others (JSON and CBOR).
Source: AWS's common error lists of IAM, S3 and DynamoDB; messages as those services print them.
"""

from typing import Any, Literal

from apitrail.errors import ServiceError
from apitrail.wire.http import HttpRequest

Family = Literal["s3", "query", "json"]

QUERY_SERVICES = frozenset(
    {
        "autoscaling",
        "cloudformation",
        "cloudsearch",
        "ec2",
        "elasticache",
        "elasticbeanstalk",
        "elasticloadbalancing",
        "email",
        "iam",
        "importexport",
        "rds",
        "redshift",
        "sdb",
        "sns",
        "sts",
    }
)
_TOKEN = "The security token included in the request is invalid."
_EXPIRED = "The security token included in the request is expired"
_SIGNATURE = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
    "Access Key and signing method. Consult the service documentation for details."
)
_S3_SIGNATURE = (
    "The request signature we calculated does not match the signature you provided. Check your key and signing method."
)
_S3_KEY = "The AWS Access Key Id you provided does not exist in our records."
_S3_SKEW = "The difference between the request time and the current time is too large."
_S3_HASH = "The provided 'x-amz-content-sha256' header does not match what was computed."
_UNSIGNED = "Request is missing Authentication Token"

# cause -> family -> (code, status, message); an empty message is filled in where the cause is found
_TABLE: dict[str, dict[Family, tuple[str, int, str]]] = {
    "unsigned": {
        "json": ("MissingAuthenticationTokenException", 400, _UNSIGNED),
        "query": ("MissingAuthenticationToken", 403, _UNSIGNED),
        "s3": ("AccessDenied", 403, "Access Denied"),
    },
    "malformed": {
        "json": ("IncompleteSignatureException", 400, ""),
        "query": ("IncompleteSignature", 400, ""),
        "s3": ("AuthorizationHeaderMalformed", 400, ""),
    },
    "unknown-key": {
        "json": ("UnrecognizedClientException", 400, _TOKEN),
        "query": ("InvalidClientTokenId", 403, _TOKEN),
        "s3": ("InvalidAccessKeyId", 403, _S3_KEY),
    },
    "bad-token": {
        "json": ("UnrecognizedClientException", 400, _TOKEN),
        "query": ("InvalidClientTokenId", 403, _TOKEN),
        "s3": ("InvalidToken", 400, "The provided token is malformed or otherwise invalid."),
    },
    "bad-signature": {
        "json": ("InvalidSignatureException", 400, _SIGNATURE),
        "query": ("SignatureDoesNotMatch", 403, _SIGNATURE),
        "s3": ("SignatureDoesNotMatch", 403, _S3_SIGNATURE),
    },
    "skew": {
        "json": ("InvalidSignatureException", 400, ""),
        "query": ("SignatureDoesNotMatch", 403, ""),
        "s3": ("RequestTimeTooSkewed", 403, _S3_SKEW),
    },
    "expired-token": {
        "json": ("ExpiredTokenException", 400, _EXPIRED),
        "query": ("ExpiredToken", 403, _EXPIRED),
        "s3": ("ExpiredToken", 400, "The provided token has expired."),
    },
    "expired-url": {
        "json": ("InvalidSignatureException", 400, ""),
        "query": ("RequestExpired", 403, "Request has expired."),
        "s3": ("AccessDenied", 403, "Request has expired"),
    },
    "altered-body": {
        "json": ("InvalidSignatureException", 400, _SIGNATURE),
        "query": ("SignatureDoesNotMatch", 403, _SIGNATURE),
        "s3": ("XAmzContentSHA256Mismatch", 400, _S3_HASH),
    },
    "unsigned-header": {
        "json": ("InvalidSignatureException", 400, ""),
        "query": ("SignatureDoesNotMatch", 403, ""),
        "s3": ("AccessDenied", 403, "There were headers present in the request which were not signed"),
    },
}
_TABLE["inactive-key"] = _TABLE["missing-token"] = _TABLE["unknown-key"]

# the words that metrics count by; causes that are not here are their own word
_REASONS = {"expired-token": "expired", "expired-url": "expired", "unsigned-header": "bad-signature"}


class AuthenticationError(ServiceError):
    """A caller who is not who the request claims. reason: stable word for metrics and the security log.

    One of unsigned, malformed, unknown-key, inactive-key, missing-token, bad-token, bad-signature, skew, expired,
    altered-body. access_key: as claimed by the request, empty when it names none.
    """

    def __init__(self, message: str, *, code: str, status: int, reason: str, access_key: str = "", **more: Any) -> None:
        super().__init__(message, code=code, status=status, **more)
        self.reason = reason
        self.access_key = access_key


def family_of(service: str) -> Family:
    """Return the family of a signing name."""
    if service == "s3":
        return "s3"
    return "query" if service in QUERY_SERVICES else "json"


def family_of_request(request: HttpRequest) -> Family:
    """Return the family that an unsigned request seems to be meant for."""
    if request.header("x-amz-target") or request.header("smithy-protocol"):
        return "json"
    form = (request.header("content-type") or "").startswith("application/x-www-form-urlencoded")
    return "query" if form or b"Action=" in request.raw_query else "s3"


def refusal(cause: str, family: Family, message: str = "", *, access_key: str = "", **more: Any) -> AuthenticationError:
    """Return the error for a cause. message: used where the table has none, and for more detail."""
    code, status, text = _TABLE[cause][family]
    reason = _REASONS.get(cause, cause)
    shown = text or message or _SIGNATURE
    return AuthenticationError(shown, code=code, status=status, reason=reason, access_key=access_key, **more)
