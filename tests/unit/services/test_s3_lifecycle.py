"""Lifecycle rules: what is refused, what they say, and what the worker does on a clock that is moved by hand."""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apitrail.errors import ServiceError
from apitrail.objects.bucket import Facts, ObjectInfo
from apitrail.services.s3.rules import after_days, check_rules, class_of, expiry_of, is_match, is_old_ended
from apitrail.testing import Stage

DAY_S = 86_400
BEGIN = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)


@pytest.fixture
def room(stage: Stage) -> Stage:
    stage.region = "us-east-1"
    stage.call("CreateBucket", Bucket="audit")
    return stage


def rule(**members: Any) -> dict[str, Any]:
    return {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, **members}


def info(key: str = "k", size: int = 5, tags: dict[str, str] | None = None, **facts: Any) -> ObjectInfo:
    return ObjectInfo(key, size, "e", BEGIN, Facts(tags=tags or {}, **facts))


# Rules ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ([], "MalformedXML"),
        ([rule()], "InvalidRequest"),
        ([rule(Expiration={"Days": 1}), rule(Expiration={"Days": 2})], "InvalidArgument"),
        ([rule(Expiration={"Days": 0})], "InvalidArgument"),
        ([rule(Expiration={"Days": 1, "Date": BEGIN})], "MalformedXML"),
        ([rule(Expiration={"Date": BEGIN})], "InvalidArgument"),
        ([rule(Expiration={"Days": 1}, Prefix="a")], "MalformedXML"),
        ([rule(Expiration={"Days": 1}, ID="x" * 256)], "InvalidArgument"),
        ([rule(Transitions=[{"Days": 1, "StorageClass": "STANDARD"}])], "MalformedXML"),
        ([rule(Transitions=[{"Days": -1, "StorageClass": "GLACIER"}])], "InvalidArgument"),
        ([rule(NoncurrentVersionExpiration={"NoncurrentDays": 0})], "InvalidArgument"),
        ([rule(AbortIncompleteMultipartUpload={"DaysAfterInitiation": 0})], "InvalidArgument"),
        ([rule(Expiration={"Days": 1}, Filter={"Prefix": "a", "ObjectSizeGreaterThan": 1})], "MalformedXML"),
    ],
)
def test_rules_that_cannot_be_are_refused(rules: list[dict[str, Any]], code: str) -> None:
    with pytest.raises(ServiceError) as caught:
        check_rules(rules)
    assert caught.value.error_code == code


@pytest.mark.parametrize(
    ("chosen", "matches"),
    [
        ({"Prefix": "logs/"}, True),
        ({"Prefix": "other/"}, False),
        ({"Tag": {"Key": "a", "Value": "b"}}, True),
        ({"Tag": {"Key": "a", "Value": "c"}}, False),
        ({"ObjectSizeGreaterThan": 5}, False),
        ({"ObjectSizeGreaterThan": 4}, True),
        ({"ObjectSizeLessThan": 5}, False),
        ({"And": {"Prefix": "logs/", "Tags": [{"Key": "a", "Value": "b"}], "ObjectSizeLessThan": 6}}, True),
        ({"And": {"Prefix": "logs/", "Tags": [{"Key": "z", "Value": "b"}]}}, False),
        ({}, True),
    ],
)
def test_a_filter_takes_objects_by_prefix_tag_and_size(chosen: dict[str, Any], matches: bool) -> None:
    assert is_match(rule(Filter=chosen), "logs/1", {"a": "b"}, 5) is matches
    assert not is_match(rule(Filter=chosen, Status="Disabled"), "logs/1", {"a": "b"}, 5)


def test_days_end_at_the_next_midnight() -> None:
    assert after_days(BEGIN, 1) == datetime(2026, 3, 3, tzinfo=UTC)
    assert after_days(datetime(2026, 3, 1, tzinfo=UTC), 1) == datetime(2026, 3, 2, tzinfo=UTC)


