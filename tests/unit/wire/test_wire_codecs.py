import json
import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cbor2
import pytest

from apitrail.errors import ServiceError
from apitrail.wire.codec import CODECS
from apitrail.wire.http import HttpRequest, HttpResponse, StagedBody
from apitrail.wire.models import OperationModel, service_model
from apitrail.wire.rest import split_list

AT = datetime(2026, 3, 4, 9, 15, 2, tzinfo=UTC)
CBOR = "smithy-rpc-v2-cbor"


def at(service: str, name: str) -> OperationModel:
    return service_model(service).operation_model(name)


def decode(protocol: str, operation: OperationModel, body: bytes = b"", **more: Any) -> dict[str, Any]:
    parts = {"method": "POST", "raw_path": b"/", "raw_query": b"", "headers": ()} | more
    return CODECS[protocol].decode(HttpRequest(body=body, **parts), operation)


def header(response: HttpResponse, name: bytes) -> bytes | None:
    return dict(response.headers).get(name)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"Limit":null,"Unknown":{"a":[1]}}'])
def test_nulls_and_unknown_members_are_left_out(body: bytes) -> None:
    assert decode("json", at("gamelift", "ListFleets"), body) == {}


@pytest.mark.parametrize(
    ("member", "value", "expected"),
    [
        ("Limit", '"abc"', "'Limit' must be an integer from -2147483648 to 2147483647"),
        ("Limit", "1.5", "'Limit' must be an integer"),
        ("Limit", "true", "'Limit' must be an integer"),
        ("Limit", "2147483648", "'Limit' must be an integer"),
        ("BuildId", "5", "'BuildId' must be a string"),
        ("BuildId", '["a"]', "'BuildId' must be a string"),
    ],
)
def test_a_wrong_type_is_a_serialization_exception_naming_the_member(member: str, value: str, expected: str) -> None:
    with pytest.raises(ServiceError) as caught:
        decode("json", at("gamelift", "ListFleets"), f'{{"{member}":{value}}}'.encode())
    assert (caught.value.error_code, caught.value.error_status) == ("SerializationException", 400)
    assert expected in caught.value.message


def test_the_path_of_a_wrong_member_is_told() -> None:
    with pytest.raises(ServiceError, match=r"'Locations\.Location' must be a string"):
        decode("json", at("gamelift", "CreateFleet"), b'{"Locations":[{"Location":1}]}')


@pytest.mark.parametrize("body", [b"[]", b"null", b"{", b"\xff", b'{"Name":"\\ud800"}', b'"a"'])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(ServiceError) as caught:
        decode("json", at("gamelift", "CreateFleet"), body)
    assert caught.value.error_code == "SerializationException"


def test_nesting_is_bounded_at_64_levels() -> None:
    operation = at("gamelift", "ListFleets")
    assert decode("json", operation, b'{"a":' * 64 + b"1" + b"}" * 64) == {}
    with pytest.raises(ServiceError):
        decode("json", operation, b'{"a":' * 65 + b"1" + b"}" * 65)
    flat = b'{"a":[' + b"[],".join(b"" for _ in range(100)) + b"[]]}"
    assert decode("json", operation, flat) == {}


def test_32_bit_floats_are_the_same_by_json_and_cbor() -> None:
    operation = at("gamelift", "StartGameSessionPlacement")
    latencies = [{"PlayerId": "p", "RegionIdentifier": "r", "LatencyInMilliseconds": 99.9}]
    by_json = decode("json", operation, json.dumps({"PlayerLatencies": latencies}).encode())
    latency_cbor = cbor2.dumps({"PlayerLatencies": [{"LatencyInMilliseconds": 99.9}]}).replace(
        b"\xfb\x40\x58\xf9\x99\x99\x99\x99\x9a", b"\xfa\x42\xc7\xcc\xcd"
    )
    by_cbor = decode(CBOR, operation, latency_cbor)
    assert by_json["PlayerLatencies"][0]["LatencyInMilliseconds"] == 99.9
    assert by_cbor["PlayerLatencies"][0]["LatencyInMilliseconds"] == 99.9


@pytest.mark.parametrize(
    "stamp", [b"\xc1\x1a" + struct.pack(">I", 1772615702), b"\xc1\xfb" + struct.pack(">d", 1772615702)]
)
def test_cbor_times_are_tagged_integers_or_floats(stamp: bytes) -> None:
    params = decode(CBOR, at("cloudtrail", "LookupEvents"), b"\xa1\x69StartTime" + stamp)
    assert params == {"StartTime": AT}


def test_a_cbor_time_without_its_tag_is_refused() -> None:
    with pytest.raises(ServiceError, match="tag 1"):
        decode(CBOR, at("cloudtrail", "LookupEvents"), b"\xa1\x69StartTime\x01")


def test_cbor_of_indefinite_length_is_read() -> None:
    body = b"\xbf\x68FleetIds\x9f\x7f\x63fle\x62et\xff\xff\x65Limit\x05\x69NextToken\xf7\xff"
    assert decode(CBOR, at("gamelift", "DescribeFleetAttributes"), body) == {"FleetIds": ["fleet"], "Limit": 5}


