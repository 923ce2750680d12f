"""Pools: additions and removals, passes within their time, what is remembered between passes."""

import pickle
import random
from collections.abc import Callable

from match_rosters import NOW, groups, player, pool_of, rules, teams, ticket

from apitrail.flexmatch import Pool, Ticket, explain
from apitrail.flexmatch.pool import LOCATIONS_SPARE

CLOSE = {
    "name": "Close",
    "type": "distance",
    "measurements": ["flatten(teams[*].players.attributes[skill])"],
    "referenceValue": "avg(flatten(teams[*].players.attributes[skill]))",
    "maxDistance": 10,
}
FAIR = {
    "name": "Fair",
    "type": "distance",
    "measurements": ["avg(teams[red].players.attributes[skill])"],
    "referenceValue": "avg(teams[blue].players.attributes[skill])",
    "maxDistance": 0.001,
}


def ticking(step_s: float) -> Callable[[], float]:
    """Return a clock that goes on a little whenever it is asked."""
    state = {"now": 0.0}

    def elapsed() -> float:
        state["now"] += step_s
        return state["now"]

    return elapsed


def crowd(count: int, seed: int = 1) -> list[Ticket]:
    chance = random.Random(seed)
    return [ticket(f"t{number:04}", at=NOW - 500 + number / 10, skill=chance.gauss(50, 20)) for number in range(count)]


def test_tickets_in_a_proposal_have_left_the_pool_and_can_come_back() -> None:
    waiting = [ticket("a", skill=1), ticket("b", skill=2)]
    pool = pool_of(rules(rules=[CLOSE]), *waiting)
    assert groups(pool.run(NOW)) == [{"a", "b"}]
    assert len(pool) == 0 and "a" not in pool
    for one in waiting:
        pool.add(one)
    assert groups(pool.run(NOW)) == [{"a", "b"}]


def test_a_ticket_that_was_removed_is_in_no_match() -> None:
    pool = pool_of(rules(rules=[CLOSE]), ticket("a", skill=1), ticket("b", skill=2))
    pool.remove("b")
    pool.remove("never")
    assert pool.run(NOW) == []
    pool.add(ticket("c", skill=3))
    assert groups(pool.run(NOW)) == [{"a", "c"}]


def test_adding_a_ticket_again_replaces_it() -> None:
    pool = pool_of(rules(rules=[CLOSE]), ticket("a", skill=1), ticket("b", skill=99))
    assert pool.run(NOW) == []
    pool.add(ticket("b", skill=2))
    assert len(pool) == 2
    assert groups(pool.run(NOW)) == [{"a", "b"}]


def test_nothing_is_due_until_something_changes() -> None:
    pool = pool_of(rules(rules=[CLOSE]), ticket("a", skill=1))
    assert pool.next_change(NOW) == NOW
    assert pool.run(NOW) == []
    assert pool.next_change(NOW) is None
    pool.add(ticket("b", skill=99))
    assert pool.next_change(NOW) == NOW


def test_passes_over_a_changing_pool_find_what_a_new_pool_would() -> None:
    rule_set = rules(teams=teams(2, 2), rules=[CLOSE])
    chance = random.Random(7)
    pool, there = Pool(rule_set, 1), {}
    for step in range(60):
        for number in range(3):
            one = ticket(f"{step}-{number}", at=NOW + step, skill=chance.uniform(0, 400))
            there[one.id] = one
            pool.add(one)
        if there and step % 4 == 0:
            gone = chance.choice(sorted(there))
            del there[gone]
            pool.remove(gone)
        fresh = pool_of(rule_set, *there.values())
        found, expected = pool.run(NOW + step), fresh.run(NOW + step)
        assert [one.tickets for one in found] == [one.tickets for one in expected]
        for proposal in found:
            for ticket_id in proposal.tickets:
                del there[ticket_id]
    assert len(pool) == len(there)


def test_a_pass_stops_at_its_time_and_the_next_goes_on() -> None:
    rule_set, waiting = rules(teams=teams(2, 2), rules=[CLOSE]), crowd(400)
    whole = pool_of(rule_set, *waiting).run(NOW)
    pool = pool_of(rule_set, *waiting, elapsed=ticking(0.01))
    pieces = []
    while pool.next_change(NOW) is not None:
        found = pool.run(NOW, 0.1)
        assert len(found) <= 11
        pieces += found
    assert len(pieces) == len(whole) > 50
    assert [one.tickets for one in pieces] == [one.tickets for one in whole]


