"""The two kinds of peers that connect by WebSocket, as tables: game servers, and the agents that start them on computes.

A kind says what its URL holds, what a connection does to the state, and what may be asked on it; how a connection is served is
in sdk_socket.py. Source: server SDK 5 and GameLift's Agent.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from apitrail.gateway.sdk_frames import Frame, read_members
from apitrail.gateway.sdk_roles import agent_credentials, role_credentials
from apitrail.services.context import Context
from apitrail.services.gamelift import agent_shapes, sdk_shapes
from apitrail.services.gamelift.agent_actions import AGENT_ACTIONS
from apitrail.services.gamelift.agents import admit_agent, agent_lost
from apitrail.services.gamelift.fleet_events import add_event
from apitrail.services.gamelift.process_delivery import bring, take_parked
from apitrail.services.gamelift.process_facts import host_id_of
from apitrail.services.gamelift.process_life import connection_lost
from apitrail.services.gamelift.sdk_actions import ACTIONS, Action, Caller
from apitrail.services.gamelift.sdk_admission import admit, note_refusal
from apitrail.services.gamelift.sdk_endpoint import AGENT_PATH
from apitrail.services.links import PeerKey, agent_key
from apitrail.services.runtime import Runtime

Outside = Callable[[Runtime, PeerKey, Caller, Frame], Awaitable[Mapping[str, Any]]]
ROLE_CREDENTIALS = "GetFleetRoleCredentials"


class Kind(NamedTuple):
    """What is special about a kind of peers.

    names: parameters that its URL must have: process id (empty for none), fleet, compute. key: by which it is reached.
    admit: notes a connection and returns what was kept for the peer. kept: returns what was kept since. lost: notes that the last
    connection is gone. undelivered: what becomes of a push that was never written. refused: notes who was not let in, and why.
    actions: what is done in one transaction. outside: what is not.
    """

    names: tuple[str, str, str]
    key: Callable[[str, str, Caller], PeerKey]
    admit: Callable[[Context, Caller, datetime | None], list[str]]
    kept: Callable[[Context, Caller], list[str]]
    lost: Callable[[Context, Caller], None]
    undelivered: Callable[[Runtime, PeerKey, str], Awaitable[None]]
    refused: Callable[[Context, Caller, str], None]
    actions: Mapping[str, Action]
    outside: Mapping[str, Outside]


async def _process_role(runtime: Runtime, key: PeerKey, caller: Caller, frame: Frame) -> Mapping[str, Any]:
    said = read_members(frame, sdk_shapes.GetFleetRoleCredentials)
    return await role_credentials(runtime, key, caller, said.RoleSessionName, said.RoleArn)


async def _agent_role(runtime: Runtime, key: PeerKey, caller: Caller, frame: Frame) -> Mapping[str, Any]:
    said = read_members(frame, agent_shapes.GetFleetRoleCredentials)
    return await agent_credentials(runtime, key, caller, said.RoleSessionName)


def _admit_agent(ctx: Context, caller: Caller, token_ends_at: datetime | None) -> list[str]:
    admit_agent(ctx, caller.fleet_id, caller.compute_name, token_ends_at)
    return []


async def _tell_newer(runtime: Runtime, key: PeerKey, text: str) -> None:
    """Tell the agent's newer connection, if there is one; otherwise its next heartbeat's answer has what matters."""
    runtime.links.tell(key, text)


def _note_agent(ctx: Context, caller: Caller, reason: str) -> None:
    text = f"An agent was not let in: {reason} (computeName({caller.compute_name}))"
    add_event(ctx, caller.fleet_id, "GENERIC_EVENT", text, merge=True)


GAME_SERVER = Kind(
    names=("pID", "FleetId", "ComputeId"),
    key=lambda account, region, caller: PeerKey(account, region, caller.process_id),
    admit=admit,
    kept=lambda ctx, caller: take_parked(ctx, caller.process_id),
    lost=lambda ctx, caller: connection_lost(ctx, caller.process_id),
    undelivered=bring,
    refused=note_refusal,
    actions=ACTIONS,
    outside={ROLE_CREDENTIALS: _process_role},
)

AGENT = Kind(
    names=("", "FleetId", "ComputeName"),
    key=lambda account, region, caller: agent_key(account, region, host_id_of(caller.fleet_id, caller.compute_name)),
    admit=_admit_agent,
    kept=lambda ctx, caller: [],
    lost=lambda ctx, caller: agent_lost(ctx, caller.fleet_id, caller.compute_name),
    undelivered=_tell_newer,
    refused=_note_agent,
    actions=AGENT_ACTIONS,
    outside={ROLE_CREDENTIALS: _agent_role},
)

KINDS: Mapping[bytes, Kind] = {b"": GAME_SERVER, b"/": GAME_SERVER, AGENT_PATH.encode(): AGENT}
"""Who connects, by the path of the URL."""
