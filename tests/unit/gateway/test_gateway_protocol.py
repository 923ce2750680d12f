"""Bounds of a connection, on a real server within the test: bytes that are held, time that is owed, requests ahead."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
import uvicorn
from websockets.asyncio.client import connect

from apitrail.gateway import protocol
from apitrail.gateway.protocol import BoundedProtocol, QuietWebSocket
from apitrail.gateway.serving import QuietServer, listen

GOOD = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello"
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[Any]]


async def echo(scope: Any, receive: Any, send: Any) -> None:
    body = b""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message.get("body", b"")
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


async def with_server(talk: Talk, app: Any = echo) -> Any:
    config = uvicorn.Config(app, http=BoundedProtocol, ws="none", lifespan="off", log_config=None)
    config.load()
    server = uvicorn.Server(config)
    loop = asyncio.get_running_loop()
    make = partial(BoundedProtocol, config=config, server_state=server.server_state, app_state={})
    listener = await loop.create_server(make, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*listener.sockets[0].getsockname())
    try:
        return await asyncio.wait_for(talk(reader, writer), 10)
    finally:
        writer.close()
        listener.close()


def run(talk: Talk, app: Any = echo) -> Any:
    return asyncio.run(with_server(talk, app))


async def answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return head.split(b" ")[1] + b" " + await reader.readexactly(length)


def test_requests_follow_each_other_on_a_connection() -> None:
    async def talk(reader: Any, writer: Any) -> list[bytes]:
        found = []
        for _ in range(3):
            writer.write(GOOD)
            found.append(await answer(reader))
        return found

    assert run(talk) == [b"200 hello"] * 3


def test_a_large_body_is_taken_whole() -> None:
    body = b"x" * 3_000_000

    async def talk(reader: Any, writer: Any) -> bytes:
        writer.write(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        return await answer(reader)

    assert run(talk) == b"200 " + body


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (b"GET / HTTP/1.1\r\nlong: ", b"x" * 1000),
        (b"GET / HTTP/1.1\r\n", b"a: b\r\n" * 100),
        (b"GET /", b"x" * 1000),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\nlong: ", b"x" * 1000),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n5;ext=", b"x" * 1000),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n", b"a: b\r\n" * 100),
    ],
    ids=["header", "headers", "path", "trailer", "extension", "trailers"],
)
def test_what_is_held_of_a_head_a_trailer_or_a_frame_is_bounded(begin: bytes, piece: bytes) -> None:
    async def talk(reader: Any, writer: Any) -> tuple[int, bytes]:
        writer.write(begin)
        sent = 0
        while sent < 50_000_000 and not reader.at_eof():
            writer.write(piece)
            sent += len(piece)
            try:
                await writer.drain()
            except ConnectionError:
                break
            await asyncio.sleep(0)
        try:
            return sent, await reader.read()
        except ConnectionError:
            return sent, b""

    sent, said = run(talk)
    assert sent < 5_000_000
    assert said == b"" or said.split(b" ")[1] in (b"400", b"431")


def test_a_head_must_be_whole_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_S", 0.2)

    async def drip(reader: Any, writer: Any) -> bytes:
        for byte in GOOD:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.03)
            if reader.at_eof():
                break
        return bytes(await reader.read())

    assert run(drip) == b""

    async def say_nothing(reader: Any, writer: Any) -> bytes:
        return bytes(await reader.read())

    assert run(say_nothing) == b""


def test_a_body_must_not_stop_but_may_be_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "BODY_PAUSE_S", 0.2)

    async def slow(reader: Any, writer: Any) -> bytes:
        writer.write(GOOD[:-5])
        for byte in GOOD[-5:]:
            await asyncio.sleep(0.1)
            writer.write(bytes([byte]))
        return await answer(reader)

    assert run(slow) == b"200 hello"

    async def stop(reader: Any, writer: Any) -> bytes:
        writer.write(GOOD[:-1])
        return bytes(await reader.read())

    assert run(stop) == b""


def test_nothing_is_owed_while_the_server_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_S", 0.1)
    monkeypatch.setattr(protocol, "BODY_PAUSE_S", 0.1)

    async def late(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.4)
        await echo(scope, receive, send)

    async def talk(reader: Any, writer: Any) -> bytes:
        writer.write(GOOD)
        return await answer(reader)

    assert run(talk, late) == b"200 hello"


def test_only_some_requests_may_be_ahead_of_their_answers() -> None:
    async def talk(reader: Any, writer: Any) -> bytes:
        writer.write(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n" * 500)
        return bytes(await reader.read())

    said = run(talk)
    assert said.count(b"HTTP/1.1 200") <= protocol.AHEAD_MAX + 1
    assert b"HTTP/1.1 400" in said


def test_a_few_requests_ahead_are_answered_in_order() -> None:
    async def talk(reader: Any, writer: Any) -> list[bytes]:
        writer.write(b"".join(GOOD.replace(b"hello", b"hell%d" % n) for n in range(8)))
        return [await answer(reader) for _ in range(8)]

    assert run(talk) == [b"200 hell%d" % n for n in range(8)]


def test_a_websocket_whose_transport_is_closing_refuses_a_message_instead_of_losing_it() -> None:
    said: list[str] = []

    async def speak(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": "written"})
            transports[0].abort()
            try:
                await send({"type": "websocket.send", "text": "not written"})
            except OSError as error:
                said.append(type(error).__name__)

    transports: list[asyncio.Transport] = []

    class Seen(QuietWebSocket):
        def connection_made(self, transport: Any) -> None:
            transports.append(transport)
            super().connection_made(transport)

    async def play() -> str:
        with listen("127.0.0.1", 0) as listener:
            config = uvicorn.Config(speak, http=BoundedProtocol, ws=Seen, lifespan="off", log_config=None, loop="none")
            server = QuietServer(config)
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            async with connect(f"ws://127.0.0.1:{listener.getsockname()[1]}") as peer:
                await peer.send("hello")
                found = await peer.recv()
            server.should_exit = True
            await serving
            return str(found)

    assert (asyncio.run(asyncio.wait_for(play(), 10)), said) == ("written", ["ClientDisconnected"])
