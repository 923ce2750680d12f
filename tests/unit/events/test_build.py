"""The event of a call: the documented GameLift records as golden text, and each rule of the record's fields."""

from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest

from apitrail.errors import ServiceError
from apitrail.events.build import RecordOptions, build_bytes, build_event
from apitrail.events.record import FIELD_ORDER
from apitrail.events.redact import HIDDEN
from apitrail.events.rules import RecordRules
from apitrail.identity.principal import Principal, Session, SessionIssuer
from apitrail.wire.call import Call
from apitrail.wire.http import TlsFacts
from apitrail.wire.models import service_model

ACCOUNT = "111122223333"
FLEET_ID = "fleet-0bb84136-4f69-4bb2-bfec-a9b9a7c3d52e"
FLEET_ARN = f"arn:aws:gamelift:us-west-2:{ACCOUNT}:fleet/{FLEET_ID}"
BUILD_ID = "build-92b6e8af-37a2-4c10-93bd-4698ea23de8d"
LOG_PATHS = ["C:\\game\\serverErr.log", "C:\\game\\serverOut.log"]
COMPLETED_AT = datetime(2015, 12, 29, 23, 40, 15, tzinfo=UTC)
EVENT_ID = "c8fbea01-fbf9-4c4e-a0fe-ad7dc205ce11"


def fleet_resources(account, region, params, result):
    ids = [*params.get("FleetIds", ())]
    if result and isinstance(result.get("FleetAttributes"), dict):
        ids.append(result["FleetAttributes"]["FleetId"])
    return [
        {"accountId": account, "type": "AWS::GameLift::Fleet", "ARN": f"arn:aws:gamelift:{region}:{account}:fleet/{i}"}
        for i in ids
    ]


GAMELIFT = RecordRules(
    "gamelift.amazonaws.com",
    masked=frozenset({"UploadCredentials"}),
    game_data=frozenset({"PlayerData"}),
    clear=frozenset({"IpRange", "PortNumber", "PlayerId"}),
    resources=fleet_resources,
)
S3 = RecordRules(
    "s3.amazonaws.com",
    spelled={"Bucket": "bucketName"},
    request_extras=lambda call: {"Host": call.host},
    data_operations={"GetObject": "AWS::S3::Object"},
    resources=lambda account, region, params, result: [
        {"type": "AWS::S3::Object", "ARN": f"arn:aws:s3:::{params['Bucket']}/{params['Key']}"},
        {"accountId": "444455556666", "type": "AWS::S3::Bucket", "ARN": f"arn:aws:s3:::{params['Bucket']}"},
    ],
)
IAM = RecordRules("iam.amazonaws.com", global_service=True)
STS = RecordRules("sts.amazonaws.com", answers_in_reads=frozenset({"AssumeRole"}))

USER = Principal(
    "IAMUser",
    ACCOUNT,
    f"arn:aws:iam::{ACCOUNT}:user/myUserName",
    "AIDACKCEVSQ6C2EXAMPLE",
    access_key="AKIAIOSFODNN7EXAMPLE",
    user_name="myUserName",
)
CREATE_PARAMS = {
    "BuildId": BUILD_ID,
    "EC2InboundPermissions": [{"IpRange": "10.24.34.0/23", "FromPort": 1935, "Protocol": "TCP", "ToPort": 1935}],
    "LogPaths": LOG_PATHS,
    "EC2InstanceType": "c5.large",
    "ServerLaunchPath": "C:\\game\\MyServer.exe",
    "Description": "Test fleet",
    "ServerLaunchParameters": "-paramX=baz",
    "Name": "My_Test_Server_Fleet",
}
CREATE_RESULT = {
    "FleetAttributes": {
        "FleetId": FLEET_ID,
        "ServerLaunchPath": "C:\\game\\MyServer.exe",
        "Status": "NEW",
        "LogPaths": LOG_PATHS,
        "Description": "Test fleet",
        "ServerLaunchParameters": "-paramX=baz",
        "CreationTime": datetime(2015, 12, 29, 23, 40, 14, tzinfo=UTC),
        "Name": "My_Test_Server_Fleet",
        "BuildId": BUILD_ID,
        "_lifecycle": "private to the service",
    }
}

