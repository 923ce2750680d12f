"""A day of a game on a real server, by the AWS CLI and boto3: real game servers on the WebSocket, players by TCP.

What a studio sets up is set up with the CLI; players, backfill and the look at the state go through boto3, and who is matched
is learnt from the events, by SNS and SQS. What comes when depends on the machine; who comes when, and what they do, on the seed.
The same day on the virtual clock, which is the same in every step, is in tests/simulation/test_day.py.
"""

import asyncio
import json
import os
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import ACCOUNT, REGION, Running

SOAK = bool(os.environ.get("APITRAIL_SOAK"))
SEED = int(os.environ.get("APITRAIL_SEED", "4"))
PLAYERS = 2_000 if SOAK else 48
TEAM = 5 if SOAK else 2
PROCESSES = 8 if SOAK else 3
LOCATIONS = (REGION, "us-east-1", "eu-west-1")
ARRIVALS_S = 120.0 if SOAK else 4.0
PLAY_S = (0.2, 8.0) if SOAK else (0.5, 3.0)
WAIT_S = 900 if SOAK else 60
STAYS_AWAY, GIVES_UP, LEAVES_EARLY = 0.05, 0.04, 0.15
EXAMPLE = Path(__file__).parents[2] / "examples" / "game_server.py"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:matches"
NEWS = f"arn:aws:sqs:{REGION}:{ACCOUNT}:news"
ENDED = {"COMPLETED", "CANCELLED", "TIMED_OUT"}
NEWS_OF_END = {"MatchmakingCancelled", "MatchmakingTimedOut", "MatchmakingFailed"}

RULES = {
    "name": "arena",
    "ruleLanguageVersion": "1.0",
    "playerAttributes": [{"name": "skill", "type": "number"}],
    "teams": [{"name": name, "minPlayers": TEAM, "maxPlayers": TEAM} for name in ("red", "blue")],
    "rules": [
        {
            "name": "fair",
            "type": "distance",
            "measurements": ["flatten(teams[*].players.attributes[skill])"],
            "referenceValue": "avg(flatten(teams[*].players.attributes[skill]))",
            "maxDistance": 40,
        },
        {"name": "near", "type": "latency", "maxLatency": 250},
    ],
}


def told(value: Any) -> str:
    """Return an option's value as the CLI takes it."""
    return value if isinstance(value, str) else json.dumps(value)


