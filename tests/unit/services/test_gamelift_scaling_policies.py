"""Scaling policies: what may be put, how they are listed, and how long they last."""

from typing import Any

import pytest
from fleet_scenes import HOME, active_fleet, anywhere_fleet, listed, new_fleet, pages, shown

from apitrail.services.gamelift.collections import SCALING_POLICIES, SCALING_WATCHES
from apitrail.testing import Stage

REMOTE = "eu-west-1"
TARGET = {
    "Name": "buffer",
    "PolicyType": "TargetBased",
    "MetricName": "PercentAvailableGameSessions",
    "TargetConfiguration": {"TargetValue": 20.0},
}
RULE = {
    "Name": "grow",
    "MetricName": "AvailableGameSessions",
    "ComparisonOperator": "LessThanThreshold",
    "Threshold": 1.0,
    "EvaluationPeriods": 2,
    "ScalingAdjustmentType": "ChangeInCapacity",
    "ScalingAdjustment": 1,
}
MEMBERS_OF_RULES = sorted(RULE.keys() - {"Name", "MetricName"})


def put(stage: Stage, fleet_id: str, policy: dict[str, Any], **members: Any) -> None:
    name = {**policy, **members}["Name"]
    assert stage.call("PutScalingPolicy", FleetId=fleet_id, **{**policy, **members}) == {"Name": name}


def policies(stage: Stage, fleet_id: str, **params: Any) -> list[dict[str, Any]]:
    found = listed(stage, "DescribeScalingPolicies", "ScalingPolicies", FleetId=fleet_id, **params)
    return [shown(policy) for policy in found]


def kept(stage: Stage) -> tuple[int, int]:
    """Return how many policies and watches there are."""
    return stage.read(lambda ctx: (SCALING_POLICIES(ctx).count(), SCALING_WATCHES(ctx).count()))


