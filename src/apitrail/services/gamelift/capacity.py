"""The capacity of a fleet location: how many instances are desired, within which bounds, and scaling to and from zero.

Source: service model (FleetCapacity, ManagedCapacityConfiguration); GameLift Developer Guide.
"""

from datetime import datetime, timedelta
from typing import Any

from apitrail.services.context import Context
from apitrail.services.gamelift import processes
from apitrail.services.gamelift.collections import FLEET_LOCATIONS, FLEETS, INSTANCE_DEMAND, joined
from apitrail.services.gamelift.fleet_events import add_event
from apitrail.services.gamelift.fleets_access import (
    is_anywhere,
    is_container,
    is_working,
    location_id,
    put_location,
)
from apitrail.services.gamelift.instances import count_instances, follow_desired
from apitrail.services.operation import timer
from apitrail.store.resources import Doc

INACTIVITY_CHECK = "gamelift/inactivity-check"
CHECK_S = 60.0
"""How often a location that scales to zero is looked at. Inferred: scaling is evaluated per minute."""

TO_AND_FROM_ZERO = "SCALE_TO_AND_FROM_ZERO"


def capacity_of(ctx: Context, fleet: Doc, location: Doc) -> dict[str, Any]:
    """Return the FleetCapacity of a location."""
    capacity = {
        "FleetId": fleet["FleetId"],
        "FleetArn": fleet["FleetArn"],
        "InstanceCounts": _counts(ctx, fleet, location),
        "Location": location["Location"],
    }
    if not is_anywhere(fleet):
        capacity["InstanceType"] = fleet["InstanceType"]
    if is_container(fleet):
        capacity["GameServerContainerGroupCounts"] = _group_counts(ctx, fleet, location)
    if "_managed" in location:
        capacity["ManagedCapacityConfiguration"] = location["_managed"]
    return capacity


def set_capacity(ctx: Context, fleet: Doc, location: Doc, desired: int, minimum: int, maximum: int) -> None:
    """Change the capacity settings of a location, store them, and let its instances follow."""
    before = (location["_desired"], location["_min"], location["_max"])
    location["_desired"], location["_min"], location["_max"] = desired, minimum, maximum
    put_location(ctx, location)
    if before == (desired, minimum, maximum):
        return
    count_desired(ctx, location, desired - before[0])
    text = (
        f"Capacity of fleet {fleet['FleetId']} in {location['Location']} changed: desired {before[0]} to {desired}, "
        f"minimum {before[1]} to {minimum}, maximum {before[2]} to {maximum}"
    )
    add_event(ctx, fleet["FleetId"], "FLEET_SCALING_EVENT", text)
    follow_desired(ctx, fleet, location)


def desired_in(ctx: Context, instance_type: str, location: str) -> int:
    """Return how many instances of a type all fleets of the region desire in a location."""
    demand = INSTANCE_DEMAND(ctx).get(joined(instance_type, location))
    return 0 if demand is None else int(demand["Desired"])


def instances_allowed(ctx: Context, location: Doc) -> int:
    """Return how many instances a location may have by the quota, beside those that other fleets desire there."""
    others: int = desired_in(ctx, location["_type"], location["Location"]) - location["_desired"]
    return max(0, ctx.settings.gamelift.instances_max - others)


def count_desired(ctx: Context, location: Doc, change: int) -> None:
    """Keep the sum that desired_in returns, when a location comes, goes or is scaled."""
    if location["_type"] is not None:
        total = desired_in(ctx, location["_type"], location["Location"]) + change
        INSTANCE_DEMAND(ctx).put(joined(location["_type"], location["Location"]), {"Desired": total})


def scales_to_zero(location: Doc) -> bool:
    """Return whether the service itself switches a location between no instance and one."""
    return bool(location.get("_managed", {}).get("ZeroCapacityStrategy") == TO_AND_FROM_ZERO)


