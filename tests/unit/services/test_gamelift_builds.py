"""Builds: created, uploaded, checked, listed, renamed, deleted."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apitrail.identity.policy import evaluate
from apitrail.services.buckets import BUCKETS, OBJECT_CREATED
from apitrail.services.operation import Deed, announce
from apitrail.services.sessions import SESSIONS
from apitrail.testing import Stage

UNKNOWN = "build-00000000-0000-4000-8000-000000000000"
ROLE = "arn:aws:iam::111122223333:role/builds"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        yield stage


def make_zip(size: int = 1000) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("server.exe", b"x" * size)
    return buffer.getvalue()


def create(stage: Stage, **params: Any) -> dict[str, Any]:
    return stage.call("CreateBuild", **{"OperatingSystem": "AMAZON_LINUX_2023", **params})


def status(stage: Stage, build_id: str) -> str:
    return stage.call("DescribeBuild", BuildId=build_id)["Build"]["Status"]


def upload(stage: Stage, location: dict[str, str], body: bytes) -> None:
    """Put an object where S3 would, and say so as S3 does."""

    async def arrive() -> None:
        bucket = stage.bucket(location["Bucket"])
        await bucket.create()
        await bucket.put(location["Key"], body, content_type="application/zip")
        doc = {"Bucket": location["Bucket"], "Key": location["Key"]}
        await announce(stage.app, Deed(OBJECT_CREATED, stage.principal.account, stage.region, doc))

    stage.run(arrive())


def stored(stage: Stage, location: dict[str, str]) -> bool:
    return stage.run(stage.bucket(location["Bucket"]).head(location["Key"])) is not None


def test_a_new_build_waits_for_its_upload(stage: Stage) -> None:
    answer = create(stage, Name="shooter", Version="1.2")
    build = answer["Build"]
    assert build["Status"] == "INITIALIZED"
    assert build["SizeOnDisk"] == 0
    assert build["ServerSdkVersion"] == "4.0.2"
    assert build["BuildArn"] == f"arn:aws:gamelift:us-west-2:111122223333:build/{build['BuildId']}"
    assert answer["StorageLocation"] == {
        "Bucket": "gamelift-builds-us-west-2",
        "Key": f"111122223333/{build['BuildId']}",
    }
    assert all(answer["UploadCredentials"][name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken"))


def test_without_an_operating_system_a_build_is_refused(stage: Stage) -> None:
    error = stage.error("CreateBuild", Name="shooter")
    assert error.error_code == "InvalidRequestException"
    assert "OperatingSystem" in error.message


def test_a_zip_that_arrives_makes_the_build_ready_a_second_later(stage: Stage) -> None:
    answer = create(stage)
    build_id, body = answer["Build"]["BuildId"], make_zip()
    upload(stage, answer["StorageLocation"], body)
    assert status(stage, build_id) == "INITIALIZED"
    stage.advance(1)
    build = stage.call("DescribeBuild", BuildId=build_id)["Build"]
    assert (build["Status"], build["SizeOnDisk"]) == ("READY", len(body))


@pytest.mark.parametrize("body", [b"", b"this is no zip at all", make_zip()[:-10]])
def test_anything_else_that_arrives_makes_it_failed(stage: Stage, body: bytes) -> None:
    answer = create(stage)
    upload(stage, answer["StorageLocation"], body)
    stage.advance(1)
    assert status(stage, answer["Build"]["BuildId"]) == "FAILED"


def test_an_arrival_that_is_announced_again_changes_nothing(stage: Stage) -> None:
    answer = create(stage)
    upload(stage, answer["StorageLocation"], make_zip())
    upload(stage, answer["StorageLocation"], make_zip())
    stage.advance(1)
    upload(stage, answer["StorageLocation"], b"no zip")
    stage.advance(1)
    assert status(stage, answer["Build"]["BuildId"]) == "READY"


@pytest.mark.parametrize(
    "location",
    [
        {"Bucket": "somebodys-bucket", "Key": "111122223333/build-1"},
        {"Bucket": "gamelift-builds-us-west-2", "Key": "elsewhere"},
    ],
)
def test_objects_that_are_no_builds_are_left_alone(stage: Stage, location: dict[str, str]) -> None:
    build_id = create(stage)["Build"]["BuildId"]
    upload(stage, location, make_zip())
    stage.advance(1)
    assert stored(stage, location)
    assert status(stage, build_id) == "INITIALIZED"


def test_an_upload_for_a_build_that_is_gone_is_removed(stage: Stage) -> None:
    answer = create(stage)
    stage.call("DeleteBuild", BuildId=answer["Build"]["BuildId"])
    upload(stage, answer["StorageLocation"], make_zip())
    stage.advance(1)
    assert not stored(stage, answer["StorageLocation"])


def test_nobody_can_bring_builds_about_in_a_bucket_of_his_own(stage: Stage) -> None:
    row = {"Name": "gamelift-builds-us-west-2", "OwnerAccount": "999999999999", "Region": "us-west-2"}
    stage.change(lambda ctx: BUCKETS(ctx).put(row["Name"], row))
    assert stage.error("CreateBuild", OperatingSystem="WINDOWS_2022").error_code == "InternalServiceException"
    location = {"Bucket": row["Name"], "Key": f"111122223333/{UNKNOWN}"}
    upload(stage, location, make_zip())
    stage.advance(1)
    assert stored(stage, location)


def test_upload_credentials_may_write_the_one_key_and_nothing_else(stage: Stage) -> None:
    answer = create(stage)
    credential = stage.app.credentials.find(answer["UploadCredentials"]["AccessKeyId"])
    location = answer["StorageLocation"]
    mine = f"arn:aws:s3:::{location['Bucket']}/{location['Key']}"

    def allowed(action: str, resource: str) -> bool:
        return evaluate(credential.principal, action, [resource], {}).allowed

    assert credential is not None
    assert credential.expires_at is not None
    assert credential.secret_key == answer["UploadCredentials"]["SecretAccessKey"]
    assert credential.token == answer["UploadCredentials"]["SessionToken"]
    assert (credential.expires_at - stage.clock.now()).total_seconds() == 900
    assert allowed("s3:PutObject", mine)
    assert allowed("s3:AbortMultipartUpload", mine)
    assert not allowed("s3:PutObject", mine + "0")
    assert not allowed("s3:GetObject", mine)
    assert not allowed("gamelift:CreateBuild", "*")


def test_upload_credentials_are_forgotten_after_15_minutes(stage: Stage) -> None:
    key = create(stage)["UploadCredentials"]["AccessKeyId"]
    stage.advance(899, step=100)
    assert stage.read(lambda ctx: SESSIONS(ctx).has(key))
    stage.advance(1)
    assert not stage.read(lambda ctx: SESSIONS(ctx).has(key))


def test_fresh_upload_credentials_lead_to_the_same_place(stage: Stage) -> None:
    first = create(stage)
    again = stage.call("RequestUploadCredentials", BuildId=first["Build"]["BuildArn"])
    assert again["StorageLocation"] == first["StorageLocation"]
    assert again["UploadCredentials"]["AccessKeyId"] != first["UploadCredentials"]["AccessKeyId"]


def test_no_upload_credentials_for_a_build_that_has_its_zip(stage: Stage) -> None:
    answer = create(stage)
    upload(stage, answer["StorageLocation"], make_zip())
    stage.advance(1)
    error = stage.error("RequestUploadCredentials", BuildId=answer["Build"]["BuildId"])
    assert error.error_code == "InvalidRequestException"
    assert "READY" in error.message


def test_the_record_hides_the_upload_credentials(stage: Stage) -> None:
    answer = create(stage)
    event = list(stage.events())[-1]
    assert event["eventName"] == "CreateBuild"
    assert event["responseElements"]["uploadCredentials"] == "HIDDEN_DUE_TO_SECURITY_REASONS"
    assert answer["UploadCredentials"]["SecretAccessKey"] not in str(event)
    assert answer["UploadCredentials"]["SessionToken"] not in str(event)
    assert [item["ARN"] for item in event["resources"]] == [answer["Build"]["BuildArn"]]


def own_object(stage: Stage, bucket: str = "my-builds", region: str = "us-west-2") -> dict[str, str]:
    """Make a bucket of the caller's with a zip in it."""
    stage.call_("CreateBucket", {"Bucket": bucket, **_placed(region)}, region=region)
    stage.call_("PutObject", {"Bucket": bucket, "Key": "build.zip", "Body": make_zip()}, region=region)
    return {"Bucket": bucket, "Key": "build.zip", "RoleArn": ROLE}


