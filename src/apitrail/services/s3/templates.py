"""The bucket of policy templates that `aws cloudtrail create-subscription` reads: `awscloudtrail-policy-<region>`.

It is read-only, belongs to nobody, and everybody whose own policies allow it may read it. The AWS CLI replaces the texts in
angle brackets. Source: CloudTrail User Guide, bucket policy and topic policy for CloudTrail.
"""

from typing import Any

import orjson

from apitrail.clock import Clock
from apitrail.objects.memory import MemoryBucket

PREFIX = "awscloudtrail-policy-"
READS = ("GetObject", "HeadObject", "HeadBucket")
CLOUDTRAIL = {"Service": "cloudtrail.amazonaws.com"}

BUCKET_POLICY: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "AWSCloudTrailAclCheck",
            "Effect": "Allow",
            "Principal": CLOUDTRAIL,
            "Action": "s3:GetBucketAcl",
            "Resource": "arn:aws:s3:::<BucketName>",
        },
        {
            "Sid": "AWSCloudTrailWrite",
            "Effect": "Allow",
            "Principal": CLOUDTRAIL,
            "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::<BucketName>/<Prefix>/AWSLogs/<CustomerAccountID>/*",
            "Condition": {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}},
        },
    ],
}
TOPIC_POLICY: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "AWSCloudTrailSNSPolicy",
            "Effect": "Allow",
            "Principal": CLOUDTRAIL,
            "Action": "sns:Publish",
            "Resource": "arn:aws:sns:<Region>:<SNSTopicOwnerAccountId>:<SNSTopicName>",
        }
    ],
}
TEMPLATES = {
    "policy/S3/AWSCloudTrail-S3BucketPolicy-2014-12-17.json": BUCKET_POLICY,
    "policy/SNS/AWSCloudTrail-SnsTopicPolicy-2014-12-17.json": TOPIC_POLICY,
}


def is_template_bucket(name: str) -> bool:
    """Return whether a name is that of a bucket of templates, which nobody can take."""
    return name.startswith(PREFIX)


async def template_bucket(clock: Clock) -> MemoryBucket:
    """Return the templates as a bucket."""
    bucket = MemoryBucket(clock)
    for key, document in TEMPLATES.items():
        await bucket.put(key, orjson.dumps(document, option=orjson.OPT_INDENT_2), content_type="application/json")
    return bucket
