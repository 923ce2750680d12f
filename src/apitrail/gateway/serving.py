"""Serves the application until it is told to stop: socket, signals, files that only their owner may read."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import orjson
import uvicorn

from apitrail.gateway.protocol import BoundedProtocol, QuietWebSocket
from apitrail.gateway.sdk_frames import FRAME_BYTES_MAX
from apitrail.settings import Settings

log = logging.getLogger("apitrail")
BACKLOG = 512
KEEP_ALIVE_S = 75
PING_S = 30.0
PONG_S = 60.0
"""How long a WebSocket's peer may take to answer a ping; a game may stand still for a while."""

STARTED_POLL_S = 0.005
PRIVATE = 0o600


class PortInUse(OSError):
    """Somebody listens on the wanted address already."""


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on exactly this address; port 0 takes a free one. Raises: PortInUse, OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise PortInUse(error.errno, f"cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}") from error
    return listener


class Application(Protocol):
    """The ASGI application, with its own beginning and end."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


class QuietServer(uvicorn.Server):
    """uvicorn without its own signal handlers; serve has ours."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals alone."""
        yield


class Life(Protocol):
    """What is served, from its beginning to its end.

    start: before the first call. wind_down: the end is near, but calls are still answered. quiesce: no new calls; streams must
    end. stop: after the last answer.
    """

    async def start(self) -> None: ...
    async def wind_down(self) -> None: ...
    def quiesce(self) -> None: ...
    async def stop(self) -> None: ...


class Door(NamedTuple):
    """A port that is served. certificate, key: PEM files for TLS 1.2 or newer, or empty for none."""

    application: Application
    listener: socket.socket
    certificate: str = ""
    key: str = ""


async def serve(doors: Sequence[Door], life: Life, settings: Settings, on_ready: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT; then finish what is under way, and end. on_ready: calls are answered."""
    servers = [QuietServer(_config(door, settings)) for door in doors]
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await life.start()
    listening = [server.serve(sockets=[door.listener]) for door, server in zip(doors, servers, strict=True)]
    running = asyncio.ensure_future(asyncio.gather(*listening))
    while not all(server.started for server in servers) and not running.done():
        await asyncio.sleep(STARTED_POLL_S)
    on_ready()
    waiting = asyncio.create_task(stopping.wait())
    await asyncio.wait((waiting, running), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not running.done():
        await life.wind_down()
    life.quiesce()
    for server in servers:
        server.should_exit = True
    await running
    await life.stop()


def _config(door: Door, settings: Settings) -> uvicorn.Config:
    """Return how uvicorn runs here: nothing of the caller is believed that the connection does not show."""
    server = settings.server
    return uvicorn.Config(
        door.application,
        loop="none",
        http=BoundedProtocol,
        ws=QuietWebSocket,
        ws_max_size=FRAME_BYTES_MAX,
        ws_ping_interval=PING_S,
        ws_ping_timeout=PONG_S,
        ws_per_message_deflate=False,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        limit_concurrency=server.connections_max + settings.gamelift.sdk_connections_max,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, int(server.shutdown_timeout_s)),
        ssl_certfile=door.certificate or None,
        ssl_keyfile=door.key or None,
    )


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, in place of an older one, whole or not at all."""
    beside = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def write_server_file(path: Path, facts: dict[str, Any]) -> None:
    """Tell the commands where the server is; see the commands' page."""
    write_private(path, orjson.dumps(facts, option=orjson.OPT_INDENT_2) + b"\n")
