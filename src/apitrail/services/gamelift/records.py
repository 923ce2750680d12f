"""How calls of GameLift are recorded: what is hidden, what is read-only, which resources an event names.

Sources: service model; IAM's access levels (readOnly); the documented GameLift record, which shows IP ranges, ports
and addresses in clear although the model calls them sensitive.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from apitrail.arn import parse_arn
from apitrail.events.rules import RecordRules, Resource
from apitrail.services.gamelift.arns import SERVICE, arn_in, is_custom
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
        "DescribeFleetEvents",
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
    "compute": "AWS::GameLift::Compute",
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
"""Resource types by the word in the ARN. Inferred: those of computes and game sessions, which have no published type."""

NAMING: Mapping[str, str] = {
    "AliasArn": "alias",
    "AliasId": "alias",
    "BuildArn": "build",
    "BuildId": "build",
    "ComputeArn": "compute",
    "ComputeName": "compute",
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
    "_ResourceArn": "",
    "RuleSetArn": "matchmakingruleset",
    "RuleSetName": "matchmakingruleset",
    "ScriptArn": "script",
    "ScriptId": "script",
}
"""Members that name resources, by id, name or ARN, and the kind that a bare id or name is of ("": only ARNs count).

`_ResourceArn` is what a body answers, unseen by the caller, when neither parameters nor answer have the ARN: a deletion by name.
"""

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

TELLING = INNER | NAMING.keys()
INSTANCE_PREFIX = "i-"
DEPTH_MAX = 3
NAME_LENGTH_MAX = 1024

Names = Mapping[str, Any]
Named = dict[tuple[str, str], None]


def resources(account: str, region: str, params: Names, result: Names | None) -> list[Resource]:
    """Return the GameLift resources that a call names in its parameters and its answer, each once.

    params may be anything that a caller has sent, also what the model does not allow.
    """
    named: Named = {}
    _collect(params, named, DEPTH_MAX)
    if result:
        _collect(result, named, DEPTH_MAX)
    found: dict[str, Resource] = {}
    for kind, text in named:
        for resource in _resources(account, region, kind, text):
            found.setdefault(resource["ARN"], {**resource})
    return list(found.values())


def _collect(names: Names, named: Named, depth: int) -> None:
    """Add (kind, text) of every member that names a resource, in their order."""
    for name, value in names.items():
        if name not in TELLING:
            continue
        kind = NAMING.get(name)
        if kind is not None:
            if isinstance(value, str):
                named[kind, value] = None
            elif isinstance(value, list):
                named |= {(kind, text): None for text in value if isinstance(text, str)}
        if depth and name in INNER:
            for inner in value if isinstance(value, list) else (value,):
                if isinstance(inner, dict):
                    _collect(inner, named, depth - 1)


@lru_cache(maxsize=4096)
def _resources(account: str, region: str, kind: str, text: str) -> tuple[Resource, ...]:
    """Return what an id, a name or an ARN stands for; a game session stands for its fleet as well."""
    if len(text) > NAME_LENGTH_MAX:
        return ()
    if text.startswith("arn:"):
        head, is_session, rest = text.partition(":gamesession/")
        return (_from_session(account, head, rest) if is_session else None) or tuple(_from_arn(account, text))
    if kind == "fleet":
        kind = text.partition("-")[0]
    return (_resource(account, region, kind, text),) if _has_arn(kind, text) else ()


def _has_arn(kind: str, text: str) -> bool:
    """Return whether a bare id or name is that of a resource with an ARN: AWS's locations and instances have none."""
    if kind == "location":
        return is_custom(text)
    if kind == "compute":
        return not text.startswith(INSTANCE_PREFIX)
    return kind in RESOURCE_TYPES and kind != "gamesession"


def _from_arn(account: str, text: str) -> Iterator[Resource]:
    """Yield the resource of an ARN in the form that the service hands out, whichever form was given."""
    arn = parse_arn(text)
    if arn is None or arn.service != SERVICE:
        return
    kind, _, id = arn.resource.partition("/")
    if kind in RESOURCE_TYPES and id:
        yield _resource(arn.account or account, arn.region, kind, id)


def _from_session(account: str, head: str, rest: str) -> tuple[Resource, ...] | None:
    """Return a game session and its fleet by what is before and after `:gamesession/` in its ARN, None when it is none."""
    begun = _begun(account, head)
    if begun is None or not rest:
        return None
    session, fleet = begun
    names = rest.split("/")
    found: Resource = {**session, "ARN": session["ARN"] + rest}
    if len(names) not in (2, 3) or not all(names):
        return (found,)
    return found, {**fleet, "ARN": fleet["ARN"] + names[0]}


@lru_cache(maxsize=1024)
def _begun(account: str, head: str) -> tuple[Resource, Resource] | None:
    """Return the resources of a session and its fleet, whose ARNs lack the id; they are the same for a whole region."""
    arn = parse_arn(f"{head}:gamesession/")
    if arn is None or arn.service != SERVICE or arn.resource != "gamesession/":
        return None
    owner = arn.account or account
    return _resource(owner, arn.region, "gamesession", ""), _resource(owner, arn.region, "fleet", "")


def _resource(account: str, region: str, kind: str, id: str) -> Resource:
    return {"accountId": account, "type": RESOURCE_TYPES[kind], "ARN": arn_in(account, region, kind, id)}


RULES = RecordRules(
    event_source="gamelift.amazonaws.com",
    read_only=READ_ONLY.__contains__,
    masked=MASKED,
    game_data=GAME_DATA,
    clear=CLEAR,
    resources=resources,
)
