"""The small AWS client, against the SDK's own serializers, parsers and a real socket."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs

import botocore.loaders
import botocore.model
import botocore.serialize
import pytest

from apitrail.cli import query_wire
from apitrail.cli.client import Client, ServiceFailure, fetch_open, kebab_case, parse_endpoint
from apitrail.cli.discovery import Target
from apitrail.cli.errors import REFUSED, REMOTE, CliError
from apitrail.cli.profiles import Keys
from apitrail.clock import VirtualClock

NOW = datetime(2026, 3, 4, 9, 15, 2, tzinfo=UTC)
KEYS = Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI-never-shown", "", "profile x")


class Answering(BaseHTTPRequestHandler):
    """Answers every request with what the test put there, and keeps what came."""

    status: ClassVar[int] = 200
    body: ClassVar[bytes] = b"{}"
    date: ClassVar[datetime] = NOW
    seen: ClassVar[list[tuple[str, dict[str, str], bytes]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        self.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response_only(self.status)
        self.send_header("date", format_datetime(self.date, usegmt=True))
        self.send_header("content-length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    do_GET = do_POST

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def server() -> Iterator[str]:
    """A server on a real socket; yields its address."""
    Answering.status, Answering.body, Answering.date, Answering.seen = 200, b"{}", NOW, []
    with HTTPServer(("127.0.0.1", 0), Answering) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()


def client(endpoint: str) -> Client:
    """A client with a fixed clock."""
    return Client(Target(endpoint, "eu-west-1", KEYS, "test"), VirtualClock(NOW), timeout_s=5)


def test_a_cloudtrail_call_is_signed_json_with_the_target_of_the_operation(server: str) -> None:
    Answering.body = b'{"Events": []}'
    assert client(server).call("LookupEvents", {"MaxResults": 1}) == {"Events": []}
    _, headers, body = Answering.seen[0]
    assert headers["x-amz-target"].endswith("CloudTrail_20131101.LookupEvents")
    assert "AKIAIOSFODNN7EXAMPLE/20260304/eu-west-1/cloudtrail/aws4_request" in headers["authorization"]
    assert json.loads(body) == {"MaxResults": 1}


def test_iam_is_always_signed_for_us_east_1_and_sts_for_the_region(server: str) -> None:
    Answering.body = b"<R><GetCallerIdentityResult><Account>1</Account></GetCallerIdentityResult></R>"
    asking = client(server)
    asking.query("iam", "ListUsers")
    assert asking.query("sts", "GetCallerIdentity") == {"Account": "1"}
    scopes = [
        headers["authorization"].split("Credential=")[1].split(",")[0].split("/", 2)[2]
        for _, headers, _ in Answering.seen
    ]
    assert scopes == ["us-east-1/iam/aws4_request", "eu-west-1/sts/aws4_request"]


def test_all_pages_of_a_list_are_read(server: str) -> None:
    users = b"<Users><member><A>1</A></member></Users><IsTruncated>false</IsTruncated>"
    Answering.body = b"<R><ListUsersResult>" + users + b"</ListUsersResult></R>"
    assert client(server).query_all("ListUsers", "Users") == [{"A": "1"}]


FAILURES = {
    (400, b'{"__type":"com.amazonaws#TrailNotFoundException","message":"Unknown trail: x"}'): ("trail-not-found", REMOTE),
    (400, b'{"__type":"UnrecognizedClientException","message":"no"}'): ("unknown-key", REFUSED),
    (403, b"<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>m</Message></Error></ErrorResponse>"):
        ("signature-mismatch", REFUSED),
    (403, b'{"error":{"code":"AccessDeniedException","message":"no"}}'): ("access-denied", REFUSED),
    (500, b"oops"): ("failure", REMOTE),
    (502, b"<html>"): ("failure", REMOTE),
    (503, b"[]"): ("failure", REMOTE),
}  # fmt: skip


@pytest.mark.parametrize(("answer", "expected"), FAILURES.items())
def test_an_error_in_any_of_the_forms_has_a_stable_word_and_an_exit_code(
    server: str, answer: tuple[int, bytes], expected: tuple[str, int]
) -> None:
    Answering.status, Answering.body = answer
    with pytest.raises(ServiceFailure) as caught:
        client(server).call("GetTrail")
    assert (caught.value.code, caught.value.exit_code) == expected
    assert KEYS.secret_key not in str(caught.value) and KEYS.access_key not in str(caught.value)


def test_a_refused_signature_with_a_wrong_clock_says_how_wrong(server: str) -> None:
    Answering.status, Answering.body = 403, b'{"__type":"InvalidSignatureException","message":"m"}'
    Answering.date = NOW + timedelta(minutes=52)
    with pytest.raises(ServiceFailure) as caught:
        client(server).call("GetTrail")
    assert "52 min behind" in caught.value.hint


def test_an_answer_that_is_no_object_is_an_error_of_the_server(server: str) -> None:
    for body in (b"[1]", b"\xff", b"{"):
        Answering.body = body
        with pytest.raises(CliError) as caught:
            client(server).call("GetTrail")
        assert caught.value.exit_code == REMOTE


def test_a_server_that_is_not_there_cannot_be_reached() -> None:
    for asking in (
        lambda: client("http://127.0.0.1:1").call("GetTrail"),
        lambda: fetch_open("http://127.0.0.1:1", "ready", 1),
    ):
        with pytest.raises(CliError) as caught:
            asking()
        assert (caught.value.exit_code, caught.value.code) == (REMOTE, "unreachable")


@pytest.mark.parametrize(
    "endpoint", ["127.0.0.1:4580", "ftp://h", "http://", "http://h:99999", "http://h/path", "http://h:x"]
)
def test_an_address_that_is_none_is_a_wrong_command_line(endpoint: str) -> None:
    with pytest.raises(CliError) as caught:
        parse_endpoint(endpoint)
    assert caught.value.exit_code == 2


def test_addresses_are_taken_apart() -> None:
    assert parse_endpoint("http://[::1]:4580") == ("http", "::1", 4580)
    assert parse_endpoint("https://trail.example/") == ("https", "trail.example", 443)


PARAMS = {
    "CreateUser": {
        "UserName": "dana",
        "Path": "/ops/",
        "Tags": [{"Key": "a b", "Value": "c&d"}, {"Key": "e", "Value": ""}],
    },
    "ListPolicies": {"Scope": "Local", "OnlyAttached": True, "MaxItems": 5},
    "CreateRole": {"RoleName": "r", "AssumeRolePolicyDocument": '{"a": "é"}'},
}


@pytest.mark.parametrize(("operation", "params"), PARAMS.items())
def test_query_bodies_are_those_of_the_sdk(operation: str, params: dict[str, Any]) -> None:
    model = botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model("iam", "service-2"), "iam")
    serializer = botocore.serialize.create_serializer("query")
    expected = serializer.serialize_to_request(params, model.operation_model(operation))["body"]
    ours = parse_qs(query_wire.encode("iam", operation, {**params, "Absent": None}).decode(), keep_blank_values=True)
    assert ours == {name: [str(value)] for name, value in expected.items()}


def test_query_answers_become_documents() -> None:
    body = b"""<X xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><XResult><Users><member><Name>a</Name></member>
    <member><Name>b</Name></member></Users><SummaryMap><entry><key>Users</key><value>2</value></entry></SummaryMap>
    <Empty/></XResult><ResponseMetadata/></X>"""
    assert query_wire.decode(body) == {
        "Users": [{"Name": "a"}, {"Name": "b"}],
        "SummaryMap": {"Users": "2"},
        "Empty": "",
    }
    assert query_wire.decode(b"<X><ResponseMetadata/></X>") == {}
    assert query_wire.listed("") == []


@pytest.mark.parametrize("body", [b"", b"<a", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'])
def test_an_answer_that_is_no_plain_xml_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="answer"):
        query_wire.decode(body)


def test_api_errors_become_stable_words() -> None:
    assert kebab_case("TrailNotFoundException") == "trail-not-found"
    assert kebab_case("journal-unavailable") == "journal-unavailable"
    assert kebab_case("") == "failure"
