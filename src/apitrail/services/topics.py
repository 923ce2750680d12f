"""The topics that exist, shared by SNS, which serves them, and CloudTrail, whose trails announce log files there."""

from apitrail.arn import parse_arn
from apitrail.services.context import Context
from apitrail.services.resource_policies import service_may
from apitrail.store.database import Tx
from apitrail.store.resources import Collection, Doc

TOPICS = Collection("sns/topic")
"""By name: TopicArn, Owner, Attributes (as set, by name), Tags, _Deleted (number of subscriptions that went)."""

CLOUDTRAIL = "cloudtrail.amazonaws.com"


def topic_at(tx: Tx, arn: str) -> Doc | None:
    """Return the topic of an ARN, of whatever account and region, or None."""
    parts = parse_arn(arn)
    if parts is None or parts.service != "sns":
        return None
    return TOPICS.at(tx, parts.account, parts.region).get(parts.resource)


def trail_may_publish(ctx: Context, topic: Doc, trail_arn: str, account: str) -> bool:
    """Return whether a topic's policy lets CloudTrail publish for a trail of an account."""
    return service_may_publish(ctx, CLOUDTRAIL, topic, trail_arn, account)


def service_may_publish(ctx: Context, service: str, topic: Doc, source_arn: str, account: str) -> bool:
    """Return whether a topic's policy lets an AWS service publish for a resource of an account. service: DNS name."""
    policy = topic["Attributes"].get("Policy", "")
    return service_may(ctx, service, account, source_arn, "sns:Publish", topic["TopicArn"], policy)
