"""Versioning of buckets, and which version a call makes or means. Source: Amazon S3 User Guide, "Using versioning"."""

from dataclasses import dataclass
from typing import Any

from apitrail.identity.principal import Principal
from apitrail.objects.bucket import ObjectInfo, VersionPage
from apitrail.objects.folder import FolderBucket
from apitrail.objects.past import NULL
from apitrail.objects.state import ENABLED
from apitrail.services.context import Context
from apitrail.services.operation import operation
from apitrail.services.runtime import Runtime
from apitrail.services.s3.access import Params, open_bucket, own_bucket, prepare_step
from apitrail.services.s3.configuration import change_bucket
from apitrail.services.s3.effects import CONFIGURE
from apitrail.services.s3.errors import refuse
from apitrail.services.s3.facts import shown_class
from apitrail.services.s3.listing import KEYS_MAX, encode
from apitrail.services.s3.names import owner
from apitrail.services.s3.retention import LOCK
from apitrail.services.s3.versions import VERSIONING
from apitrail.store.resources import Doc
from apitrail.wire.call import Call


@dataclass(frozen=True, slots=True)
class ListedVersions:
    """A page of a bucket's versions. limit: versions and common prefixes at most."""

    row: Doc
    page: VersionPage
    limit: int


@operation
def get_bucket_versioning(ctx: Context, params: Params) -> dict[str, Any]:
    """Return whether a bucket keeps versions; nothing when it never did. Raises: NoSuchBucket."""
    row = own_bucket(ctx, params)
    return {"Status": row.get(VERSIONING), "_Owner": row["OwnerAccount"]}


@operation
def put_bucket_versioning(ctx: Context, params: Params) -> dict[str, Any]:
    """Let a bucket keep versions from now on, or keep no more of them; those that are there stay.

    Raises: MalformedXML, NotImplemented (MFA delete), InvalidBucketState (object lock needs versions), NoSuchBucket.
    """
    asked = params["VersioningConfiguration"]
    if asked.get("MFADelete") == ENABLED:
        raise refuse("NotImplemented", "MFA delete is not offered here.")
    if "Status" not in asked:
        raise refuse("MalformedXML")
    if LOCK in own_bucket(ctx, params) and asked["Status"] != ENABLED:
        message = "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed."
        raise refuse("InvalidBucketState", message)
    answer = change_bucket(ctx, params, VERSIONING, asked["Status"])
    ctx.effect(CONFIGURE, {"Bucket": params["Bucket"]})
    return answer


@prepare_step
async def list_versions(runtime: Runtime, call: Call, principal: Principal) -> ListedVersions:
    """List the page of versions that a call asks for."""
    params = call.params
    limit = params.get("MaxKeys", KEYS_MAX)
    if limit < 0:
        raise refuse("InvalidArgument", "Argument max-keys must be an integer between 0 and 2147483647")
    key, version = params.get("KeyMarker", ""), params.get("VersionIdMarker", "")
    if version and not key:
        raise refuse("InvalidArgument", "A version-id marker cannot be specified without a key marker.")
    row, bucket = await open_bucket(runtime, call, principal)
    if not isinstance(bucket, FolderBucket):
        raise refuse("NotImplemented", "Versions cannot be listed in a bucket that lies at another store.")
    limit = min(limit, KEYS_MAX)
    prefix, delimiter = params.get("Prefix", ""), params.get("Delimiter", "")
    page = await bucket.list_versions(prefix, (key, version), limit, delimiter) if limit else VersionPage((), (), None)
    return ListedVersions(row, page, limit)


@operation(prepare=list_versions)
def list_object_versions(ctx: Context, params: Params) -> dict[str, Any]:
    """Return up to 1000 versions and delete markers, by key, newest first. Raises: NoSuchBucket, InvalidArgument."""
    listed: ListedVersions = ctx.prepared
    page, account = listed.page, listed.row["OwnerAccount"]
    markers = [one for one in page.versions if one.info.facts.is_marker]
    return {
        "Name": listed.row["Name"],
        "Prefix": encode(params.get("Prefix", ""), params),
        "Delimiter": encode(params["Delimiter"], params) if params.get("Delimiter") else None,
        "KeyMarker": encode(params.get("KeyMarker", ""), params),
        "VersionIdMarker": params.get("VersionIdMarker", ""),
        "NextKeyMarker": encode(page.next[0], params) if page.next else None,
        "NextVersionIdMarker": page.next[1] or None if page.next else None,
        "MaxKeys": listed.limit,
        "EncodingType": params.get("EncodingType"),
        "IsTruncated": page.next is not None,
        "Versions": [_version(one.info, one.is_latest, params, account) for one in page.versions if one not in markers],
        "DeleteMarkers": [_shared(one.info, one.is_latest, params, account) for one in markers],
        "CommonPrefixes": [{"Prefix": encode(prefix, params)} for prefix in page.common_prefixes],
        "_Owner": account,
    }


def _shared(info: ObjectInfo, is_latest: bool, params: Params, account: str) -> dict[str, Any]:
    return {
        "Key": encode(info.key, params),
        "VersionId": info.facts.version or NULL,
        "IsLatest": is_latest,
        "LastModified": info.modified.replace(microsecond=0),
        "Owner": owner(account),
    }


def _version(info: ObjectInfo, is_latest: bool, params: Params, account: str) -> dict[str, Any]:
    shown = {**_shared(info, is_latest, params, account), "ETag": f'"{info.etag}"', "Size": info.size}
    shown["StorageClass"] = shown_class(info.facts)
    return {**shown, "ChecksumAlgorithm": list(info.facts.checksums)} if info.facts.checksums else shown
