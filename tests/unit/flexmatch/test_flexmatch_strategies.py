"""How matches are formed: order of candidates, sizes, parties, expansions, balanced teams, large matches, backfill."""

import random
from typing import Any

import pytest
from match_rosters import NOW, SKILL, groups, matched, player, pool_of, rules, teams, ticket

from apitrail.flexmatch import explain

MARKS = {"name": "marks", "type": "string_number_map"}
CLOSE = {
    "name": "Close",
    "type": "distance",
    "measurements": ["flatten(teams[*].players.attributes[skill])"],
    "referenceValue": "avg(flatten(teams[*].players.attributes[skill]))",
    "maxDistance": 10,
}


def expanding(target: str, *steps: tuple[int, Any]) -> dict[str, Any]:
    return {"target": target, "steps": [{"waitTimeSeconds": wait, "value": value} for wait, value in steps]}


def test_the_oldest_tickets_play_first() -> None:
    waiting = [ticket(id, at=NOW - age, skill=1) for id, age in (("a", 1), ("b", 3), ("c", 2), ("d", 3))]
    assert groups(matched(rules(), *waiting)) == [{"b", "d"}, {"c", "a"}]
    assert matched(rules(), *waiting)[0].tickets == ("b", "d")


def test_teams_are_filled_to_the_most_players_where_there_are_enough() -> None:
    (proposal,) = matched(rules(teams=teams(1, 3)), *(ticket(f"t{number}") for number in range(5)))
    assert sorted(map(len, proposal.teams.values())) == [2, 3]
    assert proposal.players_max == 6


def test_too_few_players_wait_and_the_number_missing_is_told() -> None:
    rule_set = rules(teams=teams(3, 3))
    waiting = [ticket(f"t{number}") for number in range(4)]
    assert matched(rule_set, *waiting) == []
    found = explain(rule_set, waiting, "t0", NOW)
    assert (found.players_needed, found.players_missing, found.possible) == (6, 2, 3)
    assert found.summary == "2 more players are needed."


def test_open_slots_stay_free() -> None:
    pool = pool_of(rules(teams=teams(1, 3)), *(ticket(f"t{number}") for number in range(9)), open_slots=2)
    proposals = pool.run(NOW)
    assert [len(proposal.tickets) for proposal in proposals] == [4, 4]


def test_a_party_goes_into_one_team_as_a_whole() -> None:
    trio = ticket("p", *(player(f"p{number}") for number in range(3)), at=NOW - 9)
    pair = ticket("q", player("q1"), player("q2"))
    rule_set = rules(teams=teams(3, 3))
    assert matched(rule_set, trio, pair) == []
    (proposal,) = matched(rule_set, trio, pair, ticket("a"))
    assert sorted(map(sorted, proposal.teams.values())) == [["a", "q1", "q2"], ["p0", "p1", "p2"]]


def test_parties_that_do_not_fit_are_told_of() -> None:
    rule_set = rules(teams=teams(3, 3))
    pairs = [ticket(id, player(f"{id}1"), player(f"{id}2")) for id in "abc"]
    assert matched(rule_set, *pairs) == []
    assert explain(rule_set, pairs, "a", NOW).summary.endswith("parties do not fit into the teams.")


def test_an_expansion_counts_from_the_newest_ticket_unless_the_oldest_is_asked_for() -> None:
    steps = expanding("rules[Close].maxDistance", (30, 50), (60, 500))
    old, new = ticket("a", at=NOW - 40, skill=0), ticket("b", at=NOW - 5, skill=90)
    newest = rules(rules=[CLOSE], expansions=[steps])
    oldest = rules(rules=[CLOSE], expansions=[steps], algorithm={"expansionAgeSelection": "oldest"})
    assert matched(newest, old, new) == []
    assert groups(matched(oldest, old, new)) == [{"a", "b"}]
    assert groups(matched(newest, old, new, now=NOW + 25)) == [{"a", "b"}]


def test_a_pass_is_due_when_a_step_comes_and_values_are_absolute() -> None:
    pool = pool_of(
        rules(rules=[CLOSE], expansions=[expanding("rules[Close].maxDistance", (10, 20), (30, 40))]),
        ticket("a", at=NOW, skill=0),
        ticket("b", at=NOW + 2, skill=75),
    )
    assert pool.next_change(NOW) == NOW
    assert pool.run(NOW) == []
    due = []
    while not (proposals := pool.run(NOW if not due else due[-1])):
        wanted = pool.next_change(NOW)
        assert wanted is not None
        due.append(wanted)
    assert due == [NOW + 10, NOW + 12, NOW + 30, NOW + 32]
    assert groups(proposals) == [{"a", "b"}]
    assert pool.next_change(due[-1]) is None


