"""Queues, placements and matchmaking on a real process: unchanged clients, the engine's own process, kill -9."""

import io
import json
import os
import signal
import subprocess
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conftest import ACCOUNT, BIN, REGION, Running

WAIT_S = 20
FAST = {"APITRAIL_GAMELIFT_DELAY_SCALE": "0"}
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:matches"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:news"


def wait(ask: Callable[[], Any]) -> Any:
    """Return what ask finds, as soon as it finds something."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        if found := ask():
            return found
        time.sleep(0.05)
    raise AssertionError("it has not come about in time")


def furnish(server: Running) -> Any:
    """Make a fleet that is ACTIVE, a queue, a rule set for five against five, and a configuration; return the client."""
    games = server.client("gamelift")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as script:
        script.writestr("server.js", "// nothing")
    script_id = games.create_script(Name="arena", ZipFile=file.getvalue())["Script"]["ScriptId"]
    launch = {"LaunchPath": "/local/game/server.js", "ConcurrentExecutions": 20}
    fleet = games.create_fleet(
        Name="arena",
        ScriptId=script_id,
        EC2InstanceType="c5.large",
        RuntimeConfiguration={"ServerProcesses": [launch]},
    )["FleetAttributes"]
    fleet_id, arn = fleet["FleetId"], fleet["FleetArn"]
    wait(lambda: games.describe_fleet_attributes(FleetIds=[fleet_id])["FleetAttributes"][0]["Status"] == "ACTIVE")
    queue = games.create_game_session_queue(
        Name="lobby", Destinations=[{"DestinationArn": arn}], NotificationTarget=TOPIC
    )["GameSessionQueue"]
    games.create_matchmaking_rule_set(Name="rules", RuleSetBody=json.dumps(rules()))
    games.create_matchmaking_configuration(
        Name="maker",
        RuleSetName="rules",
        GameSessionQueueArns=[queue["GameSessionQueueArn"]],
        RequestTimeoutSeconds=600,
        AcceptanceRequired=False,
        NotificationTarget=TOPIC,
    )
    return games


def rules() -> dict[str, Any]:
    fair = {
        "name": "fair",
        "type": "distance",
        "measurements": ["flatten(teams[*].players.attributes[skill])"],
        "referenceValue": "avg(flatten(teams[*].players.attributes[skill]))",
        "maxDistance": 20,
    }
    return {
        "name": "five",
        "ruleLanguageVersion": "1.0",
        "playerAttributes": [{"name": "skill", "type": "number"}],
        "teams": [{"name": name, "minPlayers": 5, "maxPlayers": 5} for name in ("red", "blue")],
        "rules": [fair],
    }


def listen(server: Running) -> str:
    """Make a topic that lets GameLift publish, and a queue that is subscribed to it; return the queue's URL."""
    allow = {"Effect": "Allow", "Principal": {"Service": "gamelift.amazonaws.com"}, "Action": "sns:Publish"}
    policy = {"Version": "2012-10-17", "Statement": [{**allow, "Resource": TOPIC}]}
    server.client("sns").create_topic(Name="matches", Attributes={"Policy": json.dumps(policy)})
    send = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = {"Version": "2012-10-17", "Statement": [{**send, "Resource": QUEUE}]}
    url: str = server.client("sqs").create_queue(QueueName="news", Attributes={"Policy": json.dumps(policy)})[
        "QueueUrl"
    ]
    wanted = {"RawMessageDelivery": "true"}
    server.client("sns").subscribe(TopicArn=TOPIC, Protocol="sqs", Endpoint=QUEUE, Attributes=wanted)
    return url


def enter(games: Any, *names: str, skill: float = 10) -> None:
    for name in names:
        players = [{"PlayerId": name, "PlayerAttributes": {"skill": {"N": skill}}, "LatencyInMs": {REGION: 20}}]
        games.start_matchmaking(TicketId=f"t-{name}", ConfigurationName="maker", Players=players)


def statuses(games: Any, *names: str) -> list[str]:
    found = games.describe_matchmaking(TicketIds=[f"t-{name}" for name in names])["TicketList"]
    return [ticket["Status"] for ticket in found]


def engine_of(server: Running) -> int | None:
    """Return the process id of the server's matching engine, if it runs."""
    assert server.process is not None
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = path.read_text().rpartition(")")[2].split()
            command = (path.parent / "cmdline").read_text()
        except OSError:
            continue
        if int(words[1]) == server.process.pid and "match_child" in command:
            return int(path.parent.name)
    return None