CREATE_RECORD = rb"""{
    "eventVersion": "1.04",
    "userIdentity": {
        "type": "IAMUser",
        "principalId": "AIDACKCEVSQ6C2EXAMPLE",
        "arn": "arn:aws:iam::111122223333:user/myUserName",
        "accountId": "111122223333",
        "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
        "userName": "myUserName"
    },
    "eventTime": "2015-12-29T23:40:15Z",
    "eventSource": "gamelift.amazonaws.com",
    "eventName": "CreateFleet",
    "awsRegion": "us-west-2",
    "sourceIPAddress": "192.0.2.0",
    "userAgent": "[]",
    "requestParameters": {
        "buildId": "build-92b6e8af-37a2-4c10-93bd-4698ea23de8d",
        "eC2InboundPermissions": [
            {"ipRange": "10.24.34.0/23", "fromPort": 1935, "protocol": "TCP", "toPort": 1935}
        ],
        "logPaths": ["C:\\game\\serverErr.log", "C:\\game\\serverOut.log"],
        "eC2InstanceType": "c5.large",
        "serverLaunchPath": "C:\\game\\MyServer.exe",
        "description": "Test fleet",
        "serverLaunchParameters": "-paramX=baz",
        "name": "My_Test_Server_Fleet"
    },
    "responseElements": {
        "fleetAttributes": {
            "fleetId": "fleet-0bb84136-4f69-4bb2-bfec-a9b9a7c3d52e",
            "serverLaunchPath": "C:\\game\\MyServer.exe",
            "status": "NEW",
            "logPaths": ["C:\\game\\serverErr.log", "C:\\game\\serverOut.log"],
            "description": "Test fleet",
            "serverLaunchParameters": "-paramX=baz",
            "creationTime": "Dec 29, 2015 11:40:14 PM",
            "name": "My_Test_Server_Fleet",
            "buildId": "build-92b6e8af-37a2-4c10-93bd-4698ea23de8d"
        }
    },
    "requestID": "824a2a4b-ae85-11e5-a8d6-61d5cafb25f2",
    "eventID": "c8fbea01-fbf9-4c4e-a0fe-ad7dc205ce11",
    "eventType": "AwsApiCall",
    "recipientAccountId": "111122223333"
}"""

DESCRIBE_RECORD = rb"""{
    "eventVersion": "1.04",
    "userIdentity": {
        "type": "IAMUser",
        "principalId": "AIDACKCEVSQ6C2EXAMPLE",
        "arn": "arn:aws:iam::111122223333:user/myUserName",
        "accountId": "111122223333",
        "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
        "userName": "myUserName"
    },
    "eventTime": "2015-12-29T23:40:15Z",
    "eventSource": "gamelift.amazonaws.com",
    "eventName": "DescribeFleetAttributes",
    "awsRegion": "us-west-2",
    "sourceIPAddress": "192.0.2.0",
    "userAgent": "[]",
    "requestParameters": {"fleetIds": ["fleet-0bb84136-4f69-4bb2-bfec-a9b9a7c3d52e"]},
    "responseElements": null,
    "requestID": "82e7f0ec-ae85-11e5-a8d6-61d5cafb25f2",
    "eventID": "11daabcb-0094-49f2-8b3d-3a63c8bad86f",
    "eventType": "AwsApiCall",
    "recipientAccountId": "111122223333"
}"""


def make_call(operation, params, service="gamelift", **changes):
    facts = {
        "region": "us-west-2",
        "request_id": "824a2a4b-ae85-11e5-a8d6-61d5cafb25f2",
        "source_ip": "192.0.2.0",
        "user_agent": "",
        "host": "gamelift.us-west-2.amazonaws.com",
    }
    return Call(service, service_model(service).operation_model(operation), params, **(facts | changes))


def event_of(call, principal=USER, rules=GAMELIFT, result=None, error=None, at=COMPLETED_AT, **options):
    return build_event(call, principal, rules, result=result, error=error, at=at, event_id=EVENT_ID, **options)


def create_fleet(**changes):
    return make_call("CreateFleet", CREATE_PARAMS, **changes)


@pytest.mark.parametrize(
    ("operation", "params", "result", "request_id", "event_id", "record"),
    [
        (
            "CreateFleet",
            CREATE_PARAMS,
            CREATE_RESULT,
            "824a2a4b-ae85-11e5-a8d6-61d5cafb25f2",
            EVENT_ID,
            CREATE_RECORD,
        ),
        (
            "DescribeFleetAttributes",
            {"FleetIds": [FLEET_ID]},
            {"FleetAttributes": [CREATE_RESULT["FleetAttributes"]]},
            "82e7f0ec-ae85-11e5-a8d6-61d5cafb25f2",
            "11daabcb-0094-49f2-8b3d-3a63c8bad86f",
            DESCRIBE_RECORD,
        ),
    ],
)
def test_the_documented_gamelift_records_come_out_byte_for_byte(
    operation, params, result, request_id, event_id, record
):
    written = build_bytes(
        make_call(operation, params, request_id=request_id),
        USER,
        GAMELIFT,
        result=result,
        error=None,
        at=COMPLETED_AT,
        event_id=event_id,
        options=RecordOptions(event_version="1.04"),
    )
    assert written == orjson.dumps(orjson.loads(record))


