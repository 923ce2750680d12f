"""Agents: the program of GameLift's that starts game servers on a compute of the user's own, and watches them.

An agent's document: {FleetId, ComputeName, Connected, Connections (how many it has made), Status (as it says), Doomed (processes
that are gone from the pool without a word of its, with the EventCode that says why, until it reports their end)}. A process is
the agent's when it is on the same compute. Source: GameLift's Agent. Inferred: what each
status means to the pool.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from apitrail.services.context import Context
from apitrail.services.gamelift import agent_messages, pool, process_life, sessions
from apitrail.services.gamelift.agents_access import agent_of
from apitrail.services.gamelift.collections import AGENTS, COMPUTES, FLEETS, HOSTS, PROCESSES
from apitrail.services.gamelift.compute_tokens import issue_token
from apitrail.services.gamelift.errors import InvalidRequestException, NotFoundException, NotReadyException
from apitrail.services.gamelift.fleets_access import is_anywhere
from apitrail.services.gamelift.moments import PROCESS_GONE
from apitrail.services.gamelift.process_facts import CONNECTED, ENDING, LAUNCHED, STATES, host_id_of
from apitrail.services.gamelift.sdk_endpoint import agent_endpoint
from apitrail.services.operation import timer
from apitrail.store.database import Tx
from apitrail.store.resources import Doc

REFRESH = "gamelift/refresh-agent"
REFRESH_BEFORE = timedelta(minutes=15)
REFRESH_AFTER_S_MIN = 10.0
DOOMED_MAX = 100
"""Processes whose end is expected from one agent; older ones make room."""

STOPPING = ("Terminating", "Terminated", "Interrupted")
STATUSES = ("Initializing", "Activating", "Active", *STOPPING)
"""What an agent says of its compute. While it is one of STOPPING, no session is begun there."""

EXITED = "exit"
FORCED = "SERVER_PROCESS_FORCE_TERMINATED"
UNHEALTHY = "SERVER_PROCESS_TERMINATED_UNHEALTHY"
CRASHED = "SERVER_PROCESS_CRASHED"

ENDS: Mapping[str, str] = {
    CRASHED: process_life.FAILED_EXIT_TEXT,
    FORCED: "was ended by its agent",
    "SERVER_PROCESS_INVALID_PATH": process_life.INVALID_PATH_TEXT,
    "SERVER_PROCESS_PROCESS_EXIT_TIMEOUT": process_life.AWAITED[process_life.EXIT].text,
    "SERVER_PROCESS_PROCESS_READY_TIMEOUT": process_life.AWAITED[process_life.BE_READY].text,
    "SERVER_PROCESS_SDK_INITIALIZATION_TIMEOUT": process_life.AWAITED[process_life.CONNECT].text,
    UNHEALTHY: process_life.AWAITED[process_life.HEARTBEAT].text,
}
"""The EventCodes by which an agent says how a process has ended, with the text of the fleet event; no code: it ended well."""


class Heard(NamedTuple):
    """The answer to a heartbeat. status: of the compute. unhealthy: processes to be ended. unregistered: those not known here."""

    status: str
    unhealthy: list[str]
    unregistered: list[str]


def admit_agent(ctx: Context, fleet_id: str, compute_name: str, token_ends_at: datetime | None) -> None:
    """Note a new connection of a compute's agent.

    token_ends_at: None for one that signs. Raises: NotFoundException (fleet, compute); InvalidRequestException (a managed fleet,
    whose instances have no agent of the user's); NotReadyException (fleet not ACTIVE).
    """
    _check_fleet(ctx, fleet_id)
    host_id = host_id_of(fleet_id, compute_name)
    if not HOSTS(ctx).has(host_id):
        raise NotFoundException(f"Fleet {fleet_id} has no compute {compute_name}.")
    known = AGENTS(ctx).get(host_id) or {"FleetId": fleet_id, "ComputeName": compute_name, "Doomed": {}}
    agent = known | {"Connected": True, "Connections": known.get("Connections", 0) + 1, "Status": STATUSES[0]}
    AGENTS(ctx).put(host_id, agent)
    _note_status(ctx, host_id, agent["Status"])
    if token_ends_at is not None:
        doc = {"HostId": host_id, "Connections": agent["Connections"]}
        after_s = (token_ends_at - REFRESH_BEFORE - ctx.now).total_seconds()
        ctx.schedule(REFRESH, doc, max(REFRESH_AFTER_S_MIN, after_s))


def agent_lost(ctx: Context, fleet_id: str, compute_name: str) -> None:
    """Note that an agent has no connection any more: nobody reports exits, and nobody says that the compute stops."""
    host_id = host_id_of(fleet_id, compute_name)
    agent = AGENTS(ctx).get(host_id)
    if agent is not None:
        AGENTS(ctx).put(host_id, agent | {"Connected": False})
        _note_status(ctx, host_id, "")


def heartbeat(ctx: Context, fleet_id: str, compute_name: str, status: str, process_ids: Sequence[str]) -> Heard:
    """Note what an agent says of its compute, and return what is known here. Raises: NotFoundException (deregistered).

    process_ids: all processes that it runs. Those that are gone from the pool are to be ended: the unhealthy ones are in the
    answer, for each other one it is told once more. Inferred: the compute's status is Active as soon as a process is ready.
    """
    host_id, agent = _get(ctx, fleet_id, compute_name)
    known = {entry.id for entry in PROCESSES(ctx).find("HostId", host_id)}
    listed = [process_id for process_id in dict.fromkeys(process_ids) if process_id not in known]
    doomed = {process_id: reason for process_id, reason in agent["Doomed"].items() if process_id in listed}
    AGENTS(ctx).put(host_id, agent | {"Status": status})
    _note_status(ctx, host_id, status)
    for process_id, reason in doomed.items():
        if reason != UNHEALTHY:
            agent_messages.force_exit(ctx, agent, process_id, reason)
    unhealthy = [process_id for process_id, reason in doomed.items() if reason == UNHEALTHY]
    unregistered = [process_id for process_id in listed if process_id not in doomed]
    return Heard(_status(ctx, host_id, status), unhealthy, unregistered)


def process_terminated(ctx: Context, fleet_id: str, compute_name: str, process_id: str, code: str, why: str) -> None:
    """Note that an agent has seen a process exit. code: one of ENDS, or empty when it exited by itself, with 0. why: its words.

    A process that had said that it was ending has ended, whatever its exit code. One that was ended by force leaves its session
    TERMINATED, any other one with a code leaves it in ERROR. Raises: NotFoundException (deregistered compute).
    """
    host_id, agent = _get(ctx, fleet_id, compute_name)
    process = PROCESSES(ctx).get(process_id)
    text = f"{ENDS[code]} ({why})" if code and why and why != code else ENDS.get(code, "")
    if process is None or process["HostId"] != host_id:
        _note_stranger(ctx, agent, process_id, code, text)
        return
    PROCESSES(ctx).put(process_id, process | {"GoneBy": EXITED})
    is_known = not code or (process["State"] == ENDING and code == CRASHED)
    if not is_known:
        process_life.add_process_event(ctx, process, code, text)
    sessions.end_process(ctx, process_id, crashed=not is_known and code != FORCED)


def process_registered(ctx: Context, process_id: str, log_paths: Sequence[str]) -> None:
    """Tell the agent of a process, if it has one, that the process can host a session."""
    process, agent = _attended(ctx, process_id)
    if process is not None and agent is not None:
        agent_messages.process_registered(ctx, agent, process_id, log_paths)


def session_activated(ctx: Context, process_id: str, game_session_id: str) -> None:
    """Tell the agent of a process, if it has one, that the process has activated its session."""
    process, agent = _attended(ctx, process_id)
    if process is not None and agent is not None:
        agent_messages.session_activated(ctx, agent, process_id, game_session_id)


def runtime_configuration(ctx: Context, fleet_id: str) -> Doc:
    """Return what an agent shall run. Raises: NotFoundException; NotReadyException (fleet not ACTIVE)."""
    return {"ServerProcesses": [], **pool.runtime_of(_check_fleet(ctx, fleet_id))}


def dismiss(ctx: Context, fleet_id: str, compute_name: str) -> None:
    """Tell the agent of a compute that is deregistered to end what it runs, and forget it."""
    host_id = host_id_of(fleet_id, compute_name)
    agent = AGENTS(ctx).get(host_id)
    if agent is not None:
        AGENTS(ctx).delete(host_id)
        agent_messages.start_termination(ctx, agent)


def connected_agents(tx: Tx) -> list[tuple[str, str, Doc]]:
    """Return account, region and document of every agent that counts as connected."""
    return [(account, region, entry.doc) for account, region, entry in AGENTS.everywhere(tx) if entry.doc["Connected"]]


@PROCESS_GONE.follow
def doom(ctx: Context, process: Doc) -> None:
    """Have the agent of a process that is gone from the pool end it, unless the agent has just said that it has exited."""
    agent, process_id = agent_of(ctx, process), process["ProcessId"]
    if agent is None or process.get("GoneBy") == EXITED:
        return
    reason = process.get("GoneBy", FORCED)
    doomed = dict(list((agent["Doomed"] | {process_id: reason}).items())[-DOOMED_MAX:])
    AGENTS(ctx).put(host_id_of(agent["FleetId"], agent["ComputeName"]), agent | {"Doomed": doomed})
    if agent["Connected"]:
        agent_messages.force_exit(ctx, agent, process_id, reason)


@timer(REFRESH)
def refresh(ctx: Context, doc: Doc) -> None:
    """Give an agent a new token before its own ends, if it is still on the same connection."""
    agent = AGENTS(ctx).get(doc["HostId"])
    if agent is None or not agent["Connected"] or agent["Connections"] != doc["Connections"]:
        return
    token, ends_at = issue_token(ctx, agent["FleetId"], agent["ComputeName"])
    agent_messages.refresh_connection(ctx, agent, agent_endpoint(ctx.settings), token, ends_at)


def _check_fleet(ctx: Context, fleet_id: str) -> Doc:
    """Return an Anywhere fleet that is ACTIVE."""
    fleet = FLEETS(ctx).get(fleet_id)
    if fleet is None:
        raise NotFoundException(f"Fleet {fleet_id} was not found in {ctx.region}.")
    if not is_anywhere(fleet):
        raise InvalidRequestException(f"Fleet {fleet_id} is not an Anywhere fleet; its instances have no agent here.")
    if fleet["Status"] != "ACTIVE":
        raise NotReadyException(f"Fleet {fleet_id} is in status {fleet['Status']}; it must be ACTIVE.")
    return fleet


def _get(ctx: Context, fleet_id: str, compute_name: str) -> tuple[str, Doc]:
    host_id = host_id_of(fleet_id, compute_name)
    agent = AGENTS(ctx).get(host_id)
    if agent is None:
        raise NotFoundException(f"Fleet {fleet_id} has no compute {compute_name} any more.")
    return host_id, agent


def _attended(ctx: Context, process_id: str) -> tuple[Doc | None, Doc | None]:
    """Return a process and its agent, if that is connected."""
    process = PROCESSES(ctx).get(process_id)
    agent = None if process is None else agent_of(ctx, process)
    return process, agent if agent is not None and agent["Connected"] else None


def _note_status(ctx: Context, host_id: str, status: str) -> None:
    """Let a compute take sessions, or not, as its agent says; DescribeCompute shows it."""
    host, stopping = HOSTS(ctx).get(host_id), status in STOPPING
    if host is None or stopping == ("Stopping" in host):
        return
    pool.put_host(ctx, host | {"Stopping": True} if stopping else {k: v for k, v in host.items() if k != "Stopping"})
    compute = COMPUTES(ctx).get(host_id)
    if compute is not None:
        COMPUTES(ctx).put(host_id, compute | {"ComputeStatus": "TERMINATING" if stopping else "ACTIVE"})


def _status(ctx: Context, host_id: str, said: str) -> str:
    """Return a compute's status, as its agent takes it over."""
    host = HOSTS(ctx).get(host_id)
    if host is None or said in STOPPING or said == STATUSES[0]:
        return said
    ready = sum(host["Counts"][state] for state in STATES if state not in (LAUNCHED, CONNECTED))
    return "Active" if ready else said


def _note_stranger(ctx: Context, agent: Doc, process_id: str, code: str, text: str) -> None:
    """Note the end of a process that is not in the pool: expected if it was to end, else one that never got there."""
    host_id, doomed = host_id_of(agent["FleetId"], agent["ComputeName"]), dict(agent["Doomed"])
    if doomed.pop(process_id, None) is not None:
        AGENTS(ctx).put(host_id, agent | {"Doomed": doomed})
    elif code:
        stranger = {"Entry": "", "ProcessId": process_id, **{name: agent[name] for name in ("FleetId", "ComputeName")}}
        process_life.add_process_event(ctx, stranger, code, text)
