"""The pool of server processes: starting them on hosts, picking one for a game session, letting it go.

Virtual processes stand in for real ones while `gamelift.run_processes` is off: they are free as soon as their host is
there and answer at once. Picking costs the same however many hosts and processes there are.
Source: GameLift Developer Guide.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import chain

from apitrail.services.context import Context
from apitrail.services.gamelift import process_messages
from apitrail.services.gamelift.collections import HOSTS, PROCESSES
from apitrail.services.gamelift.fleets_access import is_anywhere
from apitrail.services.gamelift.hosted import is_hosted, launch_later, note_end
from apitrail.services.gamelift.moments import HOST_READY, PROCESS_GONE
from apitrail.services.gamelift.process_facts import (
    ACTIVATING,
    HOSTING,
    LAUNCHED,
    READY,
    STATES,
    host_id_of,
    room,
    room_prefix,
)
from apitrail.services.gamelift.room_waits import room_came
from apitrail.services.gamelift.session_facts import end_of
from apitrail.services.gamelift.states import SERVER_PROCESS
from apitrail.store.resources import Doc

PORT_FIRST = 7777
"""Virtual processes count up from here when the fleet's inbound permissions have no port left. Inferred."""

PORT_MAX = 60_000
ACTIVATIONS_MAX = 2_147_483_647
LAUNCHING = ("BUILDING", "ACTIVATING", "ACTIVE")
"""States of a fleet in which its hosts start processes."""


def add_host(ctx: Context, fleet: Doc, location: str, compute_name: str, ip_address: str, dns_name: str) -> Doc:
    """Add a host without processes and return it."""
    host = {
        "FleetId": fleet["FleetId"],
        "Location": location,
        "ComputeName": compute_name,
        "IpAddress": ip_address,
        "DnsName": dns_name,
        "Counts": dict.fromkeys(STATES, 0),
        "Entries": {},
        "ActivationsMax": activations_max(fleet),
        "Players": 0,
        "PlayerSlots": 0,
        "Ports": [],
    }
    put_host(ctx, host)
    return host


def put_host(ctx: Context, host: Doc) -> None:
    """Store a host; whoever waits for room where it is will look, if it has any."""
    HOSTS(ctx).put(host_id_of(host["FleetId"], host["ComputeName"]), host)
    if room(host) is not None:
        room_came(ctx, host["FleetId"], host["Location"])


def has_room(ctx: Context, fleet_id: str, location: str) -> bool:
    """Return whether a process of a location is free for a session."""
    prefix = room_prefix(fleet_id, location)
    return bool(HOSTS(ctx).between("room", prefix, end_of(prefix), 1))


def top_up(ctx: Context, fleet: Doc, host: Doc) -> None:
    """Start processes until each launch entry of the fleet has as many as it should, real ones on a host that runs them.

    Surplus ones are left alone: they are not replaced after their session. On a compute of the user's own nothing is started
    from here, its agent follows the configuration.
    """
    if "Groups" in host:
        _start_groups(ctx, host)
        return
    if is_anywhere(fleet):
        host["ActivationsMax"] = activations_max(fleet)
        put_host(ctx, host)
        return
    hosted = is_hosted(ctx, fleet)
    if fleet["Status"] not in LAUNCHING or (hosted and not host.get("SetUp")):
        return
    for number, launch in enumerate(_missing(fleet, host)):
        if hosted:
            _launch(ctx, host, launch, number)
        else:
            start(ctx, host, ctx.ids.next_uuid(), next_port(fleet, host), entry=entry_of(launch), virtual=True)
    host["ActivationsMax"] = activations_max(fleet)
    put_host(ctx, host)


def start(
    ctx: Context,
    host: Doc,
    process_id: str,
    port: int = 0,
    *,
    state: str = READY,
    entry: str = "",
    virtual: bool = False,
) -> Doc:
    """Add a process to a host, by default a free one, and return it; the host is changed, but stored by whoever calls.

    port: 0 while it is not known. entry: the launch entry that it came from, empty for a process that nobody replaces.
    """
    process = {
        "ProcessId": process_id,
        "HostId": host_id_of(host["FleetId"], host["ComputeName"]),
        "State": state,
        "Entry": entry,
        "Virtual": virtual,
        "Port": port,
        **{name: host[name] for name in ("FleetId", "Location", "ComputeName", "IpAddress", "DnsName")},
    }
    PROCESSES(ctx).put(process_id, process)
    host["Counts"][state] += 1
    if port:
        host["Ports"].append(port)
    if entry:
        host["Entries"][entry] = host["Entries"].get(entry, 0) + 1
    return process


def reserve(ctx: Context, fleet_id: str, location: str, key: str, *, slots: int | None = None) -> Doc | None:
    """Take a free process of a location for a session and return it, ACTIVATING; None when there is none.

    key: the id under which the session is kept. slots: its player slots, when it is active at once if the process is
    virtual, which is HOSTING then. The fullest host is taken first, so that others stay idle and can be stopped; then its
    oldest process.
    """
    prefix = room_prefix(fleet_id, location)
    best = HOSTS(ctx).between("room", prefix, end_of(prefix), 1)
    if not best:
        return None
    host = best[0].entry.doc
    process = PROCESSES(ctx).find("ready", best[0].entry.id, 1)[0].doc
    process |= {"GameSession": key, "Served": True}
    if slots is None or not process["Virtual"]:
        _move(ctx, host, process, ACTIVATING)
    else:
        host["PlayerSlots"] += slots
        _move(ctx, host, process, ACTIVATING, HOSTING)
    return process


