"""Small requests that are asked of the application when they are whole, on a real server within the test."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import pytest
import uvicorn

from apitrail.gateway import protocol
from apitrail.gateway.protocol import BoundedProtocol
from apitrail.gateway.whole import BODY_BYTES_MAX, is_plain
from apitrail.wire.http import HttpRequest, HttpResponse

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[Any]]
CLOSE = b"connection: close"


def post(body: bytes, path: bytes = b"/", more: bytes = b"") -> bytes:
    return b"POST %s HTTP/1.1\r\nhost: a\r\n%scontent-length: %d\r\n\r\n%s" % (path, more, len(body), body)


class Pieces:
    """A body that is not in memory."""

    start, end = 0, 6
    closed = False

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in (b"abc", b"def"):
            yield piece

    async def close(self) -> None:
        self.closed = True


class Echo:
    """Answers with the body, and says which way it came. seen: requests that came whole."""

    def __init__(self) -> None:
        self.seen: list[HttpRequest] = []
        self.pieces = Pieces()

    async def answer(self, request: HttpRequest) -> HttpResponse:
        self.seen.append(request)
        if request.raw_path == b"/slow":
            await asyncio.sleep(0.1)
        if request.raw_path == b"/bug":
            raise ValueError("a bug")
        if request.raw_path == b"/split":
            return HttpResponse(200, ((b"x", b"a\r\nset-cookie: b"),), b"")
        if request.raw_path == b"/pieces":
            return HttpResponse(200, (), stream=self.pieces)
        return HttpResponse(200, ((b"way", b"whole"),), request.body)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = [(b"way", b"general"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class Stand:
    """A server on a port. limit: of its concurrency."""

    def __init__(self, limit: int | None = None) -> None:
        self.app = Echo()
        self.made: list[BoundedProtocol] = []
        self._config = uvicorn.Config(
            self.app,
            http=BoundedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            proxy_headers=False,
            limit_concurrency=limit,
        )
        self._config.load()
        self.state = uvicorn.Server(self._config).server_state

    def _make(self) -> BoundedProtocol:
        self.made.append(BoundedProtocol(config=self._config, server_state=self.state, app_state={}))
        return self.made[-1]

    async def _talk(self, talk: Talk) -> Any:
        listener = await asyncio.get_running_loop().create_server(self._make, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*listener.sockets[0].getsockname())
        try:
            return await asyncio.wait_for(talk(reader, writer), 10)
        finally:
            writer.close()
            listener.close()

    def run(self, talk: Talk) -> Any:
        return asyncio.run(self._talk(talk))


async def read(reader: asyncio.StreamReader) -> tuple[int, bytes, bytes]:
    """Return status, head in lower case and body of an answer."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return int(head.split(b" ")[1]), head, await reader.readexactly(length)


async def exchange(sent: bytes, count: int, reader: Any, writer: Any) -> list[tuple[int, bytes, bytes]]:
    """Send bytes and return so many answers."""
    writer.write(sent)
    return [await read(reader) for _ in range(count)]


SIGNED = b"AWS4-HMAC-SHA256 Credential=AKIA/20260304/us-west-2/%s/aws4_request, SignedHeaders=host, Signature=0"


@pytest.mark.parametrize(
    ("method", "url", "headers", "expected"),
    [
        (b"POST", b"/", [], True),
        (b"POST", b"/", [(b"authorization", SIGNED % b"gamelift")], True),
        (b"POST", b"/service/GameLift/operation/ListFleets", [(b"content-length", b"65536")], True),
        (b"GET", b"/", [], False),
        (b"PUT", b"/", [], False),
        (b"OPTIONS", b"/", [], False),
        (b"POST", b"/?a=b", [], False),
        (b"POST", b"http://host/", [], False),
        (b"POST", b"*", [], False),
        (b"POST", b"/#a", [], False),
        (b"POST", b"/\xc3\xa4", [], False),
        (b"POST", b"/a b", [], False),
        (b"POST", b"/a%20b=c;d@e~", [], True),
        (b"POST", b"/_apitrail/clock", [], False),
        (b"POST", b"/", [(b"authorization", SIGNED % b"s3")], False),
        (b"POST", b"/", [(b"authorization", SIGNED % b"gamelift"), (b"authorization", SIGNED % b"s3")], False),
        (b"POST", b"/", [(b"authorization", b"AWS AKIA:signature")], False),
        (b"POST", b"/", [(b"content-length", b"65537")], False),
        (b"POST", b"/", [(b"content-length", b"+5")], False),
        (b"POST", b"/", [(b"transfer-encoding", b"chunked")], False),
        (b"POST", b"/", [(b"expect", b"100-continue")], False),
        (b"POST", b"/", [(b"upgrade", b"websocket")], False),
        (b"POST", b"/", [(b"origin", b"https://page.example")], False),
    ],
)
def test_which_requests_are_plain(
    method: bytes, url: bytes, headers: list[tuple[bytes, bytes]], expected: bool
) -> None:
    assert is_plain(method, url, headers) is expected


