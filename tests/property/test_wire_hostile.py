"""Hostile bytes: whatever arrives, a decoder answers with parameters or with an error meant for the caller.

Random bytes, and true requests with bytes changed, cut, doubled or put in. No other exception may come out, the
answer to the refused call must be encodable, and its message must be short.
"""

import json
import struct
from collections.abc import Callable
from typing import Any

import cbor2
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from apitrail.errors import ServiceError
from apitrail.wire.aws_chunked import ChunkedDecoder
from apitrail.wire.codec import CODECS
from apitrail.wire.http import HttpRequest
from apitrail.wire.models import OperationModel, service_model
from apitrail.wire.route import Router
from apitrail.wire.scope import find_scope
from apitrail.wire.validate import validation_message, validator
from apitrail.wire.values import shorten

ROUTER = Router(("gamelift", "cloudtrail", "cloudtrail-data", "sts", "iam", "sns", "sqs", "s3", "ec2"))
FLEET = {
    "Name": "fleet",
    "BuildId": "build-1",
    "Locations": [{"Location": "us-west-2"}],
    "RuntimeConfiguration": {"ServerProcesses": [{"LaunchPath": "/local/game/a", "ConcurrentExecutions": 2}]},
    "MetricGroups": ["default"],
}
TIMES = {"StartTime": 1772615702.5, "EndTime": 1772615703, "MaxResults": 5}
LIFECYCLE = (
    b'<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule><ID>a</ID><Status>Enabled</Status>'
    b"<Expiration><Days>3</Days><Date>2026-03-04T09:15:02Z</Date></Expiration><Filter><And><Prefix>p</Prefix><Tag>"
    b"<Key>k</Key><Value>v</Value></Tag></And></Filter></Rule></LifecycleConfiguration>"
)
FORM = b"Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws&Tags.member.1.Key=k&Tags.member.1.Value=v+w"
EC2_FORM = b"Action=DescribeInstances&Version=2016-11-15&Filter.1.Name=n&Filter.1.Value.1=v&MaxResults=5"
AUDIT = json.dumps({"auditEvents": [{"eventData": "{}", "id": "1"}]}).encode()


def at(service: str, operation: str) -> OperationModel:
    return service_model(service).operation_model(operation)


# protocol, operation, method, path, query, a true body
SEEDS: list[tuple[str, OperationModel, str, bytes, bytes, bytes]] = [
    ("json", at("gamelift", "CreateFleet"), "POST", b"/", b"", json.dumps(FLEET).encode()),
    ("json", at("gamelift", "CreateScript"), "POST", b"/", b"", b'{"Name":"a","ZipFile":"AAAA"}'),
    ("json", at("cloudtrail", "LookupEvents"), "POST", b"/", b"", json.dumps(TIMES).encode()),
    ("smithy-rpc-v2-cbor", at("gamelift", "CreateFleet"), "POST", b"/", b"", cbor2.dumps(FLEET)),
    (
        "smithy-rpc-v2-cbor",
        at("cloudtrail", "LookupEvents"),
        "POST",
        b"/",
        b"",
        cbor2.dumps({"StartTime": cbor2.CBORTag(1, 1772615702.5), "EndTime": cbor2.CBORTag(1, 5)}),
    ),
    ("query", at("sts", "AssumeRole"), "POST", b"/", b"", FORM),
    ("ec2", at("ec2", "DescribeInstances"), "POST", b"/", b"", EC2_FORM),
    (
        "rest-json",
        at("cloudtrail-data", "PutAuditEvents"),
        "POST",
        b"/PutAuditEvents",
        b"channelArn=arn%3Aaws&externalId=1",
        AUDIT,
    ),
    ("rest-xml", at("s3", "PutBucketLifecycleConfiguration"), "PUT", b"/bkt", b"lifecycle", LIFECYCLE),
    ("rest-xml", at("s3", "PutObject"), "PUT", b"/bkt/key%20a", b"x-id=PutObject", b"content"),
    ("rest-xml", at("s3", "ListParts"), "GET", b"/bkt/key", b"uploadId=a&max-parts=5", b""),
]

COMMON = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
mutation = st.tuples(st.integers(0, 3), st.integers(0, 400), st.binary(min_size=1, max_size=6))


