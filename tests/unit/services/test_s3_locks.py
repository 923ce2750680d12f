"""Object lock as the SDK sees it, and on a clock that is moved by hand."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from s3_scenes import Scene, refused

from apitrail.errors import ServiceError, SinkError
from apitrail.identity.principal import Principal
from apitrail.objects.bucket import Facts
from apitrail.services.s3.retention import may_retain
from apitrail.testing import Stage
from apitrail.testing.stage import ACCOUNT

LATER = datetime.now(UTC).replace(microsecond=0) + timedelta(days=10)
DENIED = ("AccessDenied", 403)
NOW = datetime(2026, 3, 4, tzinfo=UTC)
DAY_S = 86_400


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path / "data")
    yield scene
    assert scene.leftovers() == []
    scene.close()


@pytest.fixture
def client(scene: Scene) -> Any:
    made = scene.client()
    made.create_bucket(Bucket="audit", ObjectLockEnabledForBucket=True)
    return made


def put(client: Any, **params: Any) -> str:
    return str(client.put_object(Bucket="audit", Key="k", Body=b"1", **params)["VersionId"])


def retain(client: Any, mode: str = "GOVERNANCE", until: datetime = LATER, **params: Any) -> Any:
    retention = {"Mode": mode, "RetainUntilDate": until}
    return client.put_object_retention(Bucket="audit", Key="k", Retention=retention, **params)


def default(mode: str = "COMPLIANCE", **span: int) -> dict[str, Any]:
    return {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": mode, **span}}}


# Buckets --------------------------------------------------------------------------------------------------------


def test_a_bucket_made_with_object_lock_keeps_versions_for_good(client: Any) -> None:
    assert client.get_bucket_versioning(Bucket="audit")["Status"] == "Enabled"
    found = client.get_object_lock_configuration(Bucket="audit")["ObjectLockConfiguration"]
    assert found == {"ObjectLockEnabled": "Enabled"}
    suspended = {"Status": "Suspended"}
    code = refused(client.put_bucket_versioning, Bucket="audit", VersioningConfiguration=suspended)
    assert code == ("InvalidBucketState", 409)


def test_a_bucket_gets_object_lock_later_when_it_keeps_versions(client: Any) -> None:
    client.create_bucket(Bucket="plain")
    nothing = refused(client.get_object_lock_configuration, Bucket="plain")
    assert nothing == ("ObjectLockConfigurationNotFoundError", 404)
    asked = {"Bucket": "plain", "ObjectLockConfiguration": default(Days=3)}
    assert refused(client.put_object_lock_configuration, **asked) == ("InvalidBucketState", 409)
    client.put_bucket_versioning(Bucket="plain", VersioningConfiguration={"Status": "Enabled"})
    client.put_object_lock_configuration(**asked)
    rule = client.get_object_lock_configuration(Bucket="plain")["ObjectLockConfiguration"]["Rule"]
    assert rule["DefaultRetention"] == {"Mode": "COMPLIANCE", "Days": 3}


@pytest.mark.parametrize(
    ("configuration", "code"),
    [
        ({}, "MalformedXML"),
        (default(), "MalformedXML"),
        (default(Days=1, Years=1), "MalformedXML"),
        (default(Days=0), "InvalidArgument"),
        (default(Days=36_501), "InvalidArgument"),
        (default(Years=101), "InvalidArgument"),
    ],
)
def test_configurations_that_cannot_be_are_refused(client: Any, configuration: dict[str, Any], code: str) -> None:
    asked = {"Bucket": "audit", "ObjectLockConfiguration": configuration}
    assert refused(client.put_object_lock_configuration, **asked) == (code, 400)


def test_without_object_lock_nothing_can_be_locked(client: Any) -> None:
    client.create_bucket(Bucket="plain")
    client.put_object(Bucket="plain", Key="k", Body=b"1")
    wanted = ("InvalidRequest", 400)
    named = {"Bucket": "plain", "Key": "k"}
    assert refused(client.put_object_retention, **named, Retention={}) == wanted
    assert refused(client.get_object_retention, **named) == wanted
    assert refused(client.put_object_legal_hold, **named, LegalHold={"Status": "ON"}) == wanted
    assert refused(client.get_object_legal_hold, **named) == wanted
    assert refused(client.put_object, **named, Body=b"1", ObjectLockLegalHoldStatus="ON") == wanted


# Versions -------------------------------------------------------------------------------------------------------


def test_a_locked_version_stays_and_a_delete_marker_or_a_newer_one_may_hide_it(client: Any) -> None:
    version = put(client, ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=LATER)
    head = client.head_object(Bucket="audit", Key="k")
    assert (head["ObjectLockMode"], head["ObjectLockRetainUntilDate"]) == ("COMPLIANCE", LATER)
    assert refused(client.delete_object, Bucket="audit", Key="k", VersionId=version) == DENIED
    marker = client.delete_object(Bucket="audit", Key="k")["VersionId"]
    put(client)
    assert refused(client.delete_object, Bucket="audit", Key="k", VersionId=version) == DENIED
    assert client.get_object(Bucket="audit", Key="k", VersionId=version)["Body"].read() == b"1"
    client.delete_object(Bucket="audit", Key="k", VersionId=marker)
    assert refused(client.delete_bucket, Bucket="audit") == ("BucketNotEmpty", 409)


def test_compliance_can_only_be_prolonged_by_nobody_otherwise_not_even_root(client: Any) -> None:
    version = put(client, ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=LATER)
    bypass = {"BypassGovernanceRetention": True}
    with pytest.raises(client.exceptions.ClientError):
        retain(client, "COMPLIANCE", LATER - timedelta(days=1), **bypass)
    with pytest.raises(client.exceptions.ClientError):
        retain(client, "GOVERNANCE", LATER + timedelta(days=1), **bypass)
    assert refused(client.put_object_retention, Bucket="audit", Key="k", Retention={}, **bypass) == DENIED
    assert refused(client.delete_object, Bucket="audit", Key="k", VersionId=version, **bypass) == DENIED
    longer = LATER + timedelta(days=5)
    retain(client, "COMPLIANCE", longer)
    found = client.get_object_retention(Bucket="audit", Key="k")["Retention"]
    assert found == {"Mode": "COMPLIANCE", "RetainUntilDate": longer}


def test_governance_is_set_aside_only_by_who_says_so(client: Any) -> None:
    version = put(client)
    assert refused(client.get_object_retention, Bucket="audit", Key="k") == ("NoSuchObjectLockConfiguration", 404)
    retain(client)
    assert refused(client.put_object_retention, Bucket="audit", Key="k", Retention={}) == DENIED
    assert refused(client.delete_object, Bucket="audit", Key="k", VersionId=version) == DENIED
    retain(client, until=LATER + timedelta(days=1))
    retain(client, until=LATER - timedelta(days=1), BypassGovernanceRetention=True)
    client.delete_object(Bucket="audit", Key="k", VersionId=version, BypassGovernanceRetention=True)
    assert refused(client.head_object, Bucket="audit", Key="k")[1] == 404


def test_a_legal_hold_binds_until_it_is_ended(client: Any) -> None:
    version = put(client, ObjectLockLegalHoldStatus="ON")
    bypass = {"BypassGovernanceRetention": True}
    assert refused(client.delete_object, Bucket="audit", Key="k", VersionId=version, **bypass) == DENIED
    assert client.get_object_legal_hold(Bucket="audit", Key="k")["LegalHold"] == {"Status": "ON"}
    client.put_object_legal_hold(Bucket="audit", Key="k", LegalHold={"Status": "OFF"})
    assert client.get_object(Bucket="audit", Key="k")["ObjectLockLegalHoldStatus"] == "OFF"
    client.delete_object(Bucket="audit", Key="k", VersionId=version)


def test_several_deletions_tell_which_versions_are_locked(client: Any) -> None:
    locked = put(client, ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=LATER)
    free = put(client)
    asked = {"Objects": [{"Key": "k", "VersionId": locked}, {"Key": "k", "VersionId": free}]}
    told = client.delete_objects(Bucket="audit", Delete=asked)
    assert [one["VersionId"] for one in told["Deleted"]] == [free]
    assert [(one["VersionId"], one["Code"]) for one in told["Errors"]] == [(locked, "AccessDenied")]
    assert "object lock" in told["Errors"][0]["Message"]
    told = client.delete_objects(Bucket="audit", Delete=asked, BypassGovernanceRetention=True)
    assert "Errors" not in told


def test_locks_that_cannot_be_are_refused(client: Any) -> None:
    put(client)
    past = datetime.now(UTC) - timedelta(days=1)
    for params, code in (
        ({"ObjectLockMode": "COMPLIANCE"}, "InvalidArgument"),
        ({"ObjectLockRetainUntilDate": LATER}, "InvalidArgument"),
        ({"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": past}, "InvalidArgument"),
        ({"ObjectLockMode": "NONE", "ObjectLockRetainUntilDate": LATER}, "InvalidArgument"),
    ):
        assert refused(client.put_object, Bucket="audit", Key="k", Body=b"1", **params) == (code, 400)
    half = {"Mode": "COMPLIANCE"}
    assert refused(client.put_object_retention, Bucket="audit", Key="k", Retention=half) == ("MalformedXML", 400)
    marker = client.delete_object(Bucket="audit", Key="k")["VersionId"]
    asked = {"Bucket": "audit", "Key": "k", "VersionId": marker, "LegalHold": {"Status": "ON"}}
    assert refused(client.put_object_legal_hold, **asked)[0] == "MethodNotAllowed"


def test_a_lock_needs_a_digest_of_the_body(scene: Scene, client: Any) -> None:
    plain = scene.client(request_checksum_calculation="when_required")
    asked = {"Bucket": "audit", "Key": "k", "ObjectLockLegalHoldStatus": "ON"}
    answers = []
    for digest in ("", "xMpCOKC5I4INzFCab3WEmw=="):
        url = plain.generate_presigned_url("put_object", Params=asked | ({"ContentMD5": digest} if digest else {}))
        sent = {"x-amz-object-lock-legal-hold": "ON"} | ({"Content-MD5": digest} if digest else {})
        answers.append(scene.ask("PUT", url, sent, b"1").status_code)
    assert answers == [400, 200]


def test_new_objects_get_the_default_retention_however_they_come(client: Any) -> None:
    client.put_object_lock_configuration(Bucket="audit", ObjectLockConfiguration=default("GOVERNANCE", Years=1))
    put(client)
    client.copy_object(Bucket="audit", Key="copy", CopySource="audit/k")
    upload = client.create_multipart_upload(Bucket="audit", Key="large")["UploadId"]
    part = {"Bucket": "audit", "Key": "large", "UploadId": upload, "PartNumber": 1, "Body": b"x"}
    etag = client.upload_part(**part)["ETag"]
    whole = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    client.complete_multipart_upload(Bucket="audit", Key="large", UploadId=upload, MultipartUpload=whole)
    own = LATER.replace(year=LATER.year + 3)
    put(client, ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=own)
    for key in ("copy", "large"):
        head = client.head_object(Bucket="audit", Key=key)
        assert head["ObjectLockMode"] == "GOVERNANCE"
        assert head["ObjectLockRetainUntilDate"] - head["LastModified"] < timedelta(days=365, seconds=5)
    assert client.head_object(Bucket="audit", Key="k")["ObjectLockRetainUntilDate"] == own


def test_the_lock_of_a_source_is_not_copied(client: Any) -> None:
    put(client, ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=LATER, ObjectLockLegalHoldStatus="ON")
    client.copy_object(Bucket="audit", Key="copy", CopySource="audit/k")
    assert "ObjectLockMode" not in client.head_object(Bucket="audit", Key="copy")
    client.copy_object(Bucket="audit", Key="held", CopySource="audit/k", ObjectLockLegalHoldStatus="ON")
    assert client.head_object(Bucket="audit", Key="held")["ObjectLockLegalHoldStatus"] == "ON"


# Rules ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "mode", "days", "bypass", "allowed"),
    [
        ("", "COMPLIANCE", 1, False, True),
        ("GOVERNANCE", "GOVERNANCE", 6, False, True),
        ("GOVERNANCE", "GOVERNANCE", 4, False, False),
        ("GOVERNANCE", "GOVERNANCE", 4, True, True),
        ("GOVERNANCE", "COMPLIANCE", 6, False, False),
        ("GOVERNANCE", "COMPLIANCE", 6, True, True),
        ("GOVERNANCE", "", 0, True, True),
        ("COMPLIANCE", "COMPLIANCE", 5, False, True),
        ("COMPLIANCE", "COMPLIANCE", 4, True, False),
        ("COMPLIANCE", "GOVERNANCE", 9, True, False),
        ("COMPLIANCE", "", 0, True, False),
    ],
)
def test_a_retention_may_become_another_one(held: str, mode: str, days: int, bypass: bool, allowed: bool) -> None:
    now = int(NOW.timestamp())
    facts = Facts(lock_mode=held, lock_until=now + 5 * DAY_S if held else 0)
    assert may_retain(facts, mode, now + days * DAY_S if mode else 0, bypass, NOW) is allowed


def test_what_is_over_binds_nobody() -> None:
    facts = Facts(lock_mode="COMPLIANCE", lock_until=int(NOW.timestamp()))
    assert not facts.is_locked(NOW)
    assert may_retain(facts, "", 0, False, NOW)


# Permissions and time -------------------------------------------------------------------------------------------


@pytest.fixture
def vault(stage: Stage) -> Stage:
    stage.region = "us-east-1"
    stage.call("CreateBucket", Bucket="audit", ObjectLockEnabledForBucket=True)
    return stage


def user(*actions: str) -> Principal:
    arn = f"arn:aws:iam::{ACCOUNT}:user/dana"
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}
    return Principal("IAMUser", ACCOUNT, arn, "AIDAEXAMPLE", "AKIAEXAMPLE", user_name="dana", policies=(policy,))


def denied(stage: Stage, principal: Principal, operation: str, **params: Any) -> str:
    with pytest.raises(ServiceError) as caught:
        stage.call_(operation, {"Bucket": "audit", "Key": "k", **params}, principal=principal)
    return caught.value.error_code


def test_each_part_of_a_lock_needs_its_own_permission(vault: Stage) -> None:
    dana = user("s3:PutObject", "s3:GetObject", "s3:DeleteObjectVersion", "s3:PutObjectRetention")
    until = vault.clock.now() + timedelta(days=2)
    lock = {"Mode": "GOVERNANCE", "RetainUntilDate": until}
    checked = {"Body": b"1", "ContentMD5": "xMpCOKC5I4INzFCab3WEmw=="}
    held = {**checked, "ObjectLockLegalHoldStatus": "ON"}
    assert denied(vault, dana, "PutObject", **held) == "AccessDenied"
    retained = {**checked, "ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until}
    put = {"Bucket": "audit", "Key": "k", **retained}
    version = vault.call_("PutObject", put, principal=dana)["VersionId"]
    shown = vault.call_("HeadObject", {"Bucket": "audit", "Key": "k"}, principal=dana)
    assert "ObjectLockMode" not in shown
    bypass = {"VersionId": version, "BypassGovernanceRetention": True}
    assert denied(vault, dana, "DeleteObject", **bypass) == "AccessDenied"
    assert denied(vault, dana, "PutObjectRetention", Retention=lock, **bypass) == "AccessDenied"
    named = {"Delete": {"Objects": [{"Key": "k", "VersionId": version}]}, "BypassGovernanceRetention": True}
    told = vault.call_("DeleteObjects", {"Bucket": "audit", **named}, principal=dana)
    assert [one["Code"] for one in told["Errors"]] == ["AccessDenied"]
    boss = user("s3:DeleteObjectVersion", "s3:BypassGovernanceRetention", "s3:GetObject")
    vault.call_("DeleteObject", {"Bucket": "audit", "Key": "k", **bypass}, principal=boss)
    assert denied(vault, boss, "HeadObject") == "NoSuchKey"


def test_a_bucket_with_object_lock_needs_the_permission_to_lock(vault: Stage) -> None:
    maker = user("s3:CreateBucket")
    asked = {"Bucket": "second", "ObjectLockEnabledForBucket": True}
    with pytest.raises(ServiceError) as caught:
        vault.call_("CreateBucket", asked, principal=maker)
    assert caught.value.error_code == "AccessDenied"
    vault.call_("CreateBucket", {"Bucket": "second"}, principal=maker)


def test_a_version_can_go_when_its_time_is_over(vault: Stage) -> None:
    until = vault.clock.now() + timedelta(days=2)
    lock = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until}
    body = {"Body": b"1", "ContentMD5": "xMpCOKC5I4INzFCab3WEmw=="}
    version = vault.call("PutObject", Bucket="audit", Key="k", **body, **lock)["VersionId"]
    vault.clock.advance(DAY_S)
    assert vault.error("DeleteObject", Bucket="audit", Key="k", VersionId=version).error_code == "AccessDenied"
    vault.clock.advance(DAY_S)
    vault.call("DeleteObject", Bucket="audit", Key="k", VersionId=version)
    assert vault.call("ListObjectVersions", Bucket="audit")["Versions"] == []


def test_lifecycle_rules_leave_locked_versions_alone(vault: Stage) -> None:
    until = vault.clock.now() + timedelta(days=30)
    body = {"Body": b"1", "ContentMD5": "xMpCOKC5I4INzFCab3WEmw=="}
    lock = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until}
    locked = vault.call("PutObject", Bucket="audit", Key="k", **body, **lock)["VersionId"]
    held = vault.call("PutObject", Bucket="audit", Key="k", **body, ObjectLockLegalHoldStatus="ON")["VersionId"]
    vault.call("PutObject", Bucket="audit", Key="k", **body)
    rule = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}
    rule |= {"NoncurrentVersionExpiration": {"NoncurrentDays": 1}}
    vault.call("PutBucketLifecycleConfiguration", Bucket="audit", LifecycleConfiguration={"Rules": [rule]})
    worker = next(worker for worker in vault.app.workers if worker.name == "lifecycle")
    left = []
    for days in (20, 20, 5):
        vault.clock.advance(days * DAY_S)
        vault.run(worker.tick())
        left.append({one["VersionId"] for one in vault.call("ListObjectVersions", Bucket="audit")["Versions"]})
    assert left[0] >= {locked, held}
    assert left[2] == {held}


def test_delivered_log_files_get_the_default_retention(vault: Stage) -> None:
    rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 7}}
    lock = {"ObjectLockEnabled": "Enabled", "Rule": rule}
    vault.call("PutObjectLockConfiguration", Bucket="audit", ObjectLockConfiguration=lock)
    vault.call("CreateTrail", Name="main", S3BucketName="audit", EnableLogFileValidation=True)
    vault.call("StartLogging", Name="main")
    vault.run(vault.app.deliverer.flush())
    for _ in range(2):
        vault.advance(3600, step=3600)
        vault.run(vault.app.digester.tick())
    found = vault.call("ListObjectVersions", Bucket="audit")["Versions"]
    assert {"CloudTrail", "CloudTrail-Digest"} <= {part for one in found for part in one["Key"].split("/")}
    for one in found:
        named = {"Bucket": "audit", "Key": one["Key"], "VersionId": one["VersionId"]}
        assert vault.call("GetObjectRetention", **named)["Retention"]["Mode"] == "COMPLIANCE"
        assert vault.error("DeleteObject", **named).error_code == "AccessDenied"


def test_a_null_version_from_before_the_lock_is_not_overwritten(vault: Stage) -> None:
    now = vault.clock.now()
    bucket = vault.bucket("plain")
    vault.call("CreateBucket", Bucket="plain")
    vault.call("PutObject", Bucket="plain", Key="k", Body=b"1")
    until = int((now + timedelta(days=1)).timestamp())
    vault.run(bucket.amend("k", lambda facts: replace(facts, lock_mode="COMPLIANCE", lock_until=until)))  # type: ignore[attr-defined]
    with pytest.raises(SinkError) as caught:
        vault.run(bucket.put("k", b"2", content_type="text/plain"))
    assert (caught.value.code, caught.value.temporary) == ("AccessDenied", True)
    with pytest.raises(SinkError):
        vault.run(bucket.delete("k"))
    vault.clock.advance(DAY_S)
    vault.run(bucket.put("k", b"2", content_type="text/plain"))


# Storage classes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("storage_class", ["STANDARD_IA", "REDUCED_REDUNDANCY", "GLACIER_IR", "INTELLIGENT_TIERING"])
def test_a_class_is_kept_and_shown(client: Any, storage_class: str) -> None:
    put(client, StorageClass=storage_class)
    assert client.get_object(Bucket="audit", Key="k")["StorageClass"] == storage_class
    assert client.list_objects_v2(Bucket="audit")["Contents"][0]["StorageClass"] == storage_class
    client.copy_object(Bucket="audit", Key="k", CopySource="audit/k", StorageClass="STANDARD")
    assert "StorageClass" not in client.head_object(Bucket="audit", Key="k")


def test_what_is_put_into_the_archive_must_be_restored(scene: Scene, client: Any) -> None:
    client.create_bucket(Bucket="plain")
    client.put_object(Bucket="plain", Key="k", Body=b"line\n" * 999, StorageClass="DEEP_ARCHIVE")
    named = {"Bucket": "plain", "Key": "k"}
    head = client.head_object(**named)
    assert (head["StorageClass"], head["ContentLength"]) == ("DEEP_ARCHIVE", 4995)
    assert refused(client.get_object, **named) == ("InvalidObjectState", 403)
    assert not (scene.path / "buckets" / "plain" / "k").exists()
    asked = client.restore_object(**named, RestoreRequest={"Days": 1})
    assert asked["ResponseMetadata"]["HTTPStatusCode"] == 202
    unpacked = scene.app.bucket("plain").restore("k", "null", int(LATER.timestamp()))  # type: ignore[attr-defined]
    scene.runner.run(unpacked)
    assert client.get_object(**named)["Body"].read() == b"line\n" * 999
    again = client.restore_object(**named, RestoreRequest={"Days": 2})
    assert again["ResponseMetadata"]["HTTPStatusCode"] == 200
    client.put_object(Bucket="plain", Key="k", Body=b"new")
    assert client.get_object(**named)["Body"].read() == b"new"


def test_an_upload_in_parts_can_go_into_the_archive(client: Any) -> None:
    upload = client.create_multipart_upload(Bucket="audit", Key="large", StorageClass="GLACIER")["UploadId"]
    named = {"Bucket": "audit", "Key": "large", "UploadId": upload}
    etag = client.upload_part(**named, PartNumber=1, Body=b"x")["ETag"]
    assert client.list_parts(**named)["StorageClass"] == "GLACIER"
    assert client.list_multipart_uploads(Bucket="audit")["Uploads"][0]["StorageClass"] == "GLACIER"
    client.complete_multipart_upload(**named, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    assert refused(client.get_object, Bucket="audit", Key="large") == ("InvalidObjectState", 403)
