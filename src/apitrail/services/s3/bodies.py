"""Bodies on their way in: every new object is first a synced file in the staging folder, named by the effect that places it.

What no effect names is swept when the server starts.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from apitrail.objects.bucket import ObjectBody
from apitrail.services.runtime import Runtime
from apitrail.services.s3 import checksums
from apitrail.services.s3.errors import refuse
from apitrail.wire.call import Call

BLOCK_BYTES = 1024 * 1024
OBJECT_BYTES_MAX = 5 * 1024**3


@dataclass(frozen=True, slots=True)
class Body:
    """A body in a synced file. name: in the staging folder. md5: hex. checksums: base64 by algorithm, verified."""

    name: str
    size: int
    md5: str
    checksums: dict[str, str]
    modified: datetime


async def take_body(runtime: Runtime, call: Call, computed: Iterable[str] = ()) -> Body:
    """Stage the body of a call and verify its Content-MD5 and checksums. computed: algorithms wanted in any case.

    Raises: BadDigest, InvalidDigest, EntityTooLarge.
    """
    sent = checksums.sent(call)
    name = runtime.ids.hex(32)
    path = runtime.staging_dir / name
    wanted = [*sent, *computed]
    try:
        return await asyncio.to_thread(_take, call, path, sent, wanted)
    except BaseException:
        await asyncio.to_thread(path.unlink, missing_ok=True)
        raise


def _take(call: Call, path: Path, sent: dict[str, str], wanted: list[str]) -> Body:
    if call.staged is not None:
        call.staged.path.rename(path)
        blocks = _blocks(path) if wanted else iter(())
    else:
        body = call.params.get("Body") or b""
        body = body.encode() if isinstance(body, str) else body
        path.write_bytes(body)
        blocks = iter((body,))
    sums = checksums.Sums(wanted)
    for block in blocks:
        sums.update(block)
    md5 = call.staged.md5 if call.staged is not None else sums.md5
    checksums.check_md5(call.params.get("ContentMD5"), md5)
    checksums.check(sent, sums.values)
    return _settled(path, md5, sums.values)


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            yield block


def _settled(path: Path, md5: str, sums: dict[str, str]) -> Body:
    """Sync a file and its folder, and return it as a body. Raises: EntityTooLarge."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
        state = os.fstat(file.fileno())
    if state.st_size > OBJECT_BYTES_MAX:
        raise refuse("EntityTooLarge", ProposedSize=str(state.st_size), MaxSizeAllowed=str(OBJECT_BYTES_MAX))
    sync_folder(path.parent)
    return Body(path.name, state.st_size, md5, sums, datetime.fromtimestamp(int(state.st_mtime), UTC))


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


async def copy_body(runtime: Runtime, source: ObjectBody, algorithms: Iterable[str]) -> Body:
    """Stage a copy of an object, or of the range that it was opened with."""
    return await join_bodies(runtime, source.chunks(), algorithms)


async def join_bodies(runtime: Runtime, blocks: AsyncIterator[bytes], algorithms: Iterable[str]) -> Body:
    """Stage a body from blocks."""
    path = runtime.staging_dir / runtime.ids.hex(32)
    sums = checksums.Sums(algorithms)
    try:
        with await asyncio.to_thread(path.open, "xb") as file:
            async for block in blocks:
                await asyncio.to_thread(_append, file, sums, block)
        return await asyncio.to_thread(_settled, path, sums.md5, sums.values)
    except BaseException:
        await asyncio.to_thread(path.unlink, missing_ok=True)
        raise


def _append(file: BinaryIO, sums: checksums.Sums, block: bytes) -> None:
    file.write(block)
    sums.update(block)


async def read_files(paths: list[Path]) -> AsyncIterator[bytes]:
    """Give the blocks of several files, one after another."""
    for path in paths:
        with await asyncio.to_thread(path.open, "rb") as file:
            while block := await asyncio.to_thread(file.read, BLOCK_BYTES):
                yield block
