"""FleetIQ's game server groups: created, changed, suspended, deleted."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from server_scenes import GROUP, active_group, new_group, status_of

from apitrail.testing import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        yield stage


def register(stage: Stage, server_id: str = "server-1") -> None:
    stage.call("RegisterGameServer", GameServerGroupName="g", GameServerId=server_id, InstanceId="i-0123456789abcdef0")


def test_a_group_becomes_active_and_gets_its_auto_scaling_group(stage: Stage) -> None:
    group = new_group(stage)
    assert group["GameServerGroupArn"] == "arn:aws:gamelift:us-west-2:111122223333:gameservergroup/g"
    assert (group["Status"], group["BalancingStrategy"], group["GameServerProtectionPolicy"]) == (
        "NEW",
        "SPOT_PREFERRED",
        "NO_PROTECTION",
    )
    assert [item["WeightedCapacity"] for item in group["InstanceDefinitions"]] == ["1", "2"]
    assert "AutoScalingGroupArn" not in group
    stage.advance(1)
    assert status_of(stage) == "ACTIVATING"
    stage.advance(2)
    group = stage.call("DescribeGameServerGroup", GameServerGroupName=group["GameServerGroupArn"])["GameServerGroup"]
    assert group["Status"] == "ACTIVE"
    assert group["AutoScalingGroupArn"].startswith("arn:aws:autoscaling:us-west-2:111122223333:autoScalingGroup:")
    assert group["AutoScalingGroupArn"].endswith(":autoScalingGroupName/gamelift-gameservergroup-g")


def test_what_the_api_does_not_return_is_not_returned(stage: Stage) -> None:
    group = active_group(stage, VpcSubnets=["subnet-12345678901234567"])
    assert not {"MinSize", "MaxSize", "LaunchTemplate", "VpcSubnets"} & group.keys()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"MinSize": 5, "MaxSize": 4}, "MinSize 5 must not be greater than MaxSize 4."),
        ({"LaunchTemplate": {}}, "LaunchTemplate must have either"),
        ({"LaunchTemplate": {"LaunchTemplateId": "lt-1", "LaunchTemplateName": "game"}}, "must have either"),
        ({"InstanceDefinitions": [{"InstanceType": "c5.large"}] * 2}, "c5.large is given more than once"),
        ({"Tags": [{"Key": "aws:x", "Value": ""}]}, "aws:x begins with aws:"),
    ],
)
def test_a_group_that_cannot_be_is_refused(stage: Stage, changes: dict[str, Any], text: str) -> None:
    error = stage.error("CreateGameServerGroup", **(GROUP | changes))
    assert error.error_code == "InvalidRequestException"
    assert text in error.message


def test_a_name_is_taken_once(stage: Stage) -> None:
    new_group(stage)
    assert stage.error("CreateGameServerGroup", **GROUP).error_code == "ConflictException"


def test_a_group_whose_role_is_anothers_ends_in_error_and_can_be_deleted(stage: Stage) -> None:
    new_group(stage, RoleArn="arn:aws:iam::444455556666:role/fleetiq")
    stage.advance(3)
    group = stage.call("DescribeGameServerGroup", GameServerGroupName="g")["GameServerGroup"]
    assert group["Status"] == "ERROR"
    assert "cannot assume the role" in group["StatusReason"]
    stage.call("DeleteGameServerGroup", GameServerGroupName="g")
    stage.advance(3)
    assert stage.error("DescribeGameServerGroup", GameServerGroupName="g").error_code == "NotFoundException"


def test_an_update_changes_what_is_given_and_the_time(stage: Stage) -> None:
    before = active_group(stage)
    types = [{"InstanceType": "c5.large", "WeightedCapacity": "9"}, {"InstanceType": "m5.large"}]
    after = stage.call(
        "UpdateGameServerGroup",
        GameServerGroupName="g",
        BalancingStrategy="SPOT_ONLY",
        GameServerProtectionPolicy="FULL_PROTECTION",
        InstanceDefinitions=types,
    )["GameServerGroup"]
    assert (after["BalancingStrategy"], after["GameServerProtectionPolicy"]) == ("SPOT_ONLY", "FULL_PROTECTION")
    assert [item["WeightedCapacity"] for item in after["InstanceDefinitions"]] == ["9", "1"]
    assert after["RoleArn"] == before["RoleArn"]
    assert after["LastUpdatedTime"] > before["LastUpdatedTime"]
    error = stage.error("UpdateGameServerGroup", GameServerGroupName="g", InstanceDefinitions=types[:1] * 2)
    assert error.error_code == "InvalidRequestException"


def test_actions_are_suspended_and_resumed_as_often_as_one_likes(stage: Stage) -> None:
    active_group(stage)
    actions = ["REPLACE_INSTANCE_TYPES"]
    for _ in range(2):
        found = stage.call("SuspendGameServerGroup", GameServerGroupName="g", SuspendActions=actions)
        assert found["GameServerGroup"]["SuspendedActions"] == actions
    for _ in range(2):
        found = stage.call("ResumeGameServerGroup", GameServerGroupName="g", ResumeActions=actions)
        assert "SuspendedActions" not in found["GameServerGroup"]


def test_a_safe_deletion_waits_for_game_servers_in_use(stage: Stage) -> None:
    active_group(stage)
    for name in ("server-1", "server-2"):
        register(stage, name)
    for name in ("server-1", "server-2"):
        stage.call("UpdateGameServer", GameServerGroupName="g", GameServerId=name, UtilizationStatus="UTILIZED")
    found = stage.call("DeleteGameServerGroup", GameServerGroupName="g", DeleteOption="SAFE_DELETE")
    assert found["GameServerGroup"]["Status"] == "DELETE_SCHEDULED"
    stage.advance(60, step=20)
    assert status_of(stage) == "DELETE_SCHEDULED"
    stage.call("DeregisterGameServer", GameServerGroupName="g", GameServerId="server-1")
    stage.advance(5)
    assert status_of(stage) == "DELETE_SCHEDULED"
    stage.call("DeregisterGameServer", GameServerGroupName="g", GameServerId="server-2")
    stage.advance(1)
    assert status_of(stage) == "DELETING"
    stage.advance(2)
    assert stage.error("DescribeGameServerGroup", GameServerGroupName="g").error_code == "NotFoundException"


@pytest.mark.parametrize("option", ["FORCE_DELETE", "SAFE_DELETE", "RETAIN"])
def test_a_deletion_removes_game_servers_instances_and_tags(stage: Stage, option: str) -> None:
    arn = active_group(stage, Tags=[{"Key": "team", "Value": "red"}])["GameServerGroupArn"]
    register(stage)
    if option == "FORCE_DELETE":
        stage.call("UpdateGameServer", GameServerGroupName="g", GameServerId="server-1", UtilizationStatus="UTILIZED")
    stage.call("DeleteGameServerGroup", GameServerGroupName="g", DeleteOption=option)
    stage.advance(3)
    assert stage.error("ListTagsForResource", ResourceARN=arn).error_code == "NotFoundException"
    active_group(stage)
    assert stage.call("ListGameServers", GameServerGroupName="g")["GameServers"] == []
    assert stage.call("DescribeGameServerInstances", GameServerGroupName="g")["GameServerInstances"] == []
    assert stage.call("ListTagsForResource", ResourceARN=arn)["Tags"] == []
    register(stage)


def test_a_group_that_is_going_cannot_be_changed_joined_or_deleted_again(stage: Stage) -> None:
    active_group(stage)
    stage.call("DeleteGameServerGroup", GameServerGroupName="g")
    name = {"GameServerGroupName": "g"}
    server = {"GameServerId": "late", "InstanceId": "i-0123456789abcdef0"}
    for operation, params in (
        ("UpdateGameServerGroup", {"BalancingStrategy": "SPOT_ONLY"}),
        ("SuspendGameServerGroup", {"SuspendActions": ["REPLACE_INSTANCE_TYPES"]}),
        ("ResumeGameServerGroup", {"ResumeActions": ["REPLACE_INSTANCE_TYPES"]}),
        ("RegisterGameServer", server),
        ("DeleteGameServerGroup", {}),
    ):
        error = stage.error(operation, **name, **params)
        assert (error.error_code, "DELETE_SCHEDULED" in error.message) == ("InvalidRequestException", True), operation


@pytest.mark.parametrize("advance", [0, 1])
def test_a_group_can_be_deleted_only_when_it_is_active(stage: Stage, advance: int) -> None:
    new_group(stage)
    stage.advance(advance)
    error = stage.error("DeleteGameServerGroup", GameServerGroupName="g")
    assert error.error_code == "InvalidRequestException"


def test_groups_are_listed_page_by_page(stage: Stage) -> None:
    for name in "abc":
        new_group(stage, GameServerGroupName=name)
    first = stage.call("ListGameServerGroups", Limit=2)
    second = stage.call("ListGameServerGroups", Limit=2, NextToken=first["NextToken"])
    found = [*first["GameServerGroups"], *second["GameServerGroups"]]
    assert [group["GameServerGroupName"] for group in found] == ["a", "b", "c"]
    assert second.get("NextToken") is None
    assert stage.error("ListGameServerGroups", NextToken="x").error_code == "InvalidRequestException"


def test_an_unknown_group_is_not_found(stage: Stage) -> None:
    elsewhere = "arn:aws:gamelift:eu-west-1:111122223333:gameservergroup/g"
    active_group(stage)
    for name in ("other", elsewhere):
        assert stage.error("DescribeGameServerGroup", GameServerGroupName=name).error_code == "NotFoundException"


def test_a_large_group_is_removed_in_steps(stage: Stage) -> None:
    active_group(stage)
    for number in range(205):
        register(stage, f"server-{number}")
    stage.call("DeleteGameServerGroup", GameServerGroupName="g", DeleteOption="FORCE_DELETE")
    stage.advance(3)
    active_group(stage)
    assert stage.call("ListGameServers", GameServerGroupName="g")["GameServers"] == []
