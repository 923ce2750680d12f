"""The log of a fleet."""

from datetime import timedelta

import pytest
from fleet_scenes import active_fleet, fleet_of, new_fleet, pages, shown

from apitrail.services.context import Context
from apitrail.services.gamelift import fleet_events
from apitrail.services.gamelift.collections import FLEET_EVENTS
from apitrail.services.gamelift.fleet_events import add_event
from apitrail.testing import Stage

CRASH = ("SERVER_PROCESS_CRASHED", "Server process exited, launchPath(/local/game/server)")


def crash(stage: Stage, fleet_id: str, *, merge: bool = True) -> None:
    stage.change(lambda ctx: add_event(ctx, fleet_id, *CRASH, merge=merge))


def test_events_come_newest_first_in_pages(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    found = pages(stage, "DescribeFleetEvents", "Events", FleetId=fleet_id, Limit=3)
    assert [len(page) for page in found] == [3, 3, 2]
    events = [event for page in found for event in page]
    assert [event["EventTime"] for event in events] == sorted((e["EventTime"] for e in events), reverse=True)
    assert (events[0]["EventCode"], events[-1]["EventCode"]) == ("FLEET_STATE_ACTIVE", "FLEET_CREATED")
    assert set(shown(events[0])) == {"EventId", "ResourceId", "EventCode", "Message", "EventTime"}
    assert events[0]["Message"] == f"Fleet {fleet_id} changed state to ACTIVE"
    assert events[0]["ResourceId"] == fleet_id


def test_a_page_goes_on_where_the_last_one_ended_although_events_were_added(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    first = stage.call("DescribeFleetEvents", FleetId=fleet_id, Limit=3)
    stage.call("UpdateFleetCapacity", FleetId=fleet_id, MaxSize=3)
    second = stage.call("DescribeFleetEvents", FleetId=fleet_id, Limit=3, NextToken=first["NextToken"])
    codes = [event["EventCode"] for event in [*first["Events"], *second["Events"]]]
    assert "FLEET_SCALING_EVENT" not in codes
    assert len(set(codes)) == 6


def test_both_ends_of_a_span_belong_to_it(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    created = fleet_of(stage, fleet_id)["CreationTime"]
    span = {"StartTime": created + timedelta(seconds=1), "EndTime": created + timedelta(seconds=4)}
    events = stage.call("DescribeFleetEvents", FleetId=fleet_id, **span)["Events"]
    states = [event["EventCode"] for event in events if event["EventCode"].startswith("FLEET_STATE")]
    assert states == ["FLEET_STATE_BUILDING", "FLEET_STATE_VALIDATING", "FLEET_STATE_DOWNLOADING"]
    late = stage.call("DescribeFleetEvents", FleetId=fleet_id, StartTime=created + timedelta(days=1))
    assert late["Events"] == []
    early = stage.call("DescribeFleetEvents", FleetId=fleet_id, EndTime=created)["Events"]
    assert [event["EventCode"] for event in early] == ["FLEET_CREATED"]
    backward = {"StartTime": span["EndTime"], "EndTime": span["StartTime"]}
    error = stage.error("DescribeFleetEvents", FleetId=fleet_id, **backward)
    assert error.error_code == "InvalidRequestException"


def test_a_fleet_may_be_named_by_its_arn(stage: Stage) -> None:
    fleet_id = new_fleet(stage)
    arn = fleet_of(stage, fleet_id)["FleetArn"]
    assert len(stage.call("DescribeFleetEvents", FleetId=arn)["Events"]) == 1


def test_a_swarm_of_equal_events_is_counted_in_one(stage: Stage) -> None:
    fleet_id = new_fleet(stage)
    for _ in range(150):
        crash(stage, fleet_id)
    newest, created = stage.call("DescribeFleetEvents", FleetId=fleet_id)["Events"]
    assert (newest["EventCode"], newest["Count"]) == (CRASH[0], 101)
    assert "Count" not in created


def test_equal_events_a_minute_apart_are_kept_apart(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    crash(stage, fleet_id)
    stage.advance(59)
    crash(stage, fleet_id)
    stage.advance(1)
    crash(stage, fleet_id)
    crash(stage, fleet_id, merge=False)
    events = stage.call("DescribeFleetEvents", FleetId=fleet_id, Limit=4)["Events"]
    assert [event.get("Count", 1) for event in events] == [1, 1, 2, 1]


def test_a_log_that_is_full_loses_its_oldest_events(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_events, "EVENTS_MAX", 5)
    fleet_id = active_fleet(stage)
    kept = stage.call("DescribeFleetEvents", FleetId=fleet_id)["Events"]
    assert len(kept) == 5
    assert kept[0]["EventCode"] == "FLEET_STATE_ACTIVE"

    def count(ctx: Context) -> int:
        return FLEET_EVENTS(ctx).count("ResourceId", fleet_id)

    assert stage.change(count) == 5
