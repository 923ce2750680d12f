import pytest

from apitrail.errors import ServiceError
from apitrail.wire.http import HttpRequest
from apitrail.wire.route import Route, Router, signing_name
from apitrail.wire.scope import Scope

ROUTER = Router(("gamelift", "cloudtrail", "cloudtrail-data", "sts", "iam", "sns", "sqs", "s3", "ec2"))
FORM = "application/x-www-form-urlencoded; charset=utf-8"


def scope(service: str) -> Scope:
    return Scope("AKIDEXAMPLE", "20260304", "us-west-2", service, ("host",), "0" * 64, False)


def find(
    service: str | None, method: str = "POST", path: str = "/", query: str = "", body: bytes = b"", **headers: str
) -> Route:
    pairs = tuple((name.replace("_", "-").encode(), value.encode()) for name, value in headers.items())
    request = HttpRequest(method, path.encode(), query.encode(), pairs, body)
    return ROUTER.find_route(request, scope(service) if service else None)


def brief(route: Route) -> tuple[str | None, str, str]:
    return route.service, route.operation.name if route.operation else route.unknown, route.codec.name


@pytest.mark.parametrize(
    ("service", "target", "expected"),
    [
        ("gamelift", "GameLift.CreateFleet", ("gamelift", "CreateFleet", "json")),
        (None, "GameLift.CreateFleet", ("gamelift", "CreateFleet", "json")),
        (
            "cloudtrail",
            "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents",
            ("cloudtrail", "LookupEvents", "json"),
        ),
        ("cloudtrail", "CloudTrail_20131101.LookupEvents", ("cloudtrail", "LookupEvents", "json")),
        ("sqs", "AmazonSQS.SendMessage", ("sqs", "SendMessage", "json")),
        ("gamelift", "GameLift.Nothing", ("gamelift", "Nothing", "json")),
        ("gamelift", "CreateFleet", (None, "CreateFleet", "json")),
        ("dynamodb", "DynamoDB_20120810.PutItem", (None, "PutItem", "json")),
        ("cloudtrail", "GameLift.CreateFleet", (None, "CreateFleet", "json")),
        ("gamelift", "MyGameLift.CreateFleet", (None, "CreateFleet", "json")),
        ("gamelift", "", (None, "POST /", "json")),
        ("gamelift", "GameLift.\x1b[2J", ("gamelift", "?[2J", "json")),
    ],
)
def test_json_calls_are_found_by_their_target(
    service: str | None, target: str, expected: tuple[str | None, str, str]
) -> None:
    assert brief(find(service, x_amz_target=target, content_type="application/x-amz-json-1.1")) == expected


@pytest.mark.parametrize(
    ("asked", "answered"),
    [("application/x-amz-json-1.0", "1.0"), ("application/x-amz-json-1.1; charset=utf-8", "1.1"), ("text/odd", "1.1")],
)
def test_json_is_answered_in_the_version_that_was_asked(asked: str, answered: str) -> None:
    route = find("gamelift", x_amz_target="GameLift.ListFleets", content_type=asked)
    assert route.operation is not None
    response = route.codec.encode({}, route.operation, "r")
    assert (b"content-type", f"application/x-amz-json-{answered}".encode()) in response.headers
    assert response.body == b"{}"


def test_json_without_a_version_is_answered_in_the_models() -> None:
    route = find("sqs", x_amz_target="AmazonSQS.ListQueues")
    assert route.operation is not None
    assert (b"content-type", b"application/x-amz-json-1.0") in route.codec.encode({}, route.operation, "r").headers


