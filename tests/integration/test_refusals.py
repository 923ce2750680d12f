"""Who is not let in: refused with the code that AWS uses, in the caller's protocol, and nothing is changed or recorded."""

import hashlib
import hmac
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from conftest import REGION, Running
from load import credential

from apitrail.identity.signer import sign_headers

BODY = b'{"LocationName":"custom-place"}'
Change = Callable[[AWSRequest], None]


def signed(server: Running, *, token: str | None = None, key: str = "", secret: str = "") -> AWSRequest:
    own_key, own_secret = server.keys
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "GameLift.CreateLocation"}
    request = AWSRequest("POST", server.endpoint + "/", headers, BODY)
    SigV4Auth(Credentials(key or own_key, secret or own_secret, token), "gamelift", REGION).add_auth(request)
    return request


def send(request: AWSRequest) -> tuple[int, bytes]:
    prepared = request.prepare()
    ask = urllib.request.Request(prepared.url, prepared.body, dict(prepared.headers), method=prepared.method)
    try:
        with urllib.request.urlopen(ask) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def locations(server: Running) -> list[Any]:
    return server.client("gamelift").list_locations(Filters=["CUSTOM"])["Locations"]


def events_of(server: Running, name: str) -> list[Any]:
    attribute = {"AttributeKey": "EventName", "AttributeValue": name}
    return server.client("cloudtrail").lookup_events(LookupAttributes=[attribute])["Events"]


def test_a_wrong_secret_is_refused(server: Running) -> None:
    status, body = send(signed(server, secret="not the secret"))
    assert status == 400
    assert b"InvalidSignatureException" in body


def test_an_altered_body_is_refused(server: Running) -> None:
    request = signed(server)
    request.data = BODY.replace(b"place", b"other")
    status, body = send(request)
    assert status == 400
    assert b"InvalidSignatureException" in body


def test_an_unknown_key_is_refused(server: Running) -> None:
    status, body = send(signed(server, key="AKIAEXAMPLEUNKNOWN01", secret="x"))
    assert status == 400
    assert b"UnrecognizedClientException" in body


def test_a_stale_date_is_refused(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    old = datetime.now(UTC) - timedelta(minutes=20)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: old.replace(tzinfo=None))
    status, body = send(signed(server))
    assert status == 400
    assert b"Signature" in body
    assert b"expired" in body.lower()


def test_a_request_without_signature_is_refused(server: Running) -> None:
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "GameLift.CreateLocation"}
    status, body = send(AWSRequest("POST", server.endpoint + "/", headers, BODY))
    assert status == 400
    assert b"MissingAuthenticationToken" in body


def test_a_session_key_without_its_token_is_refused(server: Running) -> None:
    made = server.client("sts").get_session_token()["Credentials"]
    request = signed(server, key=made["AccessKeyId"], secret=made["SecretAccessKey"])
    status, body = send(request)
    assert status == 400
    assert b"UnrecognizedClientException" in body or b"InvalidClientTokenId" in body


def test_a_token_of_another_session_is_refused(server: Running) -> None:
    sts = server.client("sts")
    first, second = (sts.get_session_token()["Credentials"] for _ in range(2))
    request = signed(server, key=first["AccessKeyId"], secret=first["SecretAccessKey"], token=second["SessionToken"])
    assert send(request)[0] == 400


def test_refusals_come_in_the_protocol_of_the_caller(server: Running) -> None:
    wrong = (server.keys[0], "wrong")
    for service, ask, code in (
        ("sts", lambda client: client.get_caller_identity(), "SignatureDoesNotMatch"),
        ("s3", lambda client: client.list_buckets(), "SignatureDoesNotMatch"),
        ("gamelift", lambda client: client.list_builds(), "InvalidSignatureException"),
    ):
        with pytest.raises(ClientError) as refused:
            ask(server.client(service, keys=wrong))
        assert refused.value.response["Error"]["Code"] == code


def test_nothing_refused_has_changed_or_recorded_anything(make_server: Callable[..., Running]) -> None:
    server = make_server()
    assert send(signed(server, secret="not the secret"))[0] == 400
    assert locations(server) == []
    assert events_of(server, "CreateLocation") == []
    log = (server.data / "security.log").read_text()
    assert "bad-signature" in log
    assert "not the secret" not in log


def test_the_same_signature_may_come_twice_within_its_time(server: Running) -> None:
    request = signed(server)
    assert send(request)[0] == 200
    assert b"ConflictException" in send(request)[1]
    assert len(events_of(server, "CreateLocation")) == 2


def chunked(server: Running, chunks: list[bytes]) -> AWSRequest:
    """Return a PUT whose body is signed chunk by chunk, as SDKs of other languages send it over plain http."""
    key, secret = server.keys
    at = datetime.now(UTC)
    content = b"".join(chunks)
    headers = {
        "host": server.endpoint.removeprefix("http://"),
        "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "x-amz-decoded-content-length": str(len(content)),
        "content-encoding": "aws-chunked",
    }
    url = server.endpoint + "/chunks/object"
    signed_headers = sign_headers("PUT", url, headers, b"", credential(key, secret), REGION, "s3", at)
    seed = signed_headers["authorization"].rpartition("=")[2]
    scope = f"{at:%Y%m%d}/{REGION}/s3/aws4_request"
    signing = b"AWS4" + secret.encode()
    for part in (f"{at:%Y%m%d}", REGION, "s3", "aws4_request"):
        signing = hmac.digest(signing, part.encode(), "sha256")
    framed = b""
    for chunk in [*chunks, b""]:
        empty, digest = hashlib.sha256(b"").hexdigest(), hashlib.sha256(chunk).hexdigest()
        text = f"AWS4-HMAC-SHA256-PAYLOAD\n{at:%Y%m%dT%H%M%SZ}\n{scope}\n{seed}\n{empty}\n{digest}"
        seed = hmac.digest(signing, text.encode(), "sha256").hex()
        framed += b"%x;chunk-signature=%s\r\n%s\r\n" % (len(chunk), seed.encode(), chunk)
    return AWSRequest("PUT", url, signed_headers, framed)


def test_a_chunk_that_comes_twice_or_out_of_order_is_refused(server: Running) -> None:
    s3 = server.client("s3")
    s3.create_bucket(Bucket="chunks", CreateBucketConfiguration={"LocationConstraint": REGION})
    first, second = b"a" * 70_000, b"b" * 70_000
    good = chunked(server, [first, second])
    frames = [good.data[: 70_000 + 88], good.data[70_000 + 88 : 140_000 + 176], good.data[140_000 + 176 :]]
    assert b"".join(frames) == good.data
    for order in ([0, 0, 2], [1, 0, 2], [0, 1], [0, 2]):
        bad = chunked(server, [first, second])
        bad.data = b"".join(frames[number] for number in order)
        bad.headers.replace_header("authorization", good.headers["authorization"])
        bad.headers.replace_header("x-amz-date", good.headers["x-amz-date"])
        status, body = send(bad)
        assert status in (400, 403), body
        assert s3.list_objects_v2(Bucket="chunks")["KeyCount"] == 0
    assert send(good)[0] == 200
    assert s3.get_object(Bucket="chunks", Key="object")["Body"].read() == first + second


def test_a_forwarded_address_is_not_believed(server: Running) -> None:
    client = server.client("gamelift")
    forward = {"X-Forwarded-For": "203.0.113.9"}
    client.meta.events.register("before-send", lambda request, **_: request.headers.update(forward))
    client.list_scripts()
    record = json.loads(events_of(server, "ListScripts")[0]["CloudTrailEvent"])
    assert record["sourceIPAddress"] == "127.0.0.1"
