"""PutObject, CopyObject, DeleteObject, DeleteObjects and tags of objects. Source: Amazon S3 API Reference.

A write is staged and verified before the transaction, noted in it, and placed after it (see effects); the answer waits for that.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus

from apitrail.arn import make_arn
from apitrail.errors import ServiceError
from apitrail.identity.actions import further_needs
from apitrail.identity.principal import Principal
from apitrail.objects.bucket import Facts, ObjectInfo, check_key
from apitrail.objects.folder import FolderBucket
from apitrail.services.buckets import buckets
from apitrail.services.context import Context
from apitrail.services.operation import operation
from apitrail.services.runtime import Runtime
from apitrail.services.s3 import bodies, checksums
from apitrail.services.s3.access import (
    Params,
    check_allowed,
    check_owner,
    open_bucket,
    or_discard,
    own_bucket,
    prepare_step,
)
from apitrail.services.s3.bodies import OBJECT_BYTES_MAX, Body
from apitrail.services.s3.claims import check_conditions, settle
from apitrail.services.s3.conditions import check_read
from apitrail.services.s3.effects import ask_place, ask_remove, ask_tags
from apitrail.services.s3.errors import refuse
from apitrail.services.s3.facts import facts_of, with_body
from apitrail.services.s3.names import OBJECT_TAGS_MAX, read_tags, tag_set
from apitrail.services.s3.reading import Found, find_object, look
from apitrail.store.database import Tx
from apitrail.store.resources import Doc
from apitrail.wire.call import Call

DELETED_MAX = 1000


@dataclass(frozen=True, slots=True)
class Staged:
    """A body that is ready to become an object with these facts."""

    body: Body
    facts: Facts


def supported(algorithm: str | None) -> list[str]:
    """Return the checksum algorithm that a call asks for, as a list of one or none. Raises: InvalidRequest."""
    if algorithm is None:
        return []
    if algorithm not in checksums.ALGORITHMS:
        raise refuse("NotImplemented", f"The checksum algorithm {algorithm} is not offered here.")
    return [algorithm]


@prepare_step
async def stage_object(runtime: Runtime, call: Call, principal: Principal) -> Staged:
    """Stage the body of a PutObject."""
    check_key(call.params["Key"])
    _, bucket = await open_bucket(runtime, call, principal)
    facts = facts_of(call.params)
    await check_conditions(runtime, call, principal, bucket)
    body = await bodies.take_body(runtime, call)
    return Staged(body, with_body(facts, body.md5, body.checksums))


@operation(prepare=stage_object)
def put_object(ctx: Context, params: Params) -> dict[str, Any]:
    """Store an object.

    Raises: NoSuchBucket, BadDigest, InvalidDigest, EntityTooLarge, KeyTooLongError, MetadataTooLarge, PreconditionFailed,
    ConditionalRequestConflict, NoSuchKey (If-Match), InvalidTag, NotImplemented.
    """
    staged: Staged = ctx.prepared
    row = settle_write(ctx, params, staged)
    ctx.additional = {"bytesTransferredIn": staged.body.size, "bytesTransferredOut": 0}
    return {
        "ETag": f'"{staged.facts.etag}"',
        **checksums.members(staged.facts.checksums),
        "_Owner": row["OwnerAccount"],
    }


def settle_write(ctx: Context, params: Params, staged: Staged) -> dict[str, Any]:
    """Check once more what must hold, ask for the object to be placed, and return the bucket's document."""
    try:
        row = own_bucket(ctx, params)
        settle(ctx, params, params["Key"])
    except ServiceError as error:
        raise or_discard(error, ctx, staged.body.name) from None
    ask_place(ctx, row["Name"], params["Key"], staged.body.name, staged.facts)
    return row


