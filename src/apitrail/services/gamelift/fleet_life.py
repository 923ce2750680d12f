"""What happens to fleets and their locations over time: creation, failures, deletion.

Source: GameLift Developer Guide, fleet creation workflow.
"""

from collections.abc import Callable, Mapping
from typing import Any

from apitrail.services.context import Context
from apitrail.services.gamelift.capacity import count_desired
from apitrail.services.gamelift.collections import DEPLOYMENTS, FLEET_LOCATIONS, FLEETS
from apitrail.services.gamelift.computes import end_computes_in
from apitrail.services.gamelift.fleet_events import add_event, drop_events
from apitrail.services.gamelift.fleet_steps import (
    FLEET_STEP,
    LOCATION_STEP,
    fleet_machine,
    location_machine,
    move_fleet,
    move_location,
    still_there,
)
from apitrail.services.gamelift.fleets_access import (
    ENDED,
    has_game_servers,
    has_source,
    is_container,
    location_id,
    locations_of,
    source_of,
)
from apitrail.services.gamelift.hosted_activation import launch_first
from apitrail.services.gamelift.hosted_builds import build_problem, prepare_build, waits_for_build
from apitrail.services.gamelift.hosted_folders import fleet_gone
from apitrail.services.gamelift.instances import has_instances, stop_all
from apitrail.services.gamelift.peering_connections import connect_new_fleet, drop_connections
from apitrail.services.gamelift.scaling_watch import drop_policies, watch_location
from apitrail.services.gamelift.states import GONE
from apitrail.services.gamelift.tagging import drop_tags
from apitrail.services.operation import timer
from apitrail.store.resources import Doc

OTHER_WORDS = {"PENDING": "NEW", "CREATING": "BUILDING", "CREATED": "BUILDING", "UPDATING": "ACTIVE"}
"""States of a container fleet's locations that a LocationState cannot have."""

LAUNCH_ROOTS = ("/local/game/", "c:\\game\\")
"""Where builds are unpacked on instances, in lower case; a launch path elsewhere cannot exist."""


def new_location(ctx: Context, fleet: Doc, name: str, status: str) -> Doc:
    """Add a location to a fleet, in its first state, and return it."""
    location = {
        "FleetId": fleet["FleetId"],
        "Location": name,
        "PlayerGatewayStatus": "DISABLED",
        "_home": name == ctx.region,
        "_type": fleet.get("InstanceType"),
        "_desired": 1,
        "_min": 0,
        "_max": 1,
    }
    count_desired(ctx, location, 1)
    move_location(ctx, fleet, location, status)
    watch_location(ctx, location)
    return location


def location_state(location: Doc) -> dict[str, Any]:
    """Return the LocationState of a location; those of container fleets are told in the words of other fleets (inferred)."""
    state = {name: location[name] for name in ("Location", "Status", "PlayerGatewayStatus")}
    return {**state, "Status": OTHER_WORDS.get(location["Status"], location["Status"])}


def end_fleet(ctx: Context, fleet: Doc) -> None:
    """Begin to delete a fleet: everything in all its locations is stopped."""
    move_fleet(ctx, fleet, "DELETING")
    drop_policies(ctx, fleet["FleetId"])
    drop_connections(ctx, fleet["FleetId"])
    for location in locations_of(ctx, fleet["FleetId"]):
        if location["Status"] not in ENDED:
            end_location(ctx, fleet, location)
    _finish(ctx, fleet)


def end_location(ctx: Context, fleet: Doc, location: Doc) -> None:
    """Begin to delete a location of a fleet: its instances are stopped, its sessions end."""
    move_location(ctx, fleet, location, "DELETING")
    count_desired(ctx, location, -location["_desired"])
    stop_all(ctx, fleet, location)
    end_computes_in(ctx, location["FleetId"], location["Location"])


@timer(FLEET_STEP)
def take_fleet_step(ctx: Context, doc: Doc) -> None:
    """Take the step that a fleet makes by itself after some time in a state."""
    fleet = FLEETS(ctx).get(doc["FleetId"])
    if fleet is None or not still_there(fleet, doc):
        return
    step = fleet_machine(fleet).timed(fleet["Status"])
    assert step is not None
    if step.target == GONE:
        _forget(ctx, fleet)
        return
    move_fleet(ctx, fleet, step.target)
    for location in locations_of(ctx, fleet["FleetId"]):
        if location["Status"] == step.source:
            move_location(ctx, fleet, location, step.target)


