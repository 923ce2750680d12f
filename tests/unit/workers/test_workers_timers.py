"""Timers: in the order of their times, each in a transaction of its own, none held up by another."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apitrail.services.context import Context
from apitrail.services.operation import TIMERS
from apitrail.testing import Stage
from apitrail.workers.timers import PAUSE_AFTER_FAILURE_S, TimerWorker

KIND = "test/bell"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        yield stage


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Which bells have rung, and when. A bell that is broken rings never; one with an echo rings again."""
    heard: list[Any] = []

    def ring(ctx: Context, doc: Any) -> None:
        ctx.tx.run("INSERT INTO cursors (follower, seq) VALUES (?, 1)", (f"bell-{doc['name']}-{ctx.now}",))
        if doc.get("broken"):
            raise ValueError("broken")
        heard.append((doc["name"], ctx.now.timestamp(), ctx.account, ctx.region))
        if doc.get("echo"):
            ctx.schedule(KIND, {"name": f"{doc['name']}'"}, doc["echo"])

    monkeypatch.setitem(TIMERS, KIND, ring)
    return heard


def schedule(stage: Stage, name: str, after_s: float, **more: Any) -> None:
    stage.change(lambda ctx: ctx.schedule(KIND, {"name": name, **more}, after_s))


def names(rung: list[Any]) -> list[str]:
    return [bell[0] for bell in rung]


def bells_written(stage: Stage) -> int:
    rows = stage.change(lambda ctx: ctx.tx.all("SELECT follower FROM cursors WHERE follower LIKE 'bell-%'"))
    return len(rows)


def test_timers_run_in_the_order_of_their_times(stage: Stage, rung: list[Any]) -> None:
    for name, after_s in (("c", 30), ("a", 10), ("b", 20), ("same-1", 20), ("same-2", 20)):
        schedule(stage, name, after_s)
    stage.advance(100, step=100)
    assert names(rung) == ["a", "b", "same-1", "same-2", "c"]


def test_a_timer_runs_when_it_is_due_and_once(stage: Stage, rung: list[Any]) -> None:
    schedule(stage, "a", 10)
    stage.advance(9)
    assert rung == []
    stage.advance(1)
    assert names(rung) == ["a"]
    stage.advance(100, step=10)
    assert names(rung) == ["a"]
    assert rung[0][2:] == ("111122223333", "us-west-2")


def test_a_timer_can_ask_for_another(stage: Stage, rung: list[Any]) -> None:
    schedule(stage, "a", 10, echo=5)
    stage.advance(14)
    assert names(rung) == ["a"]
    stage.advance(1)
    assert names(rung) == ["a", "a'"]


def test_the_worker_says_when_the_next_timer_is_due(stage: Stage, rung: list[Any]) -> None:
    (worker,) = [worker for worker in stage.app.workers if isinstance(worker, TimerWorker)]
    assert stage.run(worker.tick()) is None
    schedule(stage, "a", 10)
    assert stage.run(worker.tick()) == pytest.approx(10)
    stage.clock.advance(10)
    assert stage.run(worker.tick()) == 0.0
    assert stage.run(worker.tick()) is None


def test_a_timer_that_fails_is_undone_put_off_and_holds_up_nobody(
    stage: Stage, rung: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    schedule(stage, "broken", 10, broken=True)
    schedule(stage, "a", 11)
    with pytest.raises(ValueError, match="broken"):
        stage.advance(20, step=20)
    stage.settle()
    assert names(rung) == ["a"]
    assert bells_written(stage) == 1
    assert caplog.text.count("timer test/bell") == 1
    with pytest.raises(ValueError, match="broken"):
        stage.advance(PAUSE_AFTER_FAILURE_S)
    assert caplog.text.count("timer test/bell") == 2


def test_more_timers_than_a_batch_all_run(stage: Stage, rung: list[Any]) -> None:
    stage.change(lambda ctx: [ctx.schedule(KIND, {"name": str(n)}, n / 1000) for n in range(450)])
    stage.advance(1)
    assert names(rung) == [str(n) for n in range(450)]


def test_timers_survive_a_restart(tmp_path: Path, rung: list[Any]) -> None:
    with Stage(tmp_path) as stage:
        schedule(stage, "a", 10)
    with Stage(tmp_path) as stage:
        stage.advance(10)
    assert names(rung) == ["a"]
