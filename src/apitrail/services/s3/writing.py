"""PutObject, CopyObject and tags of objects. Source: Amazon S3 API Reference.

A write is staged and verified before the transaction, noted in it, and placed after it (see effects); the answer waits for that.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus

from apitrail.errors import ServiceError
from apitrail.identity.actions import further_needs
from apitrail.identity.principal import Principal
from apitrail.objects.bucket import Bucket, Facts, ObjectInfo, check_key
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
from apitrail.services.s3.effects import ask_amend, ask_place
from apitrail.services.s3.errors import refuse
from apitrail.services.s3.facts import facts_of, with_body
from apitrail.services.s3.names import OBJECT_TAGS_MAX, read_tags, tag_set
from apitrail.services.s3.reading import Found, find_object, find_version, get_version, look
from apitrail.services.s3.retention import bucket_state, check_lock
from apitrail.services.s3.versions import new_version, shown_version
from apitrail.store.database import Tx
from apitrail.store.resources import Doc
from apitrail.wire.call import Call


@dataclass(frozen=True, slots=True)
class Staged:
    """A body that is ready to become an object with these facts. shown: what else the answer has."""

    body: Body
    facts: Facts
    shown: dict[str, Any] = field(default_factory=dict)


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
    row, bucket = await open_bucket(runtime, call, principal)
    check_lock(row, call, runtime.clock.now())
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
    written = settle_write(ctx, params, staged)
    ctx.additional = {"bytesTransferredIn": staged.body.size, "bytesTransferredOut": 0}
    return {"ETag": f'"{staged.facts.etag}"', **checksums.members(staged.facts.checksums), **written}


def settle_write(ctx: Context, params: Params, staged: Staged) -> dict[str, Any]:
    """Check once more what must hold, ask for the object to be placed, and return what answers tell of version and owner."""
    try:
        row = own_bucket(ctx, params)
        settle(ctx, params, params["Key"])
    except ServiceError as error:
        raise or_discard(error, ctx, staged.body.name) from None
    version = new_version(ctx, row)
    facts = bucket_state(row).retained(replace(staged.facts, version=version), ctx.now)
    ask_place(ctx, row["Name"], params["Key"], staged.body.name, facts)
    return {**shown_version(row, version), "_Owner": row["OwnerAccount"]}


def read_source(text: str) -> dict[str, str]:
    """Return Bucket and Key (and VersionId) of an x-amz-copy-source header. Raises: InvalidArgument."""
    path, _, version = text.partition("?versionId=")
    bucket, _, key = unquote_plus(path.replace("+", "%2B")).lstrip("/").partition("/")
    if not bucket or not key:
        raise refuse("InvalidArgument", "Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
    return {"Bucket": bucket, "Key": key, **({"VersionId": version} if version else {})}


async def find_source(runtime: Runtime, call: Call, principal: Principal) -> tuple[Bucket, ObjectInfo, dict[str, Any]]:
    """Return bucket and object that a copy is made of, under the conditions for it, and what the answer tells of its version."""
    params = read_source(call.params["CopySource"])
    now = runtime.clock.now()
    row = await runtime.database.read(lambda tx: _source_row(tx, call, principal, now, params["Bucket"]))
    bucket = runtime.bucket(row["Name"])
    info = await find_version(bucket, params["Key"], params.get("VersionId"))
    check_read(call.params, info, "CopySource")
    if info.facts.is_archived and info.facts.restored_until <= now.timestamp():
        raise refuse("InvalidObjectState")
    shown = shown_version(row, info.facts.version)
    return bucket, info, {"CopySourceVersionId": shown["VersionId"]} if shown else {}


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
    """Return the facts of a copy: the source's, or those of the request, as its directives say; class and lock are its own."""
    asked = facts_of(params)
    kept = replace(
        source,
        storage_class=asked.storage_class,
        archived_size=-1,
        restoring=False,
        restored_until=0,
        lock_mode=asked.lock_mode,
        lock_until=asked.lock_until,
        legal_hold=asked.legal_hold,
    )
    facts = asked if params.get("MetadataDirective") == "REPLACE" else kept
    return replace(facts, tags=asked.tags if params.get("TaggingDirective") == "REPLACE" else source.tags)


@prepare_step
async def stage_copy(runtime: Runtime, call: Call, principal: Principal) -> Staged:
    """Stage a copy of an object."""
    params = call.params
    check_key(params["Key"])
    row, target = await open_bucket(runtime, call, principal)
    check_lock(row, call, runtime.clock.now())
    bucket, info, shown = await find_source(runtime, call, principal)
    facts = _copied_facts(params, info.facts)
    same = read_source(params["CopySource"]) == {"Bucket": params["Bucket"], "Key": params["Key"]}
    changed = {"REPLACE"} & {params.get("MetadataDirective"), params.get("TaggingDirective")}
    if same and not changed and facts.storage_class == info.facts.storage_class:
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
    body = await bodies.copy_body(runtime, await get_version(bucket, info), algorithms)
    return Staged(body, with_body(facts, body.md5, body.checksums), shown)


@operation(prepare=stage_copy)
def copy_object(ctx: Context, params: Params) -> dict[str, Any]:
    """Store a copy of an object under another key, or in place with other metadata.

    Raises: NoSuchBucket, NoSuchKey, InvalidArgument, InvalidRequest, PreconditionFailed, ConditionalRequestConflict.
    """
    staged: Staged = ctx.prepared
    written = settle_write(ctx, params, staged)
    return {"CopyObjectResult": copied(staged), **staged.shown, **written}


def copied(staged: Staged) -> dict[str, Any]:
    """Return CopyObjectResult or CopyPartResult."""
    return {
        "ETag": f'"{staged.facts.etag}"',
        "LastModified": staged.body.modified,
        **checksums.members(staged.facts.checksums),
    }


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
    return _retagged(ctx, row, tags)


@operation(prepare=before_tagging)
def delete_object_tagging(ctx: Context, params: Params) -> dict[str, Any]:
    """Remove the tags of an object. Raises: NoSuchKey, NoSuchBucket."""
    row = own_bucket(ctx, params)
    settle(ctx, params)
    return _retagged(ctx, row, {})


def _retagged(ctx: Context, row: Doc, tags: dict[str, str]) -> dict[str, Any]:
    info: ObjectInfo = ctx.prepared.info
    ask_amend(ctx, row["Name"], info, tags=tags)
    return {**shown_version(row, info.facts.version), "_Owner": row["OwnerAccount"]}


@operation(prepare=look)
def get_object_tagging(ctx: Context, params: Params) -> dict[str, Any]:
    """Return the tags of an object. Raises: NoSuchKey, NoSuchBucket."""
    found: Found = ctx.prepared
    shown = shown_version(found.row, found.info.facts.version)
    return {"TagSet": tag_set(found.info.facts.tags), **shown, "_Owner": found.row["OwnerAccount"]}
