"""A server with everything that the calls of gamelift_cases.py name, in the states that they need."""

import json
from typing import Any

from gamelift_cases import BROKEN_REGION, OWNER, Call

from apitrail.settings import GameLift, Settings
from door import Door, Reply
from worlds import zip_of

ROLE = "arn:aws:iam::111122223333:role/game"
RULE = {"FromPort": 7000, "ToPort": 7100, "IpRange": "0.0.0.0/0", "Protocol": "UDP"}
RULES = json.dumps(
    {
        "name": "pair",
        "ruleLanguageVersion": "1.0",
        "teams": [{"name": "all", "minPlayers": 2, "maxPlayers": 2}],
    }
)
SETTINGS = Settings(gamelift=GameLift(instances_max=8, computes_max=1))
CONTAINER = {
    "ContainerName": "game",
    "ImageUri": "111122223333.dkr.ecr.us-west-2.amazonaws.com/game:1",
    "ServerSdkVersion": "5.2.0",
    "PortConfiguration": {"ContainerPortRanges": [{"FromPort": 7777, "ToPort": 7777, "Protocol": "UDP"}]},
}
GROUP = {
    "RoleArn": ROLE,
    "MinSize": 1,
    "MaxSize": 2,
    "LaunchTemplate": {"LaunchTemplateName": "game"},
    "InstanceDefinitions": [{"InstanceType": "c5.large"}, {"InstanceType": "m5.large"}],
}


