"""How calls of GameLift are recorded: what is hidden, what is read-only, which resources an event names.

Sources: service model; IAM's access levels (readOnly); the documented GameLift record, which shows IP ranges, ports
and addresses in clear although the model calls them sensitive.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from apitrail.arn import make_arn, parse_arn
from apitrail.events.rules import RecordRules, Resource
from apitrail.services.gamelift.arns import SERVICE, arn_in, is_custom, parse_game_session
from apitrail.wire.models import service_model

READ_ONLY = frozenset(
    name
    for name in service_model(SERVICE).operation_names
    if name.startswith(("Describe", "Get", "List", "Search"))
    or name in ("ResolveAlias", "ValidateMatchmakingRuleSet", "RequestUploadCredentials")
)
"""The 55 operations that change nothing."""

WITH_CREDENTIALS = frozenset(
    {
        "GetComputeAccess",
        "GetComputeAuthToken",
        "GetGameSessionLogUrl",
        "GetInstanceAccess",
        "GetPlayerConnectionDetails",
        "RequestUploadCredentials",
    }
)
"""Read-only operations whose answers let their holder in somewhere."""

FREE = READ_ONLY - WITH_CREDENTIALS
"""Operations that may pass unrecorded in capture mode `blocking`."""

MASKED = frozenset(
    {
        "AwsCredentials",
        "InstanceCredentials",
        "AuthToken",
        "PlayerGatewayToken",
        "PreSignedUrl",
        "PreSignedLogUrl",
    }
)
GAME_DATA = frozenset(
    {
        "AttributeValue",
        "ContainerEnvironment.Value",
        "CustomEventData",
        "GamePropertyValue",
        "GameServerData",
        "GameSessionData",
        "LargeGameSessionData",
        "MatchmakerData",
        "PlayerData",
        "QueueCustomEventData",
    }
)
CLEAR = frozenset(
    {"Event", "IpAddress", "IpRange", "PlayerId", "PlayerIdList", "PlayerIdsForAcceptMatch", "PortNumber"}
)

RESOURCE_TYPES: Mapping[str, str] = {
    "alias": "AWS::GameLift::Alias",
    "build": "AWS::GameLift::Build",
    "containerfleet": "AWS::GameLift::ContainerFleet",
    "containergroupdefinition": "AWS::GameLift::ContainerGroupDefinition",
    "fleet": "AWS::GameLift::Fleet",
    "gameservergroup": "AWS::GameLift::GameServerGroup",
    "gamesession": "AWS::GameLift::GameSession",
    "gamesessionqueue": "AWS::GameLift::GameSessionQueue",
    "location": "AWS::GameLift::Location",
    "matchmakingconfiguration": "AWS::GameLift::MatchmakingConfiguration",
    "matchmakingruleset": "AWS::GameLift::MatchmakingRuleSet",
    "script": "AWS::GameLift::Script",
}
"""Resource types by the word in the ARN. Inferred: that of game sessions, which has no published type."""

NAMING: Mapping[str, str] = {
    "AliasArn": "alias",
    "AliasId": "alias",
    "BuildArn": "build",
    "BuildId": "build",
    "ConfigurationArn": "matchmakingconfiguration",
    "ConfigurationName": "matchmakingconfiguration",
    "ContainerGroupDefinitionArn": "containergroupdefinition",
    "ContainerGroupDefinitionName": "containergroupdefinition",
    "DestinationArn": "",
    "FleetArn": "fleet",
    "FleetId": "fleet",
    "FleetIds": "fleet",
    "GameServerContainerGroupDefinitionName": "containergroupdefinition",
    "GameServerGroupArn": "gameservergroup",
    "GameServerGroupName": "gameservergroup",
    "GameSessionArn": "gamesession",
    "GameSessionId": "gamesession",
    "GameSessionQueueArn": "gamesessionqueue",
    "GameSessionQueueArns": "gamesessionqueue",
    "GameSessionQueueName": "gamesessionqueue",
    "Location": "location",
    "LocationArn": "location",
    "LocationName": "location",
    "Locations": "location",
    "Name": "",
    "Names": "",
    "PerInstanceContainerGroupDefinitionName": "containergroupdefinition",
    "ResourceARN": "",
    "RuleSetArn": "matchmakingruleset",
    "RuleSetName": "matchmakingruleset",
    "ScriptArn": "script",
    "ScriptId": "script",
}
"""Members that name resources, by id, name or ARN, and the kind that a bare id or name is of ("": only ARNs count)."""

INNER = frozenset(
    {
        "Alias",
        "Aliases",
        "Build",
        "Builds",
        "Compute",
        "ComputeList",
        "Configuration",
        "Configurations",
        "ContainerFleet",
        "ContainerFleets",
        "ContainerGroupDefinition",
        "ContainerGroupDefinitions",
        "Destinations",
        "FleetAttributes",
        "FleetCapacity",
        "FleetUtilization",
        "GameServer",
        "GameServerGroup",
        "GameServerGroups",
        "GameSession",
        "GameSessionPlacement",
        "GameSessionQueue",
        "GameSessionQueues",
        "Location",
        "LocationAttributes",
        "LocationState",
        "LocationStates",
        "Locations",
        "MatchmakingTicket",
        "PlayerSession",
        "RoutingStrategy",
        "RuleSet",
        "RuleSets",
        "Script",
        "Scripts",
        "TicketList",
    }
)
"""Structures and lists of structures whose members name resources as well.

