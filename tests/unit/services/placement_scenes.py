"""What tests of placements begin with: queues, placements, and what is told about them."""

import json
from typing import Any

from apitrail.store.game_events import events_after
from apitrail.testing import Stage
from apitrail.testing.stage import ACCOUNT, REGION

TOPIC_ARN = f"arn:aws:sns:{REGION}:{ACCOUNT}:matches"


def fleet_arn(fleet_id: str, region: str = REGION) -> str:
    """Return the ARN of a fleet as a destination."""
    return f"arn:aws:gamelift:{region}:{ACCOUNT}:fleet/{fleet_id}"


def make_lobby(stage: Stage, *fleet_ids: str, name: str = "lobby", **params: Any) -> dict[str, Any]:
    """Create a queue with fleets as its destinations, and return it."""
    destinations = [{"DestinationArn": fleet_arn(fleet_id)} for fleet_id in fleet_ids]
    given = {"Name": name, "Destinations": destinations, **params}
    return dict(stage.call("CreateGameSessionQueue", **given)["GameSessionQueue"])


def start(stage: Stage, placement_id: str = "round-1", *, queue: str = "lobby", **params: Any) -> dict[str, Any]:
    """Ask for a placement and return it, PENDING."""
    given = {"PlacementId": placement_id, "GameSessionQueueName": queue, "MaximumPlayerSessionCount": 4, **params}
    return dict(stage.call("StartGameSessionPlacement", **given)["GameSessionPlacement"])


def placed(stage: Stage, placement_id: str = "round-1") -> dict[str, Any]:
    """Return a placement as it is now, without what is ours."""
    found = stage.call("DescribeGameSessionPlacement", PlacementId=placement_id)["GameSessionPlacement"]
    return {name: value for name, value in found.items() if not name.startswith("_")}


def place(stage: Stage, placement_id: str = "round-1", **params: Any) -> dict[str, Any]:
    """Ask for a placement, let everything happen that happens at once, and return it."""
    start(stage, placement_id, **params)
    stage.settle()
    return placed(stage, placement_id)


def latencies(**by_player: dict[str, float]) -> list[dict[str, Any]]:
    """Return PlayerLatencies from milliseconds by location, for each player."""
    return [
        {"PlayerId": player, "RegionIdentifier": location, "LatencyInMilliseconds": value}
        for player, values in by_player.items()
        for location, value in values.items()
    ]


def told(stage: Stage) -> list[dict[str, Any]]:
    """Return the events about placements and matches so far, oldest first."""
    rows = stage.run(stage.app.database.read(lambda tx: events_after(tx, 0, 100_000)))
    return [json.loads(row.event) for row in rows]


def told_types(stage: Stage) -> list[str]:
    """Return the types of the events so far, oldest first."""
    return [event["detail"]["type"] for event in told(stage)]


def make_topic(stage: Stage) -> str:
    """Make a topic that lets GameLift publish, with a queue that is subscribed to it; return the queue's URL."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "gamelift.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": TOPIC_ARN,
        "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:gamelift:{REGION}:{ACCOUNT}:*"}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    stage.call_("CreateTopic", {"Name": "matches", "Attributes": {"Policy": policy}}, service="sns")
    return TOPIC_ARN
