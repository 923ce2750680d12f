"""Lifecycle rules, put by the AWS CLI, on a server whose clock is set forward."""

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import Running

DAY_S = 86_400
WAIT_S = 20
PLAIN, KEPT = "archive-me", "keep-me"
TAG = {"Key": "keep", "Value": "short"}


def rules(today: datetime) -> list[dict[str, Any]]:
    """Return a rule of each kind, each with a prefix of its own."""

    def rule(name: str, chosen: Any = None, **actions: Any) -> dict[str, Any]:
        return {"ID": name, "Status": "Enabled", "Filter": chosen or {"Prefix": f"{name}/"}, **actions}

    small = {"And": {"Prefix": "size/", "ObjectSizeGreaterThan": 10, "ObjectSizeLessThan": 100}}
    date = (today + timedelta(days=4)).strftime("%Y-%m-%dT00:00:00Z")
    return [
        rule("days", Expiration={"Days": 3}),
        rule("date", Expiration={"Date": date}),
        rule("tag", {"And": {"Prefix": "tag/", "Tags": [TAG]}}, Expiration={"Days": 1}),
        rule("size", small, Expiration={"Days": 1}),
        rule("cold", Transitions=[{"Days": 2, "StorageClass": "GLACIER"}], Expiration={"Days": 40}),
        rule("warm", Transitions=[{"Days": 1, "StorageClass": "STANDARD_IA"}]),
        rule("parts", AbortIncompleteMultipartUpload={"DaysAfterInitiation": 2}),
        {**rule("off", Expiration={"Days": 1}), "Status": "Disabled"},
    ]


OBJECTS = {
    "days/a": 5,
    "date/a": 5,
    "tag/short": 5,
    "tag/long": 5,
    "size/small": 10,
    "size/middle": 50,
    "size/large": 100,
    "cold/a": 5000,
    "warm/a": 5,
    "off/a": 5,
    "other/a": 5,
}


class Room:
    """A server, its clock, and an S3 client."""

    def __init__(self, server: Running) -> None:
        self.server = server
        self.s3 = server.client("s3", region="us-east-1")

    def pass_days(self, days: float) -> datetime:
        body = json.dumps({"advance_s": days * DAY_S}).encode()
        request = urllib.request.Request(self.server.endpoint + "/_apitrail/clock", body, method="POST")
        with urllib.request.urlopen(request) as answer:
            return datetime.fromisoformat(json.load(answer)["now"])

    def configure(self, bucket: str, wanted: list[dict[str, Any]]) -> None:
        words = ["--bucket", bucket, "--lifecycle-configuration", json.dumps({"Rules": wanted})]
        self.server.aws("s3api", "put-bucket-lifecycle-configuration", "--region", "us-east-1", *words)

    def keys(self, bucket: str = PLAIN) -> set[str]:
        return {one["Key"] for one in self.s3.list_objects_v2(Bucket=bucket).get("Contents", [])}

    def versions(self, bucket: str = KEPT) -> list[tuple[str, str]]:
        listed = self.s3.list_object_versions(Bucket=bucket)
        found = listed.get("Versions", []) + listed.get("DeleteMarkers", [])
        return sorted((one["Key"], one["VersionId"]) for one in found)

    def uploads(self) -> list[str]:
        return [one["Key"] for one in self.s3.list_multipart_uploads(Bucket=PLAIN)["Uploads"]]

    def put(self, key: str, **lock: Any) -> str:
        return str(self.s3.put_object(Bucket=KEPT, Key=key, Body=b"1", **lock)["VersionId"])

    def storage_class(self, key: str) -> str:
        return str(self.s3.head_object(Bucket=PLAIN, Key=key).get("StorageClass", "STANDARD"))

    def until(self, look: Callable[[], Any], wanted: Any) -> None:
        """Wait until the rules have been followed."""
        end = time.monotonic() + WAIT_S
        while (seen := look()) != wanted:
            assert time.monotonic() < end, f"{seen} where {wanted} should be"
            time.sleep(0.05)

    def read(self, key: str, bucket: str = PLAIN) -> bytes:
        content: bytes = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content


