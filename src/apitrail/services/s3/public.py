"""Which bucket policies are public, and what a bucket's public access block says of them.

Source: Amazon S3 User Guide, "Blocking public access to your Amazon S3 storage", the meaning of "public".
"""

from typing import Any

from apitrail.identity.statements import listed
from apitrail.services.buckets import policy_of
from apitrail.store.resources import Doc

BLOCK, OWNERSHIP = "_PublicAccessBlock", "_Ownership"
BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
ENFORCED = "BucketOwnerEnforced"

# conditions with one fixed value of these keys say who, so that the statement is not public
NARROWING = frozenset(
    {
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceip",
        "aws:sourceowner",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:userid",
        "s3:dataaccesspointaccount",
        "s3:dataaccesspointarn",
    }
)


def blocks_policies(row: Doc) -> bool:
    """Return whether a bucket takes no public policies."""
    return bool(row.get(BLOCK, {}).get("BlockPublicPolicy"))


def is_restricted(row: Doc) -> bool:
    """Return whether a bucket has a public policy that counts for its own account and AWS services only."""
    document = policy_of(row) if row.get(BLOCK, {}).get("RestrictPublicBuckets") else None
    return document is not None and is_public(document)


def is_public(document: dict[str, Any]) -> bool:
    """Return whether a policy allows anything to everybody."""
    return any(_is_open(statement) for statement in listed(document["Statement"]))


def _is_open(statement: dict[str, Any]) -> bool:
    if statement["Effect"] != "Allow" or _is_narrowed(statement.get("Condition", {})):
        return False
    principal = statement.get("Principal")
    if principal is None:
        return "NotPrincipal" in statement
    return principal == "*" or "*" in listed(principal.get("AWS", []))


def _is_narrowed(conditions: dict[str, dict[str, Any]]) -> bool:
    """Return whether a condition lets only fixed callers or places through."""
    for operator, keys in conditions.items():
        if "Not" in operator or operator.endswith("IfExists") or operator == "Null":
            continue
        for key, values in keys.items():
            if key.lower() in NARROWING and all(_is_fixed(key.lower(), str(value)) for value in listed(values)):
                return True
    return False


def _is_fixed(key: str, value: str) -> bool:
    if key == "aws:sourceip":
        return value not in ("0.0.0.0/0", "::/0")
    account = value.split(":")[4:5] if value.startswith("arn:") else [value]
    return not any(sign in text for text in account for sign in "*?")
