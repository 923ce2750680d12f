"""Telling a zip from anything else, without reading all of it."""

import asyncio
import io
import zipfile
from pathlib import Path

import pytest

from apitrail.objects.folder import FolderBucket
from apitrail.services.gamelift.zips import RangeFile, bytes_problem, object_problem, zip_problem


def make_zip(*names: str, size: int = 10) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, b"x" * size)
    return buffer.getvalue()


def test_a_zip_with_a_file_is_fine() -> None:
    assert zip_problem(io.BytesIO(make_zip("server.exe"))) == ""
    assert asyncio.run(bytes_problem(make_zip("a/", "a/server"))) == ""


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not a valid zip"),
        (b"hello, I am no zip", "not a valid zip"),
        (make_zip("server.exe")[:-8], "not a valid zip"),
        (make_zip(), "without any file"),
        (make_zip("folder/"), "without any file"),
        (b"XX" + make_zip("a")[2:], "not a valid zip"),
        (b"PK\x05\x06" + b"\xff" * 18, "not a valid zip"),
    ],
)
def test_anything_else_is_refused_with_the_reason(body: bytes, reason: str) -> None:
    assert reason in zip_problem(io.BytesIO(body))


def test_of_a_large_zip_only_its_ends_are_read() -> None:
    body = make_zip("one", "two", size=3_000_000)
    fetched: list[int] = []

    def fetch(start: int, end: int) -> bytes:
        fetched.append(end - start)
        return body[start:end]

    assert zip_problem(RangeFile(len(body), fetch)) == ""
    assert sum(fetched) < 200_000


def test_a_directory_that_claims_to_be_huge_is_not_read() -> None:
    size = 10**12
    end = b"PK\x05\x06" + b"\0" * 4 + b"\1\0\1\0" + (0xF0000000).to_bytes(4, "little") + b"\0" * 6

    def fetch(start: int, stop: int) -> bytes:
        assert stop - start < 1_000_000
        return (b"\0" * (stop - start - len(end)) + end)[-(stop - start) :] if stop == size else b"\0" * (stop - start)

    assert "too large" in zip_problem(RangeFile(size, fetch))


def test_an_object_is_checked_where_it_lies(tmp_path: Path) -> None:
    async def scenario() -> tuple[str, str]:
        bucket = FolderBucket(tmp_path)
        good, bad = make_zip("server"), b"nothing"
        await bucket.put("good", good, content_type="application/zip")
        await bucket.put("bad", bad, content_type="application/zip")
        return await object_problem(bucket, "good", len(good)), await object_problem(bucket, "bad", len(bad))

    good, bad = asyncio.run(scenario())
    assert good == ""
    assert "not a valid zip" in bad