@pytest.mark.parametrize(("protocol", "body"), [("json", b"{}"), (CBOR, b"\xa0")])
def test_empty_answers_are_empty_maps(protocol: str, body: bytes) -> None:
    for name in ("DeleteFleet", "StopMatchmaking"):
        response = CODECS[protocol].encode({}, at("gamelift", name), "request-1")
        assert (response.status, response.body) == (200, body)
        assert header(response, b"x-amzn-requestid") == b"request-1"


def test_what_the_output_does_not_have_is_not_sent() -> None:
    fleet = {"FleetId": "f", "CreationTime": 1772615702.5, "Description": None, "_version": 3, "Secret": "x"}
    response = CODECS["json"].encode(
        {"FleetAttributes": [fleet], "_cursor": 1}, at("gamelift", "DescribeFleetAttributes"), "r"
    )
    assert json.loads(response.body) == {"FleetAttributes": [{"FleetId": "f", "CreationTime": 1772615702.5}]}
    whole = CODECS["json"].encode(
        {"FleetAttributes": [{"CreationTime": AT}]}, at("gamelift", "DescribeFleetAttributes"), "r"
    )
    assert whole.body == b'{"FleetAttributes":[{"CreationTime":1772615702}]}'


@pytest.mark.parametrize("protocol", ["json", CBOR])
def test_errors_name_their_type_and_both_messages(protocol: str) -> None:
    error = ServiceError("No such fleet.", code="NotFoundException")
    response = CODECS[protocol].encode_error(error, "gamelift", at("gamelift", "DeleteFleet"), "request-1")
    tree = json.loads(response.body) if protocol == "json" else cbor2.loads(response.body)
    name = "com.amazonaws.gamelift#NotFoundException"
    assert tree == {"__type": name, "message": "No such fleet.", "Message": "No such fleet."}
    assert response.status == 400
    assert header(response, b"x-amzn-errortype") is None


def test_other_services_name_their_errors_without_a_namespace() -> None:
    error = ServiceError("No.", code="TrailNotFoundException")
    body = CODECS["json"].encode_error(error, "cloudtrail", None, "r").body
    assert json.loads(body)["__type"] == "TrailNotFoundException"


@pytest.mark.parametrize(
    ("code", "given", "status"),
    [
        ("NoSuchEntity", None, 404),
        ("NoSuchEntityException", None, 404),
        ("NoSuchEntityException", 503, 503),
        ("AccessDenied", 403, 403),
        ("InternalFailure", 500, 500),
        ("Other", None, 400),
    ],
)
def test_the_status_is_the_errors_or_the_models(code: str, given: int | None, status: int) -> None:
    error = ServiceError("No <b>", code=code, status=given)
    response = CODECS["query"].encode_error(error, "iam", at("iam", "GetUser"), "request-1")
    assert response.status == status
    namespace = "{https://iam.amazonaws.com/doc/2010-05-08/}"
    root = ElementTree.fromstring(response.body)
    texts = {node.tag.removeprefix(namespace): node.text for node in root.iter()}
    assert texts["Code"] == ("NoSuchEntity" if code.startswith("NoSuch") else code)
    assert texts["Message"] == "No <b>"
    assert texts["Type"] == ("Receiver" if status >= 500 else "Sender")
    assert texts["RequestId"] == "request-1" == (header(response, b"x-amzn-requestid") or b"").decode()


def test_a_query_answer_always_has_its_wrapper() -> None:
    response = CODECS["query"].encode({}, at("iam", "ListUsers"), "r")
    assert b"<ListUsersResult></ListUsersResult>" in response.body
    without = CODECS["query"].encode({}, at("iam", "DeleteUser"), "r")
    assert b"<DeleteUserResponse xmlns=" in without.body
    assert b"<RequestId>r</RequestId>" in without.body


@pytest.mark.parametrize(
    ("form", "params"),
    [
        (b"UserName=a+b%2Bc", {"UserName": "a b+c"}),
        (
            b"Tags.member.2.Key=b&Tags.member.10.Key=c&Tags.member.1.Key=a",
            {"Tags": [{"Key": "a"}, {"Key": "b"}, {"Key": "c"}]},
        ),
        (b"Tags=", {"Tags": []}),
        (b"Unknown.x.y=1&UserName=u", {"UserName": "u"}),
        (b"&&UserName=u&", {"UserName": "u"}),
        (b"UserName", {"UserName": ""}),
    ],
)
def test_forms_are_read_by_their_names(form: bytes, params: dict[str, Any]) -> None:
    assert decode("query", at("iam", "CreateUser"), form) == params


@pytest.mark.parametrize(
    "form", [b"Tags.member.x.Key=1", b"Tags.member.1=a", b"UserName.x=1", b"UserName=%ff", b"Tags=a"]
)
def test_forms_that_fit_no_shape_are_refused(form: bytes) -> None:
    with pytest.raises(ServiceError) as caught:
        decode("query", at("iam", "CreateUser"), form)
    assert caught.value.error_code == "SerializationException"


