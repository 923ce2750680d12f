"""The life of a real server process: expected, connected, ready, away, ending, gone, and what it may take for each.

Its document has, besides what process_facts.py names: Awaits (what it owes next) and AwaitsUntil, TimerAt (when its one
timer looks again), Connections (how many it has made), Sick (unhealthy reports in a row), LogPaths, Sdk. Deadlines are AWS's
and are never scaled; they start anew when the server does. Source: GameLift Developer Guide; server SDK 5.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

from apitrail.services.context import Context
from apitrail.services.gamelift import pool, sessions
from apitrail.services.gamelift.agents_access import is_attended
from apitrail.services.gamelift.collections import HOSTS, PROCESSES
from apitrail.services.gamelift.errors import ConflictException, InvalidRequestException, NotFoundException
from apitrail.services.gamelift.fleet_events import add_event
from apitrail.services.gamelift.process_facts import (
    CONNECTED,
    ENDING,
    LAUNCHED,
    READY,
    TAKEN,
    WAITING,
    host_id_of,
)
from apitrail.services.gamelift.process_logs import log_of
from apitrail.services.operation import timer
from apitrail.store.resources import Doc

DEADLINE = "gamelift/process-deadline"
ASSIGNABLE = "gamelift/process-assignable"

HEARTBEAT_S = 60.0
HEARTBEAT_LATE_S = 10.0
HEARTBEATS_MISSED_MAX = 3
ASSIGNABLE_S = 0.25
"""How long after its readiness a process is chosen at the latest; the SDK loses what comes sooner."""

PROCESSES_MAX = 50
"""Processes on one host; the API's quota."""


class Awaited(NamedTuple):
    """What a process owes: within how many seconds, and the fleet event when it does not come."""

    within_s: float
    code: str
    text: str


CONNECT, BE_READY, HEARTBEAT, RECONNECT, EXIT = "connect", "be ready", "heartbeat", "reconnect", "exit"

AWAITED: Mapping[str, Awaited] = {
    CONNECT: Awaited(300.0, "SERVER_PROCESS_SDK_INITIALIZATION_TIMEOUT", "did not call InitSDK within 5 minutes"),
    BE_READY: Awaited(300.0, "SERVER_PROCESS_PROCESS_READY_TIMEOUT", "did not call ProcessReady within 5 minutes"),
    HEARTBEAT: Awaited(
        HEARTBEATS_MISSED_MAX * HEARTBEAT_S + HEARTBEAT_LATE_S,
        "SERVER_PROCESS_TERMINATED_UNHEALTHY",
        "did not report its health three times in a row",
    ),
    RECONNECT: Awaited(300.0, "SERVER_PROCESS_CRASHED", "lost its connection and was not back within 5 minutes"),
    EXIT: Awaited(30.0, "SERVER_PROCESS_PROCESS_EXIT_TIMEOUT", "did not exit within 30 seconds after ProcessEnding"),
}

UNHEALTHY_TEXT = "reported three times in a row that it is not healthy"
FAILED_EXIT_TEXT = "exited without ProcessEnding"
REPLACED_TEXT = "was replaced by a new process with the same id"
INVALID_PATH_TEXT = "has a launch path that does not exist on its host"


def expect_process(ctx: Context, fleet_id: str, compute_name: str, process_id: str, *, entry: str = "") -> Doc:
    """Add a process that is being started on a host and shall connect within five minutes; return it, LAUNCHED.

    entry: the launch entry that it came from. Raises: NotFoundException (host); ConflictException (the id is in use);
    InvalidRequestException (50 processes are on the host).
    """
    host = _host_with_room(ctx, fleet_id, compute_name)
    if PROCESSES(ctx).has(process_id):
        raise ConflictException(f"Process {process_id} is there already.")
    process = pool.start(ctx, host, process_id, state=LAUNCHED, entry=entry)
    pool.put_host(ctx, host)
    await_from(ctx, process, CONNECT)
    PROCESSES(ctx).put(process_id, process)
    return process


