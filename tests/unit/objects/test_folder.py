"""The folder bucket: what is on the disk, any key, hands in the folder, crashes and many writers."""

import asyncio
import hashlib
import json
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from apitrail.errors import SinkError
from apitrail.objects.bucket import Facts, ObjectInfo
from apitrail.objects.folder import FolderBucket

ODD_KEYS = [
    *("..", ".", "../../escape", "a/../b", "a/./b", "/", "//", "///a", "/absolute", "a//b", "a/", "dir/sub/"),
    *(".apitrail", ".apitrail/facts/x", ".APITRAIL/x", "nul\0byte", "n" * 256, "n" * 1024, "s/" * 512, "x" * 60),
    *("x" * 61, "x" * 120, "x" * 60 + "/", "new\nline", "tab\t", "*?[]", "-rf", "%2e%2e", "~", "a\\b", " ", "ünï"),
    *("u\u0308", "\U0001f4a9", "\u202e", "\ufeff", "\U0010ffff", "con", "a=", "61=", "é" * 127, "é" * 128, "é" * 512),
]


@pytest.fixture
def bucket(tmp_path: Path) -> FolderBucket:
    made = FolderBucket(tmp_path / "parent" / "bucket")
    asyncio.run(made.create())
    return made


def put(bucket: FolderBucket, key: str, body: bytes, **metadata: str) -> ObjectInfo:
    return asyncio.run(bucket.put(key, body, content_type="text/plain", metadata=metadata))


def read(bucket: FolderBucket, key: str) -> bytes:
    async def main() -> bytes:
        async with await bucket.get(key) as body:
            return await body.read()

    return asyncio.run(main())


def head(bucket: FolderBucket, key: str) -> ObjectInfo:
    info = asyncio.run(bucket.head(key))
    assert info is not None
    return info


def listed(bucket: FolderBucket, prefix: str = "", after: str = "", delimiter: str = "") -> list[str]:
    page = asyncio.run(bucket.list(prefix, after, 1000, delimiter))
    return sorted([info.key for info in page.objects] + list(page.common_prefixes), key=str.encode)


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def test_the_file_is_the_object(bucket: FolderBucket) -> None:
    put(bucket, "AWSLogs/1/log.gz", b"content")
    assert (bucket.root / "AWSLogs" / "1" / "log.gz").read_bytes() == b"content"
    assert sorted(path.name for path in bucket.root.iterdir()) == [".apitrail", "AWSLogs"]
    assert list((bucket.root / ".apitrail" / "tmp").iterdir()) == []


def test_every_key_works_and_none_leads_out_of_the_folder(bucket: FolderBucket) -> None:
    outside = bucket.root.parent
    for key in ODD_KEYS:
        put(bucket, key, key.encode(), name="value")
    for key in ODD_KEYS:
        assert read(bucket, key) == key.encode()
        assert head(bucket, key).facts.metadata == {"name": "value"}
    assert listed(bucket) == sorted(ODD_KEYS, key=str.encode)
    assert [path.name for path in outside.iterdir()] == ["bucket"]
    for key in ODD_KEYS:
        assert asyncio.run(bucket.delete(key))
    assert listed(bucket) == []
    asyncio.run(bucket.remove())
    assert list(outside.iterdir()) == []


