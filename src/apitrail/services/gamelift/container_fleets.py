"""Container fleets: created, described, listed, updated and deleted.

A fleet's document is its ContainerFleet without LocationAttributes; it lies among the other fleets, with which it shares
capacity, locations, events and sessions. What it runs is in container_settings.py, how that changes in deployments.py,
and what happens over time in fleet_life.py. No container is ever started: see container_images.py.
Source: GameLift API Reference, the operations on container fleets.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from apitrail.services.context import Context
from apitrail.services.gamelift import deployments
from apitrail.services.gamelift.arns import arn_of
from apitrail.services.gamelift.collections import FLEETS
from apitrail.services.gamelift.container_lookup import find_version, parse_name
from apitrail.services.gamelift.container_settings import check_given, deployed_of, set_deployed, settings_of
from apitrail.services.gamelift.errors import InvalidRequestException, NotReadyException
from apitrail.services.gamelift.fleet_life import end_fleet, new_location
from apitrail.services.gamelift.fleet_rules import check_aws_locations, location_names
from apitrail.services.gamelift.fleet_steps import move_fleet
from apitrail.services.gamelift.fleets import check_instance_limit, warn_of_gateway
from apitrail.services.gamelift.fleets_access import CONTAINER_WORD, get_container_fleet, locations_of, put_fleet
from apitrail.services.gamelift.pages import Where, page_of
from apitrail.services.gamelift.tagging import check_tags, tag_new
from apitrail.services.operation import operation
from apitrail.store.resources import Doc

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import (
        CreateContainerFleetInputTypeDef,
        DeleteContainerFleetInputTypeDef,
        DescribeContainerFleetInputTypeDef,
        ListContainerFleetsInputTypeDef,
        UpdateContainerFleetInputTypeDef,
    )

Params = Mapping[str, Any]

COPIED = (
    "FleetRoleArn",
    "Description",
    "BillingType",
    "MetricGroups",
    "NewGameSessionProtectionPolicy",
    "GameSessionCreationLimitPolicy",
    "PlayerGatewayMode",
)
UPDATED = ("Description", "MetricGroups", "NewGameSessionProtectionPolicy", "GameSessionCreationLimitPolicy")
INSTANCE_TYPE = "c5.large"
LOGS: Doc = {"LogDestination": "CLOUDWATCH"}
UPDATABLE = ("ACTIVE", "CREATED", "UPDATING")
DELETABLE = ("ACTIVE", "CREATED")


@operation
def create_container_fleet(ctx: Context, params: "CreateContainerFleetInputTypeDef") -> dict[str, Any]:
    """Create a container fleet in status PENDING; it ends in CREATED without a game server container group, else in ACTIVE.

    Its first deployment begins with it. Raises: InvalidRequestException (see container_settings.py; unknown location);
    TaggingFailedException; LimitExceededException (instances).
    """
    check_given(params)
    names = list(dict.fromkeys([ctx.region, *location_names(params.get("Locations", ()))]))
    check_aws_locations(ctx, names)
    check_tags(params)
    fleet = _new_fleet(ctx, params)
    check_instance_limit(ctx, fleet, names)
    move_fleet(ctx, fleet, "PENDING")
    tag_new(ctx, fleet["FleetArn"], params)
    warn_of_gateway(ctx, fleet)
    for name in names:
        new_location(ctx, fleet, name, "PENDING")
    if "GameServerContainerGroupDefinitionArn" in fleet:
        deployments.start(ctx, fleet, {})
    return {"ContainerFleet": _shown(ctx, fleet)}


@operation
def describe_container_fleet(ctx: Context, params: "DescribeContainerFleetInputTypeDef") -> dict[str, Any]:
    """Return a container fleet. Raises: NotFoundException, also for fleets of other kinds."""
    return {"ContainerFleet": _shown(ctx, get_container_fleet(ctx, params["FleetId"]))}


@operation
def list_container_fleets(ctx: Context, params: "ListContainerFleetsInputTypeDef") -> dict[str, Any]:
    """Return all container fleets, or those that use a container group definition: its newest version, or that of an ARN.

    Raises: InvalidRequestException (token). Inferred: no fleet uses a definition that there is not.
    """
    where: Where = ("word", CONTAINER_WORD)
    if "ContainerGroupDefinitionName" in params:
        where = ("definition", _arn_asked(ctx, params["ContainerGroupDefinitionName"]))
    page, token = page_of(ctx, "ListContainerFleets", params, FLEETS(ctx), where=where)
    return {"ContainerFleets": [_shown(ctx, fleet) for fleet in page], "NextToken": token}


@operation
def update_container_fleet(ctx: Context, params: "UpdateContainerFleetInputTypeDef") -> dict[str, Any]:
    """Change a container fleet; what its instances run is changed by a deployment, which cancels one in progress.

    Raises: InvalidRequestException (see container_settings.py; a group that is both named and removed);
    NotFoundException; NotReadyException unless it is ACTIVE, CREATED or UPDATING.
    """
    check_given(params)
    if "RemoveAttributes" in params and "PerInstanceContainerGroupDefinitionName" in params:
        raise InvalidRequestException("PerInstanceContainerGroupDefinitionName cannot be both given and removed.")
    fleet = get_container_fleet(ctx, params["FleetId"])
    if fleet["Status"] not in UPDATABLE:
        raise NotReadyException(f"Fleet {fleet['FleetId']} is in status {fleet['Status']} and cannot be updated now.")
    before = deployed_of(fleet)
    settings = settings_of(ctx, fleet["InstanceType"], params, before)
    fleet |= {name: value for name, value in params.items() if name in UPDATED}
    set_deployed(fleet, settings)
    put_fleet(ctx, fleet)
    if settings != before and "GameServerContainerGroupDefinitionArn" in settings:
        deployments.start(ctx, fleet, params.get("DeploymentConfiguration", {}))
    return {"ContainerFleet": _shown(ctx, fleet)}


@operation
def delete_container_fleet(ctx: Context, params: "DeleteContainerFleetInputTypeDef") -> dict[str, Any]:
    """Begin to delete a container fleet: DELETING, and gone when its instances are.

    Raises: NotFoundException; InvalidRequestException unless it is ACTIVE or CREATED.
    """
    fleet = get_container_fleet(ctx, params["FleetId"])
    if fleet["Status"] not in DELETABLE:
        raise InvalidRequestException(f"Cannot delete fleet {fleet['FleetId']} that is in status of {fleet['Status']}")
    deployments.cancel(ctx, fleet)
    end_fleet(ctx, fleet)
    return {}


def _new_fleet(ctx: Context, params: Params) -> Doc:
    instance_type = params.get("InstanceType", INSTANCE_TYPE)
    fleet_id = ctx.ids.new(CONTAINER_WORD)
    return {
        "FleetId": fleet_id,
        "FleetArn": arn_of(ctx, CONTAINER_WORD, fleet_id),
        "CreationTime": ctx.now,
        "InstanceType": instance_type,
        "BillingType": "ON_DEMAND",
        "NewGameSessionProtectionPolicy": "NoProtection",
        **{name: value for name, value in params.items() if name in COPIED},
        **settings_of(ctx, instance_type, params, {"LogConfiguration": LOGS}),
    }


def _arn_asked(ctx: Context, text: str) -> str:
    named = parse_name(ctx, text)
    version = None if named is None else find_version(ctx, named)
    return "" if version is None else str(version["ContainerGroupDefinitionArn"])


def _shown(ctx: Context, fleet: Doc) -> Doc:
    """Return the ContainerFleet of a fleet, with its remote locations."""
    remote = [
        {name: location[name] for name in ("Location", "Status", "PlayerGatewayStatus")}
        for location in locations_of(ctx, fleet["FleetId"])
        if not location["_home"] and location["Status"] != "TERMINATED"
    ]
    return {**fleet, "LocationAttributes": remote}
