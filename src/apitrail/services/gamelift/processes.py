"""What hosts and server processes do: instances come and go, processes get ready, run their session and end.

The service's own instances have virtual processes, or real ones that a host runs (`gamelift.run_processes`). What a
real process says through the server SDK ends in the functions of the second half. Source: GameLift Developer Guide; server SDK 5.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from apitrail.services.context import Context
from apitrail.services.gamelift import players, pool, sessions
from apitrail.services.gamelift.collections import GAME_SESSIONS, HOSTS, PLAYER_SESSIONS, PROCESSES
from apitrail.services.gamelift.container_computes import add_groups, remove_groups
from apitrail.services.gamelift.errors import InvalidRequestException, NotFoundException
from apitrail.services.gamelift.fleets_access import is_container
from apitrail.services.gamelift.hosted_processes import drain
from apitrail.services.gamelift.moments import SLOTS_CHANGED
from apitrail.services.gamelift.process_facts import HOSTING, READY, TAKEN, host_id_of, place_of, session_count
from apitrail.services.gamelift.session_facts import listing
from apitrail.store.resources import Doc


class Counts(NamedTuple):
    """Figures of a fleet's location.

    process_count: processes that are free or have a session. free_count: those that are free.
    session_count: game sessions in every state but ended. active_session_count: those that are ACTIVE;
    player_count, player_slot_count: connected players and MaximumPlayerSessionCount in these.
    idle_host_count: hosts without sessions.
    """

    process_count: int
    free_count: int
    session_count: int
    active_session_count: int
    player_count: int
    player_slot_count: int
    host_count: int
    idle_host_count: int


class Load(NamedTuple):
    """Game sessions on a host. protected: one of them is ACTIVE and must not be ended by a scale-in."""

    session_count: int
    protected: bool


def counts(ctx: Context, fleet_id: str, location: str) -> Counts:
    """Return the figures of a fleet's location."""
    hosts = [entry.doc for entry in HOSTS(ctx).find("place", place_of(fleet_id, location))]
    taken = [session_count(host) for host in hosts]
    free_count = sum(host["Counts"][READY] for host in hosts)
    return Counts(
        process_count=free_count + sum(taken),
        free_count=free_count,
        session_count=sum(taken),
        active_session_count=sum(host["Counts"][HOSTING] for host in hosts),
        player_count=sum(host["Players"] for host in hosts),
        player_slot_count=sum(host["PlayerSlots"] for host in hosts),
        host_count=len(hosts),
        idle_host_count=sum(not count and "Starting" not in host for count, host in zip(taken, hosts, strict=True)),
    )


def load_of(ctx: Context, fleet_id: str, compute_name: str) -> Load:
    """Return what runs on a host; nothing on one that has not started."""
    host = HOSTS(ctx).get(host_id_of(fleet_id, compute_name))
    count = 0 if host is None else session_count(host)
    if not count:
        return Load(0, False)
    found = (GAME_SESSIONS(ctx).get(process["GameSession"]) for process in _taken(ctx, fleet_id, compute_name))
    return Load(count, any(session is not None and _is_protected(session) for session in found))


def last_session_at(ctx: Context, fleet_id: str, location: str) -> datetime | None:
    """Return when the newest game session of a location ended, or began if it has not, or None without one."""
    newest = GAME_SESSIONS(ctx).find("listing", listing(fleet_id, location), 1, newest_first=True)
    if not newest:
        return None
    session = newest[0].doc
    at: datetime = session["TerminationTime"] if "TerminationTime" in session else session["CreationTime"]
    return at


def instance_started(ctx: Context, fleet: Doc, location: str, instance: Doc) -> None:
    """Add an instance to the pool, with its virtual processes.

    location: its name. instance: with InstanceId, IpAddress and DnsName.
    """
    host = pool.add_host(
        ctx, fleet, location, instance["InstanceId"], instance["IpAddress"], instance.get("DnsName", "")
    )
    if is_container(fleet):
        add_groups(ctx, fleet, host, instance)
    pool.top_up(ctx, fleet, host)


def instance_stopped(ctx: Context, fleet: Doc, location: str, instance: Doc, *, reason: str = "") -> None:
    """Take an instance out of the pool: nothing new is put on it, and its processes end with their sessions.

    reason: the StatusReason of the sessions, INTERRUPTED for a Spot interruption. Those of virtual processes end in
    transactions of their own that are due at once, a hosted process is told to end.
    """
    if is_container(fleet):
        remove_groups(ctx, instance)
    host_stopped(ctx, fleet["FleetId"], instance["InstanceId"], reason=reason)


