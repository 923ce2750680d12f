"""The matching engine in a process of its own: it answers, it dies, it begins anew from the tickets."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apitrail.clock import SystemClock, VirtualClock
from apitrail.flexmatch.tickets import Player, Ticket
from apitrail.services.gamelift.pool_feed import PoolKey, PoolRules
from apitrail.testing import Stage
from apitrail.workers.match_engine import ChildEngine, EngineGone, LocalEngine
from apitrail.workers.match_pools import Job
from apitrail.workers.matchmaking import Matchmaking

KEY = PoolKey("111122223333", "us-west-2", "maker")
PAIR = {
    "name": "pair",
    "ruleLanguageVersion": "1.0",
    "teams": [{"name": "pair", "minPlayers": 2, "maxPlayers": 2}],
}
RULES = PoolRules(json.dumps(PAIR), 0, 7)


def ticket(name: str) -> Ticket:
    return Ticket(name, 100.0, (Player(name, {"skill": 1.0, "tags": ["a"], "map": {"x": 2.0}, "mode": "s"}, {"x": 5}),))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        body = json.dumps(PAIR)
        stage.call("CreateMatchmakingRuleSet", Name="rules", RuleSetBody=body)
        given = {"Name": "maker", "RuleSetName": "rules", "RequestTimeoutSeconds": 600, "AcceptanceRequired": False}
        stage.call("CreateMatchmakingConfiguration", FlexMatchMode="STANDALONE", **given)
        yield stage


def enter(stage: Stage, name: str) -> None:
    stage.call("StartMatchmaking", TicketId=name, ConfigurationName="maker", Players=[{"PlayerId": name}])


def status(stage: Stage, name: str) -> str:
    return str(stage.call("DescribeMatchmaking", TicketIds=[name])["TicketList"][0]["Status"])


def run_ticks(stage: Stage, worker: Matchmaking, *, restarts: bool = False) -> None:
    pause = stage.run(worker.tick())
    while pause == 0.0 or (restarts and pause == 1.0):
        pause = stage.run(worker.tick())


def test_the_process_gives_the_same_answers_as_the_engine_here() -> None:
    async def ask(engine: Any) -> list[Any]:
        jobs = [
            Job(KEY, 100.0, rules=RULES),
            Job(KEY, 100.0, add=[ticket("a"), ticket("b"), ticket("c")], budget_s=1.0),
            Job(KEY, 101.0, remove=["c"], budget_s=1.0),
        ]
        try:
            return [await engine.do(job) for job in jobs]
        finally:
            await engine.close()

    here, there = asyncio.run(ask(LocalEngine(VirtualClock()))), asyncio.run(ask(ChildEngine()))
    assert [(one.proposals, one.due, one.size) for one in here] == [(one.proposals, one.due, one.size) for one in there]
    assert here[1].proposals[0].tickets == ("a", "b") and [one.size for one in here] == [0, 1, 0]


def test_a_killed_engine_is_noticed_and_another_begins() -> None:
    async def play() -> None:
        engine = ChildEngine()
        await engine.do(Job(KEY, 100.0, rules=RULES))
        assert engine._child is not None
        engine._child.kill()
        with pytest.raises(EngineGone):
            await engine.do(Job(KEY, 100.0, budget_s=1.0))
        await engine.do(Job(KEY, 100.0, rules=RULES))
        await engine.close()

    asyncio.run(play())


def test_a_job_for_a_pool_that_was_never_made_ends_the_engine() -> None:
    async def play() -> None:
        engine = ChildEngine()
        with pytest.raises(EngineGone):
            await engine.do(Job(KEY, 100.0, budget_s=1.0))
        await engine.close()

    asyncio.run(play())


def test_a_caller_who_goes_away_does_not_mix_up_the_answers() -> None:
    async def play() -> None:
        engine = ChildEngine()
        await engine.do(Job(KEY, 100.0, rules=RULES))
        lost = asyncio.ensure_future(engine.do(Job(KEY, 100.0, add=[ticket("a")])))
        await asyncio.sleep(0)
        lost.cancel()
        answer = await engine.do(Job(KEY, 100.0, add=[ticket("b"), ticket("c")]))
        assert answer.size == 3
        await engine.close()

    asyncio.run(play())


def test_the_engine_ends_with_the_server_however_that_ends() -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "apitrail.workers.match_child"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdin is not None
    child.stdin.close()
    assert child.wait(20) == 0


def test_after_the_engine_was_killed_the_pools_are_made_again_from_the_tickets(stage: Stage) -> None:
    engine = ChildEngine()
    worker = Matchmaking(stage.app, engine)
    enter(stage, "a")
    run_ticks(stage, worker)
    assert engine._child is not None
    os.kill(engine._child.pid, 9)
    enter(stage, "b")
    run_ticks(stage, worker, restarts=True)
    assert [status(stage, name) for name in "ab"] == ["COMPLETED", "COMPLETED"]
    stage.run(worker.close())


def test_a_server_that_starts_finds_who_waits(stage: Stage) -> None:
    enter(stage, "a")
    stage.settle()
    enter(stage, "b")
    later = Matchmaking(stage.app, LocalEngine(stage.clock))
    run_ticks(stage, later)
    assert [status(stage, name) for name in "ab"] == ["COMPLETED", "COMPLETED"]


def test_a_proposal_that_is_out_of_date_makes_no_match(stage: Stage) -> None:
    class Slow(LocalEngine):
        """Lets something happen between a pass and its match."""

        async def do(self, job: Job) -> Any:
            answer = await super().do(job)
            if answer.proposals:
                await stage.app.call(stage.principal, stage.region, "gamelift", "StopMatchmaking", {"TicketId": "a"})
            return answer

    worker = Matchmaking(stage.app, Slow(stage.clock))
    enter(stage, "a")
    enter(stage, "b")
    run_ticks(stage, worker)
    assert [status(stage, name) for name in "ab"] == ["CANCELLED", "SEARCHING"]
    enter(stage, "c")
    later = Matchmaking(stage.app, LocalEngine(stage.clock))
    run_ticks(stage, later)
    assert [status(stage, name) for name in "bc"] == ["COMPLETED", "COMPLETED"]


def test_a_system_clock_means_a_process_of_its_own(tmp_path: Path) -> None:
    with Stage(tmp_path) as stage:
        assert isinstance(stage.app.matchmaking._engine, LocalEngine)
        assert not isinstance(stage.clock, SystemClock)
