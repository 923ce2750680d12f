"""Every operation of the served models, and of SQS and EC2, against the SDK's own serialisers and parsers.

Parameters are made from the shapes, seeded, with every member set. What the SDK writes must come back as the same
parameters, must be routed to the same operation and be valid; what we write the SDK must read back as the same
result; every modelled exception must arrive as that exception. APITRAIL_SOAK=1: many more, with members left out.
"""

import math
import os
import random
import re
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import botocore.parsers
import botocore.serialize
import pytest
from botocore.awsrequest import HeadersDict, create_request_object, prepare_request_dict

from apitrail.errors import ServiceError
from apitrail.wire.codec import CODECS
from apitrail.wire.http import HttpRequest, HttpResponse
from apitrail.wire.models import OperationModel, Shape, protocols_of, server_faults, service_model
from apitrail.wire.pattern import matcher
from apitrail.wire.route import Router, signing_name
from apitrail.wire.scope import Scope
from apitrail.wire.validate import validator
from apitrail.wire.values import shorten

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
START = datetime(2026, 3, 4, 9, 15, 2, tzinfo=UTC)
RICH = "aZ09-_ äß漢😀&<>\"'/+%=?#,;:\n"
PLAIN = "abcXYZ019-_"
CANDIDATES = (
    "a", "abc", "A1", "1", "123456789012", "/", "/a/", "/a/b/", "us-east-1", "09:15", "v1", "application/json",
    "10.0.0.1", "10.0.0.0/16", "2001:db8::1/32", "https://example.com/path", "s3://bucket/key", "key/value",
    "123e4567-e89b-12d3-a456-426614174000", "1234567890123456", "ABCDEFGHIJKLMNOPQRST", "user@example.com",
    "arn:aws:gamelift:us-west-2:111122223333:fleet/fleet-123e4567-e89b-12d3-a456-426614174000",
    "arn:aws:iam::111122223333:role/worker", "arn:aws:sns:us-west-2:111122223333:topic.fifo",
    "arn:aws:kms:us-west-2:111122223333:key/123e4567-e89b-12d3-a456-426614174000",
    "arn:aws:s3:::bucket", "arn:aws:cloudtrail:us-west-2:111122223333:trail/main", "o-abcdefghij/r-abcd",
    "fleet-123e4567-e89b-12d3-a456-426614174000", "build-123e4567", "script-123e4567", "alias-123e4567",
    "containerfleet-123e4567", "custom-here", "psess-123e4567-e89b-12d3-a456-426614174000", "gsess-1",
    "matchmakingruleset-1", "fleet/f", "t1.micro", "fcap-0123456789abcdef0", "fcapassoc-0123456789abcdef0",
)  # fmt: skip


