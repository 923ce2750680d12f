"""Each operation of GameLift succeeds, and can end in each error that its model lists, save those that cannot happen here."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore import xform_name
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.session import get_session
from gamelift_cases import FAILURES, HOME, NO_SUCCESS, SPECIAL, SUCCESSES, modelled
from gamelift_scene import SETTINGS, Scene, furnish
from gamelift_words import NEVER, NEVER_OF, WHEN, WHEN_OF

from apitrail.services.gamelift.records import READ_ONLY, RESOURCE_TYPES
from apitrail.services.registry import SERVICES
from apitrail.wire.http import HttpRequest
from apitrail.wire.models import service_model
from shapes import as_bytes

MODEL = service_model("gamelift")
SERVER_FAULT = "InternalServiceException"
NAMELESS = frozenset({
    "AcceptMatch", "CreateVpcPeeringAuthorization", "DeleteVpcPeeringAuthorization", "DescribeEC2InstanceLimits",
    "DescribeVpcPeeringAuthorizations", "StopMatchmaking", "ValidateMatchmakingRuleSet",
})  # fmt: skip
"""Operations whose successful calls name no resource that has an ARN."""


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    made = Scene(tmp_path_factory.mktemp("scene"), SETTINGS)
    furnish(made)
    yield made
    made.close()


def test_the_tables_have_every_operation() -> None:
    assert set(SUCCESSES) | set(NO_SUCCESS) == set(MODEL.operation_names) == set(SERVICES["gamelift"].operations)
    assert set(SPECIAL) <= set(MODEL.operation_names)


@pytest.mark.parametrize("operation", sorted(FAILURES))
def test_the_table_has_exactly_the_errors_of_the_model(operation: str) -> None:
    caused = set(FAILURES[operation])
    assert caused <= modelled(operation)
    never = {error for error in modelled(operation) if error in NEVER or (operation, error) in NEVER_OF}
    assert modelled(operation) - caused <= never


def test_every_error_has_its_words() -> None:
    caused = {(operation, error) for operation, calls in FAILURES.items() for error in calls}
    never = {(operation, error) for operation in FAILURES for error in modelled(operation)} - caused
    assert {error for _, error in caused} == set(WHEN)
    assert set(WHEN_OF) <= caused
    assert {error for _, error in never - set(NEVER_OF)} == set(NEVER)
    assert set(NEVER_OF) <= never


ROWS = [(operation, error) for operation, calls in sorted(FAILURES.items()) for error in sorted(calls)]


@pytest.mark.parametrize(("operation", "error"), ROWS)
def test_a_call_ends_in_its_error_and_is_recorded_so(scene: Scene, operation: str, error: str) -> None:
    scene.new_events()
    reply = scene.play(operation, FAILURES[operation][error])
    assert (reply.status, reply.code) == (500 if error == SERVER_FAULT else 400, error), reply.message or reply.result
    assert len(reply.message) > 5
    (record,) = [one for one in scene.new_events() if one["requestID"] == reply.request_id]
    assert (record["eventName"], record["errorCode"]) == (operation, error)
    assert (record["responseElements"], record["readOnly"]) == (None, operation in READ_ONLY)


@pytest.mark.parametrize("operation", sorted(SUCCESSES, key=lambda name: (name not in READ_ONLY, name)))
def test_every_operation_succeeds_and_is_recorded_so(scene: Scene, operation: str) -> None:
    if operation == "RegisterCompute":
        scene.play("DeregisterCompute", SUCCESSES["DeregisterCompute"])
    scene.new_events()
    reply = scene.play(operation, SUCCESSES[operation])
    assert reply.status == 200, (reply.code, reply.message)
    (record, *_) = [one for one in scene.new_events() if one["requestID"] == reply.request_id]
    assert (record["eventName"], record.get("errorCode")) == (operation, None)
    assert record["readOnly"] == (operation in READ_ONLY)
    assert record["readOnly"] <= (record["responseElements"] is None)
    assert bool(record.get("resources")) == (operation not in NAMELESS)
    assert {item["type"] for item in record.get("resources", ())} <= set(RESOURCE_TYPES.values())


PAGINATORS = get_session().get_paginator_model("gamelift")._paginator_config
WHOLE = {"DescribeFleetAttributes", "DescribeFleetCapacity", "DescribeFleetUtilization", "DescribeGameSessionQueues",
         "DescribeMatchmakingConfigurations", "DescribeMatchmakingRuleSets"}  # fmt: skip
"""Operations that page when nothing is named."""


def client_of(scene: Scene) -> Any:
    """Return an SDK client whose requests go to the scene, signed by its clock."""
    client = boto3.client("gamelift", region_name=HOME, aws_access_key_id="x", aws_secret_access_key="x")

    def send(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        kept = ("content-type", "x-amz-target", "smithy-protocol", "accept")
        headers = tuple((n.lower().encode(), as_bytes(v)) for n, v in request.headers.items() if n.lower() in kept)
        url = urlsplit(request.url)
        sent = scene.signed(HttpRequest(request.method, url.path.encode(), b"", headers, body), "gamelift")
        got = scene.send(sent)
        answer = HeadersDict({name.decode(): value.decode() for name, value in got.headers})
        return AWSResponse(request.url, got.status, answer, Raw(got.body))

    client.meta.events.register("before-send", send)
    return client


class Raw(BytesIO):
    """A body as the SDK reads it from the network."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        """Yield the body."""
        yield self.read()


def test_the_sdk_has_twenty_six_paginators() -> None:
    assert len(PAGINATORS) == 26


@pytest.mark.parametrize("operation", sorted(PAGINATORS))
def test_the_paginators_of_the_sdk_come_to_their_end(scene: Scene, operation: str) -> None:
    params = {} if operation in WHOLE else scene.named(SUCCESSES[operation].params)
    member = PAGINATORS[operation]["result_key"]
    paginator = client_of(scene).get_paginator(xform_name(operation))

    def found(**how: Any) -> list[list[Any]]:
        return [page.get(member, []) for page in paginator.paginate(**params, **how)]

    whole = [item for page in found() for item in page]
    pages = found(PaginationConfig={"PageSize": 1})
    assert [item for page in pages for item in page] == whole
    if operation != "DescribeFleetLocationAttributes":  # takes a Limit, but does not keep to it
        assert max(len(page) for page in pages) <= 1
    assert whole
