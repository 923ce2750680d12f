"""What records of GameLift hide and name."""

from typing import Any

import pytest

from apitrail.events.casing import caser
from apitrail.events.redact import HIDDEN
from apitrail.services.gamelift import SERVICE
from apitrail.services.gamelift.records import (
    CLEAR,
    FREE,
    GAME_DATA,
    MASKED,
    NAMING,
    READ_ONLY,
    RESOURCE_TYPES,
    RULES,
    WITH_CREDENTIALS,
    resources,
)
from apitrail.wire.models import service_model

ACCOUNT, REGION = "111122223333", "us-west-2"
MODEL = service_model("gamelift")
FLEET = "fleet-0f6c0a1e-5f0e-4c1e-9c3e-2f4d5a6b7c8d"
FLEET_ARN = f"arn:aws:gamelift:us-west-2:111122223333:fleet/{FLEET}"
SESSION_ARN = f"arn:aws:gamelift:us-west-2::gamesession/{FLEET}/round-17"


def arns(params: dict[str, Any], result: dict[str, Any] | None = None) -> list[str]:
    return [item["ARN"] for item in resources(ACCOUNT, REGION, params, result)]


def test_every_sensitive_shape_of_the_model_has_been_decided_on() -> None:
    sensitive = {name for name in MODEL.shape_names if MODEL.shape_for(name).metadata.get("sensitive")}
    decided = MASKED | GAME_DATA | CLEAR | {"GetGameSessionLogUrlOutput"}
    assert sensitive <= decided, f"decide how to record {sorted(sensitive - decided)}"


def test_every_name_that_is_hidden_or_clear_is_one_of_the_model() -> None:
    members = {
        f"{name}.{member}"
        for name in MODEL.shape_names
        if MODEL.shape_for(name).type_name == "structure"
        for member in MODEL.shape_for(name).members
    }
    known = set(MODEL.shape_names) | members | {name.split(".")[1] for name in members}
    assert known >= MASKED | GAME_DATA | CLEAR


def test_55_operations_are_read_only_and_65_write() -> None:
    assert len(READ_ONLY) == 55
    assert len(MODEL.operation_names) == 120
    assert RULES.reads_only("RequestUploadCredentials")
    assert not RULES.reads_only("CreateFleet")


def test_operations_that_hand_out_credentials_never_pass_unrecorded() -> None:
    assert WITH_CREDENTIALS <= READ_ONLY
    assert FREE == READ_ONLY - WITH_CREDENTIALS
    assert SERVICE.free == FREE


@pytest.mark.parametrize("name", sorted(RESOURCE_TYPES))
def test_every_kind_that_a_member_names_has_a_resource_type(name: str) -> None:
    assert RESOURCE_TYPES[name].startswith("AWS::GameLift::")
    assert set(NAMING.values()) <= set(RESOURCE_TYPES) | {""}


def test_upload_credentials_are_masked_as_a_whole() -> None:
    case = caser(MODEL.operation_model("CreateBuild"), "output", RULES, True)
    secret = {"AccessKeyId": "ASIAX", "SecretAccessKey": "hush", "SessionToken": "hush"}
    assert case({"UploadCredentials": secret}) == {"uploadCredentials": HIDDEN}


@pytest.mark.parametrize(
    ("operation", "output"),
    [
        ("GetComputeAccess", {"Credentials": {"SecretAccessKey": "hush"}}),
        ("GetInstanceAccess", {"InstanceAccess": {"Credentials": {"Secret": "hush"}}}),
        ("GetComputeAuthToken", {"AuthToken": "hush"}),
        ("GetGameSessionLogUrl", {"PreSignedUrl": "hush"}),
        ("GetPlayerConnectionDetails", {"PlayerConnectionDetails": [{"PlayerGatewayToken": "hush"}]}),
        ("DescribeFleetEvents", {"Events": [{"PreSignedLogUrl": "hush"}]}),
    ],
)
def test_a_secret_in_an_answer_is_masked_in_every_mode(operation: str, output: dict[str, Any]) -> None:
    case = caser(MODEL.operation_model(operation), "output", RULES, True)
    assert "hush" not in str(case(output))
    assert HIDDEN in str(case(output))


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("CreatePlayerSession", {"PlayerData": "hush"}),
        ("CreatePlayerSessions", {"PlayerDataMap": {"p1": "hush"}}),
        ("CreateGameSession", {"GameSessionData": "hush"}),
        ("CreateGameSession", {"GameProperties": [{"Key": "map", "Value": "hush"}]}),
        ("StartMatchmaking", {"Players": [{"PlayerAttributes": {"skill": {"S": "hush"}}}]}),
        ("RegisterGameServer", {"GameServerData": "hush"}),
        ("CreateGameSessionQueue", {"CustomEventData": "hush"}),
        ("CreateMatchmakingConfiguration", {"CustomEventData": "hush", "GameSessionData": "hush"}),
        (
            "CreateContainerGroupDefinition",
            {"SupportContainerDefinitions": [{"EnvironmentOverride": [{"Name": "KEY", "Value": "hush"}]}]},
        ),
    ],
)
def test_game_data_is_masked_unless_it_is_asked_for(operation: str, params: dict[str, Any]) -> None:
    model = MODEL.operation_model(operation)
    assert "hush" not in str(caser(model, "input", RULES, False)(params))
    assert "hush" in str(caser(model, "input", RULES, True)(params))