def test_a_request_arrives_whole_however_its_bytes_come() -> None:
    stand = Stand()

    async def drip(reader: Any, writer: Any) -> Any:
        for byte in post(b"hello", b"/some/path", b"X-One: 1\r\nx-one: 2\r\n"):
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        return await read(reader)

    status, head, body = stand.run(drip)
    assert (status, body) == (200, b"hello")
    assert b"way: whole" in head and CLOSE not in head
    (request,) = stand.app.seen
    assert (request.method, request.raw_path, request.raw_query, request.body) == ("POST", b"/some/path", b"", b"hello")
    assert [value for name, value in request.headers if name == b"x-one"] == [b"1", b"2"]
    assert request.peer == "127.0.0.1" and request.tls is None


@pytest.mark.parametrize("size", [0, 1, BODY_BYTES_MAX, BODY_BYTES_MAX + 1])
def test_bodies_of_each_size_come_back(size: int) -> None:
    ((status, head, body),) = Stand().run(partial(exchange, post(b"x" * size), 1))
    assert (status, body) == (200, b"x" * size)
    assert (b"way: whole" in head) is (size <= BODY_BYTES_MAX)


def test_requests_of_both_ways_are_answered_in_the_order_they_came() -> None:
    asked = [
        post(b"0", b"/slow"),
        b"GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        post(b"2"),
        post(b"3", b"/?q"),
        post(b"4", b"/slow"),
        post(b"5"),
    ]
    found = Stand().run(partial(exchange, b"".join(asked), len(asked)))
    assert [body for _, _, body in found] == [b"0", b"", b"2", b"3", b"4", b"5"]
    ways = [b"whole" if b"way: whole" in head else b"general" for _, head, _ in found]
    assert ways == [b"whole", b"general", b"whole", b"general", b"whole", b"whole"]


def test_only_some_plain_requests_may_be_ahead_of_their_answers() -> None:
    async def talk(reader: Any, writer: Any) -> bytes:
        writer.write(post(b"", b"/slow") * 500)
        return bytes(await reader.read())

    said = Stand().run(talk)
    assert said.count(b"HTTP/1.1 200") <= protocol.AHEAD_MAX + 1
    assert b"HTTP/1.1 400" in said


@pytest.mark.parametrize(
    "begin", [post(b"a", more=b"connection: close\r\n"), post(b"a").replace(b"HTTP/1.1", b"HTTP/1.0")]
)
def test_a_connection_ends_after_the_answer_if_the_caller_wants_it(begin: bytes) -> None:
    async def talk(reader: Any, writer: Any) -> tuple[Any, bytes]:
        writer.write(begin)
        return await read(reader), await reader.read()

    (status, head, body), rest = Stand().run(talk)
    assert (status, body, rest) == (200, b"a", b"") and CLOSE in head and b"way: whole" in head


def test_a_stopping_server_finishes_what_is_under_way_and_ends_the_connection() -> None:
    stand = Stand()

    async def talk(reader: Any, writer: Any) -> tuple[Any, bytes]:
        writer.write(post(b"a", b"/slow")[:-1])
        await asyncio.sleep(0.05)
        stand.made[0].shutdown()
        writer.write(b"a")
        return await read(reader), await reader.read()

    (status, head, body), rest = stand.run(talk)
    assert (status, body, rest) == (200, b"a", b"") and CLOSE in head


@pytest.mark.parametrize("path", [b"/bug", b"/split"])
def test_a_bug_or_a_header_that_would_break_the_answer_is_a_500_that_tells_nothing(path: bytes) -> None:
    ((status, head, body),) = Stand().run(partial(exchange, post(b"a", path), 1))
    assert (status, body) == (500, b"Internal Server Error")
    assert CLOSE in head and b"set-cookie" not in head


def test_an_answer_that_is_not_in_memory_goes_out_in_pieces() -> None:
    stand = Stand()
    ((status, _, body),) = stand.run(partial(exchange, post(b"", b"/pieces"), 1))
    assert (status, body) == (200, b"abcdef") and stand.app.pieces.closed


def test_too_many_connections_are_refused_before_the_application_is_asked() -> None:
    stand = Stand(limit=1)
    ((status, head, _),) = stand.run(partial(exchange, post(b"a"), 1))
    assert status == 503 and CLOSE in head and not stand.app.seen


def test_a_caller_who_hangs_up_before_the_body_is_whole_is_not_heard() -> None:
    stand = Stand()

    async def talk(reader: Any, writer: Any) -> None:
        writer.write(post(b"hello")[:-1])
        await writer.drain()
        writer.close()
        await asyncio.sleep(0.1)

    stand.run(talk)
    assert stand.made and not stand.app.seen and not stand.state.connections


def test_a_body_that_stops_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "BODY_PAUSE_S", 0.1)
    stand = Stand()

    async def talk(reader: Any, writer: Any) -> bytes:
        writer.write(post(b"hello")[:-1])
        return bytes(await reader.read())

    assert stand.run(talk) == b"" and not stand.app.seen