@pytest.fixture
def room(make_server: Callable[..., Running]) -> Iterator[Room]:
    """A server on which it is noon, so that no midnight comes by itself."""
    room = Room(make_server(verb="dev"))
    now = room.pass_days(0)
    noon = now.replace(hour=12, minute=0, second=0)
    room.pass_days(((noon - now).total_seconds() % DAY_S) / DAY_S)
    yield room


def fill(room: Room) -> None:
    room.s3.create_bucket(Bucket=PLAIN)
    for key, size in OBJECTS.items():
        tagging = {"Tagging": f"{TAG['Key']}={TAG['Value']}"} if key == "tag/short" else {}
        room.s3.put_object(Bucket=PLAIN, Key=key, Body=b"x" * size, **tagging)
    for key in ("parts/a", "other/parts"):
        room.s3.create_multipart_upload(Bucket=PLAIN, Key=key)


def check_restore(room: Room) -> None:
    """Check that an archived object is read after a restore only, and for its days only."""
    with pytest.raises(ClientError) as caught:
        room.read("cold/a")
    assert caught.value.response["Error"]["Code"] == "InvalidObjectState"
    request = {"Days": 2, "GlacierJobParameters": {"Tier": "Expedited"}}
    asked = room.s3.restore_object(Bucket=PLAIN, Key="cold/a", RestoreRequest=request)
    assert asked["ResponseMetadata"]["HTTPStatusCode"] == 202
    room.until(lambda: "false" in room.s3.head_object(Bucket=PLAIN, Key="cold/a").get("Restore", ""), True)
    assert room.read("cold/a") == b"x" * 5000
    room.pass_days(4)
    room.until(lambda: "Restore" in room.s3.head_object(Bucket=PLAIN, Key="cold/a"), False)
    with pytest.raises(ClientError):
        room.read("cold/a")


def test_rules_of_the_aws_cli_archive_and_delete_exactly_what_they_should(room: Room) -> None:
    fill(room)
    now = room.pass_days(0)
    room.configure(PLAIN, rules(now))
    assert 'rule-id="days"' in room.s3.head_object(Bucket=PLAIN, Key="days/a")["Expiration"]
    left = set(OBJECTS)
    room.pass_days(1)
    room.s3.put_object(Bucket=PLAIN, Key="days/young", Body=b"1")
    left.add("days/young")
    assert room.keys() == left
    room.pass_days(1)
    left -= {"tag/short", "size/middle"}
    room.until(room.keys, left)
    assert (room.storage_class("warm/a"), room.storage_class("cold/a")) == ("STANDARD_IA", "STANDARD")
    assert room.uploads() == ["other/parts", "parts/a"]
    room.pass_days(1)
    room.until(lambda: room.storage_class("cold/a"), "GLACIER")
    room.until(room.uploads, ["other/parts"])
    assert room.keys() == left
    room.pass_days(1)
    left -= {"days/a", "date/a"}
    room.until(room.keys, left)
    check_restore(room)
    left -= {"days/young"}
    room.until(room.keys, left)
    assert room.read("warm/a") == room.read("off/a") == room.read("other/a") == b"x" * 5
    room.pass_days(40)
    left -= {"cold/a"}
    room.until(room.keys, left)


def test_old_versions_end_and_locked_ones_stay(room: Room) -> None:
    room.s3.create_bucket(Bucket=KEPT, ObjectLockEnabledForBucket=True)
    until = datetime.now(UTC) + timedelta(days=50)
    locked = room.put("k", ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=until)
    held = room.put("k", ObjectLockLegalHoldStatus="ON")
    older, newer, current = room.put("k"), room.put("k"), room.put("k")
    other = room.put("other")
    action = {"NoncurrentDays": 5, "NewerNoncurrentVersions": 1}
    chosen = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "k"}}
    room.configure(KEPT, [{**chosen, "NoncurrentVersionExpiration": action}])
    everything = sorted([("k", one) for one in (locked, held, older, newer, current)] + [("other", other)])
    room.pass_days(4)
    assert room.versions() == everything
    room.pass_days(3)
    room.until(room.versions, [one for one in everything if one[1] != older])
    with pytest.raises(ClientError) as caught:
        room.s3.delete_object(Bucket=KEPT, Key="k", VersionId=locked, BypassGovernanceRetention=True)
    assert caught.value.response["Error"]["Code"] == "AccessDenied"
    room.pass_days(50)
    room.until(room.versions, [one for one in everything if one[1] not in (older, locked)])
