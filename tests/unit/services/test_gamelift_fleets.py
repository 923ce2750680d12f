"""Fleets: creating, describing, listing, updating; what is refused."""

import io
import zipfile
from typing import Any

import pytest
from fleet_scenes import (
    HOME,
    LAUNCH,
    RULE,
    active_fleet,
    anywhere_fleet,
    ec2_params,
    event_codes,
    fleet_of,
    listed,
    new_fleet,
    pages,
    put_build,
    status_of,
)

from apitrail.testing import Stage

UNKNOWN = "fleet-00000000-0000-4000-8000-000000000000"


def test_the_documented_example_makes_a_fleet(stage: Stage) -> None:
    build_id = put_build(stage, OperatingSystem="WINDOWS_2022", ServerSdkVersion="4.0.2")
    given = {
        "BuildId": build_id,
        "LogPaths": ["C:\\game\\serverErr.log", "C:\\game\\serverOut.log"],
        "ServerLaunchPath": "C:\\game\\MyServer.exe",
        "Description": "Test fleet",
        "ServerLaunchParameters": "-paramX=baz",
        "Name": "My_Test_Server_Fleet",
    }
    ports = [{"IpRange": "10.24.34.0/23", "FromPort": 1935, "Protocol": "TCP", "ToPort": 1935}]
    result = stage.call("CreateFleet", **given, EC2InboundPermissions=ports, EC2InstanceType="c5.large")
    fleet = result["FleetAttributes"]
    assert given.items() <= fleet.items()
    assert (fleet["Status"], fleet["InstanceType"], fleet["FleetType"]) == ("NEW", "c5.large", "ON_DEMAND")
    assert fleet["FleetArn"] == f"arn:aws:gamelift:{HOME}:111122223333:fleet/{fleet['FleetId']}"
    assert fleet["OperatingSystem"] == "WINDOWS_2022"
    assert result["LocationStates"] == [{"Location": HOME, "Status": "NEW", "PlayerGatewayStatus": "DISABLED"}]
    assert stage.call("DescribeFleetPortSettings", FleetId=fleet["FleetId"])["InboundPermissions"] == ports
    launched = stage.call("DescribeRuntimeConfiguration", FleetId=fleet["FleetId"])["RuntimeConfiguration"]
    assert launched["ServerProcesses"] == [
        {"LaunchPath": "C:\\game\\MyServer.exe", "Parameters": "-paramX=baz", "ConcurrentExecutions": 1}
    ]
    stage.advance(7)
    assert status_of(stage, fleet["FleetId"]) == "ACTIVE"


def test_what_a_new_fleet_leaves_open_has_defaults(stage: Stage) -> None:
    fleet = fleet_of(stage, new_fleet(stage))
    assert fleet["MetricGroups"] == ["default"]
    assert fleet["NewGameSessionProtectionPolicy"] == "NoProtection"
    assert fleet["CertificateConfiguration"] == {"CertificateType": "DISABLED"}
    assert "ResourceCreationLimitPolicy" not in fleet


def test_what_a_new_fleet_is_given_is_kept(stage: Stage) -> None:
    given = {
        "FleetType": "SPOT",
        "MetricGroups": ["arenas"],
        "NewGameSessionProtectionPolicy": "FullProtection",
        "ResourceCreationLimitPolicy": {"NewGameSessionsPerCreator": 2, "PolicyPeriodInMinutes": 5},
        "CertificateConfiguration": {"CertificateType": "GENERATED"},
        "InstanceRoleArn": "arn:aws:iam::111122223333:role/game",
        "InstanceRoleCredentialsProvider": "SHARED_CREDENTIAL_FILE",
        "PlayerGatewayMode": "ENABLED",
    }
    assert given.items() <= fleet_of(stage, new_fleet(stage, **given)).items()


def test_a_fleet_runs_a_script_in_place_of_a_build(stage: Stage) -> None:
    fleet_id = new_fleet(stage, ScriptId=put_script(stage))
    fleet = fleet_of(stage, fleet_id)
    assert fleet["ScriptArn"].endswith(fleet["ScriptId"])
    assert fleet["OperatingSystem"] == "AMAZON_LINUX_2"
    stage.advance(7)
    assert status_of(stage, fleet_id) == "ACTIVE"