def host_stopped(ctx: Context, fleet_id: str, compute_name: str, *, reason: str = "") -> None:
    """Take a host out of the pool, as instance_stopped does; another one may have its name at once."""
    host_id = host_id_of(fleet_id, compute_name)
    if not HOSTS(ctx).delete(host_id):
        return
    for entry in PROCESSES(ctx).find("HostId", host_id):
        process = entry.doc | {"HostId": ""}
        if "Hosted" in process:
            drain(ctx, process, reason)
        elif entry.doc["State"] in TAKEN:
            PROCESSES(ctx).put(entry.id, process)
            ctx.schedule(sessions.PROCESS_ENDED, {"ProcessId": entry.id, "Reason": reason}, 0)
        else:
            pool.let_go(ctx, None, process)


def runtime_changed(ctx: Context, fleet: Doc) -> None:
    """Let every host of a fleet follow a new runtime configuration: missing processes are started, none is ended."""
    for entry in HOSTS(ctx).find("FleetId", fleet["FleetId"]):
        pool.top_up(ctx, fleet, entry.doc)


def process_ready(ctx: Context, fleet_id: str, compute_name: str, process_id: str, port: int) -> None:
    """Add a real process that says it can host a session (ActivateServerProcess).

    Raises: NotFoundException (unknown host); InvalidRequestException (it has said so before).
    """
    host = HOSTS(ctx).get(host_id_of(fleet_id, compute_name))
    if host is None:
        raise NotFoundException(f"Fleet {fleet_id} has no compute {compute_name}.")
    if PROCESSES(ctx).has(process_id):
        raise InvalidRequestException(f"Process {process_id} is active already.")
    pool.start(ctx, host, process_id, port)
    pool.put_host(ctx, host)


def activate_session(ctx: Context, process_id: str, game_session_id: str) -> None:
    """Take a process's session to ACTIVE (ActivateGameSession).

    Raises: NotFoundException; InvalidRequestException (another process's session; not ACTIVATING).
    """
    session = session_on(ctx, process_id, game_session_id)
    if session["Status"] != "ACTIVATING":
        raise InvalidRequestException(f"Game session {game_session_id} is in status {session['Status']}.")
    sessions.activate(ctx, session)


def accept_player(ctx: Context, process_id: str, game_session_id: str, player_session_id: str) -> None:
    """Take a player session from RESERVED to ACTIVE (AcceptPlayerSession).

    Raises: NotFoundException; InvalidRequestException (another process's session; not RESERVED any more).
    """
    session = session_on(ctx, process_id, game_session_id)
    player = _player_in(ctx, session, player_session_id, "RESERVED")
    if session["Status"] != "ACTIVE":
        raise InvalidRequestException(f"Game session {game_session_id} is in status {session['Status']}.")
    players.accept(ctx, session, player)
    pool.count_players(ctx, process_id, players=1)
    sessions.put_session(ctx, session)


def remove_player(ctx: Context, process_id: str, game_session_id: str, player_session_id: str) -> None:
    """Take a player session to COMPLETED and free its slot (RemovePlayerSession).

    Raises: NotFoundException; InvalidRequestException (another process's session; ended before).
    """
    session = session_on(ctx, process_id, game_session_id)
    player = _player_in(ctx, session, player_session_id, "RESERVED", "ACTIVE")
    connected = player["Status"] == "ACTIVE" and session["Status"] == "ACTIVE"
    players.remove(ctx, session, player)
    pool.count_players(ctx, process_id, players=-1 if connected else 0)
    sessions.put_session(ctx, session)
    SLOTS_CHANGED.tell(ctx, session)


def session_on(ctx: Context, process_id: str, game_session_id: str) -> Doc:
    """Return the game session of an ARN. Raises: NotFoundException; InvalidRequestException (another process's session)."""
    session = sessions.get_session(ctx, game_session_id)
    if session["_Process"] != process_id:
        raise InvalidRequestException(f"Game session {game_session_id} is not on process {process_id}.")
    return session


def process_ended(ctx: Context, process_id: str, *, crashed: bool = False) -> None:
    """Note that a process is gone (ProcessEnding and exit), or, crashed, that it went without a word or was killed."""
    sessions.end_process(ctx, process_id, crashed=crashed)


def _taken(ctx: Context, fleet_id: str, compute_name: str) -> Iterable[Doc]:
    found = PROCESSES(ctx).find("HostId", host_id_of(fleet_id, compute_name))
    return (entry.doc for entry in found if "GameSession" in entry.doc)


def _is_protected(session: Doc) -> bool:
    return bool(session["Status"] == "ACTIVE" and session["_ProtectionPolicy"] == "FullProtection")


def _player_in(ctx: Context, session: Doc, player_session_id: str, *statuses: str) -> Doc:
    player = PLAYER_SESSIONS(ctx).get(player_session_id)
    if player is None or player["GameSessionId"] != session["GameSessionId"]:
        raise NotFoundException(f"Player session {player_session_id} was not found in this game session.")
    if player["Status"] not in statuses:
        raise InvalidRequestException(f"Player session {player_session_id} is in status {player['Status']}.")
    return player