def mutate(text: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    """Return a text with pieces replaced, put in, taken out or doubled."""
    for kind, place, piece in changes:
        start = place % (len(text) + 1)
        end = start + len(piece)
        middle = {0: piece + text[end:], 1: piece + text[start:], 2: text[end:], 3: text[start:end] + text[start:]}
        text = text[:start] + middle[kind]
    return text


def refused_or_read(read: Callable[[], Any], protocol: str, operation: OperationModel) -> Any:
    """Return what was read, or None after checking that the refusal can be told."""
    try:
        return read()
    except ServiceError as error:
        assert error.error_status == 400
        assert 0 < len(error.message) < 500
        assert CODECS[protocol].encode_error(error, None, operation, "request-1").status == 400
        return None


def decode(seed: tuple[str, OperationModel, str, bytes, bytes, bytes], **changed: Any) -> dict[str, Any] | None:
    protocol, operation, method, path, query, body = seed
    parts = {"method": method, "raw_path": path, "raw_query": query, "headers": (), "body": body} | changed
    request = HttpRequest(**parts)
    params = refused_or_read(lambda: CODECS[protocol].decode(request, operation), protocol, operation)
    if params is not None:
        assert isinstance(params, dict)
        assert set(params) <= set(operation.input_shape.members)
        message = validation_message(validator(operation)(params))
        assert "Traceback" not in message
    return params


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"{seed[0]}-{seed[1].name}")
def test_a_true_request_is_read(seed: tuple[str, OperationModel, str, bytes, bytes, bytes]) -> None:
    assert decode(seed)


@COMMON
@given(seed=st.sampled_from(SEEDS), body=st.binary(max_size=200))
def test_random_bodies_are_read_or_refused(
    seed: tuple[str, OperationModel, str, bytes, bytes, bytes], body: bytes
) -> None:
    decode(seed, body=body)


@settings(COMMON, max_examples=600)
@given(seed=st.sampled_from(SEEDS), changes=st.lists(mutation, min_size=1, max_size=5))
def test_changed_bodies_are_read_or_refused(
    seed: tuple[str, OperationModel, str, bytes, bytes, bytes], changes: list[tuple[int, int, bytes]]
) -> None:
    decode(seed, body=mutate(seed[5], changes))


@COMMON
@given(
    seed=st.sampled_from(SEEDS),
    path=st.binary(max_size=40),
    query=st.binary(max_size=60),
    headers=st.lists(
        st.tuples(
            st.sampled_from(
                [b"content-length", b"if-modified-since", b"x-amz-meta-a", b"expires", b"content-encoding"]
            ),
            st.binary(max_size=20),
        ),
        max_size=5,
    ),
)
def test_random_paths_queries_and_headers_are_read_or_refused(
    seed: tuple[str, OperationModel, str, bytes, bytes, bytes],
    path: bytes,
    query: bytes,
    headers: list[tuple[bytes, bytes]],
) -> None:
    decode(seed, raw_path=b"/" + path, raw_query=query, headers=tuple(headers))


@COMMON
@given(
    tree=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*FLEET, "Location", "x"]), inner),
    )
)
def test_well_formed_cbor_of_the_wrong_types_is_read_or_refused(tree: Any) -> None:
    decode(SEEDS[3], body=cbor2.dumps({"Locations": tree, "RuntimeConfiguration": tree, "Name": tree}))


@pytest.mark.parametrize(
    "body",
    [
        b"\xd8\x1c\x81\xd8\x1d\x00",  # a list that holds itself
        b"\xd8\x23\x63(a+",  # a regular expression
        b"\xc2\x58\x40" + b"\xff" * 64,  # a huge integer
        b"\xc5\x82\x1b\x7f\xff\xff\xff\xff\xff\xff\xff\x03",  # 3 * 2**9223372036854775807
        b"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff",  # a list said to be endless
        b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\x81" * 5000,
        b"\x9f" * 5000,
        b"\xa1\x61a" * 5000,
        b"\xa0\xa0",  # something after the map
        b"\xc1" * 1000 + b"\x00",
        b"\xa1\x80\x00\x00",
    ],
)
def test_cbor_bombs_are_refused(body: bytes) -> None:
    for seed in SEEDS[3:5]:
        assert decode(seed, body=body) is None
        assert decode(seed, body=b"\xa1\x69StartTime" + body) is None


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"a":' * 100_000, b'{"a":' * 65 + b"1" + b"}" * 65, b'{"a":1e999}', b"1"]
)
def test_json_bombs_are_refused(body: bytes) -> None:
    assert decode(SEEDS[0], body=body) is None


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE a [<!ENTITY b "c">]><LifecycleConfiguration>&b;</LifecycleConfiguration>',
        '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a><LifecycleConfiguration/>'.encode("utf-16"),
        b"<LifecycleConfiguration>" + b"<Rule>" * 50_000 + b"</Rule>" * 50_000 + b"</LifecycleConfiguration>",
        b"<LifecycleConfiguration>&undefined;</LifecycleConfiguration>",
        b"<Other/>",
        b"<LifecycleConfiguration>" + b" " * 9_000_000 + b"</LifecycleConfiguration>",
    ],
)
def test_xml_bombs_are_refused(body: bytes) -> None:
    assert decode(SEEDS[8], body=body) is None