def test_a_policy_is_in_force_at_once_and_listed_with_its_fleet(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    put(stage, fleet_id, RULE)
    arn = f"arn:aws:gamelift:us-west-2:111122223333:fleet/{fleet_id}"
    place = {"FleetId": fleet_id, "FleetArn": arn, "Location": HOME}
    assert policies(stage, arn) == [{**RULE, **place, "PolicyType": "RuleBased", "Status": "ACTIVE"}]


def test_a_policy_of_the_same_name_takes_its_place(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    put(stage, fleet_id, RULE)
    put(stage, fleet_id, RULE, Threshold=5.0)
    put(stage, fleet_id, TARGET, Name="grow")
    (policy,) = policies(stage, fleet_id)
    assert (policy["PolicyType"], "Threshold" in policy) == ("TargetBased", False)


def test_a_policy_is_listed_once_for_each_location_or_for_one(stage: Stage) -> None:
    fleet_id = active_fleet(stage, Locations=[{"Location": REMOTE}])
    put(stage, fleet_id, RULE)
    put(stage, fleet_id, TARGET)
    stage.advance(5)
    places = [(policy["Name"], policy["Location"]) for policy in policies(stage, fleet_id)]
    assert places == [("grow", HOME), ("grow", REMOTE), ("buffer", HOME), ("buffer", REMOTE)]
    assert [policy["Name"] for policy in policies(stage, fleet_id, Location=REMOTE)] == ["grow", "buffer"]
    error = stage.error("DescribeScalingPolicies", FleetId=fleet_id, Location="us-east-1")
    assert error.error_code == "NotFoundException"


def test_pages_go_through_policies_and_locations(stage: Stage) -> None:
    fleet_id = active_fleet(stage, Locations=[{"Location": REMOTE}])
    for number in range(4):
        put(stage, fleet_id, RULE, Name=f"rule-{number}")
    found = pages(stage, "DescribeScalingPolicies", "ScalingPolicies", FleetId=fleet_id, Limit=3)
    assert [len(page) for page in found] == [3, 3, 2]
    seen = [(policy["Name"], policy["Location"]) for page in found for policy in page]
    assert seen == [(f"rule-{number}", place) for number in range(4) for place in (HOME, REMOTE)]
    error = stage.error("DescribeScalingPolicies", FleetId=fleet_id, NextToken="no")
    assert error.error_code == "InvalidRequestException"


def test_a_change_takes_time_to_reach_remote_locations(stage: Stage) -> None:
    fleet_id = active_fleet(stage, Locations=[{"Location": REMOTE}])
    put(stage, fleet_id, RULE)
    stage.advance(3)
    put(stage, fleet_id, RULE)
    stage.advance(3)
    home, remote = policies(stage, fleet_id)
    assert (home["Status"], "UpdateStatus" in home) == ("ACTIVE", False)
    assert (remote["Status"], remote["UpdateStatus"]) == ("UPDATE_REQUESTED", "PENDING_UPDATE")
    assert [policy["Location"] for policy in policies(stage, fleet_id, StatusFilter="ACTIVE")] == [HOME]
    assert [policy["Location"] for policy in policies(stage, fleet_id, StatusFilter="UPDATE_REQUESTED")] == [REMOTE]
    assert policies(stage, fleet_id, StatusFilter="DELETED") == []
    stage.advance(2)
    assert [policy["Status"] for policy in policies(stage, fleet_id)] == ["ACTIVE", "ACTIVE"]


@pytest.mark.parametrize("missing", MEMBERS_OF_RULES)
def test_a_rule_needs_all_its_members(stage: Stage, missing: str) -> None:
    rule = {name: value for name, value in RULE.items() if name != missing}
    error = stage.error("PutScalingPolicy", FleetId="fleet-none", **rule)
    assert (error.error_code, missing in error.message) == ("InvalidRequestException", True)


@pytest.mark.parametrize(
    "policy",
    [
        {**RULE, "TargetConfiguration": {"TargetValue": 1.0}},
        {**RULE, "Threshold": float("nan")},
        {**RULE, "Threshold": float("inf")},
        {**RULE, "ScalingAdjustmentType": "ExactCapacity", "ScalingAdjustment": -1},
        {**TARGET, "MetricName": "IdleInstances"},
        {**TARGET, "TargetConfiguration": {"TargetValue": 100.0}},
        {**TARGET, "TargetConfiguration": {"TargetValue": -0.5}},
        {**TARGET, "TargetConfiguration": {"TargetValue": float("nan")}},
        {name: value for name, value in TARGET.items() if name != "TargetConfiguration"},
        *({**TARGET, name: RULE[name]} for name in MEMBERS_OF_RULES),
    ],
)
def test_members_that_do_not_fit_are_refused_before_anything_is_looked_up(stage: Stage, policy: dict[str, Any]) -> None:
    error = stage.error("PutScalingPolicy", FleetId="fleet-none", **policy)
    assert error.error_code == "InvalidRequestException"


def test_what_is_not_there_is_not_found(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    for operation, params in (("PutScalingPolicy", RULE), ("DescribeScalingPolicies", {})):
        assert stage.error(operation, FleetId="fleet-none", **params).error_code == "NotFoundException"
    for name in ("fleet-none", fleet_id):
        assert stage.error("DeleteScalingPolicy", FleetId=name, Name="no").error_code == "NotFoundException"


def test_a_fleet_that_cannot_be_scaled_has_no_policies(stage: Stage) -> None:
    broken = new_fleet(
        stage, RuntimeConfiguration={"ServerProcesses": [{"LaunchPath": "/no", "ConcurrentExecutions": 1}]}
    )
    going = active_fleet(stage)
    stage.call("DeleteFleet", FleetId=going)
    for fleet_id in (broken, going, anywhere_fleet(stage)):
        assert stage.error("PutScalingPolicy", FleetId=fleet_id, **RULE).error_code == "InvalidRequestException"
    assert kept(stage) == (0, 0)


def test_a_second_target_is_refused_and_so_are_too_many_policies(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    put(stage, fleet_id, TARGET)
    put(stage, fleet_id, TARGET, TargetConfiguration={"TargetValue": 30.0})
    error = stage.error("PutScalingPolicy", FleetId=fleet_id, **{**TARGET, "Name": "other"})
    assert (error.error_code, "buffer" in error.message) == ("InvalidRequestException", True)
    for number in range(49):
        put(stage, fleet_id, RULE, Name=f"rule-{number}")
    assert "50" in stage.error("PutScalingPolicy", FleetId=fleet_id, **RULE).message
    put(stage, fleet_id, RULE, Name="rule-48")


def test_policies_end_with_their_deletion_or_their_fleet_and_leave_nothing(stage: Stage) -> None:
    first, second = active_fleet(stage), active_fleet(stage)
    for fleet_id in (first, second):
        put(stage, fleet_id, RULE)
        put(stage, fleet_id, TARGET)
    assert kept(stage) == (4, 2)
    stage.call("DeleteScalingPolicy", FleetId=first, Name="grow")
    assert [policy["Name"] for policy in policies(stage, first)] == ["buffer"]
    stage.call("DeleteScalingPolicy", FleetId=first, Name="buffer")
    stage.call("DeleteFleet", FleetId=second)
    assert policies(stage, second) == []
    stage.advance(60, step=30)
    assert kept(stage) == (0, 0)
    put(stage, first, RULE)
    assert kept(stage) == (1, 1)


def test_a_location_that_is_added_later_is_watched_too(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    put(stage, fleet_id, RULE)
    stage.call("CreateFleetLocations", FleetId=fleet_id, Locations=[{"Location": REMOTE}])
    assert [policy["Location"] for policy in policies(stage, fleet_id)] == [HOME, REMOTE]
    assert kept(stage) == (1, 2)
    stage.call("DeleteFleetLocations", FleetId=fleet_id, Locations=[REMOTE])
    stage.advance(60, step=10)
    assert kept(stage) == (1, 1)
