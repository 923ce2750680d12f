"""Searches that look at many sessions: found in pieces, between which other calls go on."""

import asyncio
from typing import Any

from fleet_scenes import HOME, active_fleet

from apitrail.services.context import Context
from apitrail.services.gamelift import sessions
from apitrail.services.gamelift.collections import FLEETS
from apitrail.services.gamelift.search import EXAMINED_AT_ONCE
from apitrail.testing import Stage

COUNT = EXAMINED_AT_ONCE + 300
PROCESSES = 50
SCAN = "gameSessionName = 'last' OR gameSessionName = 'first'"


def crowd(stage: Stage) -> str:
    """Return the id of a fleet with many active sessions, of which the first and the last have names of their own."""
    launch = {"LaunchPath": "/local/game/run", "ConcurrentExecutions": PROCESSES}
    fleet_id = active_fleet(stage, RuntimeConfiguration={"ServerProcesses": [launch]})
    count = COUNT // PROCESSES
    stage.call("UpdateFleetCapacity", FleetId=fleet_id, DesiredInstances=count, MaxSize=count)
    stage.settle()
    stage.change(lambda ctx: fill(ctx, fleet_id))
    stage.settle()
    return fleet_id


def fill(ctx: Context, fleet_id: str) -> None:
    fleet = FLEETS(ctx).get(fleet_id)
    assert fleet is not None
    for number in range(COUNT):
        name = {0: "first", COUNT - 1: "last"}.get(number, f"round {number}")
        members = {"MaximumPlayerSessionCount": 4, "Name": name}
        assert sessions.begin(ctx, fleet, HOME, f"gsess-{number}", members, at_once=True)


def names(answer: dict[str, Any]) -> list[str]:
    return [session["Name"] for session in answer["GameSessions"]]


def test_a_search_without_an_index_finds_everything_and_lets_other_calls_go_on(stage_at_once: Stage) -> None:
    stage = stage_at_once
    fleet_id = crowd(stage)

    async def together() -> list[dict[str, Any]]:
        call = stage.app.call
        asked = {"FleetId": fleet_id, "FilterExpression": SCAN}
        return await asyncio.gather(
            call(stage.principal, HOME, "gamelift", "SearchGameSessions", asked),
            call(stage.principal, HOME, "gamelift", "DescribeFleetAttributes", {"FleetIds": [fleet_id]}),
        )

    found, _ = stage.run(together())
    assert names(found) == ["first", "last"] and found["NextToken"] is None
    assert [event["eventName"] for event in stage.events()][-2:] == ["DescribeFleetAttributes", "SearchGameSessions"]

    page = stage.call("SearchGameSessions", FleetId=fleet_id, FilterExpression=SCAN, Limit=1)
    assert names(page) == ["first"] and page["NextToken"]
    rest = stage.call(
        "SearchGameSessions", FleetId=fleet_id, FilterExpression=SCAN, Limit=1, NextToken=page["NextToken"]
    )
    assert names(rest) == ["last"] and rest["NextToken"] is None

    direct = stage.call("SearchGameSessions", FleetId=fleet_id, FilterExpression="gameSessionName = 'last'")
    assert names(direct) == ["last"]
    error = stage.error("SearchGameSessions", FleetId=fleet_id, FilterExpression=SCAN, NextToken="none of ours")
    assert error.error_code == "InvalidRequestException"
    assert next(reversed(list(stage.events())))["errorCode"] == "InvalidRequestException"
