"""Versions in a folder bucket: what is kept behind the current files, in which order, and what a crash or a late write leaves."""

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from apitrail.clock import VirtualClock
from apitrail.errors import SinkError
from apitrail.objects import tree
from apitrail.objects.bucket import Facts, ObjectInfo, VersionPage
from apitrail.objects.folder import FolderBucket
from apitrail.objects.state import BucketState

T = TypeVar("T")
KEYS = ("plain", "a/b/c", "..", "x" * 300, "a//b")


@pytest.fixture
def bucket(tmp_path: Path) -> FolderBucket:
    made = FolderBucket(tmp_path / "bucket")
    run(made.create())
    return made


def run(work: Awaitable[T]) -> T:
    async def main() -> T:
        return await work

    return asyncio.run(main())


def put(bucket: FolderBucket, key: str, body: bytes, version: str = "", number: int = 0) -> None:
    staged = bucket.root.parent / "staged"
    staged.write_bytes(body)
    run(bucket.put_file(key, staged, Facts(version=version, number=number)))


def mark(bucket: FolderBucket, key: str, version: str = "", number: int = 0) -> None:
    run(bucket.mark(key, Facts(version=version, number=number)))


def body_of(bucket: FolderBucket, key: str, version: str | None = None) -> bytes | str:
    async def main() -> bytes:
        async with await bucket.get(key, version=version) as body:
            return await body.read()

    try:
        return asyncio.run(main())
    except SinkError as error:
        return error.code


def shown(page: VersionPage) -> list[Any]:
    """Return key, version, is it the latest, is it a marker."""
    return [(one.info.key, one.info.facts.version, one.is_latest, one.info.facts.is_marker) for one in page.versions]


def versions(bucket: FolderBucket, **params: Any) -> list[Any]:
    return shown(run(bucket.list_versions(**params)))


@pytest.mark.parametrize("key", KEYS)
def test_each_version_stays_and_the_newest_is_the_plain_file(bucket: FolderBucket, key: str) -> None:
    put(bucket, key, b"null")
    for number in (1, 2, 3):
        put(bucket, key, b"%d" % number, f"v{number}", number)
    assert body_of(bucket, key) == b"3"
    assert [body_of(bucket, key, name) for name in ("null", "v1", "v2", "v3")] == [b"null", b"1", b"2", b"3"]
    assert [one[1:3] for one in versions(bucket)] == [("v3", True), ("v2", False), ("v1", False), ("", False)]
    assert body_of(bucket, key, "v9") == "NoSuchVersion"
    assert [info.key for info in run(bucket.list()).objects] == [key]


@pytest.mark.parametrize("key", KEYS)
def test_a_marker_hides_the_key_until_it_is_removed(bucket: FolderBucket, key: str) -> None:
    put(bucket, key, b"1", "v1", 1)
    mark(bucket, key, "m2", 2)
    assert body_of(bucket, key) == "NoSuchKey"
    assert run(bucket.list()).objects == []
    assert versions(bucket) == [(key, "m2", True, True), (key, "v1", False, False)]
    mark(bucket, key, "m2", 2)
    assert len(versions(bucket)) == 2
    assert run(bucket.delete_version(key, "m2"))
    assert body_of(bucket, key) == b"1"
    assert versions(bucket) == [(key, "v1", True, False)]
    assert run(bucket.delete_version(key, "v1"))
    assert versions(bucket) == []
    assert not run(bucket.delete_version(key, "v1"))


def test_removing_the_current_version_brings_back_the_one_before(bucket: FolderBucket) -> None:
    for number in (1, 2, 3):
        put(bucket, "k", b"%d" % number, f"v{number}", number)
    run(bucket.delete_version("k", "v2"))
    assert body_of(bucket, "k") == b"3"
    run(bucket.delete_version("k", "v3"))
    assert body_of(bucket, "k") == b"1"
    info = run(bucket.head("k"))
    assert info is not None
    assert (info.facts.version, info.etag) == ("v1", "c4ca4238a0b923820dcc509a6f75849b")


def test_there_is_one_null_version_at_most(bucket: FolderBucket) -> None:
    put(bucket, "k", b"old")
    put(bucket, "k", b"1", "v1", 1)
    put(bucket, "k", b"new", "", 2)
    assert [one[1] for one in versions(bucket)] == ["", "v1"]
    assert body_of(bucket, "k", "null") == b"new"
    mark(bucket, "k", "", 3)
    assert versions(bucket) == [("k", "", True, True), ("k", "v1", False, False)]
    mark(bucket, "k", "", 4)
    put(bucket, "k", b"again", "", 5)
    assert [one[1:] for one in versions(bucket)] == [("", True, False), ("v1", False, False)]


