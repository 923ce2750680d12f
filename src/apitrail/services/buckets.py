"""The buckets that exist, shared by every service that keeps files: S3 serves them, trails deliver into them, GameLift takes
builds and scripts through buckets of its own.

The rows are here; the bytes are reached through `Runtime.bucket(name)`.
"""

from typing import Any

from apitrail.objects.folder import FolderBucket
from apitrail.services.context import Context
from apitrail.services.identities import read_document
from apitrail.services.operation import Deed, effect
from apitrail.services.runtime import Runtime
from apitrail.store.database import Tx
from apitrail.store.resources import Collection, Doc, Documents

SERVICE_OWNER = "amazon"
CREATE_FOLDER = "buckets/create-folder"
OBJECT_CREATED = "object-created"
"""Announced by the S3 service when an object has arrived, however it came: Bucket and Key."""

BUCKETS = Collection("s3/bucket", "global", indexes=("OwnerAccount",))


def buckets(tx: Tx) -> Documents:
    """Return the bucket documents: Name, OwnerAccount (12 digits, or SERVICE_OWNER), Region, CreationDate, and whatever the
    S3 service keeps beside them under names of its own (policy, tags)."""
    return BUCKETS.at(tx)


POLICY = "_Policy"


def policy_of(row: Doc) -> dict[str, Any] | None:
    """Return the policy of a bucket, None where there is none."""
    return read_document(row[POLICY]) if POLICY in row else None


def is_service_bucket(tx: Tx, name: str) -> bool:
    """Return whether there is such a bucket and it belongs to a service."""
    row = buckets(tx).get(name)
    return row is not None and row["OwnerAccount"] == SERVICE_OWNER


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
        ctx.effect(CREATE_FOLDER, {"Bucket": name})


@effect(CREATE_FOLDER)
async def create_folder(runtime: Runtime, deed: Deed) -> None:
    """Make the folder of a bucket that was made, where buckets are folders."""
    bucket = runtime.bucket(deed.doc["Bucket"])
    if isinstance(bucket, FolderBucket):
        await bucket.create()
