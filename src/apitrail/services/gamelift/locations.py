"""Locations: those that AWS offers, and custom ones, which stand for the user's own machines.

Source: GameLift API Reference, the operations on locations. Inferred: the domain of the ping beacons.
"""

from typing import TYPE_CHECKING, Any

from apitrail.services.common import make_token, take_page
from apitrail.services.context import Context
from apitrail.services.gamelift import collections
from apitrail.services.gamelift.arns import arn_of, aws_locations, id_of
from apitrail.services.gamelift.errors import ConflictException, InvalidRequestException, NotFoundException
from apitrail.services.gamelift.pages import bound_to, page_limit, position_of
from apitrail.services.gamelift.tagging import check_tags, drop_tags, tag_new
from apitrail.services.operation import operation
from apitrail.store.resources import Doc

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import (
        CreateLocationInputTypeDef,
        DeleteLocationInputTypeDef,
        ListLocationsInputTypeDef,
    )

PAGE_COUNT = 200
BEACON_PORT = 7770
Position = tuple[int, int]


@operation
def create_location(ctx: Context, params: "CreateLocationInputTypeDef") -> dict[str, Any]:
    """Create a custom location. Raises: ConflictException (the name is taken); TaggingFailedException."""
    check_tags(params)
    name = params["LocationName"]
    if collections.CUSTOM_LOCATIONS(ctx).has(name):
        raise ConflictException(f"Location {name} exists already in {ctx.region}.")
    location = {"LocationName": name, "LocationArn": arn_of(ctx, "location", name)}
    collections.CUSTOM_LOCATIONS(ctx).put(name, location)
    tag_new(ctx, location["LocationArn"], params)
    return {"Location": location}


@operation
def delete_location(ctx: Context, params: "DeleteLocationInputTypeDef") -> dict[str, Any]:
    """Remove a custom location. Raises: NotFoundException; InvalidRequestException while a fleet uses it (inferred)."""
    name = id_of(ctx, params["LocationName"], "location")
    if not collections.CUSTOM_LOCATIONS(ctx).has(name):
        raise NotFoundException(f"Location {params['LocationName']} was not found in {ctx.region}.")
    for used in collections.FLEET_LOCATIONS(ctx).find("Location", name):
        if used.doc["Status"] != "TERMINATED":
            raise InvalidRequestException(f"Location {name} is in use by fleet {used.doc['FleetId']}.")
    collections.CUSTOM_LOCATIONS(ctx).delete(name)
    drop_tags(ctx, arn_of(ctx, "location", name))
    return {}


@operation
def list_locations(ctx: Context, params: "ListLocationsInputTypeDef") -> dict[str, Any]:
    """Return the locations of AWS by name, then the custom ones; or one of the two kinds.

    Raises: InvalidRequestException (token).
    """
    limit = page_limit(params, PAGE_COUNT, PAGE_COUNT)
    bound = bound_to("ListLocations", params)
    position: Position = position_of(ctx, bound, params) or (0, 0)
    rows = _from(ctx, set(params.get("Filters", ("AWS", "CUSTOM"))), position, limit + 1)
    page, more = take_page(rows, limit)
    token = make_token(ctx, bound, page[-1][0]) if more else None
    return {"Locations": [location for _, location in page], "NextToken": token}


def _from(ctx: Context, kinds: set[str], position: Position, count: int) -> list[tuple[Position, Doc]]:
    """Return up to count locations behind a position (AWS locations seen, last custom one seen), with theirs."""
    seen, after = position
    rows: list[tuple[Position, Doc]] = []
    if "AWS" in kinds:
        names = aws_locations(ctx.region)[seen : seen + count]
        rows = [((number, 0), _aws_location(name)) for number, name in enumerate(names, seen + 1)]
        seen += len(names)
    if "CUSTOM" in kinds and len(rows) < count:
        found = collections.CUSTOM_LOCATIONS(ctx).page(count - len(rows), after)
        rows += [((seen, entry.ord), entry.doc) for entry in found]
    return rows


def _aws_location(name: str) -> Doc:
    beacon = {"Domain": f"gamelift-ping.{name}.api.aws", "Port": BEACON_PORT}
    return {"LocationName": name, "PingBeacon": {"UDPEndpoint": beacon}}
