"""Runs a server: makes the app, opens its socket, writes server.json, and ends in order when told to."""

import asyncio
import ctypes
import gc
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import uvloop

from apitrail import __version__
from apitrail.app import App
from apitrail.clock import MovableClock
from apitrail.errors import SettingsError
from apitrail.gateway.certificate import own_certificate
from apitrail.gateway.own import OwnEndpoints
from apitrail.gateway.sdk_socket import OnlyGameServers
from apitrail.gateway.server import Server
from apitrail.gateway.serving import Door, PortInUse, listen, serve, write_private, write_server_file
from apitrail.ids import seeded_ids
from apitrail.settings import Settings

SERVER_FILE = "server.json"
CREDENTIALS_FILE = "credentials"
DEFAULT_REGION = "us-west-2"
ACCOUNT_DIGITS = 12
PORT_MAX = 65535
YOUNG_OBJECTS = 20_000
YOUNG_ROUNDS = 20
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGE_BYTES = 1024 * 1024
SPARE_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a user needs to know of a server that is ready. access_key, secret_key: the root key of the
    first account, only when it was just made, else empty."""

    endpoint: str
    data: Path
    account: str
    access_key: str
    secret_key: str
    region: str
    credentials_file: Path


def run_server(
    settings: Settings,
    *,
    dev: bool,
    on_ready: Callable[[ServerFacts], None],
    seed: int | None = None,
    region: str = DEFAULT_REGION,
) -> int:
    """Serve until SIGTERM or SIGINT, and return an exit code.

    on_ready: told once, when calls are answered. seed: makes ids repeatable, for throw-away servers only.
    Raises: SettingsError for a data directory that cannot be used; PortInUse.
    """
    with listen(settings.server.host, settings.server.port) as listener, _listen_to_games(settings, listener) as games:
        settings = _with_ports(settings, _port(listener), _port(games))
        clock = MovableClock() if dev else None
        app = App(settings, clock=clock, ids=None if seed is None else seeded_ids(seed), is_dev=dev)
        facts = _prepare(app, _port(listener), region)
        _give_memory_back()
        _spare_the_collector()
        uvloop.run(serve(_doors(app, listener, games), app, settings, lambda: on_ready(facts)))
    (facts.data / SERVER_FILE).unlink(missing_ok=True)
    return 0


def _listen_to_games(settings: Settings, listener: socket.socket) -> socket.socket:
    """Return the socket of the port where game servers connect by TLS. Raises: SettingsError for one that is taken."""
    wanted, host = settings.gamelift.sdk_tls_port, settings.server.host
    try:
        return listen(host, wanted or min(_port(listener) + 1, PORT_MAX))
    except PortInUse as error:
        if wanted:
            raise SettingsError(str(error), where="gamelift.sdk_tls_port") from error
        return listen(host, 0)


def _port(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def _with_ports(settings: Settings, port: int, sdk_tls_port: int) -> Settings:
    """Return the settings with the ports that are really listened on."""
    server = msgspec.structs.replace(settings.server, port=port)
    gamelift = msgspec.structs.replace(settings.gamelift, sdk_tls_port=sdk_tls_port)
    return msgspec.structs.replace(settings, server=server, gamelift=gamelift)


def _doors(app: App, listener: socket.socket, games: socket.socket) -> list[Door]:
    """Return the gateway's port, and the one where game servers connect by TLS, with a certificate of our own if need be."""
    server = app.settings.server
    given = (server.tls_certificate_file, server.tls_key_file)
    names = [name for name in (server.advertised_host, server.host) if name and name != "0.0.0.0"]
    own = "" if given[0] else str(own_certificate(app.data_dir, names, app.clock, app.ids))
    application = Server(app, app.pipeline, OwnEndpoints(app), app.metrics, app.game_servers)
    secure = given if given[0] else (own, own)
    return [Door(application, listener, *given), Door(OnlyGameServers(app.game_servers), games, *secure)]


def _give_memory_back() -> None:
    """Let the C library, where it is glibc, return a large buffer to the system as soon as it is free.

    Once some were freed it keeps up to 64 MB for each thread otherwise, and each log file is made in such a buffer.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
        library.mallopt(M_TRIM_THRESHOLD, SPARE_BYTES)


def _spare_the_collector() -> None:
    """Keep the garbage collector from walking through models and tables, which live as long as the process.

    A full collection took 66 ms with them, once in a few hundred calls. Requests leave next to no cycles behind.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, YOUNG_ROUNDS, YOUNG_ROUNDS)


def create_account(settings: Settings, account: str | None, alias: str | None) -> tuple[str, str, str]:
    """Make an account with a root key in the store of a server that does not run.

    account: 12 digits, or None for a new number. Returns account, access key and secret key.
    """
    app = App(settings)
    try:
        made = app.make_account(account or app.ids.token(ACCOUNT_DIGITS, "123456789"), alias or "")
    finally:
        asyncio.run(app.close())
    return made.principal.account, made.access_key, made.secret_key


def _prepare(app: App, port: int, region: str) -> ServerFacts:
    """Make the first account of an empty store, and tell commands where the server is."""
    server = app.settings.server
    host = "127.0.0.1" if server.host in ("0.0.0.0", "") else server.host
    scheme = "https" if server.tls_certificate_file else "http"
    endpoint = f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
    file = app.data_dir / CREDENTIALS_FILE
    made = app.first_account()
    if made is not None:
        key, secret = made.access_key, made.secret_key
        lines = ("[default]", f"aws_access_key_id = {key}", f"aws_secret_access_key = {secret}", f"region = {region}")
        write_private(file, ("\n".join(lines) + "\n").encode())
    account = app.settings.auth.first_account
    write_server_file(
        app.data_dir / SERVER_FILE,
        {
            "endpoint": endpoint,
            "pid": os.getpid(),
            "data": str(app.data_dir),
            "version": __version__,
            "mode": "dev" if app.is_dev else "serve",
            "region": region,
            "account": account,
            "credentials": str(file),
        },
    )
    key, secret = (made.access_key, made.secret_key) if made is not None else ("", "")
    return ServerFacts(endpoint, app.data_dir, account, key, secret, region, file)
