"""Acceptance of matches by their players: AcceptMatch, the time that it may take, and what becomes of the tickets.

Source: GameLift API Reference, AcceptMatch; FlexMatch Developer Guide.
"""

from typing import TYPE_CHECKING, Any

from apitrail.services.context import Context
from apitrail.services.gamelift.collections import MATCHES, TICKETS
from apitrail.services.gamelift.errors import InvalidRequestException, NotFoundException
from apitrail.services.gamelift.matches import ACCEPTANCE_OVER, marks_of, place, tickets_of
from apitrail.services.gamelift.matchmaking_events import tell
from apitrail.services.gamelift.ticket_steps import CANCELLED_TEXT, cancel, configuration_of, move, search_again
from apitrail.services.operation import operation, timer
from apitrail.store.resources import Doc

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import AcceptMatchInputTypeDef

ACCEPTED, REJECTED, TIMED_OUT = "Accepted", "Rejected", "TimedOut"
REASONS = {REJECTED: "MatchRejected", TIMED_OUT: "AcceptanceTimedOut"}
"""StatusReason of tickets that go on searching. Inferred."""

OTHERS_TEXT = "Another ticket of the proposed match was not accepted by all its players."
OWN_TEXT = "Not all players of the ticket accepted the proposed match."


@operation
def accept_match(ctx: Context, params: "AcceptMatchInputTypeDef") -> dict[str, Any]:
    """Note that players of a ticket accept or reject the match that was found; of a player the last word counts.

    The first rejection ends the match; when all have accepted, it is placed.
    Raises: NotFoundException; InvalidRequestException (the ticket's status, players of other tickets).
    """
    ticket = TICKETS(ctx).get(params["TicketId"])
    if ticket is None:
        raise NotFoundException(f"Matchmaking ticket {params['TicketId']} was not found in {ctx.region}.")
    if ticket["Status"] != "REQUIRES_ACCEPTANCE":
        raise InvalidRequestException(
            f"Matchmaking ticket {ticket['TicketId']} is in {ticket['Status']} status and has no match to be accepted."
        )
    if not params["PlayerIds"]:
        raise InvalidRequestException("PlayerIds must have at least one item.")
    strangers = set(params["PlayerIds"]) - {player["PlayerId"] for player in ticket["Players"]}
    if strangers:
        raise InvalidRequestException(
            f"{len(strangers)} of the PlayerIds are not of matchmaking ticket {ticket['TicketId']}."
        )
    match = MATCHES(ctx).get(ticket["_Match"])
    assert match is not None, ticket["_Match"]
    match["Accepted"] |= dict.fromkeys(params["PlayerIds"], params["AcceptanceType"] == "ACCEPT")
    MATCHES(ctx).put(match["MatchId"], match)
    tickets = tickets_of(ctx, match)
    tell(ctx, configuration_of(ctx, ticket), "AcceptMatch", tickets, marks_of(match), matchId=match["MatchId"])
    if params["AcceptanceType"] == "REJECT":
        _dissolve(ctx, match, REJECTED)
    elif all(_has_accepted(match, one) for one in tickets):
        _go_on(ctx, match)
    return {}


@timer(ACCEPTANCE_OVER)
def acceptance_over(ctx: Context, doc: Doc) -> None:
    """End a match that not all have accepted in time."""
    match = MATCHES(ctx).get(doc["MatchId"])
    if match is None:
        return
    tickets = tickets_of(ctx, match)
    if tickets and tickets[0]["Status"] == "REQUIRES_ACCEPTANCE":
        _dissolve(ctx, match, TIMED_OUT)


def stop_ticket(ctx: Context, ticket: Doc, message: str = CANCELLED_TEXT) -> None:
    """Cancel a ticket that is not yet placed; a match that waits for acceptance falls through, and the others seek on."""
    match = MATCHES(ctx).get(ticket["_Match"]) if "_Match" in ticket else None
    if match is None:
        cancel(ctx, ticket, message)
        return
    others = [one for one in tickets_of(ctx, match) if one["TicketId"] != ticket["TicketId"]]
    _tell_completed(ctx, match, [ticket, *others], REJECTED)
    MATCHES(ctx).delete(match["MatchId"])
    cancel(ctx, ticket, message)
    for other in others:
        search_again(ctx, other, REASONS[REJECTED], OTHERS_TEXT)


def _has_accepted(match: Doc, ticket: Doc) -> bool:
    """Return whether all players of a ticket have accepted; those of a backfill ticket need not."""
    if ticket["TicketId"] == match["Backfill"]:
        return True
    return all(match["Accepted"].get(player["PlayerId"]) is True for player in ticket["Players"])


def _go_on(ctx: Context, match: Doc) -> None:
    tickets = tickets_of(ctx, match)
    _tell_completed(ctx, match, tickets, ACCEPTED)
    for ticket in tickets:
        move(ctx, ticket, "PLACING")
    place(ctx, configuration_of(ctx, tickets[0]), match, tickets)


def _dissolve(ctx: Context, match: Doc, why: str) -> None:
    """End a match: tickets whose players have all accepted seek on, the others are cancelled."""
    tickets = tickets_of(ctx, match)
    _tell_completed(ctx, match, tickets, why)
    MATCHES(ctx).delete(match["MatchId"])
    for ticket in tickets:
        if _has_accepted(match, ticket):
            search_again(ctx, ticket, REASONS[why], OTHERS_TEXT)
        else:
            cancel(ctx, ticket, OWN_TEXT)


def _tell_completed(ctx: Context, match: Doc, tickets: list[Doc], how: str) -> None:
    configuration = configuration_of(ctx, tickets[0])
    marks = marks_of(match)
    tell(ctx, configuration, "AcceptMatchCompleted", tickets, marks, acceptance=how, matchId=match["MatchId"])
