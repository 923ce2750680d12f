"""The scheduler: who runs when, after a failure, after a poke, and at the end."""

import asyncio
import contextlib
from collections.abc import Callable

import pytest

from apitrail.workers import scheduler
from apitrail.workers.scheduler import Scheduler


class Counting:
    """A worker that counts its ticks. pause: what each tick answers. failures: how many ticks fail first."""

    def __init__(self, name: str, pause: float | None, failures: int = 0) -> None:
        self.name = name
        self.pause = pause
        self.failures = failures
        self.ticks = 0
        self.cancelled = False
        self.slow_s = 0.0

    async def tick(self) -> float | None:
        self.ticks += 1
        if self.ticks <= self.failures:
            raise ValueError("not today")
        try:
            await asyncio.sleep(self.slow_s)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return self.pause


async def until(wanted: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not wanted():
            await asyncio.sleep(0.001)


@contextlib.asynccontextmanager
async def running(*workers: Counting):
    made = Scheduler(list(workers))
    made.start()
    try:
        yield made
    finally:
        await made.stop()


def test_a_worker_comes_again_after_its_pause() -> None:
    async def run() -> None:
        busy, idle = Counting("busy", 0.0), Counting("idle", None)
        async with running(busy, idle):
            await until(lambda: busy.ticks >= 5)
        assert idle.ticks == 1

    asyncio.run(run())


def test_a_worker_that_fails_runs_again_and_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(scheduler, "PAUSE_AFTER_FAILURE_S", 0.01)

    async def run() -> None:
        failing, other = Counting("failing", None, failures=3), Counting("other", 0.0)
        async with running(failing, other):
            await until(lambda: failing.ticks >= 4 and other.ticks >= 4)
        assert failing.ticks == 4

    asyncio.run(run())
    assert caplog.text.count("worker failing failed") == 3
    assert "not today" in caplog.text


def test_a_poke_wakes_one_worker_and_an_unknown_one_is_ignored() -> None:
    async def run() -> None:
        one, other = Counting("one", None), Counting("other", 50.0)
        async with running(one, other) as made:
            await until(lambda: one.ticks == 1 and other.ticks == 1)
            made.poke("nobody")
            made.poke("one")
            await until(lambda: one.ticks == 2)
            assert other.ticks == 1

    asyncio.run(run())


def test_a_poke_during_a_tick_is_not_lost() -> None:
    async def run() -> None:
        slow = Counting("slow", None)
        slow.slow_s = 0.05
        async with running(slow) as made:
            await until(lambda: slow.ticks == 1)
            made.poke("slow")
            await until(lambda: slow.ticks == 2)

    asyncio.run(run())


def test_no_pause_is_longer_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "PAUSE_MAX_S", 0.01)

    async def run() -> None:
        idle, far = Counting("idle", None), Counting("far", 10**9)
        async with running(idle, far):
            await until(lambda: idle.ticks >= 3 and far.ticks >= 3)

    asyncio.run(run())


def test_stopping_cancels_what_runs_and_nothing_begins_after_it() -> None:
    async def run() -> None:
        slow = Counting("slow", 0.0)
        slow.slow_s = 100
        made = Scheduler([slow])
        made.start()
        await until(lambda: slow.ticks == 1)
        await made.stop()
        assert slow.cancelled
        made.poke("slow")
        await asyncio.sleep(0.01)
        assert slow.ticks == 1

    asyncio.run(run())
