"""Player sessions: reserving slots for players, listing them, and where players connect to.

What happens to them over time is in players.py. Source: GameLift API Reference, the operations on player sessions.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from apitrail.services.context import Context
from apitrail.services.gamelift import players, sessions
from apitrail.services.gamelift.collections import PLAYER_SESSIONS
from apitrail.services.gamelift.errors import (
    GameSessionFullException,
    InvalidGameSessionStatusException,
    InvalidRequestException,
    NotFoundException,
)
from apitrail.services.gamelift.moments import SLOTS_CHANGED
from apitrail.services.gamelift.pages import page_of
from apitrail.services.gamelift.session_facts import player_listing
from apitrail.services.gamelift.states import PLAYER_SESSION
from apitrail.services.operation import operation
from apitrail.store.resources import Doc

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import (
        CreatePlayerSessionInputTypeDef,
        CreatePlayerSessionsInputTypeDef,
        DescribePlayerSessionsInputTypeDef,
        GetPlayerConnectionDetailsInputTypeDef,
    )


@operation
def create_player_session(ctx: Context, params: "CreatePlayerSessionInputTypeDef") -> dict[str, Any]:
    """Reserve a slot for a player for 60 seconds and return the player session.

    Raises: NotFoundException; InvalidGameSessionStatusException (not ACTIVE); GameSessionFullException;
    InvalidRequestException (DENY_ALL). Inferred: one player may have several, GameLift keeps no player identity.
    """
    player_id = params["PlayerId"]
    data = {player_id: params["PlayerData"]} if "PlayerData" in params else {}
    return {"PlayerSession": _reserve(ctx, params["GameSessionId"], [player_id], data)[0]}


@operation
def create_player_sessions(ctx: Context, params: "CreatePlayerSessionsInputTypeDef") -> dict[str, Any]:
    """Reserve slots for up to 25 players, all or none, and return their player sessions in the same order.

    PlayerDataMap may name other players as well; they do not count.
    Raises: NotFoundException; InvalidGameSessionStatusException (not ACTIVE); GameSessionFullException;
    InvalidRequestException (DENY_ALL).
    """
    data = params.get("PlayerDataMap", {})
    return {"PlayerSessions": _reserve(ctx, params["GameSessionId"], params["PlayerIds"], data)}


@operation
def describe_player_sessions(ctx: Context, params: "DescribePlayerSessionsInputTypeDef") -> dict[str, Any]:
    """Return player sessions: one, a player's, or a game session's, these in one status or all.

    Raises: InvalidRequestException (not exactly one of the three; unknown status); NotFoundException.
    Inferred: a player without player sessions has an empty list.
    """
    if sum(name in params for name in ("GameSessionId", "PlayerId", "PlayerSessionId")) != 1:
        raise InvalidRequestException("Exactly one of GameSessionId, PlayerId and PlayerSessionId must be given.")
    status = params.get("PlayerSessionStatusFilter", "")
    if status and status not in PLAYER_SESSION.states:
        raise InvalidRequestException(f"PlayerSessionStatusFilter must be one of {', '.join(PLAYER_SESSION.states)}.")
    if "PlayerSessionId" in params:
        return {"PlayerSessions": [_get_player(ctx, params["PlayerSessionId"])]}
    page, token = page_of(
        ctx, "DescribePlayerSessions", params, PLAYER_SESSIONS(ctx), where=_where(ctx, params, status)
    )
    return {"PlayerSessions": page, "NextToken": token}


@operation
def get_player_connection_details(ctx: Context, params: "GetPlayerConnectionDetailsInputTypeDef") -> dict[str, Any]:
    """Return where each player connects to: the game server itself, since there is no player gateway here.

    Raises: NotFoundException; InvalidGameSessionStatusException (not ACTIVE).
    Inferred: players need no player session.
    """
    session = sessions.get_session(ctx, params["GameSessionId"])
    _require_active(session)
    endpoint = {name: session[name] for name in ("IpAddress", "Port") if name in session}
    details = [{"PlayerId": player_id, "Endpoints": [endpoint]} for player_id in params["PlayerIds"]]
    return {"GameSessionId": session["GameSessionId"], "PlayerConnectionDetails": details}


def _reserve(ctx: Context, game_session_id: str, player_ids: Sequence[str], data: Mapping[str, str]) -> list[Doc]:
    session = sessions.get_session(ctx, game_session_id)
    _require_active(session)
    if session["PlayerSessionCreationPolicy"] == "DENY_ALL":
        raise InvalidRequestException(f"Game session {session['GameSessionId']} accepts no new players.")
    free = session["MaximumPlayerSessionCount"] - session["CurrentPlayerSessionCount"]
    if free < len(player_ids):
        raise GameSessionFullException(
            f"Game session {session['GameSessionId']} has {free} free player slots, {len(player_ids)} are needed."
        )
    reserved = players.reserve(ctx, sessions.key_of(session), session, player_ids, data)
    sessions.put_session(ctx, session)
    SLOTS_CHANGED.tell(ctx, session)
    return reserved


def _require_active(session: Doc) -> None:
    if session["Status"] != "ACTIVE":
        raise InvalidGameSessionStatusException(
            f"Game session {session['GameSessionId']} is in status {session['Status']}; it must be ACTIVE."
        )


def _get_player(ctx: Context, id: str) -> Doc:
    player = PLAYER_SESSIONS(ctx).get(id)
    if player is None:
        raise NotFoundException(f"Player session {id} was not found in {ctx.region}.")
    return player


def _where(ctx: Context, params: "DescribePlayerSessionsInputTypeDef", status: str) -> tuple[str, str]:
    """Return the index and value to list by. Raises: NotFoundException for an unknown game session."""
    if "PlayerId" in params:
        return "PlayerId", params["PlayerId"]
    session = sessions.get_session(ctx, params["GameSessionId"])
    return "listing", player_listing(session["GameSessionId"], status)
