"""Game sessions that matchmaking has made, and filling them with more players.

Such a session has `_Matchmaking`: {Region, Configuration, ConfigurationArn, AutoTicket}. Region: of the configuration.
AutoTicket: the id of the ticket by which it is filled automatically, as its MatchmakerData has it; None where that is off.
Who is in its teams is kept in `ROSTERS`, in the configuration's region, under the session's ARN.
Source: FlexMatch Developer Guide; server SDK 5, UpdateGameSession.
"""

from collections.abc import Sequence

import orjson

from apitrail.services.context import Context
from apitrail.services.gamelift import players, process_messages, sessions
from apitrail.services.gamelift.arns import parse_game_session
from apitrail.services.gamelift.collections import GAME_SESSION_TEXTS, GAME_SESSIONS, PROCESSES
from apitrail.services.gamelift.moments import SLOTS_CHANGED, TICKET_ENDED
from apitrail.services.gamelift.texts import put_aside
from apitrail.store.resources import Doc

UPDATED = "MATCHMAKING_DATA_UPDATED"
ENDINGS = {"FAILED": "BACKFILL_FAILED", "TIMED_OUT": "BACKFILL_TIMED_OUT", "CANCELLED": "BACKFILL_CANCELLED"}
"""What a game server is told of a backfill ticket that has come to nothing."""


def new_auto_ticket(ctx: Context) -> str:
    """Return the id of the next ticket of automatic backfill. Inferred: its form."""
    return ctx.ids.new("auto-backfill")


def find_session(ctx: Context, arn: str) -> tuple[Context, Doc | None]:
    """Return the game session of an ARN, of whatever region, and that region's context."""
    name = parse_game_session(arn)
    if name is None:
        return ctx, None
    there = ctx.in_region(name.region)
    session = GAME_SESSIONS(there).get(sessions.session_key(name.fleet_id, name.tail))
    return there, session if session is not None and session["GameSessionId"] == arn else None


def free_slots(session: Doc) -> int:
    """Return how many more players a session takes now."""
    if session["Status"] != "ACTIVE" or session["PlayerSessionCreationPolicy"] == "DENY_ALL":
        return 0
    return int(session["MaximumPlayerSessionCount"] - session["CurrentPlayerSessionCount"])


def has_room(ctx: Context, arn: str, count: int) -> bool:
    """Return whether so many players can be added to a session."""
    _, session = find_session(ctx, arn)
    return session is not None and free_slots(session) >= count


def fill_session(
    ctx: Context, backfill: Doc, new_players: Sequence[str], data: str, auto_ticket: str | None
) -> tuple[Doc, dict[str, str]]:
    """Add players to the session of a backfill ticket, and tell its process the new MatchmakerData.

    Returns what their tickets say of the session, and the player session ids by player. There must be room.
    """
    there, session = find_session(ctx, backfill["_Backfill"])
    assert session is not None, backfill["_Backfill"]
    reserved = players.reserve(there, sessions.key_of(session), session, new_players, {})
    if session["_Matchmaking"]["AutoTicket"] is not None:
        session["_Matchmaking"]["AutoTicket"] = auto_ticket
    put_data(there, session, data, backfill["TicketId"])
    SLOTS_CHANGED.tell(there, session)
    names = ("IpAddress", "DnsName", "Port", "PlayerGatewayStatus")
    connection = {
        "GameSessionArn": session["GameSessionId"],
        **{name: session[name] for name in names if name in session},
    }
    return connection, {player["PlayerId"]: player["PlayerSessionId"] for player in reserved}


def put_data(there: Context, session: Doc, data: str, ticket_id: str) -> None:
    """Give a session other MatchmakerData, store it, and tell its process."""
    session["MatchmakerData"] = data
    put_aside(GAME_SESSION_TEXTS(there), sessions.key_of(session), session)
    sessions.put_session(there, session)
    _tell_process(there, session, UPDATED, ticket_id)


def rename_auto_ticket(there: Context, session: Doc, ticket_id: str) -> None:
    """Give the next ticket of automatic backfill another id, and tell the process."""
    session["_Matchmaking"]["AutoTicket"] = ticket_id
    data = orjson.loads(sessions.complete(there, session)["MatchmakerData"])
    put_data(there, session, orjson.dumps(data | {"autoBackfillTicketId": ticket_id}).decode(), ticket_id)


@TICKET_ENDED.follow
def tell_ending(ctx: Context, ticket: Doc) -> None:
    """Tell the process of a session when a ticket that was to fill it has come to nothing."""
    reason = ENDINGS.get(ticket["Status"])
    if reason is None or not ticket.get("_Backfill"):
        return
    there, session = find_session(ctx, ticket["_Backfill"])
    if session is not None and session["Status"] == "ACTIVE":
        _tell_process(there, session, reason, ticket["TicketId"])


def _tell_process(there: Context, session: Doc, reason: str, ticket_id: str) -> None:
    process = PROCESSES(there).get(session["_Process"])
    if process is not None:
        process_messages.update_session(there, process, sessions.complete(there, session), reason, ticket_id)
