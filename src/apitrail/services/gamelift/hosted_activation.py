"""When a hosted instance is ACTIVE, and with it its location and fleet: when one of its processes has said that it is ready.

A location whose first instance never gets there ends in ERROR. Source: GameLift Developer Guide. Inferred: after four
failures one after another, or a quarter of an hour.
"""

from apitrail.services.context import Context
from apitrail.services.gamelift.collections import FLEET_LOCATIONS, FLEETS, HOSTS, INSTANCES
from apitrail.services.gamelift.fleet_events import add_event
from apitrail.services.gamelift.fleet_steps import move_location
from apitrail.services.gamelift.fleets_access import ENDED, location_id, locations_of
from apitrail.services.gamelift.hosted import FAILING, FAILURES_MAX, is_hosted
from apitrail.services.gamelift.instances import become_active, count_instances, follow_desired, stop_all
from apitrail.services.gamelift.moments import HOST_READY
from apitrail.services.gamelift.process_facts import host_id_of
from apitrail.services.operation import timer
from apitrail.store.resources import Doc

ACTIVATION_OVER = "gamelift/activation-over"
ACTIVATION_S = 900.0
FAILED = "FLEET_ACTIVATION_FAILED"
NO_INSTANCES = "FLEET_ACTIVATION_FAILED_NO_INSTANCES"


def launch_first(ctx: Context, fleet: Doc, location: Doc) -> None:
    """Launch the first instances of a location; a hosted one must be active in time, and cannot run a script."""
    if is_hosted(ctx, fleet) and "ScriptId" in fleet:
        text = "Scripts cannot be run in this environment; create the fleet from a build, or without real processes"
        fail_activation(ctx, fleet, location, FAILED, text)
        return
    if is_hosted(ctx, fleet):
        doc = {"FleetId": fleet["FleetId"], "Location": location["Location"], "At": location["_entered"]}
        ctx.schedule(ACTIVATION_OVER, doc, ACTIVATION_S)
    follow_desired(ctx, fleet, location)


def fail_activation(ctx: Context, fleet: Doc, location: Doc, code: str, text: str) -> None:
    """Take a location to ERROR and stop its instances, in all locations when it is the fleet's home."""
    add_event(ctx, fleet["FleetId"], code, text)
    move_location(ctx, fleet, location, "ERROR")
    for other in locations_of(ctx, fleet["FleetId"]) if location["_home"] else [location]:
        if other["Status"] not in ENDED:
            stop_all(ctx, fleet, other)


@HOST_READY.follow
def first_ready(ctx: Context, host: Doc) -> None:
    """Take an instance to ACTIVE whose first process is ready."""
    instance = INSTANCES(ctx).get(host["ComputeName"])
    if instance is not None and instance["Status"] == "PENDING":
        become_active(ctx, instance)


@timer(FAILING)
def keeps_failing(ctx: Context, doc: Doc) -> None:
    """Give up the activation of a location on whose first instance no process gets ready."""
    host = HOSTS(ctx).get(host_id_of(doc["FleetId"], doc["InstanceId"]))
    fleet = FLEETS(ctx).get(doc["FleetId"])
    location = None if host is None else FLEET_LOCATIONS(ctx).get(location_id(doc["FleetId"], host["Location"]))
    if fleet is None or location is None or location["Status"] != "ACTIVATING":
        return
    text = f"No server process got ready on instance {doc['InstanceId']}: {FAILURES_MAX} failed one after another"
    fail_activation(ctx, fleet, location, FAILED, text)


@timer(ACTIVATION_OVER)
def activation_over(ctx: Context, doc: Doc) -> None:
    """Give up the activation of a location that takes too long."""
    fleet = FLEETS(ctx).get(doc["FleetId"])
    location = FLEET_LOCATIONS(ctx).get(location_id(doc["FleetId"], doc["Location"]))
    if fleet is None or location is None or (location["Status"], location["_entered"]) != ("ACTIVATING", doc["At"]):
        return
    if _has_host(ctx, location):
        fail_activation(ctx, fleet, location, FAILED, f"No server process got ready within {ACTIVATION_S:g} s")
    else:
        count = count_instances(ctx, location, "PENDING")
        text = f"There is no room for its {count} instances on this machine"
        fail_activation(ctx, fleet, location, NO_INSTANCES, text)


def _has_host(ctx: Context, location: Doc) -> bool:
    found = HOSTS(ctx).find("FleetId", location["FleetId"])
    return any(entry.doc["Location"] == location["Location"] for entry in found)