def read_source(text: str) -> dict[str, str]:
    """Return Bucket and Key (and VersionId) of an x-amz-copy-source header. Raises: InvalidArgument."""
    path, _, version = text.partition("?versionId=")
    bucket, _, key = unquote_plus(path.replace("+", "%2B")).lstrip("/").partition("/")
    if not bucket or not key:
        raise refuse("InvalidArgument", "Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
    if version and version != "null":
        raise refuse("NoSuchVersion", VersionId=version)
    return {"Bucket": bucket, "Key": key}


async def find_source(runtime: Runtime, call: Call, principal: Principal) -> tuple[Any, ObjectInfo]:
    """Return bucket and object that a copy is made of, under the conditions for it."""
    params = read_source(call.params["CopySource"])
    now = runtime.clock.now()
    row = await runtime.database.read(lambda tx: _source_row(tx, call, principal, now, params["Bucket"]))
    bucket = runtime.bucket(row["Name"])
    info = await bucket.head(params["Key"])
    if info is None:
        raise refuse("NoSuchKey", Key=params["Key"])
    check_read(call.params, info, "CopySource")
    return bucket, info


def _source_row(tx: Tx, call: Call, principal: Principal, now: datetime, name: str) -> Doc:
    """Return the bucket that a copy is made from. Raises: NoSuchBucket, AccessDenied."""
    row = buckets(tx).get(name)
    if row is None:
        raise refuse("NoSuchBucket", BucketName=name)
    check_owner(row, call.params.get("ExpectedSourceBucketOwner"))
    for action, resources in further_needs("s3", call.operation.name, call.params, call.region, principal.account):
        check_allowed(row, call, principal, now, action, resources[0])
    return row


def _copied_facts(params: Params, source: Facts) -> Facts:
    """Return the facts of a copy: the source's, or those of the request, as its directives say."""
    asked = facts_of(params)
    facts = asked if params.get("MetadataDirective") == "REPLACE" else source
    return replace(facts, tags=asked.tags if params.get("TaggingDirective") == "REPLACE" else source.tags)


@prepare_step
async def stage_copy(runtime: Runtime, call: Call, principal: Principal) -> Staged:
    """Stage a copy of an object."""
    params = call.params
    check_key(params["Key"])
    _, target = await open_bucket(runtime, call, principal)
    bucket, info = await find_source(runtime, call, principal)
    facts = _copied_facts(params, info.facts)
    same = read_source(params["CopySource"]) == {"Bucket": params["Bucket"], "Key": params["Key"]}
    if same and not {"REPLACE"} & {params.get("MetadataDirective"), params.get("TaggingDirective")}:
        raise refuse(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without changing the object's "
            "metadata, storage class, website redirect location or encryption attributes.",
        )
    if info.size > OBJECT_BYTES_MAX:
        raise refuse("InvalidRequest", "The specified copy source is larger than the maximum allowable size.")
    await check_conditions(runtime, call, principal, target)
    kept = [name for name, value in info.facts.checksums.items() if "-" not in value]
    algorithms = supported(params.get("ChecksumAlgorithm")) or kept
    body = await bodies.copy_body(runtime, await bucket.get(info.key), algorithms)
    return Staged(body, with_body(facts, body.md5, body.checksums))


@operation(prepare=stage_copy)
def copy_object(ctx: Context, params: Params) -> dict[str, Any]:
    """Store a copy of an object under another key, or in place with other metadata.

    Raises: NoSuchBucket, NoSuchKey, InvalidArgument, InvalidRequest, PreconditionFailed, ConditionalRequestConflict.
    """
    staged: Staged = ctx.prepared
    row = settle_write(ctx, params, staged)
    return {"CopyObjectResult": copied(staged), "_Owner": row["OwnerAccount"]}


def copied(staged: Staged) -> dict[str, Any]:
    """Return CopyObjectResult or CopyPartResult."""
    return {
        "ETag": f'"{staged.facts.etag}"',
        "LastModified": staged.body.modified,
        **checksums.members(staged.facts.checksums),
    }


@prepare_step
async def before_delete(runtime: Runtime, call: Call, principal: Principal) -> None:
    """Check a delete's conditions."""
    _, bucket = await open_bucket(runtime, call, principal)
    if "Key" in call.params:
        check_key(call.params["Key"])
        await check_conditions(runtime, call, principal, bucket)


@operation(prepare=before_delete)
def delete_object(ctx: Context, params: Params) -> dict[str, Any]:
    """Remove an object; it is no error when there is none. Raises: NoSuchBucket, PreconditionFailed."""
    row = own_bucket(ctx, params)
    settle(ctx, params, params["Key"])
    ask_remove(ctx, row["Name"], [params["Key"]])
    return {"_Owner": row["OwnerAccount"]}


@operation(prepare=before_delete)
def delete_objects(ctx: Context, params: Params) -> dict[str, Any]:
    """Remove up to 1000 objects; each is told, unless quiet. Raises: NoSuchBucket, MalformedXML."""
    row = own_bucket(ctx, params)
    asked = params["Delete"]["Objects"]
    if not 0 < len(asked) <= DELETED_MAX:
        raise refuse("MalformedXML")
    refusals = {at: _undeletable(ctx, row, one) for at, one in enumerate(asked)}
    errors = [failed for failed in refusals.values() if failed]
    keys = [one["Key"] for at, one in enumerate(asked) if not refusals[at]]
    settle(ctx, params, *keys)
    if keys:
        ask_remove(ctx, row["Name"], keys)
    deleted = [] if params["Delete"].get("Quiet") else [{"Key": key} for key in keys]
    return {"Deleted": deleted, "Errors": errors, "_Owner": row["OwnerAccount"]}


def _undeletable(ctx: Context, row: Doc, one: dict[str, Any]) -> dict[str, str] | None:
    """Return why a key of DeleteObjects cannot be removed."""
    assert ctx.call is not None
    assert ctx.principal is not None
    version = one.get("VersionId", "null")
    action = "s3:DeleteObjectVersion" if one.get("VersionId") else "s3:DeleteObject"
    arn = make_arn("s3", "", "", f"{row['Name']}/{one['Key']}")
    try:
        check_allowed(row, ctx.call, ctx.principal, ctx.now, action, arn)
    except ServiceError:
        return {"Key": one["Key"], "Code": "AccessDenied", "Message": "Access Denied"}
    if version != "null":
        message = "The specified version does not exist."
        return {"Key": one["Key"], "VersionId": version, "Code": "NoSuchVersion", "Message": message}
    if {"ETag", "LastModifiedTime", "Size"} & one.keys():
        message = "Conditions on single keys are not offered here."
        return {"Key": one["Key"], "Code": "NotImplemented", "Message": message}
    return None


@prepare_step
async def before_tagging(runtime: Runtime, call: Call, principal: Principal) -> Found:
    """Look whether the object is there and can be tagged."""
    row, bucket, info = await find_object(runtime, call, principal)
    if not isinstance(bucket, FolderBucket):
        raise refuse("NotImplemented", "Tags cannot be changed in a bucket that lies at another store.")
    return Found(row, info)


@operation(prepare=before_tagging)
def put_object_tagging(ctx: Context, params: Params) -> dict[str, Any]:
    """Replace the tags of an object. Raises: NoSuchKey, NoSuchBucket, InvalidTag."""
    tags = read_tags(params["Tagging"]["TagSet"], OBJECT_TAGS_MAX)
    row = own_bucket(ctx, params)
    settle(ctx, params)
    ask_tags(ctx, row["Name"], params["Key"], tags)
    return {"_Owner": row["OwnerAccount"]}


@operation(prepare=before_tagging)
def delete_object_tagging(ctx: Context, params: Params) -> dict[str, Any]:
    """Remove the tags of an object. Raises: NoSuchKey, NoSuchBucket."""
    row = own_bucket(ctx, params)
    settle(ctx, params)
    ask_tags(ctx, row["Name"], params["Key"], {})
    return {"_Owner": row["OwnerAccount"]}


@operation(prepare=look)
def get_object_tagging(ctx: Context, params: Params) -> dict[str, Any]:
    """Return the tags of an object. Raises: NoSuchKey, NoSuchBucket."""
    found: Found = ctx.prepared
    return {"TagSet": tag_set(found.info.facts.tags), "_Owner": found.row["OwnerAccount"]}
