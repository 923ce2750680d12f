"""The order in which a placement tries places, by itself: cost, latency policies, priorities."""

import math
from typing import Any

import pytest

from apitrail.services.gamelift.placement_order import (
    Candidate,
    cap_at,
    cost_of,
    is_reachable,
    ordered,
    priorities,
    read_latencies,
    with_override,
)

NOBODY = read_latencies([])


def candidate(name: str, location: str, destination: int = 0, cost: float = 1.0) -> Candidate:
    return Candidate("us-west-2", name, location, destination, cost)


def latencies(**by_player: dict[str, float]) -> Any:
    return read_latencies(
        [
            {"PlayerId": player, "RegionIdentifier": location, "LatencyInMilliseconds": value}
            for player, values in by_player.items()
            for location, value in values.items()
        ]
    )


@pytest.mark.parametrize(
    ("smaller", "larger"),
    [("c5.large", "c5.xlarge"), ("c5.xlarge", "c5.2xlarge"), ("t3.small", "t3.medium"), ("c5.9xlarge", "c5.18xlarge")],
)
def test_a_size_costs_twice_as_much_as_the_one_before(smaller: str, larger: str) -> None:
    assert cost_of(larger, spot=False) == 2 * cost_of(smaller, spot=False)


def test_spot_is_cheaper_and_an_unknown_type_costs_as_a_large_one() -> None:
    assert cost_of("c5.large", spot=True) == pytest.approx(0.3 * cost_of("c5.large", spot=False))
    assert cost_of("something", spot=False) == cost_of("c5.large", spot=False)


@pytest.mark.parametrize(
    ("elapsed", "expected"),
    [(0, (50, 60)), (59.9, (50, 60)), (60, (100, 90)), (90, (200, math.inf)), (1e9, (200, math.inf))],
)
def test_each_policy_has_its_time(elapsed: float, expected: tuple[float, float]) -> None:
    policies = [
        {"MaximumIndividualPlayerLatencyMilliseconds": 50, "PolicyDurationSeconds": 60},
        {"MaximumIndividualPlayerLatencyMilliseconds": 100, "PolicyDurationSeconds": 30},
        {"MaximumIndividualPlayerLatencyMilliseconds": 200, "PolicyDurationSeconds": 0},
    ]
    assert cap_at(policies, elapsed) == expected
    assert cap_at([], elapsed) == (math.inf, math.inf)


def test_a_location_is_reachable_if_all_who_report_anything_are_near() -> None:
    known = latencies(ana={"a": 40.0, "b": 60.0}, ben={"a": 90.0})
    assert [is_reachable("a", known, cap) for cap in (90, 89)] == [True, False]
    assert not is_reachable("b", known, math.inf) and not is_reachable("c", known, math.inf)
    assert is_reachable("c", NOBODY, 0)


def test_what_priorities_leave_out_follows_in_the_default_order() -> None:
    assert priorities({"PriorityOrder": ["COST"]}, NOBODY).order == ("COST", "DESTINATION", "LOCATION")
    known = latencies(ana={"a": 1.0})
    assert priorities({}, known).order == ("LATENCY", "COST", "DESTINATION", "LOCATION")
    assert priorities({"PriorityOrder": ["LOCATION"]}, known).order == ("LOCATION", "LATENCY", "COST", "DESTINATION")


def test_ties_are_broken_by_destination_location_and_fleet() -> None:
    some = [candidate("f2", "b"), candidate("f1", "b"), candidate("f3", "a"), candidate("f0", "z", 1)]
    found = ordered(some, priorities({"PriorityOrder": ["COST"]}, NOBODY), NOBODY)
    assert [one.fleet_id for one in found] == ["f3", "f1", "f2", "f0"]


def test_locations_that_the_order_leaves_out_come_last() -> None:
    some = [candidate("f1", "a"), candidate("f2", "b"), candidate("f3", "c")]
    wanted = priorities({"PriorityOrder": ["LOCATION"], "LocationOrder": ["c", "b"]}, NOBODY)
    assert [one.location for one in ordered(some, wanted, NOBODY)] == ["c", "b", "a"]


def test_an_override_counts_in_the_first_pass_and_a_strict_one_always() -> None:
    some = [candidate("f1", "a"), candidate("f2", "b"), candidate("f3", "c")]
    override = {"LocationOrder": ["c", "b"]}
    strict = {**override, "PlacementFallbackStrategy": "NONE"}

    def places(wanted: Any, first: bool) -> list[str]:
        return [one.location for one in with_override(some, wanted, first_pass=first)]

    assert (places(override, True), places(override, False)) == (["c", "b", "a"], ["a", "b", "c"])
    assert (places(strict, True), places(strict, False)) == (["c", "b"], ["c", "b"])
    assert places(None, True) == ["a", "b", "c"]
