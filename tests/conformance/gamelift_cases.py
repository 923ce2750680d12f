"""Every operation of GameLift: a call that succeeds, and for each error of its model one that ends in it.

An error without a call cannot happen here; gamelift_words.py says why. Values that begin with a dollar sign are names of
gamelift_scene.py. The page docs/reference/gamelift-errors.md is made from these tables.
"""

from typing import Any, NamedTuple

from apitrail.wire.models import service_model

HOME = "us-west-2"
ABROAD = "us-gov-west-1"
"""A Region in which GameLift is not offered."""

BROKEN_REGION = "eu-central-1"
"""A Region in which an account has taken the names of the service's buckets."""

OWNER = "111122223333"
MODEL = service_model("gamelift")


class Call(NamedTuple):
    """A call. account: whose root makes it; empty: the owner's."""

    params: dict[str, Any]
    region: str = HOME
    account: str = ""


UUID = "00000000-0000-4000-8000-000000000000"
NO_FLEET = {"FleetId": f"fleet-{UUID}"}
NO_CONTAINERS = {"FleetId": f"containerfleet-{UUID}"}
NO_SESSION = f"arn:aws:gamelift:us-west-2::gamesession/fleet-{UUID}/gsess-1"
FLEET = {"FleetId": "$fleet"}
DESK = {"FleetId": "$desk"}
DYING = {"FleetId": "$dying"}
CONTAINERS = {"FleetId": "$containers"}
SERVERS = {"GameServerGroupName": "servers"}
BAD_TAGS = {"Tags": [{"Key": "aws:x", "Value": "1"}]}
BAD_TOKEN = {"NextToken": "damaged"}
ROLE = "arn:aws:iam::111122223333:role/game"
LAUNCH = {
    "RuntimeConfiguration": {"ServerProcesses": [{"LaunchPath": "/local/game/server.js", "ConcurrentExecutions": 1}]}
}
MANY = {"ServerProcesses": [{"LaunchPath": "/local/game/server.js", "ConcurrentExecutions": 51}]}
EC2 = {"Name": "new", "EC2InstanceType": "c5.2xlarge", **LAUNCH}
RULE = {"FromPort": 7000, "ToPort": 7100, "IpRange": "0.0.0.0/0", "Protocol": "UDP"}
RULES = [{**RULE, "FromPort": 8000 + number, "ToPort": 8000 + number} for number in range(50)]
PEER = {"PeerVpcAwsAccountId": OWNER, "PeerVpcId": "vpc-2"}
ALLOWED = {"GameLiftAwsAccountId": OWNER, "PeerVpcId": "vpc-2"}
SLOTS = {"MaximumPlayerSessionCount": 4}
SIMPLE = {"Type": "SIMPLE", "FleetId": "$fleet"}
BUILD = {"OperatingSystem": "AMAZON_LINUX_2023", "ServerSdkVersion": "5.2.0"}
GROUP = {
    "GameServerGroupName": "new",
    "RoleArn": ROLE,
    "MinSize": 1,
    "MaxSize": 2,
    "LaunchTemplate": {"LaunchTemplateName": "game"},
    "InstanceDefinitions": [{"InstanceType": "c5.large"}, {"InstanceType": "m5.large"}],
}
CONTAINER = {
    "ContainerName": "game",
    "ImageUri": "111122223333.dkr.ecr.us-west-2.amazonaws.com/game:1",
    "ServerSdkVersion": "5.2.0",
    "PortConfiguration": {"ContainerPortRanges": [{"FromPort": 7777, "ToPort": 7777, "Protocol": "UDP"}]},
}
DEFINITION = {
    "Name": "new",
    "OperatingSystem": "AMAZON_LINUX_2023",
    "TotalMemoryLimitMebibytes": 1024,
    "TotalVcpuLimit": 1.0,
    "GameServerContainerDefinition": CONTAINER,
}
MATCHING = {
    "RuleSetName": "rules",
    "RequestTimeoutSeconds": 60,
    "AcceptanceRequired": False,
    "FlexMatchMode": "STANDALONE",
}
RULE_BODY = (
    '{"name": "pair", "ruleLanguageVersion": "1.0", "teams": [{"name": "all", "minPlayers": 2, "maxPlayers": 2}]}'
)
POLICY = {"PolicyType": "TargetBased", "MetricName": "PercentAvailableGameSessions"}
TARGET = {**POLICY, "TargetConfiguration": {"TargetValue": 10.0}}
BACKFILL = [{"PlayerId": "ana", "Team": "all"}]

