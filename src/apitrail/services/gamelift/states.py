"""The states of GameLift's things, as tables: from, to, what brings it about, after how long, with which fleet events.

The pictures in the docs are drawn from these tables. A step with a delay is taken by a timer; delays are AWS's slow
steps in seconds and are scaled by the setting `gamelift.delay_scale`. Deadlines (60 s for a reserved player slot, ...)
stand beside the code that sets them and are never scaled.

Source: GameLift API Reference (FleetAttributes, LocationState, Instance, GameSession, PlayerSession, Event); the
lengths of the delays are ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from apitrail.services.context import Context

GONE = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One transition. source GONE: creation; target GONE: removal.

    delay_s: taken by a timer that long after the source state was entered; None: somebody's call or message.
    events: codes of the fleet events that it adds.
    """

    source: str
    target: str
    trigger: str
    delay_s: float | None = None
    events: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Machine:
    """The states of one kind of thing."""

    name: str
    steps: Sequence[Step]
    _by_pair: dict[tuple[str, str], Step] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_pair", {(step.source, step.target): step for step in self.steps})

    @property
    def states(self) -> list[str]:
        """Return every state, in the order of the table."""
        names = [name for step in self.steps for name in (step.source, step.target)]
        return [name for name in dict.fromkeys(names) if name != GONE]

    def step(self, source: str, target: str) -> Step:
        """Return the step between two states; one that the table does not have is our own mistake."""
        step = self._by_pair.get((source, target))
        assert step is not None, f"a {self.name} does not go from {source or 'nothing'} to {target or 'nothing'}"
        return step

    def timed(self, source: str) -> Step | None:
        """Return the step that a timer takes out of a state, or None."""
        return next((step for step in self.steps if step.source == source and step.delay_s is not None), None)


def delay(ctx: Context, seconds: float) -> float:
    """Return how long one of AWS's slow steps takes here."""
    return seconds * ctx.settings.gamelift.delay_scale


BUILD = Machine(
    "build",
    (
        Step(GONE, "INITIALIZED", "CreateBuild"),
        Step("INITIALIZED", "READY", "the zip has arrived or the given object can be read", 1.0),
        Step("INITIALIZED", "FAILED", "the object is no zip, empty or cannot be read", 1.0),
        Step("INITIALIZED", GONE, "DeleteBuild"),
        Step("READY", GONE, "DeleteBuild"),
        Step("FAILED", GONE, "DeleteBuild"),
    ),
)

CREATION = ("NEW", "DOWNLOADING", "VALIDATING", "BUILDING", "ACTIVATING")

# A fleet's home location has the fleet's state; the steps of both are taken together, by the delays of LOCATION.
FLEET = Machine(
    "fleet",
    (
        Step(GONE, "NEW", "CreateFleet", None, ("FLEET_CREATED",)),
        Step("NEW", "DOWNLOADING", "the creation starts", None, ("FLEET_STATE_DOWNLOADING",)),
        Step(
            "DOWNLOADING",
            "VALIDATING",
            "the build was extracted",
            None,
            ("FLEET_CREATION_EXTRACTING_BUILD", "FLEET_STATE_VALIDATING"),
        ),
        Step(
            "VALIDATING",
            "BUILDING",
            "the launch paths were found",
            None,
            ("FLEET_CREATION_VALIDATING_RUNTIME_CONFIG", "FLEET_STATE_BUILDING"),
        ),
        Step("BUILDING", "ACTIVATING", "the first instance was launched", None, ("FLEET_STATE_ACTIVATING",)),
        Step("ACTIVATING", "ACTIVE", "one of its processes is ready", None, ("FLEET_STATE_ACTIVE",)),
        *(Step(state, "ERROR", "a creation step failed", None, ("FLEET_STATE_ERROR",)) for state in CREATION),
        Step("ACTIVE", "DELETING", "DeleteFleet"),
        Step("ERROR", "DELETING", "DeleteFleet"),
        Step("DELETING", "TERMINATED", "all its locations are terminated", None, ("FLEET_DELETED",)),
        Step("TERMINATED", GONE, "it is no longer kept", 60.0),
    ),
)