def test_each_odd_key_is_found_by_each_of_its_prefixes(bucket: FolderBucket) -> None:
    for key in ODD_KEYS:
        put(bucket, key, b"")
    for key in ODD_KEYS:
        for end in {1, len(key) // 2, len(key)}:
            prefix = key[:end]
            expected = [other for other in sorted(ODD_KEYS, key=str.encode) if other.startswith(prefix)]
            assert listed(bucket, prefix) == expected
        after = [other for other in sorted(ODD_KEYS, key=str.encode) if other.encode() > key.encode()]
        assert listed(bucket, after=key) == after


def test_a_key_and_a_key_below_it_live_side_by_side(bucket: FolderBucket) -> None:
    for keys in (["a", "a/b", "a/b/c"], ["x/y/z", "x/y", "x"]):
        for key in keys:
            put(bucket, key, key.encode())
        for key in keys:
            assert read(bucket, key) == key.encode()
    assert listed(bucket) == ["a", "a/b", "a/b/c", "x", "x/y", "x/y/z"]
    assert listed(bucket, delimiter="/") == ["a", "a/", "x", "x/"]
    asyncio.run(bucket.delete("a"))
    put(bucket, "a/b", b"again")
    assert read(bucket, "a/b") == b"again"
    assert listed(bucket, "a") == ["a/b", "a/b/c"]


def test_links_planted_inside_are_neither_followed_nor_listed(bucket: FolderBucket) -> None:
    secret = bucket.root.parent / "secret"
    secret.mkdir()
    (secret / "file").write_bytes(b"secret")
    (bucket.root / "link").symlink_to(secret)
    (bucket.root / "file").symlink_to(secret / "file")
    assert listed(bucket) == []
    for key in ("link/file", "file", "link"):
        assert asyncio.run(bucket.head(key)) is None
        put(bucket, key, b"ours")
        assert read(bucket, key) == b"ours"
    assert [path.name for path in secret.iterdir()] == ["file"]
    assert (secret / "file").read_bytes() == b"secret"


def test_a_link_in_place_of_our_own_folder_is_refused(bucket: FolderBucket) -> None:
    elsewhere = bucket.root.parent / "elsewhere"
    elsewhere.mkdir()
    (bucket.root / ".apitrail").symlink_to(elsewhere)
    with pytest.raises(SinkError):
        put(bucket, "key", b"content")
    assert list(elsewhere.iterdir()) == []


def test_special_files_are_no_objects(bucket: FolderBucket) -> None:
    os.mkfifo(bucket.root / "pipe")
    assert asyncio.run(bucket.head("pipe")) is None
    with pytest.raises(SinkError):
        read(bucket, "pipe")
    put(bucket, "pipe", b"now a file")
    assert read(bucket, "pipe") == b"now a file"


def test_a_file_put_by_hand_is_an_object(bucket: FolderBucket) -> None:
    (bucket.root / "by").mkdir()
    (bucket.root / "by" / "hand.txt").write_bytes(b"hello")
    assert head(bucket, "by/hand.txt").etag == md5(b"hello")
    assert read(bucket, "by/hand.txt") == b"hello"
    assert listed(bucket) == ["by/hand.txt"]
    assert not (bucket.root / ".apitrail").exists()


def test_a_file_edited_by_hand_answers_with_its_true_bytes_and_keeps_its_metadata(bucket: FolderBucket) -> None:
    put(bucket, "digest.json.gz", b"before", signature="abc")
    path = bucket.root / "digest.json.gz"
    path.write_bytes(b"after!")
    assert head(bucket, "digest.json.gz").etag == md5(b"after!")
    assert read(bucket, "digest.json.gz") == b"after!"
    assert head(bucket, "digest.json.gz").facts.metadata == {"signature": "abc"}
    path.write_bytes(b"and again, longer")
    assert head(bucket, "digest.json.gz").etag == md5(b"and again, longer")
    path.unlink()
    assert asyncio.run(bucket.head("digest.json.gz")) is None


def test_a_damaged_sidecar_costs_the_metadata_and_not_the_bytes(bucket: FolderBucket) -> None:
    put(bucket, "key", b"content", name="value")
    for sidecar in (bucket.root / ".apitrail" / "facts").rglob("*.json"):
        assert json.loads(sidecar.read_bytes())["key"] == "key"
        sidecar.write_bytes(b'{"key": 7')
    assert read(bucket, "key") == b"content"
    assert head(bucket, "key").facts == Facts(etag=md5(b"content"))


def test_two_puts_of_one_size_at_one_time_are_told_apart(bucket: FolderBucket, tmp_path: Path) -> None:
    for content in (b"one", b"two"):
        staged = tmp_path / content.decode()
        staged.write_bytes(content)
        os.utime(staged, ns=(10**18, 10**18))
        asyncio.run(bucket.put_file("key", staged, Facts(metadata={"is": content.decode()})))
    times = [entry["mtime_ns"] for entry in sidecar_of(bucket, "key")["entries"]]
    assert len(set(times)) == 2
    assert head(bucket, "key").facts.metadata == {"is": "two"}


def sidecar_of(bucket: FolderBucket, key: str) -> dict[str, list[dict[str, int]]]:
    name = hashlib.sha256(key.encode()).hexdigest()
    path = bucket.root / ".apitrail" / "facts" / name[:2] / f"{name[2:]}.json"
    content: dict[str, list[dict[str, int]]] = json.loads(path.read_bytes())
    return content


def test_facts_can_be_changed_without_the_bytes(bucket: FolderBucket) -> None:
    put(bucket, "key", b"content", name="value")
    changed = asyncio.run(bucket.amend("key", lambda facts: replace(facts, tags={"a": "b"})))
    assert changed is not None
    assert head(bucket, "key").facts.tags == {"a": "b"}
    assert head(bucket, "key").facts.metadata == {"name": "value"}
    assert asyncio.run(bucket.amend("none", lambda facts: facts)) is None


def test_a_late_write_does_not_undo_a_newer_one(bucket: FolderBucket, tmp_path: Path) -> None:
    def put_number(number: int) -> None:
        staged = tmp_path / str(number)
        staged.write_bytes(str(number).encode())
        asyncio.run(bucket.put_file("key", staged, Facts(number=number)))
        assert not staged.exists()

    put_number(5)
    put_number(3)
    assert read(bucket, "key") == b"5"
    assert asyncio.run(bucket.delete("key", number=4)) is False
    assert asyncio.run(bucket.delete("key", number=7, remember=True)) is True
    put_number(6)
    assert asyncio.run(bucket.head("key")) is None
    put_number(8)
    assert read(bucket, "key") == b"8"
    put(bucket, "key", b"without a number")
    assert read(bucket, "key") == b"without a number"


def test_a_deleted_object_leaves_no_empty_folders(bucket: FolderBucket) -> None:
    put(bucket, "a/b/c/d", b"")
    put(bucket, "a/e", b"")
    asyncio.run(bucket.delete("a/b/c/d"))
    assert sorted(path.name for path in (bucket.root / "a").iterdir()) == ["e"]


def test_only_an_empty_bucket_is_removed(bucket: FolderBucket) -> None:
    put(bucket, "a/b", b"")
    with pytest.raises(SinkError) as caught:
        asyncio.run(bucket.remove())
    assert caught.value.code == "BucketNotEmpty"
    asyncio.run(bucket.delete("a/b"))
    foreign = bucket.root / os.fsdecode(b"not-utf8-\xff")
    foreign.write_bytes(b"somebody's")
    with pytest.raises(SinkError):
        asyncio.run(bucket.remove())
    foreign.unlink()
    (bucket.root / "empty" / "folders").mkdir(parents=True)
    asyncio.run(bucket.remove())
    assert not bucket.root.exists()


def test_what_a_crash_left_is_swept_at_the_next_write(bucket: FolderBucket) -> None:
    put(bucket, "key", b"")
    left = bucket.root / ".apitrail" / "tmp" / "1-1"
    left.write_bytes(b"half")
    put(bucket, "key", b"")
    assert left.exists(), "an instance that is open sweeps no more"
    put(FolderBucket(bucket.root), "key", b"")
    assert not left.exists()


def test_errors_of_the_disk_are_told_in_a_buckets_words(bucket: FolderBucket, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SinkError) as caught:
        asyncio.run(FolderBucket(tmp_path / "file").check())
    assert (caught.value.code, caught.value.temporary) == ("NoSuchBucket", False)
    with pytest.raises(SinkError) as caught:
        asyncio.run(bucket.put_file("key", tmp_path / "none", Facts()))
    assert caught.value.code == "NoSuchFile"


def crash_in_a_child(work: Callable[[], object], after: int) -> bool:
    """Run work in a child process that dies at its n-th use of a file; return whether it came to its end."""
    child = os.fork()
    if child == 0:
        left = [after]

        def count(event: str, _: object) -> None:
            if event.startswith(("os.", "open", "shutil.")):
                left[0] -= 1
                if left[0] < 0:
                    os._exit(9)

        sys.addaudithook(count)
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("key", ["plain/key", "odd//key/"])
@pytest.mark.parametrize("old", [b"", b"old", b"new"])
def test_a_crash_at_any_instant_leaves_the_old_or_the_new_object(tmp_path: Path, key: str, old: bytes) -> None:
    outcomes, ended, step = set(), False, 0
    while not ended:
        bucket = FolderBucket(tmp_path / str(step))
        asyncio.run(bucket.create())
        if old:
            put(bucket, key, old, whose="old")
        work = lambda: bucket._put_bytes(key, b"new", Facts(metadata={"whose": "new"}))  # noqa: E731, B023
        ended = crash_in_a_child(work, step)
        after = FolderBucket(bucket.root)
        info = asyncio.run(after.head(key))
        outcomes.add(info.facts.metadata["whose"] if info else "none")
        if info:
            whose = info.facts.metadata["whose"]
            assert read(after, key) == (b"new" if whose == "new" else old)
            assert info.etag == md5(read(after, key))
            assert listed(after) == [key]
        put(after, key, b"repeated", whose="repeated")
        assert read(after, key) == b"repeated"
        assert list((after.root / ".apitrail" / "tmp").iterdir()) == []
        step += 1
    assert outcomes == {"old" if old else "none", "new"}
    assert step > 10


def test_a_crash_in_a_delete_leaves_the_object_or_none(tmp_path: Path) -> None:
    ended, step = False, 0
    while not ended:
        bucket = FolderBucket(tmp_path / str(step))
        asyncio.run(bucket.create())
        put(bucket, "a/b", b"content", whose="old")
        ended = crash_in_a_child(lambda: bucket._delete(b"a/b", 0, False), step)  # noqa: B023
        info = asyncio.run(FolderBucket(bucket.root).head("a/b"))
        assert info is None or info.facts.metadata == {"whose": "old"}
        assert listed(FolderBucket(bucket.root)) == (["a/b"] if info else [])
        step += 1
    assert info is None


def test_many_writers_and_readers_never_see_halves(bucket: FolderBucket) -> None:
    problems: list[str] = []
    stop = threading.Event()

    def write(name: str) -> None:
        mine = FolderBucket(bucket.root)
        for number in range(40):
            body = f"{name}{number % 10}".encode() * (1 + number % 3)
            mine._put_bytes("same/key", body, Facts(metadata={"md5": md5(body)}))
            mine._put_bytes(f"own/{name}", body, Facts())
            mine._delete(f"own/{name}".encode(), 0, False)

    def watch() -> None:
        while not stop.is_set():
            info = bucket._head(b"same/key")
            if info and info.facts.metadata["md5"] != info.etag:
                problems.append(f"{info}")

    writers = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    watcher = threading.Thread(target=watch)
    for thread in (watcher, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    watcher.join()
    assert problems == []
    assert listed(bucket) == ["same/key"]