def test_scalars_in_forms_have_types() -> None:
    assert decode("query", at("iam", "ListUsers"), b"MaxItems=5") == {"MaxItems": 5}
    for text in (b"", b"5.0", b"abc", b"1" * 40):
        with pytest.raises(ServiceError):
            decode("query", at("iam", "ListUsers"), b"MaxItems=" + text)


def test_the_frame_of_a_chunked_upload_does_not_show_in_the_parameters() -> None:
    headers = (
        (b"content-encoding", b"aws-chunked,gzip"),
        (b"content-length", b"120"),
        (b"x-amz-decoded-content-length", b"7"),
        (b"x-amz-meta-one", b"1"),
    )
    params = decode("rest-xml", at("s3", "PutObject"), b"content", raw_path=b"/bkt/k", headers=headers)
    assert (params["ContentEncoding"], params["ContentLength"]) == ("gzip", 7)
    only = ((b"content-encoding", b"aws-chunked"),)
    assert "ContentEncoding" not in decode("rest-xml", at("s3", "PutObject"), raw_path=b"/bkt/k", headers=only)


def test_a_staged_body_is_left_out() -> None:
    staged = StagedBody(Path("/nowhere"), 5, "0" * 64, "0" * 32)
    params = decode("rest-xml", at("s3", "PutObject"), raw_path=b"/bkt/k", staged=staged)
    assert params == {"Bucket": "bkt", "Key": "k"}
    with pytest.raises(ServiceError, match="XML document"):
        decode("rest-xml", at("s3", "PutBucketTagging"), raw_path=b"/bkt", raw_query=b"tagging", staged=staged)


def test_keys_are_decoded_once() -> None:
    params = decode("rest-xml", at("s3", "GetObject"), raw_path=b"/bkt/a%252Fb%2Fc+d/%C3%BC/", method="GET")
    assert params == {"Bucket": "bkt", "Key": "a%2Fb/c+d/ü/"}
    with pytest.raises(ServiceError):
        decode("rest-xml", at("s3", "GetObject"), raw_path=b"/bkt/%ff", method="GET")


def test_headers_of_a_presigned_url_count_unless_they_are_sent() -> None:
    query = b"x-amz-acl=private&X-Amz-Meta-One=1&x-amz-storage-class=GLACIER"
    sent = ((b"x-amz-storage-class", b"STANDARD"),)
    params = decode("rest-xml", at("s3", "PutObject"), raw_path=b"/bkt/k", raw_query=query, headers=sent)
    assert (params["ACL"], params["Metadata"], params["StorageClass"]) == ("private", {"one": "1"}, "STANDARD")


def test_a_document_with_another_root_is_refused() -> None:
    with pytest.raises(ServiceError, match="root element Tagging"):
        decode("rest-xml", at("s3", "PutBucketTagging"), b"<TagSet/>", raw_path=b"/bkt", raw_query=b"tagging")


def test_writes_to_s3_are_answered_without_a_body() -> None:
    for name, status in (("PutObject", 200), ("CreateBucket", 200), ("DeleteBucket", 204), ("PutBucketPolicy", 200)):
        response = CODECS["rest-xml"].encode({"ETag": '"e"'}, at("s3", name), "request-1", "host-1")
        assert (response.status, response.body) == (status, b"")
        assert header(response, b"x-amz-request-id") == b"request-1"
        assert header(response, b"x-amz-id-2") == b"host-1"
        assert header(response, b"content-type") is None


def test_a_header_cannot_be_broken_out_of() -> None:
    result = {"Metadata": {"a\r\nset-cookie": "b\r\nc"}, "ContentType": "x\ny", "ContentDisposition": "ü 漢"}
    response = CODECS["rest-xml"].encode(result, at("s3", "HeadObject"), "r")
    assert all(b"\r" not in name + value and b"\n" not in name + value for name, value in response.headers)
    assert header(response, b"content-disposition") == "ü 漢".encode()


def test_characters_that_xml_cannot_hold_are_replaced() -> None:
    response = CODECS["query"].encode({"User": {"UserName": "a\x00\x1b\ud800b\r\n<"}}, at("iam", "GetUser"), "r")
    name = ElementTree.fromstring(response.body).find(".//{*}UserName")
    assert name is not None
    assert name.text == "a\ufffd\ufffd\ufffdb\r\n<"


def test_an_ec2_error_has_its_own_frame() -> None:
    response = CODECS["ec2"].encode_error(ServiceError("No.", code="AuthFailure", status=401), "ec2", None, "r")
    root = ElementTree.fromstring(response.body)
    assert (root.tag, root.findtext("Errors/Error/Code"), root.findtext("RequestID")) == (
        "Response",
        "AuthFailure",
        "r",
    )


@pytest.mark.parametrize(
    ("text", "items"),
    [("a, b", ["a", "b"]), ('"a,b", "c\\"d"', ["a,b", 'c"d']), ("", []), ("a,,b", ["a", "", "b"]), ('"a', ['"a'])],
)
def test_lists_in_headers_may_be_quoted(text: str, items: list[str]) -> None:
    assert split_list(text) == items


def test_codecs_know_their_names() -> None:
    assert [codec.name for codec in CODECS.values()] == list(CODECS)
    assert all("/" in codec.media_type for codec in CODECS.values())
