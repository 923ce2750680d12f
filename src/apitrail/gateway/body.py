"""How request bodies arrive: whole in memory up to a bound; S3 objects go to a staging file and lose their aws-chunked frame.

Source: Amazon S3 API Reference, signature calculations for chunked uploads; wire behaviour of the SDKs.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from apitrail.errors import ServiceError
from apitrail.identity.chunks import ChunkVerifier
from apitrail.wire.aws_chunked import ChunkedDecoder
from apitrail.wire.http import HttpRequest, StagedBody

WRITE_BYTES = 1024 * 1024
TRAILER_SIGNATURE = "x-amz-trailer-signature"

Chunks = AsyncIterator[bytes]


class TooLarge(ServiceError):
    """A body above the bound."""

    code = "RequestEntityTooLarge"
    status = 413


def too_large(limit: int) -> TooLarge:
    """Return the error of a body above the bound of those that are decoded in memory."""
    return TooLarge(f"The request body is larger than {limit} bytes.")


async def read_body(chunks: Chunks, limit: int) -> bytes:
    """Return a whole body. Raises: TooLarge."""
    parts, size = [], 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise too_large(limit)
        parts.append(chunk)
    return b"".join(parts)


class Staging(AbstractContextManager["Staging"]):
    """A body on its way into memory or, when it is large, into a file; the file is removed unless somebody took it.

    path: the file that will be used. memory_max: bodies up to this size stay in memory. limit: largest body.
    """

    def __init__(self, path: Path, memory_max: int, limit: int) -> None:
        self._path = path
        self._memory_max = memory_max
        self._limit = limit
        self._parts: list[bytes] = []
        self._held = 0
        self._file: BinaryIO | None = None
        self._size = 0
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)

    async def take(self, content: bytes) -> None:
        """Take in the next bytes of content."""
        self._size += len(content)
        if self._size > self._limit:
            raise TooLarge(f"The object is larger than {self._limit} bytes.")
        self._parts.append(content)
        self._held += len(content)
        if self._held >= max(WRITE_BYTES, self._memory_max if self._file is None else 0):
            await asyncio.to_thread(self._spill)

    async def finish(self, request: HttpRequest, checksums: dict[str, str]) -> HttpRequest:
        """Return the request with its body, in memory or staged.

        checksums: of the trailer; they join the headers of a request whose body is in memory.
        """
        if self._file is None:
            body = b"".join(self._parts)
            self._sha256.update(body)
            trailer = tuple((name.encode(), value.encode()) for name, value in checksums.items())
            return replace(request, body=body, headers=request.headers + trailer)
        await asyncio.to_thread(self._spill)
        self._file.close()
        staged = StagedBody(self._path, self._size, self._sha256.hexdigest(), self._md5.hexdigest(), checksums)
        return replace(request, staged=staged)

    @property
    def sha256(self) -> str:
        """Lower-case hex of the content; complete after finish."""
        return self._sha256.hexdigest()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._path.unlink(missing_ok=True)

    def _spill(self) -> None:
        """Write what is held to the file."""
        if self._file is None:
            self._file = self._path.open("xb")
        content = b"".join(self._parts)
        self._parts, self._held = [], 0
        self._sha256.update(content)
        self._md5.update(content)
        self._file.write(content)


async def read_chunked(
    chunks: Chunks, staging: Staging, verifier: ChunkVerifier | None, size: int | None
) -> dict[str, str]:
    """Take a body out of its aws-chunked frame into staging; return the trailer's headers.

    verifier: checks the signature of each chunk, where chunks are signed. size: announced bytes of content, if they were.
    """
    decoder = ChunkedDecoder(verifier.check_chunk if verifier else None, signed=verifier is not None, size=size)
    async for chunk in chunks:
        content = decoder.feed(chunk)
        if content:
            await staging.take(content)
    decoder.finish()
    trailers = dict(decoder.trailers)
    signature = trailers.pop(TRAILER_SIGNATURE, None)
    if verifier is not None:
        if signature is not None:
            verifier.check_trailer(signature, trailers)
        verifier.finish()
    return trailers
