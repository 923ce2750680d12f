"""Ports and runtime configuration of fleets."""

from typing import Any

import pytest
from fleet_scenes import HOME, LAUNCH, RULE, active_fleet, anywhere_fleet, new_fleet

from apitrail.testing import Stage

OTHER = {"FromPort": 8000, "ToPort": 8000, "IpRange": "192.0.2.0/24", "Protocol": "TCP"}


def ports_of(stage: Stage, fleet_id: str) -> list[dict[str, Any]]:
    return list(stage.call("DescribeFleetPortSettings", FleetId=fleet_id)["InboundPermissions"])


def test_port_rules_are_added_and_removed(stage: Stage) -> None:
    fleet_id = new_fleet(stage)
    answer = stage.call("UpdateFleetPortSettings", FleetId=fleet_id, InboundPermissionAuthorizations=[OTHER])
    assert (answer["FleetId"], set(answer)) == (fleet_id, {"FleetId", "FleetArn"})
    assert ports_of(stage, fleet_id) == [RULE, OTHER]
    stage.call("UpdateFleetPortSettings", FleetId=fleet_id, InboundPermissionRevocations=[RULE])
    assert ports_of(stage, fleet_id) == [OTHER]
    both = {"InboundPermissionRevocations": [OTHER], "InboundPermissionAuthorizations": [OTHER, RULE]}
    stage.call("UpdateFleetPortSettings", FleetId=fleet_id, **both)
    assert ports_of(stage, fleet_id) == [OTHER, RULE]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"InboundPermissionAuthorizations": [RULE]}, "ConflictException"),
        ({"InboundPermissionAuthorizations": [OTHER, OTHER]}, "InvalidRequestException"),
        ({"InboundPermissionAuthorizations": [{**OTHER, "ToPort": 7999}]}, "InvalidRequestException"),
        ({"InboundPermissionAuthorizations": [{**OTHER, "FromPort": 80}]}, "InvalidRequestException"),
        ({"InboundPermissionAuthorizations": [{**OTHER, "IpRange": "here"}]}, "InvalidRequestException"),
        ({"InboundPermissionRevocations": [OTHER]}, "InvalidRequestException"),
        ({"InboundPermissionRevocations": [{**RULE, "Protocol": "TCP"}]}, "InvalidRequestException"),
    ],
)
def test_a_wrong_change_of_ports_changes_nothing(stage: Stage, change: dict[str, Any], code: str) -> None:
    fleet_id = new_fleet(stage)
    assert stage.error("UpdateFleetPortSettings", FleetId=fleet_id, **change).error_code == code
    assert ports_of(stage, fleet_id) == [RULE]


def test_a_fleet_has_fifty_port_rules_at_most(stage: Stage) -> None:
    fleet_id = new_fleet(stage)
    more = [{**OTHER, "FromPort": 9000 + number, "ToPort": 9000 + number} for number in range(50)]
    error = stage.error("UpdateFleetPortSettings", FleetId=fleet_id, InboundPermissionAuthorizations=more)
    assert error.error_code == "LimitExceededException"
    stage.call("UpdateFleetPortSettings", FleetId=fleet_id, InboundPermissionAuthorizations=more[1:])
    assert len(ports_of(stage, fleet_id)) == 50


def test_a_change_of_ports_takes_time_to_reach_remote_locations(stage: Stage) -> None:
    fleet_id = active_fleet(stage, Locations=[{"Location": "us-east-1"}])
    there = {"FleetId": fleet_id, "Location": "us-east-1"}
    assert "UpdateStatus" not in stage.call("DescribeFleetPortSettings", **there)
    stage.call("UpdateFleetPortSettings", FleetId=fleet_id, InboundPermissionAuthorizations=[OTHER])
    stage.advance(3)
    stage.call("UpdateFleetPortSettings", FleetId=fleet_id, InboundPermissionRevocations=[OTHER])
    stage.advance(3)
    settings = stage.call("DescribeFleetPortSettings", **there)
    assert (settings["Location"], settings["UpdateStatus"]) == ("us-east-1", "PENDING_UPDATE")
    stage.advance(2)
    assert "UpdateStatus" not in stage.call("DescribeFleetPortSettings", **there)
    home = stage.call("DescribeFleetPortSettings", FleetId=fleet_id, Location=HOME)
    assert (home["Location"], "UpdateStatus" in home) == (HOME, False)
    error = stage.error("DescribeFleetPortSettings", FleetId=fleet_id, Location="eu-west-1")
    assert error.error_code == "NotFoundException"