def test_a_build_may_be_named_by_its_arn(stage: Stage) -> None:
    build_id = put_build(stage)
    for arn in (f"arn:aws:gamelift:{HOME}:111122223333:build/{build_id}", f"arn:aws:gamelift:{HOME}::build/{build_id}"):
        assert fleet_of(stage, new_fleet(stage, BuildId=arn))["BuildId"] == build_id


def test_locations_are_added_to_the_home_region(stage: Stage) -> None:
    places = [{"Location": "us-east-1"}, {"Location": "us-west-2-lax-1"}]
    states = stage.call("CreateFleet", **ec2_params(stage, Locations=places))["LocationStates"]
    assert [state["Location"] for state in states] == [HOME, "us-east-1", "us-west-2-lax-1"]
    with_home = [{"Location": "us-east-1"}, {"Location": HOME}]
    states = stage.call("CreateFleet", **ec2_params(stage, Locations=with_home))["LocationStates"]
    assert {state["Location"] for state in states} == {HOME, "us-east-1"}


def test_tags_of_a_new_fleet_are_kept(stage: Stage) -> None:
    fleet = fleet_of(stage, new_fleet(stage, Tags=[{"Key": "team", "Value": "red"}]))
    tags = stage.call("ListTagsForResource", ResourceARN=fleet["FleetArn"])["Tags"]
    assert tags == [{"Key": "team", "Value": "red"}]
    bad = ec2_params(stage, Tags=[{"Key": "aws:team", "Value": "red"}])
    assert stage.error("CreateFleet", **bad).error_code == "TaggingFailedException"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"BuildId": None}, "Exactly one of BuildId and ScriptId"),
        ({"ScriptId": "script-1"}, "Exactly one of BuildId and ScriptId"),
        ({"EC2InstanceType": None}, "EC2InstanceType must be given"),
        ({"RuntimeConfiguration": None}, "at least one entry of ServerProcesses"),
        ({"RuntimeConfiguration": {"GameSessionActivationTimeoutSeconds": 5}}, "at least one entry of ServerProcesses"),
        ({"ServerLaunchPath": "/local/game/a"}, "together with RuntimeConfiguration"),
        ({"ServerLaunchParameters": "-a"}, "needs ServerLaunchPath"),
        ({"AnywhereConfiguration": {"Cost": "1"}}, "ANYWHERE"),
        ({"InstanceRoleCredentialsProvider": "SHARED_CREDENTIAL_FILE"}, "needs InstanceRoleArn"),
        ({"PeerVpcId": "vpc-1"}, "must be given together"),
        ({"Locations": [{"Location": "mars-1"}]}, "Location mars-1 is not available"),
        ({"Locations": [{"Location": "custom-desk"}]}, "not available"),
        ({"Locations": [{"Location": "us-east-1"}] * 2}, "more than once"),
        ({"EC2InboundPermissions": [{**RULE, "FromPort": 7101}]}, "FromPort 7101 must not be greater"),
        ({"EC2InboundPermissions": [{**RULE, "FromPort": 1025}]}, "Ports 1025-7100 cannot be opened"),
        ({"EC2InboundPermissions": [{**RULE, "FromPort": 22}]}, "cannot be opened"),
        ({"EC2InboundPermissions": [{**RULE, "IpRange": "::/0"}]}, "IPv4"),
        ({"EC2InboundPermissions": [{**RULE, "IpRange": "10.0.0.300/8"}]}, "IPv4"),
        ({"EC2InboundPermissions": [{**RULE, "IpRange": "10.0.0.1"}]}, "IPv4"),
        ({"EC2InboundPermissions": [RULE, RULE]}, "given more than once"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(stage: Stage, changes: dict[str, Any], text: str) -> None:
    params = ec2_params(stage) | changes
    error = stage.error("CreateFleet", **{name: value for name, value in params.items() if value is not None})
    assert (error.error_code, text in error.message) == ("InvalidRequestException", True), error.message
    assert stage.call("ListFleets")["FleetIds"] == []


def test_too_many_processes_per_instance_are_refused(stage: Stage) -> None:
    runtime = {"ServerProcesses": [{**LAUNCH, "ConcurrentExecutions": 26}, {**LAUNCH, "ConcurrentExecutions": 25}]}
    error = stage.error("CreateFleet", **ec2_params(stage, RuntimeConfiguration=runtime))
    assert (error.error_code, "51 server processes" in error.message) == ("LimitExceededException", True)


def test_the_remote_shell_port_is_for_linux_only(stage: Stage) -> None:
    shell = {**RULE, "FromPort": 22, "ToPort": 22, "Protocol": "TCP"}
    new_fleet(stage, EC2InboundPermissions=[shell])
    windows = put_build(stage, OperatingSystem="WINDOWS_2016")
    params = ec2_params(stage, BuildId=windows, EC2InboundPermissions=[shell])
    assert stage.error("CreateFleet", **params).error_code == "InvalidRequestException"


def test_a_build_that_is_unknown_or_not_ready_is_refused(stage: Stage) -> None:
    unknown = ec2_params(stage, BuildId="build-00000000-0000-4000-8000-000000000000")
    assert stage.error("CreateFleet", **unknown).error_code == "NotFoundException"
    waiting = ec2_params(stage, BuildId=put_build(stage, Status="INITIALIZED"))
    assert stage.error("CreateFleet", **waiting).error_code == "NotReadyException"
    script = ec2_params(stage, ScriptId="script-00000000-0000-4000-8000-000000000000")
    assert stage.error("CreateFleet", **script).error_code == "NotFoundException"


def test_what_needs_server_sdk_5_is_refused_for_an_older_build(stage: Stage) -> None:
    old = put_build(stage, ServerSdkVersion="4.0.2")
    assert "4.0.2" in stage.error("CreateFleet", **ec2_params(stage, BuildId=old, PlayerGatewayMode="REQUIRED")).message
    role = {"InstanceRoleArn": "arn:aws:iam::1:role/a", "InstanceRoleCredentialsProvider": "SHARED_CREDENTIAL_FILE"}
    assert "server SDK 5" in stage.error("CreateFleet", **ec2_params(stage, BuildId=old, **role)).message
    script = ec2_params(stage, ScriptId=put_script(stage), PlayerGatewayMode="ENABLED")
    assert "is a script" in stage.error("CreateFleet", **script).message
    new_fleet(stage, BuildId=old, PlayerGatewayMode="DISABLED")


def test_a_wanted_player_gateway_is_noted_as_missing(stage: Stage) -> None:
    assert event_codes(stage, new_fleet(stage, PlayerGatewayMode="REQUIRED")) == ["FLEET_CREATED", "GENERIC_EVENT"]


def test_an_anywhere_fleet_becomes_active_without_instances(stage: Stage) -> None:
    stage.call("CreateLocation", LocationName="custom-desk")
    params = {"Name": "desk", "ComputeType": "ANYWHERE", "AnywhereConfiguration": {"Cost": "10"}}
    result = stage.call("CreateFleet", **params, Locations=[{"Location": "custom-desk"}])
    assert [state["Status"] for state in result["LocationStates"]] == ["NEW"]
    fleet_id = result["FleetAttributes"]["FleetId"]
    stage.advance(1)
    fleet = fleet_of(stage, fleet_id)
    assert set(fleet) == {
        "FleetId",
        "FleetArn",
        "Name",
        "CreationTime",
        "Status",
        "MetricGroups",
        "CertificateConfiguration",
        "ComputeType",
        "AnywhereConfiguration",
    }
    assert fleet["Status"] == "ACTIVE"
    assert event_codes(stage, fleet_id) == [
        "FLEET_CREATED",
        "LOCATION_STATE_PENDING",
        "FLEET_STATE_ACTIVE",
        "LOCATION_STATE_ACTIVE",
    ]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, "InvalidRequestException"),
        ({"Locations": [{"Location": "us-east-1"}]}, "InvalidRequestException"),
        ({"Locations": [{"Location": "custom-nowhere"}]}, "NotFoundException"),
        ({"Locations": [{"Location": "custom-desk"}], "EC2InstanceType": "c5.large"}, "InvalidRequestException"),
        ({"Locations": [{"Location": "custom-desk"}], "BuildId": "build-1"}, "InvalidRequestException"),
        ({"Locations": [{"Location": "custom-desk"}], "EC2InboundPermissions": [RULE]}, "InvalidRequestException"),
    ],
)
def test_an_anywhere_fleet_needs_custom_locations_and_nothing_of_ec2(
    stage: Stage, params: dict[str, Any], code: str
) -> None:
    stage.call("CreateLocation", LocationName="custom-desk")
    error = stage.error("CreateFleet", Name="desk", ComputeType="ANYWHERE", **params)
    assert error.error_code == code


