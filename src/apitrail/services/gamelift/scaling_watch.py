"""Which locations are scaled automatically: a timer per location of a fleet, that exists only while the fleet has policies.

A watch is the document that goes with the timer: how far each policy has got in the location. Source: GameLift Developer Guide.
"""

from apitrail.services.context import Context
from apitrail.services.gamelift.collections import SCALING_POLICIES, SCALING_WATCHES
from apitrail.services.gamelift.fleets_access import ENDED, location_id, locations_of
from apitrail.store.resources import Doc

EVALUATION = "gamelift/scaling-evaluation"
PERIOD_S = 60.0
"""How often policies are evaluated."""


def policy_id(fleet_id: str, name: str) -> str:
    """Return the id under which a scaling policy is kept."""
    return f"{fleet_id}/{name}"


def policies_of(ctx: Context, fleet_id: str) -> list[Doc]:
    """Return the scaling policies of a fleet, oldest first."""
    return [entry.doc for entry in SCALING_POLICIES(ctx).find("FleetId", fleet_id)]


def watch_location(ctx: Context, location: Doc) -> None:
    """Begin to evaluate the policies of a location's fleet there, if it has any and that has not begun."""
    id = location_id(location["FleetId"], location["Location"])
    if SCALING_POLICIES(ctx).count("FleetId", location["FleetId"]) and not SCALING_WATCHES(ctx).has(id):
        SCALING_WATCHES(ctx).put(id, {"Policies": {}})
        evaluate_later(ctx, location["FleetId"], location["Location"])


def watch_all(ctx: Context, fleet_id: str) -> None:
    """Begin to evaluate a fleet's policies in all its locations."""
    for location in locations_of(ctx, fleet_id):
        if location["Status"] not in ENDED:
            watch_location(ctx, location)


def evaluate_later(ctx: Context, fleet_id: str, location: str) -> None:
    """Evaluate the policies of a fleet in a location a minute from now."""
    ctx.schedule(EVALUATION, {"FleetId": fleet_id, "Location": location}, PERIOD_S)


def drop_policies(ctx: Context, fleet_id: str) -> None:
    """Remove the scaling policies of a fleet that is deleted; its timers end by themselves."""
    for policy in policies_of(ctx, fleet_id):
        SCALING_POLICIES(ctx).delete(policy_id(fleet_id, policy["Name"]))
