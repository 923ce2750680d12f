"""ListObjects and ListObjectsV2. Source: Amazon S3 API Reference."""

import base64
import binascii
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from apitrail.identity.principal import Principal
from apitrail.objects.bucket import ObjectInfo, Page
from apitrail.services.context import Context
from apitrail.services.operation import operation
from apitrail.services.runtime import Runtime
from apitrail.services.s3.access import Params, open_bucket, prepare_step
from apitrail.services.s3.errors import refuse
from apitrail.services.s3.facts import shown_class
from apitrail.services.s3.names import owner
from apitrail.store.resources import Doc
from apitrail.wire.call import Call

KEYS_MAX = 1000


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of a bucket. limit: names at most."""

    row: Doc
    page: Page
    limit: int


def encode(text: str, params: Params) -> str:
    """Return a key or prefix as the answer shows it: with EncodingType url, so that XML can hold any."""
    return quote(text, safe="/") if params.get("EncodingType") == "url" else text


def make_position(after: str) -> str:
    """Return a continuation token: the name after which the listing goes on. It grants nothing, so it is not signed."""
    return "1" + base64.urlsafe_b64encode(after.encode()).decode().rstrip("=")


def read_position(token: str) -> str:
    """Return the name of a continuation token. Raises: InvalidArgument."""
    try:
        if token[:1] != "1":
            raise ValueError
        return base64.b64decode(token[1:] + "=" * (-len(token[1:]) % 4), altchars="-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise refuse("InvalidArgument", "The continuation token provided is incorrect") from None


def _after(params: Params) -> str:
    if "ContinuationToken" in params:
        return read_position(params["ContinuationToken"])
    after: str = params.get("StartAfter", "") or params.get("Marker", "")
    return after


@prepare_step
async def list_page(runtime: Runtime, call: Call, principal: Principal) -> Listed:
    """List the page that a call asks for."""
    params = call.params
    limit = params.get("MaxKeys", KEYS_MAX)
    if limit < 0:
        raise refuse("InvalidArgument", "Argument maxKeys must be an integer between 0 and 2147483647")
    row, bucket = await open_bucket(runtime, call, principal)
    limit = min(limit, KEYS_MAX)
    page = await bucket.list(params.get("Prefix", ""), _after(params), limit, params.get("Delimiter", ""))
    return Listed(row, page, limit)


def _shared(params: Params, listed: Listed) -> dict[str, Any]:
    """Return what both forms of the listing have."""
    account = listed.row["OwnerAccount"]
    with_owner = "FetchOwner" not in params or params["FetchOwner"]
    return {
        "Name": listed.row["Name"],
        "Prefix": encode(params.get("Prefix", ""), params),
        "Delimiter": encode(params["Delimiter"], params) if params.get("Delimiter") else None,
        "MaxKeys": listed.limit,
        "EncodingType": params.get("EncodingType"),
        "IsTruncated": listed.page.next is not None,
        "Contents": [_item(info, params, account if with_owner else "") for info in listed.page.objects],
        "CommonPrefixes": [{"Prefix": encode(prefix, params)} for prefix in listed.page.common_prefixes],
        "_Owner": account,
    }


def _item(info: ObjectInfo, params: Params, account: str) -> dict[str, Any]:
    item = {
        "Key": encode(info.key, params),
        "LastModified": info.modified.replace(microsecond=0),
        "ETag": f'"{info.etag}"',
        "Size": info.size,
        "StorageClass": shown_class(info.facts),
    }
    if info.facts.checksums:
        item["ChecksumAlgorithm"] = list(info.facts.checksums)
    if account:
        item["Owner"] = owner(account)
    return item


@operation(prepare=list_page)
def list_objects(ctx: Context, params: Params) -> dict[str, Any]:
    """Return up to 1000 objects after a marker. Raises: NoSuchBucket, InvalidArgument."""
    listed: Listed = ctx.prepared
    marker = encode(params.get("Marker", ""), params)
    following = listed.page.next
    shown = encode(following, params) if following is not None and params.get("Delimiter") else None
    return {**_shared(params, listed), "Marker": marker, "NextMarker": shown}


@operation(prepare=list_page)
def list_objects_v2(ctx: Context, params: Params) -> dict[str, Any]:
    """Return up to 1000 objects after a key or where the last page ended. Raises: NoSuchBucket, InvalidArgument."""
    listed: Listed = ctx.prepared
    page = listed.page
    return {
        **_shared({"FetchOwner": False, **params}, listed),
        "KeyCount": len(page.objects) + len(page.common_prefixes),
        "ContinuationToken": params.get("ContinuationToken"),
        "NextContinuationToken": None if page.next is None else make_position(page.next),
        "StartAfter": encode(params["StartAfter"], params) if "StartAfter" in params else None,
    }
