"""Finding the server and the keys to ask it with.

A running server writes DATA/server.json; `dev` notes its throw-away server in dev.json of the default data directory.
Address: --endpoint-url, --data, AWS_ENDPOINT_URL, the profile's endpoint_url, the newest running server.
Keys: --profile, AWS_ACCESS_KEY_ID, AWS_PROFILE, the server's own credentials file.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apitrail.cli.errors import REFUSED, CliError, local_error
from apitrail.cli.options import Invocation
from apitrail.cli.profiles import Keys, Profile, read_credentials_file, read_profile
from apitrail.settings import default_data_dir

SERVER_FILE = "server.json"
DEV_FILE = "dev.json"
FALLBACK_REGION = "us-east-1"
START_HINT = "start one with: apitrail dev"


@dataclass(frozen=True, slots=True)
class ServerNote:
    """What a running server wrote about itself. credentials: path of an INI file with keys; may be empty."""

    endpoint: str
    pid: int
    data: str
    version: str
    mode: str
    region: str
    credentials: str
    written_at: float


@dataclass(frozen=True, slots=True)
class Target:
    """A server and how to ask it. origin: where the address was found."""

    endpoint: str
    region: str
    keys: Keys
    origin: str
    note: ServerNote | None = None


def read_notes(path: Path) -> list[ServerNote]:
    """Return the servers noted in a file (one object, or a list of them); nothing when it cannot be read."""
    try:
        written_at = path.stat().st_mtime
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    entries = content if isinstance(content, list) else [content]
    return [note for entry in entries[-100:] if (note := _note(entry, written_at)) is not None]


def _note(entry: Any, written_at: float) -> ServerNote | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("endpoint"), str):
        return None
    pid = entry.get("pid")
    texts = {name: str(entry.get(name, "")) for name in ("data", "version", "mode", "region", "credentials")}
    return ServerNote(
        endpoint=entry["endpoint"], pid=pid if isinstance(pid, int) else 0, written_at=written_at, **texts
    )


def is_running(pid: int) -> bool:
    """Return whether there is a process of this number."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # there is one, of somebody else
    return True


def data_dir(invocation: Invocation) -> Path:
    """Return the data directory: of --data, or the default one."""
    return Path(invocation.data) if invocation.data else default_data_dir(invocation.environ)


def running_servers(invocation: Invocation) -> list[ServerNote]:
    """Return the servers of this machine that can be found, the newest first."""
    directory = data_dir(invocation)
    notes = read_notes(directory / SERVER_FILE)
    if not invocation.data:
        notes += [newer for note in read_notes(directory / DEV_FILE) for newer in _own_note(note)]
    return sorted((note for note in notes if is_running(note.pid)), key=lambda note: -note.written_at)


def _own_note(note: ServerNote) -> Iterator[ServerNote]:
    """Yield a dev server's note as its own data directory has it, which tells when it was started."""
    own = [found for found in read_notes(Path(note.data) / SERVER_FILE) if found.pid == note.pid] if note.data else []
    yield own[0] if own else note


def find_target(invocation: Invocation) -> Target:
    """Return the server to ask, with keys and region. Raises: CliError when there is no server, or no keys for it."""
    environ = invocation.environ
    named = invocation.profile or environ.get("AWS_PROFILE", "")
    profile = read_profile(named, environ) if named else Profile(None)
    endpoint, origin, note = _find_endpoint(invocation, profile)
    keys = _find_keys(invocation, profile, note)
    region = _find_region(invocation, profile, note)
    return Target(endpoint.rstrip("/"), region, keys, origin, note)


def _find_endpoint(invocation: Invocation, profile: Profile) -> tuple[str, str, ServerNote | None]:
    running = running_servers(invocation)
    newest = running[0] if running else None
    candidates = (
        (invocation.endpoint_url, "--endpoint-url"),
        (newest.endpoint if newest and invocation.data else "", str(data_dir(invocation))),
        (profile.endpoint_url if invocation.profile else "", f"profile {invocation.profile}"),
        (invocation.environ.get("AWS_ENDPOINT_URL", ""), "AWS_ENDPOINT_URL"),
        (profile.endpoint_url, "AWS_PROFILE"),
        (newest.endpoint if newest else "", newest.data if newest else ""),
    )
    for endpoint, origin in candidates:
        if endpoint:
            return endpoint, origin, next((note for note in running if note.endpoint == endpoint.rstrip("/")), None)
    raise CliError(
        "no running server found", code="no-server", exit_code=4, where=str(data_dir(invocation)), hint=START_HINT
    )


def _find_keys(invocation: Invocation, profile: Profile, note: ServerNote | None) -> Keys:
    environ = invocation.environ
    if invocation.profile:
        if profile.keys is None:
            raise local_error(
                f"profile {invocation.profile} has no keys in the files",
                code="no-keys",
                hint="only aws_access_key_id and aws_secret_access_key are read; for others use: "
                "aws configure export-credentials --format env",
            )
        return profile.keys
    keys = environment_keys(environ) or profile.keys
    if keys is None and note is not None and note.credentials:
        keys = read_credentials_file(Path(note.credentials))
    if keys is None:
        raise CliError(
            "no access keys found",
            code="no-keys",
            exit_code=REFUSED,
            hint='set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, use --profile, or run: eval "$(apitrail env)"',
        )
    return keys


def environment_keys(environ: Mapping[str, str]) -> Keys | None:
    """Return the keys in the AWS_* variables, or None."""
    access_key, secret_key = environ.get("AWS_ACCESS_KEY_ID", ""), environ.get("AWS_SECRET_ACCESS_KEY", "")
    if not access_key or not secret_key:
        return None
    return Keys(access_key, secret_key, environ.get("AWS_SESSION_TOKEN", ""), "AWS_ACCESS_KEY_ID")


def _find_region(invocation: Invocation, profile: Profile, note: ServerNote | None) -> str:
    environ = invocation.environ
    return (
        invocation.region
        or (profile.region if invocation.profile else "")
        or environ.get("AWS_REGION", "")
        or environ.get("AWS_DEFAULT_REGION", "")
        or profile.region
        or (note.region if note else "")
        or FALLBACK_REGION
    )
