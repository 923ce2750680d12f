"""Serves the application until it is told to stop: socket, signals, files that only their owner may read."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, Protocol

import orjson
import uvicorn

from apitrail import settings
from apitrail.gateway.protocol import BoundedProtocol

log = logging.getLogger("apitrail")
BACKLOG = 512
KEEP_ALIVE_S = 75
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

    start: before the first call. quiesce: no new calls; streams must end. stop: after the last answer.
    """

    async def start(self) -> None: ...
    def quiesce(self) -> None: ...
    async def stop(self) -> None: ...


async def serve(
    application: Application,
    life: Life,
    listener: socket.socket,
    settings: settings.Server,
    on_ready: Callable[[], None],
) -> None:
    """Serve until SIGTERM or SIGINT; then finish what is under way, and end. on_ready: calls are answered."""
    server = QuietServer(_config(application, settings))
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await life.start()
    running = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not running.done():
        await asyncio.sleep(STARTED_POLL_S)
    on_ready()
    waiting = asyncio.create_task(stopping.wait())
    await asyncio.wait({waiting, running}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    life.quiesce()
    server.should_exit = True
    await running
    await life.stop()


def _config(application: Application, settings: settings.Server) -> uvicorn.Config:
    """Return how uvicorn runs here: nothing of the caller is believed that the connection does not show."""
    return uvicorn.Config(
        application,
        loop="none",
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        limit_concurrency=settings.connections_max,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, int(settings.shutdown_timeout_s)),
        ssl_certfile=settings.tls_certificate_file or None,
        ssl_keyfile=settings.tls_key_file or None,
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
