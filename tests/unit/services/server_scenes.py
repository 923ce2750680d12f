"""Game server groups and game servers for tests."""

from typing import Any

from apitrail.testing import Stage

INSTANCE = "i-0123456789abcdef0"
GROUP: dict[str, Any] = {
    "GameServerGroupName": "g",
    "RoleArn": "arn:aws:iam::111122223333:role/fleetiq",
    "MinSize": 1,
    "MaxSize": 4,
    "LaunchTemplate": {"LaunchTemplateName": "game", "Version": "1"},
    "InstanceDefinitions": [
        {"InstanceType": "c5.large"},
        {"InstanceType": "c5.xlarge", "WeightedCapacity": "2"},
    ],
}


def new_group(stage: Stage, **changes: Any) -> dict[str, Any]:
    """Create a group and return it, NEW."""
    found: dict[str, Any] = stage.call("CreateGameServerGroup", **(GROUP | changes))["GameServerGroup"]
    return found


def active_group(stage: Stage, **changes: Any) -> dict[str, Any]:
    """Create a group and return it when it is ACTIVE."""
    group = new_group(stage, **changes)
    stage.advance(3)
    name = group["GameServerGroupName"]
    found: dict[str, Any] = stage.call("DescribeGameServerGroup", GameServerGroupName=name)["GameServerGroup"]
    assert found["Status"] == "ACTIVE"
    return found


def status_of(stage: Stage, name: str = "g") -> str:
    """Return the status of a group."""
    return str(stage.call("DescribeGameServerGroup", GameServerGroupName=name)["GameServerGroup"]["Status"])


def registered(stage: Stage, server_id: str = "server-1", group: str = "g", **more: Any) -> dict[str, Any]:
    """Register a game server and return it."""
    members = {"InstanceId": INSTANCE, **more}
    found: dict[str, Any] = stage.call(
        "RegisterGameServer", GameServerGroupName=group, GameServerId=server_id, **members
    )["GameServer"]
    return found
