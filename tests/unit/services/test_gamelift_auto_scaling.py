"""Automatic scaling by the clock: rules, targets, rests, stopped actions, bounds, and scaling to zero."""

from typing import Any

import pytest
from fleet_scenes import HOME, LAUNCH, active_fleet, anywhere_fleet, counts_of, event_codes, fleet_of, new_fleet
from placement_scenes import make_lobby, placed, start
from session_scenes import accept, active_session, create, join

from apitrail.services.context import Context
from apitrail.services.gamelift.scaling_metrics import METRICS, metric_value
from apitrail.testing import Stage

REMOTE = "eu-west-1"
GROW = {
    "Name": "grow",
    "MetricName": "AvailableGameSessions",
    "ComparisonOperator": "LessThanThreshold",
    "Threshold": 1.0,
    "EvaluationPeriods": 2,
    "ScalingAdjustmentType": "ChangeInCapacity",
    "ScalingAdjustment": 1,
}
SHRINK = GROW | {
    "Name": "shrink",
    "MetricName": "PercentIdleInstances",
    "ComparisonOperator": "GreaterThanThreshold",
    "Threshold": 20.0,
    "EvaluationPeriods": 1,
    "ScalingAdjustmentType": "PercentChangeInCapacity",
    "ScalingAdjustment": -10,
}
TARGET = {
    "Name": "buffer",
    "PolicyType": "TargetBased",
    "MetricName": "PercentAvailableGameSessions",
    "TargetConfiguration": {"TargetValue": 50.0},
}
ACTIONS = {"Actions": ["AUTO_SCALING"]}
ZERO = {"ZeroCapacityStrategy": "SCALE_TO_AND_FROM_ZERO", "ScaleInAfterInactivityMinutes": 5}


def fleet_with(stage: Stage, *policies: dict[str, Any], desired: int = 1, least: int = 0, most: int = 10) -> str:
    """Return an active fleet with two processes per instance, scaling policies and room to grow.

    Its policies are evaluated two seconds before each of the `minutes` ends, so that instances have started by then.
    """
    fleet_id = active_fleet(stage, RuntimeConfiguration={"ServerProcesses": [LAUNCH]})
    sizes = {"DesiredInstances": desired, "MinSize": least, "MaxSize": most}
    stage.call("UpdateFleetCapacity", FleetId=fleet_id, **sizes)
    stage.advance(2)
    for policy in policies:
        stage.call("PutScalingPolicy", FleetId=fleet_id, **policy)
    stage.advance(2)
    return fleet_id


def minutes(stage: Stage, count: int) -> None:
    stage.advance(60 * count, step=2)


def desired(stage: Stage, fleet_id: str, location: str = HOME) -> int:
    return counts_of(stage, fleet_id, location)["DESIRED"]


def end(stage: Stage, session: dict[str, Any]) -> None:
    names = {"GameSessionId": session["GameSessionId"], "TerminationMode": "FORCE_TERMINATE"}
    stage.call("TerminateGameSession", **names)
    stage.settle()


def test_a_rule_acts_when_it_was_met_for_its_periods_and_then_rests(stage: Stage) -> None:
    fleet_id = fleet_with(stage, GROW)
    for _ in range(2):
        active_session(stage, fleet_id)
    minutes(stage, 1)
    assert desired(stage, fleet_id) == 1
    minutes(stage, 1)
    assert desired(stage, fleet_id) == 2
    for _ in range(2):
        active_session(stage, fleet_id)
    minutes(stage, 9)
    assert desired(stage, fleet_id) == 2
    minutes(stage, 1)
    assert desired(stage, fleet_id) == 3


def test_a_rule_that_is_not_met_once_begins_to_count_anew(stage: Stage) -> None:
    fleet_id = fleet_with(stage, GROW)
    first, _ = active_session(stage, fleet_id), active_session(stage, fleet_id)
    minutes(stage, 1)
    end(stage, first)
    minutes(stage, 1)
    active_session(stage, fleet_id)
    minutes(stage, 1)
    assert desired(stage, fleet_id) == 1
    minutes(stage, 1)
    assert desired(stage, fleet_id) == 2


def test_policies_act_independently_of_each_other(stage: Stage) -> None:
    fleet_id = fleet_with(stage, GROW, GROW | {"Name": "faster", "ScalingAdjustment": 3}, desired=1)
    for _ in range(2):
        active_session(stage, fleet_id)
    minutes(stage, 2)
    assert desired(stage, fleet_id) == 5
    assert event_codes(stage, fleet_id).count("FLEET_SCALING_EVENT") == 3


def test_a_policy_that_is_put_again_begins_anew(stage: Stage) -> None:
    fleet_id = fleet_with(stage, GROW)
    for _ in range(2):
        active_session(stage, fleet_id)
    minutes(stage, 1)
    stage.call("PutScalingPolicy", FleetId=fleet_id, **GROW)
    minutes(stage, 1)
    assert desired(stage, fleet_id) == 1
    minutes(stage, 1)
    assert desired(stage, fleet_id) == 2


