"""Automatic backfill: a session of a configuration with BackfillMode AUTOMATIC has a ticket whenever it has free player slots.

What is to be done is worked out by a timer that is due at once after anything has changed. Source: FlexMatch Developer
Guide, "Turn on automatic backfill".
"""

from typing import Any

from apitrail.services.context import Context
from apitrail.services.gamelift import sessions
from apitrail.services.gamelift.acceptance import stop_ticket
from apitrail.services.gamelift.backfill_sessions import find_session, free_slots, new_auto_ticket, rename_auto_ticket
from apitrail.services.gamelift.collections import (
    AUTO_TICKETS,
    GAME_SESSIONS,
    MATCHMAKING_CONFIGURATIONS,
    PLAYER_SESSIONS,
    ROSTERS,
    TICKETS,
    WAITING_TICKET,
)
from apitrail.services.gamelift.matchmaking_rules import rules_of
from apitrail.services.gamelift.moments import SESSION_ACTIVE, SESSION_ENDED, SLOTS_CHANGED, TICKET_ENDED
from apitrail.services.gamelift.session_facts import player_listing
from apitrail.services.gamelift.ticket_steps import note_change, open_ticket, put_ticket
from apitrail.services.operation import timer
from apitrail.store.resources import Doc

REVIEW = "gamelift/review-backfill"
FULL_TEXT = "Cancelled because the game session takes no more players."
ENDED_TEXT = "Cancelled because the game session has ended."


@SESSION_ACTIVE.follow
@SLOTS_CHANGED.follow
def review_soon(ctx: Context, session: Doc) -> None:
    """Have a session looked at that is filled automatically."""
    if session.get("_Matchmaking", {}).get("AutoTicket") is not None:
        ctx.schedule(REVIEW, {"Key": sessions.key_of(session)}, 0)


@TICKET_ENDED.follow
def review_after(ctx: Context, ticket: Doc) -> None:
    """Have a session looked at whose ticket has timed out."""
    if ticket["Status"] == "TIMED_OUT" and ticket.get("_Backfill"):
        there, session = find_session(ctx, ticket["_Backfill"])
        if session is not None:
            review_soon(there, session)


@SESSION_ENDED.follow
def session_ended(ctx: Context, session: Doc) -> None:
    """Cancel the tickets that were to fill a session, and forget who was in its teams."""
    made_by = session.get("_Matchmaking")
    if made_by is None:
        return
    here = ctx.in_region(made_by["Region"])
    for entry in TICKETS(here).find("session", session["GameSessionId"]):
        if entry.doc["Status"] != "PLACING":
            stop_ticket(here, entry.doc, ENDED_TEXT)
    ROSTERS(here).delete(session["GameSessionId"])
    AUTO_TICKETS(here).delete(made_by["AutoTicket"] or "")


def stop_automatic(ctx: Context, ticket_id: str) -> bool:
    """End the automatic backfill of the session that names a ticket in its MatchmakerData; return whether there is one."""
    named = AUTO_TICKETS(ctx).get(ticket_id)
    if named is None:
        return False
    AUTO_TICKETS(ctx).delete(ticket_id)
    there, session = find_session(ctx, named["GameSessionArn"])
    if session is not None:
        session["_Matchmaking"]["AutoTicket"] = None
        sessions.put_session(there, session)
    return True


@timer(REVIEW)
def review(ctx: Context, doc: Doc) -> None:
    """Open, change or cancel the ticket of a session, as its slots and players are now."""
    session = GAME_SESSIONS(ctx).get(doc["Key"])
    if session is None or session["Status"] != "ACTIVE" or session["_Matchmaking"]["AutoTicket"] is None:
        return
    here = ctx.in_region(session["_Matchmaking"]["Region"])
    configuration = MATCHMAKING_CONFIGURATIONS(here).get(session["_Matchmaking"]["Configuration"])
    if configuration is None:
        return
    AUTO_TICKETS(here).put(session["_Matchmaking"]["AutoTicket"], {"GameSessionArn": session["GameSessionId"]})
    there = _present(ctx, here, session)
    seats = rules_of(here, configuration).players_max - configuration["AdditionalPlayerCount"]
    wanted = free_slots(session) > 0 and len(there) < seats
    current = next((entry.doc for entry in TICKETS(here).find("session", session["GameSessionId"], 1)), None)
    if current is None:
        if wanted and there:
            _open(ctx, here, configuration, session, there)
    elif current["TicketId"] == session["_Matchmaking"]["AutoTicket"] and current["Status"] in WAITING_TICKET:
        _follow(here, current, there if wanted else [])


def _present(ctx: Context, here: Context, session: Doc) -> list[Any]:
    """Return the players of a session's teams who are still in it."""
    roster: Doc = (ROSTERS(here).get(session["GameSessionId"]) or {}).get("Players", {})
    listed = (
        entry.doc["PlayerId"]
        for status in ("RESERVED", "ACTIVE")
        for entry in PLAYER_SESSIONS(ctx).find("listing", player_listing(session["GameSessionId"], status))
    )
    present = set(listed)
    return [player for name, player in roster.items() if name in present]


def _open(ctx: Context, here: Context, configuration: Doc, session: Doc, players: list[Any]) -> None:
    """Open the ticket that the session's MatchmakerData names, or, when that was used, one with a new name."""
    ticket_id = session["_Matchmaking"]["AutoTicket"]
    if TICKETS(here).has(ticket_id):
        AUTO_TICKETS(here).delete(ticket_id)
        ticket_id = new_auto_ticket(here)
        rename_auto_ticket(ctx, session, ticket_id)
        AUTO_TICKETS(here).put(ticket_id, {"GameSessionArn": session["GameSessionId"]})
    open_ticket(here, configuration, ticket_id, players, session=session["GameSessionId"])


def _follow(here: Context, ticket: Doc, players: list[Any]) -> None:
    """Let a ticket be about the players who are there; without any it ends."""
    if not players:
        stop_ticket(here, ticket, FULL_TEXT)
    elif players != ticket["Players"]:
        ticket["Players"] = players
        put_ticket(here, ticket)
        note_change(here, ticket["TicketId"])
