"""What GameLift tells real server processes: announced as `process-message` to whoever holds their connections.

A message is kept until it was announced. Source: server SDK 5, messages to the server process (specification 6.4).
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


def create_session(ctx: Context, process: Doc, session: Doc) -> None:
    """Tell a process to start a game session."""
    members = {theirs: session[ours] for ours, theirs in CREATION_MEMBERS.items() if ours in session}
    properties = {item["Key"]: item["Value"] for item in session.get("GameProperties", ())}
    _tell(ctx, process, {"Action": "CreateGameSession", **members, "GameProperties": properties})


def terminate_process(ctx: Context, process: Doc, within_s: float) -> None:
    """Tell a process to end within a time."""
    until = ctx.now + timedelta(seconds=within_s)
    _tell(ctx, process, {"Action": "TerminateProcess", "TerminationTime": millis(until)})


def _tell(ctx: Context, process: Doc, message: dict[str, Any]) -> None:
    ctx.effect(MESSAGE, {"ProcessId": process["ProcessId"], "Message": message})


@effect(MESSAGE)
async def send(runtime: Runtime, deed: Deed) -> None:
    """Announce a message to a process."""
    await announce(runtime, Deed(ANNOUNCED, deed.account, deed.region, deed.doc))
