"""GetObject, HeadObject, GetObjectAttributes, GetObjectAcl: reading one object. Source: Amazon S3 API Reference."""

from dataclasses import dataclass
from typing import Any

from apitrail.identity.principal import Principal
from apitrail.objects.bucket import Bucket, ObjectBody, ObjectInfo
from apitrail.objects.folder import FolderBucket
from apitrail.objects.past import NULL
from apitrail.services.context import Context
from apitrail.services.operation import operation
from apitrail.services.runtime import Runtime
from apitrail.services.s3 import checksums
from apitrail.services.s3.access import Params, open_bucket, prepare_step
from apitrail.services.s3.conditions import check_read, part_range, read_range
from apitrail.services.s3.errors import refuse
from apitrail.services.s3.facts import answer, expiration, shown_class
from apitrail.services.s3.names import owner
from apitrail.services.s3.retention import shown_lock
from apitrail.services.s3.versions import shown_version
from apitrail.store.resources import Doc
from apitrail.wire.call import Call

MEMORY_BYTES_MAX = 4 * 1024 * 1024
PARTS_MAX = 1000
ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Found:
    """An object that was looked at. start, end: what is wanted of it. partial: less than all was asked for."""

    row: Doc
    info: ObjectInfo
    start: int = 0
    end: int = 0
    partial: bool = False
    body: bytes | ObjectBody = b""


async def find_object(runtime: Runtime, call: Call, principal: Principal) -> tuple[Doc, Bucket, ObjectInfo]:
    """Return bucket and object of a call. Raises: NoSuchBucket, NoSuchKey, AccessDenied."""
    row, bucket = await open_bucket(runtime, call, principal)
    return row, bucket, await find_version(bucket, call.params["Key"], call.params.get("VersionId"))


async def find_version(bucket: Bucket, key: str, version: str | None) -> ObjectInfo:
    """Return an object, or one version of it. Raises: NoSuchKey; NoSuchVersion, MethodNotAllowed for a delete marker."""
    info = await _head(bucket, key, version)
    if info is None and version is not None:
        raise refuse("NoSuchVersion", Key=key, VersionId=version)
    if info is None:
        raise refuse("NoSuchKey", Key=key)
    if info.facts.is_marker:
        raise refuse("MethodNotAllowed", Method="GET", ResourceType="DeleteMarker")
    return info


async def _head(bucket: Bucket, key: str, version: str | None) -> ObjectInfo | None:
    if version is None:
        return await bucket.head(key)
    return await bucket.head(key, version=version) if isinstance(bucket, FolderBucket) else None


async def get_version(bucket: Bucket, info: ObjectInfo, start: int | None = None, end: int | None = None) -> ObjectBody:
    """Open the version of an object that was looked at, or a range of it."""
    if isinstance(bucket, FolderBucket):
        return await bucket.get(info.key, start, end, version=info.facts.version or NULL)
    return await bucket.get(info.key, start, end)


def wanted(params: Params, info: ObjectInfo) -> tuple[int, int, bool]:
    """Return the bytes that are asked for, and whether that is a part. Raises: InvalidRange, InvalidPartNumber."""
    if "PartNumber" in params:
        if "Range" in params:
            raise refuse("InvalidRequest", "Cannot specify both Range header and partNumber query parameter.")
        return *part_range(params["PartNumber"], info), True
    found = read_range(params.get("Range"), info.size)
    return (0, info.size, False) if found is None else (*found, True)


@prepare_step
async def look(runtime: Runtime, call: Call, principal: Principal) -> Found:
    """Look at an object without opening it, under the conditions of the call."""
    row, _, info = await find_object(runtime, call, principal)
    check_read(call.params, info)
    return Found(row, info, *wanted(call.params, info))


@prepare_step
async def open_object(runtime: Runtime, call: Call, principal: Principal) -> Found:
    """Open an object under the conditions of the call; a small one is read."""
    for _ in range(ATTEMPTS):
        row, bucket, info = await find_object(runtime, call, principal)
        check_read(call.params, info)
        start, end, partial = wanted(call.params, info)
        body = await get_version(bucket, info, *((start, end) if partial and end > start else ()))
        if body.info.etag == info.etag and body.info.modified == info.modified:
            return Found(row, body.info, start, end, partial, await _content(body))
        await body.close()
    raise refuse("SlowDown", "The object changes faster than it can be read.")