def test_names_beside_game_data_stay_clear() -> None:
    model = MODEL.operation_model("CreatePlayerSessions")
    case = caser(model, "input", RULES, False)
    record = case({"PlayerIds": ["p1"], "PlayerDataMap": {"p1": "hush"}})
    assert record == {"playerIds": ["p1"], "playerDataMap": {"p1": HIDDEN}}


def test_addresses_and_ports_stay_clear() -> None:
    case = caser(MODEL.operation_model("CreateFleet"), "input", RULES, False)
    rule = {"IpRange": "10.24.34.0/23", "FromPort": 1935, "ToPort": 1935, "Protocol": "TCP"}
    assert case({"EC2InboundPermissions": [rule]}) == {
        "eC2InboundPermissions": [{"ipRange": "10.24.34.0/23", "fromPort": 1935, "toPort": 1935, "protocol": "TCP"}]
    }


def test_a_script_zip_is_left_out() -> None:
    case = caser(MODEL.operation_model("CreateScript"), "input", RULES, True)
    assert case({"Name": "a", "ZipFile": b"PK"}) == {"name": "a"}


def test_a_created_resource_and_what_it_is_made_from_are_named() -> None:
    params = {"Name": "x", "BuildId": "build-1", "Locations": [{"Location": "custom-desk"}, {"Location": "eu-west-1"}]}
    result = {"FleetAttributes": {"FleetId": FLEET, "FleetArn": FLEET_ARN, "BuildId": "build-1"}}
    assert resources(ACCOUNT, REGION, params, result) == [
        {
            "accountId": ACCOUNT,
            "type": "AWS::GameLift::Build",
            "ARN": "arn:aws:gamelift:us-west-2:111122223333:build/build-1",
        },
        {
            "accountId": ACCOUNT,
            "type": "AWS::GameLift::Location",
            "ARN": "arn:aws:gamelift:us-west-2:111122223333:location/custom-desk",
        },
        {"accountId": ACCOUNT, "type": "AWS::GameLift::Fleet", "ARN": FLEET_ARN},
    ]


@pytest.mark.parametrize("text", [FLEET, FLEET_ARN, f"arn:aws:gamelift:us-west-2::fleet/{FLEET}"])
def test_a_fleet_is_named_by_its_arn_however_the_caller_named_it(text: str) -> None:
    assert arns({"FleetId": text}) == [FLEET_ARN]
    assert arns({"FleetIds": [text, FLEET]}) == [FLEET_ARN]


def test_a_game_session_names_its_fleet_too() -> None:
    assert arns({"GameSessionId": SESSION_ARN, "PlayerId": "p1"}) == [SESSION_ARN, FLEET_ARN]
    assert resources(ACCOUNT, REGION, {"GameSessionId": SESSION_ARN}, None)[0]["accountId"] == ACCOUNT


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (f"arn:aws:gamelift:us-west-2:{ACCOUNT}:gamesession/{FLEET}/round-17", [SESSION_ARN, FLEET_ARN]),
        (
            f"arn:aws:gamelift:us-west-2::gamesession/{FLEET}/custom-desk/r",
            [f"arn:aws:gamelift:us-west-2::gamesession/{FLEET}/custom-desk/r", FLEET_ARN],
        ),
        (
            "arn:aws:gamelift:cn-north-1:999999999999:gamesession/fleet-1/r",
            [
                "arn:aws-cn:gamelift:cn-north-1::gamesession/fleet-1/r",
                "arn:aws-cn:gamelift:cn-north-1:999999999999:fleet/fleet-1",
            ],
        ),
        ("arn:aws:gamelift:us-west-2::gamesession/fleet-1", ["arn:aws:gamelift:us-west-2::gamesession/fleet-1"]),
        ("arn:aws:gamelift:us-west-2::gamesession/f//r", ["arn:aws:gamelift:us-west-2::gamesession/f//r"]),
        ("arn:aws:gamelift:us-west-2::gamesession/", []),
        ("arn:aws:s3:us-west-2::gamesession/fleet-1/r", []),
        ("arn:gamesession/fleet-1/r", []),
        (f"{FLEET_ARN}:gamesession/x/y", [f"{FLEET_ARN}:gamesession/x/y"]),
    ],
)
def test_what_looks_like_the_arn_of_a_game_session(text: str, named: list[str]) -> None:
    assert arns({"GameSessionId": text}) == named


