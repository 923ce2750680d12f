"""Whose buckets a call has touched: their accounts get a copy of its record.

Source: CloudTrail User Guide, data events of S3: the requester and the owner of the bucket both receive them.
Inferred: a data event that failed is recorded with the owner as well, any other only when the call succeeded.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from apitrail.services.buckets import buckets
from apitrail.services.context import Context
from apitrail.services.s3.records import DATA_OPERATIONS

COPIES = frozenset({"CopyObject", "UploadPartCopy"})
DATA = frozenset(DATA_OPERATIONS)


def owners(ctx: Context, result: dict[str, Any] | None) -> list[str]:
    """Return the accounts that own the buckets of a call; buckets that belong to a service have none."""
    return [account for account in _all_owners(ctx, result) if account.isdecimal()]


def _all_owners(ctx: Context, result: dict[str, Any] | None) -> Iterator[str]:
    assert ctx.call is not None
    operation, params = ctx.call.operation.name, ctx.call.params
    if result is not None:
        yield result.get("_Owner", "")
    elif operation in DATA:
        yield _owner(ctx, params.get("Bucket"))
    if operation in COPIES:
        yield _owner(ctx, unquote(str(params.get("CopySource", ""))).lstrip("/").partition("/")[0])


def _owner(ctx: Context, name: Any) -> str:
    row = buckets(ctx.tx).get(name) if isinstance(name, str) else None
    return str(row["OwnerAccount"]) if row is not None else ""
