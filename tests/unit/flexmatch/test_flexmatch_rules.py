"""Each type of rule: rosters that make a match, rosters that do not, and the reason that is told."""

from typing import Any

import pytest
from match_rosters import NOW, SKILL, groups, matched, player, rules, teams, ticket

from apitrail.flexmatch import RuleFinding, Ticket, explain

MODES = {"name": "modes", "type": "string_list"}
ROLE = {"name": "role", "type": "string"}
ALL = "flatten(teams[*].players.attributes[{}])"


def finding(rule_set: Any, tickets: list[Ticket], rule: str, asked: str = "a") -> RuleFinding:
    found = explain(rule_set, tickets, asked, NOW)
    assert found.match is None
    return next(item for item in found.rules if item.rule == rule)


def skilled(*values: float) -> list[Ticket]:
    return [ticket("abcdefgh"[number], skill=value) for number, value in enumerate(values)]


def distance(measurements: str, reference: Any, **more: Any) -> dict[str, Any]:
    return {
        "name": "D",
        "type": "distance",
        "measurements": [measurements],
        "referenceValue": reference,
        **(more or {"maxDistance": 10}),
    }


SKILLS, MEAN = ALL.format("skill"), f"avg({ALL.format('skill')})"
TEAM_MEANS = "avg(teams[*].players.attributes[skill])"


@pytest.mark.parametrize(
    ("rule", "together", "apart"),
    [
        (distance(SKILLS, MEAN), (0, 20), (0, 21)),
        (distance(f"max({SKILLS})", f"min({SKILLS})"), (5, 15), (5, 16)),
        (distance(SKILLS, f"min({SKILLS})"), (5, 15), (5, 16)),
        (distance(TEAM_MEANS, MEAN), (0, 20), (0, 21)),
        (
            distance("avg(teams[red].players.attributes[skill])", "avg(teams[blue].players.attributes[skill])"),
            (1, 11),
            (1, 12),
        ),
        (distance(SKILLS, 50), (40, 60), (40, 61)),
        (distance(SKILLS, 50, minDistance=5), (45, 99), (46, 99)),
        (distance(SKILLS, "50", minDistance=5, maxDistance=9), (45, 59), (45, 60)),
        (distance(f"sum({SKILLS})", 50), (20, 40), (20, 41)),
        (distance(f"stddev({SKILLS})", 0), (0, 20), (0, 21)),
        (distance(f"median({SKILLS})", 50), (40, 80), (40, 81)),
        (distance("max(avg(teams[*].players.attributes[skill]))", 50), (0, 60), (0, 61)),
        (distance("players.attributes[skill]", "avg(players.attributes[skill])"), (0, 20), (0, 21)),
        (distance("team[red,blue].players.attributes[skill]", MEAN), (0, 20), (0, 21)),
    ],
)
def test_a_distance_rule_keeps_values_near(
    rule: dict[str, Any], together: tuple[int, int], apart: tuple[int, int]
) -> None:
    rule_set = rules(rules=[rule])
    assert groups(matched(rule_set, *skilled(*together))) == [{"a", "b"}]
    assert matched(rule_set, *skilled(*apart)) == []
    found = finding(rule_set, skilled(*apart), "D")
    assert found.refused or found.failed or found.alone


def test_a_distance_tells_how_near_the_nearest_was() -> None:
    found = finding(rules(rules=[distance(SKILLS, MEAN)]), skilled(0, 90, 26, 300), "D")
    assert (found.refused, found.nearest, found.miss) == (3, "c", 3.0)


def compare(measurements: Any, operation: str, reference: Any = None, **more: Any) -> dict[str, Any]:
    given = {} if reference is None else {"referenceValue": reference}
    return {"name": "C", "type": "comparison", "measurements": measurements, "operation": operation, **given, **more}