@pytest.mark.parametrize(
    ("service", "path", "expected"),
    [
        ("gamelift", "/service/GameLift/operation/CreateFleet", ("gamelift", "CreateFleet")),
        (None, "/service/GameLift/operation/CreateFleet", ("gamelift", "CreateFleet")),
        ("gamelift", "/prefix/service/GameLift/operation/CreateFleet", ("gamelift", "CreateFleet")),
        ("cloudtrail", "/service/CloudTrail_20131101/operation/LookupEvents", ("cloudtrail", "LookupEvents")),
        (
            "cloudtrail",
            "/service/com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101/operation/LookupEvents",
            ("cloudtrail", "LookupEvents"),
        ),
        ("gamelift", "/service/GameLift/operation/Nothing", ("gamelift", "Nothing")),
        ("cloudtrail", "/service/GameLift/operation/CreateFleet", (None, "CreateFleet")),
        ("gamelift", "/elsewhere", (None, "POST /elsewhere")),
    ],
)
def test_cbor_calls_are_found_by_their_path(service: str | None, path: str, expected: tuple[str | None, str]) -> None:
    route = find(service, path=path, smithy_protocol="rpc-v2-cbor")
    assert brief(route) == (*expected, "smithy-rpc-v2-cbor")


def test_an_object_whose_key_looks_like_a_cbor_call_is_an_object() -> None:
    assert brief(find("s3", "PUT", "/service/GameLift/operation/CreateFleet")) == ("s3", "PutObject", "rest-xml")
    assert find("s3", "POST", "/service/GameLift/operation/CreateFleet", "uploads").codec.name == "rest-xml"


@pytest.mark.parametrize(
    ("service", "body", "expected"),
    [
        ("iam", b"Action=GetUser&Version=2010-05-08", ("iam", "GetUser", "query")),
        ("sts", b"Version=2011-06-15&Action=GetCallerIdentity", ("sts", "GetCallerIdentity", "query")),
        ("ec2", b"Action=DescribeInstances&Version=2016-11-15", ("ec2", "DescribeInstances", "ec2")),
        (None, b"Action=AssumeRoleWithSAML&Version=2011-06-15", ("sts", "AssumeRoleWithSAML", "query")),
        (None, b"Action=GetUser&Version=2010-05-08", ("iam", "GetUser", "query")),
        (None, b"Action=GetUser&Version=1999-01-01", (None, "GetUser", "query")),
        (None, b"Action=GetUser", (None, "GetUser", "query")),
        ("iam", b"Action=Nothing&Version=2010-05-08", ("iam", "Nothing", "query")),
        ("sqs", b"Action=SendMessage&Version=2012-11-05", (None, "SendMessage", "query")),
        ("rds", b"Action=DescribeDBInstances&Version=2014-10-31", (None, "DescribeDBInstances", "query")),
        ("iam", b"Version=2010-05-08", ("iam", "POST /", "query")),
    ],
)
def test_query_calls_are_found_by_scope_or_version_and_action(
    service: str | None, body: bytes, expected: tuple[str | None, str, str]
) -> None:
    assert brief(find(service, body=body, content_type=FORM)) == expected


def test_query_calls_may_come_in_the_query_string() -> None:
    route = find("sts", "GET", "/", "Action=GetCallerIdentity&Version=2011-06-15")
    assert brief(route) == ("sts", "GetCallerIdentity", "query")


