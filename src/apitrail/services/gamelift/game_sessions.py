"""Game sessions: creating, listing, changing and ending them, and where their logs are.

What happens to them over time is in sessions.py, searching them in session_search.py.
Source: GameLift API Reference, the operations on game sessions.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson

from apitrail.services.context import Context
from apitrail.services.gamelift import sessions
from apitrail.services.gamelift.agents_access import is_attended
from apitrail.services.gamelift.capacity import scale_from_zero
from apitrail.services.gamelift.collections import GAME_SESSIONS, PROCESSES
from apitrail.services.gamelift.errors import (
    FleetCapacityExceededException,
    IdempotentParameterMismatchException,
    InvalidFleetStatusException,
    InvalidGameSessionStatusException,
    InvalidRequestException,
    LimitExceededException,
    NotFoundException,
)
from apitrail.services.gamelift.fleets_access import (
    find_location,
    get_fleet,
    is_anywhere,
    is_working,
    require_active,
    resolve_fleet,
)
from apitrail.services.gamelift.moments import SLOTS_CHANGED
from apitrail.services.gamelift.pages import page_of
from apitrail.services.gamelift.pool import count_players
from apitrail.services.gamelift.session_facts import creation_prefix, listing, millis
from apitrail.services.gamelift.session_logs import log_url
from apitrail.services.operation import operation
from apitrail.store.resources import Doc

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import (
        CreateGameSessionInputTypeDef,
        DescribeGameSessionDetailsInputTypeDef,
        DescribeGameSessionsInputTypeDef,
        GetGameSessionLogUrlInputTypeDef,
        TerminateGameSessionInputTypeDef,
        UpdateGameSessionInputTypeDef,
    )

PLAYERS_MAX = 200
PROPERTIES_MAX = 16
LIST_COUNT_MAX = 100
"""Game sessions per page, whatever the Limit, since each may have 256 KiB of data. Inferred."""

STATUSES = ("ACTIVE", "ACTIVATING", "TERMINATED", "TERMINATING")
"""What StatusFilter may be."""

END_REASONS = {"TRIGGER_ON_PROCESS_TERMINATE": "TRIGGERED_ON_PROCESS_TERMINATE", "FORCE_TERMINATE": "FORCE_TERMINATED"}
COPIED = ("MaximumPlayerSessionCount", "Name", "GameProperties", "CreatorId", "GameSessionData")
CHANGED = ("MaximumPlayerSessionCount", "Name", "PlayerSessionCreationPolicy")
CREATOR_PAUSE = timedelta(seconds=1)
"""How long a creator waits between sessions on a fleet without a limit policy. Inferred."""


@operation
def create_game_session(ctx: Context, params: "CreateGameSessionInputTypeDef") -> dict[str, Any]:
    """Begin a game session on a free process of a fleet and return it, ACTIVATING.

    Where slow steps are immediate (`gamelift.delay_scale` 0), one on a virtual process is ACTIVE when it is looked at.
    With an IdempotencyToken (or GameSessionId, its old name) that was used on the fleet before, and the same
    parameters, returns the session made then, as it is now.
    Raises: InvalidRequestException; NotFoundException; TerminalRoutingStrategyException; InvalidFleetStatusException;
    IdempotentParameterMismatchException; LimitExceededException (creator); FleetCapacityExceededException.
    Inferred: neither a fleet that is no longer ACTIVE nor a limit stands in the way of a repeated token.
    """
    token = _check_new(params)
    fleet = resolve_fleet(ctx, params)
    digest = hashlib.sha256(orjson.dumps(params, option=orjson.OPT_SORT_KEYS)).digest()[:16]
    known = None if token is None else GAME_SESSIONS(ctx).get(sessions.session_key(fleet["FleetId"], token))
    if known is not None:
        return {"GameSession": sessions.complete(ctx, _same_request(known, digest))}
    location = _location_of(ctx, fleet, params.get("Location"))
    _check_creator(ctx, fleet, params.get("CreatorId"))
    members = {name: value for name, value in params.items() if name in COPIED}
    members["_Request"] = digest
    at_once = ctx.settings.gamelift.delay_scale == 0
    session = sessions.begin(ctx, fleet, location, token or ctx.ids.new("gsess"), members, at_once=at_once)
    if session is None:
        fleet_id: str = fleet["FleetId"]
        raise FleetCapacityExceededException(
            f"Unable to reserve a process on fleet {fleet_id}.",
            effect=lambda later: scale_from_zero(later, fleet_id, location),
        )
    return {"GameSession": session}


@operation
def describe_game_sessions(ctx: Context, params: "DescribeGameSessionsInputTypeDef") -> dict[str, Any]:
    """Return game sessions: one, or a fleet's in the order of their creation, in one location or status or all.

    Raises: InvalidRequestException; NotFoundException; TerminalRoutingStrategyException.
    Inferred: an unknown session is not found; any status but the four of the text is refused.
    """
    found, token = _list(ctx, "DescribeGameSessions", params)
    return {"GameSessions": found, "NextToken": token}


@operation
def describe_game_session_details(ctx: Context, params: "DescribeGameSessionDetailsInputTypeDef") -> dict[str, Any]:
    """Return game sessions with their protection policy, chosen as in DescribeGameSessions.

    Raises: InvalidRequestException; NotFoundException; TerminalRoutingStrategyException.
    """
    found, token = _list(ctx, "DescribeGameSessionDetails", params)
    details = [{"GameSession": session, "ProtectionPolicy": session["_ProtectionPolicy"]} for session in found]
    return {"GameSessionDetails": details, "NextToken": token}


@operation
def update_game_session(ctx: Context, params: "UpdateGameSessionInputTypeDef") -> dict[str, Any]:
    """Change a live game session and return it; game properties are added or replaced, never removed.

    Raises: InvalidRequestException; NotFoundException; InvalidGameSessionStatusException.
    Inferred: MaximumPlayerSessionCount must not fall below the players that are there.
    """
    _check_slots(params)
    _check_properties(params.get("GameProperties", ()))
    session = sessions.get_session(ctx, params["GameSessionId"])
    if session["Status"] not in ("ACTIVE", "ACTIVATING"):
        raise _wrong_status(session, "it can be changed while it is ACTIVE or ACTIVATING")
    slots = params.get("MaximumPlayerSessionCount", session["MaximumPlayerSessionCount"])
    if slots < session["CurrentPlayerSessionCount"]:
        raise InvalidRequestException(
            f"MaximumPlayerSessionCount {slots} is less than the {session['CurrentPlayerSessionCount']} players of game "
            f"session {session['GameSessionId']}."
        )
    if "GameProperties" in params:
        session["GameProperties"] = _merged(session.get("GameProperties", ()), params["GameProperties"])
    if session["Status"] == "ACTIVE":
        count_players(ctx, session["_Process"], slots=slots - session["MaximumPlayerSessionCount"])
    session |= {name: value for name, value in params.items() if name in CHANGED}
    session["_ProtectionPolicy"] = params.get("ProtectionPolicy", session["_ProtectionPolicy"])
    sessions.put_session(ctx, session)
    SLOTS_CHANGED.tell(ctx, session)
    return {"GameSession": sessions.complete(ctx, session)}


@operation
def terminate_game_session(ctx: Context, params: "TerminateGameSessionInputTypeDef") -> dict[str, Any]:
    """End a game session and return it, TERMINATING; it is TERMINATED when its process has ended.

    TRIGGER_ON_PROCESS_TERMINATE asks the process to end, FORCE_TERMINATE ends it. A virtual process ends at once.
    Raises: NotFoundException; InvalidGameSessionStatusException (ended, ERROR); InvalidRequestException (a process on
    a compute of the user's own, whose agent is not connected, can only be asked).
    """
    session = sessions.get_session(ctx, params["GameSessionId"])
    if session["Status"] not in sessions.LIVE:
        raise _wrong_status(session, "it has ended already")
    force = params["TerminationMode"] == "FORCE_TERMINATE"
    process = PROCESSES(ctx).get(session["_Process"])
    if force and process is not None and not _can_be_forced(ctx, process):
        raise InvalidRequestException(
            f"The process of game session {session['GameSessionId']} runs on a compute of your own without a "
            "connected agent and cannot be ended from here; use TRIGGER_ON_PROCESS_TERMINATE."
        )
    sessions.terminate(ctx, session, END_REASONS[params["TerminationMode"]], at_once=force)
    return {"GameSession": sessions.complete(ctx, session)}


@operation
def get_game_session_log_url(ctx: Context, params: "GetGameSessionLogUrlInputTypeDef") -> dict[str, Any]:
    """Return a URL to download the log of an ended game session as a zip; the URL works for 15 minutes.

    Raises: InvalidRequestException; NotFoundException (session; no log yet, or not any more).
    """
    session = sessions.get_session(ctx, params["GameSessionId"])
    if not session.get("_Log"):
        raise NotFoundException(
            f"Game session {session['GameSessionId']} has no log; there is one from its end on, for 14 days."
        )
    return {"PreSignedUrl": log_url(ctx, sessions.key_of(session))}


def _can_be_forced(ctx: Context, process: Doc) -> bool:
    """Return whether a process can be ended without its help: by its host, or by the agent of its compute."""
    if process["Virtual"] or is_attended(ctx, process):
        return True
    return not is_anywhere(get_fleet(ctx, process["FleetId"]))


def _check_new(params: Mapping[str, Any]) -> str | None:
    """Check the parameters of a new session by themselves and return its idempotency token, if it has one."""
    if ("FleetId" in params) == ("AliasId" in params):
        raise InvalidRequestException("Exactly one of FleetId and AliasId must be given.")
    _check_slots(params)
    _check_properties(params.get("GameProperties", ()))
    tokens = {value for name, value in params.items() if name in ("IdempotencyToken", "GameSessionId")}
    if len(tokens) > 1:
        raise InvalidRequestException("GameSessionId is the old name of IdempotencyToken; the two must not differ.")
    return next(iter(tokens), None)


def _check_slots(params: Mapping[str, Any]) -> None:
    if params.get("MaximumPlayerSessionCount", 0) > PLAYERS_MAX:
        raise InvalidRequestException(f"MaximumPlayerSessionCount must not be greater than {PLAYERS_MAX}.")


def _check_properties(properties: Sequence[Any]) -> None:
    keys = [item["Key"] for item in properties]
    if len(set(keys)) < len(keys):
        raise InvalidRequestException("GameProperties must not have the same key twice.")


def _same_request(session: Doc, digest: bytes) -> Doc:
    if session.get("_Request") != digest:
        raise IdempotentParameterMismatchException(
            f"Game session {session['GameSessionId']} was created with other parameters."
        )
    return session


def _location_of(ctx: Context, fleet: Doc, asked: str | None) -> str:
    """Return the location for a new session of an active fleet. Inferred: one that is not ACTIVE is the fleet's status."""
    require_active(fleet)
    if asked is None and is_anywhere(fleet):
        raise InvalidRequestException(f"Fleet {fleet['FleetId']} is an Anywhere fleet; Location must be given.")
    location = find_location(ctx, fleet, asked or ctx.region)
    if location is None:
        raise InvalidRequestException(f"Fleet {fleet['FleetId']} has no location {asked or ctx.region}.")
    if not is_working(location):
        raise InvalidFleetStatusException(
            f"Location {location['Location']} of fleet {fleet['FleetId']} is in status {location['Status']}; it must be "
            "ACTIVE."
        )
    return str(location["Location"])


def _check_creator(ctx: Context, fleet: Doc, creator_id: str | None) -> None:
    """Hold a creator to the fleet's ResourceCreationLimitPolicy, or to one session per second without one."""
    policy = fleet.get("ResourceCreationLimitPolicy") or fleet.get("GameSessionCreationLimitPolicy") or {}
    allowed, minutes = policy.get("NewGameSessionsPerCreator", 0), policy.get("PolicyPeriodInMinutes", 0)
    limited = bool(allowed and minutes)
    if creator_id is None:
        if limited:
            raise InvalidRequestException(f"Fleet {fleet['FleetId']} limits creators; CreatorId must be given.")
        return
    period, allowed = (timedelta(minutes=minutes), allowed) if limited else (CREATOR_PAUSE, 1)
    prefix = creation_prefix(fleet["FleetId"], creator_id)
    low, high = (f"{prefix}{at:015d}" for at in (millis(ctx.now - period) + 1, millis(ctx.now) + 1))
    if GAME_SESSIONS(ctx).count_between("creation", low, high, allowed) >= allowed:
        raise LimitExceededException(
            f"This creator may create {allowed} game sessions on fleet {fleet['FleetId']} within {period}."
        )


def _list(ctx: Context, operation: str, params: Mapping[str, Any]) -> tuple[list[Doc], str | None]:
    """Return the page of game sessions that DescribeGameSessions and DescribeGameSessionDetails are about."""
    status, location = params.get("StatusFilter"), params.get("Location")
    if status is not None and status not in STATUSES:
        raise InvalidRequestException(f"StatusFilter must be one of {', '.join(STATUSES)}.")
    if sum(name in params for name in ("FleetId", "AliasId", "GameSessionId")) != 1:
        raise InvalidRequestException("Exactly one of FleetId, AliasId and GameSessionId must be given.")
    if "GameSessionId" in params:
        session = sessions.get_session(ctx, params["GameSessionId"])
        wanted = status in (None, session["Status"]) and location in (None, session["Location"])
        return ([sessions.complete(ctx, session)] if wanted else []), None
    fleet = resolve_fleet(ctx, params)
    where = ("listing", listing(fleet["FleetId"], location, status))
    page, token = page_of(ctx, operation, params, GAME_SESSIONS(ctx), cap=LIST_COUNT_MAX, where=where)
    return [sessions.complete(ctx, session) for session in page], token


def _merged(before: Sequence[Any], changes: Sequence[Any]) -> list[dict[str, str]]:
    values = {item["Key"]: item["Value"] for item in (*before, *changes)}
    if len(values) > PROPERTIES_MAX:
        raise InvalidRequestException(
            f"The game session would have {len(values)} game properties; at most {PROPERTIES_MAX} are allowed."
        )
    return [{"Key": key, "Value": value} for key, value in values.items()]


def _wrong_status(session: Doc, why: str) -> InvalidGameSessionStatusException:
    return InvalidGameSessionStatusException(
        f"Game session {session['GameSessionId']} is in status {session['Status']}; {why}."
    )
