"""The bytes of object files: reading an open one, staging a new one, telling the new from the old."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from apitrail.errors import SinkError
from apitrail.objects.bucket import ObjectInfo

BLOCK_BYTES = 1024 * 1024


class FolderBody:
    """An open object file. The bytes stay those of the moment it was opened, also when the object is replaced."""

    def __init__(self, descriptor: int, info: ObjectInfo, start: int, end: int) -> None:
        self._file = os.fdopen(descriptor, "rb", buffering=0)
        self.info, self.start, self.end = info, start, end

    def fileno(self) -> int:
        """Return the descriptor of the open file, valid until close."""
        return self._file.fileno()

    async def read(self) -> bytes:
        """Return all bytes of the range, and close."""
        return b"".join([block async for block in self.chunks()])

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the bytes of the range in blocks of at most 1 MiB, and close."""
        try:
            at = self.start
            while at < self.end:
                wanted = min(BLOCK_BYTES, self.end - at)
                block = await asyncio.to_thread(os.pread, self._file.fileno(), wanted, at)
                if not block:
                    raise SinkError(f"{self.info.key!r} was cut while read.", code="InternalError", temporary=True)
                at += len(block)
                yield block
        finally:
            self._file.close()

    async def close(self) -> None:
        """Close the file; nothing happens the second time."""
        self._file.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._file.close()


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