class Sampler:
    """Makes values of shapes. full: every member is set. loose: a pattern could not be met in what was made."""

    def __init__(self, seed: str, full: bool) -> None:
        self._random = random.Random(seed)
        self._full = full
        self.loose = False

    def value(self, shape: Shape, where: str = "", above: tuple[str, ...] = ()) -> Any:
        """Return a value. where: the location of the member, since headers hold less than bodies."""
        if shape.type_name == "structure":
            return self._structure(shape, above)
        if shape.type_name == "list":
            count = self._count(shape)
            return [self.value(shape.member, where, (*above, shape.name)) for _ in range(count)]
        if shape.type_name == "map":
            keys = dict.fromkeys(self.value(shape.key, where) for _ in range(self._count(shape)))
            return {key: self.value(shape.value, where, (*above, shape.name)) for key in keys}
        return getattr(self, f"_{shape.type_name}")(shape, where)

    def _structure(self, shape: Shape, above: tuple[str, ...]) -> dict[str, Any]:
        names = [
            name
            for name, member in shape.members.items()
            if name in shape.required_members
            or (member.name not in above and (self._full or self._random.random() < 0.7))
        ]
        if shape.metadata.get("union"):
            names = [self._random.choice([name for name in shape.members if shape.members[name].name not in above])]
        inside = (*above, shape.name)
        # Event and Events of S3 share an element, so only one of them can be told.
        members = {name: shape.members[name] for name in names if name != "Event" or "Events" not in shape.members}
        return {
            name: self.value(member, member.serialization.get("location", ""), inside)
            for name, member in members.items()
            if not member.serialization.get("eventstream")
        }

    def _count(self, shape: Shape) -> int:
        low, high = shape.metadata.get("min", 0), shape.metadata.get("max", 2)
        return max(low, min(self._random.randint(1, 2), high))

    def _string(self, shape: Shape, where: str) -> str:
        if shape.serialization.get("hostLabel"):
            return f"route-{self._random.randint(1, 99)}"
        if shape.metadata.get("enum"):
            return str(self._random.choice(shape.metadata["enum"]))
        low, high = max(1, shape.metadata.get("min", 1)), shape.metadata.get("max", 12)
        if shape.metadata.get("pattern"):
            return self._patterned(shape, low, shape.metadata.get("max", math.inf))
        alphabet = {"header": PLAIN, "headers": PLAIN.lower()}.get(where, RICH)  # names of headers have no case
        count = max(low, min(high, self._random.randint(1, 12)))
        return "".join(self._random.choice(alphabet) for _ in range(count))

    def _patterned(self, shape: Shape, low: int, high: float) -> str:
        matches = matcher(shape.metadata["pattern"])
        texts = [text * times for text in CANDIDATES for times in (1, low)]
        fitting = [text for text in texts if low <= len(text) <= high and matches(text)]
        if not fitting:
            self.loose = True
            return "a" * low
        return self._random.choice(fitting)

    _character = _string

    def _integer(self, shape: Shape, where: str, bits: int = 31) -> int:
        low, high = shape.metadata.get("min", -(2**bits)), shape.metadata.get("max", 2**bits - 1)
        return self._random.choice([low, high, self._random.randint(low, high)])

    def _long(self, shape: Shape, where: str) -> int:
        return self._integer(shape, where, 63)

    def _double(self, shape: Shape, where: str) -> float:
        low, high = shape.metadata.get("min", -1e9), shape.metadata.get("max", 1e9)
        return self._random.choice([self._random.uniform(low, high), float(low), float(high)])

    def _float(self, shape: Shape, where: str) -> float:
        return shorten(self._double(shape, where))

    def _boolean(self, shape: Shape, where: str) -> bool:
        return self._random.random() < 0.5

    def _blob(self, shape: Shape, where: str) -> bytes:
        return self._random.randbytes(max(1, shape.metadata.get("min", 0), self._random.randint(1, 9)))

    def _timestamp(self, shape: Shape, where: str) -> datetime:
        whole = where == "header" or shape.serialization.get("timestampFormat", "").lower() == "rfc822"
        milliseconds = 0 if whole else self._random.choice([0, 1, 500, 678, 999])
        return START + timedelta(seconds=self._random.randint(-(10**9), 10**9), milliseconds=milliseconds)


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


def serialised(params: dict[str, Any], operation: OperationModel, protocol: str) -> HttpRequest:
    """Return the bytes that the SDK sends."""
    serializer = botocore.serialize.create_serializer(protocol, include_validation=False)
    request_dict = serializer.serialize_to_request(params, operation)
    prepare_request_dict(request_dict, endpoint_url="http://localhost:4566", context={})
    prepared = create_request_object(request_dict).prepare()
    url = urlsplit(prepared.url)
    headers = [(name.lower().encode(), as_bytes(value)) for name, value in prepared.headers.items()]
    body = prepared.body or b""
    return HttpRequest(
        prepared.method,
        url.path.encode(),
        url.query.encode(),
        tuple(headers),
        body.encode() if isinstance(body, str) else bytes(body),
    )


def as_bytes(value: Any) -> bytes:
    """Return a header's value as it goes over the wire."""
    return value if isinstance(value, bytes) else str(value).encode("latin-1")


def parsed(response: HttpResponse, shape: Shape | None, protocol: str) -> dict[str, Any]:
    """Return what the SDK makes of an answer."""
    headers = HeadersDict({name.decode(): value.decode("latin-1") for name, value in response.headers})
    payload = shape.serialization.get("payload") if shape is not None and response.status < 300 else None
    streams = payload is not None and shape.members[payload].type_name == "blob"
    body = BytesIO(response.body) if streams else response.body
    answer = {"status_code": response.status, "headers": headers, "body": body}
    result: dict[str, Any] = botocore.parsers.create_parser(protocol).parse(answer, shape)
    if streams:
        result[payload] = response.body
    return result


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
