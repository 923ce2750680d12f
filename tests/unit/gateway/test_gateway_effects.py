"""Effects: run before the answer of the call that asked, repeated until they succeed, one at a time."""

import asyncio
from typing import Any

import pytest

from apitrail.errors import JournalUnavailable
from apitrail.services.context import Context
from apitrail.services.operation import EFFECTS, Operation
from apitrail.services.registry import SERVICES
from door import Door

KIND = "test/deed"


class Deeds:
    """An effect that fails as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.done: list[Any] = []
        self.tried = 0
        self.failures = failures

    async def __call__(self, runtime: Any, deed: Any) -> None:
        self.tried += 1
        await asyncio.sleep(0)
        if self.tried <= self.failures:
            raise OSError("the bucket is away")
        self.done.append(deed.doc)


@pytest.fixture
def deeds(monkeypatch: pytest.MonkeyPatch) -> Deeds:
    made = Deeds()

    def body(ctx: Context, params: Any) -> dict[str, Any]:
        for number in range(params.get("Limit", 1)):
            ctx.effect(KIND, {"number": number})
        return {}

    monkeypatch.setitem(EFFECTS, KIND, made)
    monkeypatch.setitem(SERVICES["gamelift"].operations, "ListBuilds", Operation("gamelift", "ListBuilds", body))
    return made


def waiting(door: Door) -> list[Any]:
    found: list[Any] = door.stage.change(lambda ctx: ctx.tx.all("SELECT attempts, error FROM effects ORDER BY id"))
    return found


def test_the_answer_comes_after_the_effects_of_its_call_in_their_order(door: Door, deeds: Deeds) -> None:
    assert door.call("gamelift", "ListBuilds", {"Limit": 3}).status == 200
    assert deeds.done == [{"number": 0}, {"number": 1}, {"number": 2}]
    assert waiting(door) == []


def test_an_effect_that_fails_does_not_fail_the_call_and_is_tried_again(
    door: Door, deeds: Deeds, caplog: pytest.LogCaptureFixture
) -> None:
    deeds.failures = 3
    assert door.call("gamelift", "ListBuilds", {"Limit": 1}).status == 200
    assert waiting(door) == [(1, "OSError: the bucket is away")]
    assert "the bucket is away" in caplog.text
    door.stage.settle()
    assert deeds.tried == 1, "not before its pause is over"
    door.stage.advance(20)
    assert deeds.done == [{"number": 0}]
    assert deeds.tried == 4
    assert waiting(door) == []


def test_the_pause_between_tries_grows_up_to_a_bound(door: Door, deeds: Deeds) -> None:
    deeds.failures = 10**6
    door.call("gamelift", "ListBuilds", {"Limit": 1})
    door.stage.advance(10)
    early = deeds.tried
    door.stage.advance(3600, step=20)
    assert 4 <= early <= 6
    assert 60 <= deeds.tried - early <= 70


def test_one_effect_is_never_under_way_twice(door: Door, deeds: Deeds) -> None:
    door.call("gamelift", "ListBuilds", {"Limit": 1})
    number = door.stage.change(lambda ctx: (ctx.effect(KIND, {"number": 9}), ctx.effects.pop())[1])
    runner = door.app._effects

    async def many() -> None:
        await asyncio.gather(*(runner.run([number]) for _ in range(5)))

    door.stage.run(many())
    assert deeds.done == [{"number": 0}, {"number": 9}]


def test_an_effect_whose_end_cannot_be_written_is_repeated_and_fails_nobody(
    door: Door, deeds: Deeds, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write, calls = door.app.database.write, 0

    async def once(work: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 1:
            return await write(work, **more)
        raise JournalUnavailable("the disk is full")

    monkeypatch.setattr(door.app.database, "write", once)
    assert door.call("gamelift", "ListBuilds", {"Limit": 1}).status == 200
    assert "the disk is full" in caplog.text
    monkeypatch.setattr(door.app.database, "write", write)
    assert len(waiting(door)) == 1
    door.stage.settle()
    assert deeds.done == [{"number": 0}, {"number": 0}]
    assert waiting(door) == []


def test_the_worker_says_when_the_next_try_is_due(door: Door, deeds: Deeds) -> None:
    runner = door.app._effects
    assert door.stage.run(runner.tick()) is None
    deeds.failures = 1
    door.call("gamelift", "ListBuilds", {"Limit": 1})
    assert 0 < door.stage.run(runner.tick()) <= 0.5
