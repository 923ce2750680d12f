"""Runs workers: each in a task of its own, when its time has come or somebody pokes it."""

import asyncio
import contextlib
import logging
from typing import Protocol

log = logging.getLogger("apitrail.workers")
PAUSE_AFTER_FAILURE_S = 1.0
PAUSE_MAX_S = 60.0
PAUSE_MIN_S = 0.001


class Worker(Protocol):
    """tick does what is due now and returns after how many seconds to come again, None: only when poked."""

    name: str

    async def tick(self) -> float | None: ...


class Scheduler:
    """Runs workers until it is stopped. A tick that fails is logged and repeated after a pause."""

    def __init__(self, workers: list[Worker]) -> None:
        self._workers = workers
        self._poked: dict[str, asyncio.Event] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin; needs a running event loop."""
        self._poked = {worker.name: asyncio.Event() for worker in self._workers}
        self._tasks = [asyncio.create_task(self._run(worker), name=worker.name) for worker in self._workers]

    def poke(self, name: str) -> None:
        """Say that a worker has something to do."""
        event = self._poked.get(name)
        if event is not None:
            event.set()

    def poke_all(self) -> None:
        """Say that every worker may have something to do, as time has jumped."""
        for event in self._poked.values():
            event.set()

    async def stop(self) -> None:
        """Let nothing begin any more, and wait for what runs to be cancelled."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def _run(self, worker: Worker) -> None:
        poked = self._poked[worker.name]
        while True:
            poked.clear()
            pause = await self._tick(worker)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PAUSE_MAX_S if pause is None else max(PAUSE_MIN_S, min(pause, PAUSE_MAX_S))):
                    await poked.wait()

    async def _tick(self, worker: Worker) -> float | None:
        try:
            return await worker.tick()
        except Exception:
            log.exception("worker %s failed; it runs again in %g s", worker.name, PAUSE_AFTER_FAILURE_S)
            return PAUSE_AFTER_FAILURE_S
