"""DeleteObject and DeleteObjects: removing objects, hiding them behind delete markers, removing versions for good.

Source: Amazon S3 User Guide, "Deleting object versions from a versioning-enabled bucket".
"""

from dataclasses import dataclass
from typing import Any

from apitrail.arn import make_arn
from apitrail.errors import ServiceError
from apitrail.identity.principal import Principal
from apitrail.objects.bucket import ObjectInfo, check_key
from apitrail.objects.folder import FolderBucket
from apitrail.objects.past import NULL
from apitrail.services.context import Context
from apitrail.services.operation import operation
from apitrail.services.runtime import Runtime
from apitrail.services.s3.access import Params, check_allowed, open_bucket, own_bucket, prepare_step
from apitrail.services.s3.claims import check_conditions, settle
from apitrail.services.s3.effects import ask_drop, ask_mark, ask_remove
from apitrail.services.s3.errors import refuse
from apitrail.services.s3.retention import PROTECTED, check_removal
from apitrail.services.s3.versions import VERSIONING, new_version, shown_version
from apitrail.store.resources import Doc
from apitrail.wire.call import Call

DELETED_MAX = 1000
Chosen = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Doomed:
    """What was looked at before a deletion: the versions that are named, by key and id; None where there is none."""

    versions: dict[Chosen, ObjectInfo | None]


@prepare_step
async def before_delete(runtime: Runtime, call: Call, principal: Principal) -> Doomed:
    """Check a deletion's conditions, and look at the versions that it names."""
    _, bucket = await open_bucket(runtime, call, principal)
    params = call.params
    if "Key" in params:
        check_key(params["Key"])
        await check_conditions(runtime, call, principal, bucket)
    asked = [params] if "Key" in params else params["Delete"]["Objects"][:DELETED_MAX]
    named = [(one["Key"], one["VersionId"]) for one in asked if one.get("VersionId")]
    if not isinstance(bucket, FolderBucket):
        return Doomed({})
    return Doomed({(key, version): await bucket.head(key, version=version) for key, version in named})


@operation(prepare=before_delete)
def delete_object(ctx: Context, params: Params) -> dict[str, Any]:
    """Remove an object, put a delete marker on it, or remove the version that is named; it is no error when there is none.

    Raises: NoSuchBucket, PreconditionFailed; AccessDenied for a locked version; NoSuchVersion where a bucket never kept versions.
    """
    row = own_bucket(ctx, params)
    if _is_unknown(row, params):
        raise refuse("NoSuchVersion", Key=params["Key"], VersionId=params["VersionId"])
    bypass = _check_lock(ctx, row, params)
    settle(ctx, params, params["Key"])
    told = _delete(ctx, row, [params], bypass)[0]
    shown = {
        "DeleteMarker": told.get("DeleteMarker"),
        "VersionId": told.get("DeleteMarkerVersionId", told.get("VersionId")),
    }
    return {**shown, "_Owner": row["OwnerAccount"]}


@operation(prepare=before_delete)
def delete_objects(ctx: Context, params: Params) -> dict[str, Any]:
    """Remove up to 1000 objects or versions; each is told, unless quiet. Raises: NoSuchBucket, MalformedXML."""
    row = own_bucket(ctx, params)
    asked = params["Delete"]["Objects"]
    if not 0 < len(asked) <= DELETED_MAX:
        raise refuse("MalformedXML")
    refusals = [_undeletable(ctx, row, one) for one in asked]
    chosen = [one for one, failed in zip(asked, refusals, strict=True) if not failed]
    settle(ctx, params, *(one["Key"] for one in chosen))
    told = _delete(ctx, row, chosen, bool(params.get("BypassGovernanceRetention")))
    deleted = [] if params["Delete"].get("Quiet") else told
    return {"Deleted": deleted, "Errors": [one for one in refusals if one], "_Owner": row["OwnerAccount"]}


def _check_lock(ctx: Context, row: Doc, one: Any) -> bool:
    """Refuse the removal of a locked version; return whether governance mode is set aside. Raises: AccessDenied."""
    doomed: Doomed = ctx.prepared
    info = doomed.versions.get((one["Key"], one.get("VersionId", "")))
    return check_removal(ctx, row, one["Key"], info.facts) if info is not None else False


def _delete(ctx: Context, row: Doc, chosen: list[Any], bypass: bool) -> list[dict[str, Any]]:
    """Ask for objects and versions to be removed; return what is told of each."""
    doomed: Doomed = ctx.prepared
    dropped = [(one["Key"], one["VersionId"]) for one in chosen if one.get("VersionId")]
    keys = list(dict.fromkeys(one["Key"] for one in chosen if not one.get("VersionId")))
    markers = {key: new_version(ctx, row) for key in keys} if VERSIONING in row else {}
    if dropped:
        ask_drop(ctx, row["Name"], dropped, bypass)
    if markers:
        ask_mark(ctx, row["Name"], markers)
    elif keys:
        ask_remove(ctx, row["Name"], keys)
    return [_told(row, one, doomed, markers) for one in chosen]


def _told(row: Doc, one: Any, doomed: Doomed, markers: dict[str, str]) -> dict[str, Any]:
    key, version = one["Key"], one.get("VersionId")
    if version:
        info = doomed.versions.get((key, version))
        marker = {"DeleteMarker": True, "DeleteMarkerVersionId": version} if info and info.facts.is_marker else {}
        return {"Key": key, "VersionId": version, **marker}
    if key not in markers:
        return {"Key": key}
    shown = shown_version(row, markers[key])
    return {"Key": key, "DeleteMarker": True, "DeleteMarkerVersionId": shown["VersionId"]}


def _is_unknown(row: Doc, one: Any) -> bool:
    """Return whether a version is named that cannot be, as the bucket never kept versions."""
    return VERSIONING not in row and (one.get("VersionId") or NULL) != NULL


def _undeletable(ctx: Context, row: Doc, one: Any) -> dict[str, str] | None:
    """Return why a key of DeleteObjects cannot be removed."""
    assert ctx.call is not None
    assert ctx.principal is not None
    failed = {name: one[name] for name in ("Key", "VersionId") if one.get(name)}
    action = "s3:DeleteObjectVersion" if one.get("VersionId") else "s3:DeleteObject"
    arn = make_arn("s3", "", "", f"{row['Name']}/{one['Key']}")
    try:
        check_allowed(row, ctx.call, ctx.principal, ctx.now, action, arn)
        _check_lock(ctx, row, one)
    except ServiceError as error:
        is_locked = error.message == PROTECTED
        return {**failed, "Code": "AccessDenied", "Message": PROTECTED if is_locked else "Access Denied"}
    if _is_unknown(row, one):
        return {**failed, "Code": "NoSuchVersion", "Message": "The specified version does not exist."}
    if {"ETag", "LastModifiedTime", "Size"} & one.keys():
        return {**failed, "Code": "NotImplemented", "Message": "Conditions on single keys are not offered here."}
    return None
