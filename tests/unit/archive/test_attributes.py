"""By which values an event is found, and how event history shows it."""

from datetime import UTC, datetime

import orjson
import pytest

from apitrail.archive.attributes import (
    Identity,
    attributes_of,
    rank_of,
    read_headline,
    shown_event,
    username_of,
)

FLEET_ARN = "arn:aws:gamelift:us-west-2:111122223333:fleet/fleet-1"
EVENT = {
    "eventVersion": "1.11",
    "userIdentity": {"type": "IAMUser", "userName": "dana", "accessKeyId": "AKIA1", "principalId": "AIDA1"},
    "eventTime": "2026-03-04T09:15:02Z",
    "eventSource": "gamelift.amazonaws.com",
    "eventName": "CreateFleet",
    "requestParameters": {"name": "x"},
    "eventID": "c8fbea01-fbf9-4c4e-a0fe-ad7dc205ce11",
    "readOnly": False,
    "resources": [{"accountId": "111122223333", "type": "AWS::GameLift::Fleet", "ARN": FLEET_ARN}],
}


def headline(**changes):
    event = read_headline(orjson.dumps(EVENT | changes))
    assert event is not None
    return event


def test_an_event_is_found_by_every_attribute():
    assert set(attributes_of(headline())) == {
        ("EventId", "c8fbea01-fbf9-4c4e-a0fe-ad7dc205ce11"),
        ("EventName", "CreateFleet"),
        ("EventSource", "gamelift.amazonaws.com"),
        ("ReadOnly", "false"),
        ("Username", "dana"),
        ("AccessKeyId", "AKIA1"),
        ("ResourceName", FLEET_ARN),
        ("ResourceName", "fleet-1"),
        ("ResourceType", "AWS::GameLift::Fleet"),
        ("ResourceType", "Fleet"),
    }


def test_an_event_without_the_optional_fields_is_found_by_the_rest():
    bare = {"eventID": "e", "eventName": "ListFleets", "eventSource": "gamelift.amazonaws.com"}
    event = read_headline(orjson.dumps(bare))
    assert set(attributes_of(event)) == {
        ("EventId", "e"),
        ("EventName", "ListFleets"),
        ("EventSource", "gamelift.amazonaws.com"),
        ("ReadOnly", "true"),
    }


def test_an_insights_event_has_its_name_and_source_in_its_details():
    details = {"eventName": "RunInstances", "eventSource": "ec2.amazonaws.com", "insightType": "ApiCallRateInsight"}
    event = read_headline(orjson.dumps({"eventID": "e", "insightDetails": details, "eventCategory": "Insight"}))
    assert set(attributes_of(event)) == {
        ("EventId", "e"),
        ("EventName", "RunInstances"),
        ("EventSource", "ec2.amazonaws.com"),
    }
    assert shown_event(event, 0, b"{}") == {
        "EventId": "e",
        "EventName": "RunInstances",
        "EventSource": "ec2.amazonaws.com",
        "EventTime": datetime(1970, 1, 1, tzinfo=UTC),
        "Resources": [],
        "CloudTrailEvent": "{}",
    }


@pytest.mark.parametrize(
    ("identity", "username"),
    [
        (Identity("Root", "111122223333", "studio-alias"), "root"),
        (Identity("IAMUser", "AIDA1", "dana"), "dana"),
        (Identity("AssumedRole", "AROA1:deploy-42"), "deploy-42"),
        (Identity("FederatedUser", "111122223333:support-7"), "support-7"),
        (Identity("SAMLUser", "ns=:dana@example.com", "dana@example.com"), "dana@example.com"),
        (Identity("WebIdentityUser", "idp:app:1", "1"), "1"),
        (Identity("AWSService"), None),
        (Identity("AWSAccount", "AROA1:deploy-42"), None),
        (Identity("AssumedRole", "AROA1"), None),
        (Identity(), None),
    ],
)
def test_the_user_name_follows_the_type_of_identity(identity, username):
    assert username_of(identity) == username


@pytest.mark.parametrize(
    ("arn", "names"),
    [
        ("arn:aws:iam::111122223333:role/ci/Deployer", ["arn:aws:iam::111122223333:role/ci/Deployer", "Deployer"]),
        ("arn:aws:s3:::audit", ["arn:aws:s3:::audit", "audit"]),
        ("arn:aws:sns:us-west-2:111122223333:topic", ["arn:aws:sns:us-west-2:111122223333:topic", "topic"]),
        ("arn:aws:s3:::audit/", ["arn:aws:s3:::audit/"]),
        ("plain-name", ["plain-name"]),
    ],
)
def test_a_resource_is_shown_by_its_arn_and_its_name(arn, names):
    event = headline(resources=[{"type": "AWS::X::Y", "ARN": arn}, {"type": "AWS::X::Y"}])
    shown = shown_event(event, 0, b"{}")["Resources"]
    assert shown == [{"ResourceType": "AWS::X::Y", "ResourceName": name} for name in names]


def test_a_resource_without_a_type_or_with_a_prefix_is_found_by_name():
    event = headline(resources=[{"ARNPrefix": "arn:aws:s3:::audit/logs"}])
    assert {("ResourceName", "arn:aws:s3:::audit/logs"), ("ResourceName", "logs")} <= set(attributes_of(event))
    assert shown_event(event, 0, b"{}")["Resources"][0] == {"ResourceName": "arn:aws:s3:::audit/logs"}


def test_an_event_is_shown_with_the_members_of_the_api():
    text = orjson.dumps(EVENT)
    assert shown_event(headline(), 1772615702, text) == {
        "EventId": "c8fbea01-fbf9-4c4e-a0fe-ad7dc205ce11",
        "EventName": "CreateFleet",
        "ReadOnly": "false",
        "AccessKeyId": "AKIA1",
        "EventTime": datetime(2026, 3, 4, 9, 15, 2, tzinfo=UTC),
        "EventSource": "gamelift.amazonaws.com",
        "Username": "dana",
        "Resources": [
            {"ResourceType": "AWS::GameLift::Fleet", "ResourceName": FLEET_ARN},
            {"ResourceType": "AWS::GameLift::Fleet", "ResourceName": "fleet-1"},
        ],
        "CloudTrailEvent": text.decode(),
    }


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"eventID":7}', b'{"eventName":"x"}', b'{"eventID":"\xff"}'])
def test_a_damaged_row_is_no_event(text):
    assert read_headline(text) is None


def test_ranks_follow_the_time_and_then_the_event_id():
    ids = ["00000000-0000-4000-8000-000000000000", "7fffffff-0000-4000-8000-000000000000", "ffffffff-0-4-8-0"]
    ranks = [rank_of(time, event_id) for time in (0, 1, 1772615702, 2**33 - 1) for event_id in ids]
    assert ranks == sorted(set(ranks))
    assert all(0 <= rank < 2**63 for rank in ranks)


@pytest.mark.parametrize("event_id", ["", "not-hex", "-1234567", "\ud800", "x" * 5000])
def test_any_text_and_any_time_has_a_rank(event_id):
    assert 0 <= rank_of(-5, event_id) < 2**30
    assert 0 <= rank_of(2**70, event_id) < 2**63