@pytest.mark.parametrize(
    ("rule", "together", "apart"),
    [
        (compare(SKILLS, ">=", 10), (10, 99), (9, 99)),
        (compare(SKILLS, "<", 10), (9, 0), (10, 0)),
        (compare(SKILLS, "<=", 10), (10, 0), (11, 0)),
        (compare(SKILLS, ">", 10), (11, 99), (10, 99)),
        (compare(SKILLS, "=", 10), (10, 10), (10, 11)),
        (compare(SKILLS, "!=", 10), (9, 11), (9, 10)),
        (compare(SKILLS, "="), (7, 7), (7, 8)),
        (compare(SKILLS, "!="), (7, 8), (7, 7)),
        (compare(f"min({SKILLS})", ">=", 10), (10, 99), (9, 99)),
        (compare(f"max({SKILLS})", "<=", "10"), (10, 0), (11, 0)),
        (compare([f"sum({SKILLS})", f"max({SKILLS})"], ">=", 50), (50, 0), (49, 49)),
        (
            compare("max(teams[red].players.attributes[skill])", "<", "max(teams[blue].players.attributes[skill])"),
            (1, 2),
            (2, 2),
        ),
    ],
)
def test_a_comparison_holds_for_every_value(
    rule: dict[str, Any], together: tuple[int, int], apart: tuple[int, int]
) -> None:
    rule_set = rules(rules=[rule])
    assert groups(matched(rule_set, *skilled(*together))) == [{"a", "b"}]
    assert matched(rule_set, *skilled(*apart)) == []
    found = [finding(rule_set, skilled(*apart), "C", asked) for asked in "ab"]
    assert any(item.refused or item.failed or item.alone for item in found)


def test_texts_are_compared_for_being_equal_or_different() -> None:
    roles = [ticket(id, role=role) for id, role in (("a", "tank"), ("b", "tank"), ("c", "scout"), ("d", "medic"))]
    attributes = [ROLE]
    alike = rules(playerAttributes=attributes, rules=[compare(ALL.format("role"), "=")])
    assert groups(matched(alike, *roles)) == [{"a", "b"}]
    different = rules(playerAttributes=attributes, teams=teams(3, 3, "red"), rules=[compare(ALL.format("role"), "!=")])
    assert groups(matched(different, *roles)) == [{"a", "c", "d"}]
    red_is = rules(playerAttributes=attributes, rules=[compare("teams[red].players.attributes[role]", "=", "medic")])
    (proposal,) = matched(red_is, *roles)
    assert proposal.teams == {"red": ("d",), "blue": ("a",)}


def test_team_sizes_are_kept_equal_by_counting_players() -> None:
    rule = compare("count(teams[red].players)", "=", "count(teams[blue].players)")
    rule_set = rules(teams=teams(1, 5), rules=[rule])
    party = ticket("p", player("p1", skill=1), player("p2", skill=1), at=NOW - 9)
    (proposal,) = matched(rule_set, party, *skilled(1, 1, 1))
    assert sorted(map(len, proposal.teams.values())) == [2, 2]


def collect(operation: str, given: str = "modes", reference: Any = None, **more: Any) -> dict[str, Any]:
    extra = {} if reference is None else {"referenceValue": reference}
    return {
        "name": "M",
        "type": "collection",
        "measurements": ALL.format(given),
        "operation": operation,
        **extra,
        **more,
    }


def moded(*values: str) -> list[Ticket]:
    return [ticket("abcdefgh"[number], modes=value.split()) for number, value in enumerate(values)]


@pytest.mark.parametrize(
    ("rule", "together", "apart"),
    [
        (collect("intersection"), ("x y", "y z"), ("x y", "z")),
        (collect("intersection", minCount=2), ("x y", "x y z"), ("x y", "y z")),
        (collect("intersection", maxCount=0), ("x y", "z"), ("x y", "y")),
        (collect("contains", reference="x"), ("x", "y"), ("z", "y")),
        (collect("contains", reference="x", minCount=2), ("x", "x y"), ("x", "y")),
        (collect("contains", reference="x", maxCount=1), ("x", "y"), ("x", "x")),
        (collect("reference_intersection_count", reference=["x", "y"]), ("x", "y"), ("x", "z")),
        (collect("reference_intersection_count", reference=["x", "y"], minCount=2), ("x y", "y x z"), ("x y", "y")),
        (collect("reference_intersection_count", reference=["x"], maxCount=0), ("y", "z"), ("x", "z")),
    ],
)
def test_a_collection_rule_counts_texts(
    rule: dict[str, Any], together: tuple[str, str], apart: tuple[str, str]
) -> None:
    rule_set = rules(playerAttributes=[MODES], rules=[rule])
    assert groups(matched(rule_set, *moded(*together))) == [{"a", "b"}]
    assert matched(rule_set, *moded(*apart)) == []
    found = finding(rule_set, moded(*apart), "M")
    assert found.refused or found.failed


