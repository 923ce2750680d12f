"""What is set on a bucket: location, ACL, policy, tags. Source: Amazon S3 API Reference."""

from typing import Any

from apitrail.identity.policy_document import MalformedPolicyDocument, validate_policy_document
from apitrail.services.buckets import POLICY, buckets, policy_of
from apitrail.services.context import Context
from apitrail.services.operation import operation
from apitrail.services.s3.access import Params, check_offered, own_bucket
from apitrail.services.s3.buckets import FIRST_REGION
from apitrail.services.s3.errors import refuse
from apitrail.services.s3.names import BUCKET_TAGS_MAX, owner, read_tags, tag_set
from apitrail.services.s3.public import blocks_policies, is_public
from apitrail.services.s3.reading import acl
from apitrail.store.resources import Doc

POLICY_BYTES_MAX = 20 * 1024
TAGS = "_Tags"


def change_bucket(ctx: Context, params: Params, member: str, value: Any) -> dict[str, Any]:
    """Set a member of a bucket's document, or remove it for None."""
    row = own_bucket(ctx, params)
    changed: Doc = {name: kept for name, kept in row.items() if name != member}
    if value is not None:
        changed[member] = value
    buckets(ctx.tx).put(row["Name"], changed)
    return {"_Owner": row["OwnerAccount"]}


@operation
def get_bucket_location(ctx: Context, params: Params) -> dict[str, Any]:
    """Return a bucket's region, empty for us-east-1. Raises: NoSuchBucket."""
    row = own_bucket(ctx, params)
    region = "" if row["Region"] == FIRST_REGION else row["Region"]
    return {"LocationConstraint": region, "_Owner": row["OwnerAccount"]}


@operation
def get_bucket_acl(ctx: Context, params: Params) -> dict[str, Any]:
    """Return the one ACL that buckets have here. Raises: NoSuchBucket."""
    return acl(own_bucket(ctx, params)["OwnerAccount"])


@operation
def put_bucket_acl(ctx: Context, params: Params) -> dict[str, Any]:
    """Accept the ACL that a bucket has anyway. Raises: AccessControlListNotSupported for any other, NoSuchBucket."""
    row = own_bucket(ctx, params)
    check_offered(params)
    wanted = acl(row["OwnerAccount"])
    grants = (params.get("AccessControlPolicy") or {}).get("Grants", wanted["Grants"])
    mine = owner(row["OwnerAccount"])["ID"]
    if [(grant.get("Grantee", {}).get("ID"), grant.get("Permission")) for grant in grants] != [(mine, "FULL_CONTROL")]:
        raise refuse("AccessControlListNotSupported")
    return {"_Owner": row["OwnerAccount"]}


@operation
def get_bucket_policy(ctx: Context, params: Params) -> dict[str, Any]:
    """Return the policy as it was put. Raises: NoSuchBucketPolicy, NoSuchBucket."""
    row = own_bucket(ctx, params)
    if POLICY not in row:
        raise refuse("NoSuchBucketPolicy", BucketName=row["Name"])
    return {"Policy": row[POLICY], "_Owner": row["OwnerAccount"]}


@operation
def put_bucket_policy(ctx: Context, params: Params) -> dict[str, Any]:
    """Keep a policy of at most 20 KB for a bucket. Raises: MalformedPolicy, NoSuchBucket."""
    row, text = own_bucket(ctx, params), params["Policy"]
    if len(text.encode()) > POLICY_BYTES_MAX:
        raise refuse("MalformedPolicy", f"Policies may have at most {POLICY_BYTES_MAX} bytes.")
    try:
        document = validate_policy_document(text, "resource")
    except MalformedPolicyDocument as error:
        raise refuse("MalformedPolicy", error.message) from error
    if blocks_policies(row) and is_public(document):
        raise refuse("AccessDenied", "User is not allowed to put a public policy: the bucket blocks public policies.")
    if not all(_is_within(arn, row["Name"]) for arn in _resources(document)):
        raise refuse("MalformedPolicy", "Policy has invalid resource")
    return change_bucket(ctx, params, POLICY, text)


def _resources(document: dict[str, Any]) -> list[str]:
    statements = document["Statement"]
    found: list[str] = []
    for statement in statements if isinstance(statements, list) else [statements]:
        resources = statement.get("Resource", statement.get("NotResource", []))
        found += [resources] if isinstance(resources, str) else resources
    return found


def _is_within(arn: str, bucket: str) -> bool:
    """Return whether an ARN names the bucket or objects in it."""
    name = arn.rpartition(":::")[2].partition("/")[0]
    return arn.startswith("arn:") and name == bucket


@operation
def get_bucket_policy_status(ctx: Context, params: Params) -> dict[str, Any]:
    """Return whether a bucket's policy is public. Raises: NoSuchBucketPolicy, NoSuchBucket."""
    row = own_bucket(ctx, params)
    document = policy_of(row)
    if document is None:
        raise refuse("NoSuchBucketPolicy", BucketName=row["Name"])
    return {"PolicyStatus": {"IsPublic": is_public(document)}, "_Owner": row["OwnerAccount"]}


@operation
def delete_bucket_policy(ctx: Context, params: Params) -> dict[str, Any]:
    """Remove a bucket's policy, if there is one. Raises: NoSuchBucket."""
    return change_bucket(ctx, params, POLICY, None)


@operation
def get_bucket_tagging(ctx: Context, params: Params) -> dict[str, Any]:
    """Return a bucket's tags. Raises: NoSuchTagSet, NoSuchBucket."""
    row = own_bucket(ctx, params)
    if not row.get(TAGS):
        raise refuse("NoSuchTagSet", BucketName=row["Name"])
    return {"TagSet": tag_set(row[TAGS]), "_Owner": row["OwnerAccount"]}


@operation
def put_bucket_tagging(ctx: Context, params: Params) -> dict[str, Any]:
    """Replace a bucket's tags. Raises: InvalidTag, NoSuchBucket."""
    return change_bucket(ctx, params, TAGS, read_tags(params["Tagging"]["TagSet"], BUCKET_TAGS_MAX))


@operation
def delete_bucket_tagging(ctx: Context, params: Params) -> dict[str, Any]:
    """Remove a bucket's tags. Raises: NoSuchBucket."""
    return change_bucket(ctx, params, TAGS, None)
