"""What happens to player sessions: a slot is reserved, taken, given back, or lost after 60 seconds.

The steps are those of states.PLAYER_SESSION. A game session counts those that are RESERVED or ACTIVE in
CurrentPlayerSessionCount, and those that are ACTIVE in `_Connected`. Whoever calls stores the game session, except
where a function says otherwise. Source: API Reference, PlayerSession; GameLift Developer Guide.
"""

from collections.abc import Mapping, Sequence

from apitrail.services.context import Context
from apitrail.services.gamelift.collections import GAME_SESSIONS, PLAYER_SESSIONS
from apitrail.services.gamelift.moments import SLOTS_CHANGED
from apitrail.services.gamelift.session_facts import player_listing
from apitrail.services.gamelift.states import GONE, PLAYER_SESSION
from apitrail.services.operation import timer
from apitrail.store.resources import Doc

RESERVATION_OVER = "gamelift/player-reservation-over"

RESERVATION_S = 60.0
"""How long a slot is kept for a player who does not come."""

FORGET_COUNT = 500
"""Player sessions that are removed in one transaction."""

COPIED = ("GameSessionId", "FleetId", "FleetArn", "IpAddress", "DnsName", "Port")


def reserve(ctx: Context, key: str, session: Doc, player_ids: Sequence[str], data: Mapping[str, str]) -> list[Doc]:
    """Reserve a slot for each player and return the player sessions, in the same order.

    key: the id under which the game session is kept. data: PlayerData by player id.
    """
    reserved = [_new(ctx, session, player_id, data.get(player_id)) for player_id in player_ids]
    for player in reserved:
        PLAYER_SESSIONS(ctx).add(player["PlayerSessionId"], player)
    session["CurrentPlayerSessionCount"] += len(reserved)
    ids = [player["PlayerSessionId"] for player in reserved]
    ctx.schedule(RESERVATION_OVER, {"Key": key, "Ids": ids}, RESERVATION_S)
    return reserved


def accept(ctx: Context, session: Doc, player: Doc) -> None:
    """Take a player session from RESERVED to ACTIVE: its player is connected."""
    _step(player, "ACTIVE")
    player["_AcceptedAt"] = ctx.now
    _put(ctx, player)
    session["_Connected"] = session.get("_Connected", 0) + 1


def remove(ctx: Context, session: Doc, player: Doc) -> None:
    """Take a player session to COMPLETED and free its slot."""
    _finish(ctx, session, player, "COMPLETED")


def end_all(ctx: Context, session: Doc) -> None:
    """End every player session of a game session that ends: who was connected is COMPLETED, who was not TIMEDOUT."""
    for status, target in (("RESERVED", "TIMEDOUT"), ("ACTIVE", "COMPLETED")):
        for entry in PLAYER_SESSIONS(ctx).find("listing", player_listing(session["GameSessionId"], status)):
            _finish(ctx, session, entry.doc, target)


def forget_all(ctx: Context, session: Doc) -> bool:
    """Remove player sessions of a game session, a bounded number at a time; return whether all are gone."""
    found = PLAYER_SESSIONS(ctx).find("listing", player_listing(session["GameSessionId"]), FORGET_COUNT)
    for entry in found:
        PLAYER_SESSIONS(ctx).delete(entry.id)
        _step(entry.doc, GONE)
    return len(found) < FORGET_COUNT


@timer(RESERVATION_OVER)
def reservation_over(ctx: Context, doc: Doc) -> None:
    """Free the slots that nobody has taken, and store the game session."""
    session = GAME_SESSIONS(ctx).get(doc["Key"])
    found = [PLAYER_SESSIONS(ctx).get(id) for id in doc["Ids"]]
    late = [player for player in found if player is not None and player["Status"] == "RESERVED"]
    if session is None or not late:
        return
    for player in late:
        _finish(ctx, session, player, "TIMEDOUT")
    GAME_SESSIONS(ctx).put(doc["Key"], session)
    SLOTS_CHANGED.tell(ctx, session)


def _new(ctx: Context, session: Doc, player_id: str, data: str | None) -> Doc:
    return {
        "PlayerSessionId": ctx.ids.new("psess"),
        "PlayerId": player_id,
        **{name: session[name] for name in COPIED if name in session},
        "CreationTime": ctx.now,
        "Status": PLAYER_SESSION.step(GONE, "RESERVED").target,
        **({} if data is None else {"PlayerData": data}),
    }


def _finish(ctx: Context, session: Doc, player: Doc, status: str) -> None:
    if player["Status"] == "ACTIVE":
        session["_Connected"] -= 1
    session["CurrentPlayerSessionCount"] -= 1
    _step(player, status)
    player["TerminationTime"] = ctx.now
    _put(ctx, player)


def _put(ctx: Context, player: Doc) -> None:
    PLAYER_SESSIONS(ctx).put(player["PlayerSessionId"], player)


def _step(player: Doc, target: str) -> None:
    player["Status"] = PLAYER_SESSION.step(player["Status"], target).target