SUCCESSES: dict[str, Call] = {
    "AcceptMatch": Call({"TicketId": "first", "PlayerIds": ["ben"], "AcceptanceType": "ACCEPT"}),
    "ClaimGameServer": Call({**SERVERS, "GameServerId": "server-1"}),
    "CreateAlias": Call({"Name": "new", "RoutingStrategy": SIMPLE}),
    "CreateBuild": Call(BUILD),
    "CreateContainerFleet": Call({"FleetRoleArn": ROLE}),
    "CreateContainerGroupDefinition": Call(DEFINITION),
    "CreateFleet": Call({**EC2, "ScriptId": "$script"}),
    "CreateFleetLocations": Call({**FLEET, "Locations": [{"Location": "us-east-1"}]}),
    "CreateGameServerGroup": Call(GROUP),
    "CreateGameSession": Call({**FLEET, **SLOTS}),
    "CreateGameSessionQueue": Call({"Name": "new", "Destinations": [{"DestinationArn": "$fleet-arn"}]}),
    "CreateLocation": Call({"LocationName": "custom-new"}),
    "CreateMatchmakingConfiguration": Call({"Name": "new", **MATCHING}),
    "CreateMatchmakingRuleSet": Call({"Name": "new", "RuleSetBody": RULE_BODY}),
    "CreatePlayerSession": Call({"GameSessionId": "$session", "PlayerId": "ben"}),
    "CreatePlayerSessions": Call({"GameSessionId": "$session", "PlayerIds": ["cid", "dan"]}),
    "CreateScript": Call({"Name": "new", "ZipFile": "$zip"}),
    "CreateVpcPeeringAuthorization": Call({**ALLOWED, "PeerVpcId": "vpc-3"}),
    "CreateVpcPeeringConnection": Call({"FleetId": "$tiny", **PEER}),
    "DeleteAlias": Call({"AliasId": "$spare-alias"}),
    "DeleteBuild": Call({"BuildId": "$spare-build"}),
    "DeleteContainerFleet": Call({"FleetId": "$spare-container-fleet"}),
    "DeleteContainerGroupDefinition": Call({"Name": "spare-containers"}),
    "DeleteFleet": Call({"FleetId": "$spare-fleet"}),
    "DeleteFleetLocations": Call({"FleetId": "$wide", "Locations": ["eu-west-1"]}),
    "DeleteGameServerGroup": Call({"GameServerGroupName": "spare-servers"}),
    "DeleteGameSessionQueue": Call({"Name": "spare-queue"}),
    "DeleteLocation": Call({"LocationName": "custom-spare"}),
    "DeleteMatchmakingConfiguration": Call({"Name": "spare-ladder"}),
    "DeleteMatchmakingRuleSet": Call({"Name": "spare-rules"}),
    "DeleteScalingPolicy": Call({"Name": "spare", "FleetId": "$tiny"}),
    "DeleteScript": Call({"ScriptId": "$spare-script"}),
    "DeleteVpcPeeringAuthorization": Call(ALLOWED),
    "DeleteVpcPeeringConnection": Call({**FLEET, "VpcPeeringConnectionId": "$connection"}),
    "DeregisterCompute": Call({**DESK, "ComputeName": "box"}),
    "DeregisterGameServer": Call({**SERVERS, "GameServerId": "server-2"}),
    "DescribeAlias": Call({"AliasId": "$alias"}),
    "DescribeBuild": Call({"BuildId": "$build"}),
    "DescribeCompute": Call({**CONTAINERS, "ComputeName": "$group"}),
    "DescribeContainerFleet": Call(CONTAINERS),
    "DescribeContainerGroupDefinition": Call({"Name": "containers"}),
    "DescribeContainerGroupPortMappings": Call(
        {**CONTAINERS, "ContainerGroupType": "GAME_SERVER", "ComputeName": "$group"}
    ),
    "DescribeEC2InstanceLimits": Call({}),
    "DescribeFleetAttributes": Call({"FleetIds": ["$fleet"]}),
    "DescribeFleetCapacity": Call({"FleetIds": ["$fleet"]}),
    "DescribeFleetDeployment": Call(CONTAINERS),
    "DescribeFleetEvents": Call(FLEET),
    "DescribeFleetLocationAttributes": Call(FLEET),
    "DescribeFleetLocationCapacity": Call({**FLEET, "Location": HOME}),
    "DescribeFleetLocationUtilization": Call({**FLEET, "Location": HOME}),
    "DescribeFleetPortSettings": Call(FLEET),
    "DescribeFleetUtilization": Call({"FleetIds": ["$fleet"]}),
    "DescribeGameServer": Call({**SERVERS, "GameServerId": "server-1"}),
    "DescribeGameServerGroup": Call(SERVERS),
    "DescribeGameServerInstances": Call(SERVERS),
    "DescribeGameSessionDetails": Call(FLEET),
    "DescribeGameSessionPlacement": Call({"PlacementId": "placed"}),
    "DescribeGameSessionQueues": Call({"Names": ["queue"]}),
    "DescribeGameSessions": Call(FLEET),
    "DescribeInstances": Call(FLEET),
    "DescribeMatchmaking": Call({"TicketIds": ["waits"]}),
    "DescribeMatchmakingConfigurations": Call({"Names": ["ladder"]}),
    "DescribeMatchmakingRuleSets": Call({"Names": ["rules"]}),
    "DescribePlayerSessions": Call({"GameSessionId": "$session"}),
    "DescribeRuntimeConfiguration": Call(FLEET),
    "DescribeScalingPolicies": Call(FLEET),
    "DescribeScript": Call({"ScriptId": "$script"}),
    "DescribeVpcPeeringAuthorizations": Call({}),
    "DescribeVpcPeeringConnections": Call(FLEET),
    "GetComputeAuthToken": Call({**DESK, "ComputeName": "box"}),
    "GetGameSessionLogUrl": Call({"GameSessionId": "$ended"}),
    "GetPlayerConnectionDetails": Call({"GameSessionId": "$session", "PlayerIds": ["ana"]}),
    "ListAliases": Call({}),
    "ListBuilds": Call({}),
    "ListCompute": Call(DESK),
    "ListContainerFleets": Call({}),
    "ListContainerGroupDefinitionVersions": Call({"Name": "containers"}),
    "ListContainerGroupDefinitions": Call({}),
    "ListFleetDeployments": Call(CONTAINERS),
    "ListFleets": Call({}),
    "ListGameServerGroups": Call({}),
    "ListGameServers": Call(SERVERS),
    "ListLocations": Call({}),
    "ListScripts": Call({}),
    "ListTagsForResource": Call({"ResourceARN": "$fleet-arn"}),
    "PutScalingPolicy": Call({"Name": "keep", **FLEET, **TARGET}),
    "RegisterCompute": Call({**DESK, "ComputeName": "later", "Location": "custom-desk", "IpAddress": "127.0.0.1"}),
    "RegisterGameServer": Call({**SERVERS, "GameServerId": "server-4", "InstanceId": "i-00000000000000004"}),
    "RequestUploadCredentials": Call({"BuildId": "$build"}),
    "ResolveAlias": Call({"AliasId": "$alias"}),
    "ResumeGameServerGroup": Call({**SERVERS, "ResumeActions": ["REPLACE_INSTANCE_TYPES"]}),
    "SearchGameSessions": Call(FLEET),
    "StartFleetActions": Call({**FLEET, "Actions": ["AUTO_SCALING"]}),
    "StartGameSessionPlacement": Call({"PlacementId": "new", "GameSessionQueueName": "queue", **SLOTS}),
    "StartMatchBackfill": Call({"ConfigurationName": "ladder", "Players": BACKFILL}),
    "StartMatchmaking": Call({"ConfigurationName": "ladder", "Players": [{"PlayerId": "eva"}]}),
    "StopFleetActions": Call({**FLEET, "Actions": ["AUTO_SCALING"]}),
    "StopGameSessionPlacement": Call({"PlacementId": "waiting"}),
    "StopMatchmaking": Call({"TicketId": "waits"}),
    "SuspendGameServerGroup": Call({**SERVERS, "SuspendActions": ["REPLACE_INSTANCE_TYPES"]}),
    "TagResource": Call({"ResourceARN": "$fleet-arn", "Tags": [{"Key": "team", "Value": "red"}]}),
    "TerminateGameSession": Call({"GameSessionId": "$spare-session", "TerminationMode": "FORCE_TERMINATE"}),
    "UntagResource": Call({"ResourceARN": "$fleet-arn", "TagKeys": ["team"]}),
    "UpdateAlias": Call({"AliasId": "$alias", "Name": "live"}),
    "UpdateBuild": Call({"BuildId": "$build", "Name": "named"}),
    "UpdateContainerFleet": Call({**CONTAINERS, "Description": "new"}),
    "UpdateContainerGroupDefinition": Call({"Name": "containers", "VersionDescription": "second"}),
    "UpdateFleetAttributes": Call({**FLEET, "Name": "named"}),
    "UpdateFleetCapacity": Call({**FLEET, "MaxSize": 2}),
    "UpdateFleetPortSettings": Call({**FLEET, "InboundPermissionAuthorizations": RULES[:1]}),
    "UpdateGameServer": Call({**SERVERS, "GameServerId": "server-1", "HealthCheck": "HEALTHY"}),
    "UpdateGameServerGroup": Call({**SERVERS, "BalancingStrategy": "SPOT_ONLY"}),
    "UpdateGameSession": Call({"GameSessionId": "$session", "Name": "named"}),
    "UpdateGameSessionQueue": Call({"Name": "queue", "TimeoutInSeconds": 60}),
    "UpdateMatchmakingConfiguration": Call({"Name": "ladder", "Description": "new"}),
    "UpdateRuntimeConfiguration": Call({**FLEET, **LAUNCH}),
    "UpdateScript": Call({"ScriptId": "$script", "Name": "named"}),
    "ValidateMatchmakingRuleSet": Call({"RuleSetBody": RULE_BODY}),
}

