"""The pruner: lets go of what is old and passed by every cursor, a bounded number at a time, never the newest."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from apitrail.settings import Journal, Settings
from apitrail.store import journal
from apitrail.testing import Stage
from apitrail.workers.pruner import EVERY_S, Pruner

DAY_S = 86_400


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path, Settings(journal=Journal(retention_days=7, prune_rows_max=3))) as stage:
        yield stage


@pytest.fixture
def pruner(stage: Stage) -> Pruner:
    (found,) = [worker for worker in stage.app.workers if isinstance(worker, Pruner)]
    return found


def make_events(stage: Stage, count: int) -> None:
    for _ in range(count):
        stage.call("ListBuilds")


def seqs(stage: Stage) -> list[int]:
    return [row.seq for row in stage.change(lambda ctx: journal.read_after(ctx.tx, 0, 1000))]


def passed(stage: Stage, seq: int, follower: str = "trail") -> None:
    stage.change(lambda ctx: journal.move_cursor(ctx.tx, follower, seq))


def forget_cursors(stage: Stage) -> None:
    stage.change(lambda ctx: ctx.tx.run("DELETE FROM cursors"))


def test_an_empty_journal_leaves_nothing_to_do(stage: Stage, pruner: Pruner) -> None:
    assert stage.run(pruner.tick()) == EVERY_S


def test_old_events_go_a_bounded_number_at_a_time(stage: Stage, pruner: Pruner) -> None:
    make_events(stage, 8)
    forget_cursors(stage)
    passed(stage, 8)
    stage.clock.advance(8 * DAY_S)
    assert stage.run(pruner.tick()) == pytest.approx(0.1)
    assert seqs(stage) == [4, 5, 6, 7, 8]
    assert stage.run(pruner.tick()) == pytest.approx(0.1)
    assert stage.run(pruner.tick()) == EVERY_S
    assert seqs(stage) == [8]
    assert stage.run(pruner.tick()) == EVERY_S
    assert seqs(stage) == [8], "the newest stays, so that no seq is given twice"


def test_events_within_the_retention_stay(stage: Stage, pruner: Pruner) -> None:
    make_events(stage, 2)
    forget_cursors(stage)
    passed(stage, 2)
    stage.clock.advance(7 * DAY_S - 60)
    assert stage.run(pruner.tick()) == EVERY_S
    assert seqs(stage) == [1, 2]


def test_what_a_follower_has_not_passed_stays_however_old(stage: Stage, pruner: Pruner) -> None:
    make_events(stage, 6)
    forget_cursors(stage)
    passed(stage, 6, "quick")
    passed(stage, 2, "slow")
    stage.clock.advance(365 * DAY_S)
    stage.run(pruner.tick())
    assert seqs(stage) == [3, 4, 5, 6]


def test_without_any_follower_nothing_goes(stage: Stage, pruner: Pruner) -> None:
    make_events(stage, 3)
    forget_cursors(stage)
    stage.clock.advance(365 * DAY_S)
    stage.run(pruner.tick())
    assert seqs(stage) == [1, 2, 3]