def test_teams_get_smaller_by_an_expansion() -> None:
    rule_set = rules(teams=teams(3, 3), expansions=[expanding("teams[red,blue].minPlayers", (10, 1))])
    waiting = [ticket(f"t{number}", at=NOW) for number in range(3)]
    pool = pool_of(rule_set, *waiting)
    assert pool.run(NOW) == []
    assert [len(proposal.tickets) for proposal in pool.run(NOW + 10)] == [3]


def test_an_explanation_tells_the_step_that_holds_and_the_next() -> None:
    rule_set = rules(rules=[CLOSE], expansions=[expanding("rules[Close].maxDistance", (10, 20), (30, 40))])
    waiting = [ticket("a", at=NOW, skill=0), ticket("b", at=NOW, skill=75)]
    found = explain(rule_set, waiting, "a", NOW + 12)
    assert (found.level, found.age_s, found.expands_at) == (1, 12, NOW + 30)
    assert (found.rules[0].refused, found.rules[0].nearest, found.rules[0].miss) == (1, "b", 17.5)
    assert found.summary == "1 more player is needed; rule Close refuses 1 of the other tickets."


def sort(kind: str, direction: str, attribute: str = "skill", **more: Any) -> dict[str, Any]:
    return {"name": "S", "type": kind, "sortDirection": direction, "sortAttribute": attribute, **more}


@pytest.mark.parametrize(
    ("rule", "partner"),
    [
        (sort("absoluteSort", "ascending"), "b"),
        (sort("absoluteSort", "descending"), "d"),
        (sort("distanceSort", "ascending"), "c"),
        (sort("distanceSort", "descending"), "d"),
    ],
)
def test_sorting_rules_say_who_is_tried_first(rule: dict[str, Any], partner: str) -> None:
    skills = {"a": 50, "b": 1, "c": 45, "d": 200}
    waiting = [ticket(id, at=NOW - 9 + number, skill=skill) for number, (id, skill) in enumerate(skills.items())]
    unknown = ticket("z", at=NOW - 8.5)
    assert matched(rules(rules=[rule]), *waiting, unknown)[0].tickets == ("a", partner)


@pytest.mark.parametrize(("key", "partner"), [("minValue", "c"), ("maxValue", "b")])
def test_a_map_is_sorted_by_the_anchor_s_own_key(key: str, partner: str) -> None:
    maps = {"a": {"ice": 1, "sand": 9}, "b": {"ice": 1, "sand": 8}, "c": {"ice": 5, "sand": 2}}
    waiting = [ticket(id, at=NOW - 9 + number, marks=marks) for number, (id, marks) in enumerate(maps.items())]
    rule = sort("absoluteSort", "descending", "marks", mapKey=key)
    assert matched(rules(playerAttributes=[MARKS], rules=[rule]), *waiting)[0].tickets == ("a", partner)


def test_sorted_batches_bring_those_together_who_are_alike() -> None:
    algorithm = {"strategy": "exhaustiveSearch", "batchingPreference": "sorted", "sortByAttributes": ["skill"]}
    waiting = [
        ticket(id, at=NOW - 9 + number, skill=skill)
        for number, (id, skill) in enumerate(zip("abcd", (1, 9, 2, 8), strict=True))
    ]
    assert groups(matched(rules(algorithm=algorithm), *waiting)) == [{"a", "c"}, {"b", "d"}]


def test_random_batches_follow_the_seed() -> None:
    rule_set = rules(algorithm={"strategy": "exhaustiveSearch", "batchingPreference": "random"})
    waiting = [ticket(f"t{number:02}", at=NOW - 40 + number) for number in range(30)]
    runs = [groups(pool_of(rule_set, *waiting, seed=seed).run(NOW)) for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]
    assert all(len(run) == 15 for run in runs)


BALANCED = {"strategy": "balanced", "balancedAttribute": "skill"}


def test_balanced_teams_have_nearly_the_same_sum() -> None:
    waiting = [
        ticket(f"t{number}", at=NOW - 9 + number, skill=skill) for number, skill in enumerate((9, 8, 7, 3, 2, 1))
    ]
    (proposal,) = matched(rules(teams=teams(3, 3), algorithm=BALANCED), *waiting)
    skills = {f"t{number}": skill for number, skill in enumerate((9, 8, 7, 3, 2, 1))}
    assert sorted(sum(skills[id] for id in ids) for ids in proposal.teams.values()) in ([15, 15], [14, 16])


def test_balanced_tries_others_when_a_rule_fails() -> None:
    fair = {
        "name": "Fair",
        "type": "distance",
        "measurements": ["avg(teams[red].players.attributes[skill])"],
        "referenceValue": "avg(teams[blue].players.attributes[skill])",
        "maxDistance": 1,
    }
    waiting = [
        ticket(f"t{number}", at=NOW - 9 + number, skill=skill) for number, skill in enumerate((10, 10, 10, 99, 10))
    ]
    (proposal,) = matched(rules(teams=teams(2, 2), algorithm=BALANCED, rules=[fair]), *waiting)
    assert set(proposal.tickets) == {"t0", "t1", "t2", "t4"}


