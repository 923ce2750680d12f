"""Game session queues: where placements look for room, and in which order.

A queue's document is its GameSessionQueue; `_Id` tells it from a later one of the same name. Source: GameLift API Reference,
the operations on game session queues.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from apitrail.services.context import Context
from apitrail.services.gamelift.arns import arn_of
from apitrail.services.gamelift.collections import QUEUES
from apitrail.services.gamelift.errors import InvalidRequestException, NotFoundException
from apitrail.services.gamelift.pages import page_of
from apitrail.services.gamelift.placement_steps import fail_all
from apitrail.services.gamelift.queue_rules import (
    TIMEOUT_MAX_S,
    check_exist,
    check_log_count,
    check_settings,
    log_destinations,
    sorted_policies,
)
from apitrail.services.gamelift.queues_access import find_queue, get_queue
from apitrail.services.gamelift.room_waits import queue_name, thing_changed
from apitrail.services.gamelift.tagging import check_tags, drop_tags, tag_new
from apitrail.services.operation import operation
from apitrail.store.resources import Doc

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import (
        CreateGameSessionQueueInputTypeDef,
        DeleteGameSessionQueueInputTypeDef,
        DescribeGameSessionQueuesInputTypeDef,
        UpdateGameSessionQueueInputTypeDef,
    )

COPIED = (
    "TimeoutInSeconds",
    "Destinations",
    "FilterConfiguration",
    "PriorityConfiguration",
    "CustomEventData",
    "NotificationTarget",
)
REMOVED_WHEN_EMPTY = ("FilterConfiguration", "PriorityConfiguration", "CustomEventData", "NotificationTarget")
PAGE_COUNT = 50
NAMES_MAX = 1000
"""Queues that can be named in one call; the API says no number."""


@operation
def create_game_session_queue(ctx: Context, params: "CreateGameSessionQueueInputTypeDef") -> dict[str, Any]:
    """Create a queue and return it.

    Raises: InvalidRequestException (also for a name that is taken, inferred); NotFoundException (destination);
    TaggingFailedException. Inferred: a timeout of 600 seconds where none is given.
    """
    check_settings(params)
    check_tags(params)
    name = params["Name"]
    if QUEUES(ctx).has(name):
        raise InvalidRequestException(f"Game session queue with name {name} already exists.")
    check_exist(ctx, params.get("Destinations", ()))
    queue: Doc = {
        "Name": name,
        "GameSessionQueueArn": arn_of(ctx, "gamesessionqueue", name),
        "TimeoutInSeconds": TIMEOUT_MAX_S,
        "_Id": ctx.ids.uuid(),
    }
    wanted: Any = params.get("LogConfiguration", {})
    logs = log_destinations(ctx, name, wanted.get("DeliveryDestinations", ()))
    _take_over(queue, params, logs)
    QUEUES(ctx).put(name, queue)
    tag_new(ctx, queue["GameSessionQueueArn"], params)
    return {"GameSessionQueue": queue}


@operation
def describe_game_session_queues(ctx: Context, params: "DescribeGameSessionQueuesInputTypeDef") -> dict[str, Any]:
    """Return the queues of the given names or ARNs, or a page of all; at most 50 a page.

    Raises: InvalidRequestException (bad token); NotFoundException (none of those that are named; inferred, others are left out).
    """
    names = params.get("Names")
    if names:
        return {"GameSessionQueues": _named(ctx, names)}
    page, token = page_of(ctx, "DescribeGameSessionQueues", params, QUEUES(ctx), default=PAGE_COUNT, cap=PAGE_COUNT)
    return {"GameSessionQueues": page, "NextToken": token}


@operation
def update_game_session_queue(ctx: Context, params: "UpdateGameSessionQueueInputTypeDef") -> dict[str, Any]:
    """Change a queue and return it; what is given replaces what was there, log destinations are added and removed.

    An empty FilterConfiguration or PriorityConfiguration removes it. Placements that wait look again at once; they keep the
    timeout, the topic and the text for events that they began with (inferred).
    Raises: InvalidRequestException; NotFoundException (queue, destination).
    """
    check_settings(params)
    queue = get_queue(ctx, params["Name"])
    check_exist(ctx, params.get("Destinations", ()))
    _take_over(queue, params, _changed_logs(ctx, queue, params))
    QUEUES(ctx).put(queue["Name"], queue)
    thing_changed(ctx, queue_name(queue["GameSessionQueueArn"]))
    return {"GameSessionQueue": queue}


@operation
def delete_game_session_queue(ctx: Context, params: "DeleteGameSessionQueueInputTypeDef") -> dict[str, Any]:
    """Delete a queue; its pending placements fail. Raises: NotFoundException."""
    queue = get_queue(ctx, params["Name"])
    QUEUES(ctx).delete(queue["Name"])
    drop_tags(ctx, queue["GameSessionQueueArn"])
    fail_all(ctx, queue["_Id"])
    return {"_ResourceArn": queue["GameSessionQueueArn"]}


def _named(ctx: Context, names: Sequence[str]) -> list[Doc]:
    if len(names) > NAMES_MAX:
        raise InvalidRequestException(f"Names must have at most {NAMES_MAX} items.")
    found = [queue for queue in (find_queue(ctx, name) for name in dict.fromkeys(names)) if queue is not None]
    if not found:
        raise NotFoundException(f"None of the {len(names)} named game session queues was found in {ctx.region}.")
    return found


def _take_over(queue: Doc, params: Mapping[str, Any], logs: list[dict[str, str]]) -> None:
    queue |= {name: params[name] for name in COPIED if name in params}
    for name in REMOVED_WHEN_EMPTY:
        if not queue.get(name):
            queue.pop(name, None)
    if "PlayerLatencyPolicies" in params:
        queue["PlayerLatencyPolicies"] = sorted_policies(params["PlayerLatencyPolicies"])
    if logs:
        check_log_count(logs)
        queue["LogConfiguration"] = {"DeliveryDestinations": logs}
    else:
        queue.pop("LogConfiguration", None)


def _changed_logs(ctx: Context, queue: Doc, params: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return a queue's log destinations after an update: some are taken out, others put in."""
    name = queue["Name"]
    there = queue.get("LogConfiguration", {}).get("DeliveryDestinations", [])
    unwanted = log_destinations(ctx, name, params.get("RemoveLogDeliveryDestinations", ()))
    left = [item for item in there if item not in unwanted]
    more = log_destinations(ctx, name, params.get("AddLogDeliveryDestinations", ()))
    return [*left, *(item for item in more if item not in left)]
