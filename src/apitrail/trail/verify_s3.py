"""An archive in an S3 bucket, or below a prefix of one."""

import asyncio
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from apitrail.errors import SinkError
from apitrail.objects.s3 import S3Bucket, S3Config
from apitrail.trail.verify_archive import ARCHIVED, BODY_BYTES_MAX, NOT_FOUND, Entry

AT_ONCE = 8
SMALL_AT_ONCE = 16
PAGE = 1000
ABSENT = {"NoSuchKey": NOT_FOUND, "InvalidObjectState": ARCHIVED}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Body:
    body: bytes | str
    metadata: Mapping[str, str]


class S3Archive:
    """The archive below a prefix (empty, or ending in a slash) of a bucket. It keeps an event loop of its own."""

    keeps_metadata = True

    def __init__(self, config: S3Config, prefix: str = "") -> None:
        self.bucket = config.bucket
        self.prefix = prefix
        self._objects = S3Bucket(config)
        self._loop = asyncio.Runner()

    def label(self, key: str) -> str:
        """Return `s3://bucket/key`."""
        return f"s3://{self.bucket}/{self._full(key)}"

    def _full(self, key: str) -> str:
        return key[1:] if key.startswith("/") else self.prefix + key

    def entries(self, prefix: str, after: str = "") -> Iterator[Entry]:
        """Yield the objects below a prefix; see Archive.entries."""
        cut = len(self.prefix)
        start: str | None = self.prefix + after if after else ""
        while start is not None:
            page = self._run(self._objects.list(self.prefix + prefix, after=start, limit=PAGE))
            for info in page.objects:
                yield Entry(info.key[cut:], info.size, f"{info.size}-{info.etag}", info.modified.timestamp())
            start = page.next

    def folders(self, prefix: str) -> list[str]:
        """Return the common prefixes below a prefix; see Archive.folders."""
        names: list[str] = []
        start: str | None = ""
        base = self.prefix + prefix
        while start is not None:
            page = self._run(self._objects.list(base, after=start, limit=PAGE, delimiter="/"))
            names += [name[len(base) : -1] for name in page.common_prefixes]
            start = page.next
        return names

    def bodies(self, keys: Iterable[str]) -> Iterator[tuple[str, bytes | str]]:
        """Yield keys with their bytes, a few read at once; see Archive.bodies."""
        waiting = iter(keys)
        while some := list(islice(waiting, AT_ONCE)):
            read = self._run(self._read_all(some))
            yield from ((key, item.body) for key, item in zip(some, read, strict=True))

    def objects(self, keys: Sequence[str]) -> Iterator[tuple[str, tuple[bytes | str, Mapping[str, str]]]]:
        """Yield keys with their bytes and metadata, a few read at once; see Archive.objects."""
        waiting = iter(keys)
        while some := list(islice(waiting, SMALL_AT_ONCE)):
            read = self._run(self._read_all(some))
            yield from ((key, (item.body, item.metadata)) for key, item in zip(some, read, strict=True))

    async def _read_all(self, keys: Iterable[str]) -> list[_Body]:
        return await asyncio.gather(*map(self._read, keys))

    async def _read(self, key: str) -> _Body:
        try:
            found = await self._objects.get(self._full(key))
            if found.info.size > BODY_BYTES_MAX:
                return _Body(b"", {})
            return _Body(await found.read(), found.info.facts.metadata)
        except SinkError as error:
            if error.code in ABSENT:
                return _Body(ABSENT[error.code], {})
            raise

    def _run(self, work: Awaitable[T]) -> T:
        async def wait() -> T:
            return await work

        return self._loop.run(wait())
