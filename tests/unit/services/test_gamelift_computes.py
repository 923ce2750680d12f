"""Computes: registered, described, listed, deregistered; tokens for their processes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fleet_scenes import active_fleet, anywhere_fleet, listed, pages, shown
from session_scenes import active_session, create, see

from apitrail.services.context import Context
from apitrail.services.gamelift.collections import COMPUTE_TOKENS
from apitrail.services.gamelift.compute_tokens import TOKENS_MAX, find_bearer
from apitrail.settings import GameLift, Settings
from apitrail.testing import Stage
from peers import LOCATION, Peer, anywhere_compute, free

ADDRESS = {"IpAddress": "192.0.2.7"}
HOURS = 3600.0


def register(stage: Stage, fleet_id: str, name: str = "desk-1", location: str = LOCATION) -> dict[str, Any]:
    result = stage.call("RegisterCompute", FleetId=fleet_id, ComputeName=name, Location=location, **ADDRESS)
    return shown(result["Compute"])


def test_a_registered_compute_is_described_as_it_was_registered(stage: Stage) -> None:
    fleet_id = anywhere_fleet(stage)
    compute = register(stage, fleet_id, "rack/desk-1")
    arn = "arn:aws:gamelift:us-west-2:111122223333:compute/rack/desk-1"
    assert compute == {
        "FleetId": fleet_id,
        "FleetArn": f"arn:aws:gamelift:us-west-2:111122223333:fleet/{fleet_id}",
        "ComputeName": "rack/desk-1",
        "ComputeArn": arn,
        "IpAddress": "192.0.2.7",
        "ComputeStatus": "ACTIVE",
        "Location": LOCATION,
        "CreationTime": stage.clock.now(),
        "GameLiftServiceSdkEndpoint": "ws://127.0.0.1:4580",
        "GameLiftAgentEndpoint": "ws://127.0.0.1:4580/agent",
    }
    for name in ("rack/desk-1", arn):
        assert shown(stage.call("DescribeCompute", FleetId=fleet_id, ComputeName=name)["Compute"]) == compute


@pytest.mark.parametrize(
    ("settings", "endpoint"),
    [
        ({"gamelift": {"sdk_scheme": "wss", "sdk_tls_port": 4999}}, "wss://127.0.0.1:4999"),
        ({"server": {"advertised_host": "::1"}}, "ws://[::1]:4580"),
        ({"server": {"advertised_host": "games.example", "tls_certificate_file": "x"}}, "wss://games.example:4580"),
    ],
)
def test_the_endpoint_is_the_one_that_the_settings_say(
    tmp_path: Path, settings: dict[str, dict[str, object]], endpoint: str
) -> None:
    with Stage(tmp_path, msgspec.convert(settings, Settings)) as stage:
        assert register(stage, anywhere_fleet(stage))["GameLiftServiceSdkEndpoint"] == endpoint


@pytest.mark.parametrize(
    ("missing", "message"),
    [("Location", "Location must be given"), ("IpAddress", "IpAddress or DnsName must be given")],
)
def test_a_compute_needs_a_location_and_an_address(stage: Stage, missing: str, message: str) -> None:
    params = {"FleetId": "fleet-1", "ComputeName": "desk-1", "Location": LOCATION, **ADDRESS}
    error = stage.error("RegisterCompute", **{name: value for name, value in params.items() if name != missing})
    assert (error.error_code, message in error.message) == ("InvalidRequestException", True)


@pytest.mark.parametrize("fleet", [lambda stage: "fleet-none", active_fleet], ids=["unknown", "EC2"])
def test_only_anywhere_fleets_have_registered_computes(stage: Stage, fleet: Callable[[Stage], str]) -> None:
    error = stage.error("RegisterCompute", FleetId=fleet(stage), ComputeName="desk-1", Location=LOCATION, **ADDRESS)
    assert error.error_code == "InvalidRequestException"


def test_a_fleet_that_is_not_active_takes_no_computes(stage: Stage) -> None:
    stage.call("CreateLocation", LocationName=LOCATION)
    fleet = stage.call("CreateFleet", Name="a", ComputeType="ANYWHERE", Locations=[{"Location": LOCATION}])
    fleet_id = fleet["FleetAttributes"]["FleetId"]
    params = {"FleetId": fleet_id, "ComputeName": "desk-1", "Location": LOCATION, **ADDRESS}
    assert "is in status NEW" in stage.error("RegisterCompute", **params).message
    stage.advance(1)
    assert (
        "has no location custom-else" in stage.error("RegisterCompute", **params | {"Location": "custom-else"}).message
    )
    assert stage.call("RegisterCompute", **params)["Compute"]["ComputeStatus"] == "ACTIVE"


def test_a_location_that_is_going_takes_no_computes(stage: Stage) -> None:
    fleet_id = anywhere_fleet(stage, LOCATION, "custom-other")
    stage.call("DeleteFleetLocations", FleetId=fleet_id, Locations=["custom-other"])
    params = {"FleetId": fleet_id, "ComputeName": "desk-1", "Location": "custom-other", **ADDRESS}
    assert stage.error("RegisterCompute", **params).error_code == "NotReadyException"


def test_a_name_is_free_again_after_the_compute_was_deregistered(stage: Stage) -> None:
    fleet_id = anywhere_fleet(stage)
    register(stage, fleet_id)
    params = {"FleetId": fleet_id, "ComputeName": "desk-1", "Location": LOCATION, **ADDRESS}
    assert stage.error("RegisterCompute", **params).error_code == "ConflictException"
    stage.call("DeregisterCompute", FleetId=fleet_id, ComputeName="desk-1")
    register(stage, fleet_id)
    other = anywhere_fleet(stage, "custom-other")
    register(stage, other, location="custom-other")


def test_a_fleet_has_as_many_computes_as_the_setting_allows(tmp_path: Path) -> None:
    with Stage(tmp_path, Settings(gamelift=GameLift(computes_max=2))) as stage:
        fleet_id = anywhere_fleet(stage)
        for number in range(2):
            register(stage, fleet_id, f"desk-{number}")
        params = {"FleetId": fleet_id, "ComputeName": "desk-2", "Location": LOCATION, **ADDRESS}
        assert stage.error("RegisterCompute", **params).error_code == "LimitExceededException"


def test_computes_are_listed_in_pages_by_location_and_status(stage: Stage) -> None:
    fleet_id = anywhere_fleet(stage, LOCATION, "custom-other")
    for number in range(5):
        register(stage, fleet_id, f"desk-{number}", LOCATION if number % 2 else "custom-other")
    found = pages(stage, "ListCompute", "ComputeList", FleetId=fleet_id, Limit=2)
    assert [[compute["ComputeName"] for compute in page] for page in found] == [
        ["desk-0", "desk-1"],
        ["desk-2", "desk-3"],
        ["desk-4"],
    ]
    there = listed(stage, "ListCompute", "ComputeList", FleetId=fleet_id, Location=LOCATION, ComputeStatus="ACTIVE")
    assert [compute["ComputeName"] for compute in there] == ["desk-1", "desk-3"]
    for none in ({"ComputeStatus": "IMPAIRED"}, {"ContainerGroupDefinitionName": "group"}):
        assert stage.call("ListCompute", FleetId=fleet_id, **none)["ComputeList"] == []
    assert stage.error("ListCompute", FleetId="fleet-none").error_code == "InvalidRequestException"
    assert stage.error("ListCompute", FleetId=fleet_id, NextToken="x").error_code == "InvalidRequestException"


def test_instances_are_computes_without_an_arn(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    (instance,) = stage.call("DescribeInstances", FleetId=fleet_id)["Instances"]
    compute = stage.call("DescribeCompute", FleetId=fleet_id, ComputeName=instance["InstanceId"])["Compute"]
    assert (compute["ComputeName"], compute["ComputeStatus"]) == (instance["InstanceId"], "ACTIVE")
    assert compute["Type"] == "c5.large" and "ComputeArn" not in compute and "GameLiftServiceSdkEndpoint" not in compute
    assert listed(stage, "ListCompute", "ComputeList", FleetId=fleet_id, ComputeStatus="ACTIVE") == [compute]
    error = stage.error("DeregisterCompute", FleetId=fleet_id, ComputeName=instance["InstanceId"])
    assert error.error_code == "InvalidRequestException"
    token = stage.call("GetComputeAuthToken", FleetId=fleet_id, ComputeName=instance["InstanceId"])
    assert "ComputeArn" not in token


@pytest.mark.parametrize("operation", ["DescribeCompute", "DeregisterCompute", "GetComputeAuthToken"])
def test_an_unknown_fleet_or_compute_is_not_found(stage: Stage, operation: str) -> None:
    fleet_id = anywhere_fleet(stage)
    other = "arn:aws:gamelift:eu-west-1:111122223333:compute/desk-1"
    for params in (
        {"FleetId": "fleet-none", "ComputeName": "desk-1"},
        {"FleetId": fleet_id, "ComputeName": "desk-1"},
        {"FleetId": fleet_id, "ComputeName": other},
    ):
        assert stage.error(operation, **params).error_code == "NotFoundException"


def test_a_token_says_whose_it_is_and_until_when(stage: Stage) -> None:
    fleet_id = anywhere_compute(stage)
    found = stage.call("GetComputeAuthToken", FleetId=fleet_id, ComputeName="desk-1")
    assert (found["ExpirationTimestamp"] - stage.clock.now()).total_seconds() == 3 * HOURS
    assert found["ComputeArn"].endswith(":compute/desk-1")
    bearer = stage.read(lambda ctx: find_bearer(ctx.tx, found["AuthToken"]))
    assert bearer is not None and bearer[:4] == ("111122223333", "us-west-2", fleet_id, "desk-1")


def test_the_store_does_not_hold_the_token_itself(stage: Stage) -> None:
    fleet_id = anywhere_compute(stage)
    token = stage.call("GetComputeAuthToken", FleetId=fleet_id, ComputeName="desk-1")["AuthToken"]
    kept = stage.read(lambda ctx: [(entry.id, str(entry.doc)) for entry in COMPUTE_TOKENS(ctx).all()])
    assert len(kept) == 1 and token not in str(kept)
    assert all(token not in str(event) for event in stage.events())


def token_count(stage: Stage) -> int:
    def work(ctx: Context) -> int:
        return COMPUTE_TOKENS(ctx).count()

    return stage.read(work)


def test_a_token_is_forgotten_when_it_ends_and_the_oldest_of_too_many(stage: Stage) -> None:
    fleet_id = anywhere_compute(stage)
    tokens = [
        stage.call("GetComputeAuthToken", FleetId=fleet_id, ComputeName="desk-1")["AuthToken"]
        for _ in range(TOKENS_MAX + 1)
    ]
    assert token_count(stage) == TOKENS_MAX
    assert stage.read(lambda ctx: find_bearer(ctx.tx, tokens[0])) is None
    assert stage.read(lambda ctx: find_bearer(ctx.tx, tokens[1])) is not None
    stage.advance(3 * HOURS, step=HOURS)
    assert token_count(stage) == 0


def test_a_deregistered_compute_takes_its_sessions_tokens_and_connections_with_it(stage: Stage) -> None:
    fleet_id = anywhere_compute(stage)
    peer = free(stage, fleet_id)
    session = create(stage, fleet_id, Location=LOCATION)
    peer.ok("ActivateGameSession", GameSessionId=session["GameSessionId"])
    idle = free(stage, fleet_id, "process-2", 7778)
    peer.pushes()
    stage.call("DeregisterCompute", FleetId=fleet_id, ComputeName="desk-1")
    register(stage, fleet_id)
    stage.settle()
    assert see(stage, session)["Status"] == "TERMINATED"
    assert (peer.pushes(), idle.pushes(), peer.closed, idle.closed) == ([], [], True, True)
    assert token_count(stage) == 0
    free(stage, fleet_id, "process-3")
    assert create(stage, fleet_id, Location=LOCATION)["Status"] == "ACTIVATING"


def test_the_computes_of_a_deleted_fleet_end_with_it(stage: Stage) -> None:
    fleet_id = anywhere_compute(stage)
    peer = free(stage, fleet_id)
    session = active_session_of(stage, fleet_id, peer)
    stage.call("DeleteFleet", FleetId=fleet_id)
    stage.advance(1)
    assert [push["Action"] for push in peer.pushes()] == ["TerminateProcess"]
    assert peer.closed
    assert see(stage, session)["Status"] == "TERMINATED"
    assert stage.call("ListCompute", FleetId=fleet_id)["ComputeList"] == []


def active_session_of(stage: Stage, fleet_id: str, peer: Peer) -> dict[str, Any]:
    session = create(stage, fleet_id, Location=LOCATION)
    peer.pushes()
    peer.ok("ActivateGameSession", GameSessionId=session["GameSessionId"])
    return session


def test_a_session_in_a_virtual_process_is_not_touched_by_computes(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    session = active_session(stage, fleet_id)
    anywhere_compute(stage)
    assert see(stage, session)["Status"] == "ACTIVE"
