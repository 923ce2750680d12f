"""Tags of queues: at most 50. Source: SQS API Reference, TagQueue."""

from collections.abc import Mapping

from apitrail.services.context import Context
from apitrail.services.operation import operation
from apitrail.services.sqs.access import Params, Result, put_queue, queue_of
from apitrail.services.sqs.errors import InvalidParameterValue

TAGS_MAX, KEY_MAX, VALUE_MAX = 50, 128, 256


def checked_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags if a queue can have them. Raises: InvalidParameterValue."""
    if len(tags) > TAGS_MAX:
        raise InvalidParameterValue(f"A queue has at most {TAGS_MAX} tags; these are {len(tags)}.")
    for key, value in tags.items():
        if not 1 <= len(key) <= KEY_MAX or len(value) > VALUE_MAX:
            raise InvalidParameterValue(
                f"A tag has a key of 1 to {KEY_MAX} characters and a value of up to {VALUE_MAX}."
            )
        if key.lower().startswith("aws:"):
            raise InvalidParameterValue("Tag keys that begin with aws: are reserved.")
    return dict(tags)


@operation
def tag_queue(ctx: Context, params: Params) -> None:
    """Add tags to a queue, or overwrite their values."""
    queue = queue_of(ctx, params, "TagQueue")
    queue["Tags"] = checked_tags({**queue["Tags"], **params["Tags"]})
    put_queue(ctx, queue)


@operation
def untag_queue(ctx: Context, params: Params) -> None:
    """Remove tags by their keys; absent ones are fine."""
    queue = queue_of(ctx, params, "UntagQueue")
    queue["Tags"] = {key: value for key, value in queue["Tags"].items() if key not in params["TagKeys"]}
    put_queue(ctx, queue)


@operation
def list_queue_tags(ctx: Context, params: Params) -> Result:
    """Return the tags of a queue."""
    tags = queue_of(ctx, params, "ListQueueTags")["Tags"]
    return {"Tags": tags} if tags else {}