def test_a_percentage_takes_at_least_one_instance_away(stage: Stage) -> None:
    fleet_id = fleet_with(stage, SHRINK, desired=4, least=1)
    minutes(stage, 1)
    assert desired(stage, fleet_id) == 3
    minutes(stage, 20)
    assert desired(stage, fleet_id) == 1
    minutes(stage, 20)
    assert (desired(stage, fleet_id), counts_of(stage, fleet_id)["ACTIVE"]) == (1, 1)


def test_a_change_is_an_event_and_no_record(stage: Stage) -> None:
    fleet_id = fleet_with(stage, SHRINK, desired=2)
    records = len(list(stage.events()))
    minutes(stage, 1)
    assert len(list(stage.events())) == records
    newest = stage.call("DescribeFleetEvents", FleetId=fleet_id, Limit=1)["Events"][0]
    assert (newest["EventCode"], "desired 2 to 1" in newest["Message"]) == ("FLEET_SCALING_EVENT", True)


def test_a_target_keeps_its_share_free_as_sessions_come_and_go(stage: Stage) -> None:
    fleet_id = fleet_with(stage, TARGET, least=1)
    minutes(stage, 1)
    assert desired(stage, fleet_id) == 1
    sessions = [active_session(stage, fleet_id) for _ in range(2)]
    minutes(stage, 1)
    assert desired(stage, fleet_id) == 2
    sessions += [active_session(stage, fleet_id) for _ in range(2)]
    minutes(stage, 1)
    assert desired(stage, fleet_id) == 4
    assert stage.read(lambda ctx: metric_value(ctx, TARGET["MetricName"], fleet_id, HOME)) == 50.0
    for session in sessions:
        end(stage, session)
    minutes(stage, 1)
    assert (desired(stage, fleet_id), counts_of(stage, fleet_id)["ACTIVE"]) == (1, 1)


def test_settings_and_quota_bound_what_policies_do(stage: Stage) -> None:
    eager = GROW | {"Threshold": 100.0, "EvaluationPeriods": 1, "ScalingAdjustment": 50}
    narrow = fleet_with(stage, eager, most=3)
    minutes(stage, 1)
    assert desired(stage, narrow) == 3
    wide = fleet_with(stage, eager, most=500)
    minutes(stage, 1)
    assert desired(stage, wide) == 17
    before = event_codes(stage, wide)
    minutes(stage, 25)
    assert event_codes(stage, wide) == before


def test_a_rule_that_could_change_nothing_acts_as_soon_as_it_can(stage: Stage) -> None:
    fleet_id = fleet_with(stage, GROW, most=1)
    for _ in range(2):
        active_session(stage, fleet_id)
    minutes(stage, 4)
    stage.call("UpdateFleetCapacity", FleetId=fleet_id, MaxSize=2)
    minutes(stage, 1)
    assert desired(stage, fleet_id) == 2


def test_each_location_is_scaled_by_its_own_figures(stage: Stage) -> None:
    fleet_id = active_fleet(stage, Locations=[{"Location": REMOTE}])
    for place in (HOME, REMOTE):
        stage.call("UpdateFleetCapacity", FleetId=fleet_id, Location=place, MaxSize=5)
    stage.call("PutScalingPolicy", FleetId=fleet_id, **GROW)
    for _ in range(2):
        active_session(stage, fleet_id, Location=REMOTE)
    minutes(stage, 2)
    assert (desired(stage, fleet_id), desired(stage, fleet_id, REMOTE)) == (1, 2)


def test_stopped_actions_let_nothing_happen_until_they_are_started(stage: Stage) -> None:
    fleet_id = fleet_with(stage, SHRINK, desired=4, least=1)
    arn = f"arn:aws:gamelift:us-west-2:111122223333:fleet/{fleet_id}"
    ids = {"FleetId": fleet_id, "FleetArn": arn}
    for _ in range(2):
        assert stage.call("StopFleetActions", FleetId=arn, **ACTIONS) == ids
    assert fleet_of(stage, fleet_id)["StoppedActions"] == ["AUTO_SCALING"]
    minutes(stage, 3)
    assert desired(stage, fleet_id) == 4
    (policy,) = stage.call("DescribeScalingPolicies", FleetId=fleet_id)["ScalingPolicies"]
    assert policy["Status"] == "ACTIVE"
    stage.call("UpdateFleetCapacity", FleetId=fleet_id, DesiredInstances=3)
    for _ in range(2):
        assert stage.call("StartFleetActions", FleetId=fleet_id, **ACTIONS) == ids
    assert "StoppedActions" not in fleet_of(stage, fleet_id)
    minutes(stage, 1)
    assert desired(stage, fleet_id) == 2


