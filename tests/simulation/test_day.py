"""A day of a game: players arrive, are matched, play, leave, others fill their places; the same day for the same seed.

Everything is asked through the API; only what a game server says (accept, remove, end) is said for its process. The day is
reduced in `make test` and has 2,000 players in `make soak`.
"""

import io
import json
import os
import zipfile
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from apitrail.services.gamelift import processes
from apitrail.services.gamelift.collections import GAME_SESSIONS, PLAYER_SESSIONS
from apitrail.testing import Stage
from apitrail.testing.stage import ACCOUNT, REGION

SOAK = bool(os.environ.get("APITRAIL_SOAK"))
PLAYERS = 2_000 if SOAK else 100
SEEDS = range(1, 11) if SOAK else range(1, 3)
ARRIVALS_S = 240
DAY_S_MAX = 1_500
LOCATIONS = (REGION, "us-east-1", "eu-west-1")
INSTANCES, PER_INSTANCE = 3, 20
TEAM_MIN, TEAM_MAX = 4, 5
ENDED = {"COMPLETED", "CANCELLED", "TIMED_OUT", "FAILED"}
STAYS_AWAY, GIVES_UP = 0.05, 0.03

RULES = {
    "name": "arena",
    "ruleLanguageVersion": "1.0",
    "playerAttributes": [{"name": "skill", "type": "number", "default": 50}],
    "teams": [{"name": name, "minPlayers": TEAM_MIN, "maxPlayers": TEAM_MAX} for name in ("red", "blue")],
    "rules": [
        {
            "name": "fair",
            "type": "distance",
            "measurements": ["flatten(teams[*].players.attributes[skill])"],
            "referenceValue": "avg(flatten(teams[*].players.attributes[skill]))",
            "maxDistance": 25,
        },
        {"name": "near", "type": "latency", "maxLatency": 150},
    ],
    "expansions": [{"target": "rules[fair].maxDistance", "steps": [{"waitTimeSeconds": 20, "value": 60}]}],
}