def move(ctx: Context, process: Doc, state: str, *, slots: int = 0, players: int = 0) -> None:
    """Bring a process into another state. slots, players: what that adds to its host's figures."""
    host = HOSTS(ctx).get(process["HostId"])
    if host is None:
        _enter(process, state)
        PROCESSES(ctx).put(process["ProcessId"], process)
        return
    host["PlayerSlots"] += slots
    host["Players"] += players
    _move(ctx, host, process, state)


def listen(ctx: Context, process: Doc, port: int) -> None:
    """Note the port on which a process takes players; the process is changed, but stored by whoever calls."""
    host = HOSTS(ctx).get(process["HostId"])
    assert host is not None, f"process {process['ProcessId']} is on no host"
    _free_port(host, process)
    host["Ports"].append(port)
    process["Port"] = port
    put_host(ctx, host)


def count_players(ctx: Context, process_id: str, *, slots: int = 0, players: int = 0) -> None:
    """Add to the figures of a process's host: slots and connected players of its active sessions."""
    process = PROCESSES(ctx).get(process_id)
    if process is None or not (slots or players):
        return
    host = HOSTS(ctx).get(process["HostId"])
    if host is not None:
        host["PlayerSlots"] += slots
        host["Players"] += players
        HOSTS(ctx).put(process["HostId"], host)


def let_go(ctx: Context, fleet: Doc | None, process: Doc) -> None:
    """Remove a process that has ended; its host, if it is still there, starts another in its place."""
    PROCESSES(ctx).delete(process["ProcessId"])
    if not process["Virtual"]:
        PROCESS_GONE.tell(ctx, process)
        process_messages.say_gone(ctx, process)
    host = HOSTS(ctx).get(process["HostId"])
    if host is None:
        return
    host["Counts"][process["State"]] -= 1
    _free_port(host, process)
    if process["Entry"]:
        host["Entries"][process["Entry"]] -= 1
    note_end(ctx, host, process)
    put_host(ctx, host)
    if fleet is not None:
        top_up(ctx, fleet, host)


def runtime_of(fleet: Doc) -> Doc:
    """Return a fleet's runtime configuration; empty for one without."""
    found: Doc = fleet.get("_RuntimeConfiguration") or {}
    return found


def activations_max(fleet: Doc) -> int:
    """Return how many sessions may be activating on one host at a time."""
    return int(runtime_of(fleet).get("MaxConcurrentGameSessionActivations", ACTIVATIONS_MAX))


def entry_of(launch: Doc) -> str:
    """Return the launch entry of a ServerProcess: its path and parameters."""
    return f"{launch['LaunchPath']} {launch.get('Parameters', '')}".rstrip()


def next_port(fleet: Doc, host: Doc) -> int:
    """Return the first port that the fleet lets in and that nothing on the host uses."""
    used = set(host["Ports"])
    return next(port for port in _ports(fleet) if port not in used)


def _missing(fleet: Doc, host: Doc) -> list[Doc]:
    """Return the ServerProcesses of which a host has too few, each as often as it lacks one."""
    wanted = Counter[str]()
    launches: dict[str, Doc] = {}
    for launch in runtime_of(fleet).get("ServerProcesses", ()):
        wanted[entry_of(launch)] += launch["ConcurrentExecutions"]
        launches[entry_of(launch)] = launch
    return [launches[entry] for entry, count in wanted.items() for _ in range(count - host["Entries"].get(entry, 0))]


def _launch(ctx: Context, host: Doc, launch: Doc, number: int) -> None:
    """Add a real process that shall be started. number: its place among those that are started together."""
    process = start(ctx, host, ctx.ids.next_uuid(), state=LAUNCHED, entry=entry_of(launch))
    launch_later(ctx, host, process, launch, number)
    PROCESSES(ctx).put(process["ProcessId"], process)


def _start_groups(ctx: Context, host: Doc) -> None:
    """Start a virtual process for each game server container group that has none; containers are never really run."""
    for name, port in host["Groups"]:
        if port not in host["Ports"]:
            process = start(ctx, host, ctx.ids.next_uuid(), port, virtual=True)
            process["ComputeName"] = name
            PROCESSES(ctx).put(process["ProcessId"], process)
    put_host(ctx, host)


def _ports(fleet: Doc) -> Iterator[int]:
    allowed = (range(rule["FromPort"], rule["ToPort"] + 1) for rule in fleet.get("_InboundPermissions", ()))
    return chain(chain.from_iterable(allowed), range(PORT_FIRST, PORT_MAX + 1))


def _free_port(host: Doc, process: Doc) -> None:
    if process["Port"]:
        host["Ports"].remove(process["Port"])


def _enter(process: Doc, state: str) -> None:
    if process["State"] != state:
        process["State"] = SERVER_PROCESS.step(process["State"], state).target


def _move(ctx: Context, host: Doc, process: Doc, *states: str) -> None:
    """Bring a process into another state, through others in their order, and store it and its host."""
    gives_room = states[-1] == READY or process["State"] == ACTIVATING
    for state in states:
        host["Counts"][process["State"]] -= 1
        host["Counts"][state] += 1
        _enter(process, state)
    PROCESSES(ctx).put(process["ProcessId"], process)
    is_first = states[-1] == READY and host.pop("Starting", False)
    if gives_room:
        put_host(ctx, host)
    else:
        HOSTS(ctx).put(process["HostId"], host)
    if is_first:
        HOST_READY.tell(ctx, host)
