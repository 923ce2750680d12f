"""Moving fleets and their locations from state to state, with the events that this makes.

The tables in states.py say which steps there are; what else a step does is in fleet_life.py.
"""

from typing import Any

from apitrail.services.context import Context
from apitrail.services.gamelift.fleet_events import add_event
from apitrail.services.gamelift.fleets_access import ENDED, is_anywhere, is_container, put_fleet, put_location
from apitrail.services.gamelift.room_waits import fleet_name, thing_changed
from apitrail.services.gamelift.states import (
    ANYWHERE_FLEET,
    ANYWHERE_LOCATION,
    CONTAINER_FLEET,
    CONTAINER_LOCATION,
    FLEET,
    GONE,
    LOCATION,
    Machine,
    Step,
    delay,
)
from apitrail.store.resources import Doc

FLEET_STEP = "gamelift/fleet-step"
LOCATION_STEP = "gamelift/location-step"
ACTIVATED = "gamelift/container-location-activating"
DEPLOYMENT_CHECK = "gamelift/deployment-check"
TOLD = {"ACTIVATING": ACTIVATED, "ACTIVE": DEPLOYMENT_CHECK}
"""The timers by which a container fleet's deployment learns of its locations."""

FLEET_TEXT = "Fleet {fleet} changed state to {status}"
FLEET_TEXTS = {
    "FLEET_CREATED": "Fleet {fleet} was created",
    "FLEET_DELETED": "Fleet {fleet} was deleted",
    "FLEET_CREATION_EXTRACTING_BUILD": "The build of fleet {fleet} was downloaded and is being extracted",
    "FLEET_CREATION_VALIDATING_RUNTIME_CONFIG": "The launch paths of fleet {fleet} are being checked",
}
LOCATION_TEXT = "Location {location} of fleet {fleet} changed state to {status}"


def fleet_machine(fleet: Doc) -> Machine:
    """Return the states of a fleet of this kind."""
    if is_container(fleet):
        return CONTAINER_FLEET
    return ANYWHERE_FLEET if is_anywhere(fleet) else FLEET


def location_machine(fleet: Doc) -> Machine:
    """Return the states of a location of a fleet of this kind."""
    if is_container(fleet):
        return CONTAINER_LOCATION
    return ANYWHERE_LOCATION if is_anywhere(fleet) else LOCATION


def move_fleet(ctx: Context, fleet: Doc, target: str) -> None:
    """Take a fleet to another state, store it and plan the step that follows by itself, if any.

    A new fleet has no Status before. Events that were told earlier (`_Told`) are not told again.
    """
    step = fleet_machine(fleet).step(fleet.get("Status", GONE), target)
    _enter(ctx, fleet, target)
    put_fleet(ctx, fleet)
    for code in step.events:
        if code in fleet.get("_Told", ()):
            continue
        text = FLEET_TEXTS.get(code, FLEET_TEXT)
        add_event(ctx, fleet["FleetId"], code, text.format(fleet=fleet["FleetId"], status=target))
    _say_open(ctx, fleet["FleetId"], target)
    timed = fleet_machine(fleet).timed(target)
    _plan(ctx, timed, FLEET_STEP, {"FleetId": fleet["FleetId"], "Status": target, "At": ctx.now})


def move_location(ctx: Context, fleet: Doc, location: Doc, target: str) -> None:
    """Take a location of a fleet to another state, store it and plan the step that follows by itself, if any.

    The fleet goes along with its home location until it is deleted. A new location has no Status before.
    """
    step = location_machine(fleet).step(location.get("Status", GONE), target)
    _enter(ctx, location, target)
    put_location(ctx, location)
    if not location["_home"]:
        _tell_location(ctx, location, step)
    elif target not in ENDED and fleet.get("Status") != target:
        move_fleet(ctx, fleet, target)
    _say_open(ctx, fleet["FleetId"], target)
    doc = {"FleetId": fleet["FleetId"], "Location": location["Location"], "Status": target, "At": ctx.now}
    _plan(ctx, location_machine(fleet).timed(target), LOCATION_STEP, doc)
    if is_container(fleet) and target in TOLD:
        ctx.schedule(TOLD[target], doc, 0)


def still_there(doc: Doc | None, timer: Doc) -> bool:
    """Return whether a fleet or location is still in the state for which a timer was set."""
    return doc is not None and doc["Status"] == timer["Status"] and doc["_entered"] == timer["At"]


def _enter(ctx: Context, doc: Doc, target: str) -> None:
    doc["Status"] = target
    doc["_entered"] = ctx.now


def _say_open(ctx: Context, fleet_id: str, target: str) -> None:
    """Let placements look again that wait for a fleet, when it or a location of it becomes active."""
    if target == "ACTIVE":
        thing_changed(ctx, fleet_name(fleet_id))


def _tell_location(ctx: Context, location: Doc, step: Step) -> None:
    fleet_id = location["FleetId"]
    text = LOCATION_TEXT.format(location=location["Location"], fleet=fleet_id, status=step.target)
    for code in step.events:
        add_event(ctx, fleet_id, code, text)


def _plan(ctx: Context, step: Step | None, kind: str, doc: dict[str, Any]) -> None:
    if step is not None and step.delay_s is not None:
        ctx.schedule(kind, doc, delay(ctx, step.delay_s))
