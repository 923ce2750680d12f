"""In which order a placement tries the places of its queue. Pure: from candidates, latencies and settings to a list.

Source: service model (PriorityConfiguration, PriorityConfigurationOverride, PlayerLatencyPolicy); GameLift Developer Guide.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

WITH_LATENCIES = ("LATENCY", "COST", "DESTINATION", "LOCATION")
WITHOUT_LATENCIES = ("DESTINATION", "LOCATION")
NO_FALLBACK = "NONE"

SIZES = {"nano": 0.0625, "micro": 0.125, "small": 0.25, "medium": 0.5, "large": 1.0, "xlarge": 2.0, "metal": 48.0}
TYPE = re.compile(r"[a-z0-9-]+\.(?P<count>\d*)(?P<size>[a-z]+)(?:-\d+xl)?")
LARGE_COST = 0.1
SPOT_SHARE = 0.3


class Latencies(NamedTuple):
    """What players reported. by_location: milliseconds by location and player. player_count: who reported anything."""

    by_location: Mapping[str, Mapping[str, float]]
    player_count: int


class Candidate(NamedTuple):
    """A location of a destination's fleet. region: the fleet's home. destination: its place in the queue. cost: per hour."""

    region: str
    fleet_id: str
    location: str
    destination: int
    cost: float


class Priorities(NamedTuple):
    """What decides. order: of PriorityOrder, filled up. locations: LocationOrder, empty for the alphabet."""

    order: tuple[str, ...]
    locations: tuple[str, ...]


def cost_of(instance_type: str, *, spot: bool) -> float:
    """Return what an instance costs, relative to others. Inferred: sizes double per step, Spot costs 0.3 of On-Demand."""
    found = TYPE.fullmatch(instance_type)
    size = SIZES.get(found["size"], 1.0) if found else 1.0
    count = int(found["count"] or 1) if found else 1
    return LARGE_COST * size * count * (SPOT_SHARE if spot else 1.0)


def priorities(configuration: Mapping[str, Any], latencies: Latencies) -> Priorities:
    """Return what decides for a request, from a queue's PriorityConfiguration; what that leaves out follows in default order."""
    default = WITH_LATENCIES if latencies.player_count else WITHOUT_LATENCIES
    named = configuration.get("PriorityOrder", ())
    order = (*named, *(name for name in default if name not in named))
    return Priorities(order, tuple(configuration.get("LocationOrder", ())))


def read_latencies(player_latencies: Sequence[Mapping[str, Any]]) -> Latencies:
    """Return PlayerLatencies by location; of two values for a player and location the last one counts."""
    table: dict[str, dict[str, float]] = {}
    for item in player_latencies:
        table.setdefault(item["RegionIdentifier"], {})[item["PlayerId"]] = item["LatencyInMilliseconds"]
    return Latencies(table, len({item["PlayerId"] for item in player_latencies}))


def cap_at(policies: Sequence[Mapping[str, int]], elapsed_s: float) -> tuple[float, float]:
    """Return the latency that is allowed now, and after how many seconds of the request that ends; inf for none and never.

    policies: lowest cap first; each is in force for its PolicyDurationSeconds, one without until the request times out.
    Inferred: when all have had their time, none is in force.
    """
    until = 0.0
    for policy in policies:
        until += policy.get("PolicyDurationSeconds") or math.inf
        if elapsed_s < until:
            return float(policy["MaximumIndividualPlayerLatencyMilliseconds"]), until
    return math.inf, math.inf


def is_reachable(location: str, latencies: Latencies, cap: float) -> bool:
    """Return whether every player who has reported any latency has one for the location, within the cap."""
    if not latencies.player_count:
        return True
    here = latencies.by_location.get(location, {})
    return len(here) == latencies.player_count and max(here.values()) <= cap


def ordered(candidates: Sequence[Candidate], wanted: Priorities, latencies: Latencies) -> list[Candidate]:
    """Return candidates, the best one first. Ties: order of destinations, location's name, fleet id."""
    rank = {name: place for place, name in enumerate(wanted.locations)}

    def latency(candidate: Candidate) -> float:
        values = latencies.by_location.get(candidate.location, {}).values()
        return sum(values) / len(values) if values else 0.0

    def location(candidate: Candidate) -> tuple[int, str]:
        return rank.get(candidate.location, len(rank)), "" if rank else candidate.location

    keys: Mapping[str, Callable[[Candidate], Any]] = {
        "LATENCY": latency,
        "COST": lambda candidate: candidate.cost,
        "DESTINATION": lambda candidate: candidate.destination,
        "LOCATION": location,
    }
    chosen = [keys[name] for name in wanted.order]

    def key(candidate: Candidate) -> tuple[Any, ...]:
        last = (candidate.destination, candidate.location, candidate.fleet_id)
        return (*(of(candidate) for of in chosen), *last)

    return sorted(candidates, key=key)


def with_override(
    candidates: Sequence[Candidate], override: Mapping[str, Any] | None, *, first_pass: bool
) -> list[Candidate]:
    """Return candidates, which are in the queue's own order, as a PriorityConfigurationOverride wants them.

    In the first pass those in its locations come first, in its order. Afterwards the queue's own order counts, but with the
    strategy NONE, for which other locations never count.
    """
    if override is None:
        return list(candidates)
    rank = {name: place for place, name in enumerate(override["LocationOrder"])}
    strict = override.get("PlacementFallbackStrategy") == NO_FALLBACK
    if not first_pass and not strict:
        return list(candidates)
    listed = sorted((one for one in candidates if one.location in rank), key=lambda one: rank[one.location])
    return listed if strict else [*listed, *(one for one in candidates if one.location not in rank)]
