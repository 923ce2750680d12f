"""Topics: create, list, see, change, delete. Source: SNS API Reference."""

import re
from typing import Any

from apitrail.services.common import make_token, read_token, take_page
from apitrail.services.context import Context
from apitrail.services.operation import operation
from apitrail.services.sns.access import Params, Result, find_topic, topic_of
from apitrail.services.sns.attributes import checked_topic, default_policy, merged, topic_shown
from apitrail.services.sns.errors import TopicLimitExceeded, invalid
from apitrail.services.sns.subscribers import SUBSCRIPTIONS, drop_subscription
from apitrail.services.sns.tagging import checked_tags
from apitrail.services.topics import TOPICS
from apitrail.store.resources import Doc

NAME = re.compile(r"[A-Za-z0-9_-]{1,256}", re.ASCII)
PAGE_COUNT = 100
TOPICS_MAX = 100_000


@operation
def create_topic(ctx: Context, params: Params) -> Result:
    """Create a topic, or return the one of this name if attributes and tags given are as they are.

    Raises: InvalidParameter, TopicLimitExceeded, TagLimitExceeded.
    """
    name, arn = params["Name"], ctx.arn("sns", params["Name"])
    attributes = checked_topic(ctx, params.get("Attributes", {}))
    if name.endswith(".fifo"):
        raise invalid("Topic Name", "FIFO topics are not served by this version; only standard topics are")
    if not NAME.fullmatch(name):
        raise invalid("Topic Name", "1 to 256 letters, digits, hyphens and underscores")
    if params.get("DataProtectionPolicy"):
        raise invalid("DataProtectionPolicy", "data protection is not served by this version")
    tags, topic = checked_tags(params.get("Tags", [])), TOPICS(ctx).get(name)
    if topic is not None:
        _check_same(topic, attributes, tags, "Tags" in params)
        return {"TopicArn": arn}
    if TOPICS(ctx).count() >= TOPICS_MAX:
        raise TopicLimitExceeded(f"An account has at most {TOPICS_MAX} topics in a region.")
    given = merged({"Policy": default_policy(arn, ctx.account)}, attributes)
    TOPICS(ctx).put(name, {"TopicArn": arn, "Owner": ctx.account, "Attributes": given, "Tags": tags, "_Deleted": 0})
    return {"TopicArn": arn}


@operation
def delete_topic(ctx: Context, params: Params) -> None:
    """Delete a topic with its subscriptions and what waits for them; one that is gone is fine."""
    topic = find_topic(ctx, params, "DeleteTopic")
    if topic is None:
        return
    for entry in SUBSCRIPTIONS.at(ctx.tx).find("TopicArn", topic["TopicArn"]):
        drop_subscription(ctx.tx, entry.id)
    TOPICS.at(ctx.tx, topic["Owner"], ctx.region).delete(topic["TopicArn"].rpartition(":")[2])


@operation
def list_topics(ctx: Context, params: Params) -> Result:
    """Return the ARNs of the account's topics in this region, 100 a page."""
    token = params.get("NextToken")
    after = read_token(ctx, "ListTopics", token, lambda reason: invalid("NextToken", reason)) if token else 0
    page, more = take_page(TOPICS(ctx).page(PAGE_COUNT + 1, after), PAGE_COUNT)
    answer: Result = {"Topics": [{"TopicArn": entry.doc["TopicArn"]} for entry in page]}
    return {**answer, "NextToken": make_token(ctx, "ListTopics", page[-1].ord)} if more else answer


@operation
def get_topic_attributes(ctx: Context, params: Params) -> Result:
    """Return a topic's attributes."""
    return {"Attributes": topic_shown(ctx, topic_of(ctx, params, "GetTopicAttributes"))}


@operation
def set_topic_attributes(ctx: Context, params: Params) -> None:
    """Change one attribute; an empty value takes it away, a policy becomes the default one. Raises: InvalidParameter."""
    topic = topic_of(ctx, params, "SetTopicAttributes")
    change = checked_topic(ctx, {params["AttributeName"]: params.get("AttributeValue", "")})
    topic["Attributes"] = merged(topic["Attributes"], change)
    topic["Attributes"].setdefault("Policy", default_policy(topic["TopicArn"], topic["Owner"]))
    put_topic(ctx, topic)


def put_topic(ctx: Context, topic: Doc) -> None:
    """Store a topic of the call's region."""
    TOPICS.at(ctx.tx, topic["Owner"], ctx.region).put(topic["TopicArn"].rpartition(":")[2], topic)


def _check_same(topic: Doc, attributes: dict[str, str], tags: list[dict[str, Any]], tags_given: bool) -> None:
    if any(topic["Attributes"].get(name, "") != value for name, value in attributes.items()):
        raise invalid("Attributes", "Topic already exists with different attributes")
    if tags_given and {tag["Key"]: tag["Value"] for tag in tags} != {tag["Key"]: tag["Value"] for tag in topic["Tags"]}:
        raise invalid("Tags", "Topic already exists with different tags")