def _placed(region: str) -> dict[str, Any]:
    return {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}


def test_a_build_from_the_callers_bucket_gets_ready_without_upload(stage: Stage) -> None:
    answer = create(stage, StorageLocation=own_object(stage))
    assert set(answer) == {"Build"}
    assert answer["Build"]["Status"] == "INITIALIZED"
    stage.advance(1)
    build = stage.call("DescribeBuild", BuildId=answer["Build"]["BuildId"])["Build"]
    assert (build["Status"], build["SizeOnDisk"]) == ("READY", 0)


def test_looking_at_the_callers_object_is_a_call_of_its_own(stage: Stage) -> None:
    create(stage, StorageLocation=own_object(stage))
    looked = [event for event in stage.events() if event["eventName"] == "HeadObject"]
    assert [event["userIdentity"]["invokedBy"] for event in looked] == ["gamelift.amazonaws.com"]


def test_no_upload_credentials_for_a_build_from_the_callers_bucket(stage: Stage) -> None:
    build_id = create(stage, StorageLocation=own_object(stage))["Build"]["BuildId"]
    error = stage.error("RequestUploadCredentials", BuildId=build_id)
    assert error.error_code == "InvalidRequestException"
    assert "storage location" in error.message


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"Bucket": "no-such-bucket"}, "not accessible"),
        ({"Key": "no-such-key"}, "not accessible"),
        ({"Bucket": "with.dot"}, "storageLocation.bucket"),
        ({"RoleArn": "arn:aws:iam::999999999999:role/builds"}, "cannot assume the role"),
        ({"RoleArn": "builds"}, "cannot assume the role"),
    ],
)
def test_a_storage_location_that_cannot_be_used_is_refused(stage: Stage, change: dict[str, str], reason: str) -> None:
    location = {**own_object(stage), **change}
    error = stage.error("CreateBuild", OperatingSystem="WINDOWS_2022", StorageLocation=location)
    assert error.error_code == "InvalidRequestException"
    assert reason in error.message


