"""Deployments to container fleets: they replace, wait for protected sessions, are cancelled, fail and go back."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from container_scenes import (
    active_fleet,
    defined,
    deployment,
    event_codes,
    game_server,
    group,
    instances,
    new_fleet,
    see,
    update,
)

from apitrail.testing import Stage

FAILS = [{"Name": "APITRAIL_FAIL_DEPLOYMENT", "Value": "1"}]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        yield stage


def session_on(stage: Stage, fleet: dict[str, Any], policy: str, **place: str) -> dict[str, Any]:
    params = {"FleetId": fleet["FleetId"], "MaximumPlayerSessionCount": 2, **place}
    made = stage.call("CreateGameSession", **params)["GameSession"]
    stage.settle()
    stage.call("UpdateGameSession", GameSessionId=made["GameSessionId"], ProtectionPolicy=policy)
    return dict(made)


def session_status(stage: Stage, session: dict[str, Any]) -> str:
    found = stage.call("DescribeGameSessions", GameSessionId=session["GameSessionId"])["GameSessions"]
    return str(found[0]["Status"])


def failing(stage: Stage) -> None:
    params = group("bad", GameServerContainerDefinition=game_server(EnvironmentOverride=FAILS))
    assert defined(stage, params)["Status"] == "READY"


def test_a_deployment_replaces_the_instances(stage: Stage) -> None:
    fleet = active_fleet(stage)
    before = instances(stage, fleet)[0]["InstanceId"]
    changed = update(stage, fleet, GameServerContainerGroupsPerInstance=1)
    assert changed["Status"] == "UPDATING"
    made = deployment(stage, fleet)
    assert made["DeploymentStatus"] == "PENDING"
    assert made["DeploymentConfiguration"] == {
        "ProtectionStrategy": "WITH_PROTECTION",
        "MinimumHealthyPercentage": 75,
        "ImpairmentStrategy": "MAINTAIN",
    }
    assert made["RollbackGameServerBinaryArn"] == made["GameServerBinaryArn"]
    stage.advance(1)
    assert deployment(stage, fleet)["DeploymentStatus"] == "IN_PROGRESS"
    assert stage.call("CreateGameSession", FleetId=fleet["FleetId"], MaximumPlayerSessionCount=2)
    stage.advance(4)
    assert deployment(stage, fleet)["DeploymentStatus"] == "COMPLETE"
    assert see(stage, fleet)["Status"] == "ACTIVE"
    after = instances(stage, fleet)
    assert len(after) == 1 and after[0]["InstanceId"] != before
    capacity = stage.call("DescribeFleetCapacity", FleetIds=[fleet["FleetId"]])["FleetCapacity"][0]
    assert capacity["GameServerContainerGroupCounts"]["IDLE"] == 1
    assert event_codes(stage, fleet)[-2:] == ["FLEET_STATE_UPDATING", "FLEET_STATE_ACTIVE"]


def test_a_deployment_waits_for_protected_sessions(stage: Stage) -> None:
    fleet = active_fleet(stage)
    session = session_on(stage, fleet, "FullProtection")
    update(stage, fleet, GameServerContainerGroupsPerInstance=1)
    stage.advance(200, step=10)
    assert (deployment(stage, fleet)["DeploymentStatus"], session_status(stage, session)) == ("IN_PROGRESS", "ACTIVE")
    stage.call("TerminateGameSession", GameSessionId=session["GameSessionId"], TerminationMode="FORCE_TERMINATE")
    stage.advance(70, step=1)
    assert deployment(stage, fleet)["DeploymentStatus"] == "COMPLETE"


@pytest.mark.parametrize(
    ("policy", "configuration"),
    [("NoProtection", {}), ("FullProtection", {"ProtectionStrategy": "IGNORE_PROTECTION"})],
)
def test_a_deployment_ends_sessions_that_are_not_protected(
    stage: Stage, policy: str, configuration: dict[str, str]
) -> None:
    fleet = active_fleet(stage)
    session = session_on(stage, fleet, policy)
    update(stage, fleet, GameServerContainerGroupsPerInstance=1, DeploymentConfiguration=configuration)
    stage.advance(6)
    assert deployment(stage, fleet)["DeploymentStatus"] == "COMPLETE"
    assert session_status(stage, session) == "TERMINATED"


def test_a_second_deployment_cancels_the_first(stage: Stage) -> None:
    fleet = active_fleet(stage)
    update(stage, fleet, GameServerContainerGroupsPerInstance=1)
    first = deployment(stage, fleet)["DeploymentId"]
    stage.advance(1)
    update(stage, fleet, LogConfiguration={"LogDestination": "NONE"})
    assert deployment(stage, fleet, DeploymentId=first)["DeploymentStatus"] == "CANCELLED"
    stage.advance(7)
    assert deployment(stage, fleet)["DeploymentStatus"] == "COMPLETE"
    found = stage.call("ListFleetDeployments", FleetId=fleet["FleetId"])["FleetDeployments"]
    assert [item["DeploymentStatus"] for item in found] == ["COMPLETE", "CANCELLED", "COMPLETE"]
    assert see(stage, fleet)["Status"] == "ACTIVE"


def test_a_failed_deployment_leaves_the_former_settings(stage: Stage) -> None:
    fleet = active_fleet(stage)
    failing(stage)
    before = instances(stage, fleet)
    update(stage, fleet, GameServerContainerGroupDefinitionName="bad")
    stage.advance(3)
    assert deployment(stage, fleet)["DeploymentStatus"] == "IMPAIRED"
    after = see(stage, fleet)
    assert (after["Status"], after["GameServerContainerGroupDefinitionName"]) == ("ACTIVE", "game-group")
    assert instances(stage, fleet) == before
    assert "GENERIC_EVENT" in event_codes(stage, fleet)


def test_a_failed_deployment_is_rolled_back_where_that_is_wanted(stage: Stage) -> None:
    fleet = active_fleet(stage)
    failing(stage)
    update(
        stage,
        fleet,
        GameServerContainerGroupDefinitionName="bad",
        DeploymentConfiguration={"ImpairmentStrategy": "ROLLBACK"},
    )
    stage.advance(3)
    assert deployment(stage, fleet)["DeploymentStatus"] == "ROLLBACK_IN_PROGRESS"
    assert see(stage, fleet)["Status"] == "UPDATING"
    stage.advance(2)
    assert deployment(stage, fleet)["DeploymentStatus"] == "ROLLBACK_COMPLETE"
    after = see(stage, fleet)
    assert (after["Status"], after["GameServerContainerGroupDefinitionName"]) == ("ACTIVE", "game-group")


def test_a_first_deployment_that_fails_leaves_the_fleet_created(stage: Stage) -> None:
    failing(stage)
    fleet = new_fleet(stage, GameServerContainerGroupDefinitionName="bad", Locations=[{"Location": "eu-west-1"}])
    stage.advance(10)
    assert deployment(stage, fleet)["DeploymentStatus"] == "IMPAIRED"
    after = see(stage, fleet)
    assert (after["Status"], after["LocationAttributes"][0]["Status"]) == ("CREATED", "CREATED")
    assert instances(stage, fleet) == []
    defined(stage, group())
    update(stage, fleet, GameServerContainerGroupDefinitionName="game-group")
    stage.advance(6)
    after = see(stage, fleet)
    assert (after["Status"], after["LocationAttributes"][0]["Status"]) == ("ACTIVE", "ACTIVE")
    assert deployment(stage, fleet)["DeploymentStatus"] == "COMPLETE"


def test_a_first_deployment_of_a_created_fleet_rolls_back_to_nothing(stage: Stage) -> None:
    failing(stage)
    fleet = new_fleet(stage)
    stage.advance(5)
    strategy = {"ImpairmentStrategy": "ROLLBACK"}
    update(stage, fleet, GameServerContainerGroupDefinitionName="bad", DeploymentConfiguration=strategy)
    stage.advance(10)
    assert deployment(stage, fleet)["DeploymentStatus"] == "ROLLBACK_COMPLETE"
    after = see(stage, fleet)
    assert (after["Status"], "GameServerContainerGroupDefinitionName" in after) == ("CREATED", False)
    stage.call("DeleteContainerFleet", FleetId=fleet["FleetId"])


def test_a_created_fleet_gets_its_containers_later(stage: Stage) -> None:
    fleet = new_fleet(stage)
    stage.advance(5)
    defined(stage, group())
    changed = update(stage, fleet, GameServerContainerGroupDefinitionName="game-group")
    assert changed["Status"] == "CREATED"
    stage.advance(1)
    assert see(stage, fleet)["Status"] == "ACTIVATING"
    stage.advance(1)
    assert (see(stage, fleet)["Status"], deployment(stage, fleet)["DeploymentStatus"]) == ("ACTIVE", "COMPLETE")


def test_locations_are_told_apart_while_one_of_them_waits(stage: Stage) -> None:
    fleet = active_fleet(stage, Locations=[{"Location": "eu-west-1"}])
    session_on(stage, fleet, "FullProtection")
    update(stage, fleet, GameServerContainerGroupsPerInstance=1)
    stage.advance(70, step=5)
    found = stage.call("DescribeFleetDeployment", FleetId=fleet["FleetId"])["LocationalDeployments"]
    assert found == {
        "us-west-2": {"DeploymentStatus": "IN_PROGRESS"},
        "eu-west-1": {"DeploymentStatus": "COMPLETE"},
    }


def test_a_failure_takes_back_what_a_cancelled_deployment_had_begun(stage: Stage) -> None:
    fleet = active_fleet(stage)
    failing(stage)
    update(stage, fleet, GameServerContainerGroupsPerInstance=1)
    stage.advance(3.5, step=0.5)
    update(stage, fleet, GameServerContainerGroupDefinitionName="bad")
    stage.advance(6)
    assert see(stage, fleet)["GameServerContainerGroupsPerInstance"] == 2
    capacity = stage.call("DescribeFleetCapacity", FleetIds=[fleet["FleetId"]])["FleetCapacity"][0]
    assert capacity["GameServerContainerGroupCounts"]["IDLE"] == 2


def test_what_a_protected_session_holds_back_is_taken_back_when_it_has_ended(stage: Stage) -> None:
    fleet = active_fleet(stage, Locations=[{"Location": "eu-west-1"}])
    failing(stage)
    session_on(stage, fleet, "FullProtection", Location="eu-west-1")
    update(stage, fleet, GameServerContainerGroupsPerInstance=1)
    stage.advance(6)
    session = session_on(stage, fleet, "FullProtection")
    update(stage, fleet, GameServerContainerGroupDefinitionName="bad")
    stage.advance(70, step=5)
    fleet = see(stage, fleet)
    assert (fleet["Status"], fleet["GameServerContainerGroupsPerInstance"]) == ("ACTIVE", 2)
    assert groups_of(stage, fleet) == (1, 0)
    stage.call("TerminateGameSession", GameSessionId=session["GameSessionId"], TerminationMode="FORCE_TERMINATE")
    stage.advance(70, step=5)
    assert groups_of(stage, fleet) == (0, 2)


def test_an_instance_that_starts_during_a_deployment_that_fails_is_replaced(stage: Stage) -> None:
    fleet = active_fleet(stage)
    failing(stage)
    stage.call("UpdateFleetCapacity", FleetId=fleet["FleetId"], DesiredInstances=2, MaxSize=2)
    update(stage, fleet, GameServerContainerGroupDefinitionName="bad")
    stage.advance(6)
    found = stage.call("ListCompute", FleetId=fleet["FleetId"])["ComputeList"]
    arns = {item["GameServerContainerGroupDefinitionArn"] for item in found}
    assert (len(found), arns) == (4, {fleet["GameServerContainerGroupDefinitionArn"]})


def groups_of(stage: Stage, fleet: dict[str, Any]) -> tuple[int, int]:
    """Return how many groups in the home location have a session, and how many have none."""
    capacity = stage.call("DescribeFleetCapacity", FleetIds=[fleet["FleetId"]])["FleetCapacity"][0]
    counts = capacity["GameServerContainerGroupCounts"]
    return counts["ACTIVE"], counts["IDLE"]


def test_deployments_are_listed_newest_first_and_the_oldest_make_room(stage: Stage) -> None:
    fleet = active_fleet(stage)
    first = deployment(stage, fleet)["DeploymentId"]
    for number in range(101):
        update(stage, fleet, GameServerContainerGroupsPerInstance=1 + number % 2)
    newest = deployment(stage, fleet)["DeploymentId"]
    page = stage.call("ListFleetDeployments", Limit=60)
    rest = stage.call("ListFleetDeployments", Limit=60, NextToken=page["NextToken"])
    found = [item["DeploymentId"] for item in (*page["FleetDeployments"], *rest["FleetDeployments"])]
    assert (len(found), found[0], first in found) == (100, newest, False)
    error = stage.error("DescribeFleetDeployment", FleetId=fleet["FleetId"], DeploymentId=first)
    assert error.error_code == "NotFoundException"
