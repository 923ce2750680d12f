"""The bytes of object files: staging a new one, telling the new from the old."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from apitrail.errors import SinkError

BLOCK_BYTES = 1024 * 1024


def told_apart(descriptor: int, old: os.stat_result | None) -> os.stat_result:
    """Return the state of a new file, its time moved on if size and time are those of the old one."""
    state = os.fstat(descriptor)
    for step in (1, 2_000_000_000):  # some file systems keep whole or even seconds only
        if old is None or (state.st_size, state.st_mtime_ns) != (old.st_size, old.st_mtime_ns):
            break
        os.utime(descriptor, ns=(state.st_atime_ns, state.st_mtime_ns + step))
        os.fsync(descriptor)
        state = os.fstat(descriptor)
    return state


def blocks(descriptor: int) -> Iterator[bytes]:
    """Give the content of an open file in blocks of 1 MiB, from its beginning."""
    at = 0
    while block := os.pread(descriptor, BLOCK_BYTES, at):
        at += len(block)
        yield block


def md5_of(descriptor: int) -> str:
    """Return the MD5 of an open file, in hex."""
    digest = hashlib.md5(usedforsecurity=False)
    for block in blocks(descriptor):
        digest.update(block)
    return digest.hexdigest()


def write_all(descriptor: int, content: bytes) -> None:
    """Write all of content."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


@contextmanager
def open_staged(path: Path) -> Iterator[int]:
    """Open a staged file and give its descriptor. Raises: SinkError NoSuchFile."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise SinkError("The staged file is gone.", code="NoSuchFile", temporary=False) from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def remove_folders(top: Path) -> bool:
    """Remove a folder that holds nothing but folders; False when it holds, or is, anything else."""
    if top.is_symlink() or not top.is_dir():
        return False
    if all(map(remove_folders, list(top.iterdir()))):
        top.rmdir()
    return not top.exists()