def test_who_comes_during_a_round_is_not_missed() -> None:
    rule = {**FAIR, "maxDistance": 1}
    waiting = [ticket(f"t{number}", at=NOW - 9 + number / 10, skill=1_000 * number) for number in range(30)]
    pool = pool_of(rules(rules=[rule]), *waiting, elapsed=ticking(0.01))
    assert pool.run(NOW, 0.05) == []
    pool.add(ticket("late", at=NOW, skill=20_000.5))
    found = []
    while pool.next_change(NOW) is not None:
        found += pool.run(NOW, 0.05)
    assert groups(found) == [{"t20", "late"}]


def test_a_search_ends_with_the_time_of_its_pass() -> None:
    waiting = crowd(40)
    clock = ticking(0.01)
    pool = pool_of(rules(teams=teams(5, 5), rules=[FAIR]), *waiting, elapsed=clock)
    for _ in range(50):
        before = clock()
        pool.run(NOW, 0.2)
        assert clock() - before < 0.4
    assert len(pool) <= 40


def test_the_same_history_gives_the_same_proposals() -> None:
    rule_set = rules(teams=teams(3, 5), rules=[FAIR], algorithm={"batchingPreference": "random"})
    runs = [[one.tickets for one in pool_of(rule_set, *crowd(24, seed=3), seed=9).run(NOW)] for _ in range(2)]
    assert runs[0] == runs[1]


def test_the_order_of_additions_makes_no_difference() -> None:
    rule_set, waiting = rules(teams=teams(2, 3), rules=[CLOSE]), crowd(120)
    other = random.Random(5).sample(waiting, len(waiting))
    assert pool_of(rule_set, *waiting).run(NOW) == pool_of(rule_set, *other).run(NOW)


def test_counts_of_a_ticket_grow_with_the_trials_it_began() -> None:
    pool = pool_of(rules(rules=[FAIR]), ticket("a", skill=1), ticket("b", skill=2))
    assert [(one.passed, one.failed) for one in pool.counts("a")] == [(0, 0)]
    pool.run(NOW)
    assert pool.counts("a")[0].failed > 0
    assert [(one.rule, one.failed) for one in pool.counts("unknown")] == [("Fair", 0)]


def test_texts_that_must_be_equal_keep_tickets_apart_and_leave_nothing_behind() -> None:
    role = {"name": "role", "type": "string"}
    batch = {"name": "B", "type": "batchDistance", "batchAttribute": "role"}
    pool = pool_of(rules(playerAttributes=[role], rules=[batch]))
    for number in range(500):
        pool.add(ticket(f"t{number}", role=f"role-{number}"))
    assert pool.run(NOW) == []
    for number in range(500):
        pool.remove(f"t{number}")
    pool.run(NOW)
    assert pool._shelves == {}


def test_locations_that_nobody_reports_any_more_are_forgotten() -> None:
    pool = pool_of(rules(), ticket("a", player("a", {"home": 5})))
    for number in range(4 * LOCATIONS_SPARE):
        pool.add(ticket("passing", player("p", {f"place-{number}": 5})))
        if number % 100 == 0:
            assert pool.run(NOW) == []
    assert len(pool._finder.locations.names) < 2 * LOCATIONS_SPARE
    pool.add(ticket("b", player("b", {"home": 7})))
    assert groups(pool.run(NOW)) == [{"a", "b"}]


def test_tickets_proposals_and_explanations_are_plain() -> None:
    rule_set, waiting = rules(rules=[CLOSE]), [ticket("a", skill=1), ticket("b", skill=99)]
    for value in (waiting, pool_of(rule_set, ticket("a", skill=1), ticket("b", skill=1)).run(NOW)):
        assert pickle.loads(pickle.dumps(value)) == value
    told = explain(rule_set, waiting, "a", NOW)
    assert pickle.loads(pickle.dumps(told)) == told


def test_an_explanation_says_when_a_match_is_possible_now() -> None:
    told = explain(rules(rules=[CLOSE]), [ticket("a", skill=1), ticket("b", skill=2)], "a", NOW)
    assert told.match == ("a", "b")
    assert told.summary == "A match is possible; the next pass can propose it."


def test_who_is_given_up_is_tried_again_after_newcomers_and_only_when_something_has_changed() -> None:
    skills = [2.0**number for number in range(14)]
    hopeless = [ticket(f"t{number:02}", at=NOW - 99 + number, skill=skill) for number, skill in enumerate(skills)]
    pool = pool_of(rules(teams=teams(5, 5), rules=[FAIR]), *hopeless)
    assert pool.run(NOW) == []
    assert pool.next_change(NOW) is None
    tried = sum(count.failed for count in pool.counts("t00"))
    assert pool.run(NOW) == []
    assert sum(count.failed for count in pool.counts("t00")) == tried > 0
    pool.add(ticket("new", at=NOW, skill=3.0))
    assert pool.next_change(NOW) == NOW
    assert pool.run(NOW) == []
    assert sum(count.failed for count in pool.counts("t00")) > tried
    assert sum(count.failed for count in pool.counts("new")) > 0
