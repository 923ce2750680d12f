"""Events about placements and matches: to an SNS topic and to the event bus.

An event is a row written in the transaction of what it tells about; a worker publishes the rows, in their order. The row is
no event of a trail. Source: GameLift Developer Guide, queue events; FlexMatch Developer Guide, matchmaking events.
"""

from datetime import datetime
from typing import Any

import orjson

from apitrail.services.context import Context
from apitrail.store.game_events import NewEvent, add_event

SOURCE = "aws.gamelift"
WORKER = "game-events"
MILLISECONDS_END = len("2026-03-04T09:15:02.421")


def announce(ctx: Context, detail_type: str, resource_arn: str, detail: dict[str, Any], topic: str) -> None:
    """Have an event about a resource published. topic: ARN of an SNS topic, or empty."""
    envelope = {
        "version": "0",
        "id": ctx.ids.uuid(),
        "detail-type": detail_type,
        "source": SOURCE,
        "account": ctx.account,
        "time": iso(ctx.now),
        "region": ctx.region,
        "resources": [resource_arn],
        "detail": detail,
    }
    to_bus = bool(ctx.settings.events.endpoint)
    at = int(ctx.now.timestamp())
    add_event(ctx.tx, NewEvent(ctx.account, ctx.region, at, resource_arn, topic, to_bus, orjson.dumps(envelope)))
    ctx.wake(WORKER)


def iso(at: datetime) -> str:
    """Return a time as these events write it: `2026-03-04T09:15:02.421Z`."""
    return at.isoformat(timespec="milliseconds")[:MILLISECONDS_END] + "Z"
