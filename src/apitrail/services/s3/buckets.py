"""Buckets: making, removing and listing them. Source: Amazon S3 API Reference."""

from typing import Any

from apitrail.identity.principal import Principal
from apitrail.objects.bucket import Bucket
from apitrail.objects.folder import FolderBucket
from apitrail.objects.state import ENABLED
from apitrail.services.buckets import CREATE_FOLDER, buckets
from apitrail.services.context import Context
from apitrail.services.operation import operation
from apitrail.services.runtime import Runtime
from apitrail.services.s3.access import Params, check_offered, open_bucket, own_bucket, prepare_step
from apitrail.services.s3.claims import claim, is_unwritten, settle
from apitrail.services.s3.effects import CONFIGURE, REMOVE_BUCKET
from apitrail.services.s3.errors import refuse
from apitrail.services.s3.listing import make_position, read_position
from apitrail.services.s3.multipart import drop_uploads
from apitrail.services.s3.names import BUCKET_TAGS_MAX, is_bucket_name, owner, read_tags
from apitrail.services.s3.public import BLOCK, BLOCKS, ENFORCED, OWNERSHIP
from apitrail.services.s3.retention import LOCK
from apitrail.services.s3.templates import is_template_bucket
from apitrail.services.s3.versions import VERSIONING
from apitrail.store.resources import Doc
from apitrail.wire.call import Call

BUCKETS_MAX = 10_000
FIRST_REGION = "us-east-1"
OLD_NAMES = {"EU": "eu-west-1"}


@operation
def create_bucket(ctx: Context, params: Params) -> dict[str, Any]:
    """Make a bucket; its name is taken for all accounts. Its region is the location constraint, which must be that of the call.

    Raises: InvalidBucketName, BucketAlreadyOwnedByYou, BucketAlreadyExists, IllegalLocationConstraintException, TooManyBuckets.
    """
    name, configuration = params["Bucket"], params.get("CreateBucketConfiguration") or {}
    check_offered(params)
    if params.get("ObjectOwnership", ENFORCED) != ENFORCED:
        raise refuse("NotImplemented", f"Only {ENFORCED} is offered here, as there are no ACLs.")
    if not is_bucket_name(name):
        raise refuse("InvalidBucketName", BucketName=name)
    _check_location(ctx, configuration.get("LocationConstraint", ""))
    _check_free(ctx, name)
    row: Doc = {"Name": name, "OwnerAccount": ctx.account, "Region": ctx.region, "CreationDate": ctx.now}
    row[BLOCK] = dict.fromkeys(BLOCKS, True)
    row[OWNERSHIP] = ENFORCED
    if configuration.get("Tags"):
        row["_Tags"] = read_tags(configuration["Tags"], BUCKET_TAGS_MAX)
    if params.get("ObjectLockEnabledForBucket"):
        row |= {VERSIONING: ENABLED, LOCK: {}}
    buckets(ctx.tx).put(name, row)
    ctx.effect(CONFIGURE if LOCK in row else CREATE_FOLDER, {"Bucket": name})
    return {"Location": f"/{name}", "_Owner": ctx.account}


def _check_location(ctx: Context, constraint: str) -> None:
    asked = OLD_NAMES.get(constraint, constraint) or FIRST_REGION
    if asked != ctx.region:
        shown = constraint or "unspecified"
        raise refuse(
            "IllegalLocationConstraintException",
            f"The {shown} location constraint is incompatible for the region specific endpoint this request was sent to.",
        )


def _check_free(ctx: Context, name: str) -> None:
    documents = buckets(ctx.tx)
    row = documents.get(name)
    if is_template_bucket(name):
        raise refuse("BucketAlreadyExists", BucketName=name)
    if row is not None:
        raise refuse(
            "BucketAlreadyOwnedByYou" if row["OwnerAccount"] == ctx.account else "BucketAlreadyExists", BucketName=name
        )
    if documents.count("OwnerAccount", ctx.account) >= BUCKETS_MAX:
        raise refuse("TooManyBuckets")


@prepare_step
async def before_removal(runtime: Runtime, call: Call, principal: Principal) -> None:
    """See that a bucket is empty, and claim it so that it still is in the transaction."""
    _, bucket = await open_bucket(runtime, call, principal)
    if not await claim(runtime, call, principal):
        raise refuse("BucketNotEmpty", BucketName=call.params["Bucket"])
    if isinstance(bucket, FolderBucket):
        await bucket.create()
    if (await bucket.list(limit=1)).objects or await has_versions(bucket):
        raise refuse("BucketNotEmpty", BucketName=call.params["Bucket"])


async def has_versions(bucket: Bucket) -> bool:
    """Return whether a bucket has versions or delete markers."""
    return isinstance(bucket, FolderBucket) and bool((await bucket.list_versions(limit=1)).versions)


@operation(prepare=before_removal)
def delete_bucket(ctx: Context, params: Params) -> dict[str, Any]:
    """Remove an empty bucket, with its unfinished uploads. Raises: NoSuchBucket, BucketNotEmpty."""
    row = own_bucket(ctx, params)
    if not is_unwritten(ctx, params):
        raise refuse("BucketNotEmpty", BucketName=row["Name"])
    settle(ctx, params)
    drop_uploads(ctx, row["Name"])
    buckets(ctx.tx).delete(row["Name"])
    ctx.effect(REMOVE_BUCKET, {"Bucket": row["Name"]})
    return {"_Owner": row["OwnerAccount"]}


@operation
def head_bucket(ctx: Context, params: Params) -> dict[str, Any]:
    """Tell that a bucket is there and where. Raises: NoSuchBucket, AccessDenied."""
    row = own_bucket(ctx, params)
    return {"BucketRegion": row["Region"], "AccessPointAlias": False, "_Owner": row["OwnerAccount"]}


@operation
def list_buckets(ctx: Context, params: Params) -> dict[str, Any]:
    """Return the caller's buckets by name, at most MaxBuckets of them. Raises: InvalidArgument."""
    limit = params.get("MaxBuckets", BUCKETS_MAX)
    after = read_position(params["ContinuationToken"]) if "ContinuationToken" in params else ""
    prefix, region = params.get("Prefix", ""), params.get("BucketRegion")
    rows = sorted(
        (entry.doc for entry in buckets(ctx.tx).find("OwnerAccount", ctx.account)), key=lambda row: row["Name"]
    )
    found = [
        row
        for row in rows
        if row["Name"] > after and row["Name"].startswith(prefix) and region in (None, row["Region"])
    ]
    page = found[:limit]
    return {
        "Buckets": [
            {"Name": row["Name"], "CreationDate": row["CreationDate"], "BucketRegion": row["Region"]} for row in page
        ],
        "Owner": owner(ctx.account),
        "Prefix": params.get("Prefix"),
        "ContinuationToken": make_position(page[-1]["Name"]) if page and len(found) > limit else None,
    }
