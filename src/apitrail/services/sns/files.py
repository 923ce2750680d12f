"""File endpoints: one JSON value a line, appended and on disk before the delivery counts as made."""

import os
from pathlib import Path

import orjson

FILE_MODE, FOLDER_MODE = 0o640, 0o750


def append_line(folder: Path, name: str, line: bytes) -> None:
    """Append a line to a file below a folder; a line that a crash has cut short is ended first.

    name: checked path, see endpoints.file_path. Raises: OSError, also where a link would lead elsewhere.
    """
    path = folder / name
    path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    if not path.parent.resolve().is_relative_to(folder.resolve()):
        raise PermissionError(f"{name} leads out of the folder")
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    with os.fdopen(os.open(path, flags, FILE_MODE), "r+b", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        if end and os.pread(file.fileno(), 1, end - 1) != b"\n":
            line = b"\n" + line
        file.write(line + b"\n")
        os.fsync(file.fileno())


def as_line(text: str) -> bytes:
    """Return a text as one line of JSON: JSON as it is, without line breaks; anything else as a JSON string."""
    try:
        return orjson.dumps(orjson.loads(text))
    except orjson.JSONDecodeError:
        return orjson.dumps(text)