def test_fleets_are_described_in_the_order_asked_and_unknown_ones_left_out(stage: Stage) -> None:
    first, second = new_fleet(stage), new_fleet(stage)
    arn = fleet_of(stage, first)["FleetArn"]
    foreign = arn.replace("111122223333", "444455556666")
    found = stage.call("DescribeFleetAttributes", FleetIds=[second, UNKNOWN, foreign, arn])["FleetAttributes"]
    assert [fleet["FleetId"] for fleet in found] == [second, first]


def test_a_call_names_a_thousand_fleets_at_most(stage: Stage) -> None:
    ids = [f"fleet-{number}" for number in range(1001)]
    assert stage.call("DescribeFleetAttributes", FleetIds=ids[1:])["FleetAttributes"] == []
    error = stage.error("DescribeFleetAttributes", FleetIds=ids)
    assert (error.error_code, "1000" in error.message) == ("InvalidRequestException", True)


def test_fleets_are_listed_in_pages(stage: Stage) -> None:
    build_id = put_build(stage)
    made = [new_fleet(stage, BuildId=build_id) for _ in range(7)]
    other = new_fleet(stage)
    assert [len(page) for page in pages(stage, "ListFleets", "FleetIds", Limit=3)] == [3, 3, 2]
    assert listed(stage, "ListFleets", "FleetIds", Limit=3) == [*made, other]
    assert listed(stage, "ListFleets", "FleetIds", Limit=2, BuildId=build_id) == made
    described = listed(stage, "DescribeFleetAttributes", "FleetAttributes", Limit=5)
    assert [fleet["FleetId"] for fleet in described] == [*made, other]
    assert len(listed(stage, "DescribeFleetCapacity", "FleetCapacity", Limit=5)) == 8
    assert len(listed(stage, "DescribeFleetUtilization", "FleetUtilization", Limit=5)) == 8


