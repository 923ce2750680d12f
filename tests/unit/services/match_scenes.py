"""Rule sets and configurations for tests of matchmaking."""

import json
from typing import Any

from apitrail.testing import Stage

QUEUE_ARN = "arn:aws:gamelift:us-west-2:111122223333:gamesessionqueue/main"


def rule_body(**more: Any) -> str:
    """Return a rule set of two teams of one or two, whose players are within 100 points of skill."""
    document = {
        "name": "duel",
        "ruleLanguageVersion": "1.0",
        "playerAttributes": [{"name": "skill", "type": "number"}],
        "teams": [{"name": name, "minPlayers": 1, "maxPlayers": 2} for name in ("red", "blue")],
        "rules": [
            {
                "name": "CloseSkill",
                "type": "distance",
                "measurements": ["avg(teams[red].players.attributes[skill])"],
                "referenceValue": "avg(teams[blue].players.attributes[skill])",
                "maxDistance": 100,
            }
        ],
    }
    return json.dumps({**document, **more})


def make_rule_set(stage: Stage, name: str = "duel", **more: Any) -> dict[str, Any]:
    """Create a rule set and return it."""
    made: dict[str, Any] = stage.call("CreateMatchmakingRuleSet", Name=name, RuleSetBody=rule_body(**more))
    return dict(made["RuleSet"])


def standalone(**more: Any) -> dict[str, Any]:
    """Return the parameters of a standalone configuration with the rule set `duel`."""
    return {
        "Name": "main",
        "FlexMatchMode": "STANDALONE",
        "RuleSetName": "duel",
        "RequestTimeoutSeconds": 60,
        "AcceptanceRequired": False,
        **more,
    }


def with_queue(**more: Any) -> dict[str, Any]:
    """Return the parameters of a configuration with the rule set `duel` and the queue `main`."""
    return standalone(**{"FlexMatchMode": "WITH_QUEUE", "GameSessionQueueArns": [QUEUE_ARN], **more})


def make_queue(stage: Stage, name: str = "main", region: str = "") -> None:
    """Create a game session queue without destinations."""
    stage.call_("CreateGameSessionQueue", {"Name": name}, region=region)
