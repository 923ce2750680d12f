"""Runs the server until it is told to stop: sockets, signals, the ready line's facts, server.json."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import orjson
import uvicorn

log = logging.getLogger("apitrail")
BACKLOG = 512
KEEP_ALIVE_S = 75
PRIVATE = 0o600


class PortInUse(OSError):
    """Somebody listens on the wanted address already."""


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a user needs to know of a server that is ready. secret_key: only when it was just made, else empty."""

    endpoint: str
    data: Path
    account: str
    access_key: str
    secret_key: str
    region: str
    credentials_file: Path


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


async def serve(
    application: Application,
    listener: socket.socket,
    *,
    tls: tuple[str, str] | None,
    connections_max: int,
    shutdown_timeout_s: float,
    on_ready: Callable[[], None],
    on_stop: Callable[[], Awaitable[None]],
) -> None:
    """Serve until SIGTERM or SIGINT; then finish what is under way, and end. on_stop: after the last answer."""
    config = uvicorn.Config(
        application,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        backlog=BACKLOG,
        limit_concurrency=connections_max,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, int(shutdown_timeout_s)),
        ssl_certfile=tls[0] if tls else None,
        ssl_keyfile=tls[1] if tls else None,
    )
    server = uvicorn.Server(config)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    running = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not running.done():
        await asyncio.sleep(0.005)
    on_ready()
    waiting = asyncio.create_task(stopping.wait())
    await asyncio.wait({waiting, running}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    await running
    waiting.cancel()
    await on_stop()


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, in place of an older one, whole or not at all."""
    beside = path.with_name(f".{path.name}.new")
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def write_server_file(path: Path, facts: dict[str, Any]) -> None:
    """Tell the commands where the server is; see the commands' page."""
    write_private(path, orjson.dumps(facts, option=orjson.OPT_INDENT_2) + b"\n")