def test_actions_are_stopped_in_one_location_and_that_takes_time_to_reach_it(stage: Stage) -> None:
    fleet_id = active_fleet(stage, Locations=[{"Location": REMOTE}])
    stage.call("PutScalingPolicy", FleetId=fleet_id, **SHRINK)
    stage.call("StopFleetActions", FleetId=fleet_id, Location=REMOTE, **ACTIONS)

    def attributes() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = stage.call("DescribeFleetLocationAttributes", FleetId=fleet_id)[
            "LocationAttributes"
        ]
        return [{name: value for name, value in place.items() if name != "LocationState"} for place in found]

    stopped = {"StoppedActions": ["AUTO_SCALING"]}
    assert attributes() == [{}, stopped | {"UpdateStatus": "PENDING_UPDATE"}]
    assert "StoppedActions" not in fleet_of(stage, fleet_id)
    stage.advance(5)
    assert attributes() == [{}, stopped]
    minutes(stage, 2)
    assert (desired(stage, fleet_id), desired(stage, fleet_id, REMOTE)) == (0, 1)
    stage.call("StartFleetActions", FleetId=fleet_id, Location=REMOTE, **ACTIONS)
    minutes(stage, 1)
    assert (attributes(), desired(stage, fleet_id, REMOTE)) == ([{}, {}], 0)


@pytest.mark.parametrize("operation", ["StartFleetActions", "StopFleetActions"])
def test_actions_need_a_managed_fleet_and_one_of_its_locations(stage: Stage, operation: str) -> None:
    fleet_id, going = new_fleet(stage), active_fleet(stage)
    stage.call("DeleteFleet", FleetId=going)
    for name, code in (
        ("fleet-none", "NotFoundException"),
        (going, "InvalidRequestException"),
        (anywhere_fleet(stage), "InvalidRequestException"),
    ):
        assert stage.error(operation, FleetId=name, **ACTIONS).error_code == code
    error = stage.error(operation, FleetId=fleet_id, Location=REMOTE, **ACTIONS)
    assert error.error_code == "NotFoundException"


def test_a_location_at_zero_is_started_by_a_game_session_and_by_no_policy(stage: Stage) -> None:
    fleet_id = fleet_with(stage, GROW | {"EvaluationPeriods": 1})
    stage.call("UpdateFleetCapacity", FleetId=fleet_id, ManagedCapacityConfiguration=ZERO)
    minutes(stage, 8)
    assert (desired(stage, fleet_id), counts_of(stage, fleet_id)["MINIMUM"]) == (0, 0)
    minutes(stage, 3)
    assert desired(stage, fleet_id) == 0
    params = {"FleetId": fleet_id, "MaximumPlayerSessionCount": 1}
    assert stage.error("CreateGameSession", **params).error_code == "FleetCapacityExceededException"
    stage.advance(2)
    for _ in range(2):
        active_session(stage, fleet_id)
    minutes(stage, 1)
    assert (desired(stage, fleet_id), counts_of(stage, fleet_id)["MINIMUM"]) == (2, 1)


def test_nothing_is_scaled_before_the_fleet_is_active(stage: Stage) -> None:
    fleet_id = new_fleet(stage)
    stage.call("PutScalingPolicy", FleetId=fleet_id, **SHRINK)
    stage.advance(10)
    assert desired(stage, fleet_id) == 1
    minutes(stage, 1)
    assert desired(stage, fleet_id) == 0


def test_metrics_are_counted_from_what_is_there(stage: Stage) -> None:
    limits = {"MaxConcurrentGameSessionActivations": 1}
    launch = [LAUNCH | {"ConcurrentExecutions": 4}]
    fleet_id = active_fleet(stage, RuntimeConfiguration={"ServerProcesses": launch, **limits})
    stage.call("UpdateFleetCapacity", FleetId=fleet_id, DesiredInstances=2, MaxSize=2)
    stage.advance(2)
    session = active_session(stage, fleet_id, MaximumPlayerSessionCount=5)
    accept(stage, session, join(stage, session, "ana"))
    join(stage, session, "bo")
    create(stage, fleet_id)

    def values(ctx: Context) -> dict[str, float]:
        return {name: metric_value(ctx, name, fleet_id, HOME) for name in METRICS}

    assert stage.read(values) == {
        "ActivatingGameSessions": 1,
        "ActiveGameSessions": 1,
        "ActiveInstances": 1,
        "AvailableGameSessions": 6,
        "AvailablePlayerSessions": 3,
        "ConcurrentActivatableGameSessions": 1,
        "CurrentPlayerSessions": 2,
        "IdleInstances": 1,
        "PercentAvailableGameSessions": 100 * 6 / 7,
        "PercentIdleInstances": 50,
        "QueueDepth": 0,
        "WaitTime": 0,
    }
    assert set(stage.read(lambda ctx: [metric_value(ctx, name, fleet_id, REMOTE) for name in METRICS])) == {0}


def test_placements_that_wait_make_a_fleet_grow(stage: Stage) -> None:
    waiting = GROW | {"MetricName": "QueueDepth", "ComparisonOperator": "GreaterThanThreshold", "Threshold": 0.0}
    fleet_id = fleet_with(stage, waiting)
    make_lobby(stage, fleet_id)
    for number in range(3):
        start(stage, f"round-{number}")
    minutes(stage, 1)
    found = stage.read(lambda ctx: [metric_value(ctx, name, fleet_id, HOME) for name in ("QueueDepth", "WaitTime")])
    assert found == [1, 60]
    minutes(stage, 1)
    assert desired(stage, fleet_id) == 2
    assert placed(stage, "round-2")["Status"] == "FULFILLED"
