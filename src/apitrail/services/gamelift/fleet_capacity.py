"""Capacity: DescribeFleetCapacity, DescribeFleetLocationCapacity, UpdateFleetCapacity, DescribeEC2InstanceLimits.

Source: API Reference of these; GameLift Developer Guide.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from apitrail.services.context import Context
from apitrail.services.gamelift.capacity import (
    TO_AND_FROM_ZERO,
    capacity_of,
    instances_allowed,
    scales_to_zero,
    set_capacity,
    watch_inactivity,
)
from apitrail.services.gamelift.collections import FLEET_LOCATIONS, FLEETS, INSTANCES, joined
from apitrail.services.gamelift.errors import (
    InvalidFleetStatusException,
    InvalidRequestException,
    LimitExceededException,
)
from apitrail.services.gamelift.fleet_rules import check_aws_locations
from apitrail.services.gamelift.fleets import find_fleets, ids_of, is_listed
from apitrail.services.gamelift.fleets_access import (
    ENDED,
    find_location,
    get_fleet,
    get_location,
    is_anywhere,
    is_working,
    require_active,
)
from apitrail.services.gamelift.pages import page_of
from apitrail.services.operation import operation
from apitrail.store.resources import Doc

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import (
        DescribeEC2InstanceLimitsInputTypeDef,
        DescribeFleetCapacityInputTypeDef,
        DescribeFleetLocationCapacityInputTypeDef,
        UpdateFleetCapacityInputTypeDef,
    )

Params = Mapping[str, Any]

INACTIVITY_MIN = 30
"""Minutes without a game session after which a location goes to zero, if nothing else is said."""


@operation
def describe_fleet_capacity(ctx: Context, params: "DescribeFleetCapacityInputTypeDef") -> dict[str, Any]:
    """Return the capacity in the home location of the given EC2 fleets, or of a page of all.

    Unknown and Anywhere fleets are left out (inferred). Raises: InvalidRequestException (bad token).
    """
    if "FleetIds" in params:
        fleets, token = [fleet for fleet in find_fleets(ctx, params["FleetIds"]) if _has_capacity(fleet)], None
    else:
        fleets, token = page_of(ctx, "DescribeFleetCapacity", params, FLEETS(ctx), keep=_has_capacity)
    return {"FleetCapacity": [_home_capacity(ctx, fleet) for fleet in fleets], "NextToken": token}


@operation
def describe_fleet_location_capacity(
    ctx: Context, params: "DescribeFleetLocationCapacityInputTypeDef"
) -> dict[str, Any]:
    """Return the capacity in one location of a fleet, which may be the home location.

    Raises: NotFoundException (fleet, location).
    """
    fleet = get_fleet(ctx, params["FleetId"])
    return {"FleetCapacity": capacity_of(ctx, fleet, get_location(ctx, fleet, params["Location"]))}


@operation
def update_fleet_capacity(ctx: Context, params: "UpdateFleetCapacityInputTypeDef") -> dict[str, Any]:
    """Change the capacity settings of a fleet's location, by default the home location; instances follow.

    Raises: InvalidRequestException (sizes that do not fit; Anywhere fleet; MinSize where the service sets it);
    NotFoundException; InvalidFleetStatusException (fleet or location not ACTIVE); LimitExceededException (instances).
    """
    managed = params.get("ManagedCapacityConfiguration")
    if "MinSize" in params and (managed or {}).get("ZeroCapacityStrategy") == TO_AND_FROM_ZERO:
        raise InvalidRequestException(f"MinSize cannot be given with ZeroCapacityStrategy {TO_AND_FROM_ZERO}.")
    fleet = get_fleet(ctx, params["FleetId"])
    if is_anywhere(fleet):
        raise InvalidRequestException(f"Fleet {fleet['FleetId']} is an Anywhere fleet; it has no capacity settings.")
    require_active(fleet)
    location = get_location(ctx, fleet, params.get("Location", ctx.region))
    _require_active_location(location)
    result: dict[str, Any] = ids_of(fleet)
    if "Location" in params:
        result["Location"] = params["Location"]
    if managed is not None:
        result["ManagedCapacityConfiguration"] = location["_managed"] = _managed(managed)
    sizes = _sizes(location, params)
    _check_limit(ctx, location, sizes[0])
    set_capacity(ctx, fleet, location, *sizes)
    if scales_to_zero(location):
        watch_inactivity(ctx, location)
    return result


@operation
def describe_ec2_instance_limits(ctx: Context, params: "DescribeEC2InstanceLimitsInputTypeDef") -> dict[str, Any]:
    """Return how many instances there are and may be in a location, by default this region, per instance type.

    The types are the one that is asked for, or those that fleets of this region have in the location.
    Raises: InvalidRequestException (unknown location).
    """
    name = params.get("Location", ctx.region)
    check_aws_locations(ctx, [name])
    types = [params["EC2InstanceType"]] if "EC2InstanceType" in params else _types_in(ctx, name)
    limits = [
        {
            "EC2InstanceType": type_,
            "CurrentInstances": INSTANCES(ctx).count("Type+Location", joined(type_, name)),
            "InstanceLimit": ctx.settings.gamelift.instances_max,
            "Location": name,
        }
        for type_ in types
    ]
    return {"EC2InstanceLimits": limits}


def _has_capacity(fleet: Doc) -> bool:
    return is_listed(fleet) and not is_anywhere(fleet)


def _home_capacity(ctx: Context, fleet: Doc) -> dict[str, Any]:
    home = find_location(ctx, fleet, ctx.region)
    assert home is not None, "an EC2 fleet has a home location until it is terminated"
    return capacity_of(ctx, fleet, home)


def _require_active_location(location: Doc) -> None:
    """Raise InvalidFleetStatusException unless the location is ACTIVE."""
    if not is_working(location):
        raise InvalidFleetStatusException(
            f"Location {location['Location']} of fleet {location['FleetId']} is in status {location['Status']};"
            " it must be ACTIVE."
        )


def _managed(given: Params) -> Doc:
    return {
        "ZeroCapacityStrategy": given.get("ZeroCapacityStrategy", "MANUAL"),
        "ScaleInAfterInactivityMinutes": given.get("ScaleInAfterInactivityMinutes", INACTIVITY_MIN),
    }


def _sizes(location: Doc, params: Params) -> tuple[int, int, int]:
    """Return desired, minimum and maximum as they will be. Raises: InvalidRequestException when they do not fit."""
    desired = params.get("DesiredInstances", location["_desired"])
    maximum = params.get("MaxSize", location["_max"])
    if not scales_to_zero(location):
        minimum = params.get("MinSize", location["_min"])
    elif "MinSize" in params:
        raise InvalidRequestException(f"MinSize is set by the service in {location['Location']}.")
    else:
        minimum = min(desired, 1)
    if not minimum <= desired <= maximum:
        raise InvalidRequestException(
            f"DesiredInstances {desired} must be between MinSize {minimum} and MaxSize {maximum}."
        )
    return desired, minimum, maximum


def _check_limit(ctx: Context, location: Doc, desired: int) -> None:
    allowed = instances_allowed(ctx, location)
    if desired > location["_desired"] and desired > allowed:
        raise LimitExceededException(
            f"{desired} instances of type {location['_type']} are desired in {location['Location']}; "
            f"{ctx.settings.gamelift.instances_max} are allowed for all fleets together, which leaves {allowed}."
        )


def _types_in(ctx: Context, name: str) -> list[str]:
    found = (entry.doc for entry in FLEET_LOCATIONS(ctx).find("Location", name))
    return sorted({doc["_type"] for doc in found if doc["_type"] and doc["Status"] not in ENDED})
