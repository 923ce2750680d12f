"""What hosts and server processes are found by. Pure functions of their documents, which are ours, not the API's.

A host is an instance or a registered compute: {FleetId, Location, ComputeName, IpAddress, DnsName, Counts (processes by
state), Entries (running processes by launch entry), ActivationsMax, Players, PlayerSlots, Ports;
Stopping while its agent says that it stops}.
A process: {ProcessId, HostId, FleetId, Location, ComputeName, State, Entry, IpAddress, Port, DnsName, GameSession,
Virtual}; a real one also has what process_life.py keeps. Source of the states: the server SDK's messages.
"""

from apitrail.store.resources import Doc

LAUNCHED = "LAUNCHED"
CONNECTED = "CONNECTED"
WAITING = "WAITING"
READY = "READY"
ACTIVATING = "ACTIVATING"
HOSTING = "HOSTING"
TERMINATING = "TERMINATING"
ENDING = "ENDING"

STATES = (LAUNCHED, CONNECTED, WAITING, READY, ACTIVATING, HOSTING, TERMINATING, ENDING)
"""LAUNCHED: expected to connect. CONNECTED: has not said yet that it is ready. WAITING: has said so, but is not to be chosen
now, since it has only just said it, does not feel well or has lost its connection. READY: free. ACTIVATING, HOSTING: with
a session. TERMINATING: with a session that is about to end. ENDING: has said that it exits. A virtual process begins READY.
"""

TAKEN = (ACTIVATING, HOSTING, TERMINATING)
"""States in which a process has a session."""

SESSIONS_MAX = 999_999
"""Sessions on one host, as far as its rank can tell."""


def host_id_of(fleet_id: str, compute_name: str) -> str:
    """Return the id of a host."""
    return f"{fleet_id}/{compute_name}"


def place_of(fleet_id: str, location: str) -> str:
    """Return the indexed value of a fleet's location."""
    return f"{fleet_id}@{location}"


def place(doc: Doc) -> str:
    """Return the place of a host."""
    return place_of(doc["FleetId"], doc["Location"])


def session_count(host: Doc) -> int:
    """Return how many processes of a host are taken."""
    counts = host["Counts"]
    return sum(counts[state] for state in TAKEN)


def room_prefix(fleet_id: str, location: str) -> str:
    """Return what the ranks of the hosts with room in a location begin with."""
    return place_of(fleet_id, location) + "|"


def room(doc: Doc) -> str | None:
    """Return the rank of a host among those that can take a session, the fullest first; None when it cannot.

    A host can when one of its processes is free, no more sessions than allowed are being activated on it, and it is not about
    to stop, as its agent may say.
    """
    counts = doc["Counts"]
    if not counts[READY] or "Stopping" in doc or counts[ACTIVATING] >= doc["ActivationsMax"]:
        return None
    return f"{room_prefix(doc['FleetId'], doc['Location'])}{SESSIONS_MAX - session_count(doc):06d}"


def ready_on(doc: Doc) -> str | None:
    """Return the host of a process that is free, None when it is taken."""
    return doc["HostId"] if doc["State"] == READY else None