def large(count: int, batching: str | None = None, seed: int = 1) -> Any:
    algorithm = BALANCED if batching is None else {**BALANCED, "batchingPreference": batching}
    rule = {"name": "Near", "type": "latency", "maxLatency": 100}
    rule_set = rules(teams=teams(20, 30), algorithm=algorithm, rules=[rule])
    chance = random.Random(seed)
    players = [
        player(
            f"p{number}",
            {"us": 20 if number % 3 else 90, "eu": 200 if number % 3 else 30},
            skill=chance.randint(1, 100),
        )
        for number in range(count)
    ]
    return rule_set, [ticket(one.id, one, at=NOW - 1_000 + number) for number, one in enumerate(players)]


def test_a_large_match_gathers_where_most_can_play() -> None:
    rule_set, waiting = large(90, "largestPopulation")
    first = matched(rule_set, *waiting)[0]
    assert (len(first.tickets), first.locations, first.players_max) == (60, ("us",), 60)
    skills = {one.id: float(one.players[0].attributes["skill"]) for one in waiting}  # type: ignore[arg-type]
    sums = [sum(skills[id] for id in ids) for ids in first.teams.values()]
    assert abs(sums[0] - sums[1]) < 60


def test_a_large_match_can_gather_where_it_is_fastest() -> None:
    rule_set, waiting = large(150, "fastestRegion")
    first = matched(rule_set, *waiting)[0]
    assert "eu" in (first.locations or ())
    assert all(int(id[1:]) % 3 == 0 for id in first.tickets)


def test_a_large_match_needs_its_least_players() -> None:
    rule_set, waiting = large(39)
    assert matched(rule_set, *waiting) == []


def test_a_backfill_ticket_takes_others_into_its_teams() -> None:
    inside = [player("r", team="red", skill=5), player("b", team="blue", skill=9)]
    session = ticket("fill", *inside, backfill="arn:session")
    waiting = [ticket("far", at=NOW - 9, skill=90), ticket("near", skill=8), ticket("more", skill=7)]
    (proposal,) = matched(rules(teams=teams(1, 2), rules=[CLOSE]), session, *waiting)
    assert (proposal.backfill, proposal.tickets[0]) == ("arn:session", "fill")
    assert {team: set(ids) & {"r", "b"} for team, ids in proposal.teams.items()} == {"red": {"r"}, "blue": {"b"}}
    assert set(proposal.tickets) == {"fill", "near", "more"}


def test_a_backfill_ticket_needs_somebody_to_join_and_a_team_that_exists() -> None:
    inside = [player("r", team="red"), player("b", team="blue")]
    rule_set = rules(teams=teams(1, 2))
    assert matched(rule_set, ticket("fill", *inside, backfill="s")) == []
    odd = ticket("fill", player("r", team="green"), backfill="s")
    assert matched(rule_set, odd, ticket("a")) == []
    full = ticket("fill", *(player(f"p{number}", team="red") for number in range(3)), backfill="s")
    assert matched(rule_set, full, ticket("a")) == []


@pytest.mark.parametrize(
    ("priority", "expected"), [("high", {"fill", "a"}), ("normal", {"a", "b"}), ("low", {"a", "b"})]
)
def test_backfill_has_a_priority(priority: str, expected: set[str]) -> None:
    rule_set = rules(teams=teams(1, 1), algorithm={"strategy": "exhaustiveSearch", "backfillPriority": priority})
    session = ticket("fill", player("r", team="red"), at=NOW - 5, backfill="s")
    waiting = [ticket("a", at=NOW - 9), ticket("b", at=NOW - 1)]
    assert groups(matched(rule_set, session, *waiting)) == [expected]


def test_players_of_a_session_without_latencies_do_not_bind_it() -> None:
    rule = {"name": "L", "type": "latency", "maxLatency": 100}
    session = ticket("fill", player("r", team="red"), backfill="s")
    (proposal,) = matched(rules(rules=[rule]), session, ticket("a", player("a", {"us": 50})))
    assert proposal.locations == ("us",)


def test_proposals_count_how_often_each_rule_passed_and_failed() -> None:
    idle = {**CLOSE, "name": "Idle", "maxDistance": 1_000}
    team = {
        "name": "Teams",
        "type": "distance",
        "measurements": ["avg(teams[red].players.attributes[skill])"],
        "referenceValue": "avg(teams[blue].players.attributes[skill])",
        "maxDistance": 5,
    }
    waiting = [
        ticket(id, at=NOW - 9 + number, skill=skill)
        for number, (id, skill) in enumerate(zip("abc", (0, 9, 4), strict=True))
    ]
    (proposal,) = matched(rules(playerAttributes=[SKILL], rules=[idle, team]), *waiting)
    counts = {count.rule: (count.passed, count.failed) for count in proposal.counts}
    assert counts == {"Idle": (2, 0), "Teams": (1, 1)}