def test_a_write_or_marker_that_comes_late_is_an_older_version(bucket: FolderBucket) -> None:
    put(bucket, "k", b"3", "v3", 3)
    put(bucket, "k", b"1", "v1", 1)
    mark(bucket, "k", "m2", 2)
    assert body_of(bucket, "k") == b"3"
    assert [one[1] for one in versions(bucket)] == ["v3", "m2", "v1"]
    assert body_of(bucket, "k", "v1") == b"1"


def test_a_crash_before_the_new_file_is_in_place_shows_no_version_twice(
    bucket: FolderBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(bucket, "k", b"1", "v1", 1)
    place = tree.place

    def crash(root: Path, source: Path, path: Any) -> bool:
        if path == (b"k",):
            raise OSError(5, "gone")
        return place(root, source, path)

    monkeypatch.setattr(tree, "place", crash)
    with pytest.raises(SinkError):
        put(bucket, "k", b"2", "v2", 2)
    monkeypatch.undo()
    assert body_of(bucket, "k") == b"1"
    assert versions(bucket) == [("k", "v1", True, False)]
    put(bucket, "k", b"2", "v2", 2)
    assert [one[1] for one in versions(bucket)] == ["v2", "v1"]


def test_whoever_delivers_into_the_folder_makes_versions_where_they_are_on(bucket: FolderBucket) -> None:
    run(bucket.put("k", b"0", content_type="text/plain"))
    run(bucket.configure(BucketState("Enabled")))
    run(bucket.put("k", b"1", content_type="text/plain"))
    run(bucket.put("k", b"2", content_type="text/plain"))
    found = versions(bucket)
    assert len(found) == 3
    assert [body_of(bucket, "k", one[1] or "null") for one in found] == [b"2", b"1", b"0"]
    run(bucket.configure(BucketState("Suspended")))
    run(bucket.put("k", b"3", content_type="text/plain"))
    assert [one[1] for one in versions(bucket)] == ["", found[0][1], found[1][1]]


def put_and_look(bucket: FolderBucket, body: bytes) -> ObjectInfo:
    run(bucket.put("k", body, content_type="text/plain"))
    found = run(bucket.head("k"))
    assert found is not None
    return found


def test_a_delivery_that_is_repeated_makes_no_second_version(bucket: FolderBucket) -> None:
    run(bucket.put("k", b"1", content_type="text/plain"))
    run(bucket.configure(BucketState("Enabled", "COMPLIANCE", 1)))
    first = put_and_look(bucket, b"1")
    again = put_and_look(bucket, b"1")
    assert (again.facts, bool(first.facts.version)) == (first.facts, True)
    assert len(run(bucket.list_versions()).versions) == 2
    run(bucket.put("k", b"1", content_type="text/html"))
    run(bucket.put("k", b"2", content_type="text/html"))
    assert len(run(bucket.list_versions()).versions) == 4


def test_a_locked_version_stays_until_its_time_and_not_longer(tmp_path: Path) -> None:
    clock = VirtualClock()
    bucket = FolderBucket(tmp_path / "bucket", clock)
    run(bucket.configure(BucketState("Enabled", "GOVERNANCE", 1)))
    kept, other = (put_and_look(bucket, body).facts.version for body in (b"1", b"2"))
    assert not run(bucket.delete_version("k", kept))
    assert run(bucket.delete_version("k", other, bypass=True))
    clock.advance(86_399)
    assert not run(bucket.delete_version("k", kept))
    clock.advance(1)
    assert run(bucket.delete_version("k", kept))
    assert run(bucket.list_versions()).versions == []


def test_a_file_edited_by_hand_is_kept_when_it_is_replaced(bucket: FolderBucket) -> None:
    put(bucket, "k", b"1", "v1", 1)
    (bucket.root / "k").write_bytes(b"edited")
    put(bucket, "k", b"2", "v2", 2)
    assert body_of(bucket, "k", "null") == b"edited"


def test_versions_are_listed_in_pages_of_any_size(bucket: FolderBucket) -> None:
    number = 0
    for key in ("a", "b/1", "b/2", "c", "d//e"):
        for _ in range(3):
            number += 1
            put(bucket, key, b"%d" % number, f"v{number}", number)
    mark(bucket, "c", "m", number + 1)
    whole = versions(bucket)
    assert len(whole) == 16
    for limit in (1, 2, 3, 5, 15, 16):
        found, after, pages = [], ("", ""), 0
        while after is not None:
            page = run(bucket.list_versions("", after, limit))
            found += shown(page)
            assert len(page.versions) <= limit
            after, pages = page.next, pages + 1
        assert found == whole
        assert pages == -(-16 // limit)
    page = run(bucket.list_versions("", ("", ""), 4, "/"))
    assert ([one[0] for one in shown(page)], page.common_prefixes, page.next) == (["a", "a", "a"], ["b/"], ("b/", ""))
    page = run(bucket.list_versions("", ("b/", ""), 9, "/"))
    assert ([one[0] for one in shown(page)], page.common_prefixes, page.next) == (["c"] * 4, ["d/"], None)
    assert [one[0] for one in versions(bucket, prefix="b/2")] == ["b/2"] * 3


def test_a_bucket_with_old_versions_is_not_empty(bucket: FolderBucket) -> None:
    put(bucket, "k", b"1", "v1", 1)
    mark(bucket, "k", "m", 2)
    with pytest.raises(SinkError, match="not empty"):
        run(bucket.remove())
    run(bucket.delete_version("k", "v1"))
    run(bucket.delete_version("k", "m"))
    run(bucket.remove())


# Archived objects -----------------------------------------------------------------------------------------------


def archive(bucket: FolderBucket, key: str, version: str | None = None) -> bool:
    info = run(bucket.head(key, version=version))
    assert info is not None
    return run(bucket.archive(info, "GLACIER"))


@pytest.mark.parametrize("key", KEYS)
def test_an_archived_object_is_compressed_listed_and_restored(bucket: FolderBucket, key: str) -> None:
    content = b"the same line\n" * 10_000
    put(bucket, key, content)
    before = run(bucket.head(key))
    assert archive(bucket, key)
    assert not archive(bucket, key)
    after = run(bucket.head(key))
    assert before is not None
    assert after is not None
    assert (after.size, after.etag, after.modified) == (len(content), before.etag, before.modified)
    assert [(info.key, info.size, info.facts.storage_class) for info in run(bucket.list()).objects] == [
        (key, len(content), "GLACIER")
    ]
    assert body_of(bucket, key) == "InvalidObjectState"
    packed = [path for path in (bucket.root / ".apitrail" / "archive").rglob("*") if path.is_file()]
    assert [path.stat().st_size < len(content) // 10 for path in packed] == [True]
    assert run(bucket.restore(key, "null", 2**40))
    assert body_of(bucket, key) == content
    assert run(bucket.restore(key, "null", 0))
    assert body_of(bucket, key) == "InvalidObjectState"
    assert run(bucket.delete(key))
    assert run(bucket.list()).objects == []
    assert [path for path in (bucket.root / ".apitrail" / "archive").rglob("*") if path.is_file()] == []


def test_a_new_object_takes_the_place_of_an_archived_one(bucket: FolderBucket) -> None:
    put(bucket, "k", b"old")
    archive(bucket, "k")
    put(bucket, "k", b"new")
    assert body_of(bucket, "k") == b"new"
    assert versions(bucket) == [("k", "", True, False)]


def test_archived_versions_stay_in_their_order(bucket: FolderBucket) -> None:
    for number in (1, 2, 3):
        put(bucket, "k", b"%d" % number, f"v{number}", number)
    assert archive(bucket, "k", "v1")
    assert archive(bucket, "k", "v3")
    assert [one[1:3] for one in versions(bucket)] == [("v3", True), ("v2", False), ("v1", False)]
    assert (body_of(bucket, "k"), body_of(bucket, "k", "v2"), body_of(bucket, "k", "v1")) == (
        "InvalidObjectState",
        b"2",
        "InvalidObjectState",
    )
    run(bucket.delete_version("k", "v3"))
    assert body_of(bucket, "k") == b"2"
    run(bucket.delete_version("k", "v2"))
    assert body_of(bucket, "k") == "InvalidObjectState"
    assert [info.key for info in run(bucket.list()).objects] == ["k"]
    mark(bucket, "k", "m", 9)
    assert run(bucket.list()).objects == []
    run(bucket.delete_version("k", "m"))
    assert [info.key for info in run(bucket.list()).objects] == ["k"]


def test_nothing_is_removed_or_archived_that_changed_since_it_was_looked_at(bucket: FolderBucket) -> None:
    put(bucket, "k", b"1", "", 1)
    seen = run(bucket.head("k"))
    assert seen is not None
    put(bucket, "k", b"2", "", 2)
    assert not run(bucket.delete("k", only=seen))
    run(bucket.mark("k", Facts(version="m"), only=seen))
    assert not run(bucket.archive(seen, "GLACIER"))
    assert body_of(bucket, "k") == b"2"
