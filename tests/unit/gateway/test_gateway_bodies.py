"""Bodies as they arrive: whole, in pieces, too large, in the aws-chunked frame, staged in a file; answers without body."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from apitrail.errors import ServiceError
from apitrail.gateway.body import Staging, TooLarge, read_body, read_chunked
from apitrail.gateway.server import Server, send_response
from apitrail.objects.folder import FolderBucket
from apitrail.wire.http import HttpRequest, HttpResponse
from door import Door

FRAME = b"5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n"


async def pieces(content: Sequence[bytes]) -> AsyncIterator[bytes]:
    for piece in content:
        yield piece


def request_of(door: Door, size: int = 0) -> HttpRequest:
    params = {"Name": "a", "RoutingStrategy": {"Type": "TERMINAL", "Message": "m" * size}}
    return door.request("gamelift", "CreateAlias", params, protocol="json")


def test_a_body_in_many_pieces_is_put_together(door: Door) -> None:
    request = request_of(door)
    sent = [request.body[at : at + 3] for at in range(0, len(request.body), 3)]
    assert door.send(request, [b"", *sent, b""]).status == 200


def test_a_body_above_the_bound_is_refused_before_it_is_whole(door: Door) -> None:
    limit = door.app.settings.server.body_bytes_max
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 1024 * 1024
            yield b"x" * 1024 * 1024

    with pytest.raises(TooLarge):
        asyncio.run(read_body(endless(), limit))
    assert taken <= limit + 1024 * 1024
    response = door.send(request_of(door), [b"x" * limit, b"x"])
    assert response.status == 413
    assert b"RequestEntityTooLarge" in response.body
    assert door.new_events() == []
    assert "RequestEntityTooLarge" in (door.app.data_dir / "security.log").read_text()


def test_a_caller_who_hangs_up_gets_no_answer_and_changes_nothing(door: Door) -> None:
    request = request_of(door)
    messages = [
        {"type": "http.request", "body": request.body[:5], "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    door.stage.run(door.server(door.scope(request), receive, send))
    assert sent == []
    assert door.new_events() == []


def test_other_connections_than_http_are_left_alone(door: Door) -> None:
    async def never(*_: Any) -> Any:
        raise AssertionError("asked")

    door.stage.run(
        Server(door.app, door.app.pipeline, None, door.app.metrics, never)({"type": "lifespan"}, never, never)
    )


def test_an_answer_to_head_has_the_length_but_no_body() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(send_response(HttpResponse(200, ((b"a", b"b"),), b"content"), send, head_only=True))
    assert sent[0]["headers"] == [(b"a", b"b"), (b"content-length", b"7")]
    assert sent[1] == {"type": "http.response.body", "body": b""}


def test_a_head_request_is_answered_without_body(door: Door) -> None:
    request = door.signed(HttpRequest("HEAD", b"/bucket-that-is-not-there", b"", ()), "s3")
    response = door.send(request)
    assert response.status == 404
    assert response.body == b""


class Watched:
    """A body from a real bucket that counts how often it is closed."""

    def __init__(self, inner: Any) -> None:
        self.start, self.end = inner.start, inner.end
        self.chunks = inner.chunks
        self._inner = inner
        self.closed = 0

    async def close(self) -> None:
        self.closed += 1
        await self._inner.close()


async def watched(path: Path, content: bytes, start: int, end: int) -> Watched:
    bucket = FolderBucket(path / "bucket")
    await bucket.create()
    await bucket.put("key", content, content_type="text/plain")
    return Watched(await bucket.get("key", start, end))


def test_a_stream_goes_out_in_pieces_and_only_the_wanted_part(tmp_path: Path) -> None:
    content = bytes(range(256)) * 4096
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def answer() -> Watched:
        stream = await watched(tmp_path, content, 1000, 601_000)
        await send_response(HttpResponse(206, (), b"", stream), send)
        return stream

    assert asyncio.run(answer()).closed == 1
    assert (b"content-length", b"600000") in sent[0]["headers"]
    assert b"".join(message["body"] for message in sent[1:]) == content[1000:601_000]
    assert [message.get("more_body", False) for message in sent[1:]][-2:] == [True, False]


def test_a_stream_is_closed_when_the_caller_hangs_up(tmp_path: Path) -> None:
    async def send(message: Any) -> None:
        raise ConnectionResetError

    async def answer() -> int:
        stream = await watched(tmp_path, b"content", 0, 7)
        with pytest.raises(ConnectionResetError):
            await send_response(HttpResponse(200, (), b"", stream), send)
        return stream.closed

    assert asyncio.run(answer()) == 1


def test_a_chunked_body_loses_its_frame_wherever_it_is_cut(tmp_path: Path) -> None:
    async def taken(size: int) -> tuple[bytes, dict[str, str]]:
        with Staging(tmp_path / "staged", 1024, 4096) as staging:
            cut = [FRAME[at : at + size] for at in range(0, len(FRAME), size)]
            trailers = await read_chunked(pieces(cut), staging, None, 11)
            request = await staging.finish(HttpRequest("PUT", b"/", b"", ()), trailers)
            return request.body, trailers

    for size in (1, 2, 7, len(FRAME)):
        assert asyncio.run(taken(size)) == (b"hello world", {"x-amz-checksum-crc32": "DUoRhQ=="})


@pytest.mark.parametrize("frame", [FRAME[:-4], FRAME.replace(b"5\r\n", b"4\r\n", 1), b"zz\r\n", FRAME + b"x", b""])
def test_a_broken_frame_is_refused_and_leaves_no_file(frame: bytes, tmp_path: Path) -> None:
    async def take() -> None:
        with Staging(tmp_path / "staged", 1, 4096) as staging:
            await read_chunked(pieces([frame]), staging, None, None)

    with pytest.raises(ServiceError):
        asyncio.run(take())
    assert list(tmp_path.iterdir()) == []


def test_a_large_body_goes_to_a_file_with_its_hashes(tmp_path: Path) -> None:
    content = [b"a" * 700_000, b"b" * 700_000, b"c"]
    whole = b"".join(content)

    async def take() -> HttpRequest:
        with Staging(tmp_path / "staged", 1000, 10**7) as staging:
            for piece in content:
                await staging.take(piece)
            request = await staging.finish(HttpRequest("PUT", b"/", b"", ()), {})
            assert staging.sha256 == hashlib.sha256(whole).hexdigest()
            assert request.staged is not None
            assert request.staged.path.read_bytes() == whole
            return request

    staged = asyncio.run(take()).staged
    assert staged is not None
    assert (staged.size, staged.md5) == (len(whole), hashlib.md5(whole).hexdigest())
    assert list(tmp_path.iterdir()) == []


def test_an_object_above_the_bound_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    async def take() -> None:
        with Staging(tmp_path / "staged", 10, 2_000_000) as staging:
            for _ in range(30):
                await staging.take(b"x" * 100_000)

    with pytest.raises(TooLarge):
        asyncio.run(take())
    assert list(tmp_path.iterdir()) == []


def test_an_upload_whose_caller_is_not_known_is_refused_before_a_byte_is_stored(door: Door) -> None:
    request = door.signed(HttpRequest("PUT", b"/bucket/key", b"", (), b"x" * 3_000_000), "s3")
    headers = tuple((n, v.replace(b"Signature=", b"Signature=0")[: len(v)]) for n, v in request.headers)
    asked = 0

    async def receive() -> Any:
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": request.body, "more_body": False}

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    door.stage.run(door.server(door.scope(replace(request, headers=headers)), receive, send))
    assert sent[0]["status"] in (400, 403)
    assert asked == 0
    assert list(door.app.staging_dir.iterdir()) == []
