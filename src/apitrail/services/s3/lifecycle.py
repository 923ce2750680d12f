"""Lifecycle configurations of buckets, and restoring what they archived. Source: Amazon S3 API Reference."""

from http import HTTPStatus
from typing import Any

from apitrail.objects.folder import FolderBucket
from apitrail.objects.past import NULL
from apitrail.services.context import Context
from apitrail.services.operation import Deed, effect, operation, timer
from apitrail.services.runtime import Runtime
from apitrail.services.s3.access import Params, own_bucket
from apitrail.services.s3.configuration import change_bucket
from apitrail.services.s3.effects import ask_amend
from apitrail.services.s3.errors import refuse
from apitrail.services.s3.facts import LIFECYCLE
from apitrail.services.s3.reading import Found, look
from apitrail.services.s3.rules import after_days, check_rules
from apitrail.store.resources import Doc

RESTORED = "s3/restored"
UNPACK = "s3/unpack"
WORKER = "lifecycle"
HOUR_S = 3600.0
# AWS's usual time of a restore in hours, by storage class and tier
DELAYS_H = {
    ("GLACIER", "Expedited"): 0.05,
    ("GLACIER", "Standard"): 4.0,
    ("GLACIER", "Bulk"): 8.0,
    ("DEEP_ARCHIVE", "Standard"): 12.0,
    ("DEEP_ARCHIVE", "Bulk"): 48.0,
}
DELAY_SCALE = 1 / 3600
"""Hours of AWS take seconds here."""


@operation
def get_bucket_lifecycle_configuration(ctx: Context, params: Params) -> dict[str, Any]:
    """Return a bucket's lifecycle rules. Raises: NoSuchLifecycleConfiguration, NoSuchBucket."""
    row = own_bucket(ctx, params)
    if LIFECYCLE not in row:
        raise refuse("NoSuchLifecycleConfiguration", BucketName=row["Name"])
    return {"Rules": row[LIFECYCLE], "_Owner": row["OwnerAccount"]}


@operation
def put_bucket_lifecycle_configuration(ctx: Context, params: Params) -> dict[str, Any]:
    """Replace a bucket's lifecycle rules, at most 1000; they are followed at once and then daily.

    Raises: MalformedXML, InvalidArgument, InvalidRequest, NoSuchBucket.
    """
    rules = [dict(rule) for rule in (params.get("LifecycleConfiguration") or {}).get("Rules", ())]
    check_rules(rules)
    for rule in rules:
        rule.setdefault("ID", ctx.ids.token(48))
    ctx.wake(WORKER)
    return change_bucket(ctx, params, LIFECYCLE, rules)


@operation
def delete_bucket_lifecycle(ctx: Context, params: Params) -> dict[str, Any]:
    """Remove a bucket's lifecycle rules, if there are any. Raises: NoSuchBucket."""
    return change_bucket(ctx, params, LIFECYCLE, None)


@operation(prepare=look)
def restore_object(ctx: Context, params: Params) -> dict[str, Any]:
    """Ask for a readable copy of an archived object for some days; for one that has a copy, change how long it stays.

    The status is 202 in the first case and 200 in the second. Inferred: the copy takes seconds where AWS takes hours.
    Raises: InvalidObjectState, RestoreAlreadyInProgress, InvalidArgument, MalformedXML, NoSuchKey, NoSuchVersion.
    """
    found: Found = ctx.prepared
    facts, request = found.info.facts, params.get("RestoreRequest") or {}
    days, tier = request.get("Days", 0), (request.get("GlacierJobParameters") or {}).get("Tier", "Standard")
    row = own_bucket(ctx, params)
    if not facts.is_archived:
        raise refuse("InvalidObjectState", "Restore is not allowed for the object's current storage class")
    if facts.restoring:
        raise refuse("RestoreAlreadyInProgress")
    if days < 1:
        raise refuse("MalformedXML")
    if (facts.storage_class, tier) not in DELAYS_H:
        raise refuse("InvalidArgument", f"{tier} retrievals are not offered for {facts.storage_class}.")
    doc: Doc = {"Bucket": row["Name"], "Key": params["Key"], "Version": facts.version or NULL, "Days": days}
    ask_amend(ctx, row["Name"], found.info, restoring=True)
    has_copy = facts.restored_until > ctx.now.timestamp()
    ctx.schedule(RESTORED, doc, 0.0 if has_copy else DELAYS_H[facts.storage_class, tier] * HOUR_S * DELAY_SCALE)
    return {"_Owner": row["OwnerAccount"], "_Status": HTTPStatus.OK if has_copy else HTTPStatus.ACCEPTED}


@timer(RESTORED)
def restored(ctx: Context, doc: Doc) -> None:
    """Have the copy made, for its days from now on."""
    until = after_days(ctx.now, doc["Days"])
    ctx.effect(UNPACK, {**doc, "Until": int(until.timestamp())})


@effect(UNPACK)
async def unpack(runtime: Runtime, deed: Deed) -> None:
    """Make the readable copy of an archived version."""
    bucket = runtime.bucket(deed.doc["Bucket"])
    if isinstance(bucket, FolderBucket):
        await bucket.restore(deed.doc["Key"], deed.doc["Version"], deed.doc["Until"])