def test_a_token_of_another_list_is_refused(stage: Stage) -> None:
    for _ in range(3):
        new_fleet(stage)
    token = stage.call("ListFleets", Limit=1)["NextToken"]
    for wrong in (token[:-2] + "zz", "x"):
        assert stage.error("ListFleets", Limit=1, NextToken=wrong).error_code == "InvalidRequestException"
    assert stage.error("DescribeFleetAttributes", NextToken=token).error_code == "InvalidRequestException"


def test_a_list_has_one_filter_at_most_and_knows_its_build(stage: Stage) -> None:
    both = stage.error("ListFleets", BuildId="build-1", ScriptId="script-1")
    assert both.error_code == "InvalidRequestException"
    assert stage.error("ListFleets", BuildId="build-1").error_code == "NotFoundException"
    assert stage.error("ListFleets", ScriptId="script-1").error_code == "NotFoundException"


def test_fleets_of_a_script_are_listed(stage: Stage) -> None:
    script_id = put_script(stage)
    fleet_id = new_fleet(stage, ScriptId=script_id)
    new_fleet(stage)
    assert stage.call("ListFleets", ScriptId=script_id)["FleetIds"] == [fleet_id]


def test_attributes_that_are_given_are_changed(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    changes = {
        "Name": "dome",
        "Description": "with a roof",
        "NewGameSessionProtectionPolicy": "FullProtection",
        "ResourceCreationLimitPolicy": {"NewGameSessionsPerCreator": 1, "PolicyPeriodInMinutes": 1},
        "MetricGroups": ["domes"],
    }
    before = fleet_of(stage, fleet_id)
    answer = stage.call("UpdateFleetAttributes", FleetId=before["FleetArn"], **changes)
    assert answer == {"FleetId": fleet_id, "FleetArn": before["FleetArn"]}
    assert fleet_of(stage, fleet_id) == before | changes
    event = stage.call("DescribeFleetEvents", FleetId=fleet_id, Limit=1)["Events"][0]
    assert event["EventCode"] == "FLEET_NEW_GAME_SESSION_PROTECTION_POLICY_UPDATED"
    assert "NoProtection" in event["Message"] and "FullProtection" in event["Message"]
    assert event["EventTime"] == stage.clock.now()


def test_a_change_of_the_name_alone_makes_no_event(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    before = event_codes(stage, fleet_id)
    stage.call("UpdateFleetAttributes", FleetId=fleet_id, Name="dome", NewGameSessionProtectionPolicy="NoProtection")
    assert event_codes(stage, fleet_id) == before


def test_the_cost_is_for_anywhere_fleets_only(stage: Stage) -> None:
    cost = {"AnywhereConfiguration": {"Cost": "3.5"}}
    error = stage.error("UpdateFleetAttributes", FleetId=new_fleet(stage), **cost)
    assert error.error_code == "InvalidRequestException"
    fleet_id = anywhere_fleet(stage)
    stage.call("UpdateFleetAttributes", FleetId=fleet_id, **cost)
    assert fleet_of(stage, fleet_id)["AnywhereConfiguration"] == {"Cost": "3.5"}


ONE_FLEET: dict[str, dict[str, Any]] = {
    "DeleteFleet": {},
    "UpdateFleetAttributes": {},
    "UpdateFleetCapacity": {},
    "UpdateFleetPortSettings": {},
    "UpdateRuntimeConfiguration": {"RuntimeConfiguration": {"ServerProcesses": [LAUNCH]}},
    "DescribeFleetEvents": {},
    "DescribeFleetPortSettings": {},
    "DescribeRuntimeConfiguration": {},
    "DescribeInstances": {},
    "CreateFleetLocations": {"Locations": [{"Location": "us-east-1"}]},
    "DescribeFleetLocationAttributes": {},
    "DeleteFleetLocations": {"Locations": ["us-east-1"]},
    "DescribeFleetLocationCapacity": {"Location": HOME},
    "DescribeFleetLocationUtilization": {"Location": HOME},
}


@pytest.mark.parametrize(("operation", "params"), ONE_FLEET.items())
def test_an_unknown_fleet_is_not_found(stage: Stage, operation: str, params: dict[str, Any]) -> None:
    error = stage.error(operation, FleetId=UNKNOWN, **params)
    assert (error.error_code, UNKNOWN in error.message) == ("NotFoundException", True)


@pytest.mark.parametrize(
    "operation",
    [
        "UpdateFleetAttributes",
        "UpdateFleetCapacity",
        "UpdateFleetPortSettings",
        "UpdateRuntimeConfiguration",
        "CreateFleetLocations",
    ],
)
def test_a_fleet_that_is_deleted_cannot_be_changed(stage: Stage, operation: str) -> None:
    fleet_id = active_fleet(stage)
    stage.call("DeleteFleet", FleetId=fleet_id)
    for seconds in (0, 3):
        stage.advance(seconds)
        error = stage.error(operation, FleetId=fleet_id, **ONE_FLEET[operation])
        assert error.error_code == "InvalidFleetStatusException"


def put_script(stage: Stage) -> str:
    """Add a script through its operation."""
    script = stage.call("CreateScript", Name="rules", ZipFile=zip_of("rules.js", b"exports.ssExports = {};"))
    return str(script["Script"]["ScriptId"])


def zip_of(name: str, content: bytes) -> bytes:
    """Return a zip with one file."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr(name, content)
    return body.getvalue()


def test_the_record_of_a_new_fleet_has_its_parameters_and_attributes(stage: Stage) -> None:
    fleet_id = new_fleet(stage, Description="Test fleet")
    (event,) = [event for event in stage.events() if event["eventName"] == "CreateFleet"]
    assert event["requestParameters"]["eC2InboundPermissions"][0]["ipRange"] == "0.0.0.0/0"
    attributes = event["responseElements"]["fleetAttributes"]
    assert (attributes["fleetId"], attributes["status"]) == (fleet_id, "NEW")
    assert attributes["creationTime"] == "Mar 4, 2026 9:15:00 AM"
    assert not [name for name in attributes if name.startswith("_")]
    assert {"AWS::GameLift::Fleet", "AWS::GameLift::Build"} <= {item["type"] for item in event["resources"]}


def test_a_refused_fleet_is_recorded_with_its_error(stage: Stage) -> None:
    stage.error("DeleteFleet", FleetId=UNKNOWN)
    (event,) = list(stage.events())
    assert (event["errorCode"], event["responseElements"]) == ("NotFoundException", None)
    assert event["requestParameters"] == {"fleetId": UNKNOWN}
