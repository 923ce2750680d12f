"""Whether a bucket lets a trail in: looked at when the trail is made or changed, and again at each file that is delivered.

Source: CloudTrail User Guide, "Amazon S3 bucket policy for CloudTrail".
"""

from collections.abc import Sequence
from datetime import datetime

from apitrail.arn import make_arn, parse_arn
from apitrail.clock import Clock
from apitrail.errors import SinkError
from apitrail.identity.policy import evaluate
from apitrail.identity.principal import Principal
from apitrail.objects.bucket import no_such_bucket
from apitrail.services.buckets import POLICY, buckets, policy_of
from apitrail.services.memberships import CLOUDTRAIL, is_delegated
from apitrail.settings import Delivery
from apitrail.store.database import Tx
from apitrail.store.resources import Doc
from apitrail.trail.entrance import Check


def trail_may_deliver(row: Doc, folders: Sequence[str], trail_arn: str, prefix: str, now: datetime) -> bool:
    """Return whether a bucket's policy lets CloudTrail see its ACL and put a trail's log files below a prefix.

    folders: below AWSLogs: the trail's account first, and the id of its organization.
    prefix: without a slash at its end, or empty.
    """
    base = f"{prefix}/AWSLogs" if prefix else "AWSLogs"
    wanted = [
        ("s3:GetBucketAcl", row["Name"]),
        *(("s3:PutObject", f"{row['Name']}/{base}/{one}/CloudTrail/file.json.gz") for one in folders),
    ]
    return all(_is_allowed(row, action, place, trail_arn, folders[0], now) for action, place in wanted)


def _is_allowed(row: Doc, action: str, place: str, trail_arn: str, account: str, now: datetime) -> bool:
    service = Principal("AWSService", account, "", CLOUDTRAIL, invoked_by=CLOUDTRAIL)
    context = {
        "aws:CurrentTime": now,
        "aws:SecureTransport": True,
        "aws:SourceArn": trail_arn,
        "aws:SourceAccount": account,
        "s3:x-amz-acl": "bucket-owner-full-control",
    }
    arn = make_arn("s3", "", "", place)
    return evaluate(service, action, [arn], context, policy_of(row), resource_account=row["OwnerAccount"]).allowed


def needs_no_policy(row: Doc, accounts: Sequence[str], settings: Delivery) -> bool:
    """Return whether a bucket without a policy takes the log files of trails of these accounts.

    It does if it belongs to one of them, unless the settings want AWS's rule. A policy that is there decides.
    """
    return POLICY not in row and row["OwnerAccount"] in accounts and not settings.require_bucket_policy


def delivery_check(settings: Delivery, clock: Clock) -> Check:
    """Return what looks, before a file is put, whether the bucket as it is now lets it in."""

    def check(tx: Tx, trail_arn: str, bucket: str, key: str) -> None:
        row, arn = buckets(tx).get(bucket), parse_arn(trail_arn)
        assert arn is not None
        if row is None:
            raise no_such_bucket(bucket)
        delegates = [row["OwnerAccount"]] if is_delegated(tx, row["OwnerAccount"], CLOUDTRAIL) else []
        if needs_no_policy(row, [arn.account, *delegates], settings):
            return
        if not _is_allowed(row, "s3:PutObject", f"{bucket}/{key}", trail_arn, arn.account, clock.now()):
            raise SinkError(f"The policy of bucket {bucket} keeps {key} out.", code="AccessDenied", temporary=True)

    return check
