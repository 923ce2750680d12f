"""What GameLift tells the agent of a compute: pushes to its connection, lost when there is none.

What an agent must not miss it learns from the answers to its heartbeats. Source: GameLift's Agent, messages to the agent.
Inferred: ExpirationTime is in milliseconds since 1970.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson

from apitrail.services.context import Context
from apitrail.services.gamelift.process_facts import host_id_of
from apitrail.services.gamelift.session_facts import millis
from apitrail.services.links import agent_key
from apitrail.services.operation import Deed, effect
from apitrail.services.runtime import Runtime
from apitrail.store.resources import Doc

MESSAGE = "gamelift/agent-message"


def process_registered(ctx: Context, agent: Doc, process_id: str, log_paths: Sequence[str]) -> None:
    """Tell an agent that a process has said that it can host a session."""
    _tell(ctx, agent, {"Action": "NotifyProcessRegistered", "ProcessId": process_id, "LogPaths": list(log_paths)})


def session_activated(ctx: Context, agent: Doc, process_id: str, game_session_id: str) -> None:
    """Tell an agent that a process has activated its game session."""
    members = {"ProcessId": process_id, "GameSessionId": game_session_id}
    _tell(ctx, agent, {"Action": "NotifyGameSessionActivated", **members})


def force_exit(ctx: Context, agent: Doc, process_id: str, reason: str) -> None:
    """Tell an agent to end a process. reason: the EventCode that says why."""
    _tell(ctx, agent, {"Action": "ForceExitServerProcess", "ProcessId": process_id, "TerminationReason": reason})


def start_termination(ctx: Context, agent: Doc) -> None:
    """Tell an agent that its compute is over, and close its connections."""
    _tell(ctx, agent, {"Action": "StartComputeTermination"}, is_last=True)


def refresh_connection(ctx: Context, agent: Doc, endpoint: str, token: str, ends_at: datetime) -> None:
    """Tell an agent to connect again with a new token before the old one ends."""
    members = {"RefreshConnectionEndpoint": endpoint, "AuthToken": token, "ExpirationTime": millis(ends_at)}
    _tell(ctx, agent, {"Action": "RefreshConnection", **members})


def _tell(ctx: Context, agent: Doc, message: dict[str, Any], *, is_last: bool = False) -> None:
    host_id = host_id_of(agent["FleetId"], agent["ComputeName"])
    ctx.effect(MESSAGE, {"HostId": host_id, "Message": message, "IsLast": is_last})


@effect(MESSAGE)
async def send(runtime: Runtime, deed: Deed) -> None:
    """Send a message to an agent, if it is connected."""
    key = agent_key(deed.account, deed.region, deed.doc["HostId"])
    runtime.links.tell(key, orjson.dumps(deed.doc["Message"]).decode())
    if deed.doc["IsLast"]:
        runtime.links.end(key)
