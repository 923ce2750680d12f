"""One suite over every kind of bucket: folder, memory, and the S3 client against a real SeaweedFS."""

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from apitrail.clock import SystemClock
from apitrail.errors import SinkError
from apitrail.objects.bucket import Bucket, Facts
from apitrail.objects.fault import Fault, FaultBucket
from apitrail.objects.folder import FolderBucket
from apitrail.objects.memory import MemoryBucket
from apitrail.objects.s3 import S3Bucket, S3Config
from seaweed import KEY, SECRET, free_port, running_store


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run SeaweedFS on loopback for all tests and give its endpoint."""
    with running_store(tmp_path_factory.mktemp("seaweed")) as endpoint:
        yield endpoint


def emptied(endpoint: str) -> S3Bucket:
    """Return the one bucket of the store that all tests use, without objects."""
    bucket = S3Bucket(S3Config("ready-bucket", endpoint, "us-east-1", KEY, SECRET, allow_http=True))

    async def main() -> None:
        for info in (await bucket.list()).objects:
            await bucket.delete(info.key)

    asyncio.run(main())
    return bucket


@pytest.fixture(params=["folder", "memory", "s3"])
def bucket(request: pytest.FixtureRequest, tmp_path: Path) -> Bucket:
    if request.param == "memory":
        return MemoryBucket(SystemClock())
    if request.param == "folder":
        folder = FolderBucket(tmp_path / "bucket")
        asyncio.run(folder.create())
        return folder
    return emptied(request.getfixturevalue("seaweed"))


async def put_all(bucket: Bucket, *keys: str) -> None:
    for key in keys:
        await bucket.put(key, key.encode(), content_type="text/plain")


async def names(bucket: Bucket, **options: object) -> tuple[list[str], list[str], str | None]:
    page = await bucket.list(**options)  # type: ignore[arg-type]
    return [found.key for found in page.objects], list(page.common_prefixes), page.next


def test_what_was_put_is_read_back_with_its_facts(bucket: Bucket) -> None:
    async def main() -> None:
        await bucket.put(
            "AWSLogs/1/log.json.gz",
            b"content",
            content_type="application/json",
            content_encoding="gzip",
            metadata={"signature": "abc", "signature-algorithm": "SHA256withRSA"},
        )
        body = await bucket.get("AWSLogs/1/log.json.gz")
        assert await body.read() == b"content"
        found = await bucket.head("AWSLogs/1/log.json.gz")
        assert found is not None
        for info in (body.info, found):
            assert (info.key, info.size) == ("AWSLogs/1/log.json.gz", 7)
            assert info.etag == hashlib.md5(b"content").hexdigest()
            assert info.facts.content_type == "application/json"
            assert info.facts.content_encoding == "gzip"
            assert info.facts.metadata == {"signature": "abc", "signature-algorithm": "SHA256withRSA"}
            assert info.modified.utcoffset() is not None

    asyncio.run(main())


def test_a_missing_object_is_none_in_head_and_an_error_in_get(bucket: Bucket) -> None:
    async def main() -> None:
        assert await bucket.head("nothing/here") is None
        with pytest.raises(SinkError) as caught:
            await bucket.get("nothing/here")
        assert (caught.value.code, caught.value.temporary) == ("NoSuchKey", False)
        assert await bucket.delete("nothing/here") is False

    asyncio.run(main())


def test_a_repeated_put_leaves_one_object_with_the_last_bytes(bucket: Bucket) -> None:
    async def main() -> None:
        for content in (b"first", b"other", b"third and longer", b""):
            await bucket.put("a/key", content, content_type="text/plain")
            assert await (await bucket.get("a/key")).read() == content
        assert await names(bucket) == (["a/key"], [], None)

    asyncio.run(main())


def test_a_range_gives_those_bytes_only(bucket: Bucket) -> None:
    async def main() -> None:
        await bucket.put("key", b"0123456789", content_type="text/plain")
        for start, end, expected in ((2, 5, b"234"), (8, 99, b"89"), (0, 1, b"0"), (4, None, b"456789")):
            body = await bucket.get("key", start, end)
            assert (body.start, body.end) == (start, start + len(expected))
            assert b"".join([block async for block in body.chunks()]) == expected
        with pytest.raises(SinkError) as caught:
            await bucket.get("key", 10, 12)
        assert caught.value.code == "InvalidRange"

    asyncio.run(main())


def test_a_staged_file_becomes_the_object_and_is_gone(bucket: Bucket, tmp_path: Path) -> None:
    async def main() -> None:
        staged = tmp_path / "staged"
        staged.write_bytes(b"x" * 300_000)
        facts = Facts(content_type="application/zip", metadata={"by": "somebody"})
        info = await bucket.put_file("builds/one.zip", staged, facts)
        assert not staged.exists()
        assert info.size == 300_000
        found = await bucket.head("builds/one.zip")
        assert found is not None
        assert found.facts.metadata == {"by": "somebody"}
        with pytest.raises(SinkError) as caught:
            await bucket.put_file("builds/two.zip", staged, facts)
        assert (caught.value.code, caught.value.temporary) == ("NoSuchFile", False)

    asyncio.run(main())


def test_a_listing_is_in_order_and_continues_where_it_ended(bucket: Bucket) -> None:
    async def main() -> None:
        keys = [f"logs/{day:02}/{number:02}.gz" for day in range(5) for number in range(7)]
        await put_all(bucket, *keys, "other", "Zebra", "über")
        found: list[str] = []
        after: str | None = ""
        while after is not None:
            page = await bucket.list("logs/", after, 6)
            assert 0 < len(page.objects) <= 6
            found += [info.key for info in page.objects]
            after = page.next
        assert found == keys
        assert await names(bucket, after="logs/04/06.gz") == (["other", "über"], [], None)
        assert (await names(bucket, prefix="logs/03/05"))[0] == ["logs/03/05.gz"]
        assert (await names(bucket, prefix="logs/0", limit=2))[0] == keys[:2]
        assert await names(bucket, prefix="none") == ([], [], None)
        assert await names(bucket, limit=0) == ([], [], None)

    asyncio.run(main())


def test_a_delimiter_rolls_keys_up_into_common_prefixes(bucket: Bucket) -> None:
    async def main() -> None:
        await put_all(bucket, "a/1", "a/2", "a/b/3", "c/4", "top", "z/5")
        assert await names(bucket, delimiter="/") == (["top"], ["a/", "c/", "z/"], None)
        assert await names(bucket, delimiter="/", prefix="a/") == (["a/1", "a/2"], ["a/b/"], None)
        pages = [await names(bucket, delimiter="/", limit=1, after=after) for after in ("", "a/", "c/", "top")]
        assert pages == [([], ["a/"], "a/"), ([], ["c/"], "c/"), (["top"], [], "top"), ([], ["z/"], None)]

    asyncio.run(main())


def test_a_deleted_object_is_gone_from_everywhere(bucket: Bucket) -> None:
    async def main() -> None:
        await put_all(bucket, "a/b/c", "a/d")
        assert await bucket.delete("a/b/c") is True
        assert await bucket.head("a/b/c") is None
        assert await names(bucket, delimiter="/", prefix="a/") == (["a/d"], [], None)
        assert await bucket.delete("a/b/c") is False

    asyncio.run(main())


def test_a_check_passes_and_leaves_nothing_behind(bucket: Bucket) -> None:
    async def main() -> None:
        await bucket.check()
        assert await names(bucket) == ([], [], None)

    asyncio.run(main())


def test_keys_that_are_no_keys_are_refused(bucket: Bucket) -> None:
    async def main() -> None:
        for key, code in (("", "InvalidArgument"), ("k" * 1025, "KeyTooLongError"), ("\ud800", "InvalidArgument")):
            with pytest.raises(SinkError) as caught:
                await bucket.put(key, b"", content_type="text/plain")
            assert (caught.value.code, caught.value.temporary) == (code, False)

    asyncio.run(main())


def test_many_puts_at_once_all_arrive(bucket: Bucket) -> None:
    async def main() -> None:
        keys = [f"at-once/{number:03}" for number in range(40)]
        await asyncio.gather(*(put_all(bucket, key) for key in keys))
        assert (await names(bucket))[0] == keys

    asyncio.run(main())


def test_a_put_whose_answer_is_lost_leaves_one_object(bucket: Bucket) -> None:
    async def main() -> None:
        script = [Fault("before"), Fault("after"), Fault("partial")]
        faulty = FaultBucket(bucket, script)
        for _ in range(3):
            with pytest.raises(SinkError) as caught:
                await faulty.put("log", b"the whole content", content_type="text/plain")
            assert caught.value.temporary
        await faulty.put("log", b"the whole content", content_type="text/plain")
        assert await names(bucket) == (["log"], [], None)
        assert await (await bucket.get("log")).read() == b"the whole content"
        assert faulty.calls == [("put", "log")] * 4

    asyncio.run(main())


def test_a_hanging_put_ends_when_it_is_released(bucket: Bucket) -> None:
    async def main() -> None:
        faulty = FaultBucket(bucket, [Fault("hang")])
        waiting = asyncio.create_task(faulty.put("log", b"1", content_type="text/plain"))
        await asyncio.sleep(0)
        assert not waiting.done()
        assert await bucket.head("log") is None
        faulty.release()
        await waiting
        found = await bucket.head("log")
        assert found is not None and found.size == 1

    asyncio.run(main())


def test_a_missing_folder_is_no_such_bucket(tmp_path: Path) -> None:
    async def main() -> None:
        bucket = FolderBucket(tmp_path / "missing")
        for work in (bucket.check(), bucket.list(), bucket.head("k"), bucket.put("k", b"", content_type="a/b")):
            with pytest.raises(SinkError) as caught:
                await work
            assert (caught.value.code, caught.value.temporary) == ("NoSuchBucket", False)

    asyncio.run(main())


def test_wrong_keys_for_an_endpoint_are_told_apart_from_an_absent_endpoint(seaweed: str) -> None:
    async def main() -> None:
        wrong = S3Bucket(S3Config("ready-bucket", seaweed, "us-east-1", KEY, "wrong-secret", allow_http=True))
        with pytest.raises(SinkError) as caught:
            await wrong.check()
        assert (caught.value.code, caught.value.temporary) == ("SignatureDoesNotMatch", False)
        assert "wrong-secret" not in str(caught.value)
        port = free_port()
        away = S3Bucket(S3Config("b", f"http://127.0.0.1:{port}", "us-east-1", KEY, SECRET, allow_http=True))
        with pytest.raises(SinkError) as caught:
            await away.check()
        assert (caught.value.code, caught.value.temporary) == ("ServiceUnavailable", True)

    asyncio.run(main())


def test_keys_that_the_client_would_alter_are_refused(seaweed: str) -> None:
    async def main() -> None:
        bucket = S3Bucket(S3Config("ready-bucket", seaweed, "us-east-1", KEY, SECRET, allow_http=True))
        for key in ("folder/", "/top", "a//b", "a/../b"):
            with pytest.raises(SinkError) as caught:
                await bucket.put(key, b"", content_type="text/plain")
            assert (caught.value.code, caught.value.temporary) == ("InvalidArgument", False)

    asyncio.run(main())
