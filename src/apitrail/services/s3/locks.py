"""Object lock of buckets, and retention and legal hold of versions. Source: Amazon S3 API Reference."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from apitrail.objects.bucket import COMPLIANCE, GOVERNANCE, Facts, ObjectInfo
from apitrail.objects.folder import FolderBucket
from apitrail.objects.past import NULL
from apitrail.objects.state import ENABLED
from apitrail.services.context import Context
from apitrail.services.operation import Deed, effect, operation
from apitrail.services.runtime import Runtime
from apitrail.services.s3.access import Params, own_bucket
from apitrail.services.s3.claims import LOCKING, settle
from apitrail.services.s3.configuration import change_bucket
from apitrail.services.s3.effects import CONFIGURE
from apitrail.services.s3.errors import refuse
from apitrail.services.s3.reading import Found, look
from apitrail.services.s3.retention import (
    LOCK,
    PROTECTED,
    check_lockable,
    may_retain,
    read_retention,
    uses_bypass,
)
from apitrail.services.s3.versions import VERSIONING
from apitrail.store.resources import Doc

DAYS_MAX, YEARS_MAX = 36_500, 100
HOLDS = ("ON", "OFF")


@operation
def put_object_lock_configuration(ctx: Context, params: Params) -> dict[str, Any]:
    """Give a bucket object lock, for good, and replace the retention that new objects get by default.

    Raises: MalformedXML, InvalidArgument, InvalidBucketState (versioning is not on), NotImplemented, NoSuchBucket.
    """
    asked = params.get("ObjectLockConfiguration") or {}
    if asked.get("ObjectLockEnabled") != ENABLED:
        raise refuse("MalformedXML")
    default = _default(asked["Rule"]) if "Rule" in asked else {}
    if own_bucket(ctx, params).get(VERSIONING) != ENABLED:
        raise refuse(
            "InvalidBucketState", "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration"
        )
    answer = change_bucket(ctx, params, LOCK, default)
    ctx.effect(CONFIGURE, {"Bucket": params["Bucket"]})
    return answer


def _default(rule: Params) -> dict[str, Any]:
    """Return the default retention of a rule. Raises: MalformedXML, InvalidArgument, NotImplemented."""
    asked = rule.get("DefaultRetention") or {}
    if "DefaultEventHold" in asked:
        raise refuse("NotImplemented", "Holds by event are not offered here.")
    spans = [name for name in ("Days", "Years") if name in asked]
    if asked.get("Mode") not in (GOVERNANCE, COMPLIANCE) or len(spans) != 1:
        raise refuse("MalformedXML")
    span = asked[spans[0]]
    if span <= 0:
        raise refuse("InvalidArgument", "Default retention period must be a positive integer value.")
    if span > {"Days": DAYS_MAX, "Years": YEARS_MAX}[spans[0]]:
        raise refuse("InvalidArgument", "Default retention period too large")
    return {"Mode": asked["Mode"], spans[0]: span}


@operation
def get_object_lock_configuration(ctx: Context, params: Params) -> dict[str, Any]:
    """Return a bucket's object lock. Raises: ObjectLockConfigurationNotFoundError, NoSuchBucket."""
    row = own_bucket(ctx, params)
    if LOCK not in row:
        raise refuse("ObjectLockConfigurationNotFoundError", BucketName=row["Name"])
    rule = {"Rule": {"DefaultRetention": row[LOCK]}} if row[LOCK] else {}
    return {"ObjectLockConfiguration": {"ObjectLockEnabled": ENABLED, **rule}, "_Owner": row["OwnerAccount"]}


@operation(prepare=look)
def put_object_retention(ctx: Context, params: Params) -> dict[str, Any]:
    """Keep a version until a time; an empty Retention ends it.

    Raises: AccessDenied where the retention that there is may not be changed so; InvalidRequest without object lock,
    InvalidArgument, MalformedXML, NoSuchKey, NoSuchVersion, MethodNotAllowed (delete marker), NoSuchBucket.
    """
    found: Found = ctx.prepared
    row = own_bucket(ctx, params)
    check_lockable(row)
    mode, until = read_retention(params.get("Retention") or {}, ctx.now)
    bypass = uses_bypass(ctx, row, params["Key"])
    if not may_retain(found.info.facts, mode, until, bypass, ctx.now):
        raise refuse("AccessDenied", PROTECTED)
    settle(ctx, params)
    _ask_lock(ctx, row, found.info, {"lock_mode": mode, "lock_until": until}, bypass)
    return {"_Owner": row["OwnerAccount"]}


@operation(prepare=look)
def get_object_retention(ctx: Context, params: Params) -> dict[str, Any]:
    """Return the retention of a version. Raises: NoSuchObjectLockConfiguration, InvalidRequest, NoSuchKey, NoSuchBucket."""
    found: Found = ctx.prepared
    check_lockable(found.row)
    facts = found.info.facts
    if not facts.lock_mode:
        raise refuse("NoSuchObjectLockConfiguration")
    retention = {"Mode": facts.lock_mode, "RetainUntilDate": datetime.fromtimestamp(facts.lock_until, UTC)}
    return {"Retention": retention, "_Owner": found.row["OwnerAccount"]}


@operation(prepare=look)
def put_object_legal_hold(ctx: Context, params: Params) -> dict[str, Any]:
    """Keep a version until somebody ends the hold. Raises: InvalidRequest, MalformedXML, NoSuchKey, NoSuchBucket."""
    found: Found = ctx.prepared
    row = own_bucket(ctx, params)
    check_lockable(row)
    status = (params.get("LegalHold") or {}).get("Status")
    if status not in HOLDS:
        raise refuse("MalformedXML")
    settle(ctx, params)
    _ask_lock(ctx, row, found.info, {"legal_hold": status}, False)
    return {"_Owner": row["OwnerAccount"]}


@operation(prepare=look)
def get_object_legal_hold(ctx: Context, params: Params) -> dict[str, Any]:
    """Return whether a version is held. Raises: NoSuchObjectLockConfiguration, InvalidRequest, NoSuchKey, NoSuchBucket."""
    found: Found = ctx.prepared
    check_lockable(found.row)
    if not found.info.facts.legal_hold:
        raise refuse("NoSuchObjectLockConfiguration")
    return {"LegalHold": {"Status": found.info.facts.legal_hold}, "_Owner": found.row["OwnerAccount"]}


def _ask_lock(ctx: Context, row: Doc, info: ObjectInfo, facts: dict[str, Any], bypass: bool) -> None:
    doc = {"Bucket": row["Name"], "Keys": [info.key], "Version": info.facts.version or NULL, "Facts": facts}
    ctx.effect(LOCKING, {**doc, "Bypass": bypass, "At": ctx.now})


@effect(LOCKING)
async def lock(runtime: Runtime, deed: Deed) -> None:
    """Lock a version, unless a retention came first that may not be changed so any more."""
    bucket, new = runtime.bucket(deed.doc["Bucket"]), deed.doc["Facts"]

    def change(facts: Facts) -> Facts:
        if "lock_mode" in new and not may_retain(
            facts, new["lock_mode"], new["lock_until"], deed.doc["Bypass"], deed.doc["At"]
        ):
            return facts
        return replace(facts, **new)

    assert isinstance(bucket, FolderBucket)
    await bucket.amend(deed.doc["Keys"][0], change, version=deed.doc["Version"])
