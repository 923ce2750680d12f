"""Container group definitions and container fleets for tests."""

from typing import Any

from apitrail.testing import Stage

ROLE = "arn:aws:iam::111122223333:role/containers"
IMAGE = "111122223333.dkr.ecr.us-west-2.amazonaws.com/game:1"


def game_server(**changes: Any) -> dict[str, Any]:
    """Return a game server container definition."""
    return {
        "ContainerName": "game",
        "ImageUri": IMAGE,
        "ServerSdkVersion": "5.2.0",
        "PortConfiguration": {"ContainerPortRanges": [{"FromPort": 7777, "ToPort": 7778, "Protocol": "UDP"}]},
        **changes,
    }


def support(name: str = "logs", **changes: Any) -> dict[str, Any]:
    """Return a support container definition."""
    return {"ContainerName": name, "ImageUri": "public.ecr.aws/x/logs@sha256:" + "0" * 64, **changes}


def group(name: str = "game-group", **changes: Any) -> dict[str, Any]:
    """Return the parameters of a game server container group definition, two of which fit on a c5.large."""
    return {
        "Name": name,
        "OperatingSystem": "AMAZON_LINUX_2023",
        "TotalMemoryLimitMebibytes": 1024,
        "TotalVcpuLimit": 1.0,
        "GameServerContainerDefinition": game_server(),
        **changes,
    }


def per_instance(name: str = "helpers", **changes: Any) -> dict[str, Any]:
    """Return the parameters of a per-instance container group definition with one port."""
    ports = {"ContainerPortRanges": [{"FromPort": 80, "ToPort": 80, "Protocol": "TCP"}]}
    return {
        "Name": name,
        "ContainerGroupType": "PER_INSTANCE",
        "OperatingSystem": "AMAZON_LINUX_2023",
        "TotalMemoryLimitMebibytes": 512,
        "TotalVcpuLimit": 0.25,
        "SupportContainerDefinitions": [support(Essential=True, PortConfiguration=ports)],
        **changes,
    }


def defined(stage: Stage, params: dict[str, Any]) -> dict[str, Any]:
    """Create a definition and return it when it is READY."""
    stage.call("CreateContainerGroupDefinition", **params)
    stage.advance(1)
    return definition(stage, params["Name"])


def definition(stage: Stage, name: str, **more: Any) -> dict[str, Any]:
    """Return a definition."""
    found: dict[str, Any] = stage.call("DescribeContainerGroupDefinition", Name=name, **more)
    return dict(found["ContainerGroupDefinition"])


def new_fleet(stage: Stage, **more: Any) -> dict[str, Any]:
    """Create a container fleet and return it, PENDING."""
    found: dict[str, Any] = stage.call("CreateContainerFleet", FleetRoleArn=ROLE, **more)
    return dict(found["ContainerFleet"])


def active_fleet(stage: Stage, **more: Any) -> dict[str, Any]:
    """Create a container fleet with a game server group, and its definition, and return it when it is ACTIVE."""
    defined(stage, group())
    fleet = new_fleet(stage, GameServerContainerGroupDefinitionName="game-group", **more)
    stage.advance(6)
    fleet = see(stage, fleet)
    assert fleet["Status"] == "ACTIVE", fleet
    return fleet


def see(stage: Stage, fleet: dict[str, Any]) -> dict[str, Any]:
    """Return a container fleet as it is now."""
    found: dict[str, Any] = stage.call("DescribeContainerFleet", FleetId=fleet["FleetId"])
    return dict(found["ContainerFleet"])


def update(stage: Stage, fleet: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Update a container fleet and return it."""
    found: dict[str, Any] = stage.call("UpdateContainerFleet", FleetId=fleet["FleetId"], **more)
    return dict(found["ContainerFleet"])


def deployment(stage: Stage, fleet: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a fleet's latest deployment."""
    found: dict[str, Any] = stage.call("DescribeFleetDeployment", FleetId=fleet["FleetId"], **more)
    return dict(found["FleetDeployment"])


def instances(stage: Stage, fleet: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a fleet's instances in its home location."""
    found: list[dict[str, Any]] = stage.call("DescribeInstances", FleetId=fleet["FleetId"])["Instances"]
    return found


def event_codes(stage: Stage, fleet: dict[str, Any]) -> list[str]:
    """Return the codes of a fleet's events, oldest first."""
    found = stage.call("DescribeFleetEvents", FleetId=fleet["FleetId"])["Events"]
    return [event["EventCode"] for event in reversed(found)]