def test_the_earliest_end_and_the_coldest_class_win() -> None:
    rules = [
        rule(ID="late", Expiration={"Days": 9}),
        rule(ID="soon", Expiration={"Days": 3}),
        rule(Transitions=[{"Days": 1, "StorageClass": "DEEP_ARCHIVE"}, {"Days": 0, "StorageClass": "STANDARD_IA"}]),
    ]
    assert expiry_of(rules, info()) == (datetime(2026, 3, 5, tzinfo=UTC), "soon")
    assert class_of(rules, info(), BEGIN) == "STANDARD"
    assert class_of(rules, info(), datetime(2026, 3, 2, tzinfo=UTC)) == "STANDARD_IA"
    assert class_of(rules, info(), datetime(2026, 3, 3, tzinfo=UTC)) == "DEEP_ARCHIVE"


def test_the_newest_of_the_older_versions_are_kept() -> None:
    rules = [rule(NoncurrentVersionExpiration={"NoncurrentDays": 1, "NewerNoncurrentVersions": 2})]
    later = BEGIN + timedelta(days=9)
    assert [is_old_ended(rules, info(), BEGIN, newer, later) for newer in (0, 1, 2, 3)] == [False, False, True, True]


# The worker -----------------------------------------------------------------------------------------------------


def put(room: Stage, key: str, body: bytes = b"12345", **params: Any) -> None:
    """Store an object whose time is that of the stage."""
    room.call("PutObject", Bucket="audit", Key=key, Body=body, **params)
    at = room.clock.now().timestamp()
    path = room.data_dir / "buckets" / "audit" / key
    facts = room.run(room.bucket("audit").head(key))
    os.utime(path, (at, at))
    sidecar = room.bucket("audit")._sidecar(key.encode())  # type: ignore[attr-defined]
    entry = sidecar.entries[0]
    moved = type(entry)(entry.size, path.stat().st_mtime_ns, entry.facts)
    room.bucket("audit")._write_sidecar(type(sidecar)(key, (moved,), sidecar.number))  # type: ignore[attr-defined]
    assert facts is not None


def configure(room: Stage, *rules: dict[str, Any]) -> None:
    room.call("PutBucketLifecycleConfiguration", Bucket="audit", LifecycleConfiguration={"Rules": list(rules)})


def pass_days(room: Stage, days: float) -> None:
    room.clock.advance(days * DAY_S)
    worker = next(worker for worker in room.app.workers if worker.name == "lifecycle")
    room.run(worker.tick())


def keys(room: Stage) -> list[str]:
    return [one["Key"] for one in room.call("ListObjectsV2", Bucket="audit")["Contents"]]


def test_objects_end_by_prefix_tag_and_size_and_nothing_else_does(room: Stage) -> None:
    put(room, "logs/1")
    put(room, "logs/large", b"x" * 100)
    put(room, "keep/1")
    put(room, "keep/tagged", Tagging="t=1")
    configure(
        room,
        rule(ID="a", Filter={"And": {"Prefix": "logs/", "ObjectSizeLessThan": 50}}, Expiration={"Days": 3}),
        rule(ID="b", Filter={"Tag": {"Key": "t", "Value": "1"}}, Expiration={"Days": 1}),
    )
    assert 'rule-id="a"' in room.call("HeadObject", Bucket="audit", Key="logs/1")["Expiration"]
    assert "Expiration" not in room.call("HeadObject", Bucket="audit", Key="keep/1")
    pass_days(room, 0)
    assert len(keys(room)) == 4
    pass_days(room, 2)
    assert keys(room) == ["keep/1", "logs/1", "logs/large"]
    pass_days(room, 2)
    assert keys(room) == ["keep/1", "logs/large"]