class Scene(Door):
    """The server. names: ids and ARNs, by the names that calls use for them."""

    names: dict[str, Any]

    def play(self, operation: str, call: Call) -> Reply:
        """Make a call of the tables."""
        key = self.root if not call.account else self.account(call.account)
        params = self.named(call.params)
        return self.call("gamelift", operation, params, region=call.region, key=key)

    def named(self, value: Any) -> Any:
        """Return parameters with the ids in place of their names, which begin with a dollar sign."""
        if isinstance(value, dict):
            return {name: self.named(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.named(item) for item in value]
        return self.names[value[1:]] if isinstance(value, str) and value.startswith("$") else value

    def make(self, operation: str, **params: Any) -> dict[str, Any]:
        """Make a call that must succeed, with names of this scene."""
        return self.ok("gamelift", operation, **self.named(params))

    def fleet(self, name: str, script: str = "$script", type_: str = "c5.large", **more: Any) -> None:
        """Make an EC2 fleet."""
        processes = [{"LaunchPath": "/local/game/server.js", "ConcurrentExecutions": more.pop("processes", 8)}]
        made = self.make(
            "CreateFleet",
            Name=name,
            ScriptId=script,
            EC2InstanceType=type_,
            RuntimeConfiguration={"ServerProcesses": processes},
            EC2InboundPermissions=[RULE],
            **more,
        )["FleetAttributes"]
        self.names |= {name: made["FleetId"], f"{name}-arn": made["FleetArn"]}

    def session(self, name: str, fleet: str = "$fleet", slots: int = 8, **more: Any) -> None:
        """Make a game session that is ACTIVE."""
        made = self.make("CreateGameSession", FleetId=fleet, MaximumPlayerSessionCount=slots, **more)["GameSession"]
        self.names[name] = made["GameSessionId"]
        self.stage.settle()


def furnish(scene: Scene) -> None:
    """Make everything. What is to stay in a passing state comes last, since time does not go on afterwards."""
    scene.names = {"zip": zip_of(b"// nothing")}
    _simple_things(scene)
    _fleets(scene)
    _containers(scene)
    _servers(scene)
    scene.stage.advance(20)
    _on_the_fleets(scene)
    _queues_and_matches(scene)
    scene.stage.advance(5)
    _passing(scene)


def _simple_things(scene: Scene) -> None:
    for name in ("custom-desk", "custom-old", "custom-spare"):
        scene.make("CreateLocation", LocationName=name)
    for name in ("build", "spare-build"):
        made = scene.make("CreateBuild", OperatingSystem="AMAZON_LINUX_2023", ServerSdkVersion="5.2.0")["Build"]
        scene.names |= {name: made["BuildId"], f"{name}-arn": made["BuildArn"]}
    for name in ("script", "spare-script", "lost-script"):
        made = scene.make("CreateScript", Name=name, ZipFile="$zip")["Script"]
        scene.names[name] = made["ScriptId"]
    where = {"CreateBucketConfiguration": {"LocationConstraint": BROKEN_REGION}}
    for bucket in ("own", f"gamelift-builds-{BROKEN_REGION}", f"gamelift-scripts-{BROKEN_REGION}"):
        assert scene.call("s3", "CreateBucket", {"Bucket": bucket, **where}, region=BROKEN_REGION).status == 200
    placed = {"Bucket": "own", "Key": "script.zip", "Body": scene.names["zip"]}
    assert scene.call("s3", "PutObject", placed, region=BROKEN_REGION).status == 200
    own = {"StorageLocation": {"Bucket": "own", "Key": "script.zip", "RoleArn": ROLE}}
    away = scene.call("gamelift", "CreateScript", {"Name": "away", **own}, region=BROKEN_REGION)
    scene.names["away-script"] = away.result["Script"]["ScriptId"]


def _fleets(scene: Scene) -> None:
    scene.fleet("fleet", processes=30)
    scene.fleet("tiny", type_="c5.xlarge", processes=1)
    scene.fleet("orphan", "$lost-script", "m5.large")
    scene.fleet("wide", type_="r5.large", Locations=[{"Location": "eu-west-1"}])
    scene.fleet("narrow", type_="r5.large")
    for name in ("dying", "spare-fleet"):
        scene.fleet(name, type_="m5.xlarge")
    desk = scene.make(
        "CreateFleet",
        Name="desk",
        ComputeType="ANYWHERE",
        Locations=[{"Location": "custom-desk"}, {"Location": "custom-old"}],
    )["FleetAttributes"]
    scene.names["desk"] = desk["FleetId"]


def _containers(scene: Scene) -> None:
    common = {"OperatingSystem": "AMAZON_LINUX_2023", "TotalMemoryLimitMebibytes": 1024, "TotalVcpuLimit": 1.0}
    for name in ("containers", "spare-containers"):
        scene.make("CreateContainerGroupDefinition", Name=name, GameServerContainerDefinition=CONTAINER, **common)
    scene.stage.advance(1)
    for name in ("containers", "spare-container-fleet"):
        group = {"GameServerContainerGroupDefinitionName": "containers"} if name == "containers" else {}
        made = scene.make("CreateContainerFleet", FleetRoleArn=ROLE, **group)["ContainerFleet"]
        scene.names[name] = made["FleetId"]


def _servers(scene: Scene) -> None:
    for name in ("servers", "spare-servers", "empty"):
        scene.make("CreateGameServerGroup", GameServerGroupName=name, **GROUP)
    scene.stage.advance(3)
    for number in (1, 2, 3):
        place = {"GameServerGroupName": "servers", "InstanceId": f"i-{number:017d}"}
        scene.make("RegisterGameServer", GameServerId=f"server-{number}", **place)
    taken = {"GameServerGroupName": "servers", "GameServerId": "server-2"}
    scene.make("UpdateGameServer", **taken, UtilizationStatus="UTILIZED")


def _on_the_fleets(scene: Scene) -> None:
    scene.make("DeleteScript", ScriptId="$lost-script")
    scene.make("UpdateFleetCapacity", FleetId="$wide", Location="eu-west-1", DesiredInstances=8, MaxSize=8)
    routes = {"alias": {"Type": "SIMPLE", "FleetId": "$fleet"}, "closed": {"Type": "TERMINAL", "Message": "closed"}}
    for name, route in (*routes.items(), ("spare-alias", routes["closed"])):
        made = scene.make("CreateAlias", Name=name, RoutingStrategy=route)["Alias"]
        scene.names |= {name: made["AliasId"], f"{name}-arn": made["AliasArn"]}
    scene.session("session")
    scene.session("spare-session")
    scene.session("full", slots=1)
    scene.session("ended")
    scene.session("once", IdempotencyToken="once")
    scene.session("crowd", "$tiny")
    for session, name in (("$session", "player"), ("$full", "last-player")):
        made = scene.make("CreatePlayerSession", GameSessionId=session, PlayerId="ana")["PlayerSession"]
        scene.names[name] = made["PlayerSessionId"]
    scene.make("TerminateGameSession", GameSessionId="$ended", TerminationMode="FORCE_TERMINATE")
    box = {"FleetId": "$desk", "ComputeName": "box", "Location": "custom-desk", "IpAddress": "127.0.0.1"}
    scene.make("RegisterCompute", **box)
    instance = scene.make("DescribeInstances", FleetId="$fleet")["Instances"][0]["InstanceId"]
    groups = scene.make("ListCompute", FleetId="$containers")["ComputeList"]
    scene.names |= {"instance": instance, "group": groups[0]["ComputeName"]}
    keep = {"TargetConfiguration": {"TargetValue": 10.0}, "MetricName": "PercentAvailableGameSessions"}
    for name, fleet in (("keep", "$fleet"), ("spare", "$tiny")):
        scene.make("PutScalingPolicy", Name=name, FleetId=fleet, PolicyType="TargetBased", **keep)
    for vpc in ("vpc-1", "vpc-2"):
        allowed = {"GameLiftAwsAccountId": OWNER, "PeerVpcId": vpc}
        scene.make("CreateVpcPeeringAuthorization", **allowed)
    peer = {"FleetId": "$fleet", "PeerVpcAwsAccountId": OWNER, "PeerVpcId": "vpc-1"}
    scene.make("CreateVpcPeeringConnection", **peer)
    found = scene.make("DescribeVpcPeeringConnections", FleetId="$fleet")["VpcPeeringConnections"]
    scene.names["connection"] = found[0]["VpcPeeringConnectionId"]


def _queues_and_matches(scene: Scene) -> None:
    for name, fleet in (("queue", "$fleet-arn"), ("crowded", "$tiny-arn"), ("spare-queue", "$fleet-arn")):
        made = scene.make("CreateGameSessionQueue", Name=name, Destinations=[{"DestinationArn": fleet}])
        scene.names[name] = made["GameSessionQueue"]["GameSessionQueueArn"]
    placed = {"MaximumPlayerSessionCount": 4}
    scene.make("StartGameSessionPlacement", PlacementId="placed", GameSessionQueueName="queue", **placed)
    scene.make("StartGameSessionPlacement", PlacementId="waiting", GameSessionQueueName="crowded", **placed)
    for name in ("rules", "spare-rules"):
        scene.make("CreateMatchmakingRuleSet", Name=name, RuleSetBody=RULES)
    base = {"RuleSetName": "rules", "RequestTimeoutSeconds": 3600, "FlexMatchMode": "STANDALONE"}
    for name in ("ladder", "spare-ladder"):
        scene.make("CreateMatchmakingConfiguration", Name=name, AcceptanceRequired=False, **base)
    asked = {"AcceptanceRequired": True, "AcceptanceTimeoutSeconds": 600}
    scene.make("CreateMatchmakingConfiguration", Name="duel", **asked, **base)
    for ticket, configuration, player in (
        ("waits", "ladder", "ana"),
        ("first", "duel", "ben"),
        ("second", "duel", "cid"),
    ):
        players = [{"PlayerId": player}]
        scene.make("StartMatchmaking", TicketId=ticket, ConfigurationName=configuration, Players=players)
        scene.stage.settle()


def _passing(scene: Scene) -> None:
    scene.make("DeleteFleet", FleetId="$dying")
    scene.make("DeleteFleetLocations", FleetId="$desk", Locations=["custom-old"])
    scene.make("CreateGameServerGroup", GameServerGroupName="young", **GROUP)
    made = scene.make("CreateContainerFleet", FleetRoleArn=ROLE)["ContainerFleet"]
    scene.names["young-containers"] = made["FleetId"]
    scene.fleet("young", type_="m5.2xlarge")
    scene.make("ClaimGameServer", GameServerGroupName="servers", GameServerId="server-3")
    creator = {"CreatorId": "ana", "MaximumPlayerSessionCount": 2}
    scene.make("CreateGameSession", FleetId="$fleet", **creator)
