"""Arguments that several verbs take: JSON from a file, from stdin or in place, and tags."""

import json
import sys
from pathlib import Path
from typing import Any

from apitrail.cli.errors import local_error, usage_error

LARGEST_FILE = 1024 * 1024


def read_json(source: str) -> Any:
    """Return the JSON of an argument: a text that begins with { or [, `-` for stdin, or a file. Raises: CliError."""
    text = source if source.lstrip()[:1] in ("{", "[") else _read_text(source)
    try:
        return json.loads(text)
    except ValueError as error:
        place = "" if text is source else source
        raise local_error(f"not JSON: {error}", code="bad-json", where=place) from error


def _read_text(source: str) -> str:
    if source == "-":
        return sys.stdin.read(LARGEST_FILE)
    with Path(source).open(encoding="utf-8") as file:
        return file.read(LARGEST_FILE)


def parse_tag(text: str) -> dict[str, str]:
    """Return `key=value` as a tag. Raises: CliError (usage)."""
    key, _, value = text.partition("=")
    if not key:
        raise usage_error(f"not a tag: {text!r}", hint="use KEY=VALUE")
    return {"Key": key, "Value": value}
