"""Tags of topics: at most 50. Source: SNS API Reference, TagResource."""

from collections.abc import Sequence
from typing import Any

from apitrail.services.context import Context
from apitrail.services.operation import operation
from apitrail.services.sns.access import Params, Result, find_topic
from apitrail.services.sns.errors import ResourceNotFound, TagLimitExceeded, invalid
from apitrail.services.topics import TOPICS
from apitrail.store.resources import Doc

TAGS_MAX = 50


@operation
def tag_resource(ctx: Context, params: Params) -> Result:
    """Add tags to a topic, or overwrite their values. Raises: ResourceNotFound, TagLimitExceeded, InvalidParameter."""
    topic, new = _topic(ctx, params, "TagResource"), checked_tags(params["Tags"])
    keys = {tag["Key"] for tag in new}
    return _keep(ctx, topic, [tag for tag in topic["Tags"] if tag["Key"] not in keys] + new)


@operation
def untag_resource(ctx: Context, params: Params) -> Result:
    """Remove tags by their keys; absent ones are fine. Raises: ResourceNotFound."""
    topic = _topic(ctx, params, "UntagResource")
    return _keep(ctx, topic, [tag for tag in topic["Tags"] if tag["Key"] not in params["TagKeys"]])


@operation
def list_tags_for_resource(ctx: Context, params: Params) -> Result:
    """Return the tags of a topic. Raises: ResourceNotFound."""
    return {"Tags": _topic(ctx, params, "ListTagsForResource")["Tags"]}


def checked_tags(tags: Sequence[Any]) -> list[dict[str, str]]:
    """Return tags if a topic can have them. Raises: InvalidParameter, TagLimitExceeded."""
    keys = [tag["Key"] for tag in tags]
    if len(keys) > TAGS_MAX:
        raise TagLimitExceeded(f"Could not complete request: tag quota of {TAGS_MAX} per resource exceeded")
    if len(set(keys)) != len(keys):
        raise invalid("Duplicated keys are not allowed.")
    if any(key.lower().startswith("aws:") for key in keys):
        raise invalid("Tags", "keys that begin with aws: are reserved")
    return [{"Key": tag["Key"], "Value": tag["Value"]} for tag in tags]


def _topic(ctx: Context, params: Params, action: str) -> Doc:
    topic = find_topic(ctx, params, action, "ResourceArn")
    if topic is None:
        raise ResourceNotFound("Resource does not exist")
    return topic


def _keep(ctx: Context, topic: Doc, tags: list[dict[str, str]]) -> Result:
    topic["Tags"] = checked_tags(tags)
    TOPICS.at(ctx.tx, topic["Owner"], ctx.region).put(topic["TopicArn"].rpartition(":")[2], topic)
    return {}
