"""Where a placement may be put now: the locations of the fleets that its queue's destinations lead to, the best one first."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from apitrail.services.context import Context
from apitrail.services.gamelift.arns import FLEET_WORDS
from apitrail.services.gamelift.capacity import scales_to_zero
from apitrail.services.gamelift.collections import FLEET_LOCATIONS, FLEETS
from apitrail.services.gamelift.fleets_access import ENDED, is_anywhere, is_working, location_id, locations_of
from apitrail.services.gamelift.placement_order import (
    NO_FALLBACK,
    Candidate,
    Latencies,
    cap_at,
    cost_of,
    is_reachable,
    ordered,
    priorities,
    read_latencies,
    with_override,
)
from apitrail.services.gamelift.process_facts import place_of
from apitrail.services.gamelift.queue_rules import Destination, fleet_at, parse_destination
from apitrail.services.gamelift.room_waits import alias_name, fleet_name, queue_name
from apitrail.store.resources import Doc


class Survey(NamedTuple):
    """What a placement finds.

    open: where it may be put now, the best one first. resting: the first of these that has been scaled to zero, if any.
    hopeless: it has failed everywhere. next_look_s: after how many seconds of the request a latency policy ends, or inf.
    things: names of what this depends on.
    """

    open: list[Candidate]
    resting: Candidate | None
    hopeless: bool
    next_look_s: float
    things: list[str]


class _Place(NamedTuple):
    candidate: Candidate
    is_open: bool
    scales_to_zero: bool


def survey(ctx: Context, queue: Doc, placement: Doc) -> Survey:
    """Return where a placement may be put now, and what may change that."""
    latencies = read_latencies(placement.get("PlayerLatencies", ()))
    policies = queue.get("PlayerLatencyPolicies", ()) if latencies.player_count else ()
    cap, until = cap_at(policies, (ctx.now - placement["StartTime"]).total_seconds())
    things = [queue_name(queue["GameSessionQueueArn"])]
    places = {
        place.candidate: place
        for place in _places(ctx, queue, things)
        if _is_allowed(queue, placement, place.candidate.location, latencies)
    }
    failed = frozenset(placement.get("_Failed", ()))
    hopeful = [one for one in places if place_of(one.fleet_id, one.location) not in failed]
    usable = [one for one in hopeful if places[one].is_open and is_reachable(one.location, latencies, cap)]
    chosen = _in_order(queue, placement, usable, latencies)
    resting = next((one for one in chosen if places[one].scales_to_zero), None)
    return Survey(chosen, resting, bool(failed) and not hopeful, until, things)


def is_open(ctx: Context, fleet_id: str, location: str) -> bool:
    """Return whether sessions may be put into a location of a fleet of this region."""
    fleet = FLEETS(ctx).get(fleet_id)
    there = FLEET_LOCATIONS(ctx).get(location_id(fleet_id, location))
    return fleet is not None and there is not None and is_working(fleet) and is_working(there)


def _in_order(queue: Doc, placement: Doc, usable: list[Candidate], latencies: Latencies) -> list[Candidate]:
    wanted = priorities(queue.get("PriorityConfiguration", {}), latencies)
    override = placement.get("PriorityConfigurationOverride")
    return with_override(ordered(usable, wanted, latencies), override, first_pass=not placement.get("_Passed"))


def _places(ctx: Context, queue: Doc, things: list[str]) -> Iterator[_Place]:
    """Yield the places of a queue's destinations, each once, and add the names of what they depend on."""
    seen: set[str] = set()
    for number, item in enumerate(queue.get("Destinations", ())):
        destination = parse_destination(ctx, item["DestinationArn"])
        assert destination is not None, item
        things.append(_name(destination))
        fleet = fleet_at(ctx, destination)
        if fleet is None or fleet["FleetId"] in seen:
            continue
        seen.add(fleet["FleetId"])
        if destination.word == "alias":
            things.append(fleet_name(fleet["FleetId"]))
        for location in locations_of(ctx.in_region(destination.region), fleet["FleetId"]):
            if location["Status"] not in ENDED:
                yield _place(destination.region, number, fleet, location)


def _name(destination: Destination) -> str:
    return fleet_name(destination.id) if destination.word in FLEET_WORDS else alias_name(destination.id)


def _place(region: str, number: int, fleet: Doc, location: Doc) -> _Place:
    candidate = Candidate(region, fleet["FleetId"], location["Location"], number, _cost(fleet))
    return _Place(candidate, is_working(fleet) and is_working(location), scales_to_zero(location))


def _cost(fleet: Doc) -> float:
    if is_anywhere(fleet):
        return float(fleet.get("AnywhereConfiguration", {}).get("Cost", 0))
    spot = "SPOT" in (fleet.get("FleetType"), fleet.get("BillingType"))
    return cost_of(fleet.get("InstanceType", ""), spot=spot)


def _is_allowed(queue: Doc, placement: Doc, location: str, latencies: Latencies) -> bool:
    """Return whether a location may be used at some time: allowed, with latencies of all players, left out by no override."""
    allowed = queue.get("FilterConfiguration", {}).get("AllowedLocations")
    if allowed and location not in allowed:
        return False
    if placement.get("_Locations") is not None and location not in placement["_Locations"]:
        return False
    override: Mapping[str, Any] = placement.get("PriorityConfigurationOverride", {})
    if override.get("PlacementFallbackStrategy") == NO_FALLBACK and location not in override["LocationOrder"]:
        return False
    return is_reachable(location, latencies, math.inf)
