"""The inbound ports of a fleet: DescribeFleetPortSettings and UpdateFleetPortSettings.

Source: API Reference of both; specification 1 (Fleets).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from apitrail.services.context import Context
from apitrail.services.gamelift.collections import FLEET_LOCATIONS
from apitrail.services.gamelift.errors import (
    ConflictException,
    InvalidRequestException,
    LimitExceededException,
)
from apitrail.services.gamelift.fleet_rules import (
    PERMISSIONS_MAX,
    check_permissions,
    check_ports_of_system,
    port_text,
)
from apitrail.services.gamelift.fleets import ids_of
from apitrail.services.gamelift.fleets_access import (
    get_fleet,
    get_location,
    is_anywhere,
    location_id,
    locations_of,
    put_fleet,
    put_location,
    refuse_ended,
)
from apitrail.services.gamelift.states import delay
from apitrail.services.operation import operation, timer
from apitrail.store.resources import Doc

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import (
        DescribeFleetPortSettingsInputTypeDef,
        UpdateFleetPortSettingsInputTypeDef,
    )

PROPAGATED = "gamelift/ports-propagated"
PROPAGATION_S = 5.0
"""How long a change takes to reach remote locations. Inferred."""


@operation
def describe_fleet_port_settings(ctx: Context, params: "DescribeFleetPortSettingsInputTypeDef") -> dict[str, Any]:
    """Return the port rules of a fleet; with Location also whether a change is still on its way there.

    Nothing for a fleet that has ended, or an Anywhere fleet (inferred). Raises: NotFoundException (fleet, location).
    """
    fleet = get_fleet(ctx, params["FleetId"])
    ended = fleet["Status"] == "TERMINATED"
    result = {**ids_of(fleet), "InboundPermissions": [] if ended else fleet.get("_InboundPermissions", [])}
    if "Location" not in params:
        return result
    location = get_location(ctx, fleet, params["Location"])
    result["Location"] = location["Location"]
    if "_ports_pending" in location:
        result["UpdateStatus"] = "PENDING_UPDATE"
    return result


@operation
def update_fleet_port_settings(ctx: Context, params: "UpdateFleetPortSettingsInputTypeDef") -> dict[str, Any]:
    """Remove port rules from a fleet, then add others.

    Raises: InvalidRequestException (bad rule; revoking what is not there; Anywhere fleet); NotFoundException;
    InvalidFleetStatusException (DELETING, TERMINATED); ConflictException (adding what is there; inferred);
    LimitExceededException (more than 50 rules).
    """
    added: Sequence[Any] = params.get("InboundPermissionAuthorizations", ())
    removed: Sequence[Any] = params.get("InboundPermissionRevocations", ())
    check_permissions(added)
    fleet = get_fleet(ctx, params["FleetId"])
    refuse_ended(fleet)
    if is_anywhere(fleet):
        raise InvalidRequestException(f"Fleet {fleet['FleetId']} is an Anywhere fleet; it has no port settings.")
    check_ports_of_system(added, fleet["OperatingSystem"])
    fleet["_InboundPermissions"] = _changed(fleet["_InboundPermissions"], added, removed)
    put_fleet(ctx, fleet)
    _propagate(ctx, fleet)
    return ids_of(fleet)


@timer(PROPAGATED)
def ports_propagated(ctx: Context, doc: Doc) -> None:
    """Note that a change of ports has reached a location, unless a later one is on its way."""
    location = FLEET_LOCATIONS(ctx).get(location_id(doc["FleetId"], doc["Location"]))
    if location is not None and location.get("_ports_pending") == doc["At"]:
        del location["_ports_pending"]
        put_location(ctx, location)


def _changed(rules: Sequence[Doc], added: Sequence[Doc], removed: Sequence[Doc]) -> list[Doc]:
    for rule in removed:
        if rule not in rules:
            raise InvalidRequestException(f"The fleet has no port rule {port_text(rule)} to revoke.")
    kept = [rule for rule in rules if rule not in removed]
    for rule in added:
        if rule in kept:
            raise ConflictException(f"The fleet already has the port rule {port_text(rule)}.")
    if len(kept) + len(added) > PERMISSIONS_MAX:
        raise LimitExceededException(f"A fleet can have {PERMISSIONS_MAX} port rules.")
    return [*kept, *added]


def _propagate(ctx: Context, fleet: Doc) -> None:
    for location in locations_of(ctx, fleet["FleetId"]):
        if not location["_home"]:
            location["_ports_pending"] = ctx.now
            put_location(ctx, location)
            doc = {"FleetId": fleet["FleetId"], "Location": location["Location"], "At": ctx.now}
            ctx.schedule(PROPAGATED, doc, delay(ctx, PROPAGATION_S))
