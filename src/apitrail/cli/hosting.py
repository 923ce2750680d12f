"""What `dev` and `serve` share before a server is loaded: options, settings from the command line, notes of dev servers."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from apitrail.cli.discovery import DEV_FILE, is_running, read_notes
from apitrail.cli.errors import usage_error
from apitrail.cli.options import Invocation
from apitrail.cli.spelling import did_you_mean
from apitrail.settings import Settings, default_data_dir, load_settings

NOTES_MAX = 50
set_option = click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    help="Any setting, like capture.mode=batch. Repeatable.",
)


def setting_types() -> dict[str, Any]:
    """Return every setting's name, `server.port`, with its type."""
    sections = [section for section in msgspec.structs.fields(Settings) if section.name != "data"]
    return {f"{part.name}.{key.name}": key.type for part in sections for key in msgspec.structs.fields(part.type)}


def parse_assignment(text: str) -> tuple[str, Any]:
    """Return `section.key=value` as name and typed value. Raises: CliError (usage) with the nearest spelling."""
    name, sign, written = text.partition("=")
    types = setting_types()
    if not sign or name not in types:
        hint = did_you_mean(name, types) or "docs/reference/settings.md lists all"
        raise usage_error(
            f"no such setting: {name!r}" if sign else f"expected SECTION.KEY=VALUE, got {text!r}", hint=hint
        )
    value = written.split(",") if str(types[name]).startswith("tuple") else written
    try:
        return name, msgspec.convert(value, types[name], strict=False)
    except msgspec.ValidationError as error:
        raise usage_error(f"{name}: {error}", hint="docs/reference/settings.md tells what it takes") from error


def settings_for(
    invocation: Invocation,
    data: Path | None,
    assignments: tuple[str, ...],
    options: Mapping[str, Any],
    defaults: Mapping[str, Any] | None = None,
) -> Settings:
    """Return the settings of a server to start.

    assignments: of --set. options: setting name to value, None when not given; they win over assignments.
    defaults: what holds unless environment or command line say otherwise. Raises: SettingsError, CliError.
    """
    chosen = {name: value for name, value in (defaults or {}).items() if variable_of(name) not in invocation.environ}
    chosen |= dict(map(parse_assignment, assignments))
    chosen |= {name: value for name, value in options.items() if value is not None}
    overrides: dict[str, dict[str, Any]] = {"": {"data": str(data.absolute())}} if data else {}
    for name, value in chosen.items():
        section, _, key = name.partition(".")
        overrides.setdefault(section, {})[key] = value
    settings = load_settings(invocation.config_path(), invocation.environ, overrides)
    return msgspec.structs.replace(settings, data=str(Path(settings.data).absolute()))


def variable_of(name: str) -> str:
    """Return a setting's environment name: `server.port` is APITRAIL_SERVER_PORT."""
    return f"APITRAIL_{name.replace('.', '_')}".upper()


def note_dev_server(environ: Mapping[str, str], server_file: Path) -> None:
    """Note a dev server in the default data directory, so that other commands find it. Raises: OSError."""
    content = json.loads(server_file.read_text())
    _change_notes(environ, add=content)


def forget_dev_server(environ: Mapping[str, str]) -> None:
    """Take the note of this process away. Raises: OSError."""
    _change_notes(environ, add=None)


def _change_notes(environ: Mapping[str, str], add: dict[str, Any] | None) -> None:
    path = default_data_dir(environ) / DEV_FILE
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    others = [note for note in read_notes(path) if is_running(note.pid) and note.pid != os.getpid()]
    members = ("endpoint", "pid", "data", "version", "mode", "region", "credentials")
    kept: list[dict[str, Any]] = [{name: getattr(note, name) for name in members} for note in others]
    kept = (kept + [add] if add else kept)[-NOTES_MAX:]
    if not kept:
        path.unlink(missing_ok=True)
        return
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(json.dumps(kept, indent=2) + "\n")
    beside.replace(path)
