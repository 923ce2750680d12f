"""Lifecycle rules of a trail's bucket at a foreign store, which is a real SeaweedFS, with and without rules of its own."""

import http.client
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest

from apitrail.settings import Delivery, Settings
from apitrail.testing import Stage
from apitrail.testing.stage import root
from seaweed import KEY, SECRET, running_store

DAY_S = 86_400
HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "date", "server"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_store(tmp_path_factory.mktemp("seaweed")) as endpoint:
        yield endpoint


@pytest.fixture
def plain_store(store: str) -> Iterator[str]:
    """The store behind a door that knows nothing of lifecycle rules."""

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if "lifecycle" in urlsplit(self.path).query:
                self.answer(501, [], b"<Error><Code>NotImplemented</Code><Message>no rules here</Message></Error>")
                return
            connection = http.client.HTTPConnection(urlsplit(store).netloc)
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            response = connection.getresponse()
            self.answer(response.status, response.getheaders(), response.read(), response.getheader("content-length"))
            connection.close()

        def answer(self, status: int, headers: list[tuple[str, str]], body: bytes, length: str | None = None) -> None:
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("content-length", length if self.command == "HEAD" and length else str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def client_of(store: str) -> Any:
    return boto3.client(
        "s3", endpoint_url=store, aws_access_key_id=KEY, aws_secret_access_key=SECRET, region_name="us-east-1"
    )


def make_stage(path: Path, endpoint: str, bucket: str) -> Stage:
    """Make a bucket at a store, and a server with a trail into it."""
    client_of(endpoint).create_bucket(Bucket=bucket)
    secret = path / "secret"
    secret.write_text(SECRET)
    delivery = Delivery(s3_endpoint=endpoint, s3_access_key=KEY, s3_secret_key_file=str(secret))
    stage = Stage(path / "data", Settings(delivery=delivery))
    stage.clock.jump(datetime.now(UTC))
    stage.call("CreateTrail", Name="main", S3BucketName=bucket)
    return stage


def rule(name: str, chosen: Any = None, **actions: Any) -> dict[str, Any]:
    return {"ID": name, "Status": "Enabled", "Filter": chosen or {"Prefix": f"{name}/"}, **actions}


def put_rules(*rules: dict[str, Any], bucket: str) -> dict[str, Any]:
    return {"Bucket": bucket, "LifecycleConfiguration": {"Rules": list(rules)}}


def test_rules_are_handed_over_to_a_store_that_follows_them(store: str, tmp_path: Path) -> None:
    with make_stage(tmp_path, store, "handed-over") as stage:
        named = {"Bucket": "handed-over"}
        assert stage.error("GetBucketLifecycleConfiguration", **named).error_code == "NoSuchLifecycleConfiguration"
        rules = [rule("logs", Expiration={"Days": 30}), rule("old", Expiration={"Days": 1})]
        stage.call("PutBucketLifecycleConfiguration", **put_rules(*rules, bucket="handed-over"))
        theirs = client_of(store).get_bucket_lifecycle_configuration(**named)["Rules"]
        ours = stage.call("GetBucketLifecycleConfiguration", **named)["Rules"]
        assert [(one["ID"], one["Expiration"]["Days"]) for one in theirs] == [("logs", 30), ("old", 1)]
        assert [one["ID"] for one in ours] == ["logs", "old"]
        stage.call("DeleteBucketLifecycle", **named)
        assert stage.error("GetBucketLifecycleConfiguration", **named).error_code == "NoSuchLifecycleConfiguration"
        cold = rule("cold", Transitions=[{"Days": 1, "StorageClass": "GLACIER"}])
        error = stage.error("PutBucketLifecycleConfiguration", **put_rules(cold, bucket="handed-over"))
        assert (error.error_code, error.error_status) == ("NotImplemented", 501)
        assert "Transitions" in error.message


def test_only_buckets_of_own_trails_are_reached(store: str, tmp_path: Path) -> None:
    with make_stage(tmp_path, store, "own-trail") as stage:
        for name, caller in (("ready-bucket", root()), ("own-trail", root("444455556666"))):
            params = put_rules(rule("a", Expiration={"Days": 1}), bucket=name)
            with pytest.raises(Exception, match="bucket does not exist"):
                stage.call_("PutBucketLifecycleConfiguration", params, principal=caller)


def test_rules_are_followed_here_for_a_store_that_offers_none(plain_store: str, tmp_path: Path) -> None:
    bucket, client = "no-rules-here", client_of(plain_store)
    with make_stage(tmp_path, plain_store, bucket) as stage:
        for key, tagging in (("days/a", ""), ("tag/a", "t=1"), ("tag/b", "t=2"), ("size/large", ""), ("other", "")):
            client.put_object(Bucket=bucket, Key=key, Body=b"x" * (99 if "large" in key else 9), Tagging=tagging)
        for key in ("parts/a", "other"):
            client.create_multipart_upload(Bucket=bucket, Key=key)
        late = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=5)
        rules = [
            rule("days", Expiration={"Days": 2}),
            rule("tag", {"And": {"Prefix": "tag/", "Tags": [{"Key": "t", "Value": "1"}]}}, Expiration={"Days": 1}),
            rule("size", {"And": {"Prefix": "size/", "ObjectSizeGreaterThan": 50}}, Expiration={"Date": late}),
            rule("parts", AbortIncompleteMultipartUpload={"DaysAfterInitiation": 1}),
        ]
        stage.call("PutBucketLifecycleConfiguration", **put_rules(*rules, bucket=bucket))
        assert len(stage.call("GetBucketLifecycleConfiguration", Bucket=bucket)["Rules"]) == 4
        worker = next(worker for worker in stage.app.workers if worker.name == "lifecycle")
        left = []
        for days in (0, 2, 1, 3):
            stage.clock.advance(days * DAY_S)
            stage.run(worker.tick())
            left.append(sorted(one["Key"] for one in client.list_objects_v2(Bucket=bucket)["Contents"]))
        assert left[0] == ["days/a", "other", "size/large", "tag/a", "tag/b"]
        assert left[1] == ["days/a", "other", "size/large", "tag/b"]
        assert left[2] == ["other", "size/large", "tag/b"]
        assert left[3] == ["other", "tag/b"]
        assert [one["Key"] for one in client.list_multipart_uploads(Bucket=bucket)["Uploads"]] == ["other"]
        old = rule("old", NoncurrentVersionExpiration={"NoncurrentDays": 1})
        error = stage.error("PutBucketLifecycleConfiguration", **put_rules(old, bucket=bucket))
        assert (error.error_code, "NoncurrentVersionExpiration" in error.message) == ("NotImplemented", True)
        stage.call("DeleteBucketLifecycle", Bucket=bucket)
        assert (
            stage.error("GetBucketLifecycleConfiguration", Bucket=bucket).error_code == "NoSuchLifecycleConfiguration"
        )


def test_a_store_that_is_away_is_asked_again_later(plain_store: str, tmp_path: Path) -> None:
    with make_stage(tmp_path, plain_store, "comes-back") as stage:
        asked = put_rules(rule("days", Expiration={"Days": 2}), bucket="comes-back")
        stage.call("PutBucketLifecycleConfiguration", **asked)
        client_of(plain_store).delete_bucket(Bucket="comes-back")
        worker = next(worker for worker in stage.app.workers if worker.name == "lifecycle")
        assert stage.run(worker.tick()) == 60.0
        client_of(plain_store).create_bucket(Bucket="comes-back")
        assert stage.run(worker.tick()) > 60.0 or datetime.now(UTC).hour == 23