def test_an_anywhere_fleet_has_no_ports(stage: Stage) -> None:
    fleet_id = anywhere_fleet(stage)
    assert ports_of(stage, fleet_id) == []
    error = stage.error("UpdateFleetPortSettings", FleetId=fleet_id, InboundPermissionAuthorizations=[OTHER])
    assert error.error_code == "InvalidRequestException"


def test_a_runtime_configuration_is_shown_with_its_defaults(stage: Stage) -> None:
    fleet_id = new_fleet(stage)
    assert stage.call("DescribeRuntimeConfiguration", FleetId=fleet_id)["RuntimeConfiguration"] == {
        "ServerProcesses": [LAUNCH],
        "MaxConcurrentGameSessionActivations": 2_147_483_647,
        "GameSessionActivationTimeoutSeconds": 300,
    }


def test_an_update_replaces_the_whole_runtime_configuration(stage: Stage) -> None:
    fleet_id = new_fleet(stage)
    first = {"ServerProcesses": [LAUNCH], "GameSessionActivationTimeoutSeconds": 10}
    stage.call("UpdateRuntimeConfiguration", FleetId=fleet_id, RuntimeConfiguration=first)
    second = {"ServerProcesses": [{**LAUNCH, "Parameters": "-a"}], "MaxConcurrentGameSessionActivations": 1}
    answer = stage.call("UpdateRuntimeConfiguration", FleetId=fleet_id, RuntimeConfiguration=second)
    expected = {**second, "GameSessionActivationTimeoutSeconds": 300}
    assert answer == {"RuntimeConfiguration": expected}
    assert stage.call("DescribeRuntimeConfiguration", FleetId=fleet_id)["RuntimeConfiguration"] == expected


def test_running_instances_follow_a_new_runtime_configuration(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    runtime = {"ServerProcesses": [{**LAUNCH, "ConcurrentExecutions": 5}]}
    stage.call("UpdateRuntimeConfiguration", FleetId=fleet_id, RuntimeConfiguration=runtime)
    (use,) = stage.call("DescribeFleetUtilization", FleetIds=[fleet_id])["FleetUtilization"]
    assert use["ActiveServerProcessCount"] == 5


def test_a_runtime_configuration_runs_something_but_not_too_much(stage: Stage) -> None:
    fleet_id = new_fleet(stage)
    change = {"FleetId": fleet_id, "RuntimeConfiguration": {"GameSessionActivationTimeoutSeconds": 10}}
    assert stage.error("UpdateRuntimeConfiguration", **change).error_code == "InvalidRequestException"
    change["RuntimeConfiguration"] = {"ServerProcesses": [{**LAUNCH, "ConcurrentExecutions": 51}]}
    assert stage.error("UpdateRuntimeConfiguration", **change).error_code == "LimitExceededException"
    anywhere = anywhere_fleet(stage)
    change = {"FleetId": anywhere, "RuntimeConfiguration": {"GameSessionActivationTimeoutSeconds": 10}}
    assert stage.call("UpdateRuntimeConfiguration", **change)["RuntimeConfiguration"] == {
        "GameSessionActivationTimeoutSeconds": 10,
        "MaxConcurrentGameSessionActivations": 2_147_483_647,
    }


def test_a_failed_fleet_keeps_its_runtime_configuration(stage: Stage) -> None:
    bad = {"ServerProcesses": [{**LAUNCH, "LaunchPath": "/opt/server"}]}
    fleet_id = new_fleet(stage, RuntimeConfiguration=bad)
    stage.advance(10)
    good = {"ServerProcesses": [LAUNCH]}
    error = stage.error("UpdateRuntimeConfiguration", FleetId=fleet_id, RuntimeConfiguration=good)
    assert error.error_code == "InvalidFleetStatusException"
