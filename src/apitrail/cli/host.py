"""Runs a server for `dev` and `serve`; this module loads the whole product, so it is imported only then."""

import contextlib
import errno
import ipaddress
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from apitrail import __version__
from apitrail.cli.discovery import SERVER_FILE, running_servers
from apitrail.cli.environment import client_variables
from apitrail.cli.errors import CliError, local_error
from apitrail.cli.hosting import forget_dev_server, note_dev_server
from apitrail.cli.options import Invocation
from apitrail.cli.ports import command_of, owner_of_port
from apitrail.cli.profiles import read_credentials_file
from apitrail.cli.running import Companion
from apitrail.gateway.serving import PortInUse
from apitrail.run import DEFAULT_REGION, ServerFacts, run_server
from apitrail.settings import Settings

Lines = Callable[[ServerFacts], list[str]]


def run(
    invocation: Invocation,
    settings: Settings,
    lines: Lines,
    command: tuple[str, ...],
    *,
    dev: bool,
    seed: int | None = None,
) -> int:
    """Serve until told to stop, or until the command has ended, and return the exit code.

    lines: what to tell people when the server is ready. command: words after `--`, may be empty.
    """
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(invocation.verbose, 2)]
    logging.basicConfig(stream=sys.stderr, level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    warn_of_open_door(invocation, settings)
    companion = Companion(command) if command else None

    def on_ready(facts: ServerFacts) -> None:
        if dev:
            _note(invocation, facts)
        announce(invocation, facts, lines, aside=bool(command))
        if companion is not None:
            companion.start(variables_of(facts))

    try:
        with _forgotten_at_end(invocation, dev):
            code = run_server(
                settings, dev=dev, on_ready=on_ready, seed=seed, region=invocation.region or DEFAULT_REGION
            )
    except PortInUse as error:
        raise cannot_listen(invocation, settings, error) from error
    finished = companion.finish() if companion else None
    return code if finished is None else finished


def announce(invocation: Invocation, facts: ServerFacts, lines: Lines, *, aside: bool) -> None:
    """Tell that the server is ready: lines for people, or with --output json one object on one line.

    aside: stdout belongs to a command, so people are told on stderr.
    """
    if invocation.output in ("json", "jsonl"):
        told = {
            "endpoint": facts.endpoint,
            "pid": os.getpid(),
            "data": str(facts.data),
            "account": facts.account,
            "access_key": facts.access_key,
            "secret_key": facts.secret_key,
            "region": facts.region,
            "credentials_file": str(facts.credentials_file),
        }
        text = json.dumps({name: value for name, value in told.items() if value})
    else:
        text = "\n".join(lines(facts))
    if aside:
        invocation.say(text)
        return
    invocation.stdout.write(text + "\n")
    invocation.stdout.flush()


def variables_of(facts: ServerFacts) -> dict[str, str]:
    """Return the client variables for a command that runs beside the server."""
    keys = read_credentials_file(facts.credentials_file)
    access_key, secret_key = (keys.access_key, keys.secret_key) if keys else (facts.access_key, facts.secret_key)
    variables = client_variables(facts.endpoint, access_key, secret_key, "", facts.region)
    return {**variables, "APITRAIL_ENDPOINT_URL": facts.endpoint}


def warn_of_open_door(invocation: Invocation, settings: Settings) -> None:
    """Warn when callers of other machines need no right keys."""
    if settings.auth.mode == "permissive" and not is_loopback(settings.server.host):
        sys.stderr.write(
            f"warning: {settings.server.host} is reachable from other machines, and auth is permissive: "
            "anybody may act as any account\nhint:  use --auth strict, or --host 127.0.0.1\n"
        )


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def cannot_listen(invocation: Invocation, settings: Settings, error: OSError) -> CliError:
    """Return the error of an address that cannot be listened on, with who has it."""
    where = f"{settings.server.host}:{settings.server.port}"
    if error.errno != errno.EADDRINUSE:
        reason = os.strerror(error.errno or 0).lower()
        return local_error(
            f"cannot listen on {where}: {reason}", code="cannot-listen", hint="choose another --host or --port"
        )
    note = next((n for n in running_servers(invocation) if n.endpoint.endswith(f":{settings.server.port}")), None)
    pid = note.pid if note else owner_of_port(settings.server.port)
    whose = f"apitrail, data {note.data}" if note else command_of(pid) if pid else ""
    by = f" by pid {pid}" + (f" ({whose})" if whose else "") if pid else ""
    hint = "use --port 0" + (f", or stop it with: kill {pid}" if pid else " or another port")
    return local_error(f"cannot listen on {where}: already in use{by}", code="port-in-use", hint=hint)


def _note(invocation: Invocation, facts: ServerFacts) -> None:
    try:
        note_dev_server(invocation.environ, facts.data / SERVER_FILE)
    except OSError as error:
        reason = error.strerror or str(error)
        invocation.say(f"cannot note this server ({reason}); other commands find it with --data {facts.data}")


@contextmanager
def _forgotten_at_end(invocation: Invocation, dev: bool) -> Iterator[None]:
    try:
        yield
    finally:
        if dev:
            with contextlib.suppress(OSError):
                forget_dev_server(invocation.environ)


def serve_lines(facts: ServerFacts) -> list[str]:
    """Return what `serve` tells when it is ready; the first key of an empty store is shown this once."""
    lines = [f"apitrail {__version__} is ready at {facts.endpoint}, data {facts.data}"]
    if facts.secret_key:
        lines += [
            f"first account {facts.account}; its root key is shown only now:",
            f"  AWS_ACCESS_KEY_ID={facts.access_key}",
            f"  AWS_SECRET_ACCESS_KEY={facts.secret_key}",
            f"and kept in {facts.credentials_file}",
        ]
    return lines


def dev_lines(facts: ServerFacts, *, temporary: bool) -> list[str]:
    """Return what `dev` tells when it is ready."""
    fate = "removed at the end; --keep keeps it" if temporary else "kept"
    samples = {
        'eval "$(apitrail env)"': "point AWS clients at it",
        "aws gamelift list-builds": "call something",
        "apitrail tail": "see the calls",
    }
    width = max(map(len, samples))
    return [
        f"apitrail {__version__} is ready at {facts.endpoint} (account {facts.account}, {facts.region})",
        "",
        *(f"  {sample:<{width}}   # {what}" for sample, what in samples.items()),
        "",
        f"data: {facts.data} ({fate})",
        f"stop: Ctrl-C, or kill {os.getpid()}",
    ]
