"""Lifecycle configurations of buckets, and restoring what they archived. Source: Amazon S3 API Reference."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from apitrail.identity.principal import Principal
from apitrail.objects.folder import FolderBucket
from apitrail.objects.past import NULL
from apitrail.services.context import Context
from apitrail.services.operation import Deed, effect, operation, timer
from apitrail.services.runtime import Runtime
from apitrail.services.s3.access import Params, own_bucket, prepare_step
from apitrail.services.s3.configuration import change_bucket
from apitrail.services.s3.effects import ask_amend
from apitrail.services.s3.errors import refuse
from apitrail.services.s3.facts import LIFECYCLE
from apitrail.services.s3.foreign import FOREIGN, foreign_bucket, hand_over, remove_rules, rules_of
from apitrail.services.s3.reading import Found, look
from apitrail.services.s3.rules import Rule, after_days, check_rules
from apitrail.store.resources import Doc
from apitrail.wire.call import Call

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


@dataclass(frozen=True, slots=True)
class Taken:
    """Rules that are checked. foreign: of a bucket at the foreign store. is_theirs: the store follows them."""

    rules: list[Rule] | None
    foreign: bool = False
    is_theirs: bool = False


@prepare_step
async def find_rules(runtime: Runtime, call: Call, principal: Principal) -> Taken:
    """Look at the rules of a bucket at the foreign store."""
    found = await foreign_bucket(runtime, call, principal)
    return Taken(None) if found is None else Taken(await rules_of(found), foreign=True)


@operation(prepare=find_rules)
def get_bucket_lifecycle_configuration(ctx: Context, params: Params) -> dict[str, Any]:
    """Return a bucket's lifecycle rules. Raises: NoSuchLifecycleConfiguration, NoSuchBucket."""
    found: Taken = ctx.prepared
    row = {} if found.foreign else own_bucket(ctx, params)
    rules = found.rules if found.foreign else row.get(LIFECYCLE)
    if rules is None:
        raise refuse("NoSuchLifecycleConfiguration", BucketName=params["Bucket"])
    return {"Rules": rules, "_Owner": row.get("OwnerAccount", ctx.account)}


@prepare_step
async def take_rules(runtime: Runtime, call: Call, principal: Principal) -> Taken:
    """Check rules, and hand those of a bucket at the foreign store over to it."""
    rules = [dict(rule) for rule in (call.params.get("LifecycleConfiguration") or {}).get("Rules", ())]
    check_rules(rules)
    for rule in rules:
        rule.setdefault("ID", runtime.ids.token(48))
    found = await foreign_bucket(runtime, call, principal)
    return Taken(rules) if found is None else Taken(rules, True, await hand_over(found, rules))


@operation(prepare=take_rules)
def put_bucket_lifecycle_configuration(ctx: Context, params: Params) -> dict[str, Any]:
    """Replace a bucket's lifecycle rules, at most 1000; they are followed at once and then daily.

    For a trail's bucket at a foreign store: by the store, where it offers that.
    Raises: MalformedXML, InvalidArgument, InvalidRequest, NoSuchBucket; NotImplemented and more by a foreign store.
    """
    taken: Taken = ctx.prepared
    ctx.wake(WORKER)
    if not taken.foreign:
        return change_bucket(ctx, params, LIFECYCLE, taken.rules)
    _keep(ctx, params["Bucket"], None if taken.is_theirs else taken.rules)
    return {"_Owner": ctx.account}


def _keep(ctx: Context, bucket: str, rules: list[Rule] | None) -> None:
    """Keep the rules of a bucket at the foreign store that are followed here, or None."""
    if rules is None:
        FOREIGN(ctx).delete(bucket)
    else:
        FOREIGN(ctx).put(bucket, {"Bucket": bucket, "Rules": rules})


@prepare_step
async def drop_rules(runtime: Runtime, call: Call, principal: Principal) -> Taken:
    """Take the rules of a bucket at the foreign store away from it."""
    found = await foreign_bucket(runtime, call, principal)
    if found is not None:
        await remove_rules(found)
    return Taken(None, foreign=found is not None)


@operation(prepare=drop_rules)
def delete_bucket_lifecycle(ctx: Context, params: Params) -> dict[str, Any]:
    """Remove a bucket's lifecycle rules, if there are any. Raises: NoSuchBucket."""
    if not ctx.prepared.foreign:
        return change_bucket(ctx, params, LIFECYCLE, None)
    _keep(ctx, params["Bucket"], None)
    return {"_Owner": ctx.account}


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
