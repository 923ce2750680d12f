"""The inbound ports of a fleet: DescribeFleetPortSettings and UpdateFleetPortSettings.

Source: API Reference of both.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from apitrail.services.context import Context
from apitrail.services.gamelift.errors import (
    ConflictException,
    InvalidRequestException,
)
from apitrail.services.gamelift.fleet_rules import (
    changed_rules,
    check_permissions,
    check_ports_of_system,
)
from apitrail.services.gamelift.fleets import ids_of
from apitrail.services.gamelift.fleets_access import (
    get_location,
    get_plain_fleet,
    is_anywhere,
    put_fleet,
    refuse_ended,
)
from apitrail.services.gamelift.propagation import PENDING_UPDATE, is_pending, propagate_to_all
from apitrail.services.operation import operation

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import (
        DescribeFleetPortSettingsInputTypeDef,
        UpdateFleetPortSettingsInputTypeDef,
    )

CHANGE = "ports"
"""What a change of ports is called on its way."""


@operation
def describe_fleet_port_settings(ctx: Context, params: "DescribeFleetPortSettingsInputTypeDef") -> dict[str, Any]:
    """Return the port rules of a fleet; with Location also whether a change is still on its way there.

    Nothing for a fleet that has ended, or an Anywhere fleet (inferred). Raises: NotFoundException (fleet, location).
    """
    fleet = get_plain_fleet(ctx, params["FleetId"])
    ended = fleet["Status"] == "TERMINATED"
    result = {**ids_of(fleet), "InboundPermissions": [] if ended else fleet.get("_InboundPermissions", [])}
    if "Location" not in params:
        return result
    location = get_location(ctx, fleet, params["Location"])
    result["Location"] = location["Location"]
    if is_pending(location, CHANGE):
        result["UpdateStatus"] = PENDING_UPDATE
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
    fleet = get_plain_fleet(ctx, params["FleetId"])
    refuse_ended(fleet)
    if is_anywhere(fleet):
        raise InvalidRequestException(f"Fleet {fleet['FleetId']} is an Anywhere fleet; it has no port settings.")
    check_ports_of_system(added, fleet["OperatingSystem"])
    fleet["_InboundPermissions"] = changed_rules(fleet["_InboundPermissions"], added, removed, ConflictException)
    put_fleet(ctx, fleet)
    propagate_to_all(ctx, fleet["FleetId"], CHANGE)
    return ids_of(fleet)