def test_an_alias_names_its_fleet_too() -> None:
    params = {"Name": "live", "RoutingStrategy": {"Type": "SIMPLE", "FleetId": FLEET}}
    alias = {"AliasId": "alias-1", "AliasArn": "arn:aws:gamelift:us-west-2::alias/alias-1"}
    assert arns(params, {"Alias": alias}) == [FLEET_ARN, "arn:aws:gamelift:us-west-2::alias/alias-1"]


@pytest.mark.parametrize(
    ("params", "tail"),
    [
        ({"ContainerFleetId": "x", "FleetId": "containerfleet-1"}, "containerfleet/containerfleet-1"),
        ({"GameSessionQueueName": "q"}, "gamesessionqueue/q"),
        ({"ConfigurationName": "c"}, "matchmakingconfiguration/c"),
        ({"RuleSetName": "r"}, "matchmakingruleset/r"),
        ({"GameServerGroupName": "g"}, "gameservergroup/g"),
        ({"LocationName": "custom-desk"}, "location/custom-desk"),
        ({"ScriptId": "script-1"}, "script/script-1"),
        ({"Location": "custom-desk"}, "location/custom-desk"),
        ({"Locations": ["custom-desk"]}, "location/custom-desk"),
        ({"ResourceARN": "arn:aws:gamelift:us-west-2:111122223333:build/build-1"}, "build/build-1"),
        ({"Name": "arn:aws:gamelift:us-west-2:111122223333:gamesessionqueue/q"}, "gamesessionqueue/q"),
        ({"Destinations": [{"DestinationArn": FLEET_ARN}]}, f"fleet/{FLEET}"),
    ],
)
def test_every_kind_of_resource_is_found(params: dict[str, Any], tail: str) -> None:
    assert arns(params) == [f"arn:aws:gamelift:us-west-2:111122223333:{tail}"]


def test_another_accounts_arn_keeps_its_account() -> None:
    foreign = f"arn:aws:gamelift:us-west-2:999999999999:fleet/{FLEET}"
    assert resources(ACCOUNT, REGION, {"FleetId": foreign}, None) == [
        {"accountId": "999999999999", "type": "AWS::GameLift::Fleet", "ARN": foreign}
    ]


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"FleetId": 17, "FleetIds": [None, {}], "Locations": [{"Location": 3}]},
        {"FleetId": "no-fleet", "Name": "just a name", "Location": "us-west-2"},
        {"GameSessionId": "my-own-id"},
        {"ResourceARN": "arn:aws:s3:::bucket"},
        {"ResourceARN": "arn:aws:gamelift:us-west-2:111122223333:planet/earth"},
        {"BuildId": "b" * 2000},
    ],
)
def test_nothing_is_made_up_from_what_names_no_resource(params: dict[str, Any]) -> None:
    assert arns(params) == []


def test_parameters_nested_without_end_are_not_followed() -> None:
    deep: dict[str, Any] = {"FleetId": FLEET}
    for _ in range(100_000):
        deep = {"Alias": deep}
    assert arns(deep) == []


@pytest.mark.parametrize("name", MODEL.operation_names)
def test_a_result_names_what_an_operation_makes(name: str) -> None:
    """Every ARN member at the top of an answer's structure is found, if it is of a kind that has a type."""
    output = MODEL.operation_model(name).output_shape
    for member, shape in output.members.items() if output else ():
        inner = shape.member if shape.type_name == "list" else shape
        if inner.type_name != "structure" or member in ("GameServers", "GameServerInstances", "Instances"):
            continue
        for field in inner.members:
            kind = NAMING.get(field, "")
            if field.endswith("Arn") and kind not in ("", "fleet", "gamesession", "location"):
                arn = f"arn:aws:gamelift:us-west-2:111122223333:{kind}/x"
                value: Any = {field: arn}
                found = arns({}, {member: [value] if shape.type_name == "list" else value})
                assert len(found) == 1, f"{name}: {member}.{field}"