Lists of sessions, players and events are not among them: all of a list belong to the fleet that was asked for.
"""

DEPTH_MAX = 3
NAME_LENGTH_MAX = 1024

Names = Mapping[str, Any]


def resources(account: str, region: str, params: Names, result: Names | None) -> list[Resource]:
    """Return the GameLift resources that a call names in its parameters and its answer, each once.

    params may be anything that a caller has sent, also what the model does not allow.
    """
    arns: dict[str, None] = {}
    for kind, text in (*_named(params), *_named(result or {})):
        for arn in _arns(account, region, kind, text):
            arns[arn] = None
    return [_resource(arn, account) for arn in arns]


def _named(names: Names, depth: int = DEPTH_MAX) -> Iterator[tuple[str, str]]:
    """Yield (kind, text) of every member that names a resource."""
    for name, value in names.items():
        values = value if isinstance(value, list) else (value,)
        kind = NAMING.get(name)
        if kind is not None:
            yield from ((kind, text) for text in values if isinstance(text, str))
        if depth and name in INNER:
            for inner in values:
                if isinstance(inner, dict):
                    yield from _named(inner, depth - 1)


def _arns(account: str, region: str, kind: str, text: str) -> Iterator[str]:
    """Yield the ARNs that an id, a name or an ARN stands for; a game session stands for its fleet as well."""
    if len(text) > NAME_LENGTH_MAX:
        return
    if text.startswith("arn:"):
        yield from _from_arn(account, text)
    elif kind == "location":
        if is_custom(text):
            yield arn_in(account, region, kind, text)
    elif kind == "fleet":
        word = text.partition("-")[0]
        if word in RESOURCE_TYPES:
            yield arn_in(account, region, word, text)
    elif kind not in ("", "gamesession"):
        yield arn_in(account, region, kind, text)


def _from_arn(account: str, text: str) -> Iterator[str]:
    """Yield an ARN in the form that the service hands out, whichever form was given."""
    arn = parse_arn(text)
    if arn is None or arn.service != SERVICE:
        return
    kind, _, id = arn.resource.partition("/")
    if kind not in RESOURCE_TYPES or not id:
        return
    yield arn_in(arn.account or account, arn.region, kind, id)
    session = parse_game_session(text)
    if session is not None:
        yield make_arn(SERVICE, arn.region, arn.account or account, f"fleet/{session.fleet_id}")


def _resource(arn: str, account: str) -> Resource:
    parts = parse_arn(arn)
    assert parts is not None
    return {
        "accountId": parts.account or account,
        "type": RESOURCE_TYPES[parts.resource.partition("/")[0]],
        "ARN": arn,
    }


RULES = RecordRules(
    event_source="gamelift.amazonaws.com",
    read_only=READ_ONLY.__contains__,
    masked=MASKED,
    game_data=GAME_DATA,
    clear=CLEAR,
    resources=resources,
)