@pytest.mark.parametrize(
    "body",
    [
        b"a=1&" * 20_000,
        b"Tags" + b".x" * 5000 + b"=1",
        b"Tags.member.99999999999999.Key=1",
        b"Tags.member=1&Tags.member.1=2",
    ],
)
def test_form_bombs_are_refused(body: bytes) -> None:
    assert decode(SEEDS[5], body=body) is None


@settings(COMMON, max_examples=300)
@given(
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", ""]),
    path=st.binary(max_size=60) | st.sampled_from([b"/", b"/service/GameLift/operation/CreateFleet", b"/b/k"]),
    query=st.binary(max_size=60),
    headers=st.lists(
        st.tuples(
            st.sampled_from([b"host", b"x-amz-target", b"content-type", b"smithy-protocol", b"authorization"]),
            st.binary(max_size=60)
            | st.sampled_from([b"rpc-v2-cbor", b"application/x-www-form-urlencoded", b"GameLift.CreateFleet",
                               b"application/x-amz-json-1.1", b"AWS4-HMAC-SHA256 Credential=a/b/c/d/e"]),
        ),
        max_size=4,
    ),
    body=st.binary(max_size=60) | st.just(FORM),
)  # fmt: skip
@example("GET", b"", b"", [], b"")
@example("POST", b"/", b"", [(b"content-type", b"application/x-www-form-urlencoded")], b"Action=&Version=")
def test_any_request_has_a_route_and_an_answer(
    method: str, path: bytes, query: bytes, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    request = HttpRequest(method, path, query, tuple(headers), body)
    try:
        scope = find_scope(request)
    except ServiceError as error:
        assert error.error_status == 400
        scope = None
    route = ROUTER.find_route(request, scope)
    assert len(route.unknown) <= 200
    assert bool(route.unknown) == (route.operation is None)
    error = ServiceError("No.", code="UnknownOperationException", status=404)
    assert route.codec.encode_error(error, route.service, route.operation, "request-1").status == 404


@COMMON
@given(value=st.floats(width=32, allow_nan=False))
def test_a_32_bit_float_is_shortened_to_itself(value: float) -> None:
    short = shorten(value)
    assert struct.pack(">f", short) == struct.pack(">f", value)
    assert shorten(short) == short
    assert len(repr(short)) <= len(repr(value))


@COMMON
@given(
    contents=st.lists(st.binary(min_size=1, max_size=40), max_size=4),
    cuts=st.lists(st.integers(1, 7), min_size=1, max_size=10),
)
def test_chunks_are_put_together_wherever_the_pieces_are_cut(contents: list[bytes], cuts: list[int]) -> None:
    frame = b"".join(b"%x\r\n%s\r\n" % (len(content), content) for content in contents)
    frame += b"0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"
    decoder, found, place, turn = ChunkedDecoder(), b"", 0, 0
    while place < len(frame):
        piece = frame[place : place + cuts[turn % len(cuts)]]
        found += decoder.feed(piece)
        place, turn = place + len(piece), turn + 1
    decoder.finish()
    assert found == b"".join(contents)
    assert decoder.trailers == {"x-amz-checksum-crc32": "AAAAAA=="}


@settings(COMMON, max_examples=300)
@given(changes=st.lists(mutation, min_size=1, max_size=3), signed=st.booleans())
def test_a_changed_frame_is_read_or_refused(changes: list[tuple[int, int, bytes]], signed: bool) -> None:
    signature = b";chunk-signature=" + b"0" * 64 if signed else b""
    frame = b"5%s\r\nhello\r\n0%s\r\nx-amz-a:b\r\n\r\n" % (signature, signature)
    decoder = ChunkedDecoder(lambda signature, content_sha256: None, signed=signed, size=5)
    try:
        content = decoder.feed(mutate(frame, changes))
        decoder.finish()
        assert len(content) == 5
    except ServiceError as error:
        assert error.error_code in ("InvalidRequest", "IncompleteBody")
