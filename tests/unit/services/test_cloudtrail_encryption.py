"""Trails with a key of KMS, against an endpoint of KMS and a store that stand in for real ones on loopback."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from apitrail.settings import Delivery, Kms, Settings
from apitrail.testing import Stage

KEY = "11111111-2222-3333-4444-555555555555"
ARN = f"arn:aws:kms:us-west-2:111122223333:key/{KEY}"
OFF, FORBIDDEN = "alias/off", "alias/forbidden"
KEYS = {
    KEY: (ARN, "Enabled"),
    ARN: (ARN, "Enabled"),
    "alias/audit": (ARN, "Enabled"),
    OFF: (ARN, "PendingDeletion"),
    FORBIDDEN: (ARN.replace("1111-", "9999-"), "Enabled"),
}


class Answers(BaseHTTPRequestHandler):
    """Answers as KMS does where there is a target, else as a store that takes every object. puts: key of KMS by object."""

    protocol_version = "HTTP/1.1"
    puts: dict[str, str | None] = {}

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["content-length"]))
        if "x-amz-target" not in self.headers:
            self.answer(200, b"<DeleteResult><Deleted><Key>apitrail-check</Key></Deleted></DeleteResult>")
            return
        body = json.loads(content)
        assert self.headers["x-amz-target"] == "TrentService.DescribeKey"
        assert "/us-west-2/kms/aws4_request" in self.headers["authorization"]
        if body["KeyId"] not in KEYS:
            self.answer(400, {"__type": "NotFoundException", "message": "no such key"})
            return
        arn, state = KEYS[body["KeyId"]]
        self.answer(200, {"KeyMetadata": {"Arn": arn, "KeyState": state}})

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        key = self.headers["x-amz-server-side-encryption-aws-kms-key-id"]
        assert (self.headers["x-amz-server-side-encryption"] == "aws:kms") is (key is not None)
        if key and "9999-" in key:
            self.answer(403)
            return
        self.puts[self.path] = key
        self.answer(200)

    def do_HEAD(self) -> None:
        self.answer(200 if self.path in self.puts else 404)

    def do_DELETE(self) -> None:
        self.answer(204)

    def answer(self, status: int, content: Any = b"") -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("etag", '"0"')
        self.send_header("last-modified", format_datetime(datetime.now(UTC), usegmt=True))
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def serving() -> Iterator[str]:
    Answers.puts = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with serving() as url:
        secret = tmp_path / "secret"
        secret.write_text("a-secret-for-tests")
        delivery = Delivery(s3_endpoint=url, s3_access_key="AKIASTORE", s3_secret_key_file=str(secret))
        kms = Kms(endpoint=url, access_key="AKIAKEYS", secret_key_file=str(secret))
        with Stage(tmp_path / "data", Settings(delivery=delivery, kms=kms)) as stage:
            yield stage


def create(stage: Stage, key: str) -> dict[str, Any]:
    return stage.call("CreateTrail", Name="main", S3BucketName="audit", KmsKeyId=key)


def refusal(stage: Stage, key: str) -> str:
    return str(stage.error("CreateTrail", Name="main", S3BucketName="audit", KmsKeyId=key).error_code)


def deliver(stage: Stage) -> dict[str, str | None]:
    """Deliver, and return the keys of KMS that log files were put with since the last time."""
    Answers.puts.clear()
    stage.run(stage.app.deliverer.flush())
    return {path: key for path, key in Answers.puts.items() if "/CloudTrail/" in path}


@pytest.mark.parametrize("name", [KEY, ARN, "alias/audit"])
def test_a_key_is_kept_as_its_arn(stage: Stage, name: str) -> None:
    assert create(stage, name)["KmsKeyId"] == ARN
    assert stage.call("GetTrail", Name="main")["Trail"]["KmsKeyId"] == ARN


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("no key", "InvalidKmsKeyIdException"),
        ("arn:aws:s3:::audit", "InvalidKmsKeyIdException"),
        ("alias/unknown", "KmsKeyNotFoundException"),
        (OFF, "KmsException"),
        (FORBIDDEN, "InsufficientEncryptionPolicyException"),
    ],
)
def test_a_key_that_cannot_be_used_is_refused(stage: Stage, key: str, code: str) -> None:
    assert refusal(stage, key) == code
    assert stage.call("ListTrails")["Trails"] == []


def test_log_files_are_put_with_the_key_that_the_trail_had_at_their_time(stage: Stage) -> None:
    create(stage, "alias/audit")
    stage.call("StartLogging", Name="main")
    assert set(deliver(stage).values()) == {ARN}
    stage.call("UpdateTrail", Name="main", S3BucketName="audit", KmsKeyId="")
    assert "KmsKeyId" not in stage.call("GetTrail", Name="main")["Trail"]
    assert set(deliver(stage).values()) == {None}
    stage.call("UpdateTrail", Name="main", KmsKeyId=KEY)
    stage.call("DeleteTrail", Name="main")
    assert set(deliver(stage).values()) == {ARN}


def test_digest_files_are_not_put_with_the_key(stage: Stage) -> None:
    create(stage, KEY)
    stage.call("UpdateTrail", Name="main", EnableLogFileValidation=True)
    stage.call("StartLogging", Name="main")
    deliver(stage)
    for _ in range(2):
        stage.advance(3700, step=3700)
        stage.run(stage.app.digester.tick())
    digests = {key for path, key in Answers.puts.items() if "CloudTrail-Digest" in path}
    assert digests == {None}


@pytest.mark.parametrize("settings", [Settings(), Settings(kms=Kms(endpoint="http://127.0.0.1:1"))])
def test_a_key_is_refused_where_nobody_would_encrypt(tmp_path: Path, settings: Settings) -> None:
    with Stage(tmp_path, settings) as stage:
        error = stage.error("CreateTrail", Name="main", S3BucketName="audit", KmsKeyId=KEY)
        assert error.error_code == "UnsupportedOperationException"
        assert "kms.endpoint and delivery.s3_endpoint" in error.message


def test_a_kms_that_is_away_is_told(tmp_path: Path) -> None:
    away = Kms(endpoint="http://127.0.0.1:1", timeout_s=1.0)
    with serving() as url, Stage(tmp_path, Settings(delivery=Delivery(s3_endpoint=url), kms=away)) as stage:
        assert refusal(stage, KEY) == "KmsException"