def process_connected(ctx: Context, fleet_id: str, compute_name: str, process_id: str) -> Doc:
    """Note a connection of a process, its first or one more, and return the process.

    Raises: NotFoundException (host); ConflictException (the id is that of a process elsewhere); InvalidRequestException
    (50 processes are on the host).
    """
    process = PROCESSES(ctx).get(process_id)
    if process is None:
        host = _host_with_room(ctx, fleet_id, compute_name)
        process = pool.start(ctx, host, process_id, state=CONNECTED)
        pool.put_host(ctx, host)
    elif process["HostId"] != host_id_of(fleet_id, compute_name) or process["Virtual"]:
        raise ConflictException(f"Process id {process_id} is in use on another compute.")
    process["Connections"] = process.get("Connections", 0) + 1
    state = CONNECTED if process["State"] == LAUNCHED else process["State"]
    if state == WAITING and not process["Sick"]:
        state = READY
    await_from(ctx, process, {CONNECTED: BE_READY, ENDING: EXIT}.get(state, HEARTBEAT))
    pool.move(ctx, process, state)
    return process


def process_activated(ctx: Context, process_id: str, port: int, log_paths: Sequence[str] = (), sdk: str = "") -> None:
    """Note that a process can host a session (ActivateServerProcess); it is chosen after its first heartbeat or 250 ms.

    An SDK says so once in the life of a process; so when it comes again while a session is on it, a new process has
    taken the id, and the one before counts as crashed. Raises: NotFoundException; InvalidRequestException (ENDING).
    """
    process = _get(ctx, process_id)
    if process["State"] == ENDING:
        raise InvalidRequestException(f"Process {process_id} has said that it is ending.")
    if process["State"] in TAKEN:
        add_process_event(ctx, process, "SERVER_PROCESS_CRASHED", REPLACED_TEXT)
        sessions.end_session_on(ctx, process, crashed=True)
        process = _get(ctx, process_id)
        process.pop("GameSession", None)
    process |= {"Sick": 0, "LogPaths": list(log_paths), "Sdk": sdk}
    pool.listen(ctx, process, port)
    await_from(ctx, process, HEARTBEAT)
    pool.move(ctx, process, WAITING)
    ctx.schedule(ASSIGNABLE, {"ProcessId": process_id, "Connections": process["Connections"]}, ASSIGNABLE_S)


def process_reported(ctx: Context, process_id: str, *, healthy: bool) -> None:
    """Note what a process says of its health (HeartbeatServerProcess); the third bad report in a row ends it.

    Raises: NotFoundException; InvalidRequestException (not ready yet).
    """
    process = _get(ctx, process_id)
    if process["State"] in (LAUNCHED, CONNECTED):
        raise InvalidRequestException(f"Process {process_id} has not called ProcessReady yet.")
    if process["State"] == ENDING:
        return
    process["Sick"] = 0 if healthy else process["Sick"] + 1
    if process["Sick"] >= HEARTBEATS_MISSED_MAX:
        _give_up(ctx, process, AWAITED[HEARTBEAT].code, UNHEALTHY_TEXT)
        return
    if healthy:
        await_from(ctx, process, HEARTBEAT)
    fit = {True: (WAITING, READY), False: (READY, WAITING)}[healthy]
    if process["State"] == fit[0]:
        pool.move(ctx, process, fit[1])
    else:
        PROCESSES(ctx).put(process_id, process)


def process_ending(ctx: Context, process_id: str) -> None:
    """Note that a process is about to exit (TerminateServerProcess): its session ends now. Raises: NotFoundException."""
    process = _get(ctx, process_id)
    if process["State"] == ENDING:
        return
    sessions.end_session_on(ctx, process)
    process = _get(ctx, process_id)
    process.pop("GameSession", None)
    await_from(ctx, process, EXIT)
    pool.move(ctx, process, ENDING)


def connection_lost(ctx: Context, process_id: str) -> None:
    """Note that a process has no connection any more: it has exited if it had said so, else it may come back.

    Where a host or an agent tells of exits, only that does.
    """
    process = PROCESSES(ctx).get(process_id)
    if process is None or process["Virtual"]:
        return
    if process["State"] == ENDING:
        if "Hosted" not in process and not is_attended(ctx, process):
            sessions.end_process(ctx, process_id)
        return
    if process["State"] != LAUNCHED:
        _wait_for_return(ctx, process)


def process_exited(ctx: Context, process_id: str, *, path_missing: bool = False, how: str = "") -> None:
    """Note that a host has seen a process exit, or could not start it because its launch path is missing.

    One that had said that it was ending, or was told to end with its host or the server, has ended; any other one has crashed.
    how: its exit code or signal.
    """
    process = PROCESSES(ctx).get(process_id)
    if process is None:
        return
    if path_missing:
        _give_up(ctx, process, "SERVER_PROCESS_INVALID_PATH", INVALID_PATH_TEXT)
    elif process["State"] == ENDING or process.get("Draining"):
        sessions.end_process(ctx, process_id)
    else:
        _give_up(ctx, process, "SERVER_PROCESS_CRASHED", f"{FAILED_EXIT_TEXT} ({how})" if how else FAILED_EXIT_TEXT)


