"""What connected game servers ask for: each action of the server SDK, in one transaction.

Source: server SDK 5, messages of the process to the service. GetFleetRoleCredentials, which calls
another service, is in gateway/sdk_roles.py.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

from apitrail.errors import ServiceError
from apitrail.services.context import Context
from apitrail.services.gamelift import agents, process_life, processes, sdk_shapes
from apitrail.services.gamelift.collections import COMPUTES
from apitrail.services.gamelift.game_sessions import update_game_session
from apitrail.services.gamelift.player_sessions import describe_player_sessions
from apitrail.services.gamelift.process_facts import host_id_of
from apitrail.services.gamelift.sdk_backfill import start_backfill, stop_backfill
from apitrail.services.gamelift.sdk_model import checked
from apitrail.services.gamelift.session_facts import millis
from apitrail.store.resources import Doc


class Caller(NamedTuple):
    """Which process asks."""

    fleet_id: str
    compute_name: str
    process_id: str


class Action(NamedTuple):
    """shape: of the request's members, one of sdk_shapes. body: returns the answer's members; raises ServiceError."""

    shape: type
    body: Callable[[Context, Caller, Any], Mapping[str, Any]]


NOTHING: Mapping[str, Any] = {}

PLAYER_MEMBERS = (
    "PlayerId",
    "PlayerSessionId",
    "GameSessionId",
    "FleetId",
    "PlayerData",
    "IpAddress",
    "Port",
    "DnsName",
    "Status",
)
TIMES = ("CreationTime", "TerminationTime")


def _activate_process(ctx: Context, caller: Caller, said: sdk_shapes.ActivateServerProcess) -> Mapping[str, Any]:
    parts = (said.SdkLanguage, said.SdkVersion, said.SdkToolName, said.SdkToolVersion)
    sdk = " ".join(part for part in parts if part)
    process_life.process_activated(ctx, caller.process_id, said.Port, said.LogPaths or (), sdk)
    agents.process_registered(ctx, caller.process_id, said.LogPaths or ())
    return NOTHING


def _heartbeat(ctx: Context, caller: Caller, said: sdk_shapes.HeartbeatServerProcess) -> Mapping[str, Any]:
    process_life.process_reported(ctx, caller.process_id, healthy=said.HealthStatus)
    return NOTHING


def _activate_session(ctx: Context, caller: Caller, said: sdk_shapes.ActivateGameSession) -> Mapping[str, Any]:
    processes.activate_session(ctx, caller.process_id, said.GameSessionId)
    agents.session_activated(ctx, caller.process_id, said.GameSessionId)
    return NOTHING


def _update_policy(
    ctx: Context, caller: Caller, said: sdk_shapes.UpdatePlayerSessionCreationPolicy
) -> Mapping[str, Any]:
    processes.session_on(ctx, caller.process_id, said.GameSessionId)
    policy = {"GameSessionId": said.GameSessionId, "PlayerSessionCreationPolicy": said.PlayerSessionPolicy}
    update_game_session(ctx, cast(Any, policy))
    return NOTHING


def _accept_player(ctx: Context, caller: Caller, said: sdk_shapes.PlayerSessionOf) -> Mapping[str, Any]:
    processes.accept_player(ctx, caller.process_id, said.GameSessionId, said.PlayerSessionId)
    return NOTHING


def _remove_player(ctx: Context, caller: Caller, said: sdk_shapes.PlayerSessionOf) -> Mapping[str, Any]:
    processes.remove_player(ctx, caller.process_id, said.GameSessionId, said.PlayerSessionId)
    return NOTHING


def _describe_players(ctx: Context, caller: Caller, said: sdk_shapes.DescribePlayerSessions) -> Mapping[str, Any]:
    """Return player sessions, only those of the caller's own fleet."""
    params = checked("DescribePlayerSessions", {name: getattr(said, name) for name in said.__struct_fields__})
    found = describe_player_sessions(ctx, cast(Any, params)) or {}
    own = [_player(doc) for doc in found["PlayerSessions"] if doc["FleetId"] == caller.fleet_id]
    token = found.get("NextToken")
    return {"PlayerSessions": own, **({"NextToken": token} if token else {})}


def _start_backfill(ctx: Context, caller: Caller, said: sdk_shapes.StartMatchBackfill) -> Mapping[str, Any]:
    return start_backfill(ctx, caller.process_id, said)


def _stop_backfill(ctx: Context, caller: Caller, said: sdk_shapes.StopMatchBackfill) -> Mapping[str, Any]:
    return stop_backfill(ctx, caller.process_id, said)


def _certificate(ctx: Context, caller: Caller, _: sdk_shapes.Nothing) -> Mapping[str, Any]:
    compute = COMPUTES(ctx).get(host_id_of(caller.fleet_id, caller.compute_name)) or {}
    return {"CertificatePath": compute.get("_CertificatePath", ""), "ComputeName": caller.compute_name}


def _end_process(ctx: Context, caller: Caller, _: sdk_shapes.Nothing) -> Mapping[str, Any]:
    process_life.process_ending(ctx, caller.process_id)
    return NOTHING


ACTIONS: Mapping[str, Action] = {
    "ActivateServerProcess": Action(sdk_shapes.ActivateServerProcess, _activate_process),
    "HeartbeatServerProcess": Action(sdk_shapes.HeartbeatServerProcess, _heartbeat),
    "ActivateGameSession": Action(sdk_shapes.ActivateGameSession, _activate_session),
    "UpdatePlayerSessionCreationPolicy": Action(sdk_shapes.UpdatePlayerSessionCreationPolicy, _update_policy),
    "AcceptPlayerSession": Action(sdk_shapes.PlayerSessionOf, _accept_player),
    "RemovePlayerSession": Action(sdk_shapes.PlayerSessionOf, _remove_player),
    "DescribePlayerSessions": Action(sdk_shapes.DescribePlayerSessions, _describe_players),
    "StartMatchBackfill": Action(sdk_shapes.StartMatchBackfill, _start_backfill),
    "StopMatchBackfill": Action(sdk_shapes.StopMatchBackfill, _stop_backfill),
    "GetComputeCertificate": Action(sdk_shapes.Nothing, _certificate),
    "TerminateServerProcess": Action(sdk_shapes.Nothing, _end_process),
}
"""What is done in a transaction, by the request's Action."""

STATUSES: Mapping[str, int] = {
    "UnauthorizedException": 401,
    "AccessDeniedException": 403,
    "AccessDenied": 403,
    "NotFoundException": 404,
    "ConflictException": 409,
    "NotReadyException": 412,
    "LimitExceededException": 429,
}

BAD_REQUEST = 400
"""StatusCode of every other error of the caller's, and of all errors about sessions: those count as a wrong session."""

ABOUT_SESSIONS = frozenset(
    {"ActivateGameSession", "UpdatePlayerSessionCreationPolicy", "AcceptPlayerSession", "RemovePlayerSession"}
)


def status_of(action: str, error: ServiceError) -> int:
    """Return the StatusCode of an answer that is an error."""
    if error.error_status >= 500:
        return error.error_status
    return BAD_REQUEST if action in ABOUT_SESSIONS else STATUSES.get(error.error_code, BAD_REQUEST)


def _player(doc: Doc) -> dict[str, Any]:
    """Return a player session as SDKs know it: with times in milliseconds."""
    times = {name: millis(doc[name]) for name in TIMES if name in doc}
    return {**{name: doc[name] for name in PLAYER_MEMBERS if name in doc}, **times}
