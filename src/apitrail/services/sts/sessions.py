"""What is common to the operations that hand out temporary credentials: session policies, tags, durations.

Source: STS API Reference; IAM User Guide, "Passing session tags" and "Session policies".
"""

from collections.abc import Mapping
from typing import Any

from apitrail.errors import ServiceError
from apitrail.identity.policy_document import validate_policy_document
from apitrail.identity.principal import Principal
from apitrail.services.context import Context
from apitrail.services.identities import default_text, find_policy, read_document
from apitrail.services.sessions import issue_session
from apitrail.services.sts.errors import (
    AccessDenied,
    MalformedPolicyDocumentException,
    PackedPolicyTooLargeException,
    ValidationError,
)

Params = Mapping[str, Any]
Result = dict[str, Any]

POLICY_MAX = 2048
POLICY_ARNS_MAX = 10
PACKED_MAX = 6144
ROOT_S_MAX = 3600


def session_policies(ctx: Context, account: str, params: Params) -> tuple[dict[str, Any], ...]:
    """Return the documents of Policy and PolicyArns. account: the one whose managed policies are meant.

    Raises: MalformedPolicyDocument, PackedPolicyTooLarge, ValidationError.
    """
    documents = []
    if "Policy" in params:
        if len(params["Policy"]) > POLICY_MAX:
            raise PackedPolicyTooLargeException(f"The session policy is longer than {POLICY_MAX} characters.")
        try:
            documents.append(validate_policy_document(params["Policy"]))
        except ServiceError as error:
            raise MalformedPolicyDocumentException(error.message) from error
    arns = [item.get("arn", "") for item in params.get("PolicyArns", ())]
    if len(arns) > POLICY_ARNS_MAX:
        raise ValidationError(f"At most {POLICY_ARNS_MAX} managed policies can be passed.")
    for arn in arns:
        policy = find_policy(ctx.tx, account, arn)
        if policy is None:
            raise MalformedPolicyDocumentException(f"The managed policy {arn} does not exist.")
        documents.append(read_document(default_text(policy)))
    return tuple(documents)


def session_tags(params: Params) -> dict[str, str]:
    """Return the session tags by key. Raises: ValidationError for a key given twice, or a transitive one not given."""
    tags = {tag["Key"]: tag["Value"] for tag in params.get("Tags", ())}
    lower = {key.lower() for key in tags}
    if len(lower) != len(params.get("Tags", ())):
        raise ValidationError("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    missing = [key for key in params.get("TransitiveTagKeys", ()) if key.lower() not in lower]
    if missing:
        raise ValidationError(f"The specified transitive tag key {missing[0]} must be included in the requested tags.")
    return tags


def packed_size(params: Params) -> dict[str, int]:
    """Return PackedPolicySize, the share of the bound in percent, if policies or tags were passed."""
    size = len(params.get("Policy", "")) + sum(len(item.get("arn", "")) for item in params.get("PolicyArns", ()))
    size += sum(len(tag["Key"]) + len(tag["Value"]) for tag in params.get("Tags", ()))
    if size > PACKED_MAX:
        raise PackedPolicyTooLargeException(f"Packed policy consumes {100 * size // PACKED_MAX}% of allotted space.")
    return {"PackedPolicySize": max(1, 100 * size // PACKED_MAX)} if size else {}


def long_term_caller(ctx: Context, operation: str) -> Principal:
    """Return the caller if it is a user or root with a long-term key. Raises: AccessDenied."""
    assert ctx.principal is not None
    if ctx.principal.session is not None or ctx.principal.kind not in ("IAMUser", "Root"):
        raise AccessDenied(f"Cannot call {operation} with session credentials")
    return ctx.principal


def duration(caller: Principal, params: Params, default_s: int) -> int:
    """Return how long a session of a user or root lasts; root's at most an hour."""
    asked = int(params.get("DurationSeconds", default_s))
    return min(asked, ROOT_S_MAX) if caller.kind == "Root" else asked


def hand_out(ctx: Context, principal: Principal, duration_s: int) -> dict[str, Any]:
    """Return the Credentials member of an answer."""
    issued = issue_session(ctx, principal, duration_s)
    return {**issued, "Expiration": issued["Expiration"].replace(microsecond=0)}
