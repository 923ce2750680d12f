"""What agents say: the members of each request, with their bounds. Unknown members are ignored.

Source: GameLift's Agent. Inferred: the bounds, and that EventCode and TerminationReason may be missing.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from apitrail.services.gamelift.sdk_shapes import SessionName, Text

ProcessId = Annotated[str, Meta(min_length=1, max_length=128)]


class SendHeartbeat(Struct):
    """How the compute is. ProcessList: ids of all processes that run. HeartbeatTimeMillis: the agent's time, not used."""

    Status: Literal["Initializing", "Activating", "Active", "Terminating", "Terminated", "Interrupted"]
    ProcessList: Annotated[list[ProcessId], Meta(max_length=1000)] | None = None
    HeartbeatTimeMillis: int | None = None


class GetFleetRoleCredentials(Struct):
    """Asks for credentials of the fleet's role."""

    RoleSessionName: SessionName | None = None


class NotifyServerProcessTermination(Struct):
    """A process has exited. EventCode: how, if not well."""

    ProcessId: ProcessId
    EventCode: Text | None = None
    TerminationReason: Text | None = None
