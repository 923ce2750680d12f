"""The collections of GameLift's documents, one line each.

A document is the API's structure of the resource; private extras have a leading underscore. Ids are the resource's own,
a fleet location's is `<fleet id>/<location>`, an agent's that of its host, a game session's
`<fleet id>/<last part of its ARN>`, a tag set's the resource's ARN.
An index named `A+B` holds the values of both members, joined by `joined`.
"""

from typing import Any

from apitrail.services.gamelift.process_facts import place, ready_on, room
from apitrail.services.gamelift.session_facts import creation, listings, player_listings, ranks
from apitrail.store.resources import Collection, Doc, IndexOf

SEPARATOR = "\n"
GROUP_KINDS = ("GameServer", "PerInstance")
"""The two container groups of a container fleet, as its members name them."""
ACTIVE_TICKET = ("QUEUED", "SEARCHING", "REQUIRES_ACCEPTANCE", "PLACING")
"""Statuses of matchmaking tickets that can still become another one."""

WAITING_TICKET = ("QUEUED", "SEARCHING")
"""Statuses of matchmaking tickets for which the engine seeks a match."""


def joined(*values: Any) -> str:
    """Return the value of an index over several members, for `find` and `where`."""
    return SEPARATOR.join(str(value) for value in values)


def _both(first: str, second: str) -> IndexOf:
    return lambda doc: joined(doc.get(first, ""), doc.get(second, ""))


def _given(member: str) -> IndexOf:
    return lambda doc: doc.get(member)


def _one(member: str) -> IndexOf:
    return lambda doc: doc[member]


def _routing(doc: Doc) -> str:
    return str(doc["RoutingStrategy"]["Type"])


def word_of(fleet: Doc) -> str:
    """Return the word that a fleet's id begins with."""
    return str(fleet["FleetId"]).partition("-")[0]


def _definition_arns(fleet: Doc) -> list[str | None]:
    """Return the container group definitions that a fleet uses."""
    return [fleet.get(f"{kind}ContainerGroupDefinitionArn") for kind in GROUP_KINDS]


def _open_arns(deployment: Doc) -> list[str | None]:
    """Return the container group definitions that a deployment in progress deploys or may roll back to."""
    if deployment["DeploymentStatus"] not in ("PENDING", "IN_PROGRESS", "ROLLBACK_IN_PROGRESS"):
        return []
    return [deployment.get(f"{prefix}{kind}BinaryArn") for prefix in ("", "Rollback") for kind in GROUP_KINDS]


def _free_in(doc: Doc) -> str | None:
    """Return the group of a game server that can be claimed."""
    free = doc["UtilizationStatus"] == "AVAILABLE" and "ClaimStatus" not in doc
    return doc["GameServerGroupArn"] if free else None


def _pending_in(doc: Doc) -> str | None:
    """Return the queue that a placement is pending in."""
    return doc["_QueueId"] if doc["Status"] == "PENDING" else None


def _active_in(doc: Doc) -> str | None:
    """Return the matchmaking configuration that a ticket is active in."""
    return doc["ConfigurationName"] if doc["Status"] in ACTIVE_TICKET else None


def _waits_in(doc: Doc) -> str | None:
    """Return the matchmaking configuration in whose pool a ticket is."""
    return doc["ConfigurationName"] if doc["Status"] in WAITING_TICKET else None


def _active_players(doc: Doc) -> list[str]:
    """Return the players whom an active ticket seeks a match for."""
    if doc["Status"] not in ACTIVE_TICKET or "_Backfill" in doc:
        return []
    return [player["PlayerId"] for player in doc["Players"]]


def _filled_session(doc: Doc) -> str | None:
    """Return the game session that an active ticket seeks players for."""
    return (doc.get("_Backfill") or None) if doc["Status"] in ACTIVE_TICKET else None


def _routing_and_name(doc: Doc) -> str:
    return joined(_routing(doc), doc["Name"])


def _parties(doc: Doc) -> list[str]:
    """Return who sees a VPC peering authorization, and in which region."""
    return [joined(doc["_Region"], doc[owner]) for owner in ("GameLiftAwsAccountId", "PeerVpcAwsAccountId")]