def test_nobody_plays_with_those_whom_they_block() -> None:
    blocked = {"name": "blocked", "type": "string_list", "default": []}
    rule = collect("reference_intersection_count", "blocked", "flatten(teams[*].players[playerId])", maxCount=0)
    rule_set = rules(playerAttributes=[blocked], rules=[rule])
    a, b, c = ticket("a", blocked=["b"]), ticket("b"), ticket("c")
    assert matched(rule_set, a, b) == []
    assert groups(matched(rule_set, a, b, c)) == [{"a", "c"}]
    assert finding(rule_set, [a, b], "M").refused == 1


def test_what_lists_have_in_common_can_be_counted() -> None:
    shared = f"count(set_intersection({ALL.format('modes')}))"
    rule_set = rules(playerAttributes=[MODES], rules=[compare(shared, ">=", 2)])
    assert groups(matched(rule_set, *moded("x y", "x y z"))) == [{"a", "b"}]
    assert matched(rule_set, *moded("x y", "y z")) == []


def near(**latencies: int) -> dict[str, int]:
    return {name.replace("_", "-"): value for name, value in latencies.items()}


def located(*maps: dict[str, int]) -> list[Ticket]:
    return [ticket(id, player(id, latencies)) for id, latencies in zip("abcdefgh", maps, strict=False)]


@pytest.mark.parametrize(
    ("more", "maps", "locations"),
    [
        ({}, [near(us=50, eu=90), near(us=100, eu=101)], ("us",)),
        ({}, [near(us=50, eu=90), near(us=10, eu=20)], ("eu", "us")),
        ({}, [near(us=50), near(eu=50)], None),
        ({}, [near(us=101), near(us=5)], None),
        ({}, [near(), near(us=5)], None),
        ({"maxDistance": 20}, [near(us=10), near(us=50)], ("us",)),
        ({"maxDistance": 19}, [near(us=10), near(us=50)], None),
        ({"maxDistance": 40, "distanceReference": "min"}, [near(us=10, eu=90), near(us=50, eu=10)], ("us",)),
        ({"maxDistance": 39, "distanceReference": "min"}, [near(us=10), near(us=50)], None),
    ],
)
def test_a_latency_rule_wants_a_place_near_to_all(
    more: dict[str, Any], maps: list[dict[str, int]], locations: tuple[str, ...] | None
) -> None:
    rule_set = rules(rules=[{"name": "L", "type": "latency", "maxLatency": 100, **more}])
    found = matched(rule_set, *located(*maps))
    assert [proposal.locations for proposal in found] == ([] if locations is None else [locations])
    if locations is None:
        told = finding(rule_set, located(*maps), "L")
        assert told.alone or told.refused or told.failed


def test_without_a_latency_rule_players_must_share_a_place_that_they_report() -> None:
    rule_set = rules()
    (proposal,) = matched(rule_set, *located(near(us=900, eu=5), near(eu=7)))
    assert proposal.locations == ("eu",)
    assert matched(rule_set, *located(near(us=1), near(eu=1))) == []
    (anywhere,) = matched(rule_set, *located(near(), near()))
    assert anywhere.locations is None


def test_batches_keep_numbers_within_a_distance_and_texts_equal() -> None:
    batch = {"name": "B", "type": "batchDistance", "batchAttribute": "skill", "maxDistance": 10}
    rule_set = rules(rules=[batch])
    assert groups(matched(rule_set, *skilled(0, 11, 10))) == [{"a", "c"}]
    assert finding(rule_set, skilled(0, 11), "B").miss == 1.0
    text = {"name": "B", "type": "batchDistance", "batchAttribute": "role"}
    roles = [ticket(id, role=role) for id, role in (("a", "x"), ("b", "y"), ("c", "x"))]
    assert groups(matched(rules(playerAttributes=[ROLE], rules=[text]), *roles)) == [{"a", "c"}]


@pytest.mark.parametrize(
    ("statement", "skills"),
    [
        ("and(Low, Even)", [(2, 4)]),
        ("or(Low, Even)", [(2, 4), (1, 3), (20, 40)]),
        ("xor(Low, Even)", [(1, 3), (20, 40)]),
        ("not(Low)", [(20, 40), (21, 31)]),
        ("and(not(Low), not(Even))", [(21, 31)]),
    ],
)
def test_a_compound_joins_rules_that_need_not_hold_alone(statement: str, skills: list[tuple[int, int]]) -> None:
    low = {**compare(SKILLS, "<", 10), "name": "Low"}
    even = {**compare(f"sum({SKILLS})", "=", 6), "name": "Even"}
    both = {**compare(f"sum({SKILLS})", "=", 60), "name": "Sixty"}
    either = {"name": "Even6", "type": "compound", "statement": "or(Even, Sixty)"}
    rule = {"name": "All", "type": "compound", "statement": statement.replace("Even", "Even6")}
    used = [low, even, both, either] if "Even" in statement else [low]
    rule_set = rules(rules=[*used, rule])
    for pair in [(2, 4), (1, 3), (20, 40), (21, 31)]:
        expected = _holds(statement, pair[0] < 10 and pair[1] < 10, sum(pair) in (6, 60))
        assert bool(matched(rule_set, *skilled(*pair))) == expected, pair
        assert expected == (pair in skills)
    failing = next(pair for pair in [(1, 3), (20, 40), (21, 31), (2, 4)] if pair not in skills)
    assert finding(rule_set, skilled(*failing), "All").failed


