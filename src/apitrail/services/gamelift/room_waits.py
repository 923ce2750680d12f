"""Who waits for room: placements that found no free process, woken when one comes, oldest first.

A placement waits under names: the places that it may be put in (`process_facts.place_of`), and the things on which these
places depend: its queue, the queue's aliases and fleets. Room in a place wakes one placement after another while there is room;
a change of a thing wakes all that wait under its name. Nothing is looked at while nothing happens.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from apitrail.services.context import Context
from apitrail.services.gamelift.collections import ROOM_CALLS, ROOM_WAITS, joined
from apitrail.services.gamelift.process_facts import place_of
from apitrail.store.resources import Doc, Entry

ROOM_CAME = "gamelift/room-came"
THING_CHANGED = "gamelift/thing-changed"
WOKEN_MAX = 20
"""Placements that are looked at in one transaction."""


class Depth(NamedTuple):
    """How many placements wait for a place before all others, and for how long the oldest of them has, in seconds."""

    pending: int
    oldest_s: float


def fleet_name(fleet_id: str) -> str:
    """Return the name under which one waits for a change of a fleet or its locations."""
    return f"fleet/{fleet_id}"


def alias_name(alias_id: str) -> str:
    """Return the name under which one waits for a change of an alias."""
    return f"alias/{alias_id}"


def queue_name(queue_arn: str) -> str:
    """Return the name under which one waits for a change of a queue."""
    return f"queue/{queue_arn}"


def wait(ctx: Context, placement_id: str, since: datetime, places: list[str], things: list[str]) -> None:
    """Let a placement wait, or wait for something else, or, without names, rest and keep its place in the line.

    places: the best one first.
    """
    doc = {
        "Region": ctx.region,
        "PlacementId": placement_id,
        "Since": since,
        "Best": places[0] if places else None,
        "Names": [*places, *things],
    }
    ROOM_WAITS(ctx).put(joined(ctx.region, placement_id), doc)


def leave(ctx: Context, placement_id: str) -> None:
    """Take a placement out of the line."""
    ROOM_WAITS(ctx).delete(joined(ctx.region, placement_id))


def room_came(ctx: Context, fleet_id: str, location: str) -> None:
    """Note that a place may have room: if somebody waits for it, a timer that is due at once looks who."""
    place = place_of(fleet_id, location)
    if ROOM_WAITS(ctx).find("name", place, 1) and not ROOM_CALLS(ctx).has(place):
        ROOM_CALLS(ctx).put(place, {})
        ctx.schedule(ROOM_CAME, {"FleetId": fleet_id, "Location": location}, 0)


def thing_changed(ctx: Context, name: str) -> None:
    """Note that a thing has changed on which places depend; everybody who waits under its name looks again."""
    if ROOM_WAITS(ctx).find("name", name, 1):
        ctx.schedule(THING_CHANGED, {"Name": name, "After": 0}, 0)


def waiting_for(ctx: Context, name: str, after: int = 0) -> list[Entry]:
    """Return the next of those who wait under a name, oldest first."""
    return ROOM_WAITS(ctx).find("name", name, WOKEN_MAX, after)


def call_taken(ctx: Context, fleet_id: str, location: str) -> str:
    """Note that a call for a place is being answered, so that the next one is not left out; return the place."""
    place = place_of(fleet_id, location)
    ROOM_CALLS(ctx).delete(place)
    return place


def depth(ctx: Context, fleet_id: str, location: str) -> Depth:
    """Return how many placements wait for a place as their best one."""
    place = place_of(fleet_id, location)
    oldest: list[Doc] = [entry.doc for entry in ROOM_WAITS(ctx).find("best", place, 1)]
    age = ctx.now - oldest[0]["Since"] if oldest else timedelta(0)
    return Depth(ROOM_WAITS(ctx).count("best", place), max(0.0, age.total_seconds()))
