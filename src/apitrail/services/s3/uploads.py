"""ListParts and ListMultipartUploads. Source: Amazon S3 API Reference."""

from collections.abc import Sequence
from typing import Any

from apitrail.objects.paging import group_of
from apitrail.services.context import Context
from apitrail.services.operation import operation
from apitrail.services.s3 import checksums
from apitrail.services.s3.access import Params, own_bucket
from apitrail.services.s3.errors import refuse
from apitrail.services.s3.facts import read_facts, shown_class
from apitrail.services.s3.listing import encode
from apitrail.services.s3.multipart import UPLOADS, find_upload, parts_of
from apitrail.services.s3.names import owner
from apitrail.store.resources import Doc

PAGE_MAX = 1000


def _limit(params: Params, member: str) -> int:
    limit: int = params.get(member, PAGE_MAX)
    if limit < 0:
        raise refuse("InvalidArgument", f"{member} must not be negative.")
    return min(limit, PAGE_MAX)


@operation
def list_parts(ctx: Context, params: Params) -> dict[str, Any]:
    """Return the parts of an upload that have arrived, by number. Raises: NoSuchUpload, NoSuchBucket."""
    row = own_bucket(ctx, params)
    upload = find_upload(ctx.tx, params)
    after, limit = int(params.get("PartNumberMarker") or 0), _limit(params, "MaxParts")
    parts = [doc for number, doc in parts_of(ctx.tx, upload["UploadId"]).items() if number > after]
    page = parts[:limit]
    return {
        **{
            name: upload[name]
            for name in ("Bucket", "Key", "UploadId", "ChecksumAlgorithm", "ChecksumType", "Initiator")
        },
        "PartNumberMarker": after,
        "NextPartNumberMarker": page[-1]["PartNumber"] if page else after,
        "MaxParts": limit,
        "IsTruncated": len(parts) > limit > 0,
        "Parts": [_part(doc) for doc in page],
        "Owner": owner(row["OwnerAccount"]),
        "StorageClass": shown_class(read_facts(upload["Facts"])),
        "_Owner": row["OwnerAccount"],
    }


def _part(doc: Doc) -> dict[str, Any]:
    sums = {name: value for name, value in checksums.members(doc["Checksums"]).items() if name != "ChecksumType"}
    shown = {name: doc[name] for name in ("PartNumber", "LastModified", "Size")}
    return {**shown, "ETag": f'"{doc["ETag"]}"', **sums}


@operation
def list_multipart_uploads(ctx: Context, params: Params) -> dict[str, Any]:
    """Return the unfinished uploads of a bucket, by key and then by time. Raises: NoSuchBucket."""
    row = own_bucket(ctx, params)
    uploads = sorted((entry.doc for entry in UPLOADS(ctx).find("Bucket", row["Name"])), key=_order)
    prefix, delimiter = params.get("Prefix", ""), params.get("Delimiter", "")
    marker, id_marker = params.get("KeyMarker", ""), params.get("UploadIdMarker", "")
    limit = _limit(params, "MaxUploads")
    items = _rolled(uploads, prefix, delimiter)
    rest = items[_start(items, marker, id_marker) :]
    page = rest[:limit]
    truncated = len(rest) > limit > 0
    return {
        "Bucket": row["Name"],
        "KeyMarker": encode(marker, params),
        "UploadIdMarker": id_marker,
        "NextKeyMarker": encode(page[-1][0], params) if truncated else None,
        "NextUploadIdMarker": page[-1][1]["UploadId"] if truncated and page[-1][1] else None,
        "Prefix": encode(prefix, params),
        "Delimiter": encode(delimiter, params) if delimiter else None,
        "MaxUploads": limit,
        "EncodingType": params.get("EncodingType"),
        "IsTruncated": truncated,
        "Uploads": [_upload(doc, params, row["OwnerAccount"]) for _, doc in page if doc],
        "CommonPrefixes": [{"Prefix": encode(name, params)} for name, doc in page if not doc],
        "_Owner": row["OwnerAccount"],
    }


def _order(upload: Doc) -> tuple[Any, ...]:
    return upload["Key"].encode(), upload["Initiated"], upload["UploadId"]


def _rolled(uploads: Sequence[Doc], prefix: str, delimiter: str) -> list[tuple[str, Doc]]:
    """Return uploads by key, those with a common prefix as one item without a document."""
    items: list[tuple[str, Doc]] = []
    for upload in uploads:
        key = upload["Key"]
        group = group_of(key.encode(), prefix.encode(), delimiter.encode()).decode()
        if key.startswith(prefix) and (not group or (group, {}) not in items[-1:]):
            items.append((group, {}) if group else (key, upload))
    return items


def _start(items: Sequence[tuple[str, Doc]], marker: str, id_marker: str) -> int:
    """Return where a page begins: after the marker's key, or after one upload of it."""
    for at, (name, upload) in enumerate(items):
        if name.encode() > marker.encode():
            return at
        if id_marker and name == marker and upload.get("UploadId") == id_marker:
            return at + 1
    return len(items)


def _upload(upload: Doc, params: Params, account: str) -> dict[str, Any]:
    shown = {name: upload[name] for name in ("UploadId", "Initiated", "Initiator", "ChecksumAlgorithm", "ChecksumType")}
    shown |= {"Key": encode(upload["Key"], params), "StorageClass": shown_class(read_facts(upload["Facts"]))}
    return {**shown, "Owner": owner(account)}
