"""What game servers say through the server SDK: the members of each request, with their bounds.

Unknown members are ignored. Members that SDKs leave out or send as null are optional here.
Source: server SDK 5.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

Id = Annotated[str, Meta(min_length=1, max_length=256)]
"""ARNs and ids."""

Text = Annotated[str, Meta(max_length=1024)]
MatchId = Annotated[str, Meta(max_length=256)]
PortNumber = Annotated[int, Meta(ge=1, le=60_000)]
Paths = Annotated[list[Text], Meta(max_length=50)]
SessionName = Annotated[str, Meta(max_length=64)]


class Head(Struct):
    """What every request has. RequestId: repeated in the answer."""

    Action: Annotated[str, Meta(min_length=1, max_length=64)]
    RequestId: Annotated[str, Meta(min_length=1, max_length=128)]


class ActivateServerProcess(Struct):
    """The process can host a session. Port: where it takes players."""

    Port: PortNumber
    SdkVersion: Text | None = None
    SdkLanguage: Text | None = None
    SdkToolName: Text | None = None
    SdkToolVersion: Text | None = None
    LogPaths: Paths | None = None


class HeartbeatServerProcess(Struct):
    """How the process is."""

    HealthStatus: bool


class ActivateGameSession(Struct):
    """The session can take players."""

    GameSessionId: Id


class UpdatePlayerSessionCreationPolicy(Struct):
    """Whether the session takes more players."""

    GameSessionId: Id
    PlayerSessionPolicy: Literal["ACCEPT_ALL", "DENY_ALL"]


class PlayerSessionOf(Struct):
    """A player has come (AcceptPlayerSession) or left (RemovePlayerSession)."""

    GameSessionId: Id
    PlayerSessionId: Id


class DescribePlayerSessions(Struct):
    """Asks for player sessions, by one of the first three."""

    GameSessionId: Text | None = None
    PlayerId: Text | None = None
    PlayerSessionId: Text | None = None
    PlayerSessionStatusFilter: Text | None = None
    NextToken: Text | None = None
    Limit: int | None = None


class Attribute(Struct):
    """A player's attribute; AttrType says which of the others counts."""

    AttrType: Literal["NONE", "STRING", "DOUBLE", "STRING_LIST", "STRING_DOUBLE_MAP"]
    S: Text | None = None
    N: float | None = None
    SL: Annotated[list[Text], Meta(max_length=100)] | None = None
    SDM: Annotated[dict[Text, float], Meta(max_length=100)] | None = None


class Player(Struct):
    """A player of a session that wants more."""

    PlayerId: Id
    Team: Text | None = None
    PlayerAttributes: Annotated[dict[Text, Attribute], Meta(max_length=100)] | None = None
    LatencyInMs: Annotated[dict[Text, int], Meta(max_length=100)] | None = None


class StartMatchBackfill(Struct):
    """Asks for more players. TicketId: empty to have one made."""

    GameSessionArn: Id
    MatchmakingConfigurationArn: MatchId
    Players: Annotated[list[Player], Meta(max_length=200)]
    TicketId: MatchId | None = None


class StopMatchBackfill(Struct):
    """No more players are needed."""

    TicketId: Id
    GameSessionArn: Id
    MatchmakingConfigurationArn: MatchId | None = None


class GetFleetRoleCredentials(Struct):
    """Asks for credentials of the fleet's role."""

    RoleArn: Id
    RoleSessionName: SessionName | None = None


class Nothing(Struct):
    """No members."""
