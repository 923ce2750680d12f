"""A call from its bytes to its answer and its record: every way in which it can end."""

from dataclasses import replace
from typing import Any

import pytest

from apitrail.errors import JournalUnavailable, ServiceError
from apitrail.identity.credentials import Credential
from apitrail.services.context import Context
from apitrail.services.operation import Operation
from apitrail.services.registry import SERVICES
from apitrail.testing.stage import root
from apitrail.wire.http import HttpRequest
from door import Door

HIDDEN = "a value that only the bug knows"


def serve_instead(monkeypatch: pytest.MonkeyPatch, name: str, body: Any, prepare: Any = None) -> None:
    """Let an operation of GameLift do something else."""
    operations = SERVICES["gamelift"].operations
    monkeypatch.setitem(operations, name, Operation("gamelift", name, body, prepare))


def only_record(door: Door) -> dict[str, Any]:
    (record,) = door.new_events()
    return record


def user_who_may(door: Door, *statements: dict[str, Any]) -> Credential:
    door.ok("iam", "CreateUser", UserName="ana")
    if statements:
        document = {"Version": "2012-10-17", "Statement": list(statements)}
        text = str(document).replace("'", '"')
        door.ok("iam", "PutUserPolicy", UserName="ana", PolicyName="p", PolicyDocument=text)
    key = door.ok("iam", "CreateAccessKey", UserName="ana")["AccessKey"]
    door.new_events()
    return Credential(key["AccessKeyId"], key["SecretAccessKey"], root())


def test_a_call_is_answered_and_recorded_under_the_same_request_id(door: Door) -> None:
    reply = door.call("gamelift", "CreateLocation", {"LocationName": "custom-a"})
    record = only_record(door)
    assert reply.status == 200
    assert record["requestID"] == reply.request_id
    assert record["requestParameters"] == {"locationName": "custom-a"}
    assert record["responseElements"]["location"]["locationName"] == "custom-a"
    assert record["userIdentity"]["type"] == "Root"


def test_parameters_that_break_the_model_are_refused_and_recorded(door: Door) -> None:
    reply = door.call("gamelift", "CreateLocation", {"LocationName": "no"})
    record = only_record(door)
    assert (reply.status, reply.code) == (400, "InvalidRequestException")
    assert record["errorCode"] == "InvalidRequestException"
    assert record["errorMessage"] == reply.message
    assert record["requestParameters"] == {"locationName": "no"}


def test_a_member_can_have_a_validation_error_of_its_own(door: Door) -> None:
    assert door.call("cloudtrail", "LookupEvents", {"MaxResults": 0}).code == "InvalidMaxResultsException"
    assert door.call("iam", "CreateUser", {"UserName": "?"}).code == "ValidationError"


def test_a_caller_whose_policies_say_nothing_is_denied_and_recorded(door: Door) -> None:
    key = user_who_may(door)
    reply = door.call("gamelift", "CreateLocation", {"LocationName": "custom-a"}, key=key)
    record = only_record(door)
    assert reply.code == record["errorCode"] == "AccessDeniedException"
    assert "gamelift:CreateLocation" in record["errorMessage"]
    assert record["userIdentity"]["userName"] == "ana"
    assert record["requestParameters"] == {"locationName": "custom-a"}
    assert door.ok("gamelift", "ListLocations", Filters=["CUSTOM"])["Locations"] == []


def test_a_denial_has_the_code_and_status_of_its_service(door: Door) -> None:
    key = user_who_may(door)
    reply = door.call("iam", "ListUsers", {}, key=key)
    assert (reply.status, reply.code) == (403, "AccessDenied")
    assert only_record(door)["errorCode"] == "AccessDenied"


def test_a_caller_may_what_its_policies_allow(door: Door) -> None:
    key = user_who_may(door, {"Effect": "Allow", "Action": "gamelift:ListBuilds", "Resource": "*"})
    assert door.call("gamelift", "ListBuilds", {}, key=key).status == 200
    assert door.call("gamelift", "ListScripts", {}, key=key).code == "AccessDeniedException"


def test_parameters_are_looked_at_before_rights(door: Door) -> None:
    key = user_who_may(door)
    assert door.call("gamelift", "CreateLocation", {"LocationName": "no"}, key=key).code == "InvalidRequestException"