def test_today_s_record_adds_the_newer_fields_in_their_order():
    event = event_of(create_fleet(tls=TlsFacts("TLSv1.3", "TLS_AES_128_GCM_SHA256")), result=CREATE_RESULT)
    assert event["eventVersion"] == "1.11"
    assert "userAgent" not in event
    assert event["readOnly"] is False
    assert event["managementEvent"] is True
    assert event["eventCategory"] == "Management"
    assert event["resources"] == [{"accountId": ACCOUNT, "type": "AWS::GameLift::Fleet", "ARN": FLEET_ARN}]
    assert event["tlsDetails"] == {
        "tlsVersion": "TLSv1.3",
        "cipherSuite": "TLS_AES_128_GCM_SHA256",
        "clientProvidedHostHeader": "gamelift.us-west-2.amazonaws.com",
    }
    assert list(event) == [name for name in FIELD_ORDER if name in event]


def test_every_optional_field_keeps_the_order():
    event = event_of(
        create_fleet(user_agent="aws-cli/2", tls=TlsFacts("TLSv1.2", "")),
        error=ServiceError("no", code="ConflictException"),
        additional={"note": 1},
        shared_event_id="9d1c0b5e-0000-4000-8000-000000000000",
    )
    assert list(event) == [name for name in FIELD_ORDER if name in event]
    assert {"errorCode", "additionalEventData", "sharedEventID"} <= set(event)
    assert event["tlsDetails"] == {
        "tlsVersion": "TLSv1.2",
        "clientProvidedHostHeader": "gamelift.us-west-2.amazonaws.com",
    }


def test_a_failed_call_keeps_its_parameters_and_has_no_answer():
    error = ServiceError("Fleet is busy.", code="com.amazonaws.gamelift#ConflictException")
    event = event_of(create_fleet(), result=CREATE_RESULT, error=error)
    assert (event["errorCode"], event["errorMessage"]) == ("ConflictException", "Fleet is busy.")
    assert event["requestParameters"]["buildId"] == BUILD_ID
    assert event["responseElements"] is None
    assert "resources" not in event


def test_an_error_without_text_has_a_code_only():
    event = event_of(create_fleet(), error=ServiceError(""))
    assert event["errorCode"] == "InternalFailure"
    assert "errorMessage" not in event


@pytest.mark.parametrize(
    ("operation", "params", "result"),
    [
        ("DeleteFleet", {"FleetId": FLEET_ID}, None),
        ("StopMatchmaking", {"TicketId": "t"}, {}),
        ("TagResource", {"ResourceARN": FLEET_ARN, "Tags": []}, {"_only": "private"}),
    ],
)
def test_an_empty_output_is_null(operation, params, result):
    assert event_of(make_call(operation, params), result=result)["responseElements"] is None


def test_a_call_without_parameters_has_null_parameters():
    assert event_of(make_call("ListFleets", {}), result={"FleetIds": []})["requestParameters"] is None


def test_a_blob_alone_leaves_null_parameters():
    assert event_of(make_call("CreateScript", {"ZipFile": b"PK"}), result={})["requestParameters"] is None


def test_reads_hide_their_answer_but_those_of_the_table():
    params = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/R", "RoleSessionName": "s"}
    result = {"Credentials": {"AccessKeyId": "ASIA1", "SecretAccessKey": "planted", "SessionToken": "planted"}}
    event = event_of(make_call("AssumeRole", params, "sts"), rules=STS, result=result)
    assert event["readOnly"] is True
    assert event["responseElements"] == {"credentials": {"accessKeyId": "ASIA1", "sessionToken": HIDDEN}}


def test_game_data_is_shown_on_request_only():
    call = make_call("CreatePlayerSession", {"GameSessionId": "g", "PlayerId": "p", "PlayerData": "age 9"})
    hidden = event_of(call)["requestParameters"]
    shown = event_of(call, options=RecordOptions(show_game_data=True))["requestParameters"]
    assert hidden == {"gameSessionId": "g", "playerId": "p", "playerData": HIDDEN}
    assert shown["playerData"] == "age 9"


