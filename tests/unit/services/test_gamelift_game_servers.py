"""FleetIQ's game servers: registered, claimed, used, listed and removed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from server_scenes import INSTANCE, active_group, new_group, registered

from apitrail.settings import GameLift, Settings
from apitrail.testing import Stage

NAME = {"GameServerGroupName": "g"}
SERVER = {**NAME, "GameServerId": "server-1"}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        active_group(stage)
        yield stage


def see(stage: Stage, server_id: str = "server-1") -> dict[str, Any]:
    found: dict[str, Any] = stage.call("DescribeGameServer", **NAME, GameServerId=server_id)["GameServer"]
    return found


def claim(stage: Stage, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = stage.call("ClaimGameServer", **NAME, **more)["GameServer"]
    return found


def update(stage: Stage, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = stage.call("UpdateGameServer", **SERVER, **more)["GameServer"]
    return found


def test_a_registered_game_server_is_available(stage: Stage) -> None:
    server = registered(stage, ConnectionInfo="203.0.113.1:7777", GameServerData="map=dust")
    assert server == {
        **SERVER,
        "GameServerGroupArn": "arn:aws:gamelift:us-west-2:111122223333:gameservergroup/g",
        "InstanceId": INSTANCE,
        "ConnectionInfo": "203.0.113.1:7777",
        "GameServerData": "map=dust",
        "UtilizationStatus": "AVAILABLE",
        "RegistrationTime": stage.clock.now(),
        "LastHealthCheckTime": stage.clock.now(),
    }
    assert see(stage) == server


def test_an_id_is_taken_once_in_the_account(stage: Stage) -> None:
    registered(stage)
    active_group(stage, GameServerGroupName="other")
    for group in ("g", "other"):
        params = {"GameServerGroupName": group, "GameServerId": "server-1", "InstanceId": INSTANCE}
        assert stage.error("RegisterGameServer", **params).error_code == "ConflictException"
    assert stage.error("DescribeGameServer", GameServerGroupName="other", GameServerId="server-1").error_code == (
        "NotFoundException"
    )


def test_a_group_that_is_unknown_or_not_active_takes_no_game_servers(stage: Stage) -> None:
    new_group(stage, GameServerGroupName="young")
    for group in ("unknown", "young"):
        error = stage.error("RegisterGameServer", GameServerGroupName=group, GameServerId="abc", InstanceId=INSTANCE)
        assert error.error_code == "InvalidRequestException"


def test_a_claim_lasts_sixty_seconds(stage: Stage) -> None:
    registered(stage)
    server = claim(stage, GameServerData="players=ana")
    assert (server["ClaimStatus"], server["UtilizationStatus"]) == ("CLAIMED", "AVAILABLE")
    assert (server["LastClaimTime"], server["GameServerData"]) == (stage.clock.now(), "players=ana")
    stage.advance(59)
    assert see(stage)["ClaimStatus"] == "CLAIMED"
    stage.advance(1)
    assert "ClaimStatus" not in see(stage)
    assert see(stage)["LastClaimTime"] == server["LastClaimTime"]


def test_a_claim_that_was_used_does_not_lapse(stage: Stage) -> None:
    registered(stage)
    claim(stage)
    server = update(stage, UtilizationStatus="UTILIZED")
    assert (server["UtilizationStatus"], "ClaimStatus" in server) == ("UTILIZED", False)
    stage.advance(120, step=30)
    assert see(stage)["UtilizationStatus"] == "UTILIZED"


def test_an_old_claim_does_not_end_a_new_one(stage: Stage) -> None:
    registered(stage)
    claim(stage)
    stage.advance(30)
    stage.call("DeregisterGameServer", **SERVER)
    registered(stage)
    claim(stage)
    stage.advance(31)
    assert see(stage)["ClaimStatus"] == "CLAIMED"


def test_the_longest_registered_free_game_server_is_claimed(stage: Stage) -> None:
    for name in ("server-1", "server-2", "server-3"):
        registered(stage, name)
    claim(stage, GameServerId="server-1")
    assert [claim(stage)["GameServerId"] for _ in range(2)] == ["server-2", "server-3"]
    error = stage.error("ClaimGameServer", **NAME)
    assert error.error_code == "OutOfCapacityException"


def test_a_game_server_that_is_claimed_or_in_use_cannot_be_claimed(stage: Stage) -> None:
    registered(stage)
    claim(stage)
    assert stage.error("ClaimGameServer", **SERVER).error_code == "ConflictException"
    update(stage, UtilizationStatus="UTILIZED")
    assert stage.error("ClaimGameServer", **SERVER).error_code == "ConflictException"
    unknown = stage.error("ClaimGameServer", **NAME, GameServerId="unknown")
    assert unknown.error_code == "NotFoundException"


def test_a_filter_must_allow_active_instances(stage: Stage) -> None:
    registered(stage)
    error = stage.error("ClaimGameServer", **NAME, FilterOption={"InstanceStatuses": ["DRAINING"]})
    assert error.error_code == "InvalidRequestException"
    assert claim(stage, FilterOption={"InstanceStatuses": ["ACTIVE"]})["ClaimStatus"] == "CLAIMED"


def test_draining_instances_are_claimed_unless_the_filter_excludes_them(stage: Stage) -> None:
    for name in ("server-1", "server-2"):
        registered(stage, name)
    update(stage, UtilizationStatus="UTILIZED")
    stage.call("DeleteGameServerGroup", **NAME)
    found = stage.call("DescribeGameServerInstances", **NAME)["GameServerInstances"]
    assert [item["InstanceStatus"] for item in found] == ["DRAINING"]
    only_active = {"FilterOption": {"InstanceStatuses": ["ACTIVE"]}}
    assert stage.error("ClaimGameServer", **NAME, **only_active).error_code == "OutOfCapacityException"
    named = stage.error("ClaimGameServer", **NAME, GameServerId="server-2", **only_active)
    assert named.error_code == "ConflictException"
    assert claim(stage)["GameServerId"] == "server-2"


def test_a_game_server_in_use_cannot_become_available(stage: Stage) -> None:
    registered(stage)
    assert update(stage, UtilizationStatus="AVAILABLE")["UtilizationStatus"] == "AVAILABLE"
    update(stage, UtilizationStatus="UTILIZED")
    assert update(stage, UtilizationStatus="UTILIZED")["UtilizationStatus"] == "UTILIZED"
    error = stage.error("UpdateGameServer", **SERVER, UtilizationStatus="AVAILABLE")
    assert error.error_code == "InvalidRequestException"


def test_health_and_data_are_updated_by_themselves(stage: Stage) -> None:
    registered(stage, GameServerData="old")
    claim(stage)
    stage.advance(10)
    server = update(stage, HealthCheck="HEALTHY")
    assert server["LastHealthCheckTime"] == stage.clock.now()
    assert (server["GameServerData"], server["ClaimStatus"]) == ("old", "CLAIMED")
    stage.advance(10)
    server = update(stage, GameServerData="new")
    assert (server["GameServerData"], server["LastHealthCheckTime"] < stage.clock.now()) == ("new", True)


def test_a_deregistered_game_server_is_gone(stage: Stage) -> None:
    registered(stage)
    stage.call("DeregisterGameServer", **SERVER)
    assert stage.error("DescribeGameServer", **SERVER).error_code == "NotFoundException"
    assert stage.error("DeregisterGameServer", **SERVER).error_code == "NotFoundException"
    assert stage.error("UpdateGameServer", **SERVER).error_code == "NotFoundException"
    registered(stage)


@pytest.mark.parametrize(("order", "expected"), [(None, "abc"), ("ASCENDING", "abc"), ("DESCENDING", "cba")])
def test_game_servers_are_listed_by_age_page_by_page(stage: Stage, order: str | None, expected: str) -> None:
    for letter in "abc":
        registered(stage, f"server-{letter}")
        stage.advance(1)
    asked = {**NAME, "Limit": 2, **({"SortOrder": order} if order else {})}
    first = stage.call("ListGameServers", **asked)
    second = stage.call("ListGameServers", **asked, NextToken=first["NextToken"])
    found = [*first["GameServers"], *second["GameServers"]]
    assert [server["GameServerId"][-1] for server in found] == list(expected)
    assert second.get("NextToken") is None


def test_the_list_of_an_unknown_group_is_an_invalid_request(stage: Stage) -> None:
    assert stage.error("ListGameServers", GameServerGroupName="unknown").error_code == "InvalidRequestException"


def test_instances_are_those_that_game_servers_run_on(stage: Stage) -> None:
    others = [f"i-{number:017d}" for number in range(3)]
    for number, instance in enumerate((*others, others[0])):
        registered(stage, f"server-{number}", InstanceId=instance)

    def listed(**params: Any) -> list[str]:
        found = stage.call("DescribeGameServerInstances", **NAME, **params)["GameServerInstances"]
        assert {item["InstanceStatus"] for item in found} <= {"ACTIVE"}
        return [item["InstanceId"] for item in found]

    assert listed() == others
    assert listed(InstanceIds=[others[2], INSTANCE]) == others[2:]
    first = stage.call("DescribeGameServerInstances", **NAME, Limit=2)
    assert listed(Limit=2, NextToken=first["NextToken"]) == others[2:]
    assert stage.error("DescribeGameServerInstances", GameServerGroupName="x").error_code == "NotFoundException"


def test_a_silent_game_server_is_deregistered_where_that_is_set(tmp_path: Path) -> None:
    with Stage(tmp_path, Settings(gamelift=GameLift(game_server_health_s=180.0))) as stage:
        active_group(stage)
        registered(stage)
        stage.advance(100, step=20)
        update(stage, HealthCheck="HEALTHY")
        stage.advance(179, step=1)
        assert see(stage)["UtilizationStatus"] == "AVAILABLE"
        stage.advance(1)
        assert stage.error("DescribeGameServer", **SERVER).error_code == "NotFoundException"


def test_a_silent_game_server_stays_where_nothing_is_set(stage: Stage) -> None:
    registered(stage)
    stage.advance(3600, step=600)
    assert see(stage)["UtilizationStatus"] == "AVAILABLE"
