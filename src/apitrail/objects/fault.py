"""A bucket that fails by a script, for tests of whoever must live with a real one."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from apitrail.errors import SinkError
from apitrail.objects.bucket import Bucket, Facts, ObjectBody, ObjectInfo, Page

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    kind: `before` refuses without doing anything; `after` does it and loses the answer; `hang` waits until
    release; `partial` leaves the first half of a put's bytes under the key, as a store without atomic puts would,
    and is `before` for everything else. operation: whose turn it is (`put`, `get`, ...; empty: any).
    """

    kind: Literal["before", "after", "hang", "partial"]
    operation: str = "put"
    code: str = "ServiceUnavailable"
    temporary: bool = True


class FaultBucket:
    """Passes on to another bucket, with the faults of a script, each once and in order.

    calls: what was asked so far, as operation and key.
    """

    def __init__(self, inner: Bucket, script: Iterable[Fault] = ()) -> None:
        self._inner = inner
        self.script = list(script)
        self.calls: list[tuple[str, str]] = []
        self._released = asyncio.Event()

    def release(self) -> None:
        """Let everything that hangs, now or later, go on."""
        self._released.set()

    async def put(
        self,
        key: str,
        body: bytes,
        *,
        content_type: str,
        content_encoding: str = "",
        metadata: Mapping[str, str] = {},
    ) -> None:
        """Put, unless it fails; see Bucket.put."""

        async def whole(content: bytes = body) -> None:
            await self._inner.put(
                key, content, content_type=content_type, content_encoding=content_encoding, metadata=metadata
            )

        await self._run("put", key, whole, lambda: whole(body[: len(body) // 2]))

    async def put_file(self, key: str, path: Path, facts: Facts) -> ObjectInfo:
        """Put a file, unless it fails; see Bucket.put_file."""
        return await self._run("put_file", key, lambda: self._inner.put_file(key, path, facts))

    async def get(self, key: str, start: int | None = None, end: int | None = None) -> ObjectBody:
        """Open, unless it fails; see Bucket.get."""
        return await self._run("get", key, lambda: self._inner.get(key, start, end))

    async def head(self, key: str) -> ObjectInfo | None:
        """Look, unless it fails; see Bucket.head."""
        return await self._run("head", key, lambda: self._inner.head(key))

    async def list(self, prefix: str = "", after: str = "", limit: int = 1000, delimiter: str = "") -> Page:
        """List, unless it fails; see Bucket.list."""
        return await self._run("list", prefix, lambda: self._inner.list(prefix, after, limit, delimiter))

    async def delete(self, key: str) -> bool:
        """Remove, unless it fails; see Bucket.delete."""
        return await self._run("delete", key, lambda: self._inner.delete(key))

    async def check(self) -> None:
        """Check, unless it fails; see Bucket.check."""
        return await self._run("check", "", self._inner.check)

    async def _run(
        self,
        operation: str,
        key: str,
        work: Callable[[], Awaitable[Result]],
        half: Callable[[], Awaitable[object]] | None = None,
    ) -> Result:
        self.calls.append((operation, key))
        fault = self._take(operation)
        if fault is None:
            return await work()
        if fault.kind == "hang":
            await self._released.wait()
            return await work()
        if fault.kind == "after":
            await work()
        elif fault.kind == "partial" and half is not None:
            await half()
        raise SinkError(f"{operation} {key}: injected fault", code=fault.code, temporary=fault.temporary)

    def _take(self, operation: str) -> Fault | None:
        if self.script and self.script[0].operation in ("", operation):
            return self.script.pop(0)
        return None
