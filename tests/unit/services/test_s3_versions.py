"""Versions as the SDK sees them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from s3_scenes import Scene, refused


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path / "data")
    yield scene
    assert scene.leftovers() == []
    scene.close()


@pytest.fixture
def client(scene: Scene) -> Any:
    made = scene.client()
    made.create_bucket(Bucket="audit")
    return made


def turn(client: Any, status: str) -> None:
    client.put_bucket_versioning(Bucket="audit", VersioningConfiguration={"Status": status})


def put(client: Any, body: bytes, key: str = "k") -> str | None:
    version: str | None = client.put_object(Bucket="audit", Key=key, Body=body).get("VersionId")
    return version


def read(client: Any, **version: Any) -> bytes:
    content: bytes = client.get_object(Bucket="audit", Key="k", **version)["Body"].read()
    return content


def listed(client: Any, **params: Any) -> list[Any]:
    """Return version, is it the latest, is it a marker; newest first."""
    page = client.list_object_versions(Bucket="audit", **params)
    found = [(one, False) for one in page.get("Versions", [])] + [(one, True) for one in page.get("DeleteMarkers", [])]
    order = sorted(found, key=lambda pair: (pair[0]["Key"], not pair[0]["IsLatest"]))
    return [(one["VersionId"], one["IsLatest"], marker) for one, marker in order]


def test_versioning_is_off_until_it_is_put(client: Any) -> None:
    assert "Status" not in client.get_bucket_versioning(Bucket="audit")
    assert put(client, b"1") is None
    turn(client, "Enabled")
    assert client.get_bucket_versioning(Bucket="audit")["Status"] == "Enabled"
    mfa = {"Status": "Enabled", "MFADelete": "Enabled"}
    assert refused(client.put_bucket_versioning, Bucket="audit", VersioningConfiguration=mfa)[0] == "NotImplemented"


def test_old_versions_are_read_deleted_and_brought_back(scene: Scene, client: Any) -> None:
    put(client, b"null")
    turn(client, "Enabled")
    first, second = put(client, b"1"), put(client, b"22")
    assert (read(client), read(client, VersionId=first), read(client, VersionId="null")) == (b"22", b"1", b"null")
    assert client.head_object(Bucket="audit", Key="k", VersionId=first)["ContentLength"] == 1
    assert client.head_object(Bucket="audit", Key="k")["VersionId"] == second
    assert refused(client.get_object, Bucket="audit", Key="k", VersionId="none") == ("NoSuchVersion", 404)
    assert (scene.path / "buckets" / "audit" / "k").read_bytes() == b"22"
    gone = client.delete_object(Bucket="audit", Key="k")
    assert gone["DeleteMarker"]
    assert refused(client.get_object, Bucket="audit", Key="k") == ("NoSuchKey", 404)
    assert refused(client.get_object, Bucket="audit", Key="k", VersionId=gone["VersionId"]) == ("MethodNotAllowed", 405)
    assert client.list_objects_v2(Bucket="audit")["KeyCount"] == 0
    assert refused(client.delete_bucket, Bucket="audit") == ("BucketNotEmpty", 409)
    assert listed(client)[0] == (gone["VersionId"], True, True)
    back = client.delete_object(Bucket="audit", Key="k", VersionId=gone["VersionId"])
    assert (back["DeleteMarker"], back["VersionId"]) == (True, gone["VersionId"])
    assert read(client) == b"22"
    assert "DeleteMarker" not in client.delete_object(Bucket="audit", Key="k", VersionId=second)
    assert read(client) == b"1"


def test_suspended_versioning_overwrites_the_null_version_only(client: Any) -> None:
    turn(client, "Enabled")
    first = put(client, b"1")
    turn(client, "Suspended")
    assert put(client, b"a") == "null"
    assert put(client, b"b") == "null"
    assert listed(client) == [("null", True, False), (first, False, False)]
    gone = client.delete_object(Bucket="audit", Key="k")
    assert (gone["VersionId"], gone["DeleteMarker"]) == ("null", True)
    assert listed(client) == [("null", True, True), (first, False, False)]


def test_versions_are_listed_in_pages(client: Any) -> None:
    turn(client, "Enabled")
    for number in range(7):
        put(client, b"%d" % number, f"folder {number % 3}/k")
    pages = client.get_paginator("list_object_versions").paginate(Bucket="audit", PaginationConfig={"PageSize": 2})
    found = [one for page in pages for one in page["Versions"]]
    assert [one["Key"] for one in found] == ["folder 0/k"] * 3 + ["folder 1/k"] * 2 + ["folder 2/k"] * 2
    assert [one["IsLatest"] for one in found] == [True, False, False, True, False, True, False]
    assert len({one["VersionId"] for one in found}) == 7
    rolled = client.list_object_versions(Bucket="audit", Delimiter="/")
    assert [one["Prefix"] for one in rolled["CommonPrefixes"]] == ["folder 0/", "folder 1/", "folder 2/"]
    assert refused(client.list_object_versions, Bucket="audit", VersionIdMarker="x") == ("InvalidArgument", 400)


def test_several_versions_and_objects_are_deleted_at_once(client: Any) -> None:
    turn(client, "Enabled")
    first = put(client, b"1")
    put(client, b"2", "other")
    objects = [{"Key": "k", "VersionId": first}, {"Key": "other"}]
    deleted = client.delete_objects(Bucket="audit", Delete={"Objects": objects})["Deleted"]
    assert deleted[0] == {"Key": "k", "VersionId": first}
    assert (deleted[1]["Key"], deleted[1]["DeleteMarker"]) == ("other", True)
    marker = {"Key": "other", "VersionId": deleted[1]["DeleteMarkerVersionId"]}
    again = client.delete_objects(Bucket="audit", Delete={"Objects": [marker]})["Deleted"]
    assert again == [{**marker, "DeleteMarker": True, "DeleteMarkerVersionId": marker["VersionId"]}]
    assert [one["Key"] for one in client.list_objects_v2(Bucket="audit")["Contents"]] == ["other"]


def test_tags_and_copies_are_of_one_version(client: Any) -> None:
    turn(client, "Enabled")
    first, second = put(client, b"1"), put(client, b"2")
    tags = {"TagSet": [{"Key": "a", "Value": "b"}]}
    assert client.put_object_tagging(Bucket="audit", Key="k", VersionId=first, Tagging=tags)["VersionId"] == first
    assert client.get_object_tagging(Bucket="audit", Key="k", VersionId=first)["TagSet"] == tags["TagSet"]
    assert client.get_object_tagging(Bucket="audit", Key="k")["TagSet"] == []
    source = {"Bucket": "audit", "Key": "k", "VersionId": first}
    copied = client.copy_object(Bucket="audit", Key="k", CopySource=source)
    assert copied["CopySourceVersionId"] == first
    assert copied["VersionId"] not in (first, second)
    assert read(client) == b"1"


def test_an_upload_in_parts_makes_a_version(client: Any) -> None:
    turn(client, "Enabled")
    first = put(client, b"1")
    upload = client.create_multipart_upload(Bucket="audit", Key="k")["UploadId"]
    etag = client.upload_part(Bucket="audit", Key="k", UploadId=upload, PartNumber=1, Body=b"whole")["ETag"]
    parts = {"Parts": [{"ETag": etag, "PartNumber": 1}]}
    done = client.complete_multipart_upload(Bucket="audit", Key="k", UploadId=upload, MultipartUpload=parts)
    assert listed(client) == [(done["VersionId"], True, False), (first, False, False)]


def test_versions_survive_a_restart_and_are_recorded(scene: Scene, client: Any) -> None:
    turn(client, "Enabled")
    first = put(client, b"1")
    put(client, b"2")
    scene.runner.run(scene.app.close())
    scene.open()
    assert read(client, VersionId=first) == b"1"
    assert scene.events("PutObject")[0]["responseElements"]["x-amz-version-id"] == first
    assert scene.events("GetObject")[0]["requestParameters"]["versionId"] == first
    assert scene.events("PutBucketVersioning")[0]["managementEvent"]


def test_what_a_trail_delivers_becomes_versions_too(scene: Scene, client: Any) -> None:
    turn(client, "Enabled")
    bucket = scene.app.trail_bucket("audit")
    for body in (b"1", b"2"):
        scene.runner.run(bucket.put("k", body, content_type="text/plain"))
    assert len(listed(client)) == 2
    assert read(client) == b"2"
