"""What tests of matchmaking begin with: rule sets, configurations, players and their tickets."""

import json
from collections.abc import Sequence
from typing import Any

from fleet_scenes import LAUNCH, active_fleet
from placement_scenes import make_lobby

from apitrail.testing import Stage

MANY = {"RuntimeConfiguration": {"ServerProcesses": [{**LAUNCH, "ConcurrentExecutions": 20}]}}


def duel_rules(**more: Any) -> dict[str, Any]:
    """Return a rule set of two teams of one, whose skill differs by 10 at most."""
    distance = {
        "name": "fair",
        "type": "distance",
        "measurements": ["avg(teams[red].players.attributes[skill])"],
        "referenceValue": "avg(teams[blue].players.attributes[skill])",
        "maxDistance": 10,
    }
    return {
        "name": "duel",
        "ruleLanguageVersion": "1.0",
        "playerAttributes": [{"name": "skill", "type": "number", "default": 10}],
        "teams": [{"name": name, "minPlayers": 1, "maxPlayers": 1} for name in ("red", "blue")],
        "rules": [distance],
        **more,
    }


def team_rules(low: int, high: int) -> dict[str, Any]:
    """Return a rule set of one team of so many players."""
    team = {"name": "crew", "minPlayers": low, "maxPlayers": high}
    return {"name": "crew", "ruleLanguageVersion": "1.0", "teams": [team]}


def make_rules(stage: Stage, rules: dict[str, Any], name: str = "rules") -> None:
    """Create a rule set."""
    stage.call("CreateMatchmakingRuleSet", Name=name, RuleSetBody=json.dumps(rules))


def make_maker(stage: Stage, name: str = "maker", *, rules: str = "rules", **params: Any) -> dict[str, Any]:
    """Create a matchmaking configuration, STANDALONE unless it is given a queue, and return it."""
    given = {
        "Name": name,
        "RuleSetName": rules,
        "RequestTimeoutSeconds": 60,
        "AcceptanceRequired": False,
        "FlexMatchMode": "WITH_QUEUE" if "GameSessionQueueArns" in params else "STANDALONE",
        **params,
    }
    return dict(stage.call("CreateMatchmakingConfiguration", **given)["Configuration"])


def make_hosted(stage: Stage, rules: dict[str, Any], **params: Any) -> dict[str, Any]:
    """Make a fleet, a queue, a rule set and a configuration that places matches there; return the configuration."""
    queue = make_lobby(stage, active_fleet(stage, **MANY))
    make_rules(stage, rules)
    return make_maker(stage, GameSessionQueueArns=[queue["GameSessionQueueArn"]], **params)


def player(name: str, skill: float | None = None, **more: Any) -> dict[str, Any]:
    """Return a player."""
    attributes = {} if skill is None else {"PlayerAttributes": {"skill": {"N": float(skill)}}}
    return {"PlayerId": name, **attributes, **more}


def enter(stage: Stage, name: str, skill: float | None = None, *, maker: str = "maker", **more: Any) -> dict[str, Any]:
    """Enter one player for a match, with a ticket `t-<name>`, and return the ticket."""
    return enter_party(stage, f"t-{name}", [player(name, skill, **more)], maker=maker)


def enter_party(
    stage: Stage, ticket_id: str, players: Sequence[dict[str, Any]], *, maker: str = "maker"
) -> dict[str, Any]:
    """Enter players for a match and return their ticket."""
    given = {"TicketId": ticket_id, "ConfigurationName": maker, "Players": list(players)}
    return dict(stage.call("StartMatchmaking", **given)["MatchmakingTicket"])


def seen(stage: Stage, ticket_id: str) -> dict[str, Any]:
    """Return a ticket as it is now, without what is ours."""
    (found,) = stage.call("DescribeMatchmaking", TicketIds=[ticket_id])["TicketList"]
    return {name: value for name, value in found.items() if not name.startswith("_")}


def statuses(stage: Stage, *names: str) -> list[str]:
    """Return the statuses of the tickets of players."""
    return [seen(stage, f"t-{name}")["Status"] for name in names]


def answer(stage: Stage, name: str, word: str = "ACCEPT") -> None:
    """Accept or reject the match of a player's ticket."""
    stage.call("AcceptMatch", TicketId=f"t-{name}", PlayerIds=[name], AcceptanceType=word)
    stage.settle()
