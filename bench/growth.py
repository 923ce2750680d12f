"""How the cost of a call grows with the sessions or tickets that are there: measured in this process, without sockets.

Each call is authorised, recorded and committed; what is left out, HTTP and signature, is the same at every size. The clock
is virtual and the matching engine does not run: its cost is C2.
"""

import asyncio
import io
import json
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import log
from pathlib import Path
from statistics import median
from typing import Any

from apitrail.services.context import Context
from apitrail.services.gamelift import sessions
from apitrail.services.gamelift.collections import FLEETS, MATCHMAKING_CONFIGURATIONS
from apitrail.services.gamelift.ticket_steps import open_ticket
from apitrail.settings import GameLift, Settings
from apitrail.testing.stage import REGION, Stage
from bench.plot import Line, svg
from bench.results import Row, Target, show

SIZES = (100, 1_000, 10_000, 100_000)
CALLS = 40
AT_ONCE = 500
PER_INSTANCE = 50
SPARE_INSTANCES = 60
MODES = 5
"""Values of the game property, few enough that a search by one of them fills its page at every size."""

SLOTS = 10
EXAMINED = 5_000
"""Documents that a search without an index looks at, at most."""

BOUND_RATIO_MAX = 1.5
PICTURE, PAGE = "launch-day.svg", "launch-day.md"
LAUNCH = {"LaunchPath": "/local/game/server.js", "ConcurrentExecutions": PER_INSTANCE}
TEAMS = [{"name": name, "minPlayers": 5, "maxPlayers": 5} for name in ("red", "blue")]
RULES = {"name": "fives", "ruleLanguageVersion": "1.0", "teams": TEAMS}
Ask = Callable[["Town", int], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Question:
    """A kind of call. ask: its parameters, by the number of the call. indexed: whether an index leads to the answer."""

    name: str
    operation: str
    ask: Ask
    indexed: bool = True


@dataclass(frozen=True, slots=True)
class Curve:
    """CPU microseconds per call of a question: per size, a value per round."""

    question: Question
    costs: dict[int, list[float]] = field(default_factory=dict)

    def at(self, size: int) -> float:
        """Return the median at a size."""
        return median(self.costs[size])


class Unmatched(Stage):
    """A stage on which no match is ever sought."""

    def __init__(self, path: Path, settings: Settings) -> None:
        super().__init__(path, settings)
        self._workers = [worker for worker in self._workers if worker.name != "matchmaking"]


class Town:
    """A store with a fleet of so many active game sessions, and so many waiting matchmaking tickets. It can only grow."""

    def __init__(self, folder: Path) -> None:
        games = GameLift(delay_scale=0, instances_max=10_000)
        self.stage = Unmatched(folder, Settings(gamelift=games))
        self.size = 0
        self._asked = 0
        self.fleet = self._make_fleet()
        self.stage.call("CreateMatchmakingRuleSet", Name="fives", RuleSetBody=json.dumps(RULES))
        self.stage.call(
            "CreateMatchmakingConfiguration",
            Name="town",
            RuleSetName="fives",
            RequestTimeoutSeconds=600,
            AcceptanceRequired=False,
            FlexMatchMode="STANDALONE",
        )

    def _make_fleet(self) -> str:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("server.js", "// nothing is run here")
        script = self.stage.call("CreateScript", ZipFile=content.getvalue())["Script"]["ScriptId"]
        runs = {"ServerProcesses": [LAUNCH]}
        fleet = self.stage.call(
            "CreateFleet", Name="town", ScriptId=script, EC2InstanceType="c5.large", RuntimeConfiguration=runs
        )["FleetAttributes"]["FleetId"]
        self.stage.advance(1)
        return str(fleet)

    def grow(self, size: int) -> None:
        """Add sessions and tickets up to a size, and processes for some more sessions."""
        instances = -(-size // PER_INSTANCE) + SPARE_INSTANCES
        self.stage.call("UpdateFleetCapacity", FleetId=self.fleet, DesiredInstances=instances, MaxSize=instances)
        self.stage.settle()
        while self.size < size:
            count = min(AT_ONCE, size - self.size)
            self.stage.change(partial(self._add, range(self.size, self.size + count)))
            self.stage.settle()
            self.size += count

    def _add(self, numbers: range, ctx: Context) -> None:
        fleet, configuration = FLEETS(ctx).get(self.fleet), MATCHMAKING_CONFIGURATIONS(ctx).get("town")
        assert fleet is not None and configuration is not None
        for number in numbers:
            members = {"MaximumPlayerSessionCount": SLOTS, "Name": f"round {number}", **_properties(number)}
            assert sessions.begin(ctx, fleet, REGION, f"gsess-{number:08d}", members)
            open_ticket(ctx, configuration, f"ticket-{number}", [_player(number)])

    def cost_us(self, question: Question) -> float:
        """Return the CPU time of a call, the mean of some that share their commits as those of many callers do."""
        asked = [question.ask(self, self._asked + number) for number in range(CALLS)]
        self._asked += CALLS
        return float(self.stage.run(self._timed(question.operation, asked)))

    async def _timed(self, operation: str, asked: Sequence[dict[str, Any]]) -> float:
        call = partial(self.stage.app.call, self.stage.principal, REGION, "gamelift", operation)
        begin = time.process_time()
        await asyncio.gather(*(call(params) for params in asked))
        return 1e6 * (time.process_time() - begin) / len(asked)


def _properties(number: int) -> dict[str, Any]:
    return {"GameProperties": [{"Key": "mode", "Value": f"mode-{number % MODES}"}]}


def _player(number: int) -> dict[str, Any]:
    return {"PlayerId": f"player-{number}", "PlayerAttributes": {}, "LatencyInMs": {}}


def _some_session(town: Town, number: int) -> dict[str, Any]:
    chosen = number * 7_919 % town.size
    arn = f"arn:aws:gamelift:{REGION}::gamesession/{town.fleet}/gsess-{chosen:08d}"
    return {"GameSessionId": arn, "PlayerId": f"player-{number}"}


def _new_session(town: Town, number: int) -> dict[str, Any]:
    return {"FleetId": town.fleet, "MaximumPlayerSessionCount": SLOTS, **_properties(number)}


def _new_ticket(_: Town, number: int) -> dict[str, Any]:
    return {"ConfigurationName": "town", "Players": [{"PlayerId": f"newcomer-{number}"}]}


def _searching(**asked: str) -> Ask:
    return lambda town, _: {"FleetId": town.fleet, **asked}


QUESTIONS = (
    Question("CreateGameSession", "CreateGameSession", _new_session),
    Question("CreatePlayerSession", "CreatePlayerSession", _some_session),
    Question("StartMatchmaking", "StartMatchmaking", _new_ticket),
    Question("search by fleet", "SearchGameSessions", _searching()),
    Question(
        "list by status",
        "DescribeGameSessions",
        lambda town, _: {"FleetId": town.fleet, "StatusFilter": "ACTIVE", "Limit": 20},
    ),
    Question(
        "search by free slots",
        "SearchGameSessions",
        _searching(FilterExpression="hasAvailablePlayerSessions=true", SortExpression="playerSessionCount DESC"),
    ),
    Question(
        "search by one game property",
        "SearchGameSessions",
        _searching(FilterExpression="gameSessionProperties.mode = 'mode-3'"),
    ),
    Question(
        "search without an index",
        "SearchGameSessions",
        _searching(FilterExpression="gameSessionName = 'x' OR gameSessionProperties.mode = 'x'"),
        indexed=False,
    ),
)


def grow(rounds: int) -> list[Curve]:
    """Measure each question at each size; sessions that measuring has made stay, and are few beside the next size."""
    curves = [Curve(question) for question in QUESTIONS]
    with tempfile.TemporaryDirectory(prefix="apitrail-bench-") as folder:
        town = Town(Path(folder))
        for size in SIZES:
            town.grow(size)
            for curve in curves:
                town.cost_us(curve.question)
                curve.costs[size] = [town.cost_us(curve.question) for _ in range(rounds)]
        town.stage.close()
    return curves


def growth_rows(curves: Sequence[Curve]) -> list[Row]:
    """Return a row for each question: an index may cost the logarithm of the size, a search without one up to its bound."""
    return [_row(curve) for curve in curves]


def _row(curve: Curve) -> Row:
    first, last = (SIZES[0] if curve.question.indexed else SIZES[-2]), SIZES[-1]
    bound = log(last) / log(first) if curve.question.indexed else BOUND_RATIO_MAX
    what = f"CPU per call at {last:,}, {curve.question.name}, in process"
    beside = ", ".join(f"{size:,}: {show(curve.at(size))}" for size in SIZES)
    target = Target(bound, "ratio")
    return Row("C1", what, "us", curve.costs[last], f"at {first:,}", curve.costs[first], target, beside)


def write_growth(curves: Sequence[Curve], folder: Path) -> None:
    """Write the page and its picture."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [Line(curve.question.name, [(size, curve.at(size)) for size in SIZES]) for curve in curves]
    (folder / PICTURE).write_text(svg(lines, "game sessions and tickets in the store", "CPU per call, microseconds"))
    head = ("call", *(f"{size:,}" for size in SIZES))
    table = [head, ("---", *("---:",) * len(SIZES))]
    table += [(curve.question.name, *(show(curve.at(size)) for size in SIZES)) for curve in curves]
    text = [
        "# A launch day",
        "",
        "What calls cost as the store fills: CPU microseconds per call by the number of active game sessions of the fleet,",
        "which is also the number of waiting matchmaking tickets. Every call is authorised, recorded and committed; HTTP and",
        "signature are left out, as they cost the same at every size. Pages have 20 sessions.",
        f"A search that no index helps looks at no more than {EXAMINED:,} sessions per call; its token goes on. Where others use",
        "the machine meanwhile, single values are up to twice as much; what counts is how the lines run.",
        "",
        *("| " + " | ".join(cells) + " |" for cells in table),
        "",
        f"![CPU per call by the number of sessions]({PICTURE})",
        "",
        "`.venv/bin/python -m bench C1` measures it; with `--page FILE` this page is written beside the file.",
        "",
    ]
    (folder / PAGE).write_text("\n".join(text))