# The events are those of remote locations; the home location makes the fleet's instead.
LOCATION = Machine(
    "fleet location",
    (
        Step(GONE, "NEW", "CreateFleet, CreateFleetLocations", None, ("LOCATION_STATE_PENDING",)),
        Step("NEW", "DOWNLOADING", "the creation starts", 1.0, ("LOCATION_STATE_CREATING",)),
        Step("DOWNLOADING", "VALIDATING", "the build was fetched and extracted", 2.0),
        Step("VALIDATING", "BUILDING", "the launch paths were found", 1.0),
        Step("BUILDING", "ACTIVATING", "the first instance was launched", 2.0, ("LOCATION_STATE_ACTIVATING",)),
        Step("ACTIVATING", "ACTIVE", "one of its processes is ready", None, ("LOCATION_STATE_ACTIVE",)),
        *(Step(state, "ERROR", "a creation step failed", None, ("LOCATION_STATE_ERROR",)) for state in CREATION),
        *(
            Step(state, "DELETING", "DeleteFleet, DeleteFleetLocations", None, ("LOCATION_STATE_DELETING",))
            for state in (*CREATION, "ACTIVE", "ERROR")
        ),
        Step("DELETING", "TERMINATED", "its instances are gone", 2.0, ("LOCATION_STATE_DELETED",)),
        Step("TERMINATED", GONE, "it is no longer kept", 60.0),
    ),
)

# An Anywhere fleet downloads and launches nothing. It has custom locations and no home location.
ANYWHERE_FLEET = Machine(
    "fleet",
    (
        Step(GONE, "NEW", "CreateFleet", None, ("FLEET_CREATED",)),
        Step(GONE, "ACTIVE", "CreateFleet without delays", None, ("FLEET_CREATED", "FLEET_STATE_ACTIVE")),
        Step("NEW", "ACTIVE", "the creation starts", 1.0, ("FLEET_STATE_ACTIVE",)),
        Step("ACTIVE", "DELETING", "DeleteFleet"),
        Step("DELETING", "TERMINATED", "all its locations are terminated", None, ("FLEET_DELETED",)),
        Step("TERMINATED", GONE, "it is no longer kept", 60.0),
    ),
)

ANYWHERE_LOCATION = Machine(
    "fleet location",
    (
        Step(GONE, "NEW", "CreateFleet", None, ("LOCATION_STATE_PENDING",)),
        Step(GONE, "ACTIVE", "CreateFleet without delays, CreateFleetLocations", None, ("LOCATION_STATE_ACTIVE",)),
        Step("NEW", "ACTIVE", "its fleet is active", None, ("LOCATION_STATE_ACTIVE",)),
        *(
            Step(state, "DELETING", "DeleteFleet, DeleteFleetLocations", None, ("LOCATION_STATE_DELETING",))
            for state in ("NEW", "ACTIVE")
        ),
        Step("DELETING", "TERMINATED", "nothing runs there any more", 2.0, ("LOCATION_STATE_DELETED",)),
        Step("TERMINATED", GONE, "it is no longer kept", 60.0),
    ),
)

INSTANCE = Machine(
    "instance",
    (
        Step(GONE, "PENDING", "pending and active ones are fewer than desired"),
        Step("PENDING", "ACTIVE", "one of its processes is ready", 1.0),
        Step("PENDING", "TERMINATING", "scale-in, deletion"),
        Step("ACTIVE", "TERMINATING", "scale-in, deletion, unhealthy, interrupted"),
        Step("TERMINATING", GONE, "its processes have ended", 1.0),
    ),
)

GAME_SESSION = Machine(
    "game session",
    (
        Step(GONE, "ACTIVATING", "a process was reserved for it"),
        Step("ACTIVATING", "ACTIVE", "its process sends ActivateGameSession"),
        Step("ACTIVATING", "TERMINATED", "the activation timeout has passed, or its process ended"),
        Step("ACTIVATING", "TERMINATING", "TerminateGameSession"),
        Step("ACTIVATING", "ERROR", "its process crashed or was killed as unhealthy"),
        Step("ACTIVE", "TERMINATING", "TerminateGameSession"),
        Step("ACTIVE", "TERMINATED", "its process ended"),
        Step("ACTIVE", "ERROR", "its process crashed or was killed as unhealthy"),
        Step("TERMINATING", "TERMINATED", "its process ended"),
        Step("TERMINATED", GONE, "30 days have passed"),
        Step("ERROR", GONE, "30 days have passed"),
    ),
)

