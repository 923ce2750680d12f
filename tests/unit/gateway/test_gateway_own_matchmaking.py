"""The server's own endpoints about GameLift: why a ticket waits, and the stream of events about placements and matches."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from apitrail.identity.credentials import Credential
from apitrail.testing.stage import root
from door import Door

RULES = {
    "name": "duel",
    "ruleLanguageVersion": "1.0",
    "playerAttributes": [{"name": "skill", "type": "number"}],
    "teams": [{"name": name, "minPlayers": 1, "maxPlayers": 1} for name in ("red", "blue")],
    "rules": [{"name": "fair", "type": "batchDistance", "batchAttribute": "skill", "maxDistance": 10}],
}


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    door = Door(tmp_path)
    door.ok("gamelift", "CreateMatchmakingRuleSet", Name="rules", RuleSetBody=json.dumps(RULES))
    given = {"Name": "maker", "RuleSetName": "rules", "RequestTimeoutSeconds": 60, "AcceptanceRequired": False}
    door.ok("gamelift", "CreateMatchmakingConfiguration", FlexMatchMode="STANDALONE", **given)
    yield door
    door.close()


def enter(door: Door, name: str, skill: float) -> None:
    players = [{"PlayerId": name, "PlayerAttributes": {"skill": {"N": skill}}}]
    door.ok("gamelift", "StartMatchmaking", TicketId=f"t-{name}", ConfigurationName="maker", Players=players)


def explained(door: Door, ticket_id: str, **how: Any) -> tuple[int, Any]:
    response = door.send(door.own("matchmaking/explain", {"ticket": ticket_id}, **how))
    return response.status, orjson.loads(response.body)


def test_a_ticket_that_waits_is_explained_rule_by_rule(door: Door) -> None:
    enter(door, "ana", 10)
    enter(door, "ben", 35)
    door.stage.settle()
    status, found = explained(door, "t-ana")
    assert (status, found["status"], found["configuration"], found["pool_size"]) == (200, "SEARCHING", "maker", 2)
    explanation = found["explanation"]
    assert explanation["summary"] == "1 more player is needed; rule fair refuses 1 of the other tickets."
    (rule,) = explanation["rules"]
    assert (rule["rule"], rule["refused"], rule["nearest"], rule["miss"]) == ("fair", 1, "t-ben", 15.0)


def test_a_ticket_that_has_ended_has_a_status_and_no_explanation(door: Door) -> None:
    enter(door, "ana", 10)
    door.stage.settle()
    door.ok("gamelift", "StopMatchmaking", TicketId="t-ana")
    status, found = explained(door, "t-ana")
    assert (status, found["status"], found["explanation"]) == (200, "CANCELLED", None)


def test_an_unknown_ticket_is_not_found(door: Door) -> None:
    assert explained(door, "nobody")[0] == 404


def test_only_who_may_describe_a_ticket_is_told_about_it(door: Door) -> None:
    enter(door, "ana", 10)
    door.ok("iam", "CreateUser", UserName="ben")
    key = door.ok("iam", "CreateAccessKey", UserName="ben")["AccessKey"]
    credential = Credential(key["AccessKeyId"], key["SecretAccessKey"], root())
    status, found = explained(door, "t-ana", key=credential)
    assert (status, found["error"]["code"]) == (400, "AccessDeniedException")


def test_the_stream_has_a_second_source_with_events_about_matches(door: Door) -> None:
    enter(door, "ana", 10)
    door.stage.settle()
    lines = first_lines(door, {"of": "gamelift", "n": "10"})
    (line,) = [json.loads(line) for line in lines]
    assert line["event"]["detail"]["type"] == "MatchmakingSearching"
    response = door.send(door.own("events", {"of": "everything"}))
    assert (response.status, orjson.loads(response.body)["error"]["code"]) == (400, "bad-request")


def first_lines(door: Door, query: dict[str, str]) -> list[str]:
    """Return the lines of a stream that ends at once, because the server is about to stop."""
    door.stage.app.stopping = True
    return door.send(door.own("events", query)).body.decode().splitlines()
