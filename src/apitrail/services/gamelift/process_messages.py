"""What GameLift tells real server processes: announced as `process-message` to whoever holds their connections.

A message is kept until it was announced. Source: server SDK 5, messages to the server process.
"""

from datetime import timedelta
from typing import Any

from apitrail.services.context import Context
from apitrail.services.gamelift.session_facts import millis
from apitrail.services.operation import Deed, announce, effect
from apitrail.services.runtime import Runtime
from apitrail.store.resources import Doc

MESSAGE = "gamelift/process-message"
ANNOUNCED = "process-message"
GONE = "gamelift/process-gone"
GONE_ANNOUNCED = "process-gone"

CREATION_MEMBERS = {
    "GameSessionId": "GameSessionId",
    "Name": "GameSessionName",
    "GameSessionData": "GameSessionData",
    "MatchmakerData": "MatchmakerData",
    "MaximumPlayerSessionCount": "MaximumPlayerSessionCount",
    "Port": "Port",
    "IpAddress": "IpAddress",
    "DnsName": "DnsName",
}
"""Members of CreateGameSession's message by those of the game session."""

UPDATE_MEMBERS = (
    "GameSessionId",
    "Name",
    "FleetId",
    "Location",
    "MaximumPlayerSessionCount",
    "Port",
    "IpAddress",
    "DnsName",
    "GameSessionData",
    "MatchmakerData",
    "Status",
    "StatusReason",
)
"""Members of the game session in UpdateGameSession's message, besides its properties."""


def create_session(ctx: Context, process: Doc, session: Doc) -> None:
    """Tell a process to start a game session."""
    members = {theirs: session[ours] for ours, theirs in CREATION_MEMBERS.items() if ours in session}
    _tell(ctx, process, {"Action": "CreateGameSession", **members, "GameProperties": _properties(session)})


def update_session(ctx: Context, process: Doc, session: Doc, reason: str, ticket_id: str = "") -> None:
    """Tell a process that its game session has changed.

    session: with its long texts. reason: MATCHMAKING_DATA_UPDATED, BACKFILL_FAILED, BACKFILL_TIMED_OUT or BACKFILL_CANCELLED.
    ticket_id: of the backfill. A virtual process is told nothing.
    """
    if process["Virtual"]:
        return
    members = {name: session[name] for name in UPDATE_MEMBERS if name in session}
    message = {"Action": "UpdateGameSession", "GameSession": {**members, "GameProperties": _properties(session)}}
    _tell(ctx, process, {**message, "UpdateReason": reason, "BackfillTicketId": ticket_id})


def terminate_process(ctx: Context, process: Doc, within_s: float) -> None:
    """Tell a process to end within a time."""
    until = ctx.now + timedelta(seconds=within_s)
    _tell(ctx, process, {"Action": "TerminateProcess", "TerminationTime": millis(until)})


def refresh_connection(ctx: Context, process: Doc, endpoint: str, token: str) -> None:
    """Tell a process to connect again with a new token before the old one ends."""
    members = {"RefreshConnectionEndpoint": endpoint, "AuthToken": token}
    _tell(ctx, process, {"Action": "RefreshConnection", **members})


def say_gone(ctx: Context, process: Doc) -> None:
    """Let whoever holds connections of a process close them: it has ended, or counts as if it had."""
    ctx.effect(GONE, {"ProcessId": process["ProcessId"], "FleetId": process["FleetId"]})


def _properties(session: Doc) -> dict[str, str]:
    return {item["Key"]: item["Value"] for item in session.get("GameProperties", ())}


def _tell(ctx: Context, process: Doc, message: dict[str, Any]) -> None:
    ctx.effect(MESSAGE, {"ProcessId": process["ProcessId"], "Message": message})


@effect(MESSAGE)
async def send(runtime: Runtime, deed: Deed) -> None:
    """Announce a message to a process."""
    await announce(runtime, Deed(ANNOUNCED, deed.account, deed.region, deed.doc))


@effect(GONE)
async def send_gone(runtime: Runtime, deed: Deed) -> None:
    """Announce that a process is gone."""
    await announce(runtime, Deed(GONE_ANNOUNCED, deed.account, deed.region, deed.doc))