S3 = [
    ("GET", "/", "", "ListBuckets"),
    ("GET", "/", "x-id=ListBuckets", "ListBuckets"),
    ("GET", "/bkt", "", "ListObjects"),
    ("GET", "/bkt/", "", "ListObjects"),
    ("GET", "/bkt", "marker=a&prefix=", "ListObjects"),
    ("GET", "/bkt", "list-type=2&prefix=a+b", "ListObjectsV2"),
    ("GET", "/bkt/", "list-type=2", "ListObjectsV2"),
    ("GET", "/bkt", "lifecycle", "GetBucketLifecycleConfiguration"),
    ("GET", "/bkt/", "lifecycle=", "GetBucketLifecycleConfiguration"),
    ("PUT", "/bkt", "lifecycle", "PutBucketLifecycleConfiguration"),
    ("DELETE", "/bkt", "lifecycle", "DeleteBucketLifecycle"),
    ("GET", "/bkt", "notification", "GetBucketNotificationConfiguration"),
    ("PUT", "/bkt", "notification", "PutBucketNotificationConfiguration"),
    ("GET", "/bkt", "location", "GetBucketLocation"),
    ("GET", "/bkt", "versions", "ListObjectVersions"),
    ("GET", "/bkt", "uploads", "ListMultipartUploads"),
    ("GET", "/bkt", "analytics&id=1", "GetBucketAnalyticsConfiguration"),
    ("GET", "/bkt", "analytics", "ListBucketAnalyticsConfigurations"),
    ("PUT", "/bkt", "", "CreateBucket"),
    ("DELETE", "/bkt", "", "DeleteBucket"),
    ("HEAD", "/bkt", "", "HeadBucket"),
    ("POST", "/bkt", "delete", "DeleteObjects"),
    ("POST", "/bkt/", "delete=", "DeleteObjects"),
    ("GET", "/bkt/key", "", "GetObject"),
    ("GET", "/bkt/a/b//c/", "", "GetObject"),
    ("GET", "/bkt//", "", "GetObject"),
    ("GET", "/bkt/key", "response-content-type=a&versionId=", "GetObject"),
    ("HEAD", "/bkt/key", "", "HeadObject"),
    ("PUT", "/bkt/key", "", "PutObject"),
    ("PUT", "/bkt/key", "x-id=PutObject", "PutObject"),
    ("PUT", "/bkt/key", "acl", "PutObjectAcl"),
    ("PUT", "/bkt/key", "tagging", "PutObjectTagging"),
    ("PUT", "/bkt/key", "partNumber=1&uploadId=u", "UploadPart"),
    ("GET", "/bkt/key", "uploadId=u", "ListParts"),
    ("GET", "/bkt/key", "attributes", "GetObjectAttributes"),
    ("POST", "/bkt/key", "uploads", "CreateMultipartUpload"),
    ("POST", "/bkt/key", "uploadId=u", "CompleteMultipartUpload"),
    ("POST", "/bkt/key", "select&select-type=2", "SelectObjectContent"),
    ("DELETE", "/bkt/key", "uploadId=u", "AbortMultipartUpload"),
    ("DELETE", "/bkt/key", "versionId=v", "DeleteObject"),
    ("DELETE", "/bkt/key", "tagging", "DeleteObjectTagging"),
]


@pytest.mark.parametrize(("method", "path", "query", "operation"), S3)
def test_s3_operations_are_found_in_path_style(method: str, path: str, query: str, operation: str) -> None:
    assert brief(find("s3", method, path, query, host="127.0.0.1:4566")) == ("s3", operation, "rest-xml")


@pytest.mark.parametrize(("method", "path", "query", "operation"), [case for case in S3 if case[1].startswith("/bkt")])
def test_s3_operations_are_found_in_virtual_host_style(method: str, path: str, query: str, operation: str) -> None:
    rest = path.removeprefix("/bkt") or "/"
    assert brief(find("s3", method, rest, query, host="bkt.localhost:4566")) == ("s3", operation, "rest-xml")


@pytest.mark.parametrize(
    ("method", "path", "query", "unknown"),
    [
        ("DELETE", "/bkt", "newthing", "DELETE /bkt?newthing"),
        ("PUT", "/bkt", "newthing=", "PUT /bkt?newthing"),
        ("DELETE", "/bkt/key", "lifecycle", "DELETE /bkt/key?lifecycle"),
        ("PUT", "/bkt/key", "uploadId=u", "PUT /bkt/key?uploadId"),
        ("POST", "/bkt/key", "", "POST /bkt/key"),
        ("PATCH", "/bkt", "", "PATCH /bkt"),
        ("GET", "//key", "", "GET //key"),
    ],
)
def test_what_s3_does_not_have_is_not_taken_for_something_else(
    method: str, path: str, query: str, unknown: str
) -> None:
    assert brief(find("s3", method, path, query)) == ("s3", unknown, "rest-xml")


