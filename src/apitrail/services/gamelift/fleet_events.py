"""The log of a fleet: adding events, and DescribeFleetEvents.

Source: service model (Event); GameLift Developer Guide.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from apitrail.services.context import Context
from apitrail.services.gamelift.collections import FLEET_EVENTS
from apitrail.services.gamelift.errors import InvalidRequestException
from apitrail.services.gamelift.fleets_access import get_fleet
from apitrail.services.gamelift.pages import Keep, page_of
from apitrail.services.gamelift.process_logs import LINK, with_urls
from apitrail.services.operation import operation, timer
from apitrail.store.resources import Doc

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import DescribeFleetEventsInputTypeDef

EVENTS_MAX = 2_000
"""Events kept per fleet; older ones make room."""

MERGE_WITHIN = timedelta(minutes=1)
COUNT_MAX = 101
DROP_COUNT = 200
DROP = "gamelift/drop-events"


def add_event(ctx: Context, fleet_id: str, code: str, message: str, *, merge: bool = False, log: str = "") -> None:
    """Add an event to a fleet's log.

    code: an EventCode of the model. merge: count it on to the last event when that is the same and less
    than a minute old; for process events, which may come in swarms. log: key of the log that it points at, the newest one's
    of those that were merged.
    """
    events = FLEET_EVENTS(ctx)
    last = next(iter(events.find("ResourceId", fleet_id, 1, newest_first=True)), None)
    if merge and last is not None and _same(ctx, last.doc, code, message):
        last.doc["Count"] = min(last.doc.get("Count", 1) + 1, COUNT_MAX)
        events.put(last.id, last.doc | _link(log))
        return
    number = 1 if last is None else last.doc["_number"] + 1
    event = _event(ctx, fleet_id, code, message, number) | _link(log)
    events.put(event["EventId"], event)
    if number > EVENTS_MAX:
        events.delete(events.find("ResourceId", fleet_id, 1)[0].id)


def drop_events(ctx: Context, fleet_id: str) -> None:
    """Remove a fleet's log, some of it now and the rest by timers."""
    events = FLEET_EVENTS(ctx)
    found = events.find("ResourceId", fleet_id, DROP_COUNT)
    for entry in found:
        events.delete(entry.id)
    if len(found) == DROP_COUNT:
        ctx.schedule(DROP, {"FleetId": fleet_id}, 0)


@timer(DROP)
def drop_more_events(ctx: Context, doc: Doc) -> None:
    """Go on with removing a log."""
    drop_events(ctx, doc["FleetId"])


@operation
def describe_fleet_events(ctx: Context, params: "DescribeFleetEventsInputTypeDef") -> dict[str, Any]:
    """Return a fleet's log, newest first; StartTime and EndTime belong to the span. What a process has written can be fetched.

    Raises: InvalidRequestException (bad token; a span that ends before it begins); NotFoundException.
    Source: GameLift API Reference, DescribeFleetEvents.
    """
    keep = _in_span(params)
    fleet = get_fleet(ctx, params["FleetId"])
    where = ("ResourceId", fleet["FleetId"])
    page, token = page_of(
        ctx, "DescribeFleetEvents", params, FLEET_EVENTS(ctx), where=where, keep=keep, newest_first=True
    )
    return {"Events": with_urls(ctx, fleet["FleetId"], page), "NextToken": token}


def _in_span(params: Mapping[str, Any]) -> Keep | None:
    """Return whether an event is in the asked span, or None when no span is asked for."""
    start, end = params.get("StartTime"), params.get("EndTime")
    if start is None and end is None:
        return None
    if start is not None and end is not None and start > end:
        raise InvalidRequestException("StartTime must not be later than EndTime.")

    def in_span(event: Doc) -> bool:
        at = event["EventTime"]
        return (start is None or at >= start) and (end is None or at <= end)

    return in_span


def _link(log: str) -> Doc:
    return {LINK: log} if log else {}


def _event(ctx: Context, fleet_id: str, code: str, message: str, number: int) -> Doc:
    return {
        "EventId": ctx.ids.uuid(),
        "ResourceId": fleet_id,
        "EventCode": code,
        "Message": message,
        "EventTime": ctx.now,
        "_number": number,
    }


def _same(ctx: Context, event: Doc, code: str, message: str) -> bool:
    if (event["EventCode"], event["Message"]) != (code, message):
        return False
    return bool(ctx.now - event["EventTime"] < MERGE_WITHIN)