@timer(LOCATION_STEP)
def take_location_step(ctx: Context, doc: Doc) -> None:
    """Take the step that a location makes by itself after some time in a state, or fail at it."""
    fleet = FLEETS(ctx).get(doc["FleetId"])
    location = FLEET_LOCATIONS(ctx).get(location_id(doc["FleetId"], doc["Location"]))
    if fleet is None or location is None or not still_there(location, doc):
        return
    step = location_machine(fleet).timed(location["Status"])
    assert step is not None
    if step.target in WAITS_FOR and WAITS_FOR[step.target](ctx, fleet, location):
        return
    if step.target == GONE:
        FLEET_LOCATIONS(ctx).delete(location_id(doc["FleetId"], doc["Location"]))
        return
    target = "ACTIVATING" if step.target == "CREATED" and has_game_servers(fleet) else step.target
    failure = CHECKS[target](ctx, fleet) if target in CHECKS else None
    if failure is not None:
        add_event(ctx, fleet["FleetId"], *failure)
        move_location(ctx, fleet, location, "ERROR")
        return
    move_location(ctx, fleet, location, target)
    if target in FOLLOWED_BY:
        FOLLOWED_BY[target](ctx, fleet, location)


def _source_problem(ctx: Context, fleet: Doc) -> tuple[str, str] | None:
    """Return the event that says why the build or script cannot be fetched or installed, or None."""
    if problem := build_problem(ctx, fleet, at_launch_paths=False):
        return problem
    if has_source(ctx, fleet):
        return None
    text = f"{source_of(fleet)} could not be downloaded for fleet {fleet['FleetId']}: it was deleted"
    return "FLEET_BINARY_DOWNLOAD_FAILED", text


def _launch_problem(ctx: Context, fleet: Doc) -> tuple[str, str] | None:
    """Return the event that says which launch path cannot be found, or None.

    Inferred: one path that can be found is enough, since the event's description says `if any listed launch path exists`.
    """
    if problem := build_problem(ctx, fleet, at_launch_paths=True):
        return problem
    paths = [entry["LaunchPath"] for entry in fleet["_RuntimeConfiguration"]["ServerProcesses"]]
    if any(path.lower().startswith(LAUNCH_ROOTS) for path in paths):
        return None
    return "FLEET_VALIDATION_LAUNCH_PATH_NOT_FOUND", f"Failed to find a valid path: {', '.join(paths)}"


def _launch_first(ctx: Context, fleet: Doc, location: Doc) -> None:
    """Launch the first instances of a location; those of a container fleet are launched by its deployment."""
    if not is_container(fleet):
        launch_first(ctx, fleet, location)


def _finish(ctx: Context, fleet: Doc, location: Doc | None = None) -> None:
    """End a fleet that is being deleted when the last of its locations has ended."""
    if fleet["Status"] != "DELETING":
        return
    if all(other["Status"] == "TERMINATED" for other in locations_of(ctx, fleet["FleetId"])):
        if is_container(fleet):
            _forget(ctx, fleet)
            return
        fleet_gone(ctx, fleet["FleetId"])
        fleet["TerminationTime"] = ctx.now
        move_fleet(ctx, fleet, "TERMINATED")


def _forget(ctx: Context, fleet: Doc) -> None:
    """Remove a fleet and everything that is kept with it."""
    for location in locations_of(ctx, fleet["FleetId"]):
        FLEET_LOCATIONS(ctx).delete(location_id(fleet["FleetId"], location["Location"]))
    for deployment in DEPLOYMENTS(ctx).find("FleetId", fleet["FleetId"]):
        DEPLOYMENTS(ctx).delete(deployment.id)
    drop_events(ctx, fleet["FleetId"])
    drop_tags(ctx, fleet["FleetArn"])
    FLEETS(ctx).delete(fleet["FleetId"])


CHECKS: Mapping[str, Callable[[Context, Doc], tuple[str, str] | None]] = {
    "VALIDATING": _source_problem,
    "BUILDING": _launch_problem,
    "ACTIVATING": connect_new_fleet,
}
"""What must be so before a location of an EC2 fleet enters a state; an answer is the event of the failure."""

WAITS_FOR: Mapping[str, Callable[[Context, Doc, Doc], bool]] = {
    "VALIDATING": waits_for_build,
    "TERMINATED": has_instances,
}
"""What keeps a location of a hosted fleet from entering a state; what ends that has the step taken again."""

FOLLOWED_BY: Mapping[str, Callable[[Context, Doc, Doc], None]] = {
    "DOWNLOADING": prepare_build,
    "ACTIVATING": _launch_first,
    "TERMINATED": _finish,
}
"""What else happens when a location has entered a state."""
