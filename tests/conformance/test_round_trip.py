"""Every operation of the served models, and of SQS and EC2, against the SDK's own serialisers and parsers.

Parameters are made from the shapes, seeded, with every member set. What the SDK writes must come back as the same
parameters, must be routed to the same operation and be valid; what we write the SDK must read back as the same
result; every modelled exception must arrive as that exception. APITRAIL_SOAK=1: many more, with members left out.
"""

import os
import re
from typing import Any
from xml.etree import ElementTree

import pytest

from apitrail.errors import ServiceError
from apitrail.wire.codec import CODECS
from apitrail.wire.models import OperationModel, Shape, protocols_of, server_faults, service_model
from apitrail.wire.pattern import matcher
from apitrail.wire.route import Router, signing_name
from apitrail.wire.scope import Scope
from apitrail.wire.validate import validator
from shapes import Sampler, parsed, serialised

SERVICES = ("gamelift", "cloudtrail", "cloudtrail-data", "sts", "iam", "sns", "sqs", "s3", "ec2")
SEEDS = 100 if os.environ.get("APITRAIL_SOAK") == "1" else 1
# CloudTrail lists JSON only, yet SDKs can be told to speak CBOR to it.
EXTRA_PROTOCOLS = {"cloudtrail": ("smithy-rpc-v2-cbor",)}
# Operations that share method, path and query with a newer one, which is served in their place.
SERVED_AS = {
    "GetBucketLifecycle": "GetBucketLifecycleConfiguration",
    "GetBucketNotification": "GetBucketNotificationConfiguration",
    "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
    "PutBucketNotification": "PutBucketNotificationConfiguration",
    "ListDirectoryBuckets": "ListBuckets",
}
ROUTER = Router(SERVICES)


def cases() -> list[tuple[str, str, str]]:
    """Return service, protocol, operation of everything to be tried."""
    return [
        (service, protocol, operation)
        for service in SERVICES
        for protocol in (*protocols_of(service), *EXTRA_PROTOCOLS.get(service, ()))
        for operation in service_model(service).operation_names
    ]


def samples(shape: Shape, label: str) -> list[Sampler]:
    """Return the samplers of one test: all members first, then random choices of them."""
    return [Sampler(f"{label}/{seed}", full=seed == 0) for seed in range(SEEDS)]


def without_empty(value: Any) -> Any:
    """Return a value without empty maps and structures, which forms cannot write."""
    if isinstance(value, dict):
        inner = {key: without_empty(item) for key, item in value.items()}
        return {key: item for key, item in inner.items() if item not in ({}, [])}
    if isinstance(value, list):
        return [item for item in map(without_empty, value) if item not in ({}, [])]
    return value


def as_sent(decoded: dict[str, Any], params: dict[str, Any], operation: OperationModel, protocol: str) -> Any:
    """Return decoded parameters without what the protocol adds: empty groups, an empty body and its length."""
    if protocol in ("query", "ec2"):
        return without_empty(decoded)
    added = {"ContentLength"} if operation.has_streaming_input else set()
    if operation.has_streaming_input and decoded.get(operation.input_shape.serialization["payload"]) == b"":
        added.add(operation.input_shape.serialization["payload"])
    return {name: value for name, value in decoded.items() if name in params or name not in added}


@pytest.mark.parametrize(("service", "protocol", "name"), cases())
def test_what_the_sdk_sends_is_read_as_it_was_meant(service: str, protocol: str, name: str) -> None:
    operation = service_model(service).operation_model(name)
    for sampler in samples(operation.input_shape, f"{service}/{protocol}/{name}"):
        params = sampler.value(operation.input_shape) if operation.input_shape else {}
        request = serialised(params, operation, protocol)
        decoded = CODECS[protocol].decode(request, operation)
        expected = without_empty(params) if protocol in ("query", "ec2") else params
        assert as_sent(decoded, params, operation, protocol) == expected
        if not sampler.loose and expected == params:
            assert validator(operation)(decoded) == []


