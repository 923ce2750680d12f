"""The bytes of an object that is a file, as they are read."""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Self

from apitrail.errors import SinkError
from apitrail.objects.bucket import ObjectInfo
from apitrail.objects.content import BLOCK_BYTES


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
