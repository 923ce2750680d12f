"""Where the matching engine runs: in a process of its own, or, for a virtual clock, in this one."""

import asyncio
import contextlib
import sys
from typing import Protocol

import msgspec

from apitrail.clock import Clock
from apitrail.workers.match_child import FRAME_BYTES_MAX, LENGTH_BYTES
from apitrail.workers.match_pools import Answer, Job, Pools

ANSWER_S_MAX = 60.0
END_S_MAX = 5.0


GONE = (OSError, EOFError, TimeoutError, RuntimeError, msgspec.MsgspecError)
"""What talking to a process that has ended may raise; RuntimeError is uvloop's for a pipe that is closed."""


class EngineGone(Exception):
    """The engine has ended, or does not answer; all its pools are lost."""


class Engine(Protocol):
    """Does jobs, one after another. do raises EngineGone; the next job begins with an engine that has no pools."""

    async def do(self, job: Job) -> Answer: ...
    async def close(self) -> None: ...


class LocalEngine:
    """The engine in this process: the same jobs give the same answers."""

    def __init__(self, clock: Clock) -> None:
        self._pools = Pools(clock.monotonic)

    async def do(self, job: Job) -> Answer:
        """Do a job."""
        return self._pools.do(job)

    async def close(self) -> None:
        """There is nothing to end."""


class ChildEngine:
    """The engine in a process of its own, which begins with the first job and ends with this one."""

    def __init__(self) -> None:
        self._child: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Answer).decode

    async def do(self, job: Job) -> Answer:
        """Have a job done; it is done to its end even if nobody waits for it any more. Raises: EngineGone."""
        return await asyncio.shield(asyncio.ensure_future(self._in_turn(job)))

    async def close(self) -> None:
        """End the process."""
        child, self._child = self._child, None
        if child is None or child.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await asyncio.wait_for(child.wait(), END_S_MAX)

    async def _in_turn(self, job: Job) -> Answer:
        async with self._turn:
            try:
                async with asyncio.timeout(ANSWER_S_MAX):
                    return await self._exchange(job)
            except GONE as error:
                await self.close()
                raise EngineGone(f"{type(error).__name__}: {error}") from error

    async def _exchange(self, job: Job) -> Answer:
        if self._child is None:
            command = (sys.executable, "-m", "apitrail.workers.match_child")
            pipe = asyncio.subprocess.PIPE
            self._child = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
        source, target = self._child.stdout, self._child.stdin
        assert source is not None and target is not None
        body = self._encode(job)
        target.write(len(body).to_bytes(LENGTH_BYTES) + body)
        await target.drain()
        length = int.from_bytes(await source.readexactly(LENGTH_BYTES))
        if length > FRAME_BYTES_MAX:
            raise EOFError(f"an answer of {length} bytes")
        return self._decode(await source.readexactly(length))