NO_SUCCESS = {
    "GetComputeAccess": "there is no remote access here",
    "GetInstanceAccess": "there is no remote access here",
}
"""Operations that can only fail."""


def invalid(params: dict[str, Any]) -> dict[str, Call]:
    """Return the call that InvalidRequestException is about."""
    return {"InvalidRequestException": Call(params)}


def missing(params: dict[str, Any]) -> dict[str, Call]:
    """Return the call that NotFoundException is about."""
    return {"NotFoundException": Call(params)}


def named(name: str, region: str = HOME) -> str:
    """Return the ARN of a resource that is not there."""
    return f"arn:aws:gamelift:{region}:{OWNER}:{name}"


def tags(more: dict[str, Any]) -> dict[str, Call]:
    """Return the calls on tags that are refused."""
    arn = "ResourceARN"
    return {**invalid({arn: "not-an-arn", **more}), **missing({arn: named(f"fleet/fleet-{UUID}"), **more})}


def sessions(more: dict[str, Any] | None = None) -> dict[str, Call]:
    """Return the calls that list game sessions and are refused."""
    both = {**FLEET, "AliasId": "$alias"}
    return {
        **invalid({**both, **(more or {})}),
        **missing({**NO_FLEET, **(more or {})}),
        "TerminalRoutingStrategyException": Call({"AliasId": "$closed", **(more or {})}),
    }


