"""A bucket in memory, for tests and simulations."""

import asyncio
import hashlib
from bisect import bisect_left, insort
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from apitrail.clock import Clock
from apitrail.errors import SinkError
from apitrail.objects.bucket import Facts, ObjectInfo, Page, check_key, check_range, no_such_key
from apitrail.objects.paging import paging, run


@dataclass(frozen=True, slots=True)
class MemoryBody:
    """An object's bytes."""

    info: ObjectInfo
    content: bytes
    start: int
    end: int

    async def read(self) -> bytes:
        """Return all bytes of the range."""
        return self.content[self.start : self.end]

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the bytes of the range as one block, nothing for an empty range."""
        if self.end > self.start:
            yield self.content[self.start : self.end]

    async def close(self) -> None:
        """Do nothing; memory has nothing to close."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class MemoryBucket:
    """Objects in a dictionary, with their keys in order beside it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._objects: dict[bytes, tuple[ObjectInfo, bytes]] = {}
        self._order: list[bytes] = []

    async def put(
        self,
        key: str,
        body: bytes,
        *,
        content_type: str,
        content_encoding: str = "",
        metadata: Mapping[str, str] = {},
    ) -> None:
        """Store body under key; see Bucket.put."""
        facts = Facts(content_type=content_type, content_encoding=content_encoding, metadata=dict(metadata))
        self._store(check_key(key), bytes(body), facts)

    async def put_file(self, key: str, path: Path, facts: Facts) -> ObjectInfo:
        """Store the content of a file and remove the file; see Bucket.put_file."""
        encoded = check_key(key)
        try:
            body = await asyncio.to_thread(path.read_bytes)
        except FileNotFoundError:
            raise SinkError("The staged file is gone.", code="NoSuchFile", temporary=False) from None
        info = self._store(encoded, body, facts)
        await asyncio.to_thread(path.unlink)
        return info

    async def get(self, key: str, start: int | None = None, end: int | None = None) -> MemoryBody:
        """Open an object or a range of it; see Bucket.get."""
        found = self._objects.get(check_key(key))
        if found is None:
            raise no_such_key(key)
        info, content = found
        return MemoryBody(info, content, *check_range(info.size, start, end))

    async def head(self, key: str) -> ObjectInfo | None:
        """Return what is known of an object; see Bucket.head."""
        found = self._objects.get(check_key(key))
        return found[0] if found else None

    async def list(self, prefix: str = "", after: str = "", limit: int = 1000, delimiter: str = "") -> Page:
        """Return a page of the listing; see Bucket.list."""
        names = run(paging(prefix, after, limit, delimiter), self._find)
        return Page([self._objects[key.encode()][0] for key in names.keys], names.prefixes, names.next)

    async def delete(self, key: str) -> bool:
        """Remove an object; see Bucket.delete."""
        encoded = check_key(key)
        if self._objects.pop(encoded, None) is None:
            return False
        del self._order[bisect_left(self._order, encoded)]
        return True

    async def check(self) -> None:
        """Return: memory can always be written."""

    def _find(self, bound: bytes) -> bytes | None:
        at = bisect_left(self._order, bound)
        return self._order[at] if at < len(self._order) else None

    def _store(self, key: bytes, body: bytes, facts: Facts) -> ObjectInfo:
        facts = replace(facts, etag=facts.etag or hashlib.md5(body, usedforsecurity=False).hexdigest())
        info = ObjectInfo(key.decode(), len(body), facts.etag, self._clock.now(), facts)
        if key not in self._objects:
            insort(self._order, key)
        self._objects[key] = (info, body)
        return info
