"""How much of a fleet is in use: DescribeFleetUtilization and DescribeFleetLocationUtilization.

Source: API Reference of both (FleetUtilization); GameLift Developer Guide.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from apitrail.services.context import Context
from apitrail.services.gamelift import processes
from apitrail.services.gamelift.collections import FLEETS
from apitrail.services.gamelift.fleets import find_fleets, ids_of, is_listed
from apitrail.services.gamelift.fleets_access import get_fleet, get_location, is_anywhere, locations_of
from apitrail.services.gamelift.pages import page_of
from apitrail.services.operation import operation
from apitrail.store.resources import Doc

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import (
        DescribeFleetLocationUtilizationInputTypeDef,
        DescribeFleetUtilizationInputTypeDef,
    )


@operation
def describe_fleet_utilization(ctx: Context, params: "DescribeFleetUtilizationInputTypeDef") -> dict[str, Any]:
    """Return the use of the given fleets, or of a page of all: in the home location, or in all of an Anywhere fleet.

    Unknown fleets are left out. Raises: InvalidRequestException (bad token). Inferred: the sum for Anywhere fleets.
    """
    if "FleetIds" in params:
        fleets, token = [fleet for fleet in find_fleets(ctx, params["FleetIds"]) if is_listed(fleet)], None
    else:
        fleets, token = page_of(ctx, "DescribeFleetUtilization", params, FLEETS(ctx), keep=is_listed)
    return {"FleetUtilization": [_fleet_use(ctx, fleet) for fleet in fleets], "NextToken": token}


@operation
def describe_fleet_location_utilization(
    ctx: Context, params: "DescribeFleetLocationUtilizationInputTypeDef"
) -> dict[str, Any]:
    """Return the use of one location of a fleet. Raises: NotFoundException (fleet, location)."""
    fleet = get_fleet(ctx, params["FleetId"])
    location = get_location(ctx, fleet, params["Location"])
    use = _use(ctx, fleet, [location["Location"]])
    return {"FleetUtilization": {**use, "Location": location["Location"]}}


def _fleet_use(ctx: Context, fleet: Doc) -> dict[str, Any]:
    if is_anywhere(fleet):
        return _use(ctx, fleet, [location["Location"] for location in locations_of(ctx, fleet["FleetId"])])
    return {**_use(ctx, fleet, [ctx.region]), "Location": ctx.region}


def _use(ctx: Context, fleet: Doc, names: Iterable[str]) -> dict[str, Any]:
    found = [processes.counts(ctx, fleet["FleetId"], name) for name in names]
    return {
        **ids_of(fleet),
        "ActiveServerProcessCount": sum(counts.process_count for counts in found),
        "ActiveGameSessionCount": sum(counts.active_session_count for counts in found),
        "CurrentPlayerSessionCount": sum(counts.player_count for counts in found),
        "MaximumPlayerSessionCount": sum(counts.player_slot_count for counts in found),
    }
