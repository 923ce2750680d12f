"""Whether a file is a zip that can be unpacked, without unpacking it.

Only the directory of the archive and the head of its first file are read, so the size of the file does not matter.
"""

import asyncio
import io
import struct
from collections.abc import Callable
from typing import Protocol
from zipfile import BadZipFile, ZipFile, ZipInfo

from apitrail.objects.bucket import Bucket

READ_BYTES_MAX = 32 * 1024 * 1024
"""The largest directory that is read: some 300,000 files."""

Fetch = Callable[[int, int], bytes]
UNREADABLE = (BadZipFile, EOFError, NotImplementedError, OSError, OverflowError, RuntimeError, ValueError, struct.error)


class ZipSource(Protocol):
    """What the zip reader asks of a file."""

    def read(self, count: int | None = -1, /) -> bytes: ...

    def seek(self, offset: int, whence: int = 0, /) -> int: ...

    def tell(self) -> int: ...

    def seekable(self) -> bool: ...


class RangeFile:
    """A file of which only the asked ranges are fetched. fetch: returns the bytes from start up to but without end."""

    def __init__(self, size: int, fetch: Fetch) -> None:
        self._size = size
        self._fetch = fetch
        self._at = 0

    def read(self, count: int | None = -1, /) -> bytes:
        """Return up to count bytes from here on. Raises: BadZipFile for more than any honest directory has."""
        rest = max(0, self._size - self._at)
        wanted = rest if count is None or count < 0 else min(count, rest)
        if wanted > READ_BYTES_MAX:
            raise BadZipFile("its directory is too large")
        if not wanted:
            return b""
        found = self._fetch(self._at, self._at + wanted)
        self._at += len(found)
        return found

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a place and return it. Raises: OSError before the beginning."""
        at = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence] + offset
        if at < 0:
            raise OSError("before the beginning of the file")
        self._at = at
        return at

    def tell(self) -> int:
        """Return where it stands."""
        return self._at

    def seekable(self) -> bool:
        """Return True."""
        return True


def zip_problem(source: ZipSource) -> str:
    """Return why a file cannot be unpacked as a zip, or an empty text. Blocks; for a thread."""
    try:
        with ZipFile(source) as archive:
            files = [entry for entry in archive.infolist() if not entry.is_dir()]
            return _first_problem(archive, files)
    except UNREADABLE as error:
        return f"it is not a valid zip file ({error})"


async def bytes_problem(body: bytes) -> str:
    """Return why these bytes cannot be unpacked as a zip, or an empty text."""
    return await asyncio.to_thread(zip_problem, io.BytesIO(body))


async def object_problem(bucket: Bucket, key: str, size: int) -> str:
    """Return why an object cannot be unpacked as a zip, or an empty text. Raises: SinkError when it cannot be read."""
    loop = asyncio.get_running_loop()

    async def fetch(start: int, end: int) -> bytes:
        body = await bucket.get(key, start, end)
        try:
            return await body.read()
        finally:
            await body.close()

    def check() -> str:
        return zip_problem(RangeFile(size, lambda *span: asyncio.run_coroutine_threadsafe(fetch(*span), loop).result()))

    return await asyncio.to_thread(check)


def _first_problem(archive: ZipFile, files: list[ZipInfo]) -> str:
    if not files:
        return "it is a zip without any file"
    with archive.open(files[0]):
        return ""
