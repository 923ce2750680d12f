"""A server with one of everything in it, and parameters that are likely to name what is there."""

import io
import json
import random
import zipfile
from pathlib import Path
from typing import Any

from apitrail.services.registry import SERVICES
from apitrail.settings import Capture, GameLift, Settings
from apitrail.testing.stage import REGION
from apitrail.wire.models import OperationModel, Shape, protocols_of, service_model
from door import Door
from shapes import Sampler

NAMES_KEPT = 4
NAME_MAX = 300
KNOWN_SHARE = 0.8
PINNED = ("Bucket", "Key", "S3BucketName", "CopySource")
"""Names of the one bucket and object that everybody uses, not of those that services have."""

LATE = ("Delete", "Terminate", "Deregister", "Remove", "Detach", "Stop")
"""What such operations take away is needed by the others, so they come last."""

ALLOW = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
                "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
            }
        ],
    }
)


def zip_of(content: bytes) -> bytes:
    """Return a zip whose only file has this content, as it is."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("server.js", content)
    return packed.getvalue()


class World(Door):
    """A server in which an account has used every family. known: names and ids that answers have told, by member."""

    def __init__(self, path: Path, *, show_game_data: bool = False, seed: int = 1) -> None:
        capture = Capture(show_game_data=show_game_data)
        settings = Settings(gamelift=GameLift(delay_scale=0), capture=capture)
        super().__init__(path, settings, seed)
        self.known: dict[str, list[str]] = {}

    def make(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """Make a call that must succeed, and remember the names in its answer."""
        result = self.ok(service, operation, **params)
        self.learn(result)
        return result

    def learn(self, value: Any, inside: str = "") -> None:
        """Remember names and ids of an answer."""
        if isinstance(value, list):
            for item in value[:NAMES_KEPT]:
                self.learn(item, _one_of(inside))
        elif isinstance(value, dict):
            for name, item in value.items():
                if isinstance(item, str) and len(item) <= NAME_MAX:
                    self._keep(name, item)
                    self._keep(f"{inside}{name}", item)
                elif name != "ResponseMetadata":
                    self.learn(item, name)

    def _keep(self, name: str, text: str) -> None:
        if name in PINNED:
            return
        kept = self.known.setdefault(name, [])
        if text not in kept and text != self.root.access_key:  # whose loss would end everything
            kept.append(text)
            del kept[:-NAMES_KEPT]


def _one_of(name: str) -> str:
    return name[:-3] + "y" if name.endswith("ies") else name.removesuffix("s")


def furnish(world: World) -> None:
    """Make one of everything that can be made."""
    _furnish_identities(world)
    _furnish_games(world)
    _furnish_trails(world)
    _furnish_messages(world)


def _furnish_messages(world: World) -> None:
    topic = world.make("sns", "CreateTopic", Name="topic")["TopicArn"]
    queue = world.make("sqs", "CreateQueue", QueueName="queue")["QueueUrl"]
    wanted = world.make("sqs", "GetQueueAttributes", QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    world.make("sns", "Subscribe", TopicArn=topic, Protocol="sqs", Endpoint=wanted["QueueArn"])
    world.make("sqs", "SendMessage", QueueUrl=queue, MessageBody="hello")


def _furnish_identities(world: World) -> None:
    for number in (1, 2):
        world.make("iam", "CreateUser", UserName=f"user-{number}")
        world.make("iam", "CreateAccessKey", UserName=f"user-{number}")
        world.make("iam", "CreateGroup", GroupName=f"group-{number}")
        world.make("iam", "CreateRole", RoleName=f"role-{number}", AssumeRolePolicyDocument=TRUST)
        world.make("iam", "CreatePolicy", PolicyName=f"policy-{number}", PolicyDocument=ALLOW)
    world.make("iam", "PutUserPolicy", UserName="user-1", PolicyName="inline", PolicyDocument=ALLOW)
    world.make("iam", "AddUserToGroup", UserName="user-1", GroupName="group-1")


def _furnish_games(world: World) -> None:
    world.make("gamelift", "CreateLocation", LocationName="custom-here")
    _furnish_desk(world)
    world.make("gamelift", "CreateBuild", OperatingSystem="AMAZON_LINUX_2023", ServerSdkVersion="5.2.0")
    script = world.make("gamelift", "CreateScript", Name="script", ZipFile=zip_of(b"// nothing"))["Script"]
    fleet = world.make(
        "gamelift",
        "CreateFleet",
        Name="fleet",
        ScriptId=script["ScriptId"],
        EC2InstanceType="c5.large",
        RuntimeConfiguration={"ServerProcesses": [{"LaunchPath": "/local/game/server.js", "ConcurrentExecutions": 8}]},
    )["FleetAttributes"]
    world.stage.advance(30)
    _furnish_fleet(world, fleet["FleetId"])
    routing = {"Type": "SIMPLE", "FleetId": fleet["FleetId"]}
    world.make("gamelift", "CreateAlias", Name="alias", RoutingStrategy=routing)
    for _ in range(3):
        session = world.make("gamelift", "CreateGameSession", FleetId=fleet["FleetId"], MaximumPlayerSessionCount=8)[
            "GameSession"
        ]
        world.stage.settle()
        world.make("gamelift", "CreatePlayerSession", GameSessionId=session["GameSessionId"], PlayerId="ana")
    _furnish_servers(world)
    _furnish_matches(world, fleet["FleetArn"])
    ended = {"GameSessionId": session["GameSessionId"], "TerminationMode": "FORCE_TERMINATE"}
    world.make("gamelift", "TerminateGameSession", **ended)
    world.stage.settle()


def _furnish_matches(world: World, fleet_arn: str) -> None:
    queue = world.make("gamelift", "CreateGameSessionQueue", Name="lobby", Destinations=[{"DestinationArn": fleet_arn}])
    asked = {"GameSessionQueueName": "lobby", "MaximumPlayerSessionCount": 4}
    world.make("gamelift", "StartGameSessionPlacement", PlacementId="round-1", **asked)
    teams = [{"name": "crew", "minPlayers": 1, "maxPlayers": 4}]
    rules = json.dumps({"name": "crew", "ruleLanguageVersion": "1.0", "teams": teams})
    world.make("gamelift", "CreateMatchmakingRuleSet", Name="rules", RuleSetBody=rules)
    world.make(
        "gamelift",
        "CreateMatchmakingConfiguration",
        Name="maker",
        RuleSetName="rules",
        GameSessionQueueArns=[queue["GameSessionQueue"]["GameSessionQueueArn"]],
        RequestTimeoutSeconds=600,
        AcceptanceTimeoutSeconds=60,
        AcceptanceRequired=True,
    )
    for name in ("ana", "ben"):
        entered = {"TicketId": f"ticket-{name}", "ConfigurationName": "maker", "Players": [{"PlayerId": name}]}
        world.make("gamelift", "StartMatchmaking", **entered)
    world.stage.settle()
    accepted = {"TicketId": "ticket-ana", "PlayerIds": ["ana"], "AcceptanceType": "ACCEPT"}
    world.make("gamelift", "AcceptMatch", **accepted)
    world.stage.settle()


def _furnish_servers(world: World) -> None:
    types = [{"InstanceType": "c5.large"}, {"InstanceType": "m5.large"}]
    role = "arn:aws:iam::111122223333:role/game"
    sizes = {"MinSize": 1, "MaxSize": 2, "LaunchTemplate": {"LaunchTemplateName": "game"}, "InstanceDefinitions": types}
    group = world.make("gamelift", "CreateGameServerGroup", GameServerGroupName="servers", RoleArn=role, **sizes)
    ports = {"ContainerPortRanges": [{"FromPort": 7777, "ToPort": 7777, "Protocol": "UDP"}]}
    container = {"ContainerName": "game", "ImageUri": "game:1", "ServerSdkVersion": "5.2.0", "PortConfiguration": ports}
    world.make(
        "gamelift",
        "CreateContainerGroupDefinition",
        Name="containers",
        OperatingSystem="AMAZON_LINUX_2023",
        TotalMemoryLimitMebibytes=1024,
        TotalVcpuLimit=1.0,
        GameServerContainerDefinition=container,
    )
    world.stage.settle()
    name = group["GameServerGroup"]["GameServerGroupName"]
    for number in (1, 2):
        place = {"GameServerGroupName": name, "InstanceId": f"i-{number:017d}"}
        world.make("gamelift", "RegisterGameServer", GameServerId=f"server-{number}", **place)
    groups = {"GameServerContainerGroupDefinitionName": "containers"}
    world.make("gamelift", "CreateContainerFleet", FleetRoleArn=role, **groups)
    world.stage.settle()


def _furnish_fleet(world: World, fleet_id: str) -> None:
    policy = {"Name": "buffer", "PolicyType": "TargetBased", "MetricName": "PercentAvailableGameSessions"}
    world.make("gamelift", "PutScalingPolicy", FleetId=fleet_id, **policy, TargetConfiguration={"TargetValue": 10.0})
    world.make("gamelift", "StopFleetActions", FleetId=fleet_id, Actions=["AUTO_SCALING"])
    account, vpc = "111122223333", {"PeerVpcId": "vpc-1"}
    world.make("gamelift", "CreateVpcPeeringAuthorization", GameLiftAwsAccountId=account, **vpc)
    world.make("gamelift", "CreateVpcPeeringConnection", FleetId=fleet_id, PeerVpcAwsAccountId=account, **vpc)
    world.stage.advance(2)
    world.make("gamelift", "DescribeVpcPeeringConnections", FleetId=fleet_id)


def _furnish_desk(world: World) -> None:
    """Make an Anywhere fleet with a compute; it comes first, so that most names that are remembered are of others."""
    places = [{"Location": "custom-here"}]
    fleet = world.make("gamelift", "CreateFleet", Name="desk", ComputeType="ANYWHERE", Locations=places)
    named = {"FleetId": fleet["FleetAttributes"]["FleetId"], "ComputeName": "desk-1"}
    world.make("gamelift", "RegisterCompute", **named, Location="custom-here", IpAddress="127.0.0.1")
    world.make("gamelift", "GetComputeAuthToken", **named)


def _furnish_trails(world: World) -> None:
    where = {"LocationConstraint": REGION}
    world.make("s3", "CreateBucket", Bucket="audit", CreateBucketConfiguration=where)
    world.make("s3", "PutObject", Bucket="audit", Key="a/b", Body=b"content")
    world.known |= {"Bucket": ["audit"], "Key": ["a/b"], "S3BucketName": ["audit"], "CopySource": ["audit/a/b"]}
    world.make("cloudtrail", "CreateTrail", Name="main", S3BucketName="audit")
    world.make("cloudtrail", "StartLogging", Name="main")


class Likely(Sampler):
    """Makes values like its parent, but names, where it can, what is there."""

    def __init__(self, seed: str, known: dict[str, list[str]], *, full: bool = False) -> None:
        super().__init__(seed, full)
        self._known = known

    @property
    def chance(self) -> random.Random:
        """The source of this sampler's choices."""
        return self._random

    def member(self, owner: Shape, name: str, above: tuple[str, ...]) -> Any:
        """Return the value of a member; a name that is known for most members that have one."""
        shape = owner.members[name]
        inner = shape.member if shape.type_name == "list" else shape
        known = self._known.get(name) or self._known.get(_one_of(name))
        is_name = inner.type_name == "string" and not inner.metadata.get("enum")
        if known and is_name and self._random.random() < KNOWN_SHARE:
            chosen = self._random.choice(known)
            if shape.serialization.get("location") == "header" and not chosen.isascii():
                return super().member(owner, name, above)
            return [chosen] if shape.type_name == "list" else chosen
        return super().member(owner, name, above)

    def params(self, operation: OperationModel) -> dict[str, Any]:
        """Return parameters of an operation."""
        made: dict[str, Any] = self.value(operation.input_shape) if operation.input_shape else {}
        return made


class Least(Likely):
    """Makes the least that an operation takes: required members only."""

    def _structure(self, shape: Shape, above: tuple[str, ...]) -> dict[str, Any]:
        inside = (*above, shape.name)
        return {name: self.member(shape, name, inside) for name in shape.required_members}


def in_order(service: str) -> list[OperationModel]:
    """Return the operations of a service, those that take away last."""
    model = service_model(service)
    names = sorted(model.operation_names, key=lambda name: (name.startswith(LATE), name))
    return [model.operation_model(name) for name in names]


def is_served(operation: OperationModel) -> bool:
    """Return whether the operation is implemented."""
    return operation.name in SERVICES[operation.service_model.service_name].operations


def some_protocol(service: str, chance: random.Random) -> str:
    """Return one of the protocols that a service speaks."""
    return chance.choice(protocols_of(service))