def test_ten_players_get_a_session_and_subscribers_hear_of_it(make_server: Callable[..., Running]) -> None:
    server = make_server(settings=FAST)
    url = listen(server)
    games = furnish(server)
    names = [f"p{number}" for number in range(10)]
    enter(games, *names)
    wait(lambda: set(statuses(games, *names)) == {"COMPLETED"})
    tickets = games.describe_matchmaking(TicketIds=[f"t-{name}" for name in names])["TicketList"]
    (arn,) = {ticket["GameSessionConnectionInfo"]["GameSessionArn"] for ticket in tickets}
    (session,) = games.describe_game_sessions(GameSessionId=arn)["GameSessions"]
    assert (session["Status"], session["CurrentPlayerSessionCount"]) == ("ACTIVE", 10)
    assert len(json.loads(session["MatchmakerData"])["teams"]) == 2
    heard: list[str] = []

    def listen_on() -> bool:
        answer = server.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        heard.extend(json.loads(message["Body"])["detail"]["type"] for message in answer.get("Messages", ()))
        return len(heard) >= 13

    wait(listen_on)
    assert sorted(heard) == sorted(
        ["MatchmakingSearching"] * 10 + ["PotentialMatchCreated", "PlacementFulfilled", "MatchmakingSucceeded"]
    )


def test_the_engine_and_the_server_may_be_killed_at_any_time(make_server: Callable[..., Running]) -> None:
    server = make_server(settings=FAST)
    games = furnish(server)
    enter(games, "p0", "p1", "p2")
    wait(lambda: set(statuses(games, "p0", "p1", "p2")) == {"SEARCHING"})
    first = wait(lambda: engine_of(server))
    os.kill(first, signal.SIGKILL)
    enter(games, "p3", "p4", "p5")
    assert wait(lambda: engine_of(server)) != first
    second = engine_of(server)
    server.kill()
    assert second is not None
    wait(lambda: not Path(f"/proc/{second}").exists())
    server.start()
    games = server.client("gamelift")
    names = [f"p{number}" for number in range(10)]
    enter(games, *names[6:])
    wait(lambda: set(statuses(games, *names)) == {"COMPLETED"})


def test_the_command_line_says_why_a_ticket_waits(make_server: Callable[..., Running]) -> None:
    server = make_server(settings=FAST)
    games = furnish(server)
    enter(games, "ana")
    enter(games, "ben", skill=900)
    wait(lambda: statuses(games, "ana", "ben") == ["SEARCHING"] * 2)

    def ask(*words: str) -> str:
        command = [str(BIN / "apitrail"), "matchmaking", "explain", "t-ana", "--data", str(server.data), *words]
        done = subprocess.run(command, capture_output=True, text=True, env=server.env, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    found = wait(lambda: (facts := json.loads(ask("--output", "json"))).get("summary") and facts)
    assert (found["status"], found["others"], found["players_needed"]) == ("SEARCHING", 1, 10)
    assert "more players are needed" in found["summary"] and [rule["rule"] for rule in found["rules"]] == ["fair"]
    assert found["summary"] in ask("--output", "table")
    command = [str(BIN / "apitrail"), "matchmaking", "explain", "nobody", "--data", str(server.data)]
    done = subprocess.run(command, capture_output=True, text=True, env=server.env, timeout=60)
    assert done.returncode != 0 and "there is no matchmaking ticket nobody" in done.stderr


def test_queues_and_placements_by_the_aws_cli(make_server: Callable[..., Running]) -> None:
    server = make_server(settings=FAST)
    furnish(server)
    aws = server.aws
    destinations = aws("gamelift", "describe-game-session-queues", "--names", "lobby")["GameSessionQueues"]
    assert destinations[0]["Name"] == "lobby"
    words = ("--game-session-queue-name", "lobby", "--maximum-player-session-count", "4")
    desired = json.dumps([{"PlayerId": "ana", "PlayerData": "x"}])
    aws("gamelift", "start-game-session-placement", "--placement-id", "r-1", *words,
        "--desired-player-sessions", desired)  # fmt: skip

    def seen() -> Any:
        found = aws("gamelift", "describe-game-session-placement", "--placement-id", "r-1")["GameSessionPlacement"]
        return found if found["Status"] == "FULFILLED" else None

    placement = wait(seen)
    assert placement["PlacedPlayerSessions"][0]["PlayerId"] == "ana"
    refused = aws("gamelift", "stop-game-session-placement", "--placement-id", "r-1", check=False)
    assert "InvalidRequestException" in refused
    aws("gamelift", "delete-game-session-queue", "--name", "lobby")