def test_an_archived_object_must_be_restored_and_is_again_when_its_days_are_over(room: Stage) -> None:
    put(room, "logs/1", b"line\n" * 1000)
    configure(room, rule(Transitions=[{"Days": 1, "StorageClass": "GLACIER"}]))
    pass_days(room, 3)
    head = room.call("HeadObject", Bucket="audit", Key="logs/1")
    assert (head["StorageClass"], head["ContentLength"]) == ("GLACIER", 5000)
    assert not (room.data_dir / "buckets" / "audit" / "logs" / "1").exists()
    assert room.error("GetObject", Bucket="audit", Key="logs/1").error_code == "InvalidObjectState"
    error = room.error("CopyObject", Bucket="audit", Key="copy", CopySource="audit/logs/1")
    assert error.error_code == "InvalidObjectState"
    room.call("RestoreObject", Bucket="audit", Key="logs/1", RestoreRequest={"Days": 2})
    assert room.call("HeadObject", Bucket="audit", Key="logs/1")["Restore"] == 'ongoing-request="true"'
    again = room.error("RestoreObject", Bucket="audit", Key="logs/1", RestoreRequest={"Days": 2})
    assert again.error_code == "RestoreAlreadyInProgress"
    room.advance(5)
    assert room.call("GetObject", Bucket="audit", Key="logs/1")["Body"] == b"line\n" * 1000
    assert 'ongoing-request="false"' in room.call("HeadObject", Bucket="audit", Key="logs/1")["Restore"]
    pass_days(room, 4)
    assert room.error("GetObject", Bucket="audit", Key="logs/1").error_code == "InvalidObjectState"
    assert "Restore" not in {k for k, v in room.call("HeadObject", Bucket="audit", Key="logs/1").items() if v}
    assert [one["StorageClass"] for one in room.call("ListObjectsV2", Bucket="audit")["Contents"]] == ["GLACIER"]


def test_a_warm_class_is_only_a_label(room: Stage) -> None:
    put(room, "k")
    configure(room, rule(Transitions=[{"Days": 0, "StorageClass": "STANDARD_IA"}]))
    pass_days(room, 2)
    got = room.call("GetObject", Bucket="audit", Key="k")
    assert (got["Body"], got["StorageClass"]) == (b"12345", "STANDARD_IA")
    error = room.error("RestoreObject", Bucket="audit", Key="k", RestoreRequest={"Days": 1})
    assert error.error_code == "InvalidObjectState"


def test_versions_end_behind_a_marker_and_then_the_marker(room: Stage) -> None:
    room.call("PutBucketVersioning", Bucket="audit", VersioningConfiguration={"Status": "Enabled"})
    put(room, "k")
    configure(
        room,
        rule(ID="a", Expiration={"Days": 1}, NoncurrentVersionExpiration={"NoncurrentDays": 5}),
        rule(ID="b", Expiration={"ExpiredObjectDeleteMarker": True}),
    )
    pass_days(room, 3)
    listed = room.call("ListObjectVersions", Bucket="audit")
    assert (len(listed["Versions"]), len(listed["DeleteMarkers"])) == (1, 1)
    pass_days(room, 8)
    assert room.call("ListObjectVersions", Bucket="audit")["Versions"] == []
    pass_days(room, 1)
    assert room.call("ListObjectVersions", Bucket="audit")["DeleteMarkers"] == []


def test_unfinished_uploads_are_given_up(room: Stage) -> None:
    for key in ("logs/1", "keep/1"):
        room.call("CreateMultipartUpload", Bucket="audit", Key=key)
    configure(room, rule(Filter={"Prefix": "logs/"}, AbortIncompleteMultipartUpload={"DaysAfterInitiation": 2}))
    pass_days(room, 1)
    assert len(room.call("ListMultipartUploads", Bucket="audit")["Uploads"]) == 2
    pass_days(room, 3)
    assert [one["Key"] for one in room.call("ListMultipartUploads", Bucket="audit")["Uploads"]] == ["keep/1"]


def test_the_configuration_is_kept_and_removed(room: Stage) -> None:
    assert room.error("GetBucketLifecycleConfiguration", Bucket="audit").error_code == "NoSuchLifecycleConfiguration"
    configure(room, rule(Expiration={"Date": datetime(2027, 1, 1, tzinfo=UTC)}))
    found = room.call("GetBucketLifecycleConfiguration", Bucket="audit")["Rules"]
    assert found[0]["Expiration"]["Date"] == datetime(2027, 1, 1, tzinfo=UTC)
    room.call("DeleteBucketLifecycle", Bucket="audit")
    assert room.error("GetBucketLifecycleConfiguration", Bucket="audit").error_code == "NoSuchLifecycleConfiguration"