def until(ask: Callable[[], Any]) -> Any:
    """Return the first true answer."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        if answer := ask():
            return answer
        time.sleep(0.1)
    raise AssertionError("it did not happen in time")


class Studio:
    """What is set up before the first player: by the AWS CLI, as the documentation of GameLift does it."""

    def __init__(self, server: Running, folder: Path) -> None:
        self.server = server
        self.commands: Counter[str] = Counter()
        self._folder = folder
        server.make_trail(IsMultiRegionTrail=True)
        self._listen()
        build = self._upload()
        self.fleet = self._make_fleet(build)
        self._route()

    def aws(self, command: str, *flags: str, **options: Any) -> Any:
        """Run a command of GameLift; documents are given as JSON."""
        self.commands["".join(word.capitalize() for word in command.split("-"))] += 1
        words = [f"--{name.replace('_', '-')}={told(value)}" for name, value in options.items()]
        return self.server.aws("gamelift", command, *words, *flags)

    def _listen(self) -> None:
        """Make a topic that GameLift may publish to, and a queue that is subscribed to it."""
        allow = {"Effect": "Allow", "Principal": {"Service": "gamelift.amazonaws.com"}, "Action": "sns:Publish"}
        policy = {"Version": "2012-10-17", "Statement": [{**allow, "Resource": TOPIC}]}
        self.server.client("sns").create_topic(Name="matches", Attributes={"Policy": json.dumps(policy)})
        send = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
        policy = {"Version": "2012-10-17", "Statement": [{**send, "Resource": NEWS}]}
        queues = self.server.client("sqs")
        self.news = queues.create_queue(QueueName="news", Attributes={"Policy": json.dumps(policy)})["QueueUrl"]
        raw = {"RawMessageDelivery": "true"}
        self.server.client("sns").subscribe(TopicArn=TOPIC, Protocol="sqs", Endpoint=NEWS, Attributes=raw)

    def _upload(self) -> str:
        """Upload the example as a build, and return its id when it is READY."""
        root = self._folder / "build"
        root.mkdir()
        (root / "game_server.py").write_text(EXAMPLE.read_text())
        (root / "server").write_text(f"#!/bin/sh\nexec {sys.executable} game_server.py\n")
        (root / "server").chmod(0o755)
        words = ("--name", "arena", "--build-version", "1", "--operating-system", "AMAZON_LINUX_2023")
        said = self.server.aws("gamelift", "upload-build", "--build-root", str(root), *words,
                               "--server-sdk-version", "5.3.0")  # fmt: skip
        build = str(said).rpartition("Build ID: ")[2].split()[0]
        until(lambda: self.aws("describe-build", build_id=build)["Build"]["Status"] == "READY")
        return build

    def _make_fleet(self, build: str) -> str:
        """Make a fleet in three locations and wait until it is ACTIVE in all of them."""
        launch = {"LaunchPath": "/local/game/server", "ConcurrentExecutions": PROCESSES}
        fleet = self.aws(
            "create-fleet",
            name="arena",
            build_id=build,
            ec2_instance_type="c5.large",
            runtime_configuration={"ServerProcesses": [launch]},
            locations=[{"Location": location} for location in LOCATIONS],
        )["FleetAttributes"]["FleetId"]

        def active() -> bool:
            found = self.aws("describe-fleet-location-attributes", fleet_id=fleet)["LocationAttributes"]
            states = {one["LocationState"]["Location"]: one["LocationState"]["Status"] for one in found}
            assert "ERROR" not in states.values(), self.aws("describe-fleet-events", fleet_id=fleet)
            return states == dict.fromkeys(LOCATIONS, "ACTIVE")

        until(active)
        return str(fleet)

    def _route(self) -> None:
        """Lead from a matchmaking configuration to the fleet, through queue and alias."""
        routing = {"Type": "SIMPLE", "FleetId": self.fleet}
        alias = self.aws("create-alias", name="live", routing_strategy=routing)["Alias"]["AliasArn"]
        where = [{"DestinationArn": alias}]
        queue = self.aws("create-game-session-queue", name="lobby", destinations=where, timeout_in_seconds="300")
        checked = self.aws("validate-matchmaking-rule-set", rule_set_body=RULES)
        assert checked["Valid"]
        self.aws("create-matchmaking-rule-set", name="arena", rule_set_body=RULES)
        self.aws(
            "create-matchmaking-configuration",
            "--no-acceptance-required",
            name="arena",
            rule_set_name="arena",
            game_session_queue_arns=[queue["GameSessionQueue"]["GameSessionQueueArn"]],
            request_timeout_seconds="600",
            notification_target=TOPIC,
        )


class Crowd:
    """The players, what they are told, and what was asked for them."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.random = Random(SEED)
        self.pool = ThreadPoolExecutor(12)
        self.made = threading.local()
        self.requests: set[str] = set()
        self.told: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self.ends: Counter[str] = Counter()
        self.matches: dict[str, set[str]] = {}
        self.places: Counter[str] = Counter()
        self.filled: set[str] = set()

    async def ask(self, method: str, **params: Any) -> Any:
        """Make a call with boto3 on a thread, and note its request id."""
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(self.pool, lambda: getattr(self.games, method)(**params))
        self.requests.add(answer["ResponseMetadata"]["RequestId"])
        return answer

    @property
    def games(self) -> Any:
        """The client of this thread."""
        if not hasattr(self.made, "client"):
            self.made.client = self.studio.server.client("gamelift")
        return self.made.client

    async def listen(self) -> None:
        """Take the events in; who is told something waits for it."""
        queues = self.studio.server.client("sqs")
        loop = asyncio.get_running_loop()
        asked = {"QueueUrl": self.studio.news, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 1}
        while True:
            answer = await loop.run_in_executor(None, lambda: queues.receive_message(**asked))
            for message in answer.get("Messages", ()):
                queues.delete_message(QueueUrl=self.studio.news, ReceiptHandle=message["ReceiptHandle"])
                self.hear(json.loads(message["Body"])["detail"])

    def hear(self, detail: dict[str, Any]) -> None:
        """Let the players know what an event says about their tickets."""
        kind = detail["type"]
        if kind != "MatchmakingSucceeded" and kind not in NEWS_OF_END:
            return
        for ticket in detail["tickets"]:
            if kind == "MatchmakingSucceeded" and ticket["ticketId"].startswith("backfill-"):
                self.filled.add(ticket["ticketId"])
            waiting = self.told.get(ticket["ticketId"])
            if waiting is not None and not waiting.done():
                waiting.set_result(detail)

    async def enter(self, name: str) -> dict[str, Any]:
        """Ask for a match and return the event that ended the ticket."""
        self.told[f"ticket-{name}"] = asyncio.get_running_loop().create_future()
        near = self.random.choice(LOCATIONS)
        player = {
            "PlayerId": name,
            "PlayerAttributes": {"skill": {"N": self.random.randint(20, 80)}},
            "LatencyInMs": {place: 20 if place == near else self.random.randint(60, 200) for place in LOCATIONS},
        }
        gives_up = self.random.random() < GIVES_UP
        await self.ask("start_matchmaking", TicketId=f"ticket-{name}", ConfigurationName="arena", Players=[player])
        if gives_up:
            with suppress(ClientError):
                await self.ask("stop_matchmaking", TicketId=f"ticket-{name}")
        return await self.told[f"ticket-{name}"]

    async def live(self, name: str, arrives: float) -> None:
        """Live a player's day."""
        await asyncio.sleep(arrives)
        stays, lasts = self.random.random() >= STAYS_AWAY, self.random.uniform(*PLAY_S)
        leaves_early = self.random.random() < LEAVES_EARLY
        detail = await self.enter(name)
        self.ends[detail["type"]] += 1
        if detail["type"] != "MatchmakingSucceeded":
            return
        info = detail["gameSessionInfo"]
        mine = [one for one in info["players"] if one["playerId"] == name]
        assert len(mine) == 1
        self.matches.setdefault(info["gameSessionArn"], set()).add(name)
        self.places[name] += 1
        if stays:
            await self.play(info, mine[0], 0.0 if leaves_early else lasts)
        if leaves_early and stays:
            await self.seek_another(info, name)

    async def play(self, info: dict[str, Any], me: dict[str, Any], seconds: float) -> None:
        """Connect to the game server, say something, play, and go."""
        reader, writer = await asyncio.open_connection(info["ipAddress"], info["port"])
        writer.write(f"{me['playerSessionId']}\n".encode())
        said = await reader.readline()
        assert said == b"welcome\n", said
        writer.write(f"I am {me['playerId']}\n".encode())
        await asyncio.sleep(seconds)
        writer.close()

    async def seek_another(self, info: dict[str, Any], gone: str) -> None:
        """Ask for somebody in the place of a player who has left, as a game server does; the session may be over by then."""
        kept = [one for one in info["players"] if one["playerId"] != gone]
        players = [
            {"PlayerId": one["playerId"], "Team": one["team"], "PlayerAttributes": {"skill": {"N": 50}}} for one in kept
        ]
        with suppress(ClientError):
            await self.ask(
                "start_match_backfill",
                TicketId=f"backfill-{gone}",
                ConfigurationName="arena",
                GameSessionArn=info["gameSessionArn"],
                Players=players,
            )

    async def watch(self) -> None:
        """Look at the state meanwhile: no session and no location has more than it may."""
        while True:
            for status in ("ACTIVATING", "ACTIVE"):
                found = await self.ask("describe_game_sessions", FleetId=self.studio.fleet, StatusFilter=status)
                for one in found["GameSessions"]:
                    assert one["CurrentPlayerSessionCount"] <= one["MaximumPlayerSessionCount"] == 2 * TEAM
                live = Counter(one["Location"] for one in found["GameSessions"])
                assert all(count <= PROCESSES for count in live.values()), live
            await asyncio.sleep(0.5)