@pytest.mark.parametrize(("service", "protocol", "name"), cases())
def test_what_the_sdk_sends_is_routed_to_its_operation(service: str, protocol: str, name: str) -> None:
    operation = service_model(service).operation_model(name)
    sampler = Sampler(f"{service}/{protocol}/{name}/route", full=False)
    params = sampler.value(operation.input_shape) if operation.input_shape else {}
    request = serialised(params, operation, protocol)
    signed_for = "s3-object-lambda" if name == "WriteGetObjectResponse" else signing_name(service)
    scope = Scope("AKIDEXAMPLE", "20260304", "us-west-2", signed_for, ("host",), "0" * 64, False)
    route = ROUTER.find_route(request, scope)
    assert (route.service, route.codec.name, route.unknown) == (service, protocol, "")
    assert route.operation is service_model(service).operation_model(SERVED_AS.get(name, name))


@pytest.mark.parametrize(("service", "protocol", "name"), cases())
def test_what_we_answer_is_read_by_the_sdk(service: str, protocol: str, name: str) -> None:
    operation = service_model(service).operation_model(name)
    if operation.has_event_stream_output:
        assert name == "SelectObjectContent"
        return
    for sampler in samples(operation.output_shape, f"{service}/{protocol}/{name}/out"):
        result = sampler.value(operation.output_shape) if operation.output_shape else {}
        response = CODECS[protocol].encode({**result, "_Private": 1}, operation, "request-1")
        if name == "GetBucketLocation":  # read by a handler of the S3 client, not by the parser
            root = ElementTree.fromstring(response.body)
            assert root.text == result.get("LocationConstraint")
            continue
        back = parsed(response, operation.output_shape, protocol)
        metadata = back.pop("ResponseMetadata")
        if operation.output_shape or protocol != "smithy-rpc-v2-cbor":
            assert metadata["RequestId"] == "request-1"
        if name == "GetBucketNotification":  # the parser reads each Event into both members
            for configuration in back.values():
                configuration.pop("Event", None)
        # A payload or a map of headers that is not there is read as an empty one, and objects have a default type.
        added = ({}, "", b"", "binary/octet-stream")
        given = {key: value for key, value in back.items() if key in result or value not in added}
        assert given == result


@pytest.mark.parametrize("service", SERVICES)
def test_every_modelled_exception_arrives_as_itself(service: str) -> None:
    model = service_model(service)
    for protocol in (*protocols_of(service), *EXTRA_PROTOCOLS.get(service, ())):
        for shape in model.error_shapes:
            operation = next(
                model.operation_model(name)
                for name in model.operation_names
                if shape.name in [error.name for error in model.operation_model(name).error_shapes]
                or name == model.operation_names[-1]
            )
            members = Sampler(f"{service}/{shape.name}", full=True).value(shape)
            error = ServiceError("It went wrong: <&> ü", code=shape.name, members=members)
            response = CODECS[protocol].encode_error(error, service, operation, "request-1")
            status = shape.metadata.get("error", {}).get("httpStatusCode")
            assert response.status == (status or (500 if shape.name in server_faults(service) else 400))
            found = parsed(response, operation.output_shape, protocol)
            assert found["Error"]["Code"] == shape.error_code
            assert found["Error"]["Message"] == "It went wrong: <&> ü"
            assert found["ResponseMetadata"]["RequestId"] == "request-1"
            typed = parsed(response, shape, protocol)
            for name in set(members) - {"message", "Message"}:
                assert typed[name] == members[name]


def test_every_pattern_of_the_models_can_be_used() -> None:
    tried = 0
    for service in SERVICES:
        for name in service_model(service).shape_names:
            pattern = service_model(service).shape_for(name).metadata.get("pattern")
            if pattern:
                assert matcher(pattern)("\n\x00") in (True, False)
                assert not re.search(r"(?<!\\)\\[pP]\{", pattern) or matcher(pattern)("Ünïcödé 1")
                tried += 1
    assert tried > 150