PLAYER_SESSION = Machine(
    "player session",
    (
        Step(GONE, "RESERVED", "CreatePlayerSession, CreatePlayerSessions, a placement or match"),
        Step("RESERVED", "ACTIVE", "its process sends AcceptPlayerSession"),
        Step("RESERVED", "TIMEDOUT", "60 s have passed, or the game session ended"),
        Step("RESERVED", "COMPLETED", "its process sends RemovePlayerSession"),
        Step("ACTIVE", "COMPLETED", "its process sends RemovePlayerSession, or the game session ended"),
        Step("TIMEDOUT", GONE, "30 days after the game session ended"),
        Step("COMPLETED", GONE, "30 days after the game session ended"),
    ),
)

CONTAINER_CREATION = ("PENDING", "CREATING", "CREATED", "ACTIVATING")

# As for EC2 fleets, a container fleet's home location has the fleet's state.
CONTAINER_FLEET = Machine(
    "container fleet",
    (
        Step(GONE, "PENDING", "CreateContainerFleet", None, ("FLEET_CREATED", "FLEET_STATE_PENDING")),
        Step("PENDING", "CREATING", "the creation starts", None, ("FLEET_STATE_CREATING",)),
        Step("CREATING", "CREATED", "it has no game server container group", None, ("FLEET_STATE_CREATED",)),
        Step("CREATING", "ACTIVATING", "its first instances are launched", None, ("FLEET_STATE_ACTIVATING",)),
        Step("CREATED", "ACTIVATING", "it gets a game server container group", None, ("FLEET_STATE_ACTIVATING",)),
        Step("ACTIVATING", "ACTIVE", "one of its containers is ready", None, ("FLEET_STATE_ACTIVE",)),
        Step("ACTIVATING", "CREATED", "its first deployment failed", None, ("FLEET_STATE_CREATED",)),
        Step("ACTIVE", "UPDATING", "a deployment begins", None, ("FLEET_STATE_UPDATING",)),
        Step("UPDATING", "ACTIVE", "the deployment has ended", None, ("FLEET_STATE_ACTIVE",)),
        Step("CREATED", "DELETING", "DeleteContainerFleet"),
        Step("ACTIVE", "DELETING", "DeleteContainerFleet"),
        Step("DELETING", GONE, "all its locations are terminated"),
    ),
)

CONTAINER_LOCATION = Machine(
    "container fleet location",
    (
        Step(GONE, "PENDING", "CreateContainerFleet, CreateFleetLocations", None, ("LOCATION_STATE_PENDING",)),
        Step("PENDING", "CREATING", "the creation starts", 1.0, ("LOCATION_STATE_CREATING",)),
        Step("CREATING", "CREATED", "its fleet has no game server container group", 2.0, ("LOCATION_STATE_CREATED",)),
        Step("CREATING", "ACTIVATING", "its fleet has one", None, ("LOCATION_STATE_ACTIVATING",)),
        Step("CREATED", "ACTIVATING", "its fleet gets one", None, ("LOCATION_STATE_ACTIVATING",)),
        Step("ACTIVATING", "ACTIVE", "one of its containers is ready", None, ("LOCATION_STATE_ACTIVE",)),
        Step("ACTIVATING", "CREATED", "the first deployment failed", None, ("LOCATION_STATE_CREATED",)),
        Step("ACTIVE", "UPDATING", "a deployment begins", None, ("LOCATION_STATE_UPDATING",)),
        Step("UPDATING", "ACTIVE", "the deployment has ended", None, ("LOCATION_STATE_ACTIVE",)),
        *(
            Step(state, "DELETING", "DeleteContainerFleet, DeleteFleetLocations", None, ("LOCATION_STATE_DELETING",))
            for state in (*CONTAINER_CREATION, "ACTIVE", "UPDATING")
        ),
        Step("DELETING", "TERMINATED", "its instances are gone", 2.0, ("LOCATION_STATE_DELETED",)),
        Step("TERMINATED", GONE, "it is no longer kept", 60.0),
    ),
)

