"""C1: what the calls of a launch day cost on a server, and how their cost grows with what is there."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import WORK
from bench.capture import seen_beside
from bench.growth import Curve, grow, growth_rows, write_growth
from bench.loader import Measured, run_load
from bench.results import Row, Target
from bench.server import Games, Server, make_fleet

SESSIONS = 1_000
CALLERS = 32
SECONDS = 1.5
CPU_MS_MAX = 0.60
INSTANCES_PER_ROUND = 80
TICKETS_PER_ROUND = 4_000
MODES = 50
SKILL_STEP = 120
RULES = {
    "name": "fives",
    "ruleLanguageVersion": "1.0",
    "playerAttributes": [{"name": "skill", "type": "number"}],
    "teams": [{"name": name, "minPlayers": 5, "maxPlayers": 5} for name in ("red", "blue")],
    "rules": [
        {
            "name": "CloseSkill",
            "type": "distance",
            "measurements": ["flatten(teams[*].players.attributes[skill])"],
            "referenceValue": "avg(flatten(teams[*].players.attributes[skill]))",
            "maxDistance": 50,
        },
        {"name": "NearServer", "type": "latency", "maxLatency": 100},
    ],
}
CONFIGURATION = {
    "RuleSetName": "fives",
    "RequestTimeoutSeconds": 600,
    "AcceptanceRequired": False,
    "FlexMatchMode": "STANDALONE",
}
SEARCHES: dict[str, dict[str, Any]] = {
    "a fleet": {},
    "free slots": {
        "FilterExpression": "hasAvailablePlayerSessions=true",
        "SortExpression": "playerSessionCount DESC",
    },
    "one game property": {"FilterExpression": "gameSessionProperties.mode = 'mode-7'"},
}
Asking = Callable[[int], list[bytes]]
"""Returns the requests of a round by its number, 0 for the warm-up."""


def c1(rounds: int, page: Path | None) -> list[Row]:
    """Measure calls over HTTP as A1 does, and growth in this process, whose page goes beside the page of results."""
    rows = _calls(rounds)
    curves: list[Curve] = grow(rounds)
    write_growth(curves, page.parent if page else WORK)
    return [*rows, *growth_rows(curves)]


def _calls(rounds: int) -> list[Row]:
    with Server("c1") as server:
        games = Games(server, SESSIONS, described)
        spare = make_fleet(server.process, games.client, INSTANCES_PER_ROUND * (rounds + 1))
        _make_matchmaking(games.client)
        server.make_trail()
        asked = _askings(games, spare)
        seen = {name: _rounds(server, asking, rounds) for name, asking in asked.items()}
    return [_row(name, measured) for name, measured in seen.items()]


def _rounds(server: Server, asking: Asking, rounds: int) -> list[Measured]:
    """Measure one kind of call, after a warm-up.

    The kinds follow each other, instead of taking turns: what a call leaves behind (slots that are given back after a
    minute, tickets that wait) would be counted as the cost of another.
    """
    run_load(server.address, asking(0), CALLERS, SECONDS, pid=server.pid)
    return [
        run_load(server.address, asking(number), CALLERS, SECONDS, pid=server.pid) for number in range(1, rounds + 1)
    ]


def _row(name: str, measured: list[Measured]) -> Row:
    what = f"CPU per call, {name}, {CALLERS} callers"
    return Row(
        "C1", what, "ms", [item.cpu_ms for item in measured], target=Target(CPU_MS_MAX), beside=seen_beside(measured)
    )


def described(number: int) -> dict[str, Any]:
    """Return the members of a game session that searches look at."""
    properties = [{"Key": "mode", "Value": f"mode-{number % MODES}"}]
    return {"Name": f"round {number}", "GameProperties": properties}


def _make_matchmaking(games: Any) -> None:
    games.create_matchmaking_rule_set(Name=CONFIGURATION["RuleSetName"], RuleSetBody=json.dumps(RULES))
    games.create_matchmaking_configuration(Name="waiting", **CONFIGURATION)


def _askings(games: Games, spare: str) -> dict[str, Asking]:
    """Return what is asked, by the names of the rows. spare: a fleet with free processes."""
    signer = games.signer
    wanted = {"FleetId": spare, "MaximumPlayerSessionCount": 10, **described(7)}
    created, players = [signer.request("create_game_session", **wanted)], games.writes()
    searches: dict[str, Asking] = {}
    for name, asked in SEARCHES.items():
        request = [signer.request("search_game_sessions", FleetId=games.fleet, **asked)]
        searches[f"SearchGameSessions by {name}, {SESSIONS:,} sessions"] = _always(request)
    return {
        **searches,
        "CreateGameSession": _always(created),
        "CreatePlayerSession": _always(players),
        "StartMatchmaking": lambda number: [
            signer.request("start_matchmaking", ConfigurationName="waiting", Players=[player(each)])
            for each in range(number * TICKETS_PER_ROUND, (number + 1) * TICKETS_PER_ROUND)
        ],
    }


def _always(requests: list[bytes]) -> Asking:
    return lambda _: requests


def player(number: int) -> dict[str, Any]:
    """Return a player of a ticket, whose skill is far from anybody else's, so that the ticket waits."""
    return {
        "PlayerId": f"player-{number}",
        "PlayerAttributes": {"skill": {"N": SKILL_STEP * number}},
        "LatencyInMs": {"us-west-2": 20 + number % 70, "eu-west-1": 90 + number % 50},
    }