@pytest.mark.parametrize("missing", ["Bucket", "Key", "RoleArn"])
def test_a_storage_location_needs_all_its_parts(stage: Stage, missing: str) -> None:
    location = {"Bucket": "b", "Key": "k", "RoleArn": ROLE}
    del location[missing]
    error = stage.error("CreateBuild", OperatingSystem="WINDOWS_2022", StorageLocation=location)
    assert error.error_code == "InvalidRequestException"
    assert missing in error.message


def test_a_bucket_of_another_region_is_refused(stage: Stage) -> None:
    location = own_object(stage, "far-away", "eu-west-1")
    error = stage.error("CreateBuild", OperatingSystem="WINDOWS_2022", StorageLocation=location)
    assert error.error_code == "InvalidRequestException"
    assert "eu-west-1" in error.message


def test_a_refused_build_leaves_nothing(stage: Stage) -> None:
    tags = [{"Key": "aws:no", "Value": "x"}]
    assert stage.error("CreateBuild", OperatingSystem="WINDOWS_2022", Tags=tags).error_code == "TaggingFailedException"
    assert stage.call("ListBuilds")["Builds"] == []


def test_builds_are_listed_page_by_page_in_the_order_of_creation(stage: Stage) -> None:
    made = [create(stage, Name=str(number))["Build"]["BuildId"] for number in range(7)]
    seen: list[str] = []
    token: dict[str, str] = {}
    pages = 0
    while True:
        page = stage.call("ListBuilds", Limit=3, **token)
        seen += [build["BuildId"] for build in page["Builds"]]
        pages += 1
        if not page.get("NextToken"):
            break
        token = {"NextToken": page["NextToken"]}
    assert (seen, pages) == (made, 3)


def test_builds_can_be_listed_by_status(stage: Stage) -> None:
    ready, waiting = create(stage), create(stage)
    upload(stage, ready["StorageLocation"], make_zip())
    stage.advance(1)
    for name, answer in (("READY", ready), ("INITIALIZED", waiting)):
        listed = stage.call("ListBuilds", Status=name)["Builds"]
        assert [build["BuildId"] for build in listed] == [answer["Build"]["BuildId"]]
    assert stage.call("ListBuilds", Status="FAILED")["Builds"] == []


def test_a_token_belongs_to_its_list(stage: Stage) -> None:
    for _ in range(2):
        create(stage)
    token = stage.call("ListBuilds", Limit=1)["NextToken"]
    for params in ({"Status": "READY", "NextToken": token}, {"NextToken": token[:-2] + "AA"}, {"NextToken": "x"}):
        assert stage.error("ListBuilds", **params).error_code == "InvalidRequestException"
    assert stage.error("ListScripts", NextToken=token).error_code == "InvalidRequestException"


def test_a_build_can_be_renamed(stage: Stage) -> None:
    build = create(stage, Name="old", Version="1")["Build"]
    changed = stage.call("UpdateBuild", BuildId=build["BuildId"], Version="2")["Build"]
    assert (changed["Name"], changed["Version"]) == ("old", "2")
    assert stage.call("DescribeBuild", BuildId=build["BuildId"])["Build"]["Version"] == "2"


def test_a_deleted_build_takes_its_object_and_tags_along(stage: Stage) -> None:
    answer = create(stage, Tags=[{"Key": "a", "Value": "1"}])
    upload(stage, answer["StorageLocation"], make_zip())
    stage.call("DeleteBuild", BuildId=answer["Build"]["BuildId"])
    assert not stored(stage, answer["StorageLocation"])
    assert stage.error("ListTagsForResource", ResourceARN=answer["Build"]["BuildArn"]).error_code == "NotFoundException"
    stage.advance(1)
    assert stage.call("ListBuilds")["Builds"] == []


@pytest.mark.parametrize("operation", ["DescribeBuild", "UpdateBuild", "DeleteBuild", "RequestUploadCredentials"])
@pytest.mark.parametrize("build", [UNKNOWN, f"arn:aws:gamelift:us-west-2:999999999999:build/{UNKNOWN}"])
def test_an_unknown_build_is_not_found(stage: Stage, operation: str, build: str) -> None:
    error = stage.error(operation, BuildId=build)
    assert error.error_code == "NotFoundException"
    assert UNKNOWN in error.message
