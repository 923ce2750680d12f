"""The buckets that exist, shared by every service that keeps files: S3 serves them, trails deliver into them, GameLift takes
builds and scripts through buckets of its own.

The rows are here; the bytes are reached through `Runtime.bucket(name)`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from apitrail.arn import make_arn
from apitrail.identity.policy import evaluate
from apitrail.identity.principal import Principal
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
CLOUDTRAIL = "cloudtrail.amazonaws.com"


def policy_of(row: Doc) -> dict[str, Any] | None:
    """Return the policy of a bucket, None where there is none."""
    return read_document(row[POLICY]) if POLICY in row else None


def trail_may_deliver(row: Doc, folders: Sequence[str], trail_arn: str, prefix: str, now: datetime) -> bool:
    """Return whether a bucket's policy lets CloudTrail see its ACL and put a trail's log files below a prefix.

    folders: below AWSLogs: the trail's account first, and the id of its organization.
    prefix: without a slash at its end, or empty. Source: CloudTrail User Guide, bucket policy for CloudTrail.
    """
    policy, account = policy_of(row), folders[0]
    service = Principal("AWSService", account, "", CLOUDTRAIL, invoked_by=CLOUDTRAIL)
    context = {
        "aws:CurrentTime": now,
        "aws:SecureTransport": True,
        "aws:SourceArn": trail_arn,
        "aws:SourceAccount": account,
        "s3:x-amz-acl": "bucket-owner-full-control",
    }
    bucket = make_arn("s3", "", "", row["Name"])
    base = f"{bucket}/{prefix}/AWSLogs" if prefix else f"{bucket}/AWSLogs"
    wanted = [
        ("s3:GetBucketAcl", bucket),
        *(("s3:PutObject", f"{base}/{one}/CloudTrail/file.json.gz") for one in folders),
    ]
    return all(
        evaluate(service, action, [arn], context, policy, resource_account=row["OwnerAccount"]).allowed
        for action, arn in wanted
    )


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
