"""Events about matchmaking. Source: FlexMatch Developer Guide, FlexMatch matchmaking events."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from apitrail.services.context import Context
from apitrail.services.gamelift.game_events import announce, iso
from apitrail.services.gamelift.matchmaking_rules import rules_of
from apitrail.store.resources import Doc

DETAIL_TYPE = "GameLift Matchmaking Event"
Marks = Mapping[str, Mapping[str, Any]]
"""What is known of players beside their id, by id: team, playerSessionId, accepted."""


def tell(ctx: Context, configuration: Doc, kind: str, tickets: Sequence[Doc], marks: Marks, **more: Any) -> None:
    """Tell about tickets of one configuration. kind: detail.type. more: further keys of the detail; None: left out.

    `session`, among them, are keys of gameSessionInfo beside the players.
    """
    session = more.pop("session", {})
    shown = [_ticket(ticket, marks) for ticket in tickets]
    players = [player for ticket in shown for player in ticket["players"]]
    detail: dict[str, Any] = {
        "tickets": shown,
        "type": kind,
        **{name: value for name, value in more.items() if value is not None},
        "gameSessionInfo": {**session, "players": players},
    }
    if configuration.get("CustomEventData"):
        detail["customEventData"] = configuration["CustomEventData"]
    announce(ctx, DETAIL_TYPE, configuration["ConfigurationArn"], detail, configuration.get("NotificationTarget", ""))


def metrics(ctx: Context, configuration: Doc, counts: Iterable[Sequence[Any]]) -> list[dict[str, Any]]:
    """Return ruleEvaluationMetrics: every rule of the configuration, with zeros for those that were not tried.

    counts: (rule, passed, failed).
    """
    known = {name: (passed, failed) for name, passed, failed in counts}
    names = [rule.name for rule in rules_of(ctx, configuration).levels[0].rules]
    return [
        {"ruleName": name, "passedCount": known.get(name, (0, 0))[0], "failedCount": known.get(name, (0, 0))[1]}
        for name in names
    ]


def _ticket(ticket: Doc, marks: Marks) -> dict[str, Any]:
    players = [{"playerId": one["PlayerId"], **marks.get(one["PlayerId"], {})} for one in ticket["Players"]]
    return {"ticketId": ticket["TicketId"], "startTime": iso(ticket["StartTime"]), "players": players}
