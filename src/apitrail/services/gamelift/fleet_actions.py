"""Stopping and resuming what a fleet's locations do by themselves, which is auto scaling: Stop- and StartFleetActions.

What is stopped stands in StoppedActions: of the location, and for the home location of an EC2 fleet also of the fleet.
Source: GameLift API Reference of both.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from apitrail.services.context import Context
from apitrail.services.gamelift.errors import InvalidRequestException
from apitrail.services.gamelift.fleets import ids_of
from apitrail.services.gamelift.fleets_access import (
    ENDED,
    get_fleet,
    get_location,
    is_anywhere,
    is_container,
    put_fleet,
    put_location,
)
from apitrail.services.gamelift.propagation import propagate
from apitrail.services.operation import operation
from apitrail.store.resources import Doc

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import StartFleetActionsInputTypeDef, StopFleetActionsInputTypeDef

CHANGE = "actions"
"""What a change of fleet actions is called on its way to a remote location."""


@operation
def start_fleet_actions(ctx: Context, params: "StartFleetActionsInputTypeDef") -> dict[str, Any]:
    """Resume actions in a location of a fleet, by default the home location; those that run already go on.

    Raises: NotFoundException (fleet, location); InvalidRequestException (Anywhere fleet; it is deleted; both inferred).
    """
    return _change(ctx, params, stopped=False)


@operation
def stop_fleet_actions(ctx: Context, params: "StopFleetActionsInputTypeDef") -> dict[str, Any]:
    """Suspend actions in a location of a fleet, by default the home location, until they are started again.

    Scaling policies stay ACTIVE, and UpdateFleetCapacity works.
    Raises: NotFoundException (fleet, location); InvalidRequestException (Anywhere fleet; it is deleted; both inferred).
    """
    return _change(ctx, params, stopped=True)


def _change(ctx: Context, params: Mapping[str, Any], *, stopped: bool) -> dict[str, Any]:
    fleet = get_fleet(ctx, params["FleetId"])
    _check_fleet(fleet)
    location = get_location(ctx, fleet, params.get("Location", ctx.region))
    before = list(location.get("StoppedActions", ()))
    after = sorted({*before, *params["Actions"]} if stopped else {*before} - {*params["Actions"]})
    if before != after:
        _stop(location, after)
        put_location(ctx, location)
        propagate(ctx, location, CHANGE)
        if location["_home"] and not is_container(fleet):
            _stop(fleet, after)
            put_fleet(ctx, fleet)
    return ids_of(fleet)


def _check_fleet(fleet: Doc) -> None:
    if is_anywhere(fleet):
        raise InvalidRequestException(f"Fleet {fleet['FleetId']} is an Anywhere fleet; it has no actions.")
    if fleet["Status"] in ENDED:
        raise InvalidRequestException(f"Fleet {fleet['FleetId']} is in status {fleet['Status']}; it has no actions.")


def _stop(doc: Doc, actions: list[str]) -> None:
    """Set the StoppedActions of a fleet or location; without any it has no such member."""
    doc.pop("StoppedActions", None)
    if actions:
        doc["StoppedActions"] = actions
