"""Matchmaking tickets: asked for, seen and stopped.

What happens to them over time is in ticket_steps.py and matches.py. Source: GameLift API Reference, StartMatchmaking,
DescribeMatchmaking, StopMatchmaking.
"""

from typing import TYPE_CHECKING, Any

from apitrail.services.context import Context
from apitrail.services.gamelift.acceptance import stop_ticket
from apitrail.services.gamelift.auto_backfill import stop_automatic
from apitrail.services.gamelift.collections import TICKETS
from apitrail.services.gamelift.errors import InvalidRequestException, NotFoundException
from apitrail.services.gamelift.matchmaking_configurations import get_configuration
from apitrail.services.gamelift.matchmaking_rules import (
    PLAYERS_MAX,
    check_no_teams,
    check_players,
    check_types,
    rules_of,
)
from apitrail.services.gamelift.ticket_steps import open_ticket
from apitrail.services.operation import operation
from apitrail.store.resources import Doc

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import (
        DescribeMatchmakingInputTypeDef,
        StartMatchmakingInputTypeDef,
        StopMatchmakingInputTypeDef,
    )

IDS_MAX = 10
REPLACED_TEXT = "Cancelled because a player of the ticket was entered for matchmaking again."
STOPPABLE = ("QUEUED", "SEARCHING", "REQUIRES_ACCEPTANCE")


@operation
def start_matchmaking(ctx: Context, params: "StartMatchmakingInputTypeDef") -> dict[str, Any]:
    """Enter up to ten players for a match and return their ticket, QUEUED.

    An older ticket of one of the players in this region is cancelled, unless it is being placed already.
    Raises: InvalidRequestException (players, attributes of another type than the rule set's, a TicketId that was used);
    NotFoundException.
    """
    check_players(params["Players"], PLAYERS_MAX)
    check_no_teams(params["Players"])
    configuration = get_configuration(ctx, params["ConfigurationName"])
    check_types(rules_of(ctx, configuration), params["Players"])
    ticket_id = new_ticket_id(ctx, params.get("TicketId"))
    for player in params["Players"]:
        for entry in TICKETS(ctx).find("player", player["PlayerId"]):
            if entry.doc["Status"] in STOPPABLE:
                stop_ticket(ctx, entry.doc, REPLACED_TEXT)
    return {"MatchmakingTicket": open_ticket(ctx, configuration, ticket_id, params["Players"])}


@operation
def describe_matchmaking(ctx: Context, params: "DescribeMatchmakingInputTypeDef") -> dict[str, Any]:
    """Return the tickets of up to ten ids; unknown ones are left out.

    Ended tickets are kept for 30 days. Raises: InvalidRequestException.
    """
    if len(params["TicketIds"]) > IDS_MAX:
        raise InvalidRequestException(f"TicketIds must have at most {IDS_MAX} items, not {len(params['TicketIds'])}.")
    found = (TICKETS(ctx).get(ticket_id) for ticket_id in dict.fromkeys(params["TicketIds"]))
    return {"TicketList": [ticket for ticket in found if ticket is not None]}


@operation
def stop_matchmaking(ctx: Context, params: "StopMatchmakingInputTypeDef") -> dict[str, Any]:
    """Cancel a ticket; that of an automatic backfill ends the automatic backfill of its game session.

    Raises: NotFoundException; InvalidRequestException (it is being placed, or has ended).
    """
    ticket_id = params["TicketId"]
    ticket = TICKETS(ctx).get(ticket_id)
    stopped = stop_automatic(ctx, ticket_id)
    if ticket is None:
        if stopped:
            return {}
        raise NotFoundException(f"Matchmaking ticket {ticket_id} was not found in {ctx.region}.")
    if ticket["Status"] not in STOPPABLE:
        raise InvalidRequestException(_refusal(ticket))
    stop_ticket(ctx, ticket)
    return {}


def new_ticket_id(ctx: Context, asked: str | None) -> str:
    """Return the id of a new ticket, the asked one if any. Raises: InvalidRequestException for one that was used before."""
    if not asked:
        return ctx.ids.next_uuid()
    if TICKETS(ctx).has(asked):
        raise InvalidRequestException(
            f"There is a matchmaking ticket {asked} already; every request needs a new TicketId."
        )
    return asked


def _refusal(ticket: Doc) -> str:
    return f"Matchmaking ticket is in {ticket['Status']} status and cannot be canceled."
