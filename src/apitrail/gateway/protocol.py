"""Connections with bounds: uvicorn's own protocol takes a head of any size and waits for it forever.

A request's head, its trailer and the frame of its chunks are bounded in bytes; a head must be whole in time, a body must not
stop arriving, and only a few requests may be sent ahead of their answers. What becomes a WebSocket owes nothing of that any
more; uvicorn's protocol for it logs the URL, which holds secrets here, so its log is silent. Small requests of SDKs are asked
of the application when they are whole, if it has `answer`, see whole.py.
"""

import asyncio
import logging
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from apitrail.gateway.server import tls_facts
from apitrail.gateway.whole import Answer, WholeCycle, is_plain

HEAD_BYTES_MAX = 64 * 1024
HEAD_S = 20.0
BODY_PAUSE_S = 60.0
AHEAD_MAX = 16
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class BoundedProtocol(HttpToolsProtocol):
    """One connection. The timer runs while the caller owes bytes: of a head from its beginning, of a body from the last."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._unread = 0
        self._head_owed = self._body_owed = False
        self._timer: asyncio.TimerHandle | None = None
        self._answer: Answer | None = getattr(self.app, "answer", None)
        self._whole: WholeCycle | None = None
        self._before: RequestResponseCycle | None = None
        self._unused = asyncio.Event()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; the first head is owed from now on."""
        super().connection_made(transport)
        self._tls = tls_facts(transport)
        self._owe(HEAD_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._owe(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in bytes. _unread: those that are neither a whole head nor content yet, so that somebody holds them."""
        if self.transport.is_closing():
            return
        self._unread += len(data)
        super().data_received(data)
        if self._unread > HEAD_BYTES_MAX and not self.transport.is_closing():
            self.transport.write(TOO_LARGE)
            self.transport.close()
        elif self._body_owed:
            self._owe(BODY_PAUSE_S)
        elif self._head_owed and self._timer is None:
            self._owe(HEAD_S)

    def on_message_begin(self) -> None:
        """A head has begun."""
        super().on_message_begin()
        self._head_owed = True

    def on_headers_complete(self) -> None:
        """A head is whole."""
        if len(self.pipeline) >= AHEAD_MAX:
            raise ValueError("too many requests ahead of their answers")
        if self._answer is not None and is_plain(self.parser.get_method(), self.url, self.headers) and self._has_room():
            self._begin_whole(self._answer)
        else:
            super().on_headers_complete()
        self._unread, self._head_owed, self._body_owed = 0, False, True

    def on_body(self, body: bytes) -> None:
        """Content has come."""
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is whole; nothing is owed until the next one begins."""
        self._unread, self._head_owed, self._body_owed = 0, False, False
        if self._timer is not None:
            self._owe(None)
        if self._whole is not None:
            self._start_whole(self._whole)
        else:
            super().on_message_complete()

    def _has_room(self) -> bool:
        """Return whether the bound of concurrency lets a request in; uvicorn refuses the others."""
        bound = self.limit_concurrency
        return bound is None or (len(self.connections) < bound and len(self.tasks) < bound)

    def _begin_whole(self, ask: Answer) -> None:
        """Begin a request that is asked of the application when its body is there."""
        self.scope["method"], self.scope["path"], self.scope["query_string"] = "POST", self.url.decode("ascii"), b""
        self._before = self.cycle
        self.cycle = self._whole = WholeCycle(
            ask,
            self.url,
            self.headers,
            self.client[0] if self.client else "",
            self._tls,
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=self._unused,
            expect_100_continue=False,
            keep_alive=self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )

    def _start_whole(self, cycle: WholeCycle) -> None:
        """Let a request be answered, after those before it."""
        before, self._before, self._whole = self._before, None, None
        cycle.more_body = False
        if before is None or before.response_complete:
            self._start_asgi_task(cycle, cycle.answer)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, cycle.answer))

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over."""
        self._head_owed = self._body_owed = False
        self._owe(None)
        super().handle_websocket_upgrade()

    def _owe(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else self.loop.call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


class QuietWebSocket(WebSocketsSansIOProtocol):
    """A WebSocket whose URL appears in no log, and that sends a message or raises OSError, never neither."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.logger = self.conn.logger = SILENT
        self.conn.debug = False

    async def send(self, message: Any) -> None:
        """Send a message. Raises: OSError when none of it was written, since the peer is gone.

        A transport that is closing drops what is written to it, for a moment in which uvicorn does not know yet.
        """
        await self.writable.wait()
        if message["type"] == "websocket.send" and self.transport.is_closing():
            raise ClientDisconnected
        await super().send(message)


def _silent() -> logging.Logger:
    logger = logging.Logger("apitrail.silent", logging.CRITICAL + 1)
    logger.addHandler(logging.NullHandler())
    return logger


SILENT = _silent()
