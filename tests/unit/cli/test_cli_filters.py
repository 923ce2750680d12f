"""Filters of events, what the server is asked for, and what is read out of a record."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apitrail.cli.errors import CliError
from apitrail.cli.filters import AttributeType, EventFilter, NetworkType, make_filter
from apitrail.cli.records import flat_fields, principal_label, sentence, tail_line, user_name
from apitrail.cli.show import differences
from apitrail.cli.terminal import Pen

AT = datetime(2026, 3, 4, 9, 15, 2, tzinfo=UTC)
EVENT: dict[str, Any] = {
    "userIdentity": {
        "type": "AssumedRole",
        "principalId": "AROAEXAMPLE:ci",
        "arn": "arn:aws:sts::111122223333:assumed-role/deploy/ci",
        "accountId": "111122223333",
        "accessKeyId": "ASIAEXAMPLE",
        "sessionContext": {"sessionIssuer": {"userName": "deploy", "arn": "arn:aws:iam::111122223333:role/ops/deploy"}},
    },
    "eventTime": "2026-03-04T09:15:02Z",
    "eventSource": "gamelift.amazonaws.com",
    "eventName": "CreateFleet",
    "awsRegion": "us-west-2",
    "sourceIPAddress": "192.0.2.7",
    "errorCode": "AccessDeniedException",
    "requestParameters": {"name": "live", "tags": [{"key": "team"}]},
    "eventID": "5d1f2f0c-7d0e-4c1e-9a1b-0c2f5d6e7f80",
    "readOnly": False,
    "resources": [{"ARN": "arn:aws:gamelift:us-west-2:111122223333:fleet/fleet-1", "type": "AWS::GameLift::Fleet"}],
}
MATCHING: tuple[dict[str, Any], ...] = (
    {},
    {"services": ("gamelift.amazonaws.com",)},
    {"services": ("s3", "gamelift")},
    {"services": ("game*",)},
    {"names": ("CreateFleet",)},
    {"names": ("Create*",)},
    {"users": ("ci",)},
    {"users": ("arn:aws:iam::111122223333:role/ops/deploy",)},
    {"account": "111122223333"},
    {"network": NetworkType().convert("192.0.2.0/24", None, None)},
    {"resource": "arn:aws:gamelift:us-west-2:111122223333:fleet/fleet-1"},
    {"resource": "fleet-1"},
    {"error": "*"},
    {"error": "AccessDeniedException"},
    {"read_only": False},
    {"start": AT},
    {"end": AT},
    {"end": AT + timedelta(milliseconds=500)},
    {"attributes": (("ResourceType", "Fleet"),)},
    {"attributes": (("AccessKeyId", "ASIAEXAMPLE"), ("ResourceType", "AWS::GameLift::Fleet"))},
)
OTHERS: tuple[dict[str, Any], ...] = (
    {"services": ("s3",)},
    {"names": ("create*",)},
    {"users": ("deploy",)},
    {"account": "444455556666"},
    {"network": NetworkType().convert("192.0.3.0/24", None, None)},
    {"resource": "fleet"},
    {"resource": "live"},
    {"error": "AccessDenied"},
    {"read_only": True},
    {"start": AT + timedelta(seconds=1)},
    {"end": AT - timedelta(seconds=1)},
    {"attributes": (("Username", "ci"), ("EventName", "DeleteFleet"))},
)


@pytest.mark.parametrize("given", MATCHING)
def test_an_event_that_fits_is_shown(given: dict[str, Any]) -> None:
    assert make_filter(**{"services": (), **given}).matches(EVENT)


@pytest.mark.parametrize("given", OTHERS)
def test_an_event_that_does_not_fit_is_left_out(given: dict[str, Any]) -> None:
    assert not make_filter(**{"services": (), **given}).matches(EVENT)


def test_a_name_that_only_the_server_finds_in_an_event_counts() -> None:
    wanted = EventFilter(resource="elsewhere")
    assert not wanted.matches(EVENT)
    assert wanted.matches(EVENT, frozenset({"elsewhere"}))


def test_an_address_that_is_no_address_is_in_no_network() -> None:
    wanted = EventFilter(network=NetworkType().convert("0.0.0.0/0", None, None))
    assert not wanted.matches({**EVENT, "sourceIPAddress": "gamelift.amazonaws.com"})


ASKED = (
    ({}, None),
    ({"read_only": True}, ("ReadOnly", "true")),
    ({"names": ("CreateFleet",), "read_only": False}, ("EventName", "CreateFleet")),
    ({"services": ("gamelift",), "names": ("Create*",)}, ("EventSource", "gamelift.amazonaws.com")),
    ({"services": ("gamelift", "s3")}, None),
    ({"users": ("dana",), "names": ("CreateFleet",)}, ("Username", "dana")),
    ({"users": ("arn:aws:iam::1:user/dana",)}, None),
    ({"resource": "fleet-1", "users": ("dana",)}, ("ResourceName", "fleet-1")),
    ({"attributes": (("EventId", "x"),), "users": ("dana",)}, ("EventId", "x")),
)


@pytest.mark.parametrize(("given", "attribute"), ASKED)
def test_the_server_is_asked_for_the_most_selective_attribute(
    given: dict[str, Any], attribute: tuple[str, str] | None
) -> None:
    asked = make_filter(**{"services": (), **given}).lookup_attribute()
    assert asked == (dict(zip(("AttributeKey", "AttributeValue"), attribute, strict=True)) if attribute else None)


def test_an_unknown_attribute_is_refused_with_the_nearest_spelling() -> None:
    with pytest.raises(CliError) as caught:
        AttributeType().convert("UserName=dana", None, None)
    assert "Username" in caught.value.hint
    for text in ("EventName", "EventName=", "=x"):
        with pytest.raises(CliError):
            AttributeType().convert(text, None, None)


def test_an_attribute_given_twice_is_refused() -> None:
    with pytest.raises(CliError):
        make_filter((), (("EventName", "a"), ("EventName", "b")))


NAMES = (
    ({"type": "Root", "accountId": "111122223333"}, "root", "root"),
    ({"type": "IAMUser", "userName": "dana"}, "dana", "dana"),
    (EVENT["userIdentity"], "ci", "deploy/ci"),
    ({"type": "FederatedUser", "principalId": "111122223333:kim"}, "kim", "kim"),
    ({"type": "AWSService", "invokedBy": "autoscaling.amazonaws.com"}, "", "autoscaling.amazonaws.com"),
    ({"type": "AWSAccount", "principalId": "AIDAX", "accountId": "444455556666"}, "", "AIDAX"),
    ({}, "", "-"),
)


@pytest.mark.parametrize(("identity", "name", "label"), NAMES)
def test_who_called_is_named_as_the_history_names_it(identity: dict[str, Any], name: str, label: str) -> None:
    assert user_name({"userIdentity": identity}) == name
    assert principal_label({"userIdentity": identity}) == label


def test_a_tail_line_has_time_principal_address_event_and_result() -> None:
    line = tail_line(EVENT, Pen(False), UTC, 140)
    assert line.split() == [
        "2026-03-04", "09:15:02Z", "deploy/ci", "192.0.2.7", "gamelift:CreateFleet", "AccessDeniedException",
    ]  # fmt: skip


def test_a_hostile_record_cannot_steer_the_terminal() -> None:
    hostile = {**EVENT, "eventName": "\x1b]0;x\x07\u202e", "sourceIPAddress": "\r\n1", "errorCode": "a\x9bb"}
    assert not set(tail_line(hostile, Pen(False), UTC, 140)) & set("\x1b\x07\r\n\u202e\x9b")


def test_an_event_is_told_in_one_sentence() -> None:
    assert sentence(EVENT, UTC) == (
        "deploy/ci called gamelift:CreateFleet in us-west-2 from 192.0.2.7 at 2026-03-04 09:15:02Z, "
        "refused: AccessDeniedException"
    )


def test_fields_are_named_by_their_path() -> None:
    fields = flat_fields({"a": {"b": [1, {"c": None}]}, "d": [], "e": {}})
    assert fields == {"a.b[0]": 1, "a.b[1].c": None, "d": [], "e": {}}


def test_a_field_that_one_event_lacks_differs_even_when_it_is_null_elsewhere() -> None:
    different, equal = differences([{"a": 1, "b": None}, {"a": 1}, {"a": 1, "b": None}])
    assert different == [{"Field": "b", "Values": [None, None, None]}]
    assert [row["Field"] for row in equal] == ["a"]
