"""The SDK's own client on the other side: its true bytes are decoded, our answers are read by it.

A `before-send` hook hands the prepared request to the codecs and answers without a socket.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError

from apitrail.errors import ServiceError
from apitrail.wire.http import HttpRequest
from apitrail.wire.route import Route, Router
from apitrail.wire.scope import find_scope

ROUTER = Router(("gamelift", "cloudtrail", "cloudtrail-data", "sts", "iam", "sns", "s3"))
AT = datetime(2026, 3, 4, 9, 15, 2, 345000, tzinfo=UTC)


class Raw(BytesIO):
    """A body as urllib3 hands it to the SDK."""

    def stream(self, **_: Any) -> Any:
        return iter([self.read()])


class Wire:
    """A client whose calls end here. answer: from route and parameters to a result, or an error to be raised."""

    def __init__(self, service: str, answer: Callable[[Route, dict[str, Any]], dict[str, Any]], **config: Any) -> None:
        self.requests: list[HttpRequest] = []
        self.params: list[dict[str, Any]] = []
        self._answer = answer
        session = botocore.session.Session()
        self.client = session.create_client(
            service,
            region_name="us-west-2",
            endpoint_url="http://localhost:4566",
            aws_access_key_id="AKIDEXAMPLE",
            aws_secret_access_key="secret",
            config=Config(retries={"max_attempts": 0}, **config),
        )
        self.client.meta.events.register("before-send", self._send)

    def _send(self, request: Any, **_: Any) -> AWSResponse:
        url = urlsplit(request.url)
        headers = [
            (name.lower().encode(), value if isinstance(value, bytes) else str(value).encode("latin-1"))
            for name, value in request.headers.items()
        ]
        headers.append((b"host", url.netloc.encode()))
        body = request.body or b""
        body = body.read() if hasattr(body, "read") else body
        body = body.encode() if isinstance(body, str) else bytes(body)
        received = HttpRequest(request.method, url.path.encode(), url.query.encode(), tuple(headers), body)
        self.requests.append(received)
        route = ROUTER.find_route(received, find_scope(received))
        assert route.operation is not None
        try:
            self.params.append(route.codec.decode(received, route.operation))
            response = route.codec.encode(self._answer(route, self.params[-1]), route.operation, "request-1")
        except ServiceError as error:
            response = route.codec.encode_error(error, route.service, route.operation, "request-1")
        names = {name.decode(): value.decode("latin-1") for name, value in response.headers}
        return AWSResponse(request.url, response.status, names, Raw(response.body))


def refuse(code: str, **more: Any) -> Callable[[Route, dict[str, Any]], dict[str, Any]]:
    def answer(route: Route, params: dict[str, Any]) -> dict[str, Any]:
        raise ServiceError("no such thing", code=code, **more)

    return answer


def test_a_json_call_arrives_and_is_answered() -> None:
    fleet = {"FleetId": "fleet-1", "CreationTime": AT, "_Secret": "x", "Description": None}
    wire = Wire("gamelift", lambda route, params: {"FleetAttributes": [fleet]})
    answer = wire.client.describe_fleet_attributes(FleetIds=["fleet-1"], Limit=3)
    assert wire.params == [{"FleetIds": ["fleet-1"], "Limit": 3}]
    assert answer["FleetAttributes"] == [{"FleetId": "fleet-1", "CreationTime": AT}]
    assert answer["ResponseMetadata"]["RequestId"] == "request-1"


@pytest.mark.parametrize(
    ("service", "call", "code", "exception", "status"),
    [
        ("gamelift", lambda c: c.describe_alias(AliasId="alias-1"), "NotFoundException", "NotFoundException", 400),
        (
            "gamelift",
            lambda c: c.describe_alias(AliasId="alias-1"),
            "InternalServiceException",
            "InternalServiceException",
            500,
        ),
        ("cloudtrail", lambda c: c.get_trail(Name="abc"), "TrailNotFoundException", "TrailNotFoundException", 400),
        ("iam", lambda c: c.get_user(UserName="a"), "NoSuchEntityException", "NoSuchEntityException", 404),
        ("iam", lambda c: c.get_user(UserName="a"), "NoSuchEntity", "NoSuchEntityException", 404),
        ("sns", lambda c: c.get_topic_attributes(TopicArn="a"), "NotFoundException", "NotFoundException", 404),
        ("s3", lambda c: c.get_object(Bucket="bkt", Key="k"), "NoSuchKey", "NoSuchKey", 404),
        ("s3", lambda c: c.create_bucket(Bucket="bkt"), "BucketAlreadyExists", "BucketAlreadyExists", 409),
    ],
)
def test_a_modelled_error_is_raised_as_its_exception(
    service: str, call: Callable[[Any], Any], code: str, exception: str, status: int
) -> None:
    wire = Wire(service, refuse(code))
    with pytest.raises(getattr(wire.client.exceptions, exception)) as caught:
        call(wire.client)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert caught.value.response["ResponseMetadata"]["RequestId"] == "request-1"
    assert caught.value.response["Error"]["Message"] == "no such thing"


@pytest.mark.parametrize("service", ["gamelift", "cloudtrail", "iam", "sts", "sns", "s3"])
def test_an_error_that_no_model_knows_keeps_its_code_and_status(service: str) -> None:
    calls = {
        "gamelift": "list_fleets",
        "cloudtrail": "list_trails",
        "iam": "list_users",
        "sts": "get_caller_identity",
        "sns": "list_topics",
        "s3": "list_buckets",
    }
    wire = Wire(service, refuse("SomethingElse", status=403))
    with pytest.raises(ClientError) as caught:
        getattr(wire.client, calls[service])()
    assert caught.value.response["Error"]["Code"] == "SomethingElse"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_a_query_call_arrives_and_is_answered() -> None:
    identity = {"UserId": "AIDA", "Account": "111122223333", "Arn": "arn:aws:iam::111122223333:user/a"}
    wire = Wire("sts", lambda route, params: identity)
    answer = wire.client.get_caller_identity()
    metadata = answer.pop("ResponseMetadata")
    assert answer == identity
    assert metadata["RequestId"] == "request-1"


def test_lists_and_documents_arrive_in_a_form() -> None:
    wire = Wire("iam", lambda route, params: {"Role": {**params, "RoleId": "AROA", "CreateDate": AT}})
    tags = [{"Key": "team", "Value": "a b+c&d=ü"}, {"Key": "x", "Value": ""}]
    answer = wire.client.create_role(
        RoleName="r", AssumeRolePolicyDocument='{"a": 1}', Tags=tags, MaxSessionDuration=3600
    )
    assert wire.params[0]["Tags"] == tags
    assert wire.params[0]["AssumeRolePolicyDocument"] == '{"a": 1}'
    assert answer["Role"]["CreateDate"] == AT
    assert answer["Role"]["MaxSessionDuration"] == 3600


def test_a_rest_json_call_arrives_and_is_answered() -> None:
    wire = Wire("cloudtrail-data", lambda route, params: {"successful": [{"id": "1", "eventID": "2"}], "failed": []})
    events = [{"id": "1", "eventData": "{}"}]
    answer = wire.client.put_audit_events(
        channelArn="arn:aws:cloudtrail:us-west-2:111122223333:channel/1", auditEvents=events
    )
    assert wire.params[0]["auditEvents"] == events
    assert wire.params[0]["channelArn"].endswith("channel/1")
    assert answer["successful"] == [{"id": "1", "eventID": "2"}]
    assert answer["failed"] == []


@pytest.mark.parametrize(("location", "read"), [("eu-west-1", "eu-west-1"), ("", None)])
def test_the_location_of_a_bucket_is_the_text_of_the_root(location: str, read: str | None) -> None:
    wire = Wire("s3", lambda route, params: {"LocationConstraint": location})
    assert wire.client.get_bucket_location(Bucket="bkt")["LocationConstraint"] == read


def test_an_object_is_put_with_its_metadata_and_the_answer_is_empty() -> None:
    wire = Wire("s3", lambda route, params: {"ETag": '"e"'})
    key = "dir/a b+ü%2F.txt"
    answer = wire.client.put_object(
        Bucket="bkt", Key=key, Body=b"content", Metadata={"One": "1"}, ContentType="text/plain"
    )
    params = wire.params[0]
    assert (params["Bucket"], params["Key"], params["Body"]) == ("bkt", key, b"content")
    assert params["Metadata"] == {"one": "1"}
    assert params["ContentType"] == "text/plain"
    assert params["ChecksumAlgorithm"] == "CRC32"
    assert answer["ETag"] == '"e"'


def test_a_part_of_an_object_is_answered_with_206() -> None:
    result = {"Body": b"part", "ContentRange": "bytes 0-3/9", "LastModified": AT, "Metadata": {"one": "1"}}
    wire = Wire("s3", lambda route, params: result)
    answer = wire.client.get_object(Bucket="bkt", Key="k", Range="bytes=0-3")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert answer["Body"].read() == b"part"
    assert answer["LastModified"] == AT.replace(microsecond=0)
    assert answer["Metadata"] == {"one": "1"}


def test_a_refused_head_has_a_status_and_no_body() -> None:
    wire = Wire("s3", refuse("NoSuchKey", status=404))
    with pytest.raises(ClientError) as caught:
        wire.client.head_object(Bucket="bkt", Key="k")
    assert caught.value.response["Error"]["Code"] == "404"


def test_keys_with_odd_characters_are_listed() -> None:
    contents = [{"Key": "a&b<c>\r\n", "Size": 1, "LastModified": AT, "ETag": '"e"'}, {"Key": "ü 漢", "Size": 2**40}]
    wire = Wire("s3", lambda route, params: {"Contents": contents, "IsTruncated": False, "KeyCount": 2})
    answer = wire.client.list_objects_v2(Bucket="bkt", Prefix="a b", EncodingType="url")
    assert wire.params[0] == {"Bucket": "bkt", "Prefix": "a b", "EncodingType": "url"}
    assert [content["Key"] for content in answer["Contents"]] == ["a&b<c>\r\n", "ü 漢"]
    assert answer["Contents"][0]["LastModified"] == AT
    assert answer["IsTruncated"] is False


def test_keys_to_delete_arrive_with_their_line_breaks() -> None:
    wire = Wire("s3", lambda route, params: {"Deleted": params["Delete"]["Objects"]})
    keys = [{"Key": "a\rb"}, {"Key": " c "}, {"Key": "<&>"}]
    answer = wire.client.delete_objects(Bucket="bkt", Delete={"Objects": keys, "Quiet": True})
    assert wire.params[0]["Delete"] == {"Objects": keys, "Quiet": True}
    assert answer["Deleted"] == keys


def test_an_acl_has_the_kind_of_its_grantee_in_both_directions() -> None:
    grants = [{"Grantee": {"Type": "Group", "URI": "http://g"}, "Permission": "READ"}]
    policy = {"Grants": grants, "Owner": {"ID": "o"}}
    wire = Wire("s3", lambda route, params: policy if route.operation.name == "GetBucketAcl" else {})
    wire.client.put_bucket_acl(Bucket="bkt", AccessControlPolicy=policy)
    assert wire.params[0]["AccessControlPolicy"] == policy
    assert wire.client.get_bucket_acl(Bucket="bkt")["Grants"] == grants


def test_virtual_host_style_names_the_bucket_in_the_host() -> None:
    wire = Wire("s3", lambda route, params: {"Body": b"x"}, s3={"addressing_style": "virtual"})
    wire.client.get_object(Bucket="my-bucket", Key="bkt/key")
    assert wire.requests[0].header("host") == "my-bucket.localhost:4566"
    assert wire.params[0]["Bucket"] == "my-bucket"
    assert wire.params[0]["Key"] == "bkt/key"


def test_copies_are_told_from_puts_and_parts() -> None:
    seen: list[str] = []

    def note(route: Route, params: dict[str, Any]) -> dict[str, Any]:
        assert route.operation is not None
        seen.append(route.operation.name)
        return {}

    wire = Wire("s3", note)
    source = {"Bucket": "a", "Key": "b c"}
    wire.client.copy_object(Bucket="bkt", Key="k", CopySource=source)
    wire.client.upload_part_copy(Bucket="bkt", Key="k", CopySource=source, PartNumber=1, UploadId="u")
    wire.client.upload_part(Bucket="bkt", Key="k", Body=b"x", PartNumber=1, UploadId="u")
    wire.client.create_multipart_upload(Bucket="bkt", Key="k")
    wire.client.complete_multipart_upload(Bucket="bkt", Key="k", UploadId="u", MultipartUpload={"Parts": []})
    wire.client.abort_multipart_upload(Bucket="bkt", Key="k", UploadId="u")
    wire.client.delete_object(Bucket="bkt", Key="k")
    assert seen == [
        "CopyObject",
        "UploadPartCopy",
        "UploadPart",
        "CreateMultipartUpload",
        "CompleteMultipartUpload",
        "AbortMultipartUpload",
        "DeleteObject",
    ]
    assert wire.params[0]["CopySource"] == "a/b%20c"


def test_a_presigned_url_of_either_version_is_routed() -> None:
    for version in ("s3v4", "s3"):
        wire = Wire("s3", lambda route, params: {}, signature_version=version)
        url = urlsplit(wire.client.generate_presigned_url("get_object", Params={"Bucket": "bkt", "Key": "a b"}))
        request = HttpRequest("GET", url.path.encode(), url.query.encode(), ((b"host", url.netloc.encode()),))
        scope = find_scope(request)
        assert (scope is not None and scope.presigned) == (version == "s3v4")
        route = ROUTER.find_route(request, scope)
        assert route.operation is not None
        assert route.operation.name == "GetObject"
        assert route.codec.decode(request, route.operation)["Key"] == "a b"


def test_a_presigned_identity_call_is_routed_by_its_query_string() -> None:
    wire = Wire("sts", lambda route, params: {})
    url = urlsplit(wire.client.generate_presigned_url("get_caller_identity", HttpMethod="GET"))
    request = HttpRequest("GET", url.path.encode() or b"/", url.query.encode(), ((b"host", b"localhost"),))
    route = ROUTER.find_route(request, find_scope(request))
    assert route.operation is not None
    assert (route.service, route.operation.name) == ("sts", "GetCallerIdentity")


def test_an_unsigned_call_for_credentials_is_routed_by_version_and_action() -> None:
    wire = Wire("sts", lambda route, params: {"Audience": "a"})
    arn = "arn:aws:iam::111122223333:role/r"
    answer = wire.client.assume_role_with_web_identity(RoleArn=arn, RoleSessionName="me", WebIdentityToken="t" * 4)
    assert wire.requests[0].header("authorization") is None
    assert wire.params[0]["RoleArn"] == arn
    assert answer["Audience"] == "a"
