"""S3 as the SDK sees it: real clients through the whole application, without a socket in between."""

import asyncio
import base64
import hashlib
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from s3_scenes import ACCOUNT, OTHER, Scene, refused

from apitrail.errors import ServiceError
from apitrail.identity.principal import Principal
from apitrail.objects.folder import FolderBucket
from apitrail.services import s3
from apitrail.services.buckets import OBJECT_CREATED, ensure_service_bucket
from apitrail.services.operation import OBSERVERS, Deed
from apitrail.services.registry import SERVICES
from apitrail.services.runtime import Runtime

MIB = 1024 * 1024
SERVICES.setdefault("s3", s3.SERVICE)


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


# Buckets --------------------------------------------------------------------------------------------------------


def test_a_bucket_is_made_listed_found_and_removed(scene: Scene) -> None:
    client = scene.client(region="eu-west-1")
    client.create_bucket(Bucket="one.two-3", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    listed = client.list_buckets()
    assert [bucket["Name"] for bucket in listed["Buckets"]] == ["one.two-3"]
    assert listed["Owner"]["DisplayName"] == ACCOUNT
    assert client.head_bucket(Bucket="one.two-3")["BucketRegion"] == "eu-west-1"
    assert client.get_bucket_location(Bucket="one.two-3")["LocationConstraint"] == "eu-west-1"
    assert "Status" not in client.get_bucket_versioning(Bucket="one.two-3")
    assert (scene.path / "buckets" / "one.two-3").is_dir()
    client.delete_bucket(Bucket="one.two-3")
    assert not (scene.path / "buckets" / "one.two-3").exists()
    assert refused(client.head_bucket, Bucket="one.two-3") == ("404", 404)
    assert refused(client.delete_bucket, Bucket="one.two-3") == ("NoSuchBucket", 404)


def test_a_bucket_name_is_checked_and_belongs_to_the_first_who_takes_it(scene: Scene, client: Any) -> None:
    other = scene.client(scene.other)
    assert refused(client.create_bucket, Bucket="audit") == ("BucketAlreadyOwnedByYou", 409)
    assert refused(other.create_bucket, Bucket="audit") == ("BucketAlreadyExists", 409)
    for name in ("Upper", "a.", "192.168.1.1", "xn--x", "two..dots", "under_score"):
        assert refused(client.create_bucket, Bucket=name) == ("InvalidBucketName", 400)
    assert client.get_bucket_location(Bucket="audit")["LocationConstraint"] is None
    code = "IllegalLocationConstraintException"
    assert refused(scene.client(region="eu-west-1").create_bucket, Bucket="elsewhere") == (code, 400)


def test_another_account_has_no_access(scene: Scene, client: Any) -> None:
    client.put_object(Bucket="audit", Key="k", Body=b"1")
    other = scene.client(scene.other)
    assert refused(other.get_object, Bucket="audit", Key="k") == ("AccessDenied", 403)
    assert refused(other.put_object, Bucket="audit", Key="k", Body=b"2") == ("AccessDenied", 403)
    assert refused(other.list_objects_v2, Bucket="audit") == ("AccessDenied", 403)
    assert refused(other.delete_bucket, Bucket="audit") == ("AccessDenied", 403)
    assert refused(client.get_object, Bucket="audit", Key="k", ExpectedBucketOwner=OTHER) == ("AccessDenied", 403)
    assert other.list_buckets()["Buckets"] == []


def test_a_bucket_with_objects_is_not_removed(client: Any) -> None:
    client.put_object(Bucket="audit", Key="a/b", Body=b"1")
    assert refused(client.delete_bucket, Bucket="audit") == ("BucketNotEmpty", 409)
    client.delete_object(Bucket="audit", Key="a/b")
    client.create_multipart_upload(Bucket="audit", Key="unfinished")
    client.delete_bucket(Bucket="audit")


def test_buckets_are_listed_in_pages(client: Any) -> None:
    for number in range(5):
        client.create_bucket(Bucket=f"more-{number}")
    first = client.list_buckets(MaxBuckets=2, Prefix="more-")
    second = client.list_buckets(MaxBuckets=9, Prefix="more-", ContinuationToken=first["ContinuationToken"])
    assert [one["Name"] for one in first["Buckets"] + second["Buckets"]] == [f"more-{n}" for n in range(5)]
    assert "ContinuationToken" not in second


def test_policy_tags_and_acl_of_a_bucket_are_kept(client: Any) -> None:
    assert refused(client.get_bucket_policy, Bucket="audit") == ("NoSuchBucketPolicy", 404)
    text = (
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": '
        '{"Service": "cloudtrail.amazonaws.com"}, "Action": "s3:PutObject", "Resource": "arn:aws:s3:::audit/AWSLogs/*"}]}'
    )
    client.put_bucket_policy(Bucket="audit", Policy=text)
    assert client.get_bucket_policy(Bucket="audit")["Policy"] == text
    for broken in ("no json", "{}", text.replace(":::audit", ":::other")):
        assert refused(client.put_bucket_policy, Bucket="audit", Policy=broken) == ("MalformedPolicy", 400)
    client.delete_bucket_policy(Bucket="audit")
    assert refused(client.get_bucket_policy, Bucket="audit") == ("NoSuchBucketPolicy", 404)
    assert refused(client.get_bucket_tagging, Bucket="audit") == ("NoSuchTagSet", 404)
    client.put_bucket_tagging(Bucket="audit", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    assert client.get_bucket_tagging(Bucket="audit")["TagSet"] == [{"Key": "a", "Value": "b"}]
    client.delete_bucket_tagging(Bucket="audit")
    assert refused(client.get_bucket_tagging, Bucket="audit") == ("NoSuchTagSet", 404)
    acl = client.get_bucket_acl(Bucket="audit")
    assert [grant["Permission"] for grant in acl["Grants"]] == ["FULL_CONTROL"]
    assert acl["Grants"][0]["Grantee"]["Type"] == "CanonicalUser"
    client.put_bucket_acl(Bucket="audit", ACL="private")
    assert refused(client.put_bucket_acl, Bucket="audit", ACL="public-read") == ("AccessControlListNotSupported", 400)


# Objects --------------------------------------------------------------------------------------------------------


def test_an_object_comes_back_with_all_that_was_given(scene: Scene, client: Any) -> None:
    expires = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    put = client.put_object(
        Bucket="audit",
        Key="AWSLogs/ü b+c.txt",
        Body=b"hello",
        ContentType="text/plain",
        ContentEncoding="gzip",
        CacheControl="no-cache",
        ContentDisposition="inline",
        ContentLanguage="de",
        Expires=expires,
        Metadata={"Signature": "abc"},
        Tagging="a=1&b=%20",
    )
    assert put["ETag"] == f'"{hashlib.md5(b"hello").hexdigest()}"'
    assert (scene.path / "buckets" / "audit" / "AWSLogs" / "ü b+c.txt").read_bytes() == b"hello"
    for got in (
        client.get_object(Bucket="audit", Key="AWSLogs/ü b+c.txt"),
        client.head_object(Bucket="audit", Key="AWSLogs/ü b+c.txt"),
    ):
        assert (got["ETag"], got["ContentLength"], got["ContentType"]) == (put["ETag"], 5, "text/plain")
        assert (got["ContentEncoding"], got["CacheControl"], got["ContentDisposition"]) == (
            "gzip",
            "no-cache",
            "inline",
        )
        assert (got["ContentLanguage"], got["Metadata"]) == ("de", {"signature": "abc"})
        assert got["Expires"] == expires
        assert abs(got["LastModified"] - datetime.now(UTC)) < timedelta(minutes=1)
    assert client.get_object(Bucket="audit", Key="AWSLogs/ü b+c.txt")["Body"].read() == b"hello"
    tags = client.get_object_tagging(Bucket="audit", Key="AWSLogs/ü b+c.txt")["TagSet"]
    assert tags == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": " "}]


@pytest.mark.parametrize("size", [0, 1, MIB - 1, 5 * MIB + 3])
def test_bodies_of_any_size_come_back_whole_and_in_ranges(client: Any, size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    body = body[:size]
    client.put_object(Bucket="audit", Key="big", Body=body)
    got = client.get_object(Bucket="audit", Key="big", ChecksumMode="ENABLED")
    assert got["ChecksumCRC32"] == base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
    assert got["Body"].read() == body
    if size > 10:
        for text, expected in (("bytes=2-5", body[2:6]), ("bytes=-7", body[-7:]), ("bytes=9-", body[9:])):
            part = client.get_object(Bucket="audit", Key="big", Range=text)
            assert part["Body"].read() == expected
            assert part["ResponseMetadata"]["HTTPStatusCode"] == 206
            assert part["ContentRange"].endswith(f"/{size}")
    assert refused(client.get_object, Bucket="audit", Key="big", Range=f"bytes={size}-") == ("InvalidRange", 416)


def test_every_strange_key_works(client: Any) -> None:
    keys = ["..", "../../x", "/", "//", "a//b", "a/", "a", "a/b/c", "n" * 1024, "ü\u0308", "a b+c%2F&?#", ".apitrail/x"]
    for key in keys:
        client.put_object(Bucket="audit", Key=key, Body=key.encode())
    for key in keys:
        assert client.get_object(Bucket="audit", Key=key)["Body"].read() == key.encode()
    listed = client.list_objects_v2(Bucket="audit")
    assert [one["Key"] for one in listed["Contents"]] == sorted(keys, key=str.encode)
    assert refused(client.put_object, Bucket="audit", Key="n" * 1025, Body=b"") == ("KeyTooLongError", 400)
    client.delete_objects(Bucket="audit", Delete={"Objects": [{"Key": key} for key in keys]})
    assert client.list_objects_v2(Bucket="audit")["KeyCount"] == 0


def test_what_is_not_there_is_told_in_the_words_of_s3(client: Any) -> None:
    assert refused(client.get_object, Bucket="audit", Key="none") == ("NoSuchKey", 404)
    assert refused(client.head_object, Bucket="audit", Key="none") == ("404", 404)
    assert refused(client.get_object, Bucket="nowhere", Key="none") == ("NoSuchBucket", 404)
    assert refused(client.put_object, Bucket="nowhere", Key="k", Body=b"1") == ("NoSuchBucket", 404)
    assert refused(client.get_object, Bucket="audit", Key="none", VersionId="v1") == ("NoSuchVersion", 404)
    client.delete_object(Bucket="audit", Key="none")
    with pytest.raises(client.exceptions.NoSuchKey):
        client.get_object(Bucket="audit", Key="none")


def test_what_would_be_ignored_is_refused(client: Any) -> None:
    for params, code, status in (
        ({"ServerSideEncryption": "aws:kms"}, "NotImplemented", 501),
        ({"ACL": "public-read"}, "AccessControlListNotSupported", 400),
        ({"StorageClass": "OUTPOSTS"}, "InvalidStorageClass", 400),
        ({"ObjectLockMode": "COMPLIANCE"}, "InvalidRequest", 400),
        ({"Metadata": {"big": "x" * 2049}}, "MetadataTooLarge", 400),
        ({"Tagging": "&".join(f"k{n}=v" for n in range(11))}, "InvalidTag", 400),
    ):
        assert refused(client.put_object, Bucket="audit", Key="k", Body=b"1", **params) == (code, status)
    assert client.list_objects_v2(Bucket="audit")["KeyCount"] == 0


def test_an_altered_body_is_not_stored(client: Any) -> None:
    wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    assert refused(client.put_object, Bucket="audit", Key="k", Body=b"1", ContentMD5=wrong) == ("BadDigest", 400)
    assert refused(client.put_object, Bucket="audit", Key="k", Body=b"1", ContentMD5="x") == ("InvalidDigest", 400)
    for member, size in (("CRC32", 4), ("CRC32C", 4), ("CRC64NVME", 8), ("SHA1", 20), ("SHA256", 32)):
        value = base64.b64encode(bytes(size)).decode()
        for body in (b"1", b"1" * (2 * MIB)):
            params = {"Body": body, f"Checksum{member}": value}
            assert refused(client.put_object, Bucket="audit", Key="k", **params) == ("BadDigest", 400)
    assert client.list_objects_v2(Bucket="audit")["KeyCount"] == 0


def test_the_checksum_that_was_sent_is_verified_kept_and_told(client: Any) -> None:
    body = b"123456789"
    for member, value in (
        ("CRC32", bytes.fromhex("cbf43926")),
        ("CRC32C", bytes.fromhex("e3069283")),
        ("CRC64NVME", bytes.fromhex("ae8b14860a799888")),
        ("SHA1", hashlib.sha1(body).digest()),
        ("SHA256", hashlib.sha256(body).digest()),
    ):
        text = base64.b64encode(value).decode()
        put = client.put_object(Bucket="audit", Key="k", Body=body, **{f"Checksum{member}": text})
        got = client.get_object(Bucket="audit", Key="k", ChecksumMode="ENABLED")
        assert put[f"Checksum{member}"] == got[f"Checksum{member}"] == text
        assert f"Checksum{member}" not in client.head_object(Bucket="audit", Key="k")
        attributes = client.get_object_attributes(Bucket="audit", Key="k", ObjectAttributes=["Checksum", "ObjectSize"])
        assert attributes["Checksum"][f"Checksum{member}"] == text
        assert attributes["ObjectSize"] == 9


@pytest.mark.parametrize("size", [1, 3 * MIB])
def test_a_streamed_body_with_its_checksum_behind_it_is_stored_without_the_frame(
    scene: Scene, client: Any, size: int
) -> None:
    body = b"x" * size
    secure = scene.client(endpoint="https://127.0.0.1:4580")
    secure.put_object(Bucket="audit", Key="streamed", Body=body)
    assert scene.sent["X-Amz-Trailer"] == b"x-amz-checksum-crc32"
    got = client.get_object(Bucket="audit", Key="streamed", ChecksumMode="ENABLED")
    assert got["Body"].read() == body
    assert "ContentEncoding" not in got
    if size > MIB:  # a small body's trailer does not reach the service
        assert got["ChecksumCRC32"] == base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()


def test_reads_are_conditional(client: Any) -> None:
    etag = client.put_object(Bucket="audit", Key="k", Body=b"1")["ETag"]
    past, future = datetime(2020, 1, 1, tzinfo=UTC), datetime.now(UTC) + timedelta(days=1)
    for params in (
        {"IfMatch": etag},
        {"IfNoneMatch": '"other"'},
        {"IfModifiedSince": past},
        {"IfUnmodifiedSince": future},
    ):
        assert client.get_object(Bucket="audit", Key="k", **params)["Body"].read() == b"1"
    for params, status in (
        ({"IfMatch": '"other"'}, 412),
        ({"IfNoneMatch": etag}, 304),
        ({"IfNoneMatch": "*"}, 304),
        ({"IfModifiedSince": future}, 304),
        ({"IfUnmodifiedSince": past}, 412),
    ):
        assert refused(client.get_object, Bucket="audit", Key="k", **params)[1] == status
        assert refused(client.head_object, Bucket="audit", Key="k", **params)[1] == status
    assert client.get_object(Bucket="audit", Key="k", IfMatch=etag, IfUnmodifiedSince=past)["ETag"] == etag


def test_writes_are_conditional(client: Any) -> None:
    put = lambda **params: client.put_object(Bucket="audit", Key="k", Body=b"1", **params)  # noqa: E731
    assert refused(put, IfMatch='"any"') == ("NoSuchKey", 404)
    etag = put(IfNoneMatch="*")["ETag"]
    assert refused(put, IfNoneMatch="*") == ("PreconditionFailed", 412)
    assert refused(put, IfNoneMatch=etag) == ("NotImplemented", 501)
    assert refused(put, IfMatch='"other"') == ("PreconditionFailed", 412)
    assert put(IfMatch=etag)["ETag"] == etag
    assert refused(client.delete_object, Bucket="audit", Key="k", IfMatch='"other"') == ("PreconditionFailed", 412)
    client.delete_object(Bucket="audit", Key="k", IfMatch=etag)
    put(IfNoneMatch="*")


def test_of_many_who_create_a_key_at_once_one_wins(scene: Scene, client: Any) -> None:
    principal = Principal("Root", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)

    async def create(number: int) -> str:
        params = {"Bucket": "audit", "Key": "lock", "Body": str(number).encode(), "IfNoneMatch": "*"}
        try:
            await scene.app.call(principal, "us-east-1", "s3", "PutObject", params)
        except ServiceError as error:
            return error.error_code
        return str(number)

    async def race() -> list[str]:
        return await asyncio.gather(*(create(number) for number in range(20)))

    outcomes = scene.runner.run(race())
    winners = [outcome for outcome in outcomes if outcome.isdecimal()]
    assert len(winners) <= 1
    assert set(outcomes) - set(winners) <= {"ConditionalRequestConflict", "PreconditionFailed"}
    again = scene.runner.run(create(99))
    if winners:
        assert again == "PreconditionFailed"
        assert client.get_object(Bucket="audit", Key="lock")["Body"].read() == winners[0].encode()
    else:
        assert again == "99"


def test_answers_can_be_given_other_headers(client: Any) -> None:
    client.put_object(Bucket="audit", Key="k", Body=b"1")
    got = client.get_object(Bucket="audit", Key="k", ResponseContentType="text/html", ResponseCacheControl="none")
    assert (got["ContentType"], got["CacheControl"]) == ("text/html", "none")


def test_presigned_urls_put_and_get(scene: Scene, client: Any) -> None:
    signer = scene.client(signature_version="s3v4")
    url = signer.generate_presigned_url("put_object", Params={"Bucket": "audit", "Key": "k"}, ExpiresIn=60)
    assert scene.ask("PUT", url, {}, b"presigned").status_code == 200
    url = signer.generate_presigned_url("get_object", Params={"Bucket": "audit", "Key": "k"}, ExpiresIn=60)
    answer = scene.ask("GET", url, {})
    assert (answer.status_code, answer.raw.read()) == (200, b"presigned")
    wrong = url[:-1] + ("0" if url[-1] != "0" else "1")
    assert scene.ask("GET", wrong, {}).status_code == 403


def test_tags_of_an_object_can_be_changed(client: Any) -> None:
    client.put_object(Bucket="audit", Key="k", Body=b"1", Metadata={"a": "b"})
    client.put_object_tagging(Bucket="audit", Key="k", Tagging={"TagSet": [{"Key": "x", "Value": "y"}]})
    assert client.get_object_tagging(Bucket="audit", Key="k")["TagSet"] == [{"Key": "x", "Value": "y"}]
    assert client.head_object(Bucket="audit", Key="k")["Metadata"] == {"a": "b"}
    client.delete_object_tagging(Bucket="audit", Key="k")
    assert client.get_object_tagging(Bucket="audit", Key="k")["TagSet"] == []
    twice = {"TagSet": [{"Key": "x", "Value": "1"}, {"Key": "x", "Value": "2"}]}
    assert refused(client.put_object_tagging, Bucket="audit", Key="k", Tagging=twice) == ("InvalidTag", 400)
    none = {"TagSet": []}
    assert refused(client.put_object_tagging, Bucket="audit", Key="none", Tagging=none) == ("NoSuchKey", 404)
    assert client.get_object_acl(Bucket="audit", Key="k")["Grants"][0]["Permission"] == "FULL_CONTROL"


def test_a_copy_keeps_or_replaces_what_belongs_to_the_object(client: Any) -> None:
    client.create_bucket(Bucket="target")
    client.put_object(Bucket="audit", Key="a +ü", Body=b"1", Metadata={"a": "b"}, Tagging="t=1", ContentType="a/b")
    source = {"Bucket": "audit", "Key": "a +ü"}
    made = client.copy_object(Bucket="target", Key="copy", CopySource=source)["CopyObjectResult"]
    assert made["ETag"] == f'"{hashlib.md5(b"1").hexdigest()}"'
    copy = client.get_object(Bucket="target", Key="copy")
    assert (copy["Body"].read(), copy["Metadata"], copy["ContentType"]) == (b"1", {"a": "b"}, "a/b")
    assert client.get_object_tagging(Bucket="target", Key="copy")["TagSet"] == [{"Key": "t", "Value": "1"}]
    replaced = {"MetadataDirective": "REPLACE", "Metadata": {"c": "d"}, "TaggingDirective": "REPLACE"}
    client.copy_object(**source, CopySource=source, **replaced)
    assert client.head_object(**source)["Metadata"] == {"c": "d"}
    assert client.get_object_tagging(**source)["TagSet"] == []
    assert refused(client.copy_object, **source, CopySource=source) == ("InvalidRequest", 400)
    missing = {"Bucket": "audit", "Key": "none"}
    assert refused(client.copy_object, Bucket="target", Key="x", CopySource=missing) == ("NoSuchKey", 404)
    params = {"Bucket": "target", "Key": "x", "CopySource": source, "CopySourceIfMatch": "other"}
    assert refused(client.copy_object, **params) == ("PreconditionFailed", 412)


def test_objects_are_listed_in_pages_and_rolled_up(client: Any) -> None:
    keys = [f"logs/{day}/{number} &<ü>" for day in range(3) for number in range(4)] + ["top"]
    for key in keys:
        client.put_object(Bucket="audit", Key=key, Body=b"1")
    paginated = client.get_paginator("list_objects_v2").paginate(Bucket="audit", PaginationConfig={"PageSize": 3})
    assert [one["Key"] for page in paginated for one in page["Contents"]] == keys
    paginated = client.get_paginator("list_objects").paginate(Bucket="audit", PaginationConfig={"PageSize": 3})
    assert [one["Key"] for page in paginated for one in page["Contents"]] == keys
    rolled = client.list_objects_v2(Bucket="audit", Delimiter="/", Prefix="logs/")
    assert [one["Prefix"] for one in rolled["CommonPrefixes"]] == ["logs/0/", "logs/1/", "logs/2/"]
    paginated = client.get_paginator("list_objects").paginate(
        Bucket="audit", Delimiter="/", Prefix="logs/", PaginationConfig={"PageSize": 1}
    )
    assert [page["CommonPrefixes"][0]["Prefix"] for page in paginated] == ["logs/0/", "logs/1/", "logs/2/"]
    after = client.list_objects_v2(Bucket="audit", StartAfter="logs/2/2 &<ü>")
    assert [one["Key"] for one in after["Contents"]] == keys[-2:]
    assert client.list_objects_v2(Bucket="audit", MaxKeys=0)["IsTruncated"] is False
    assert "Owner" not in after["Contents"][0]
    owned = client.list_objects_v2(Bucket="audit", FetchOwner=True)
    assert owned["Contents"][0]["Owner"]["DisplayName"] == ACCOUNT
    assert refused(client.list_objects_v2, Bucket="audit", ContinuationToken="x") == ("InvalidArgument", 400)


def test_a_file_put_or_delivered_into_the_folder_is_served(scene: Scene, client: Any) -> None:
    bucket = scene.app.bucket("audit")
    put = bucket.put("AWSLogs/log.gz", b"log", content_type="application/json", metadata={"signature": "s"})
    scene.runner.run(put)
    (scene.path / "buckets" / "audit" / "by-hand.txt").write_bytes(b"hand")
    assert client.get_object(Bucket="audit", Key="AWSLogs/log.gz")["Metadata"] == {"signature": "s"}
    assert client.get_object(Bucket="audit", Key="by-hand.txt")["Body"].read() == b"hand"
    assert [one["Key"] for one in client.list_objects_v2(Bucket="audit")["Contents"]] == [
        "AWSLogs/log.gz",
        "by-hand.txt",
    ]


def test_several_objects_are_deleted_at_once(client: Any) -> None:
    for key in ("a", "b", "c"):
        client.put_object(Bucket="audit", Key=key, Body=b"1")
    objects = [{"Key": "a"}, {"Key": "none"}, {"Key": "b", "VersionId": "v1"}]
    answer = client.delete_objects(Bucket="audit", Delete={"Objects": objects})
    assert [one["Key"] for one in answer["Deleted"]] == ["a", "none"]
    assert [(one["Key"], one["Code"]) for one in answer["Errors"]] == [("b", "NoSuchVersion")]
    quiet = client.delete_objects(Bucket="audit", Delete={"Objects": [{"Key": "b"}], "Quiet": True})
    assert "Deleted" not in quiet
    assert [one["Key"] for one in client.list_objects_v2(Bucket="audit")["Contents"]] == ["c"]


# Multipart ------------------------------------------------------------------------------------------------------


def send_parts(client: Any, upload: str, *bodies: bytes) -> list[dict[str, Any]]:
    parts = []
    for number, body in enumerate(bodies, 1):
        answer = client.upload_part(Bucket="audit", Key="big", UploadId=upload, PartNumber=number, Body=body)
        sums = {name: value for name, value in answer.items() if name.startswith("Checksum")}
        parts.append({"PartNumber": number, "ETag": answer["ETag"], **sums})
    return parts


def test_an_upload_in_parts_becomes_one_object(scene: Scene, client: Any) -> None:
    bodies = (b"a" * 5 * MIB, b"b" * 5 * MIB, b"end")
    upload = client.create_multipart_upload(Bucket="audit", Key="big", ContentType="a/b", ChecksumAlgorithm="CRC32")
    parts = send_parts(client, upload["UploadId"], *bodies)
    listed = client.list_parts(Bucket="audit", Key="big", UploadId=upload["UploadId"], MaxParts=2)
    assert [(one["PartNumber"], one["Size"]) for one in listed["Parts"]] == [(1, 5 * MIB), (2, 5 * MIB)]
    assert listed["IsTruncated"] is True
    done = client.complete_multipart_upload(
        Bucket="audit", Key="big", UploadId=upload["UploadId"], MultipartUpload={"Parts": parts}
    )
    md5s = b"".join(hashlib.md5(body).digest() for body in bodies)
    assert done["ETag"] == f'"{hashlib.md5(md5s).hexdigest()}-3"'
    crcs = b"".join(zlib.crc32(body).to_bytes(4, "big") for body in bodies)
    assert done["ChecksumCRC32"] == base64.b64encode(zlib.crc32(crcs).to_bytes(4, "big")).decode() + "-3"
    got = client.get_object(Bucket="audit", Key="big")
    assert (got["Body"].read(), got["ETag"], got["ContentType"]) == (b"".join(bodies), done["ETag"], "a/b")
    part = client.get_object(Bucket="audit", Key="big", PartNumber=3)
    assert (part["Body"].read(), part["PartsCount"]) == (b"end", 3)
    assert refused(client.get_object, Bucket="audit", Key="big", PartNumber=4) == ("InvalidPartNumber", 416)
    attributes = client.get_object_attributes(Bucket="audit", Key="big", ObjectAttributes=["ObjectParts", "ETag"])
    assert attributes["ObjectParts"]["TotalPartsCount"] == 3
    assert refused(client.list_parts, Bucket="audit", Key="big", UploadId=upload["UploadId"]) == ("NoSuchUpload", 404)
    assert scene.leftovers() == []


def test_a_whole_checksum_is_computed_over_the_parts(client: Any) -> None:
    upload = client.create_multipart_upload(
        Bucket="audit", Key="big", ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT"
    )
    parts = send_parts(client, upload["UploadId"], b"a" * 5 * MIB, b"end")
    whole = base64.b64encode(zlib.crc32(b"a" * 5 * MIB + b"end").to_bytes(4, "big")).decode()
    ask = {"Bucket": "audit", "Key": "big", "UploadId": upload["UploadId"], "MultipartUpload": {"Parts": parts}}
    assert refused(client.complete_multipart_upload, **ask, ChecksumCRC32="AAAAAA==") == ("BadDigest", 400)
    assert refused(client.complete_multipart_upload, **ask, MpuObjectSize=7) == ("InvalidRequest", 400)
    done = client.complete_multipart_upload(**ask, ChecksumCRC32=whole, ChecksumType="FULL_OBJECT")
    assert done["ChecksumCRC32"] == whole
    assert client.get_object(Bucket="audit", Key="big", ChecksumMode="ENABLED")["Body"].read(5) == b"aaaaa"


def test_parts_are_checked_when_they_are_put_together(client: Any) -> None:
    upload = client.create_multipart_upload(Bucket="audit", Key="big")["UploadId"]
    parts = [{"PartNumber": one["PartNumber"], "ETag": one["ETag"]} for one in send_parts(client, upload, b"1", b"2")]

    def complete(*chosen: dict[str, Any], upload_id: str = upload) -> Any:
        return client.complete_multipart_upload(
            Bucket="audit", Key="big", UploadId=upload_id, MultipartUpload={"Parts": list(chosen)}
        )

    def code(*chosen: dict[str, Any], upload_id: str = upload) -> str:
        return refused(lambda: complete(*chosen, upload_id=upload_id))[0]

    assert code(parts[0], parts[1]) == "EntityTooSmall"
    assert code(parts[1], parts[0]) == "InvalidPartOrder"
    assert code(parts[0], {"PartNumber": 3, "ETag": parts[0]["ETag"]}) == "InvalidPart"
    assert code({"PartNumber": 1, "ETag": parts[1]["ETag"]}) == "InvalidPart"
    assert code() == "MalformedXML"
    assert code(parts[0], upload_id="none") == "NoSuchUpload"
    complete(parts[1])
    assert client.get_object(Bucket="audit", Key="big")["Body"].read() == b"2"


def test_a_part_can_be_sent_again_and_an_upload_given_up(scene: Scene, client: Any) -> None:
    upload = client.create_multipart_upload(Bucket="audit", Key="big")["UploadId"]
    send_parts(client, upload, b"first try")
    parts = send_parts(client, upload, b"second try")
    assert len(scene.leftovers()) == 1
    listed = client.list_parts(Bucket="audit", Key="big", UploadId=upload)["Parts"]
    assert [(one["ETag"], one["Size"]) for one in listed] == [(parts[0]["ETag"], 10)]
    client.abort_multipart_upload(Bucket="audit", Key="big", UploadId=upload)
    ask = {"Bucket": "audit", "Key": "big", "UploadId": upload}
    assert refused(client.abort_multipart_upload, **ask) == ("NoSuchUpload", 404)
    assert refused(client.upload_part, **ask, PartNumber=1, Body=b"late") == ("NoSuchUpload", 404)
    assert refused(client.upload_part, **ask, PartNumber=0, Body=b"none") == ("InvalidArgument", 400)


def test_parts_can_be_copied_from_objects(client: Any) -> None:
    client.put_object(Bucket="audit", Key="source", Body=b"0123456789")
    upload = client.create_multipart_upload(Bucket="audit", Key="big")["UploadId"]
    ask = {"Bucket": "audit", "Key": "big", "UploadId": upload, "PartNumber": 1, "CopySource": "audit/source"}
    copied = client.upload_part_copy(**ask, CopySourceRange="bytes=2-4")["CopyPartResult"]
    assert copied["ETag"] == f'"{hashlib.md5(b"234").hexdigest()}"'
    client.complete_multipart_upload(
        Bucket="audit",
        Key="big",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": copied["ETag"]}]},
    )
    assert client.get_object(Bucket="audit", Key="big")["Body"].read() == b"234"


def test_unfinished_uploads_are_listed_by_key(client: Any) -> None:
    made = [client.create_multipart_upload(Bucket="audit", Key=key)["UploadId"] for key in ("b", "a/1", "a/2", "b")]
    listed = client.list_multipart_uploads(Bucket="audit")["Uploads"]
    assert [one["Key"] for one in listed] == ["a/1", "a/2", "b", "b"]
    rolled = client.list_multipart_uploads(Bucket="audit", Delimiter="/")
    assert [one["Prefix"] for one in rolled["CommonPrefixes"]] == ["a/"]
    pages = client.get_paginator("list_multipart_uploads").paginate(Bucket="audit", PaginationConfig={"PageSize": 1})
    assert sorted(one["UploadId"] for page in pages for one in page["Uploads"]) == sorted(made)
    assert [one["Key"] for one in client.list_multipart_uploads(Bucket="audit", Prefix="a/")["Uploads"]] == [
        "a/1",
        "a/2",
    ]


# Around ---------------------------------------------------------------------------------------------------------


def test_arrivals_are_announced(scene: Scene, client: Any) -> None:
    seen: list[tuple[str, str]] = []

    async def watch(runtime: Runtime, deed: Deed) -> None:
        seen.append((deed.doc["Bucket"], deed.doc["Key"]))

    OBSERVERS.setdefault(OBJECT_CREATED, []).append(watch)
    try:
        client.put_object(Bucket="audit", Key="a", Body=b"1")
        client.copy_object(Bucket="audit", Key="b", CopySource="audit/a")
        client.delete_object(Bucket="audit", Key="a")
    finally:
        OBSERVERS[OBJECT_CREATED].remove(watch)
    assert seen == [("audit", "a"), ("audit", "b")]


def test_a_bucket_of_a_service_takes_uploads_of_those_whose_policies_name_it_only(scene: Scene, client: Any) -> None:
    write = scene.app.write(ACCOUNT, "us-east-1", lambda ctx: ensure_service_bucket(ctx, "service-uploads"))
    scene.runner.run(write)
    statement = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::service-uploads/mine/*"}
    session = Principal("AssumedRole", ACCOUNT, "arn:x", "AROAX:s", policies=({"Statement": [statement]},))

    async def put(principal: Principal, key: str) -> None:
        params = {"Bucket": "service-uploads", "Key": key, "Body": b"1"}
        await scene.app.call(principal, "us-east-1", "s3", "PutObject", params)

    scene.runner.run(put(session, "mine/1"))
    with pytest.raises(ServiceError):
        scene.runner.run(put(session, "other/1"))
    assert refused(client.put_object, Bucket="service-uploads", Key="mine/1", Body=b"") == ("AccessDenied", 403)
    assert [one["Name"] for one in client.list_buckets()["Buckets"]] == ["audit"]


def test_an_object_is_placed_after_a_restart_if_the_first_try_failed(scene: Scene, client: Any) -> None:
    folder = scene.path / "buckets" / "audit"
    away = scene.path / "away"
    folder.rename(away)
    folder.write_bytes(b"in the way")
    client.put_object(Bucket="audit", Key="late", Body=b"in time")
    client.put_object(Bucket="audit", Key="gone", Body=b"1")
    folder.unlink()
    away.rename(folder)
    client.delete_object(Bucket="audit", Key="gone")
    client.put_object(Bucket="audit", Key="late", Body=b"newer")
    scene.runner.run(scene.app.close())
    scene.open()
    scene.app._sweep()
    later = datetime.now(UTC) + timedelta(hours=1)
    rows = scene.app.database.read_now(lambda tx: tx.all("SELECT id, next_at FROM effects ORDER BY id"))
    assert len(rows) == 2
    scene.app.database.write_now(lambda tx: tx.run("UPDATE effects SET next_at = 0"))
    effects = next(worker for worker in scene.app.workers if worker.name == "effects")
    scene.runner.run(effects.tick())
    scene.runner.run(scene.app.database.write(lambda tx: None))  # what was not waited for is committed now
    assert scene.app.database.read_now(lambda tx: tx.all("SELECT id FROM effects")) == []
    assert client.get_object(Bucket="audit", Key="late", IfUnmodifiedSince=later)["Body"].read() == b"newer"
    assert refused(client.get_object, Bucket="audit", Key="gone") == ("NoSuchKey", 404)


def test_effects_that_are_repeated_after_newer_writes_change_nothing(scene: Scene, client: Any) -> None:
    client.put_object(Bucket="audit", Key="k", Body=b"1")
    client.delete_object(Bucket="audit", Key="k")
    client.put_object(Bucket="audit", Key="k", Body=b"2", Tagging="a=1")
    removal = Deed("s3/remove", ACCOUNT, "us-east-1", {"Bucket": "audit", "Keys": ["k"], "Number": 3})
    tags = Deed(
        "s3/amend",
        ACCOUNT,
        "us-east-1",
        {"Bucket": "audit", "Keys": ["k"], "Version": "null", "Facts": {"tags": {}}, "Number": 3},
    )
    scene.runner.run(s3.effects.remove(scene.app, removal))
    scene.runner.run(s3.effects.amend(scene.app, tags))
    assert client.get_object(Bucket="audit", Key="k")["Body"].read() == b"2"
    assert client.get_object_tagging(Bucket="audit", Key="k")["TagSet"] == [{"Key": "a", "Value": "1"}]


def test_a_large_object_that_is_replaced_while_it_is_sent_stays_what_it_was(scene: Scene, client: Any) -> None:
    bucket = scene.app.bucket("audit")
    assert isinstance(bucket, FolderBucket)
    client.put_object(Bucket="audit", Key="big", Body=b"a" * 6 * MIB)
    body = scene.runner.run(bucket.get("big", MIB, None))
    client.put_object(Bucket="audit", Key="big", Body=b"b")
    assert (body.start, body.end) == (MIB, 6 * MIB)
    assert scene.runner.run(body.read()) == b"a" * 5 * MIB


# Records --------------------------------------------------------------------------------------------------------


def test_object_calls_are_data_events_with_their_resources(scene: Scene, client: Any) -> None:
    client.put_object(Bucket="audit", Key="a/b", Body=b"123", ContentType="text/plain", Metadata={"m": "v"})
    event = scene.events("PutObject")[0]
    assert (event["eventCategory"], event["managementEvent"], event["readOnly"]) == ("Data", False, False)
    assert event["resources"] == [
        {"type": "AWS::S3::Object", "ARN": "arn:aws:s3:::audit/a/b"},
        {"accountId": ACCOUNT, "type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::audit"},
    ]
    params = event["requestParameters"]
    assert (params["bucketName"], params["key"], params["Host"]) == ("audit", "a/b", "127.0.0.1:4580")
    assert params["Content-Type"] == "text/plain"
    assert "123" not in str(params)
    assert event["additionalEventData"] == {"bytesTransferredIn": 3, "bytesTransferredOut": 0}
    client.get_object(Bucket="audit", Key="a/b", Range="bytes=1-1")
    event = scene.events("GetObject")[0]
    assert (event["readOnly"], event["responseElements"]) == (True, None)
    assert event["additionalEventData"]["bytesTransferredOut"] == 1
    refused(client.get_object, Bucket="audit", Key="none")
    assert scene.events("GetObject")[1]["errorCode"] == "NoSuchKey"


def test_bucket_calls_are_management_events(scene: Scene, client: Any) -> None:
    event = scene.events("CreateBucket")[0]
    assert (event["eventCategory"], event["eventSource"]) == ("Management", "s3.amazonaws.com")
    assert event["requestParameters"] == {"bucketName": "audit", "Host": "127.0.0.1:4580"}
    assert event["resources"] == [{"accountId": ACCOUNT, "type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::audit"}]
    client.list_objects(Bucket="audit", Prefix="AWS", MaxKeys=3)
    event = scene.events("ListObjects")[0]
    assert event["requestParameters"]["prefix"] == "AWS"
    client.get_bucket_acl(Bucket="audit")
    assert scene.events("GetBucketAcl")[0]["requestParameters"]["acl"] == ""
    assert event["requestParameters"]["max-keys"] == 3
    assert event["resources"][0] == {"type": "AWS::S3::Object", "ARNPrefix": "arn:aws:s3:::audit/AWS"}


def test_operations_not_served_say_so(client: Any) -> None:
    code, _ = refused(client.get_bucket_website, Bucket="audit")
    assert code == "UnsupportedOperationException"
