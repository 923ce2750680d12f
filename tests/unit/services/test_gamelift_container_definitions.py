"""Container group definitions and their versions."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from container_scenes import (
    IMAGE,
    ROLE,
    active_fleet,
    defined,
    definition,
    game_server,
    group,
    new_fleet,
    per_instance,
    see,
    support,
)

from apitrail.testing import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        yield stage


def revise(stage: Stage, name: str = "game-group", **more: Any) -> dict[str, Any]:
    found = stage.call("UpdateContainerGroupDefinition", Name=name, **more)["ContainerGroupDefinition"]
    return dict(found)


def test_a_definition_is_ready_when_its_images_would_be_copied(stage: Stage) -> None:
    made = stage.call("CreateContainerGroupDefinition", **group(VersionDescription="first"))["ContainerGroupDefinition"]
    assert made["ContainerGroupDefinitionArn"] == (
        "arn:aws:gamelift:us-west-2:111122223333:containergroupdefinition/game-group:1"
    )
    assert (made["Status"], made["VersionNumber"], made["ContainerGroupType"]) == ("COPYING", 1, "GAME_SERVER")
    assert "ResolvedImageDigest" not in made["GameServerContainerDefinition"]
    stage.advance(1)
    for name in ("game-group", made["ContainerGroupDefinitionArn"], made["ContainerGroupDefinitionArn"][:-2]):
        found = definition(stage, name)
        assert (found["Status"], found["VersionDescription"]) == ("READY", "first")
        digest = hashlib.sha256(IMAGE.encode()).hexdigest()
        assert found["GameServerContainerDefinition"]["ResolvedImageDigest"] == f"sha256:{digest}"


def test_the_game_server_gets_the_vcpus_that_are_left(stage: Stage) -> None:
    containers = [support("a", Vcpu=0.25), support("b")]
    found = defined(stage, group(SupportContainerDefinitions=containers))
    assert found["GameServerContainerDefinition"]["Vcpu"] == 0.75
    found = revise(stage, TotalVcpuLimit=2.0)
    assert found["GameServerContainerDefinition"]["Vcpu"] == 1.75


RANGE = {"FromPort": 7778, "ToPort": 7790, "Protocol": "UDP"}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"GameServerContainerDefinition": None}, "needs GameServerContainerDefinition"),
        ({"GameServerContainerDefinition": game_server(ServerSdkVersion="5.1.9")}, "5.2.0 or higher"),
        ({"TotalVcpuLimit": None}, "Either TotalVcpuLimit"),
        ({"SupportContainerDefinitions": [support("game")]}, "game is given more than once"),
        ({"SupportContainerDefinitions": [support(str(n)) for n in range(9)]}, "can have 8 support"),
        ({"SupportContainerDefinitions": [support(MemoryHardLimitMebibytes=1024)]}, "must be greater than"),
        ({"SupportContainerDefinitions": [support(Vcpu=1.5)]}, "leave nothing"),
        ({"SupportContainerDefinitions": [support(Vcpu=0.75)], "GameServerContainerDefinition": game_server(Vcpu=0.5)},
         "less than the containers' Vcpu"),
        ({"SupportContainerDefinitions": [support(PortConfiguration={"ContainerPortRanges": [RANGE]})]}, "overlap"),
        ({"SupportContainerDefinitions": [
            support(PortConfiguration={"ContainerPortRanges": [{**RANGE, "ToPort": 7000}]})]}, "greater than ToPort"),
        ({"SupportContainerDefinitions": [
            support(DependsOn=[{"ContainerName": "none", "Condition": "START"}])]}, "depends on none"),
        ({"SupportContainerDefinitions": [
            support(DependsOn=[{"ContainerName": "game", "Condition": "SUCCESS"}])]}, "game is essential"),
        ({"SupportContainerDefinitions": [
            support("a", DependsOn=[{"ContainerName": "b", "Condition": "START"}]),
            support("b", DependsOn=[{"ContainerName": "a", "Condition": "START"}])]}, "depend on each other"),
    ],
)  # fmt: skip
def test_a_game_server_group_that_does_not_fit_together_is_refused(
    stage: Stage, changes: dict[str, Any], text: str
) -> None:
    params = {name: value for name, value in group(**changes).items() if value is not None}
    error = stage.error("CreateContainerGroupDefinition", **params)
    assert error.error_code == "InvalidRequestException"
    assert text in error.message


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"GameServerContainerDefinition": game_server()}, "cannot have a game server container"),
        ({"SupportContainerDefinitions": []}, "needs SupportContainerDefinitions"),
        ({"SupportContainerDefinitions": [support()]}, "must be Essential"),
        ({"TotalVcpuLimit": None}, "needs TotalVcpuLimit"),
    ],
)
def test_a_per_instance_group_that_does_not_fit_together_is_refused(
    stage: Stage, changes: dict[str, Any], text: str
) -> None:
    params = {name: value for name, value in per_instance(**changes).items() if value is not None}
    error = stage.error("CreateContainerGroupDefinition", **params)
    assert error.error_code == "InvalidRequestException"
    assert text in error.message


def test_ports_of_different_protocols_may_overlap_and_containers_may_depend(stage: Stage) -> None:
    container = support(
        PortConfiguration={"ContainerPortRanges": [{**RANGE, "Protocol": "TCP"}]},
        DependsOn=[{"ContainerName": "game", "Condition": "HEALTHY"}],
    )
    assert defined(stage, group(SupportContainerDefinitions=[container]))["Status"] == "READY"


def test_a_name_is_taken_once(stage: Stage) -> None:
    stage.call("CreateContainerGroupDefinition", **group())
    assert stage.error("CreateContainerGroupDefinition", **group()).error_code == "ConflictException"


def test_an_image_that_cannot_be_fails_the_definition_which_is_removed_later(stage: Stage) -> None:
    found = defined(stage, group(GameServerContainerDefinition=game_server(ImageUri="Not/an//Image:")))
    assert (found["Status"], "Not/an//Image:" in found["StatusReason"]) == ("FAILED", True)
    error = stage.error("CreateContainerFleet", FleetRoleArn=ROLE, GameServerContainerGroupDefinitionName="game-group")
    assert (error.error_code, "FAILED" in error.message) == ("InvalidRequestException", True)
    stage.advance(300, step=60)
    assert stage.error("DescribeContainerGroupDefinition", Name="game-group").error_code == "NotFoundException"


def test_a_new_version_changes_what_is_given_and_keeps_the_rest(stage: Stage) -> None:
    defined(stage, group(SupportContainerDefinitions=[support()], VersionDescription="first"))
    second = revise(stage, TotalMemoryLimitMebibytes=2048)
    assert (second["VersionNumber"], second["TotalMemoryLimitMebibytes"], second["Status"]) == (2, 2048, "COPYING")
    assert "VersionDescription" not in second
    assert [item["ContainerName"] for item in second["SupportContainerDefinitions"]] == ["logs"]
    third = revise(stage, SourceVersionNumber=1, SupportContainerDefinitions=[], VersionDescription="third")
    assert (third["VersionNumber"], third["TotalMemoryLimitMebibytes"]) == (3, 1024)
    assert "SupportContainerDefinitions" not in third
    assert definition(stage, "game-group")["VersionNumber"] == 3
    assert definition(stage, "game-group", VersionNumber=2)["TotalMemoryLimitMebibytes"] == 2048


def test_the_vcpu_limit_of_a_game_server_group_can_be_removed(stage: Stage) -> None:
    defined(stage, group())
    defined(stage, per_instance())
    removed = {"RemoveAttributes": ["TOTAL_VCPU_LIMIT"]}
    for params in ({"Name": "game-group", "TotalVcpuLimit": 1.0}, {"Name": "helpers"}):
        assert stage.error("UpdateContainerGroupDefinition", **params, **removed).error_code == (
            "InvalidRequestException"
        )
    found = revise(stage, **removed)
    assert "TotalVcpuLimit" not in found
    assert found["GameServerContainerDefinition"]["Vcpu"] == 1.0


def test_a_version_that_is_not_there_or_named_twice_is_refused(stage: Stage) -> None:
    arn = defined(stage, group())["ContainerGroupDefinitionArn"]
    for operation in ("DescribeContainerGroupDefinition", "DeleteContainerGroupDefinition"):
        assert stage.error(operation, Name="game-group", VersionNumber=2).error_code == "NotFoundException"
        assert stage.error(operation, Name=arn, VersionNumber=2).error_code == "InvalidRequestException"
        assert stage.error(operation, Name="unknown").error_code == "NotFoundException"
        assert stage.error(operation, Name=arn.replace("us-west-2", "eu-west-1")).error_code == "NotFoundException"
    assert stage.error("UpdateContainerGroupDefinition", Name="unknown").error_code == "NotFoundException"
    assert stage.error("ListContainerGroupDefinitionVersions", Name="unknown").error_code == "NotFoundException"


def test_the_newest_versions_are_listed_by_type(stage: Stage) -> None:
    for params in (group("a"), group("b"), per_instance("c")):
        stage.call("CreateContainerGroupDefinition", **params)
    revise(stage, "a")
    found = stage.call("ListContainerGroupDefinitions", ContainerGroupType="GAME_SERVER", Limit=1)
    more = stage.call(
        "ListContainerGroupDefinitions", ContainerGroupType="GAME_SERVER", Limit=1, NextToken=found["NextToken"]
    )
    listed = [*found["ContainerGroupDefinitions"], *more["ContainerGroupDefinitions"]]
    assert [(item["Name"], item["VersionNumber"]) for item in listed] == [("a", 2), ("b", 1)]
    assert more.get("NextToken") is None
    assert len(stage.call("ListContainerGroupDefinitions")["ContainerGroupDefinitions"]) == 3


def test_versions_are_listed_highest_first(stage: Stage) -> None:
    arn = defined(stage, group())["ContainerGroupDefinitionArn"]
    for _ in range(2):
        revise(stage)
    first = stage.call("ListContainerGroupDefinitionVersions", Name=arn, Limit=2)
    rest = stage.call("ListContainerGroupDefinitionVersions", Name=arn, Limit=2, NextToken=first["NextToken"])
    found = [*first["ContainerGroupDefinitions"], *rest["ContainerGroupDefinitions"]]
    assert [item["VersionNumber"] for item in found] == [3, 2, 1]


def versions(stage: Stage) -> list[int]:
    found = stage.call("ListContainerGroupDefinitionVersions", Name="game-group")["ContainerGroupDefinitions"]
    return [item["VersionNumber"] for item in found]


def test_versions_are_deleted_one_by_one_or_but_for_the_newest_and_numbers_are_not_used_again(stage: Stage) -> None:
    defined(stage, group(Tags=[{"Key": "team", "Value": "red"}]))
    for _ in range(3):
        revise(stage)
    both = stage.error("DeleteContainerGroupDefinition", Name="game-group", VersionNumber=1, VersionCountToRetain=1)
    assert both.error_code == "InvalidRequestException"
    stage.call("DeleteContainerGroupDefinition", Name="game-group", VersionNumber=4)
    assert versions(stage) == [3, 2, 1]
    stage.call("DeleteContainerGroupDefinition", Name="game-group", VersionCountToRetain=2)
    assert versions(stage) == [3, 2]
    assert revise(stage)["VersionNumber"] == 5
    stage.call("DeleteContainerGroupDefinition", Name="game-group")
    assert stage.error("DescribeContainerGroupDefinition", Name="game-group").error_code == "NotFoundException"
    again = defined(stage, group())
    assert again["VersionNumber"] == 1
    assert stage.call("ListTagsForResource", ResourceARN=again["ContainerGroupDefinitionArn"])["Tags"] == []


def test_a_version_that_a_fleet_uses_or_may_go_back_to_is_kept(stage: Stage) -> None:
    fleet = active_fleet(stage)
    revise(stage)
    error = stage.error("DeleteContainerGroupDefinition", Name="game-group", VersionNumber=1)
    assert (error.error_code, "in use" in error.message) == ("InvalidRequestException", True)
    stage.advance(1)
    assert see(stage, fleet)["Status"] == "UPDATING"
    for number in (1, 2):
        error = stage.error("DeleteContainerGroupDefinition", Name="game-group", VersionNumber=number)
        assert error.error_code == "InvalidRequestException"
    stage.advance(6)
    assert see(stage, fleet)["Status"] == "ACTIVE"
    stage.call("DeleteContainerGroupDefinition", Name="game-group", VersionNumber=1)
    assert stage.error("DeleteContainerGroupDefinition", Name="game-group").error_code == "InvalidRequestException"


def test_tags_belong_to_all_versions(stage: Stage) -> None:
    arn = defined(stage, group(Tags=[{"Key": "team", "Value": "red"}]))["ContainerGroupDefinitionArn"]
    for name in (arn, arn.removesuffix(":1")):
        assert stage.call("ListTagsForResource", ResourceARN=name)["Tags"] == [{"Key": "team", "Value": "red"}]
    bad = [{"Key": "aws:x", "Value": ""}]
    assert stage.error("CreateContainerGroupDefinition", **group("other", Tags=bad)).error_code == (
        "TaggingFailedException"
    )


def test_a_fleet_whose_definition_gets_a_new_version_gets_it_too(stage: Stage) -> None:
    fleet = active_fleet(stage)
    other = new_fleet(stage)
    stage.advance(5)
    revise(stage, VersionDescription="second")
    stage.advance(8)
    assert see(stage, fleet)["GameServerContainerGroupDefinitionArn"].endswith("game-group:2")
    assert "GameServerContainerGroupDefinitionArn" not in see(stage, other)
    found = stage.call("ListContainerFleets", ContainerGroupDefinitionName="game-group")["ContainerFleets"]
    assert [item["FleetId"] for item in found] == [fleet["FleetId"]]


def test_a_new_version_that_does_not_fit_a_fleet_is_not_deployed(stage: Stage) -> None:
    fleet = active_fleet(stage, GameServerContainerGroupsPerInstance=2)
    revise(stage, TotalMemoryLimitMebibytes=3000)
    stage.advance(5)
    assert see(stage, fleet)["GameServerContainerGroupDefinitionArn"].endswith("game-group:1")
    event = stage.call("DescribeFleetEvents", FleetId=fleet["FleetId"])["Events"][0]
    assert event["EventCode"] == "GENERIC_EVENT"
    assert "game-group:2 was not deployed" in event["Message"]