def test_a_copy_is_told_by_its_header_or_by_the_query_of_a_presigned_url() -> None:
    assert brief(find("s3", "PUT", "/bkt/key", x_amz_copy_source="/a/b"))[1] == "CopyObject"
    assert brief(find("s3", "PUT", "/bkt/key", "x-amz-copy-source=a%2Fb"))[1] == "CopyObject"
    route = find("s3", "PUT", "/bkt/key", "partNumber=1&uploadId=u", x_amz_copy_source="a/b")
    assert brief(route)[1] == "UploadPartCopy"


def test_unsigned_requests_that_are_nothing_else_are_for_s3() -> None:
    assert brief(find(None, "GET", "/bkt/key")) == ("s3", "GetObject", "rest-xml")
    query = "AWSAccessKeyId=a&Signature=b&Expires=1"
    assert brief(find(None, "PUT", "/bkt/key", query)) == ("s3", "PutObject", "rest-xml")
    without_s3 = Router(("gamelift",)).find_route(HttpRequest("GET", b"/bkt/key", b"", ()), None)
    assert brief(without_s3) == (None, "GET /bkt/key", "rest-xml")


def test_rest_json_is_found_by_scope_and_path() -> None:
    route = find("cloudtrail-data", path="/PutAuditEvents", query="channelArn=a")
    assert brief(route) == ("cloudtrail-data", "PutAuditEvents", "rest-json")
    assert brief(find("cloudtrail-data", path="/PutAuditEvents"))[1] == "PutAuditEvents"
    assert brief(find("s3", "GET", "/bkt/key", "attributes"))[1] == "GetObjectAttributes"
    assert brief(find("cloudtrail-data", path="/Other")) == ("cloudtrail-data", "POST /Other", "rest-json")


@pytest.mark.parametrize(
    ("service", "media_type", "codec"),
    [
        ("gamelift", "", "json"),
        ("lambda", "", "rest-json"),
        ("lambda", "application/json", "rest-json"),
        ("kms", "application/x-amz-json-1.1", "json"),
        ("other", "application/cbor", "smithy-rpc-v2-cbor"),
        ("iam", "", "query"),
        ("route53", "application/xml", "rest-xml"),
    ],
)
def test_what_is_not_known_is_answered_in_the_callers_protocol(service: str, media_type: str, codec: str) -> None:
    route = find(service, "POST", "/2015-03-31/functions", content_type=media_type)
    assert route.operation is None
    assert route.codec.name == codec
    answer = route.codec.encode_error(ServiceError("No.", code="Unknown"), route.service, None, "r")
    assert answer.status == 400
    assert b"Unknown" in answer.body


def test_an_error_of_s3_names_the_resource_and_a_head_has_no_body() -> None:
    error = ServiceError("No.", code="NoSuchKey", status=404, members={"Key": "a<b"})
    route = find("s3", "GET", "/a%3Cb", host="bkt.s3.us-west-2.amazonaws.com")
    body = route.codec.encode_error(error, "s3", route.operation, "r").body
    assert b"<Resource>/bkt/a&lt;b</Resource>" in body
    assert b"<Key>a&lt;b</Key>" in body
    head = find("s3", "HEAD", "/bkt/key")
    assert head.codec.encode_error(error, "s3", head.operation, "r").body == b""
    unknown = find("s3", "HEAD", "/bkt/key", "lifecycle")
    assert unknown.operation is None
    assert unknown.codec.encode_error(error, "s3", None, "r").body == b""


def test_signing_names_come_from_the_models() -> None:
    names = [signing_name(service) for service in ("cloudtrail-data", "s3", "sts", "ec2")]
    assert names == ["cloudtrail-data", "s3", "sts", "ec2"]