GROUP_VERSION = Machine(
    "container group definition",
    (
        Step(GONE, "COPYING", "CreateContainerGroupDefinition, UpdateContainerGroupDefinition"),
        Step("COPYING", "READY", "its images would have been copied", 1.0),
        Step("COPYING", "FAILED", "an ImageUri cannot be that of an image"),
        Step("COPYING", GONE, "DeleteContainerGroupDefinition"),
        Step("READY", GONE, "DeleteContainerGroupDefinition"),
        Step("FAILED", GONE, "DeleteContainerGroupDefinition, or five minutes have passed"),
    ),
)

DEPLOYMENT = Machine(
    "deployment",
    (
        Step(GONE, "PENDING", "CreateContainerFleet, UpdateContainerFleet, a new version of a definition"),
        Step("PENDING", "IN_PROGRESS", "the deployment starts", 1.0),
        Step("IN_PROGRESS", "COMPLETE", "it was validated and all instances were replaced", 2.0),
        Step("IN_PROGRESS", "IMPAIRED", "validation failed, with ImpairmentStrategy MAINTAIN"),
        Step("IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "validation failed, with ImpairmentStrategy ROLLBACK"),
        Step("ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE", "the former settings are back", 2.0),
        *(
            Step(state, "CANCELLED", "another deployment begins, or the fleet is deleted")
            for state in ("PENDING", "IN_PROGRESS", "ROLLBACK_IN_PROGRESS")
        ),
        *(
            Step(state, GONE, "its fleet is gone, or 100 newer ones are kept")
            for state in ("COMPLETE", "IMPAIRED", "ROLLBACK_COMPLETE", "CANCELLED")
        ),
    ),
)

SERVER_GROUP = Machine(
    "game server group",
    (
        Step(GONE, "NEW", "CreateGameServerGroup"),
        Step("NEW", "ACTIVATING", "the creation starts", 1.0),
        Step("ACTIVATING", "ACTIVE", "its Auto Scaling group was made", 2.0),
        Step("ACTIVATING", "ERROR", "its role cannot be assumed"),
        Step("ACTIVE", "DELETE_SCHEDULED", "DeleteGameServerGroup"),
        Step("ERROR", "DELETE_SCHEDULED", "DeleteGameServerGroup"),
        Step("DELETE_SCHEDULED", "DELETING", "none of its game servers is UTILIZED, or FORCE_DELETE", 1.0),
        Step("DELETING", GONE, "its game servers were deregistered", 2.0),
    ),
)

# UtilizationStatus and ClaimStatus together: CLAIMED is AVAILABLE with a claim.
GAME_SERVER = Machine(
    "game server",
    (
        Step(GONE, "AVAILABLE", "RegisterGameServer"),
        Step("AVAILABLE", "CLAIMED", "ClaimGameServer"),
        Step("AVAILABLE", "UTILIZED", "UpdateGameServer"),
        Step("CLAIMED", "UTILIZED", "UpdateGameServer"),
        Step("CLAIMED", "AVAILABLE", "60 s have passed"),
        Step("AVAILABLE", GONE, "DeregisterGameServer, its group is deleted"),
        Step("CLAIMED", GONE, "DeregisterGameServer, its group is deleted"),
        Step("UTILIZED", GONE, "DeregisterGameServer, its group is deleted"),
    ),
)

# The state is the Code of the connection's Status.
PEERING = Machine(
    "VPC peering connection",
    (
        Step(GONE, "pending-acceptance", "CreateVpcPeeringConnection"),
        Step(GONE, "active", "the creation of its fleet, which named the VPC", None, ("FLEET_VPC_PEERING_SUCCEEDED",)),
        Step("pending-acceptance", "active", "it is accepted", 2.0, ("FLEET_VPC_PEERING_SUCCEEDED",)),
        Step("pending-acceptance", "failed", "its authorization was taken back", None, ("FLEET_VPC_PEERING_FAILED",)),
        Step("pending-acceptance", GONE, "DeleteVpcPeeringConnection, DeleteFleet"),
        Step("active", GONE, "DeleteVpcPeeringConnection, DeleteFleet", None, ("FLEET_VPC_PEERING_DELETED",)),
        Step("failed", GONE, "DeleteVpcPeeringConnection, DeleteFleet"),
    ),
)

PLACEMENT = Machine(
    "placement",
    (
        Step(GONE, "PENDING", "StartGameSessionPlacement, a match"),
        Step("PENDING", "FULFILLED", "its game session is ACTIVE"),
        Step("PENDING", "CANCELLED", "StopGameSessionPlacement, before it has a game session"),
        Step("PENDING", "TIMED_OUT", "the timeout of its queue has passed"),
        Step(
            "PENDING", "FAILED", "its queue was deleted, or its game session ended before it was active, in every place"
        ),
        *(Step(state, GONE, "30 days have passed") for state in ("FULFILLED", "CANCELLED", "TIMED_OUT", "FAILED")),
    ),
)

TICKET = Machine(
    "ticket",
    (
        Step(GONE, "QUEUED", "StartMatchmaking, StartMatchBackfill, automatic backfill"),
        Step("QUEUED", "SEARCHING", "the matchmaker has taken it up"),
        Step("SEARCHING", "REQUIRES_ACCEPTANCE", "a match was found that players have to accept"),
        Step("SEARCHING", "PLACING", "a match was found"),
        Step("REQUIRES_ACCEPTANCE", "PLACING", "all players have accepted"),
        Step("REQUIRES_ACCEPTANCE", "SEARCHING", "the match fell through, and not by its players"),
        Step("PLACING", "COMPLETED", "the match has a game session, or needs none"),
        Step("PLACING", "FAILED", "the match could not be placed"),
        Step("PLACING", "SEARCHING", "the game session that the match was to fill has no room for it"),
        *(
            Step(
                state, "CANCELLED", "StopMatchmaking, a newer ticket of a player or for the session, the session's end"
            )
            for state in ("QUEUED", "SEARCHING")
        ),
        Step("REQUIRES_ACCEPTANCE", "CANCELLED", "its players have not accepted, or as before"),
        *(
            Step(state, "TIMED_OUT", "RequestTimeoutSeconds have passed since its StartTime")
            for state in ("QUEUED", "SEARCHING")
        ),
        *(Step(state, GONE, "30 days have passed") for state in ("COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT")),
    ),
)

# A virtual process is READY from the start; the other states are those of processes that connect.
SERVER_PROCESS = Machine(
    "server process",
    (
        Step(GONE, "LAUNCHED", "its host starts it"),
        Step(GONE, "CONNECTED", "InitSDK on a compute of the user's"),
        Step(GONE, "READY", "its host starts it, and it is virtual"),
        Step("LAUNCHED", "CONNECTED", "InitSDK"),
        Step("CONNECTED", "WAITING", "ProcessReady"),
        Step(
            "WAITING", "READY", "its first or next good heartbeat, 250 ms after ProcessReady, or it is connected again"
        ),
        Step("READY", "WAITING", "a bad heartbeat, its connection is lost, or ProcessReady again"),
        Step("READY", "ACTIVATING", "chosen for a game session"),
        Step("ACTIVATING", "HOSTING", "ActivateGameSession"),
        Step("ACTIVATING", "TERMINATING", "TerminateProcess"),
        Step("HOSTING", "TERMINATING", "TerminateProcess"),
        *(
            Step(state, "WAITING", "ProcessReady of a new process that took its id")
            for state in ("ACTIVATING", "HOSTING", "TERMINATING")
        ),
        *(
            Step(state, "ENDING", "ProcessEnding")
            for state in ("CONNECTED", "WAITING", "READY", "ACTIVATING", "HOSTING", "TERMINATING")
        ),
        Step("ENDING", GONE, "it has exited"),
        *(
            Step(state, GONE, "it has crashed, or has not given in time what it owes; its host is gone")
            for state in ("LAUNCHED", "CONNECTED", "WAITING", "READY", "ACTIVATING", "HOSTING", "TERMINATING")
        ),
    ),
)

MACHINES = (
    BUILD,
    FLEET,
    LOCATION,
    ANYWHERE_FLEET,
    ANYWHERE_LOCATION,
    INSTANCE,
    GAME_SESSION,
    PLAYER_SESSION,
    CONTAINER_FLEET,
    CONTAINER_LOCATION,
    GROUP_VERSION,
    DEPLOYMENT,
    SERVER_GROUP,
    GAME_SERVER,
    PEERING,
    PLACEMENT,
    TICKET,
    SERVER_PROCESS,
)