async def spend(crowd: Crowd) -> None:
    """Let the day pass: the last ones, who find no match, are given up on."""
    background = [asyncio.create_task(crowd.listen()), asyncio.create_task(crowd.watch())]
    names = [f"player-{number}" for number in range(PLAYERS)]
    lives = [asyncio.create_task(crowd.live(name, crowd.random.uniform(0, ARRIVALS_S))) for name in names]
    pending = set(lives)
    while pending:
        done, pending = await asyncio.wait(pending, timeout=5, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        for task in background:
            assert not task.done(), task.result()
        if not done and crowd.ends.total() > PLAYERS - 4 * TEAM:
            set_forward(crowd.studio.server, 601)
    for task in background:
        task.cancel()


def set_forward(server: Running, seconds: int) -> None:
    """Set the server's clock forward."""
    body = b'{"advance_s": %d}' % seconds
    request = urllib.request.Request(server.endpoint + "/_apitrail/clock", body, method="POST")
    urllib.request.urlopen(request).close()


def check_end(crowd: Crowd) -> None:
    """Check that tickets, sessions and reservations have ended, and that players were in one match at a time."""
    games = crowd.studio.server.client("gamelift")
    tickets = [f"ticket-player-{number}" for number in range(PLAYERS)]
    found = [
        ticket
        for start in range(0, PLAYERS, 10)
        for ticket in games.describe_matchmaking(TicketIds=tickets[start : start + 10])["TicketList"]
    ]
    assert len(found) == PLAYERS
    assert {ticket["Status"] for ticket in found} <= ENDED
    assert crowd.filled, "no place was filled again"
    assert crowd.places.most_common(1)[0][1] == 1
    matched = [ticket for ticket in found if ticket["Status"] == "COMPLETED"]
    assert len(matched) == crowd.ends["MatchmakingSucceeded"] >= PLAYERS // 2
    for arn in crowd.matches:
        (session,) = games.describe_game_sessions(GameSessionId=arn)["GameSessions"]
        assert session["Status"] in ("TERMINATED", "ACTIVE"), session
        players = games.describe_player_sessions(GameSessionId=arn)["PlayerSessions"]
        assert {player["Status"] for player in players} <= {"COMPLETED", "TIMEDOUT"}


def check_trail(crowd: Crowd) -> None:
    """Check that every call of the day is in the trail's bucket once."""
    server, seen = crowd.studio.server, crowd.requests

    def delivered() -> Any:
        found = Counter(record["requestID"] for record in server.delivered() if "requestID" in record)
        return found if seen <= found.keys() else None

    found = server.wait_delivered(lambda _: delivered())
    assert max(found.values()) == 1
    names = Counter(record["eventName"] for record in server.delivered())
    assert all(names[name] >= count for name, count in crowd.studio.commands.items())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    """A `dev` server that runs real game servers, and whose clock can be set forward."""
    settings = {"APITRAIL_GAMELIFT_RUN_PROCESSES": "true"}
    running = Running(tmp_path / "data", "--fast", verb="dev", settings=settings).start()
    yield running
    running.kill()


@pytest.mark.timeout(3600 if SOAK else 180)
def test_a_scripted_day(server: Running, tmp_path: Path) -> None:
    crowd = Crowd(Studio(server, tmp_path))
    asyncio.run(spend(crowd))
    set_forward(server, 61)
    check_end(crowd)
    check_trail(crowd)