def watch_inactivity(ctx: Context, location: Doc) -> None:
    """Begin to look every minute whether a location that scales to zero is in use; once is enough."""
    location["_used_at"] = ctx.now
    if not location.get("_watched"):
        location["_watched"] = True
        _check_later(ctx, location)
    put_location(ctx, location)


def scale_from_zero(ctx: Context, fleet_id: str, location_name: str) -> None:
    """Start the first instance of a location that scales from zero, because a game session was asked for."""
    fleet = FLEETS(ctx).get(fleet_id)
    location = FLEET_LOCATIONS(ctx).get(location_id(fleet_id, location_name))
    if fleet is None or location is None or not is_working(location):
        return
    if scales_to_zero(location) and location["_desired"] == 0 and location["_max"] > 0:
        watch_inactivity(ctx, location)
        set_capacity(ctx, fleet, location, 1, 1, location["_max"])


@timer(INACTIVITY_CHECK)
def check_inactivity(ctx: Context, doc: Doc) -> None:
    """Take a location to zero instances when it was not used for as long as its configuration says."""
    fleet = FLEETS(ctx).get(doc["FleetId"])
    location = FLEET_LOCATIONS(ctx).get(location_id(doc["FleetId"], doc["Location"]))
    if fleet is None or location is None:
        return
    if not is_working(location) or not scales_to_zero(location) or location["_desired"] == 0:
        location["_watched"] = False
        put_location(ctx, location)
        return
    location["_used_at"] = _used_at(ctx, location)
    allowed = timedelta(minutes=location["_managed"]["ScaleInAfterInactivityMinutes"])
    idle = ctx.now - location["_used_at"] >= allowed
    location["_watched"] = not idle
    if idle:
        set_capacity(ctx, fleet, location, 0, 0, location["_max"])
        return
    put_location(ctx, location)
    _check_later(ctx, location)


def _used_at(ctx: Context, location: Doc) -> datetime:
    """Return when a location last had a session: now, if it has one."""
    if processes.counts(ctx, location["FleetId"], location["Location"]).session_count:
        return ctx.now
    used_at: datetime = location["_used_at"]
    last = processes.last_session_at(ctx, location["FleetId"], location["Location"])
    return used_at if last is None else max(used_at, last)


def _check_later(ctx: Context, location: Doc) -> None:
    ctx.schedule(INACTIVITY_CHECK, {"FleetId": location["FleetId"], "Location": location["Location"]}, CHECK_S)


def _counts(ctx: Context, fleet: Doc, location: Doc) -> dict[str, int]:
    """Return the InstanceCounts of a location. Inferred: all are 0 for an Anywhere fleet."""
    names = ("DESIRED", "MINIMUM", "MAXIMUM", "PENDING", "ACTIVE", "IDLE", "TERMINATING")
    if is_anywhere(fleet):
        return dict.fromkeys(names, 0)
    settings = (location["_desired"], location["_min"], location["_max"])
    pending, active, terminating = (
        count_instances(ctx, location, status) for status in ("PENDING", "ACTIVE", "TERMINATING")
    )
    idle = processes.counts(ctx, fleet["FleetId"], location["Location"]).idle_host_count
    return dict(zip(names, (*settings, pending, active, idle, terminating), strict=True))


def _group_counts(ctx: Context, fleet: Doc, location: Doc) -> dict[str, int]:
    """Return the GameServerContainerGroupCounts of a location; ACTIVE ones have a session, IDLE ones have none."""
    counts = processes.counts(ctx, fleet["FleetId"], location["Location"])
    per_instance = fleet.get("GameServerContainerGroupsPerInstance", 0)
    return {
        "PENDING": count_instances(ctx, location, "PENDING") * per_instance,
        "ACTIVE": counts.session_count,
        "IDLE": counts.free_count,
        "TERMINATING": count_instances(ctx, location, "TERMINATING") * per_instance,
    }
