"""The buckets that exist, shared by every service that keeps files: S3 serves them, trails deliver into them, GameLift takes
builds and scripts through buckets of its own.

The rows are here; the bytes are reached through `Runtime.bucket(name)`.
"""

from typing import Any

from apitrail.services.context import Context
from apitrail.store.database import Tx
from apitrail.store.resources import Collection, Documents

SERVICE_OWNER = "amazon"

BUCKETS = Collection("s3/bucket", "global", indexes=("OwnerAccount",))


def buckets(tx: Tx) -> Documents:
    """Return the bucket documents: Name, OwnerAccount (12 digits, or SERVICE_OWNER), Region, CreationDate, and whatever the
    S3 service keeps beside them under names of its own (policy, tags)."""
    return BUCKETS.at(tx)


def ensure_service_bucket(ctx: Context, name: str) -> None:
    """Make a bucket that belongs to a service (`gamelift-builds-us-west-2`) if it is missing.

    No account owns it: it is in nobody's list, and only credentials whose policies name its keys reach into it.
    """
    found: dict[str, Any] | None = buckets(ctx.tx).get(name)
    if found is None:
        buckets(ctx.tx).put(
            name,
            {"Name": name, "OwnerAccount": SERVICE_OWNER, "Region": ctx.region, "CreationDate": ctx.now},
        )
