"""When a new timer wakes its worker: only where it is due before what the worker waits for, and then at once."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apitrail.services.context import Context
from apitrail.services.operation import TIMERS
from apitrail.testing import Stage
from apitrail.testing.stage import ACCOUNT, REGION
from apitrail.workers.timers import TimerWorker

KIND = "test/wake-bell"
SOON_S = 5.0


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        yield stage


def worker_of(stage: Stage) -> TimerWorker:
    return next(worker for worker in stage.app.workers if isinstance(worker, TimerWorker))


def test_any_timer_wakes_a_worker_that_has_not_looked_yet_or_waits_for_none(stage: Stage) -> None:
    worker = worker_of(stage)
    assert worker.comes_first(1e12)
    stage.run(worker.tick())
    assert worker.comes_first(1e12)


def test_only_a_timer_that_is_due_earlier_wakes_a_worker_that_waits(stage: Stage) -> None:
    worker = worker_of(stage)
    stage.change(lambda ctx: ctx.schedule(KIND, {}, 30))
    stage.run(worker.tick())
    due = stage.clock.now().timestamp() + 30
    assert worker.comes_first(due - 1)
    assert not worker.comes_first(due)
    assert not worker.comes_first(due + 1)


def test_the_context_knows_its_earliest_timer(stage: Stage) -> None:
    def ask(ctx: Context) -> float | None:
        for after_s in (20, 10, 30):
            ctx.schedule(KIND, {}, after_s)
        return ctx.first_due

    assert stage.change(ask) == stage.clock.now().timestamp() + 10


def test_an_earlier_timer_runs_although_the_worker_sleeps_for_a_later_one(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[str] = []
    monkeypatch.setitem(TIMERS, KIND, lambda ctx, doc: rung.append(doc["name"]))

    def bell(name: str, after_s: float) -> Any:
        return stage.app.write(ACCOUNT, REGION, lambda ctx: ctx.schedule(KIND, {"name": name}, after_s))

    async def run() -> None:
        await bell("late", 3600)
        await stage.app.start()
        worker = worker_of(stage)
        async with asyncio.timeout(SOON_S):
            while worker.comes_first(1e12):
                await asyncio.sleep(0.01)
            await bell("now", 0)
            while rung != ["now"]:
                await asyncio.sleep(0.01)
        await stage.app._scheduler.stop()

    stage.run(run())
