"""Conditional writes and the removal of buckets: what was looked at before a transaction must still hold in it.

Who looks first notes a claim on the key, or on the whole bucket. Each write and delete takes away the claims on its key and
bucket. So a claim that is still there says that nothing was written since; otherwise the call ends in a conflict, which
clients repeat. A write whose effect is still waiting is a conflict as well.
"""

from collections.abc import Iterator
from typing import Any

from apitrail.identity.principal import Principal
from apitrail.objects.bucket import Bucket
from apitrail.services.context import Context
from apitrail.services.runtime import Runtime
from apitrail.services.s3.access import Params
from apitrail.services.s3.conditions import check_write, is_conditional
from apitrail.services.s3.errors import refuse
from apitrail.store.database import Tx
from apitrail.store.resources import Collection, Doc, decode_doc
from apitrail.wire.call import Call

CLAIMS = Collection("s3/claim", "global")
PLACE, REMOVE, AMEND, MARK, DROP = "s3/place", "s3/remove", "s3/amend", "s3/mark", "s3/drop-version"
LOCKING = "s3/lock"
WRITES = (PLACE, REMOVE, AMEND, MARK, DROP, LOCKING)
WAITING_MAX = 10_000


def waiting(tx: Tx, bucket: str) -> Iterator[Doc]:
    """Yield the effects on a bucket's objects that have not happened yet."""
    kinds = ", ".join("?" * len(WRITES))
    rows = tx.all(f"SELECT doc FROM effects WHERE kind IN ({kinds}) LIMIT ?", (*WRITES, WAITING_MAX))
    return (doc for (body,) in rows if (doc := decode_doc(body))["Bucket"] == bucket)


async def claim(runtime: Runtime, call: Call, principal: Principal, key: str = "") -> bool:
    """Note that this call looks at a key, or at the whole bucket; False when writes to it are under way."""
    bucket = call.params["Bucket"]

    def note(ctx: Context) -> bool:
        CLAIMS(ctx).put(f"{bucket}/{key}", {"Holder": call.request_id})
        return not any(not key or key in doc["Keys"] for doc in waiting(ctx.tx, bucket))

    return await runtime.write(principal.account, call.region, note)


async def check_conditions(runtime: Runtime, call: Call, principal: Principal, bucket: Bucket) -> None:
    """Check the conditions of a write or delete before its transaction, if it has any.

    Raises: PreconditionFailed, NoSuchKey, NotImplemented, ConditionalRequestConflict.
    """
    if not is_conditional(call.params):
        return
    if not await claim(runtime, call, principal, call.params["Key"]):
        raise refuse("ConditionalRequestConflict")
    check_write(call.params, await bucket.head(call.params["Key"]))


def settle(ctx: Context, params: Params, *keys: str) -> None:
    """Take away the claims on keys and their bucket, in the transaction that writes them.

    Raises: ConditionalRequestConflict when the call is conditional and its own claim is gone.
    """
    assert ctx.call is not None
    claims = CLAIMS(ctx)
    claims.delete(f"{params['Bucket']}/")
    for key in keys:
        found: dict[str, Any] | None = claims.get(f"{params['Bucket']}/{key}")
        if is_conditional(params) and (found or {}).get("Holder") != ctx.call.request_id:
            raise refuse("ConditionalRequestConflict")
        if found is not None:
            claims.delete(f"{params['Bucket']}/{key}")


def is_unwritten(ctx: Context, params: Params) -> bool:
    """Return whether nothing was written to a bucket since this call claimed it."""
    assert ctx.call is not None
    found = CLAIMS(ctx).get(f"{params['Bucket']}/")
    return found is not None and found["Holder"] == ctx.call.request_id