BUILDS = Collection("gamelift/build", indexes=["Status"])
SCRIPTS = Collection("gamelift/script")
ALIASES = Collection(
    "gamelift/alias",
    indexes={"Type": _routing, "Name": lambda doc: doc["Name"], "Type+Name": _routing_and_name},
)
CUSTOM_LOCATIONS = Collection("gamelift/location")
TAGS = Collection("gamelift/tags")

FLEETS = Collection(
    "gamelift/fleet",
    indexes={name: _given(name) for name in ("BuildId", "ScriptId", "Status")}
    | {"word": word_of, "definition": _definition_arns},
)
FLEET_LOCATIONS = Collection("gamelift/fleet-location", indexes=["FleetId", "Location"])
INSTANCE_DEMAND = Collection("gamelift/instance-demand")
INSTANCES = Collection(
    "gamelift/instance",
    indexes={
        "FleetId": _one("FleetId"),
        "FleetId+Location": _both("FleetId", "Location"),
        "FleetId+Location+Status": lambda doc: joined(doc["FleetId"], doc["Location"], doc["Status"]),
        "Type+Location": _both("Type", "Location"),
    },
)
PROCESS_LOGS = Collection("gamelift/process-log", indexes=["FleetId"])
FLEET_EVENTS = Collection("gamelift/fleet-event", indexes=["ResourceId"])

GAME_SESSIONS = Collection("gamelift/game-session", indexes={"listing": listings, "rank": ranks, "creation": creation})
GAME_SESSION_TEXTS = Collection("gamelift/game-session-text")
PLAYER_SESSIONS = Collection(
    "gamelift/player-session", indexes={"listing": player_listings, "PlayerId": _one("PlayerId")}
)

COMPUTES = Collection("gamelift/compute", indexes=["FleetId"])
COMPUTE_TOKENS = Collection("gamelift/compute-token", "global", indexes=["Owner"])
AGENTS = Collection("gamelift/agent")
PARKED_MESSAGES = Collection("gamelift/parked-message", indexes=["ProcessId"])

HOSTS = Collection("gamelift/host", indexes={"FleetId": _one("FleetId"), "place": place, "room": room})
PROCESSES = Collection("gamelift/process", indexes={"HostId": _one("HostId"), "ready": ready_on})

GROUP_DEFINITIONS = Collection("gamelift/group-definition", indexes=["ContainerGroupType"])
GROUP_VERSIONS = Collection("gamelift/group-version", indexes=["Name"])
GROUP_COMPUTES = Collection("gamelift/group-compute", indexes=["FleetId", "InstanceId"])
DEPLOYMENTS = Collection("gamelift/deployment", indexes={"FleetId": _one("FleetId"), "open": _open_arns})

SERVER_GROUPS = Collection("gamelift/server-group")
SERVER_INSTANCES = Collection("gamelift/server-instance", indexes=["GameServerGroupArn"])
GAME_SERVERS = Collection(
    "gamelift/game-server", "account", indexes={"GameServerGroupArn": _one("GameServerGroupArn"), "free": _free_in}
)

SCALING_POLICIES = Collection("gamelift/scaling-policy", indexes=["FleetId"])
SCALING_WATCHES = Collection("gamelift/scaling-watch")

PEERING_AUTHORIZATIONS = Collection("gamelift/peering-authorization", "global", indexes={"party": _parties})
PEERING_CONNECTIONS = Collection("gamelift/peering-connection", indexes=["FleetId"])

QUEUES = Collection("gamelift/queue")
PLACEMENTS = Collection("gamelift/placement", indexes={"pending": _pending_in})
PLACEMENT_TEXTS = Collection("gamelift/placement-text")
ROOM_WAITS = Collection("gamelift/room-wait", "account", indexes={"name": _one("Names"), "best": _one("Best")})
ROOM_CALLS = Collection("gamelift/room-call", "account")

RULE_SETS = Collection("gamelift/rule-set")
MATCHMAKING_CONFIGURATIONS = Collection("gamelift/matchmaking-configuration", indexes=["RuleSetName"])
TICKETS = Collection(
    "gamelift/ticket",
    indexes={"active": _active_in, "pool": _waits_in, "player": _active_players, "session": _filled_session},
)
MATCHES = Collection("gamelift/match")
MATCH_CHANGES = Collection("gamelift/match-change", "global")
MATCH_WAITS = Collection("gamelift/match-wait")
ROSTERS = Collection("gamelift/roster")
AUTO_TICKETS = Collection("gamelift/auto-ticket")