def players(member: dict[str, Any]) -> dict[str, Call]:
    """Return the calls that reserve player slots and are refused."""
    return {
        **invalid({"GameSessionId": "gsess-1", **member}),
        **missing({"GameSessionId": NO_SESSION, **member}),
        "GameSessionFullException": Call({"GameSessionId": "$full", **member}),
        "InvalidGameSessionStatusException": Call({"GameSessionId": "$ended", **member}),
    }


def fleet_only(more: dict[str, Any] | None = None) -> dict[str, Call]:
    """Return the call that names no fleet."""
    return missing({**NO_FLEET, **(more or {})})


SPECIAL: dict[str, dict[str, Call]] = {
    "AcceptMatch": {
        **invalid({"TicketId": "waits", "PlayerIds": ["ana"], "AcceptanceType": "ACCEPT"}),
        **missing({"TicketId": "unknown", "PlayerIds": ["ana"], "AcceptanceType": "ACCEPT"}),
    },
    "ClaimGameServer": {
        **invalid({**SERVERS, "FilterOption": {"InstanceStatuses": ["DRAINING"]}}),
        **missing({"GameServerGroupName": "unknown"}),
        "ConflictException": Call({**SERVERS, "GameServerId": "server-3"}),
        "OutOfCapacityException": Call({"GameServerGroupName": "empty"}),
    },
    "CreateAlias": {
        **invalid({"Name": "new", "RoutingStrategy": {"Type": "SIMPLE"}}),
        "TaggingFailedException": Call({"Name": "new", "RoutingStrategy": SIMPLE, **BAD_TAGS}),
    },
    "CreateBuild": {
        **invalid({"Name": "new"}),
        "TaggingFailedException": Call({**BUILD, **BAD_TAGS}),
        "InternalServiceException": Call(BUILD, BROKEN_REGION),
    },
    "CreateContainerFleet": {
        **invalid({"FleetRoleArn": ROLE, "GameServerContainerGroupDefinitionName": "unknown"}),
        "LimitExceededException": Call(
            {"FleetRoleArn": ROLE, "InstanceType": "r5.large", "Locations": [{"Location": "eu-west-1"}]}
        ),
        "TaggingFailedException": Call({"FleetRoleArn": ROLE, **BAD_TAGS}),
    },
    "CreateContainerGroupDefinition": {
        **invalid({**DEFINITION, "ContainerGroupType": "PER_INSTANCE"}),
        "ConflictException": Call({**DEFINITION, "Name": "containers"}),
        "TaggingFailedException": Call({**DEFINITION, **BAD_TAGS}),
    },
    "CreateFleet": {
        **invalid({**EC2, "ScriptId": "$script", "BuildId": "$build"}),
        **missing({**EC2, "ScriptId": f"script-{UUID}"}),
        "NotReadyException": Call({**EC2, "BuildId": "$build"}),
        "LimitExceededException": Call({**EC2, "ScriptId": "$script", "RuntimeConfiguration": MANY}),
        "TaggingFailedException": Call({**EC2, "ScriptId": "$script", **BAD_TAGS}),
    },
    "CreateFleetLocations": {
        **invalid({**FLEET, "Locations": [{"Location": "custom-desk"}]}),
        **fleet_only({"Locations": [{"Location": "us-east-1"}]}),
        "ConflictException": Call({**FLEET, "Locations": [{"Location": HOME}]}),
        "InvalidFleetStatusException": Call({"FleetId": "$young", "Locations": [{"Location": "us-east-1"}]}),
        "NotReadyException": Call({"FleetId": "$orphan", "Locations": [{"Location": "us-east-1"}]}),
        "LimitExceededException": Call({"FleetId": "$narrow", "Locations": [{"Location": "eu-west-1"}]}),
    },
    "CreateGameServerGroup": {
        **invalid({**GROUP, "MinSize": 3}),
        "ConflictException": Call({**GROUP, **SERVERS}),
    },
    "CreateGameSession": {
        **sessions(SLOTS),
        "InvalidFleetStatusException": Call({"FleetId": "$young", **SLOTS}),
        "FleetCapacityExceededException": Call({"FleetId": "$tiny", **SLOTS}),
        "LimitExceededException": Call({**FLEET, **SLOTS, "CreatorId": "ana"}),
        "IdempotentParameterMismatchException": Call({**FLEET, **SLOTS, "IdempotencyToken": "once"}),
    },
    "CreateGameSessionQueue": {
        **invalid({"Name": "queue"}),
        **missing({"Name": "new", "Destinations": [{"DestinationArn": named(f"fleet/fleet-{UUID}")}]}),
        "TaggingFailedException": Call({"Name": "new", **BAD_TAGS}),
    },
    "CreateLocation": {
        "ConflictException": Call({"LocationName": "custom-desk"}),
        "TaggingFailedException": Call({"LocationName": "custom-new", **BAD_TAGS}),
    },
    "CreateMatchmakingConfiguration": {
        **invalid({"Name": "ladder", **MATCHING}),
        **missing({"Name": "new", **MATCHING, "RuleSetName": "unknown"}),
        "TaggingFailedException": Call({"Name": "new", **MATCHING, **BAD_TAGS}),
    },
    "CreateMatchmakingRuleSet": {
        **invalid({"Name": "new", "RuleSetBody": "{}"}),
        "TaggingFailedException": Call({"Name": "new", "RuleSetBody": RULE_BODY, **BAD_TAGS}),
    },
    "CreatePlayerSession": players({"PlayerId": "zoe"}),
    "CreatePlayerSessions": players({"PlayerIds": ["zoe"]}),
    "CreateScript": {
        **invalid({"Name": "new"}),
        "TaggingFailedException": Call({"Name": "new", "ZipFile": "$zip", **BAD_TAGS}),
        "InternalServiceException": Call({"Name": "new", "ZipFile": "$zip"}, BROKEN_REGION),
    },
    "CreateVpcPeeringAuthorization": invalid({**ALLOWED, "PeerVpcId": "subnet-1"}),
    "CreateVpcPeeringConnection": {**invalid({**DESK, **PEER}), **fleet_only(PEER)},
    "DeleteAlias": missing({"AliasId": f"alias-{UUID}"}),
    "DeleteBuild": missing({"BuildId": f"build-{UUID}"}),
    "DeleteContainerFleet": {**invalid({"FleetId": "$young-containers"}), **missing(NO_CONTAINERS)},
    "DeleteContainerGroupDefinition": {**invalid({"Name": "containers"}), **missing({"Name": "unknown"})},
    "DeleteFleet": {**invalid({"FleetId": "$young"}), **fleet_only()},
    "DeleteFleetLocations": {
        **invalid({**FLEET, "Locations": [HOME]}),
        **missing({**FLEET, "Locations": ["sa-east-1"]}),
    },
    "DeleteGameServerGroup": {
        **invalid({"GameServerGroupName": "young"}),
        **missing({"GameServerGroupName": "unknown"}),
    },
    "DeleteGameSessionQueue": missing({"Name": "unknown"}),
    "DeleteLocation": {**invalid({"LocationName": "custom-desk"}), **missing({"LocationName": "custom-unknown"})},
    "DeleteMatchmakingConfiguration": {**invalid({"Name": "ladder"}), **missing({"Name": "unknown"})},
    "DeleteMatchmakingRuleSet": {**invalid({"Name": "rules"}), **missing({"Name": "unknown"})},
    "DeleteScalingPolicy": missing({**FLEET, "Name": "unknown"}),
    "DeleteScript": missing({"ScriptId": f"script-{UUID}"}),
    "DeleteVpcPeeringAuthorization": missing({**ALLOWED, "PeerVpcId": "vpc-99"}),
    "DeleteVpcPeeringConnection": missing({**FLEET, "VpcPeeringConnectionId": "pcx-00000000000000000"}),
    "DeregisterCompute": {
        **invalid({**FLEET, "ComputeName": "$instance"}),
        **missing({**DESK, "ComputeName": "unknown"}),
    },
    "DeregisterGameServer": missing({**SERVERS, "GameServerId": "unknown"}),
    "DescribeAlias": missing({"AliasId": f"alias-{UUID}"}),
    "DescribeBuild": missing({"BuildId": f"build-{UUID}"}),
    "DescribeCompute": missing({**DESK, "ComputeName": "unknown"}),
    "DescribeContainerFleet": missing(FLEET),
    "DescribeContainerGroupDefinition": {
        **invalid({"Name": named("containergroupdefinition/containers:1"), "VersionNumber": 2}),
        **missing({"Name": "unknown"}),
    },
    "DescribeContainerGroupPortMappings": {
        **invalid({**CONTAINERS, "ContainerGroupType": "PER_INSTANCE"}),
        **missing({**CONTAINERS, "ContainerGroupType": "GAME_SERVER", "ComputeName": "unknown"}),
    },
    "DescribeEC2InstanceLimits": invalid({"Location": "custom-desk"}),
    "DescribeFleetAttributes": invalid(BAD_TOKEN),
    "DescribeFleetCapacity": invalid(BAD_TOKEN),
    "DescribeFleetDeployment": missing({**CONTAINERS, "DeploymentId": "unknown"}),
    "DescribeFleetEvents": {**invalid({**FLEET, **BAD_TOKEN}), **fleet_only()},
    "DescribeFleetLocationAttributes": {**invalid({**FLEET, **BAD_TOKEN}), **fleet_only()},
    "DescribeFleetLocationCapacity": missing({**FLEET, "Location": "sa-east-1"}),
    "DescribeFleetLocationUtilization": missing({**FLEET, "Location": "sa-east-1"}),
    "DescribeFleetPortSettings": fleet_only(),
    "DescribeFleetUtilization": invalid(BAD_TOKEN),
    "DescribeGameServer": missing({**SERVERS, "GameServerId": "unknown"}),
    "DescribeGameServerGroup": missing({"GameServerGroupName": "unknown"}),
    "DescribeGameServerInstances": {
        **invalid({**SERVERS, **BAD_TOKEN}),
        **missing({"GameServerGroupName": "unknown"}),
    },
    "DescribeGameSessionDetails": sessions(),
    "DescribeGameSessionPlacement": missing({"PlacementId": "unknown"}),
    "DescribeGameSessionQueues": {**invalid(BAD_TOKEN), **missing({"Names": ["unknown"]})},
    "DescribeGameSessions": sessions(),
    "DescribeInstances": {**invalid(DESK), **fleet_only()},
    "DescribeMatchmaking": invalid({"TicketIds": [str(number) for number in range(11)]}),
    "DescribeMatchmakingConfigurations": invalid(BAD_TOKEN),
    "DescribeMatchmakingRuleSets": {**invalid(BAD_TOKEN), **missing({"Names": ["unknown"]})},
    "DescribePlayerSessions": {
        **invalid({"GameSessionId": "$session", "PlayerId": "ana"}),
        **missing({"GameSessionId": NO_SESSION}),
    },
    "DescribeRuntimeConfiguration": fleet_only(),
    "DescribeScalingPolicies": {**invalid({**FLEET, **BAD_TOKEN}), **fleet_only()},
    "DescribeScript": missing({"ScriptId": f"script-{UUID}"}),
    "DescribeVpcPeeringConnections": {**invalid({"FleetId": "none"}), **fleet_only()},
    "GetComputeAccess": {
        **invalid({**FLEET, "ComputeName": "$instance"}),
        **missing({**FLEET, "ComputeName": "unknown"}),
        "UnsupportedRegionException": Call({**FLEET, "ComputeName": "$instance"}, ABROAD),
    },
    "GetComputeAuthToken": {
        **invalid({**CONTAINERS, "ComputeName": "$group"}),
        **missing({**DESK, "ComputeName": "unknown"}),
    },
    "GetGameSessionLogUrl": {**invalid({"GameSessionId": "gsess-1"}), **missing({"GameSessionId": "$session"})},
    "GetInstanceAccess": {
        **invalid({**FLEET, "InstanceId": "$instance"}),
        **missing({**FLEET, "InstanceId": "i-unknown"}),
    },
    "GetPlayerConnectionDetails": {
        **invalid({"GameSessionId": "gsess-1", "PlayerIds": ["ana"]}),
        **missing({"GameSessionId": NO_SESSION, "PlayerIds": ["ana"]}),
        "InvalidGameSessionStatusException": Call({"GameSessionId": "$ended", "PlayerIds": ["ana"]}),
    },
    "ListCompute": invalid(NO_FLEET),
    "ListContainerFleets": invalid(BAD_TOKEN),
    "ListContainerGroupDefinitionVersions": {
        **invalid({"Name": "containers", **BAD_TOKEN}),
        **missing({"Name": "unknown"}),
    },
    "ListContainerGroupDefinitions": invalid(BAD_TOKEN),
    "ListFleetDeployments": {**invalid(BAD_TOKEN), **missing(NO_CONTAINERS)},
    "ListFleets": {**invalid({"BuildId": "$build", "ScriptId": "$script"}), **missing({"BuildId": f"build-{UUID}"})},
    "ListGameServers": invalid({"GameServerGroupName": "unknown"}),
    "ListTagsForResource": tags({}),
    "PutScalingPolicy": {
        **invalid({"Name": "keep", **FLEET, **POLICY}),
        **missing({"Name": "keep", **NO_FLEET, **TARGET}),
    },
    "RegisterCompute": {
        **invalid({**DESK, "ComputeName": "new", "IpAddress": "127.0.0.1"}),
        "ConflictException": Call({**DESK, "ComputeName": "box", "Location": "custom-desk", "IpAddress": "127.0.0.1"}),
        "LimitExceededException": Call(
            {**DESK, "ComputeName": "new", "Location": "custom-desk", "IpAddress": "127.0.0.1"}
        ),
        "NotReadyException": Call({**DESK, "ComputeName": "new", "Location": "custom-old", "IpAddress": "127.0.0.1"}),
    },
    "RegisterGameServer": {
        **invalid({"GameServerGroupName": "young", "GameServerId": "server-9", "InstanceId": "i-00000000000000009"}),
        "ConflictException": Call({**SERVERS, "GameServerId": "server-1", "InstanceId": "i-00000000000000009"}),
    },
    "RequestUploadCredentials": missing({"BuildId": f"build-{UUID}"}),
    "ResolveAlias": {
        **missing({"AliasId": f"alias-{UUID}"}),
        "TerminalRoutingStrategyException": Call({"AliasId": "$closed"}),
    },
    "ResumeGameServerGroup": missing({"GameServerGroupName": "unknown", "ResumeActions": ["REPLACE_INSTANCE_TYPES"]}),
    "SearchGameSessions": sessions(),
    "StartFleetActions": {
        **invalid({**DESK, "Actions": ["AUTO_SCALING"]}),
        **fleet_only({"Actions": ["AUTO_SCALING"]}),
    },
    "StartGameSessionPlacement": {
        **invalid({"PlacementId": "placed", "GameSessionQueueName": "queue", **SLOTS}),
        **missing({"PlacementId": "new", "GameSessionQueueName": "unknown", **SLOTS}),
    },
    "StartMatchBackfill": {
        **invalid({"ConfigurationName": "ladder", "Players": BACKFILL, "GameSessionArn": "$session"}),
        **missing({"ConfigurationName": "unknown", "Players": BACKFILL}),
    },
    "StartMatchmaking": {
        **invalid({"ConfigurationName": "ladder", "Players": [{"PlayerId": "ana"}], "TicketId": "waits"}),
        **missing({"ConfigurationName": "unknown", "Players": [{"PlayerId": "ana"}]}),
    },
    "StopFleetActions": {
        **invalid({**DESK, "Actions": ["AUTO_SCALING"]}),
        **fleet_only({"Actions": ["AUTO_SCALING"]}),
    },
    "StopGameSessionPlacement": {**invalid({"PlacementId": "placed"}), **missing({"PlacementId": "unknown"})},
    "StopMatchmaking": missing({"TicketId": "unknown"}),
    "SuspendGameServerGroup": missing({"GameServerGroupName": "unknown", "SuspendActions": ["REPLACE_INSTANCE_TYPES"]}),
    "TagResource": {
        **tags({"Tags": [{"Key": "team", "Value": "red"}]}),
        "TaggingFailedException": Call({"ResourceARN": "$fleet-arn", **BAD_TAGS}),
    },
    "TerminateGameSession": {
        **invalid({"GameSessionId": "gsess-1", "TerminationMode": "FORCE_TERMINATE"}),
        **missing({"GameSessionId": NO_SESSION, "TerminationMode": "FORCE_TERMINATE"}),
        "InvalidGameSessionStatusException": Call({"GameSessionId": "$ended", "TerminationMode": "FORCE_TERMINATE"}),
    },
    "UntagResource": tags({"TagKeys": ["team"]}),
    "UpdateAlias": {
        **invalid({"AliasId": "$alias", "RoutingStrategy": {"Type": "SIMPLE"}}),
        **missing({"AliasId": f"alias-{UUID}"}),
    },
    "UpdateBuild": missing({"BuildId": f"build-{UUID}"}),
    "UpdateContainerFleet": {
        **invalid({**CONTAINERS, "GameServerContainerGroupsPerInstance": 5000}),
        **missing(NO_CONTAINERS),
        "NotReadyException": Call({"FleetId": "$young-containers", "Description": "new"}),
        "LimitExceededException": Call({**CONTAINERS, "InstanceInboundPermissionAuthorizations": RULES}),
    },
    "UpdateContainerGroupDefinition": {
        **invalid({"Name": "containers", "TotalVcpuLimit": 1.0, "RemoveAttributes": ["TOTAL_VCPU_LIMIT"]}),
        **missing({"Name": "unknown"}),
    },
    "UpdateFleetAttributes": {
        **invalid({**FLEET, "AnywhereConfiguration": {"Cost": "1"}}),
        **fleet_only(),
        "InvalidFleetStatusException": Call({**DYING, "Name": "new"}),
    },
    "UpdateFleetCapacity": {
        **invalid({**FLEET, "MinSize": 5, "MaxSize": 4}),
        **fleet_only(),
        "InvalidFleetStatusException": Call({"FleetId": "$young", "MaxSize": 2}),
        "LimitExceededException": Call({**FLEET, "DesiredInstances": 50, "MaxSize": 50}),
    },
    "UpdateFleetPortSettings": {
        **invalid({**FLEET, "InboundPermissionRevocations": RULES[:1]}),
        **fleet_only(),
        "ConflictException": Call({**FLEET, "InboundPermissionAuthorizations": [RULE]}),
        "InvalidFleetStatusException": Call({**DYING, "InboundPermissionAuthorizations": RULES[:1]}),
        "LimitExceededException": Call({**FLEET, "InboundPermissionAuthorizations": RULES}),
    },
    "UpdateGameServer": {
        **invalid({**SERVERS, "GameServerId": "server-2", "UtilizationStatus": "AVAILABLE"}),
        **missing({**SERVERS, "GameServerId": "unknown"}),
    },
    "UpdateGameServerGroup": {
        **invalid({**SERVERS, "InstanceDefinitions": [{"InstanceType": "c5.large"}] * 2}),
        **missing({"GameServerGroupName": "unknown"}),
    },
    "UpdateGameSession": {
        **invalid({"GameSessionId": "$session", "MaximumPlayerSessionCount": 201}),
        **missing({"GameSessionId": NO_SESSION}),
        "InvalidGameSessionStatusException": Call({"GameSessionId": "$ended", "Name": "late"}),
    },
    "UpdateGameSessionQueue": {
        **invalid({"Name": "queue", "Destinations": [{"DestinationArn": "arn:aws:s3:::bucket"}]}),
        **missing({"Name": "unknown"}),
    },
    "UpdateMatchmakingConfiguration": {
        **invalid({"Name": "ladder", "BackfillMode": "AUTOMATIC"}),
        **missing({"Name": "unknown"}),
    },
    "UpdateRuntimeConfiguration": {
        **invalid({**FLEET, "RuntimeConfiguration": {}}),
        **fleet_only(LAUNCH),
        "InvalidFleetStatusException": Call({**DYING, **LAUNCH}),
        "LimitExceededException": Call({**FLEET, "RuntimeConfiguration": MANY}),
    },
    "UpdateScript": {
        **invalid({"ScriptId": "$script", "ZipFile": b"no zip"}),
        **missing({"ScriptId": f"script-{UUID}"}),
        "InternalServiceException": Call({"ScriptId": "$away-script", "ZipFile": "$zip"}, BROKEN_REGION),
    },
    "ValidateMatchmakingRuleSet": invalid({"RuleSetBody": "{}"}),
}
"""The calls that are the operation's own; the others are made by `failures`."""


def modelled(operation: str) -> set[str]:
    """Return the errors that the model lists for an operation."""
    return {shape.name for shape in MODEL.operation_model(operation).error_shapes}


def failures(operation: str) -> dict[str, Call]:
    """Return the calls of an operation that end in errors, with those that are alike for all operations."""
    shape = MODEL.operation_model(operation).input_shape
    calls: dict[str, Call] = {}
    if shape.required_members:
        calls["InvalidRequestException"] = Call({})
    elif "Limit" in shape.members:
        calls["InvalidRequestException"] = Call({"Limit": 0})
    if "UnsupportedRegionException" in modelled(operation) and operation in SUCCESSES:
        calls["UnsupportedRegionException"] = Call(SUCCESSES[operation].params, ABROAD)
    return calls | SPECIAL.get(operation, {})


FAILURES = {operation: failures(operation) for operation in MODEL.operation_names}