def test_a_service_s_call_shows_its_dns_name_and_no_tls():
    role = Principal(
        "AssumedRole",
        ACCOUNT,
        f"arn:aws:sts::{ACCOUNT}:assumed-role/AWSServiceRoleForGameLift/gamelift",
        "AROAX:gamelift",
        session=Session(COMPLETED_AT, issuer=SessionIssuer("Role", "AROAX", "arn", ACCOUNT, "R")),
        invoked_by="gamelift.amazonaws.com",
    )
    event = event_of(create_fleet(tls=TlsFacts("TLSv1.3", "x"), user_agent="own"), principal=role)
    assert event["sourceIPAddress"] == event["userAgent"] == "gamelift.amazonaws.com"
    assert event["userIdentity"]["invokedBy"] == "gamelift.amazonaws.com"
    assert "tlsDetails" not in event


def test_a_plain_http_call_has_no_tls_details():
    assert "tlsDetails" not in event_of(create_fleet())


def test_another_account_s_copy_names_the_caller_as_a_foreign_account():
    shared = "9d1c0b5e-0000-4000-8000-000000000000"
    event = event_of(create_fleet(), recipient="444455556666", shared_event_id=shared)
    assert event["recipientAccountId"] == "444455556666"
    assert event["sharedEventID"] == shared
    assert event["userIdentity"] == {"type": "AWSAccount", "principalId": USER.principal_id, "accountId": ACCOUNT}


@pytest.mark.parametrize(
    ("region", "recorded"),
    [("eu-west-1", "us-east-1"), ("cn-northwest-1", "cn-north-1"), ("us-gov-east-1", "us-gov-west-1")],
)
def test_a_global_service_is_recorded_in_the_first_region_of_its_partition(region, recorded):
    call = make_call("CreateUser", {"UserName": "dana"}, "iam", region=region)
    assert event_of(call, rules=IAM)["awsRegion"] == recorded


def test_the_time_is_utc_and_cut_to_the_second():
    at = datetime(2026, 3, 4, 11, 15, 2, 999_999, tzinfo=timezone(timedelta(hours=2)))
    assert event_of(create_fleet(), at=at)["eventTime"] == "2026-03-04T09:15:02Z"


def test_an_object_call_is_a_data_event_with_s3_spelling():
    call = make_call("GetObject", {"Bucket": "audit", "Key": "a/b"}, "s3", host="audit.localhost")
    event = event_of(call, rules=S3, result={"Body": b"bytes"})
    assert event["requestParameters"] == {"bucketName": "audit", "key": "a/b", "Host": "audit.localhost"}
    assert (event["managementEvent"], event["eventCategory"], event["readOnly"]) == (False, "Data", True)
    assert event["resources"][1]["accountId"] == "444455556666"


def test_a_data_event_stays_recognisable_in_the_old_version():
    call = make_call("GetObject", {"Bucket": "audit", "Key": "a/b"}, "s3")
    event = event_of(call, rules=S3, options=RecordOptions(event_version="1.04"))
    assert event["managementEvent"] is False
    assert event["readOnly"] is True
    assert event["resources"]
    assert "eventCategory" not in event


def test_a_denied_caller_does_not_learn_the_owner_of_an_object():
    call = make_call("GetObject", {"Bucket": "audit", "Key": "a/b"}, "s3")
    denied = event_of(call, rules=S3, error=ServiceError("no", code="AccessDenied"))
    missing = event_of(call, rules=S3, error=ServiceError("no", code="NoSuchKey"))
    assert denied["resources"][1]["accountId"] == ""
    assert "accountId" not in denied["resources"][0]
    assert missing["resources"][1]["accountId"] == "444455556666"


def test_long_texts_are_cut_to_one_kilobyte():
    event = event_of(
        create_fleet(user_agent="u" * 5000, request_id="r" * 5000),
        error=ServiceError("m" * 5000, code="C" * 5000),
    )
    for name in ("userAgent", "requestID", "errorCode", "errorMessage"):
        assert len(event[name]) == 1024


def test_the_event_shares_nothing_with_the_parameters():
    params = {"FleetIds": [FLEET_ID]}
    event = event_of(make_call("DescribeFleetAttributes", params))
    event["requestParameters"]["fleetIds"].append("other")
    assert params == {"FleetIds": [FLEET_ID]}


def test_text_that_is_no_unicode_is_recorded_with_a_replacement():
    call = make_call("CreateFleet", {"Name": "broken \ud800 name"})
    text = build_bytes(call, USER, GAMELIFT, result=None, error=None, at=COMPLETED_AT, event_id=EVENT_ID)
    assert orjson.loads(text)["requestParameters"]["name"] == "broken ? name"