def start_anew(ctx: Context, process_id: str) -> None:
    """Let the deadline of a process start anew, because the server has; whoever was connected may come back."""
    process = PROCESSES(ctx).get(process_id)
    if process is None or "Awaits" not in process:
        return
    process.pop("TimerAt")
    if process["Awaits"] in (CONNECT, EXIT):
        await_from(ctx, process, process["Awaits"])
        PROCESSES(ctx).put(process_id, process)
        return
    _wait_for_return(ctx, process)


def is_connected(process: Doc) -> bool:
    """Return whether a real process has a connection."""
    return process.get("Awaits") not in (None, CONNECT, RECONNECT)


def await_from(ctx: Context, process: Doc, what: str) -> None:
    """Give a process time for what it owes next, from now; the process is changed, but stored by whoever calls."""
    until = ctx.now + timedelta(seconds=AWAITED[what].within_s)
    process |= {"Awaits": what, "AwaitsUntil": until}
    if "TimerAt" not in process or until < process["TimerAt"]:
        _look_again(ctx, process)


def add_process_event(ctx: Context, process: Doc, code: str, text: str) -> None:
    """Add an event of a process to its fleet's log, with the form of AWS's messages."""
    path, _, arguments = process["Entry"].partition(" ")
    launched = f", launchPath({path}), arguments({arguments}), instanceId({process['ComputeName']})"
    where = launched if path else f", processId({process['ProcessId']}), computeName({process['ComputeName']})"
    add_event(ctx, process["FleetId"], code, f"Server process {text}{where}", merge=True, log=log_of(ctx, process))


@timer(DEADLINE)
def look_at_deadline(ctx: Context, doc: Doc) -> None:
    """End a process that has not given what it owes in time, or look again when its time has been extended."""
    process = PROCESSES(ctx).get(doc["ProcessId"])
    if process is None or process.get("TimerAt") != doc["At"]:
        return
    if ctx.now >= process["AwaitsUntil"]:
        awaited = AWAITED[process["Awaits"]]
        _give_up(ctx, process, awaited.code, awaited.text)
        return
    _look_again(ctx, process)
    PROCESSES(ctx).put(process["ProcessId"], process)


@timer(ASSIGNABLE)
def becomes_assignable(ctx: Context, doc: Doc) -> None:
    """Let a process be chosen that has said nothing since it became ready, if it is still there."""
    process = PROCESSES(ctx).get(doc["ProcessId"])
    if process is None or process["State"] != WAITING or process["Connections"] != doc["Connections"]:
        return
    if is_connected(process) and not process["Sick"]:
        pool.move(ctx, process, READY)


def _give_up(ctx: Context, process: Doc, code: str, text: str) -> None:
    """End a process without its help. It remembers the event, by which its agent is told why."""
    add_process_event(ctx, process, code, text)
    PROCESSES(ctx).put(process["ProcessId"], process | {"GoneBy": code})
    sessions.end_process(ctx, process["ProcessId"], crashed=True)


def _wait_for_return(ctx: Context, process: Doc) -> None:
    """Let a process that lost its connection come back; it is not chosen meanwhile."""
    await_from(ctx, process, RECONNECT)
    pool.move(ctx, process, WAITING if process["State"] == READY else process["State"])


def _look_again(ctx: Context, process: Doc) -> None:
    process["TimerAt"] = process["AwaitsUntil"]
    after_s = (process["AwaitsUntil"] - ctx.now).total_seconds()
    ctx.schedule(DEADLINE, {"ProcessId": process["ProcessId"], "At": process["TimerAt"]}, after_s)


def _get(ctx: Context, process_id: str) -> Doc:
    process = PROCESSES(ctx).get(process_id)
    if process is None:
        raise NotFoundException(f"Process {process_id} is not known here; it has ended or was given up.")
    return process


def _host_with_room(ctx: Context, fleet_id: str, compute_name: str) -> Doc:
    host_id = host_id_of(fleet_id, compute_name)
    host = HOSTS(ctx).get(host_id)
    if host is None:
        raise NotFoundException(f"Fleet {fleet_id} has no compute {compute_name}.")
    if PROCESSES(ctx).count("HostId", host_id) >= PROCESSES_MAX:
        raise InvalidRequestException(
            f"Compute {compute_name} has {PROCESSES_MAX} processes, the most that it may have."
        )
    return host
