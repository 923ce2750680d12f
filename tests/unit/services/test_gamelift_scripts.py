"""Scripts: their zips and records."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apitrail.testing import Stage

UNKNOWN = "script-00000000-0000-4000-8000-000000000000"
ROLE = "arn:aws:iam::111122223333:role/scripts"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        yield stage


def make_zip(content: str = "exports.ssExports = {};") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("main.js"), content)  # the same bytes at any time
    return buffer.getvalue()


def content(stage: Stage, script: dict[str, Any]) -> bytes | None:
    location = script["StorageLocation"]

    async def read() -> bytes | None:
        bucket = stage.bucket(location["Bucket"])
        if await bucket.head(location["Key"]) is None:
            return None
        return await (await bucket.get(location["Key"])).read()

    return stage.run(read())


def own_object(stage: Stage) -> dict[str, str]:
    placed = {"CreateBucketConfiguration": {"LocationConstraint": "us-west-2"}}
    stage.call("CreateBucket", Bucket="my-scripts", **placed)
    stage.call("PutObject", Bucket="my-scripts", Key="main.zip", Body=make_zip())
    return {"Bucket": "my-scripts", "Key": "main.zip", "RoleArn": ROLE}


def test_a_script_with_a_zip_is_kept_in_the_services_bucket(stage: Stage) -> None:
    body = make_zip()
    script = stage.call("CreateScript", Name="lobby", Version="1", ZipFile=body)["Script"]
    assert script["ScriptArn"] == f"arn:aws:gamelift:us-west-2:111122223333:script/{script['ScriptId']}"
    assert script["SizeOnDisk"] == len(body)
    assert script["NodeJsVersion"] == "10.x"
    assert script["StorageLocation"]["Bucket"] == "gamelift-scripts-us-west-2"
    assert script["StorageLocation"]["Key"].startswith(f"111122223333/{script['ScriptId']}/")
    assert content(stage, script) == body
    assert stage.call("DescribeScript", ScriptId=script["ScriptArn"])["Script"] == script


def test_a_script_from_the_callers_bucket_has_no_size(stage: Stage) -> None:
    location = own_object(stage)
    script = stage.call("CreateScript", StorageLocation=location, NodeJsVersion="24.x")["Script"]
    assert (script["SizeOnDisk"], script["StorageLocation"]) == (0, location)
    assert script["NodeJsVersion"] == "24.x"


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({}, "Exactly one"),
        ({"ZipFile": make_zip(), "StorageLocation": {"Bucket": "b", "Key": "k", "RoleArn": ROLE}}, "Exactly one"),
        ({"ZipFile": b"no zip"}, "not a valid zip"),
        ({"ZipFile": b""}, "not a valid zip"),
        ({"ZipFile": make_zip(), "NodeJsVersion": "18.x"}, "10.x and 24.x"),
        ({"StorageLocation": {"Bucket": "none-such", "Key": "k", "RoleArn": ROLE}}, "not accessible"),
        ({"StorageLocation": {"Bucket": "b", "Key": "k"}}, "RoleArn"),
        ({"ZipFile": b"x" * 5_000_001}, "zipFile"),
    ],
)
def test_a_script_without_usable_content_is_refused(stage: Stage, params: dict[str, Any], reason: str) -> None:
    error = stage.error("CreateScript", **params)
    assert error.error_code == "InvalidRequestException"
    assert reason in error.message
    assert stage.call("ListScripts")["Scripts"] == []


def test_new_content_takes_the_place_of_the_old(stage: Stage) -> None:
    old = stage.call("CreateScript", Name="lobby", ZipFile=make_zip("old"))["Script"]
    new = stage.call("UpdateScript", ScriptId=old["ScriptId"], Version="2", ZipFile=make_zip("newer"))["Script"]
    assert (new["Name"], new["Version"], new["SizeOnDisk"]) == ("lobby", "2", len(make_zip("newer")))
    assert content(stage, old) is None
    assert content(stage, new) == make_zip("newer")


def test_content_may_change_from_a_zip_to_an_object_and_back(stage: Stage) -> None:
    location = own_object(stage)
    first = stage.call("CreateScript", ZipFile=make_zip("a"))["Script"]
    second = stage.call("UpdateScript", ScriptId=first["ScriptId"], StorageLocation=location)["Script"]
    assert (second["StorageLocation"], second["SizeOnDisk"]) == (location, 0)
    assert content(stage, first) is None
    third = stage.call("UpdateScript", ScriptId=first["ScriptId"], ZipFile=make_zip("b"))["Script"]
    assert content(stage, third) == make_zip("b")
    assert content(stage, second) == make_zip()


def test_a_name_changes_without_touching_the_content(stage: Stage) -> None:
    script = stage.call("CreateScript", ZipFile=make_zip())["Script"]
    renamed = stage.call("UpdateScript", ScriptId=script["ScriptId"], Name="new")["Script"]
    assert renamed == {**script, "Name": "new"}


def test_an_update_with_both_contents_is_refused(stage: Stage) -> None:
    script = stage.call("CreateScript", ZipFile=make_zip())["Script"]
    both = {"ZipFile": make_zip(), "StorageLocation": {"Bucket": "b", "Key": "k", "RoleArn": ROLE}}
    assert stage.error("UpdateScript", ScriptId=script["ScriptId"], **both).error_code == "InvalidRequestException"


def test_a_deleted_script_takes_its_zip_and_tags_along(stage: Stage) -> None:
    script = stage.call("CreateScript", ZipFile=make_zip(), Tags=[{"Key": "a", "Value": "1"}])["Script"]
    stage.call("DeleteScript", ScriptId=script["ScriptId"])
    assert content(stage, script) is None
    assert stage.error("ListTagsForResource", ResourceARN=script["ScriptArn"]).error_code == "NotFoundException"


def test_deleting_a_script_leaves_the_callers_object(stage: Stage) -> None:
    script = stage.call("CreateScript", StorageLocation=own_object(stage))["Script"]
    stage.call("DeleteScript", ScriptId=script["ScriptId"])
    assert content(stage, script) == make_zip()


def test_scripts_are_listed_page_by_page(stage: Stage) -> None:
    made = [stage.call("CreateScript", Name=str(n), ZipFile=make_zip())["Script"]["ScriptId"] for n in range(3)]
    first = stage.call("ListScripts", Limit=2)
    second = stage.call("ListScripts", Limit=2, NextToken=first["NextToken"])
    assert [script["ScriptId"] for script in first["Scripts"] + second["Scripts"]] == made
    assert not second.get("NextToken")


@pytest.mark.parametrize("operation", ["DescribeScript", "UpdateScript", "DeleteScript"])
def test_an_unknown_script_is_not_found(stage: Stage, operation: str) -> None:
    assert stage.error(operation, ScriptId=UNKNOWN).error_code == "NotFoundException"


def test_the_zip_is_not_in_the_record(stage: Stage) -> None:
    stage.call("CreateScript", Name="lobby", ZipFile=make_zip())
    assert list(stage.events())[-1]["requestParameters"] == {"name": "lobby"}