def test_a_failure_undoes_what_the_body_has_changed(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    def body(ctx: Context, params: Any) -> None:
        ctx.tx.run("INSERT INTO cursors (follower, seq) VALUES ('left over', 1)")
        ctx.effect("never", {})
        raise ServiceError("It is there already.", code="ConflictException")

    serve_instead(monkeypatch, "ListBuilds", body)
    reply = door.call("gamelift", "ListBuilds")
    record = only_record(door)
    assert reply.code == record["errorCode"] == "ConflictException"
    assert record["responseElements"] is None
    assert door.stage.read(lambda ctx: ctx.tx.all("SELECT 1 FROM cursors WHERE follower = 'left over'")) == []
    assert door.stage.read(lambda ctx: ctx.tx.all("SELECT 1 FROM effects")) == []


def test_an_error_can_carry_a_change_that_stays(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    def later(ctx: Context) -> None:
        ctx.tx.run("INSERT INTO cursors (follower, seq) VALUES ('wanted', 1)")

    def body(ctx: Context, params: Any) -> None:
        raise ServiceError("Full.", code="FleetCapacityExceededException", effect=later)

    serve_instead(monkeypatch, "ListBuilds", body)
    assert door.call("gamelift", "ListBuilds").code == "FleetCapacityExceededException"
    assert len(door.stage.read(lambda ctx: ctx.tx.all("SELECT 1 FROM cursors WHERE follower = 'wanted'"))) == 1


def test_a_bug_in_a_body_is_an_internal_failure_that_tells_nothing(
    door: Door, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def body(ctx: Context, params: Any) -> None:
        raise ValueError(HIDDEN)

    serve_instead(monkeypatch, "ListBuilds", body)
    reply = door.call("gamelift", "ListBuilds")
    record = only_record(door)
    assert (reply.status, reply.code) == (500, "InternalFailure")
    assert record["errorCode"] == "InternalFailure"
    assert reply.request_id in reply.message
    assert HIDDEN.encode() not in reply.response.body
    assert HIDDEN not in str(record)
    assert HIDDEN in caplog.text
    assert reply.request_id in caplog.text
    assert "Traceback" in caplog.text


def test_a_bug_in_a_prepare_step_is_recorded_as_well(
    door: Door, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def prepare(runtime: Any, call: Any, principal: Any) -> None:
        raise ValueError(HIDDEN)

    serve_instead(monkeypatch, "ListBuilds", lambda ctx, params: {}, prepare)
    reply = door.call("gamelift", "ListBuilds")
    assert (reply.status, reply.code) == (500, "InternalFailure")
    assert only_record(door)["errorCode"] == "InternalFailure"
    assert HIDDEN.encode() not in reply.response.body
    assert HIDDEN in caplog.text


def test_a_bug_in_the_recording_undoes_the_call(
    door: Door, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def resources(*_: Any) -> Any:
        raise ValueError(HIDDEN)

    broken = replace(SERVICES["gamelift"].rules, resources=resources)
    monkeypatch.setitem(SERVICES, "gamelift", replace(SERVICES["gamelift"], rules=broken))
    reply = door.call("gamelift", "CreateLocation", {"LocationName": "custom-a"})
    assert (reply.status, reply.code) == (500, "InternalFailure")
    assert door.new_events() == []
    assert HIDDEN in caplog.text
    monkeypatch.undo()
    assert door.ok("gamelift", "ListLocations", Filters=["CUSTOM"])["Locations"] == []


def test_a_prepare_step_hands_its_result_to_the_body(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    async def prepare(runtime: Any, call: Any, principal: Any) -> str:
        return f"seen-{call.params['Limit']}"

    def body(ctx: Context, params: Any) -> dict[str, Any]:
        return {"NextToken": ctx.prepared}

    serve_instead(monkeypatch, "ListBuilds", body, prepare)
    assert door.ok("gamelift", "ListBuilds", Limit=7)["NextToken"] == "seen-7"


def test_a_store_that_gives_up_is_503_and_leaves_no_record(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: Any, **__: Any) -> Any:
        raise JournalUnavailable("the disk is full")

    monkeypatch.setattr(door.app.database, "write", away)
    reply = door.call("gamelift", "CreateLocation", {"LocationName": "custom-a"})
    assert (reply.status, reply.code) == (503, "ServiceUnavailable")
    assert "the disk is full" in reply.message
    assert door.app.metrics.registry.get_sample_value(
        "apitrail_requests_total", {"service": "gamelift", "operation": "CreateLocation", "outcome": "unrecorded"}
    )
    monkeypatch.undo()
    assert door.new_events() == []


def test_an_operation_that_is_not_served_yet_is_recorded_with_its_parameters(door: Door) -> None:
    assert "CreateOrganizationalUnit" not in SERVICES["organizations"].operations
    reply = door.call("organizations", "CreateOrganizationalUnit", {"ParentId": "r-1234", "Name": "games"})
    record = only_record(door)
    assert (reply.status, reply.code) == (400, "UnsupportedOperationException")
    assert "CreateOrganizationalUnit" in record["errorMessage"]
    assert record["requestParameters"]["parentId"] == "r-1234"


def test_a_body_that_cannot_be_read_is_recorded_without_parameters(door: Door) -> None:
    for protocol, body, code in (
        ("json", b'{"LocationName": ', "SerializationException"),
        ("smithy-rpc-v2-cbor", b"\xa1\x61", "SerializationException"),
    ):
        request = door.request("gamelift", "CreateLocation", {"LocationName": "custom-a"}, protocol=protocol)
        broken = door.signed(replace(request, body=body, headers=bare(request)), "gamelift")
        reply = door.answered(broken, "gamelift", "CreateLocation", protocol)
        record = only_record(door)
        assert (reply.status, reply.code) == (400, code)
        assert record["errorCode"] == code
        assert record["eventName"] == "CreateLocation"
        assert record["requestParameters"] is None


def bare(request: HttpRequest) -> tuple[tuple[bytes, bytes], ...]:
    """Return the headers of a request that its signature has not added."""
    kept = (b"content-type", b"x-amz-target", b"smithy-protocol", b"accept", b"user-agent")
    return tuple((name, value) for name, value in request.headers if name in kept)


def test_an_operation_that_no_model_knows_leaves_a_metric_but_no_record(door: Door) -> None:
    headers = ((b"x-amz-target", b"GameLift.MakeCoffee"), (b"content-type", b"application/x-amz-json-1.1"))
    response = door.send(door.signed(HttpRequest("POST", b"/", b"", headers, b"{}"), "gamelift"))
    assert response.status == 400
    assert b"UnknownOperationException" in response.body
    assert b"MakeCoffee" in response.body
    assert door.new_events() == []
    labels = {"service": "gamelift", "operation": "unknown", "outcome": "unknown"}
    assert door.app.metrics.registry.get_sample_value("apitrail_requests_total", labels) == 1


def test_a_service_that_is_not_served_is_told_so(door: Door) -> None:
    headers = ((b"x-amz-target", b"DynamoDB_20120810.ListTables"), (b"content-type", b"application/x-amz-json-1.0"))
    response = door.send(door.signed(HttpRequest("POST", b"/", b"", headers, b"{}"), "dynamodb"))
    assert response.status in (400, 404)
    assert b"gamelift" in response.body
    assert door.new_events() == []


def test_who_is_not_known_leaves_a_line_and_no_record(door: Door) -> None:
    stranger = Credential("AKIANOBODY0000000001", "x" * 40, root())
    reply = door.call("gamelift", "ListBuilds", key=stranger)
    assert reply.code == "UnrecognizedClientException"
    assert door.new_events() == []
    line = (door.app.data_dir / "security.log").read_text()
    assert '"reason":"unknown-key"' in line
    assert '"operation":"ListBuilds"' in line
    assert "AKIA...0001" in line
    assert "AKIANOBODY" not in line
    labels = {"reason": "unknown-key"}
    assert door.app.metrics.registry.get_sample_value("apitrail_auth_failures_total", labels) == 1


def test_operations_without_signature_by_design_have_a_record_of_nobody(door: Door) -> None:
    form = (
        b"Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName=name&WebIdentityToken=abcd"
        b"&RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Frole"
    )
    headers = ((b"content-type", b"application/x-www-form-urlencoded"), (b"host", b"localhost"))
    response = door.send(HttpRequest("POST", b"/", b"", headers, form))
    assert response.status == 400
    record = only_record(door)
    assert record["eventName"] == "AssumeRoleWithWebIdentity"
    assert record["userIdentity"]["type"] == "AWSAccount"
    assert "abcd" not in str(record)


def test_the_record_names_the_caller_s_address_agent_and_region(door: Door) -> None:
    request = door.request("gamelift", "ListBuilds", {}, region="eu-west-1")
    headers = (*request.headers, (b"user-agent", b"Boto3/1.44"))
    door.send(replace(request, headers=headers, peer="192.0.2.10"))
    record = only_record(door)
    assert (record["sourceIPAddress"], record["userAgent"]) == ("192.0.2.10", "Boto3/1.44")
    assert record["awsRegion"] == "eu-west-1"


def test_calls_of_a_global_service_are_recorded_in_its_region(door: Door) -> None:
    door.call("iam", "ListUsers", region="eu-west-1")
    assert only_record(door)["awsRegion"] == "us-east-1"