def _holds(statement: str, low: bool, even: bool) -> bool:
    return {
        "and(Low, Even)": low and even,
        "or(Low, Even)": low or even,
        "xor(Low, Even)": low != even,
        "not(Low)": not low,
        "and(not(Low), not(Even))": not low and not even,
    }[statement]


@pytest.mark.parametrize(
    ("aggregation", "value", "is_match"),
    [("avg", 50, True), ("min", 50, False), ("min", 10, True), ("max", 90, True), ("max", 50, False)],
)
def test_a_party_counts_as_one_value(aggregation: str, value: int, is_match: bool) -> None:
    party = ticket("p", player("p1", skill=10), player("p2", skill=90))
    rule = {**distance(SKILLS, MEAN, maxDistance=1), "partyAggregation": aggregation}
    rule_set = rules(teams=teams(1, 2), rules=[rule])
    assert bool(matched(rule_set, party, ticket("a", skill=value))) == is_match


@pytest.mark.parametrize(("aggregation", "is_match"), [("union", True), ("intersection", False)])
def test_a_party_s_lists_become_one(aggregation: str, is_match: bool) -> None:
    party = ticket("p", player("p1", modes=["x", "y"]), player("p2", modes=["y"]))
    rule = collect("intersection", partyAggregation=aggregation)
    rule_set = rules(playerAttributes=[MODES], teams=teams(1, 2), rules=[rule])
    assert bool(matched(rule_set, party, ticket("a", modes=["x"]))) == is_match


@pytest.mark.parametrize(("aggregation", "is_match"), [("avg", True), ("min", True), ("max", False)])
def test_a_party_s_latencies_become_one(aggregation: str, is_match: bool) -> None:
    party = ticket("p", player("p1", near(us=20, eu=1)), player("p2", near(us=160)))
    rule = {"name": "L", "type": "latency", "maxLatency": 100, "partyAggregation": aggregation}
    assert bool(matched(rules(teams=teams(1, 2), rules=[rule]), party, *located(near(us=50)))) == is_match


def test_a_default_stands_in_for_a_missing_value_and_without_one_nobody_plays() -> None:
    rule = distance(SKILLS, MEAN)
    assert matched(rules(rules=[rule]), ticket("a"), ticket("b", skill=50)) == []
    assert finding(rules(rules=[rule]), [ticket("a"), ticket("b", skill=50)], "D").alone is not None
    with_default = rules(rules=[rule], playerAttributes=[{**SKILL, "default": 45}])
    assert groups(matched(with_default, ticket("a"), ticket("b", skill=50))) == [{"a", "b"}]


def test_a_value_that_only_one_team_needs_decides_about_the_team() -> None:
    rule = compare("teams[blue].players.attributes[skill]", ">=", 10)
    rule_set = rules(rules=[rule])
    (proposal,) = matched(rule_set, ticket("a", skill=50), ticket("b"))
    assert proposal.teams == {"red": ("b",), "blue": ("a",)}
    assert matched(rule_set, ticket("a"), ticket("b", skill=5)) == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "high", None])
def test_a_number_that_is_none_counts_as_missing(value: Any) -> None:
    odd = ticket("a", skill=value)
    assert matched(rules(rules=[distance(SKILLS, MEAN)]), odd, ticket("b", skill=1)) == []


def test_no_players_of_a_team_have_no_value_and_the_rule_passes() -> None:
    rule = distance("avg(teams[red].players.attributes[skill])", "avg(teams[blue].players.attributes[skill])")
    red, blue = teams(1, 1, "red"), teams(0, 1, "blue")
    (proposal,) = matched(rules(teams=[*red, *blue], rules=[rule]), ticket("a", skill=5))
    assert proposal.teams == {"red": ("a",), "blue": ()}
