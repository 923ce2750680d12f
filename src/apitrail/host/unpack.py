"""Unpacking a build: a zip that somebody has uploaded and that is not to be trusted.

Everything is checked before the first byte is written. Refused are names that lead out of the folder, links and other special
files, names that come twice, encrypted files, and more files or bytes than allowed. Special mode bits are dropped.
"""

import os
import shutil
import stat
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple
from zipfile import BadZipFile, ZipFile, ZipInfo

DIRECTORY_BYTES_MAX = 32 * 1024 * 1024
"""The largest directory of a zip that is read: some 300,000 files."""

CHUNK = 1024 * 1024
NAME_BYTES_MAX = 255
DEPTH_MAX = 64
FREE_BYTES_MIN = 64 * 1024 * 1024
"""What must be left on the disk."""

UNIX = 3
"""The zip's word for a system whose file modes it has."""

PLAIN, PROGRAM = 0o644, 0o755
ENCRYPTED = 0x1
UNREADABLE = (
    BadZipFile,
    EOFError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ValueError,
    struct.error,
    zlib.error,
)


class UnpackError(Exception):
    """A zip that is refused, in words for the owner of the build."""


class _Entry(NamedTuple):
    """A file of the zip. parts: of its path."""

    parts: tuple[str, ...]
    info: ZipInfo


class _Guarded:
    """A file that does not return more at a time than an honest zip's directory has."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, count: int | None = -1, /) -> bytes:
        """Return bytes from here on. Raises: BadZipFile."""
        found = self._file.read(
            DIRECTORY_BYTES_MAX + 1 if count is None or count < 0 else min(count, DIRECTORY_BYTES_MAX + 1)
        )
        if len(found) > DIRECTORY_BYTES_MAX:
            raise BadZipFile("its directory is too large")
        return found


def unpack(archive: Path, target: Path, *, bytes_max: int, files_max: int) -> None:
    """Unpack a zip into a folder that does not exist yet and is nobody else's. Raises: UnpackError; OSError. Blocks."""
    try:
        with archive.open("rb") as file, ZipFile(_Guarded(file)) as source:
            entries = list(_checked(source, bytes_max, files_max))
            target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            target.mkdir(mode=0o755)
            if shutil.disk_usage(target).free < sum(entry.info.file_size for entry in entries) + FREE_BYTES_MIN:
                raise UnpackError("there is not enough room on the disk for it")
            for entry in entries:
                _write(source, entry, target)
    except UNREADABLE as error:
        raise UnpackError(f"it is not a valid zip file ({error})") from error


def parts_of(name: str) -> tuple[str, ...]:
    """Return the parts of a path in a zip; a backslash separates as well. Raises: UnpackError for one that leads out."""
    text = name.replace("\\", "/")
    if text.startswith("/") or text[1:2] == ":":
        raise UnpackError(f"it has the absolute name {name!r}")
    parts = tuple(part for part in text.split("/") if part not in ("", "."))
    if ".." in parts:
        raise UnpackError(f"the name {name!r} leads out of its folder")
    if len(parts) > DEPTH_MAX or any(len(os.fsencode(part)) > NAME_BYTES_MAX for part in parts):
        raise UnpackError(f"the name {name[:100]!r}... is too long")
    if any(not character.isprintable() for character in text):
        raise UnpackError(f"the name {name!r} has characters that cannot be printed")
    return parts


def _checked(source: ZipFile, bytes_max: int, files_max: int) -> Iterator[_Entry]:
    """Yield the files of a zip. Raises: UnpackError."""
    infos = source.infolist()
    if len(infos) > files_max:
        raise UnpackError(f"it has {len(infos)} files, {files_max} are allowed")
    if (total := sum(info.file_size for info in infos)) > bytes_max:
        raise UnpackError(f"it has {total} bytes unpacked, {bytes_max} are allowed")
    files, folders = set[tuple[str, ...]](), set[tuple[str, ...]]()
    for info in infos:
        parts = parts_of(info.orig_filename)
        _check_kind(info)
        is_folder = info.is_dir() or info.orig_filename.endswith("\\")
        folders |= {parts[:depth] for depth in range(1, len(parts) + is_folder)}
        if is_folder:
            continue
        if not parts or parts in files:
            raise UnpackError(f"the name {info.orig_filename!r} comes twice or is empty")
        files.add(parts)
        yield _Entry(parts, info)
    if clash := next(iter(files & folders), None):
        raise UnpackError(f"{'/'.join(clash)} is a file and a folder")
    if not files:
        raise UnpackError("it is a zip without any file")


def _check_kind(info: ZipInfo) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16) if info.create_system == UNIX else 0
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise UnpackError(f"{info.orig_filename} is a link or another special file")
    if info.flag_bits & ENCRYPTED:
        raise UnpackError(f"{info.orig_filename} is encrypted")


def _write(source: ZipFile, entry: _Entry, target: Path) -> None:
    path = target.joinpath(*entry.parts)
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, PLAIN)
    with os.fdopen(handle, "wb") as file, source.open(entry.info) as content:
        shutil.copyfileobj(content, file, CHUNK)
    path.chmod(_mode(entry.info))


def _mode(info: ZipInfo) -> int:
    """Return the mode of a file: a program when the zip says so, or when it comes from a system without such modes."""
    return PROGRAM if info.create_system != UNIX or (info.external_attr >> 16) & 0o111 else PLAIN
