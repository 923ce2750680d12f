"""What tests of fleets begin with: builds, and fleets in a given status."""

from typing import Any

from host_scenes import make_active

from apitrail.services.context import Context
from apitrail.services.gamelift.arns import arn_of
from apitrail.services.gamelift.collections import BUILDS
from apitrail.testing import Stage

HOME = "us-west-2"
LAUNCH = {"LaunchPath": "/local/game/server", "ConcurrentExecutions": 2}
RULE = {"FromPort": 7000, "ToPort": 7100, "IpRange": "0.0.0.0/0", "Protocol": "UDP"}
CREATION_S = 7.0
"""How long an EC2 fleet takes from NEW to ACTIVE."""


def put_build(stage: Stage, **members: Any) -> str:
    """Add a build that is READY, without an upload, and return its id."""

    def put(ctx: Context) -> str:
        build_id = ctx.ids.new("build")
        build = {
            "BuildId": build_id,
            "BuildArn": arn_of(ctx, "build", build_id),
            "Status": "READY",
            "SizeOnDisk": 1000,
            "OperatingSystem": "AMAZON_LINUX_2023",
            "ServerSdkVersion": "5.2.0",
            "CreationTime": ctx.now,
            "_Storage": {"Bucket": "gamelift-builds-us-west-2", "Key": f"{ctx.account}/{build_id}"},
        }
        BUILDS(ctx).put(build_id, build | members)
        return build_id

    return stage.change(put)


def ec2_params(stage: Stage, **params: Any) -> dict[str, Any]:
    """Return the parameters of an EC2 fleet, with a new build unless one is given."""
    given = {
        "Name": "arena",
        "EC2InstanceType": "c5.large",
        "RuntimeConfiguration": {"ServerProcesses": [LAUNCH]},
        "EC2InboundPermissions": [RULE],
        **params,
    }
    if "BuildId" not in given and "ScriptId" not in given:
        given["BuildId"] = put_build(stage)
    return {name: value for name, value in given.items() if value is not None}


def new_fleet(stage: Stage, **params: Any) -> str:
    """Create an EC2 fleet and return its id; its status is NEW."""
    return str(stage.call("CreateFleet", **ec2_params(stage, **params))["FleetAttributes"]["FleetId"])


def active_fleet(stage: Stage, **params: Any) -> str:
    """Create an EC2 fleet, wait until it is ACTIVE, and return its id."""
    fleet_id = new_fleet(stage, **params)
    if stage.settings.gamelift.run_processes:
        make_active(stage, fleet_id)
    else:
        stage.advance(CREATION_S)
    assert status_of(stage, fleet_id) == "ACTIVE"
    return fleet_id


def anywhere_fleet(stage: Stage, *locations: str) -> str:
    """Create custom locations and an Anywhere fleet with them, wait until it is ACTIVE, and return its id."""
    names = locations or ("custom-desk",)
    for name in names:
        stage.call("CreateLocation", LocationName=name)
    places = [{"Location": name} for name in names]
    result = stage.call("CreateFleet", Name="desk", ComputeType="ANYWHERE", Locations=places)
    stage.advance(1)
    return str(result["FleetAttributes"]["FleetId"])


def fleet_of(stage: Stage, fleet_id: str) -> dict[str, Any]:
    """Return the attributes of a fleet."""
    (fleet,) = stage.call("DescribeFleetAttributes", FleetIds=[fleet_id])["FleetAttributes"]
    return shown(fleet)


def shown(doc: dict[str, Any]) -> dict[str, Any]:
    """Return what a caller sees of a document: all but its private extras."""
    return {name: value for name, value in doc.items() if not name.startswith("_")}


def status_of(stage: Stage, fleet_id: str) -> str:
    """Return the status of a fleet."""
    return str(fleet_of(stage, fleet_id)["Status"])


def counts_of(stage: Stage, fleet_id: str, location: str = HOME) -> dict[str, int]:
    """Return the instance counts of a location."""
    result = stage.call("DescribeFleetLocationCapacity", FleetId=fleet_id, Location=location)
    return dict(result["FleetCapacity"]["InstanceCounts"])


def event_codes(stage: Stage, fleet_id: str) -> list[str]:
    """Return the codes of a fleet's events, oldest first."""
    return [event["EventCode"] for event in stage.call("DescribeFleetEvents", FleetId=fleet_id)["Events"]][::-1]


def pages(stage: Stage, operation: str, member: str, **params: Any) -> list[list[Any]]:
    """Return all pages of a list, each as long as Limit says; a token that comes twice would never end."""
    found, tokens = [], set[str]()
    while True:
        page = stage.call(operation, **params)
        found.append(page[member])
        if page.get("NextToken") is None:
            return found
        assert page["NextToken"] not in tokens
        tokens.add(page["NextToken"])
        params["NextToken"] = page["NextToken"]


def listed(stage: Stage, operation: str, member: str, **params: Any) -> list[Any]:
    """Return everything that is on the pages of a list."""
    return [item for page in pages(stage, operation, member, **params) for item in page]
