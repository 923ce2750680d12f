"""Container fleets: their life, what they share with other fleets, and what they do not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from container_scenes import (
    ROLE,
    active_fleet,
    defined,
    deployment,
    event_codes,
    game_server,
    group,
    instances,
    new_fleet,
    per_instance,
    see,
    update,
)

from apitrail.settings import GameLift, Settings
from apitrail.testing import Stage

UNKNOWN = "containerfleet-00000000-0000-4000-8000-000000000000"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        yield stage


def status_of(stage: Stage, fleet: dict[str, Any]) -> str:
    return str(see(stage, fleet)["Status"])


def test_a_fleet_without_containers_ends_in_created(stage: Stage) -> None:
    fleet = new_fleet(stage, Description="later", Tags=[{"Key": "team", "Value": "red"}])
    assert fleet["FleetId"].startswith("containerfleet-")
    assert fleet["FleetArn"] == f"arn:aws:gamelift:us-west-2:111122223333:containerfleet/{fleet['FleetId']}"
    expected = {
        "Status": "PENDING",
        "FleetRoleArn": ROLE,
        "InstanceType": "c5.large",
        "BillingType": "ON_DEMAND",
        "NewGameSessionProtectionPolicy": "NoProtection",
        "LogConfiguration": {"LogDestination": "CLOUDWATCH"},
        "LocationAttributes": [],
        "Description": "later",
    }
    assert {name: fleet[name] for name in expected} == expected
    seen = []
    for _ in range(4):
        stage.advance(1)
        seen.append(status_of(stage, fleet))
    assert seen == ["CREATING", "CREATING", "CREATED", "CREATED"]
    assert event_codes(stage, fleet) == [
        "FLEET_CREATED",
        "FLEET_STATE_PENDING",
        "FLEET_STATE_CREATING",
        "FLEET_STATE_CREATED",
    ]
    assert instances(stage, fleet) == []
    assert stage.error("DescribeFleetDeployment", FleetId=fleet["FleetId"]).error_code == "NotFoundException"
    assert stage.call("ListTagsForResource", ResourceARN=fleet["FleetArn"])["Tags"] == [{"Key": "team", "Value": "red"}]


def test_a_fleet_with_containers_becomes_active_by_its_first_deployment(stage: Stage) -> None:
    defined(stage, group())
    fleet = new_fleet(stage, GameServerContainerGroupDefinitionName="game-group")
    assert deployment(stage, fleet)["DeploymentStatus"] == "PENDING"
    assert fleet["DeploymentDetails"] == {"LatestDeploymentId": deployment(stage, fleet)["DeploymentId"]}
    stage.advance(3)
    assert (status_of(stage, fleet), deployment(stage, fleet)["DeploymentStatus"]) == ("ACTIVATING", "IN_PROGRESS")
    stage.advance(1)
    assert (status_of(stage, fleet), deployment(stage, fleet)["DeploymentStatus"]) == ("ACTIVE", "COMPLETE")
    fleet = see(stage, fleet)
    assert deployment(stage, fleet)["GameServerBinaryArn"] == fleet["GameServerContainerGroupDefinitionArn"]
    assert "RollbackGameServerBinaryArn" not in deployment(stage, fleet)
    assert event_codes(stage, fleet)[-2:] == ["FLEET_STATE_ACTIVATING", "FLEET_STATE_ACTIVE"]


def test_groups_and_ports_are_calculated(stage: Stage) -> None:
    defined(stage, group())
    defined(stage, per_instance(TotalMemoryLimitMebibytes=2048))
    fleet = new_fleet(
        stage,
        GameServerContainerGroupDefinitionName="game-group",
        PerInstanceContainerGroupDefinitionName="helpers",
        InstanceType="c5.xlarge",
    )
    assert fleet["MaximumGameServerContainerGroupsPerInstance"] == 3
    assert fleet["GameServerContainerGroupsPerInstance"] == 3
    ports = {"FromPort": 4192, "ToPort": 4192 + 3 * 2 + 1}
    assert fleet["InstanceConnectionPortRange"] == ports
    assert fleet["InstanceInboundPermissions"] == [{**ports, "IpRange": "0.0.0.0/0", "Protocol": "UDP"}]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"GameServerContainerGroupDefinitionName": "unknown"}, "was not found"),
        ({"GameServerContainerGroupDefinitionName": "helpers"}, "is of type PER_INSTANCE"),
        ({"GameServerContainerGroupDefinitionName": "copying"}, "COPYING, not READY"),
        ({"InstanceType": "x1.tiny"}, "not available"),
        ({"InstanceType": "t2.micro", "GameServerContainerGroupDefinitionName": "large"}, "need more than"),
        ({"GameServerContainerGroupsPerInstance": 3}, "must not be greater than 2"),
        ({"InstanceConnectionPortRange": {"FromPort": 4000, "ToPort": 4100}}, "4092-4191 are reserved"),
        ({"InstanceConnectionPortRange": {"FromPort": 5001, "ToPort": 5000}}, "must not be greater"),
        ({"InstanceConnectionPortRange": {"FromPort": 5000, "ToPort": 5002}}, "need 4"),
        ({"InstanceInboundPermissions": [
            {"FromPort": 4191, "ToPort": 5000, "IpRange": "0.0.0.0/0", "Protocol": "UDP"}]}, "are reserved"),
        ({"Locations": [{"Location": "custom-desk"}]}, "not available"),
        ({"Locations": [{"Location": "eu-west-1"}, {"Location": "eu-west-1"}]}, "more than once"),
        ({"LogConfiguration": {"LogDestination": "S3"}}, "needs S3BucketName"),
    ],
)  # fmt: skip
def test_a_fleet_that_cannot_be_is_refused(stage: Stage, changes: dict[str, Any], text: str) -> None:
    defined(stage, group())
    defined(stage, group("large", TotalMemoryLimitMebibytes=5000))
    defined(stage, per_instance())
    stage.call("CreateContainerGroupDefinition", **group("copying"))
    params = {"FleetRoleArn": ROLE, "GameServerContainerGroupDefinitionName": "game-group", **changes}
    error = stage.error("CreateContainerFleet", **params)
    assert error.error_code == "InvalidRequestException"
    assert text in error.message


def test_more_instances_than_allowed_are_refused(tmp_path: Path) -> None:
    with Stage(tmp_path, Settings(gamelift=GameLift(instances_max=1))) as stage:
        new_fleet(stage)
        assert stage.error("CreateContainerFleet", FleetRoleArn=ROLE).error_code == "LimitExceededException"
        bad = [{"Key": "aws:x", "Value": ""}]
        error = stage.error("CreateContainerFleet", FleetRoleArn=ROLE, InstanceType="m5.large", Tags=bad)
        assert error.error_code == "TaggingFailedException"


def test_every_group_is_a_compute_with_a_process(stage: Stage) -> None:
    fleet = active_fleet(stage)
    capacity = stage.call("DescribeFleetCapacity", FleetIds=[fleet["FleetId"]])["FleetCapacity"][0]
    assert capacity["GameServerContainerGroupCounts"] == {"PENDING": 0, "ACTIVE": 0, "IDLE": 2, "TERMINATING": 0}
    assert (capacity["InstanceCounts"]["ACTIVE"], capacity["InstanceCounts"]["IDLE"]) == (1, 1)
    sessions = [
        stage.call("CreateGameSession", FleetId=fleet["FleetId"], MaximumPlayerSessionCount=4)["GameSession"]
        for _ in range(2)
    ]
    stage.settle()
    assert sorted(session["Port"] for session in sessions) == [4192, 4194]
    assert len({session["ComputeName"] for session in sessions}) == 2
    instance = instances(stage, fleet)[0]
    assert instance["OperatingSystem"] == "AMAZON_LINUX_2023"
    assert all(session["ComputeName"].startswith(f"{instance['InstanceId']}/") for session in sessions)
    capacity = stage.call("DescribeFleetCapacity", FleetIds=[fleet["FleetId"]])["FleetCapacity"][0]
    assert capacity["GameServerContainerGroupCounts"] == {"PENDING": 0, "ACTIVE": 2, "IDLE": 0, "TERMINATING": 0}
    full = stage.error("CreateGameSession", FleetId=fleet["FleetId"], MaximumPlayerSessionCount=4)
    assert full.error_code == "FleetCapacityExceededException"
    found = stage.call("DescribeGameSessions", FleetId=fleet["FleetId"])["GameSessions"]
    assert {session["Status"] for session in found} == {"ACTIVE"}
    use = stage.call("DescribeFleetUtilization", FleetIds=[fleet["FleetId"]])["FleetUtilization"][0]
    assert (use["ActiveServerProcessCount"], use["ActiveGameSessionCount"]) == (2, 2)
    stage.call("TerminateGameSession", GameSessionId=sessions[0]["GameSessionId"], TerminationMode="FORCE_TERMINATE")
    stage.settle()
    again = stage.call("CreateGameSession", FleetId=fleet["FleetId"], MaximumPlayerSessionCount=4)["GameSession"]
    assert (again["Port"], again["ComputeName"]) == (sessions[0]["Port"], sessions[0]["ComputeName"])


def test_creators_are_limited_as_the_fleet_says(stage: Stage) -> None:
    policy = {"NewGameSessionsPerCreator": 1, "PolicyPeriodInMinutes": 5}
    fleet = active_fleet(stage, GameSessionCreationLimitPolicy=policy)
    params = {"FleetId": fleet["FleetId"], "MaximumPlayerSessionCount": 2}
    assert stage.error("CreateGameSession", **params).error_code == "InvalidRequestException"
    stage.call("CreateGameSession", **params, CreatorId="ana")
    assert stage.error("CreateGameSession", **params, CreatorId="ana").error_code == "LimitExceededException"


def test_a_fleet_is_scaled_like_others(stage: Stage) -> None:
    fleet = active_fleet(stage)
    stage.call("UpdateFleetCapacity", FleetId=fleet["FleetId"], DesiredInstances=3, MaxSize=3)
    capacity = stage.call("DescribeFleetLocationCapacity", FleetId=fleet["FleetId"], Location="us-west-2")
    assert capacity["FleetCapacity"]["GameServerContainerGroupCounts"]["PENDING"] == 4
    stage.advance(1)
    assert len(instances(stage, fleet)) == 3
    stage.call("UpdateFleetCapacity", FleetId=fleet["FleetId"], DesiredInstances=1)
    stage.advance(1)
    assert len(instances(stage, fleet)) == 1
    assert "FLEET_SCALING_EVENT" in event_codes(stage, fleet)


def test_remote_locations_are_made_as_the_fleet_is(stage: Stage) -> None:
    fleet = active_fleet(stage, Locations=[{"Location": "eu-west-1"}, {"Location": "us-west-2"}])
    assert see(stage, fleet)["LocationAttributes"] == [
        {"Location": "eu-west-1", "Status": "ACTIVE", "PlayerGatewayStatus": "DISABLED"}
    ]
    found = stage.call("CreateFleetLocations", FleetId=fleet["FleetId"], Locations=[{"Location": "us-east-1"}])
    assert [state["Status"] for state in found["LocationStates"]] == ["NEW"]
    stage.advance(3)
    statuses = [item["Status"] for item in see(stage, fleet)["LocationAttributes"]]
    assert statuses == ["ACTIVE", "ACTIVATING"]
    stage.advance(2)
    described = stage.call("DescribeFleetLocationAttributes", FleetId=fleet["FleetId"])["LocationAttributes"]
    assert {item["LocationState"]["Status"] for item in described} == {"ACTIVE"}
    session = stage.call(
        "CreateGameSession", FleetId=fleet["FleetId"], Location="us-east-1", MaximumPlayerSessionCount=2
    )["GameSession"]
    assert session["Location"] == "us-east-1"
    stage.call("DeleteFleetLocations", FleetId=fleet["FleetId"], Locations=["us-east-1"])
    stage.advance(3)
    assert [item["Location"] for item in see(stage, fleet)["LocationAttributes"]] == ["eu-west-1"]
    codes = event_codes(stage, fleet)
    expected = ["PENDING", "CREATING", "ACTIVATING", "ACTIVE", "DELETING", "DELETED"]
    assert [code for code in codes if code.startswith("LOCATION")][-6:] == [
        f"LOCATION_STATE_{name}" for name in expected
    ]


def test_a_deleted_fleet_is_gone_with_everything(stage: Stage) -> None:
    fleet = active_fleet(stage)
    name = {"FleetId": fleet["FleetId"]}
    stage.call("CreateGameSession", **name, MaximumPlayerSessionCount=2)
    stage.call("DeleteContainerFleet", **name)
    assert status_of(stage, fleet) == "DELETING"
    assert stage.error("DeleteContainerFleet", **name).error_code == "InvalidRequestException"
    assert stage.error("UpdateContainerFleet", **name, Description="x").error_code == "NotReadyException"
    stage.advance(3)
    assert stage.error("DescribeContainerFleet", **name).error_code == "NotFoundException"
    assert stage.call("ListFleetDeployments")["FleetDeployments"] == []
    stage.call("DeleteContainerGroupDefinition", Name="game-group")


@pytest.mark.parametrize("seconds", [0, 1, 3])
def test_a_fleet_that_is_being_made_can_neither_be_deleted_nor_updated(stage: Stage, seconds: int) -> None:
    defined(stage, group())
    fleet = new_fleet(stage, GameServerContainerGroupDefinitionName="game-group")
    stage.advance(seconds)
    name = {"FleetId": fleet["FleetId"]}
    assert stage.error("DeleteContainerFleet", **name).error_code == "InvalidRequestException"
    assert stage.error("UpdateContainerFleet", **name, Description="x").error_code == "NotReadyException"


def test_fleets_are_listed_by_definition(stage: Stage) -> None:
    first = active_fleet(stage)
    second = new_fleet(stage)
    arn = first["GameServerContainerGroupDefinitionArn"]

    def listed(**params: Any) -> list[str]:
        return [item["FleetId"] for item in stage.call("ListContainerFleets", **params)["ContainerFleets"]]

    assert listed() == [first["FleetId"], second["FleetId"]]
    assert listed(ContainerGroupDefinitionName="game-group") == listed(ContainerGroupDefinitionName=arn)
    assert listed(ContainerGroupDefinitionName="game-group") == [first["FleetId"]]
    assert listed(ContainerGroupDefinitionName="unknown") == []
    page = stage.call("ListContainerFleets", Limit=1)
    assert listed(Limit=1, NextToken=page["NextToken"]) == [second["FleetId"]]


def test_operations_of_other_fleets_do_not_find_a_container_fleet(stage: Stage) -> None:
    fleet = active_fleet(stage)
    name = {"FleetId": fleet["FleetId"]}
    for operation, more in (
        ("UpdateFleetAttributes", {"Name": "x"}),
        ("DeleteFleet", {}),
        ("DescribeFleetPortSettings", {}),
        ("UpdateFleetPortSettings", {}),
        ("DescribeRuntimeConfiguration", {}),
        ("GetInstanceAccess", {"InstanceId": instances(stage, fleet)[0]["InstanceId"]}),
    ):
        assert stage.error(operation, **name, **more).error_code == "NotFoundException", operation
    assert stage.call("DescribeFleetAttributes", FleetIds=[fleet["FleetId"]])["FleetAttributes"] == []
    assert stage.call("DescribeFleetAttributes")["FleetAttributes"] == []
    assert stage.call("ListFleets")["FleetIds"] == [fleet["FleetId"]]


def test_operations_of_container_fleets_do_not_find_other_fleets(stage: Stage) -> None:
    stage.call("CreateLocation", LocationName="custom-desk")
    locations = [{"Location": "custom-desk"}]
    other = stage.call("CreateFleet", Name="f", ComputeType="ANYWHERE", Locations=locations)["FleetAttributes"]
    for fleet_id in (other["FleetId"], UNKNOWN):
        for operation in (
            "DescribeContainerFleet",
            "UpdateContainerFleet",
            "DeleteContainerFleet",
            "DescribeFleetDeployment",
            "ListFleetDeployments",
        ):
            assert stage.error(operation, FleetId=fleet_id).error_code == "NotFoundException", operation


def test_an_update_that_needs_no_deployment_makes_none(stage: Stage) -> None:
    fleet = active_fleet(stage)
    changed = update(
        stage,
        fleet,
        Description="new",
        MetricGroups=["m"],
        NewGameSessionProtectionPolicy="FullProtection",
        GameServerContainerGroupDefinitionName="game-group",
    )
    assert (changed["Description"], changed["Status"]) == ("new", "ACTIVE")
    assert changed["NewGameSessionProtectionPolicy"] == "FullProtection"
    assert changed["DeploymentDetails"] == fleet["DeploymentDetails"]


def test_the_per_instance_group_comes_and_goes(stage: Stage) -> None:
    fleet = active_fleet(stage)
    defined(stage, per_instance(TotalVcpuLimit=0.5))
    with_group = update(stage, fleet, PerInstanceContainerGroupDefinitionName="helpers")
    assert (with_group["Status"], with_group["GameServerContainerGroupsPerInstance"]) == ("UPDATING", 1)
    stage.advance(6)
    removed = {"RemoveAttributes": ["PER_INSTANCE_CONTAINER_GROUP_DEFINITION"]}
    both = stage.error(
        "UpdateContainerFleet",
        FleetId=fleet["FleetId"],
        PerInstanceContainerGroupDefinitionName="helpers",
        **removed,
    )
    assert both.error_code == "InvalidRequestException"
    without = update(stage, fleet, **removed)
    assert "PerInstanceContainerGroupDefinitionArn" not in without
    assert without["GameServerContainerGroupsPerInstance"] == 2


def test_what_was_set_by_hand_is_not_calculated_again(stage: Stage) -> None:
    fleet = active_fleet(stage)
    rule = {"FromPort": 6000, "ToPort": 6001, "IpRange": "10.0.0.0/8", "Protocol": "TCP"}
    changed = update(
        stage, fleet, GameServerContainerGroupsPerInstance=1, InstanceInboundPermissionAuthorizations=[rule]
    )
    assert changed["InstanceConnectionPortRange"] == {"FromPort": 4192, "ToPort": 4194}
    assert changed["InstanceInboundPermissions"] == [*fleet["InstanceInboundPermissions"], rule]
    for more in (
        {"InstanceInboundPermissionAuthorizations": [rule]},
        {"InstanceInboundPermissionRevocations": [{**rule, "ToPort": 6002}]},
    ):
        error = stage.error("UpdateContainerFleet", FleetId=fleet["FleetId"], **more)
        assert error.error_code == "InvalidRequestException"
    changed = update(stage, fleet, InstanceInboundPermissionRevocations=fleet["InstanceInboundPermissions"])
    assert changed["InstanceInboundPermissions"] == [rule]
    assert changed["GameServerContainerGroupsPerInstance"] == 1


def test_port_mappings_follow_the_order_of_groups_and_containers(stage: Stage) -> None:
    defined(stage, group(GameServerContainerDefinition=game_server()))
    defined(stage, per_instance())
    fleet = new_fleet(
        stage,
        GameServerContainerGroupDefinitionName="game-group",
        PerInstanceContainerGroupDefinitionName="helpers",
        InstanceType="c5.xlarge",
    )
    stage.advance(6)
    instance = instances(stage, fleet)[0]["InstanceId"]
    session = stage.call("CreateGameSession", FleetId=fleet["FleetId"], MaximumPlayerSessionCount=2)["GameSession"]
    asked = {"FleetId": fleet["FleetId"], "ContainerGroupType": "GAME_SERVER", "ComputeName": session["ComputeName"]}
    found = stage.call("DescribeContainerGroupPortMappings", **asked, InstanceId=instance)
    mapping = found["ContainerGroupPortMappings"]
    assert [item["ContainerName"] for item in mapping] == ["game"]
    first = session["Port"]
    assert mapping[0]["ContainerPortMappings"] == [
        {"ContainerPort": 7777 + n, "ConnectionPort": first + n, "Protocol": "UDP"} for n in range(2)
    ]
    assert (found["Location"], found["InstanceId"], found["ComputeName"]) == (
        "us-west-2",
        instance,
        session["ComputeName"],
    )
    assert found["ContainerGroupDefinitionArn"].endswith("game-group:1")
    compute_arn = f"arn:aws:gamelift:us-west-2:111122223333:compute/{session['ComputeName']}"
    assert stage.call("DescribeContainerGroupPortMappings", **{**asked, "ComputeName": compute_arn}) == found
    other = {"FleetId": fleet["FleetId"], "ContainerGroupType": "PER_INSTANCE", "InstanceId": instance}
    found = stage.call("DescribeContainerGroupPortMappings", **other, ContainerName="logs")
    assert found["ContainerGroupPortMappings"][0]["ContainerPortMappings"] == [
        {"ContainerPort": 80, "ConnectionPort": 4192 + 3 * 2, "Protocol": "TCP"}
    ]
    for params, code in (
        ({**asked, "ContainerName": "none"}, "NotFoundException"),
        ({**asked, "ComputeName": "none"}, "NotFoundException"),
        ({**asked, "InstanceId": "i-other"}, "InvalidRequestException"),
        ({**asked, "ContainerGroupType": "PER_INSTANCE"}, "InvalidRequestException"),
        ({**other, "ContainerGroupType": "GAME_SERVER"}, "InvalidRequestException"),
        ({**other, "InstanceId": "i-none"}, "NotFoundException"),
        ({**other, "FleetId": UNKNOWN}, "NotFoundException"),
        ({"FleetId": fleet["FleetId"], "ContainerGroupType": "PER_INSTANCE"}, "InvalidRequestException"),
    ):
        assert stage.error("DescribeContainerGroupPortMappings", **params).error_code == code, params


def test_without_delays_a_fleet_is_active_before_the_next_call(tmp_path: Path) -> None:
    with Stage(tmp_path, Settings(gamelift=GameLift(delay_scale=0))) as stage:
        stage.call("CreateContainerGroupDefinition", **group())
        stage.settle()
        fleet = new_fleet(stage, GameServerContainerGroupDefinitionName="game-group")
        stage.settle()
        assert (status_of(stage, fleet), deployment(stage, fleet)["DeploymentStatus"]) == ("ACTIVE", "COMPLETE")
        update(stage, fleet, GameServerContainerGroupsPerInstance=1)
        stage.settle()
        assert (status_of(stage, fleet), deployment(stage, fleet)["DeploymentStatus"]) == ("ACTIVE", "COMPLETE")
        assert [item["Status"] for item in instances(stage, fleet)] == ["ACTIVE"]


def test_a_fleet_that_is_updated_goes_on_hosting_placements(stage: Stage) -> None:
    fleet = active_fleet(stage)
    stage.call("CreateGameSessionQueue", Name="q", Destinations=[{"DestinationArn": fleet["FleetArn"]}])
    update(stage, fleet, GameServerContainerGroupsPerInstance=1)
    placed = {"PlacementId": "p", "GameSessionQueueName": "q", "MaximumPlayerSessionCount": 2}
    stage.call("StartGameSessionPlacement", **placed)
    stage.settle()
    assert status_of(stage, fleet) == "UPDATING"
    found = stage.call("DescribeGameSessionPlacement", PlacementId="p")["GameSessionPlacement"]
    assert found["Status"] == "FULFILLED"


def test_more_than_fifty_port_rules_are_refused(stage: Stage) -> None:
    fleet = active_fleet(stage)
    rules = [{"FromPort": 6000 + n, "ToPort": 6000 + n, "IpRange": "10.0.0.0/8", "Protocol": "TCP"} for n in range(50)]
    error = stage.error("UpdateContainerFleet", FleetId=fleet["FleetId"], InstanceInboundPermissionAuthorizations=rules)
    assert error.error_code == "LimitExceededException"


def test_groups_are_computes(stage: Stage) -> None:
    fleet = active_fleet(stage)
    found = stage.call("ListCompute", FleetId=fleet["FleetId"])["ComputeList"]
    assert [item["ComputeStatus"] for item in found] == ["ACTIVE", "ACTIVE"]
    one = stage.call("DescribeCompute", FleetId=fleet["FleetId"], ComputeName=found[0]["ComputeName"])["Compute"]
    assert one["GameServerContainerGroupDefinitionArn"] == fleet["GameServerContainerGroupDefinitionArn"]
    assert [item["ContainerName"] for item in one["ContainerAttributes"]] == ["game"]
    name = {"FleetId": fleet["FleetId"], "ComputeName": found[0]["ComputeName"]}
    assert stage.error("GetComputeAuthToken", **name).error_code == "InvalidRequestException"
