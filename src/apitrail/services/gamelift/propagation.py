"""Changes of a fleet that take some time to reach its remote locations, where they show as PENDING_UPDATE meanwhile.

A location's document holds what is on its way in `_pending`: when it was asked for, by what it is about. The home location
has every change at once. Source: service model (LocationUpdateStatus); the length of the delay is inferred.
"""

from apitrail.services.context import Context
from apitrail.services.gamelift.collections import FLEET_LOCATIONS
from apitrail.services.gamelift.fleets_access import location_id, locations_of, put_location
from apitrail.services.gamelift.states import delay
from apitrail.services.operation import timer
from apitrail.store.resources import Doc

PROPAGATED = "gamelift/change-propagated"
PROPAGATION_S = 5.0
"""How long a change takes to reach remote locations. Inferred."""

PENDING_UPDATE = "PENDING_UPDATE"


def propagate(ctx: Context, location: Doc, what: str) -> None:
    """Note that a change is on its way to a location and store it; nothing for the home location.

    what: what it is about; a later change of the same takes its place.
    """
    if location["_home"]:
        return
    location["_pending"] = {**location.get("_pending", {}), what: ctx.now}
    put_location(ctx, location)
    doc = {"FleetId": location["FleetId"], "Location": location["Location"], "What": what, "At": ctx.now}
    ctx.schedule(PROPAGATED, doc, delay(ctx, PROPAGATION_S))


def propagate_to_all(ctx: Context, fleet_id: str, what: str) -> None:
    """Note that a change is on its way to every remote location of a fleet."""
    for location in locations_of(ctx, fleet_id):
        propagate(ctx, location, what)


def is_pending(location: Doc, what: str) -> bool:
    """Return whether a change has not reached a location yet."""
    return what in location.get("_pending", {})


@timer(PROPAGATED)
def change_propagated(ctx: Context, doc: Doc) -> None:
    """Note that a change has reached a location, unless a later one of the same is on its way."""
    location = FLEET_LOCATIONS(ctx).get(location_id(doc["FleetId"], doc["Location"]))
    if location is not None and location.get("_pending", {}).get(doc["What"]) == doc["At"]:
        del location["_pending"][doc["What"]]
        put_location(ctx, location)
