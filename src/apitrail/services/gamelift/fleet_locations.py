"""Locations of fleets: CreateFleetLocations, DescribeFleetLocationAttributes, DeleteFleetLocations.

Source: API Reference of these.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from apitrail.services.context import Context
from apitrail.services.gamelift.collections import CUSTOM_LOCATIONS, FLEET_LOCATIONS
from apitrail.services.gamelift.errors import (
    ConflictException,
    InvalidRequestException,
    NotReadyException,
)
from apitrail.services.gamelift.fleet_actions import CHANGE as ACTIONS
from apitrail.services.gamelift.fleet_life import end_location, location_state, new_location
from apitrail.services.gamelift.fleet_rules import (
    check_aws_locations,
    check_custom_locations,
    check_distinct,
    location_names,
)
from apitrail.services.gamelift.fleets import check_custom_locations_exist, check_instance_limit, ids_of
from apitrail.services.gamelift.fleets_access import (
    ENDED,
    find_location,
    get_fleet,
    get_location,
    has_source,
    is_anywhere,
    is_container,
    require_active,
    source_of,
)
from apitrail.services.gamelift.pages import page_of
from apitrail.services.gamelift.propagation import PENDING_UPDATE, is_pending
from apitrail.services.operation import operation
from apitrail.store.resources import Doc

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import (
        CreateFleetLocationsInputTypeDef,
        DeleteFleetLocationsInputTypeDef,
        DescribeFleetLocationAttributesInputTypeDef,
    )


@operation
def create_fleet_locations(ctx: Context, params: "CreateFleetLocationsInputTypeDef") -> dict[str, Any]:
    """Add locations to a fleet: NEW, then through their own creation; in an Anywhere fleet ACTIVE at once (inferred).

    Raises: InvalidRequestException (a location that the fleet cannot have); NotFoundException (fleet, custom
    location); InvalidFleetStatusException (not ACTIVE); ConflictException (the fleet has it, inferred);
    NotReadyException (its build or script is gone, inferred); LimitExceededException (instances).
    """
    names = location_names(params["Locations"])
    fleet = get_fleet(ctx, params["FleetId"])
    require_active(fleet)
    for name in names:
        if find_location(ctx, fleet, name) is not None:
            raise ConflictException(f"Fleet {fleet['FleetId']} already has location {name}.")
    if is_anywhere(fleet):
        check_custom_locations(names)
        check_custom_locations_exist(ctx, names)
    else:
        _check_ec2(ctx, fleet, names)
    status = "PENDING" if is_container(fleet) else "ACTIVE" if is_anywhere(fleet) else "NEW"
    states = [location_state(new_location(ctx, fleet, name, status)) for name in names]
    return {**ids_of(fleet), "LocationStates": states}


@operation
def describe_fleet_location_attributes(
    ctx: Context, params: "DescribeFleetLocationAttributesInputTypeDef"
) -> dict[str, Any]:
    """Return a fleet's locations, the home location among them (inferred): those asked for in their order, or a page of all.

    Limit is taken, but not enforced, as in AWS. Those that it does not have are left out.
    Raises: NotFoundException (fleet); InvalidRequestException (bad token).
    """
    fleet = get_fleet(ctx, params["FleetId"])
    if "Locations" in params:
        found = [find_location(ctx, fleet, name) for name in params["Locations"]]
        page, token = [location for location in found if location is not None], None
    else:
        where = ("FleetId", fleet["FleetId"])
        unlimited = {name: value for name, value in params.items() if name != "Limit"}
        page, token = page_of(
            ctx, "DescribeFleetLocationAttributes", unlimited, FLEET_LOCATIONS(ctx), where=where, keep=_is_there
        )
    return {
        **ids_of(fleet),
        "LocationAttributes": [_attributes(ctx, fleet, location) for location in page],
        "NextToken": token,
    }


@operation
def delete_fleet_locations(ctx: Context, params: "DeleteFleetLocationsInputTypeDef") -> dict[str, Any]:
    """Begin to remove locations from a fleet; what runs there is stopped. Those that are going already stay as they are.

    Raises: InvalidRequestException (home location, inferred); NotFoundException (fleet; a location that it does
    not have, inferred).
    """
    check_distinct(params["Locations"])
    fleet = get_fleet(ctx, params["FleetId"])
    locations = [get_location(ctx, fleet, name) for name in params["Locations"]]
    for location in locations:
        if location["_home"]:
            raise InvalidRequestException(f"{location['Location']} is the home location of fleet {fleet['FleetId']}.")
    for location in locations:
        if location["Status"] not in ENDED:
            end_location(ctx, fleet, location)
    return {**ids_of(fleet), "LocationStates": [location_state(location) for location in locations]}


def _check_ec2(ctx: Context, fleet: Doc, names: Sequence[str]) -> None:
    check_aws_locations(ctx, names)
    if not is_container(fleet) and not has_source(ctx, fleet):
        raise NotReadyException(f"{source_of(fleet)} of fleet {fleet['FleetId']} was deleted.")
    check_instance_limit(ctx, fleet, names)


def _is_there(location: Doc) -> bool:
    return bool(location["Status"] != "TERMINATED")


def _attributes(ctx: Context, fleet: Doc, location: Doc) -> dict[str, Any]:
    """Return the LocationAttributes of a location; a custom location that was deleted meanwhile shows NOT_FOUND."""
    attributes: dict[str, Any] = {"LocationState": location_state(location)}
    if is_anywhere(fleet) and not CUSTOM_LOCATIONS(ctx).has(location["Location"]):
        attributes["LocationState"]["Status"] = "NOT_FOUND"
    if "StoppedActions" in location:
        attributes["StoppedActions"] = location["StoppedActions"]
    if is_pending(location, ACTIONS):
        attributes["UpdateStatus"] = PENDING_UPDATE
    return attributes
