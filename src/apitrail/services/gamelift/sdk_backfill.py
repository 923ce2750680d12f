"""Backfill as game servers ask for it: StartMatchBackfill and StopMatchBackfill of the server SDK, for their own session.

Source: server SDK 5.
"""

from collections.abc import Mapping
from typing import Any, cast

from apitrail.services.context import Context
from apitrail.services.gamelift import processes
from apitrail.services.gamelift.backfill import start_match_backfill
from apitrail.services.gamelift.collections import TICKETS
from apitrail.services.gamelift.errors import InvalidRequestException
from apitrail.services.gamelift.sdk_model import checked
from apitrail.services.gamelift.sdk_shapes import Attribute, Player, StartMatchBackfill, StopMatchBackfill
from apitrail.services.gamelift.tickets import stop_matchmaking

VALUES = {"STRING": "S", "DOUBLE": "N", "STRING_LIST": "SL", "STRING_DOUBLE_MAP": "SDM"}
"""Which member holds the value of an attribute, by its AttrType."""


def start_backfill(ctx: Context, process_id: str, said: StartMatchBackfill) -> Mapping[str, Any]:
    """Seek more players for the session of a process and return the ticket's id. Raises: as the API's operation."""
    session = processes.session_on(ctx, process_id, said.GameSessionArn)
    params = {
        "TicketId": said.TicketId,
        "ConfigurationName": said.MatchmakingConfigurationArn,
        "GameSessionArn": session["GameSessionId"],
        "Players": [_player(player) for player in said.Players],
    }
    made = start_match_backfill(ctx, cast(Any, checked("StartMatchBackfill", params))) or {}
    return {"TicketId": made["MatchmakingTicket"]["TicketId"]}


def stop_backfill(ctx: Context, process_id: str, said: StopMatchBackfill) -> Mapping[str, Any]:
    """Cancel a backfill of the session of a process. Raises: as StopMatchmaking; InvalidRequestException (another's ticket)."""
    session = processes.session_on(ctx, process_id, said.GameSessionArn)
    ticket = TICKETS(ctx).get(said.TicketId)
    if ticket is not None and ticket.get("_Backfill") != session["GameSessionId"]:
        raise InvalidRequestException(f"Ticket {said.TicketId} is not a backfill of this game session.")
    stop_matchmaking(ctx, cast(Any, checked("StopMatchmaking", {"TicketId": said.TicketId})))
    return {}


def _player(player: Player) -> dict[str, Any]:
    attributes = {name: _value(value) for name, value in (player.PlayerAttributes or {}).items()}
    members = {
        "PlayerId": player.PlayerId,
        "Team": player.Team,
        "PlayerAttributes": {name: value for name, value in attributes.items() if value},
        "LatencyInMs": player.LatencyInMs,
    }
    return {name: value for name, value in members.items() if value}


def _value(attribute: Attribute) -> dict[str, Any]:
    """Return an attribute as the API has it; empty when it has no value."""
    member = VALUES.get(attribute.AttrType, "")
    value = getattr(attribute, member) if member else None
    return {} if value is None else {member: value}