class Day:
    """One day. calls: how often each operation was called. story: what happened, as text. playing: players by session."""

    def __init__(self, path: Path, seed: int) -> None:
        self.stage = Stage(path, seed=seed)
        self.random = Random(seed)
        self.calls: Counter[str] = Counter()
        self.story: list[str] = []
        self.waiting: dict[str, str] = {}
        self.ends: Counter[str] = Counter()
        self.leaving: dict[int, list[tuple[str, str]]] = {}
        self.playing: dict[str, set[str]] = {}
        self.second = 0

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        """Make a call that must succeed."""
        self.calls[operation] += 1
        return self.stage.call(operation, **params)

    def tell(self, *words: object) -> None:
        """Write the story on."""
        self.story.append(" ".join(map(str, (self.second, *words))))

    def open(self) -> None:
        """Upload a build, make fleet, alias, queue, rule set and configuration."""
        self.call("CreateBucket", Bucket="game", CreateBucketConfiguration={"LocationConstraint": REGION})
        self.call("PutObject", Bucket="game", Key="build.zip", Body=zip_of("server"))
        role = f"arn:aws:iam::{ACCOUNT}:role/reader"
        where = {"Bucket": "game", "Key": "build.zip", "RoleArn": role}
        build = self.call("CreateBuild", Name="arena", OperatingSystem="AMAZON_LINUX_2023", StorageLocation=where)
        self.stage.advance(3)
        launch = {"LaunchPath": "/local/game/server", "ConcurrentExecutions": PER_INSTANCE}
        self.fleet = self.call(
            "CreateFleet",
            Name="arena",
            BuildId=build["Build"]["BuildId"],
            EC2InstanceType="c5.large",
            RuntimeConfiguration={"ServerProcesses": [launch]},
            Locations=[{"Location": location} for location in LOCATIONS[1:]],
        )["FleetAttributes"]["FleetId"]
        self.stage.advance(20)
        for location in LOCATIONS:
            size = {"DesiredInstances": INSTANCES, "MaxSize": INSTANCES}
            self.call("UpdateFleetCapacity", FleetId=self.fleet, Location=location, **size)
        self.stage.advance(10)
        self.route()

    def route(self) -> None:
        """Lead from a matchmaking configuration to the fleet, through queue and alias."""
        routing = {"Type": "SIMPLE", "FleetId": self.fleet}
        alias = self.call("CreateAlias", Name="live", RoutingStrategy=routing)["Alias"]["AliasArn"]
        queue = self.call("CreateGameSessionQueue", Name="lobby", Destinations=[{"DestinationArn": alias}])
        self.call("CreateMatchmakingRuleSet", Name="arena", RuleSetBody=json.dumps(RULES))
        self.call(
            "CreateMatchmakingConfiguration",
            Name="arena",
            RuleSetName="arena",
            GameSessionQueueArns=[queue["GameSessionQueue"]["GameSessionQueueArn"]],
            RequestTimeoutSeconds=60,
            AcceptanceRequired=False,
            BackfillMode="AUTOMATIC",
        )

    def play(self) -> None:
        """Let the day pass, second by second."""
        arrivals = sorted(self.random.randrange(ARRIVALS_S) for _ in range(PLAYERS))
        for self.second in range(DAY_S_MAX):
            while arrivals and arrivals[0] == self.second:
                self.arrive(PLAYERS - len(arrivals))
                arrivals.pop(0)
            self.stage.advance(1)
            self.look()
            for session, player in self.leaving.pop(self.second, []):
                self.leave(session, player)
            if self.second % 10 == 0:
                self.check()
            quiet = not arrivals and not self.waiting and not any(self.playing.values())
            if quiet and not self.reserved():
                return
        raise AssertionError(f"the day does not end: {len(self.waiting)} wait, {len(self.playing)} sessions play")

    def arrive(self, number: int) -> None:
        """Let a player ask for a match."""
        name, near = f"player-{number}", self.random.choice(LOCATIONS)
        player = {
            "PlayerId": name,
            "PlayerAttributes": {"skill": {"N": float(self.random.randint(20, 80))}},
            "LatencyInMs": {place: 20 if place == near else self.random.randint(60, 200) for place in LOCATIONS},
        }
        ticket = f"ticket-{number}"
        self.call("StartMatchmaking", TicketId=ticket, ConfigurationName="arena", Players=[player])
        self.waiting[ticket] = name

    def look(self) -> None:
        """See what became of the tickets; who is matched connects, or not; some give up."""
        tickets = list(self.waiting)
        for start in range(0, len(tickets), 10):
            found = self.call("DescribeMatchmaking", TicketIds=tickets[start : start + 10])["TicketList"]
            for ticket in found:
                if ticket["Status"] in ENDED:
                    self.end(ticket)
                elif ticket["Status"] == "SEARCHING" and self.random.random() < GIVES_UP / 10:
                    self.call("StopMatchmaking", TicketId=ticket["TicketId"])
                    self.tell(ticket["TicketId"], "gives up")

    def end(self, ticket: dict[str, Any]) -> None:
        """Note how a ticket ended, and let its player connect."""
        player = self.waiting.pop(ticket["TicketId"])
        self.ends[ticket["Status"]] += 1
        self.tell(ticket["TicketId"], ticket["Status"])
        if ticket["Status"] != "COMPLETED":
            return
        info = ticket["GameSessionConnectionInfo"]
        mine = [one for one in info["MatchedPlayerSessions"] if one["PlayerId"] == player]
        assert len(mine) == 1, f"{player} has {len(mine)} places in its match"
        if self.random.random() < STAYS_AWAY:
            self.tell(player, "stays away")
            return
        session, place = info["GameSessionArn"], mine[0]["PlayerSessionId"]
        self.stage.change(lambda ctx: processes.accept_player(ctx, process_of(ctx, session), session, place))
        self.playing.setdefault(session, set()).add(place)
        until = self.second + self.random.randint(5, 90)
        self.leaving.setdefault(until, []).append((session, place))

    def leave(self, session: str, place: str) -> None:
        """Let a player leave; the last one ends the session, and its process with it."""
        left = self.playing[session]
        left.remove(place)
        self.stage.change(lambda ctx: processes.remove_player(ctx, process_of(ctx, session), session, place))
        if not left and not self.expected(session):
            del self.playing[session]
            self.stage.change(lambda ctx: processes.process_ended(ctx, process_of(ctx, session)))
            self.tell("a session is over")

    def expected(self, session: str) -> bool:
        """Return whether somebody may still come to a session."""
        found = self.call("DescribePlayerSessions", GameSessionId=session, PlayerSessionStatusFilter="RESERVED")
        return bool(found["PlayerSessions"])

    def reserved(self) -> bool:
        """Return whether a slot is still kept for somebody; end sessions that nobody will come to any more."""
        for session in self.sessions("ACTIVE"):
            if not self.playing.get(session["GameSessionId"]) and not self.expected(session["GameSessionId"]):
                arn = session["GameSessionId"]
                self.playing.pop(arn, None)
                self.stage.change(lambda ctx, arn=arn: processes.process_ended(ctx, process_of(ctx, arn)))
        return bool(self.sessions("ACTIVE") or self.sessions("ACTIVATING"))

    def sessions(self, status: str) -> list[dict[str, Any]]:
        """Return the fleet's sessions in a status, page by page."""
        found, token = [], None
        while True:
            more = {} if token is None else {"NextToken": token}
            page = self.call("DescribeGameSessions", FleetId=self.fleet, StatusFilter=status, Limit=50, **more)
            found += page["GameSessions"]
            token = page.get("NextToken")
            if token is None:
                return found

    def check(self) -> None:
        """Check what must hold at every moment."""
        live = [*self.sessions("ACTIVATING"), *self.sessions("ACTIVE")]
        places = Counter(session["Location"] for session in live)
        assert all(count <= INSTANCES * PER_INSTANCE for count in places.values()), places
        players = self.stage.read(lambda ctx: [entry.doc for entry in PLAYER_SESSIONS(ctx).all()])
        held = [player for player in players if player["Status"] in ("RESERVED", "ACTIVE")]
        assert max(Counter(player["PlayerId"] for player in held).values(), default=1) == 1
        taken = Counter(player["GameSessionId"] for player in held)
        for session in live:
            assert session["CurrentPlayerSessionCount"] == taken[session["GameSessionId"]]
            assert session["CurrentPlayerSessionCount"] <= session["MaximumPlayerSessionCount"] == 2 * TEAM_MAX

    def close(self) -> None:
        """Check what must hold at the end: every ticket and reservation ended, and every call is an event."""
        self.stage.advance(61)
        assert not self.waiting
        assert sum(self.ends.values()) == PLAYERS
        assert set(self.ends) <= {"COMPLETED", "TIMED_OUT", "CANCELLED"}
        players = self.stage.read(lambda ctx: [entry.doc for entry in PLAYER_SESSIONS(ctx).all()])
        assert {player["Status"] for player in players} <= {"COMPLETED", "TIMEDOUT"}
        assert {session["Status"] for session in self.sessions("TERMINATED")} == {"TERMINATED"}
        events = list(self.stage.events())
        own = Counter(event["eventName"] for event in events if "invokedBy" not in event["userIdentity"])
        assert own == self.calls
        assert [event["eventName"] for event in events if "invokedBy" in event["userIdentity"]] == ["HeadObject"]
        self.stage.close()


def process_of(ctx: Any, session: str) -> str:
    """Return the process that a game session is on."""
    parts = session.split("/")
    found = GAME_SESSIONS(ctx).get(f"{parts[1]}/{parts[-1]}")
    assert found is not None
    return str(found["_Process"])


def zip_of(name: str) -> bytes:
    """Return a zip with one file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as content:
        content.writestr(name, "#!/bin/sh\n")
    return file.getvalue()


def live(path: Path, seed: int) -> Day:
    """Return a day that is over."""
    day = Day(path, seed)
    day.open()
    day.play()
    day.close()
    return day


@pytest.mark.timeout(3600 if SOAK else 120)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_day_ends_with_every_player_served(tmp_path: Path, seed: int) -> None:
    day = live(tmp_path, seed)
    assert day.ends["COMPLETED"] > PLAYERS * 0.6, day.ends
    assert any("stays away" in line for line in day.story)


@pytest.mark.timeout(3600 if SOAK else 120)
def test_the_same_seed_is_the_same_day(tmp_path: Path) -> None:
    first, second = (live(tmp_path / name, 7) for name in ("one", "two"))
    assert first.story == second.story
    assert first.calls == second.calls
