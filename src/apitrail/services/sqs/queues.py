"""Queues: create, find, change, empty, delete. Source: SQS API Reference."""

import re

from apitrail.services.common import make_token, read_token, take_page
from apitrail.services.context import Context
from apitrail.services.operation import operation
from apitrail.services.queues import QUEUES, drop_all
from apitrail.services.sqs.access import Params, Result, put_queue, queue_named, queue_of, queue_url
from apitrail.services.sqs.attributes import checked, effective, merged, redrive, shown
from apitrail.services.sqs.errors import (
    InvalidParameterValue,
    PurgeQueueInProgress,
    QueueNameExists,
)
from apitrail.services.sqs.tagging import checked_tags
from apitrail.store.resources import Doc

NAME = re.compile(r"[A-Za-z0-9_-]{1,80}", re.ASCII)
PAGE_MAX = 1000
PURGE_PAUSE_S = 60


@operation
def create_queue(ctx: Context, params: Params) -> Result:
    """Create a queue, or return the one of this name if every attribute given has the value that it has.

    Raises: InvalidParameterValue, InvalidAttributeName, InvalidAttributeValue, QueueNameExists.
    """
    name, arn = params["QueueName"], ctx.arn("sqs", params["QueueName"])
    if name.endswith(".fifo"):
        raise InvalidParameterValue("FIFO queues are not served by this version; only standard queues are.")
    if not NAME.fullmatch(name):
        said = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
        raise InvalidParameterValue(said)
    attributes = checked(ctx, arn, params.get("Attributes", {}))
    queue = QUEUES(ctx).get(name)
    if queue is not None:
        _check_same(queue, attributes)
        return {"QueueUrl": queue_url(ctx, queue)}
    queue = {
        "QueueName": name,
        "QueueArn": arn,
        "Owner": ctx.account,
        "Attributes": merged({}, attributes),
        "Tags": checked_tags(params.get("tags", {})),
        "_CreatedAt": ctx.now.timestamp(),
        "_PurgedAt": 0.0,
    }
    put_queue(ctx, queue)
    return {"QueueUrl": queue_url(ctx, queue)}


@operation
def delete_queue(ctx: Context, params: Params) -> None:
    """Delete a queue with all of its messages. Its name can be used again at once, which AWS allows after a minute."""
    queue = queue_of(ctx, params, "DeleteQueue")
    drop_all(ctx.tx, queue["QueueArn"])
    QUEUES.at(ctx.tx, queue["Owner"], ctx.region).delete(queue["QueueName"])


@operation
def get_queue_url(ctx: Context, params: Params) -> Result:
    """Return the URL of a queue. Raises: QueueDoesNotExist, AccessDeniedException."""
    owner = params.get("QueueOwnerAWSAccountId") or ctx.account
    return {"QueueUrl": queue_url(ctx, queue_named(ctx, owner, params["QueueName"], "GetQueueUrl"))}


@operation
def list_queues(ctx: Context, params: Params) -> Result:
    """Return the URLs of the account's queues in this region, those with a prefix only if one is given."""
    prefix = params.get("QueueNamePrefix", "")
    return _page(ctx, params, [entry.doc for entry in QUEUES(ctx).all() if entry.id.startswith(prefix)], "QueueUrls")


@operation
def list_dead_letter_source_queues(ctx: Context, params: Params) -> Result:
    """Return the URLs of the queues whose dead letters come into this one."""
    arn = queue_of(ctx, params, "ListDeadLetterSourceQueues")["QueueArn"]
    sources = [entry.doc for entry in QUEUES(ctx).all() if (redrive(entry.doc) or ("", 0))[0] == arn]
    return _page(ctx, params, sources, "queueUrls")


@operation
def get_queue_attributes(ctx: Context, params: Params) -> Result:
    """Return the attributes asked for; none without AttributeNames."""
    queue = queue_of(ctx, params, "GetQueueAttributes")
    names = params.get("AttributeNames", [])
    if not names:
        return {}
    found = shown(ctx, queue)
    return {"Attributes": found if "All" in names else {name: found[name] for name in names if name in found}}


@operation
def set_queue_attributes(ctx: Context, params: Params) -> None:
    """Change attributes; an empty text takes one away. Raises: InvalidAttributeName, InvalidAttributeValue."""
    queue = queue_of(ctx, params, "SetQueueAttributes")
    queue["Attributes"] = merged(queue["Attributes"], checked(ctx, queue["QueueArn"], params["Attributes"]))
    put_queue(ctx, queue)


@operation
def purge_queue(ctx: Context, params: Params) -> None:
    """Remove every message of a queue, at most once a minute. Raises: PurgeQueueInProgress."""
    queue = queue_of(ctx, params, "PurgeQueue")
    if ctx.now.timestamp() - queue["_PurgedAt"] < PURGE_PAUSE_S:
        name = queue["QueueName"]
        raise PurgeQueueInProgress(f"Only one PurgeQueue operation on {name} is allowed every {PURGE_PAUSE_S} seconds.")
    drop_all(ctx.tx, queue["QueueArn"])
    queue["_PurgedAt"] = ctx.now.timestamp()
    put_queue(ctx, queue)


def _check_same(queue: Doc, attributes: dict[str, str]) -> None:
    for name, value in attributes.items():
        if value != effective(queue, name):
            said = "A queue already exists with the same name and a different value for attribute"
            raise QueueNameExists(f"{said} {name}")


def _page(ctx: Context, params: Params, found: list[Doc], member: str) -> Result:
    """Return a page of queues: all up to 1000 of them, unless MaxResults asks for less."""
    limit = params.get("MaxResults", PAGE_MAX)
    if not 1 <= limit <= PAGE_MAX:
        raise InvalidParameterValue(
            f"Value {limit} for parameter MaxResults is invalid. Reason: must be 1 to {PAGE_MAX}."
        )
    bound = {name: value for name, value in params.items() if name not in ("NextToken", "MaxResults")}
    token = params.get("NextToken")
    start = read_token(ctx, [member, bound], token, InvalidParameterValue) if token else 0
    page, more = take_page(found[start : start + limit + 1], limit)
    answer: Result = {member: [queue_url(ctx, queue) for queue in page]} if page else {}
    if more and "MaxResults" in params:
        answer["NextToken"] = make_token(ctx, [member, bound], start + limit)
    return answer