async def _content(body: ObjectBody) -> bytes | ObjectBody:
    """Return the bytes of a small object; a large one stays open and is sent in pieces."""
    return body if body.end - body.start > MEMORY_BYTES_MAX else await body.read()


def describe(ctx: Context, found: Found, params: Params) -> dict[str, Any]:
    """Return the members that GetObject and HeadObject share."""
    info = found.info
    result = {**answer(info, params), "ContentLength": found.end - found.start, "_Owner": found.row["OwnerAccount"]}
    result |= shown_version(found.row, info.facts.version)
    result |= shown_lock(ctx, found.row, info.key, info.facts)
    result |= expiration(found.row, info) if "VersionId" not in params else {}
    if found.partial and info.size:
        result["ContentRange"] = f"bytes {found.start}-{found.end - 1}/{info.size}"
    if "PartNumber" in params and info.facts.parts:
        result["PartsCount"] = len(info.facts.parts)
    return result


@operation(prepare=open_object)
def get_object(ctx: Context, params: Params) -> dict[str, Any]:
    """Return an object, or the range or part of it that was asked for.

    Raises: NoSuchBucket, NoSuchKey, NoSuchVersion, InvalidRange, InvalidPartNumber, PreconditionFailed, NotModified.
    """
    found: Found = ctx.prepared
    ctx.additional = {"bytesTransferredIn": 0, "bytesTransferredOut": found.end - found.start}
    return {**describe(ctx, found, params), "Body": found.body}


@operation(prepare=look)
def head_object(ctx: Context, params: Params) -> dict[str, Any]:
    """Return what GetObject would, without the bytes. Raises: as GetObject."""
    return describe(ctx, ctx.prepared, params)


@operation(prepare=look)
def get_object_acl(ctx: Context, params: Params) -> dict[str, Any]:
    """Return the one ACL that objects have here: their bucket's owner may do everything."""
    return acl(ctx.prepared.row["OwnerAccount"])


def acl(account: str) -> dict[str, Any]:
    """Return the ACL of what belongs to an account."""
    grant = {"Grantee": {**owner(account), "Type": "CanonicalUser"}, "Permission": "FULL_CONTROL"}
    return {"Owner": owner(account), "Grants": [grant], "_Owner": account}


@operation(prepare=look)
def get_object_attributes(ctx: Context, params: Params) -> dict[str, Any]:
    """Return those of an object's attributes that are asked for. Raises: NoSuchKey, NoSuchBucket."""
    found: Found = ctx.prepared
    info, facts = found.info, found.info.facts
    attributes: dict[str, Any] = {
        "ETag": info.etag,
        "Checksum": checksums.members(facts.checksums) or None,
        "ObjectParts": _parts(params, info) if facts.parts else None,
        "StorageClass": shown_class(facts),
        "ObjectSize": info.size,
    }
    asked = {name: attributes[name] for name in params["ObjectAttributes"] if attributes.get(name) is not None}
    asked |= shown_version(found.row, facts.version)
    return {**asked, "LastModified": info.modified.replace(microsecond=0), "_Owner": found.row["OwnerAccount"]}


def _parts(params: Params, info: ObjectInfo) -> dict[str, Any]:
    sizes = info.facts.parts
    after = int(params.get("PartNumberMarker") or 0)
    limit = min(params.get("MaxParts", PARTS_MAX), PARTS_MAX)
    page = list(enumerate(sizes, 1))[after : after + limit]
    return {
        "TotalPartsCount": len(sizes),
        "PartNumberMarker": str(after),
        "NextPartNumberMarker": str(page[-1][0] if page else after),
        "MaxParts": limit,
        "IsTruncated": after + len(page) < len(sizes),
        "Parts": [{"PartNumber": number, "Size": size} for number, size in page],
    }
