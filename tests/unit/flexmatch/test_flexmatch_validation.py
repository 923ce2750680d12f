"""Every mistake in a rule set is refused, with its place and what would be right there."""

import json
import pickle
from typing import Any

import pytest
from match_rosters import DUEL, SKILL, body, rules, teams

from apitrail.flexmatch import RuleSetError, parse_rule_set

CLOSE = {
    "name": "Close",
    "type": "distance",
    "measurements": ["avg(teams[red].players.attributes[skill])"],
    "referenceValue": "avg(teams[blue].players.attributes[skill])",
    "maxDistance": 10,
}
ATTRIBUTES = [
    SKILL,
    {"name": "modes", "type": "string_list"},
    {"name": "role", "type": "string"},
    {"name": "marks", "type": "string_number_map"},
]
LARGE = {"teams": teams(10, 30), "playerAttributes": ATTRIBUTES}
BALANCED = {"strategy": "balanced", "balancedAttribute": "skill"}
LATENCY = {"name": "Near", "type": "latency", "maxLatency": 100}
BATCH = {"name": "Batch", "type": "batchDistance", "batchAttribute": "skill", "maxDistance": 5}


def close(**more: Any) -> dict[str, Any]:
    rule = {**CLOSE, **more}
    return {"rules": [{name: value for name, value in rule.items() if value is not None}]}


def compared(**more: Any) -> dict[str, Any]:
    rule = {"name": "C", "type": "comparison", "measurements": "count(teams[red].players)", "operation": "=", **more}
    return {"rules": [rule], "playerAttributes": ATTRIBUTES}


def collected(**more: Any) -> dict[str, Any]:
    given = "flatten(teams[*].players.attributes[modes])"
    rule = {"name": "M", "type": "collection", "measurements": given, "operation": "intersection", **more}
    return {"rules": [rule], "playerAttributes": ATTRIBUTES}


def ruled(*more: Any, **others: Any) -> dict[str, Any]:
    return {"rules": list(more), "playerAttributes": ATTRIBUTES, **others}


def expanding(target: str, *steps: tuple[Any, Any]) -> dict[str, Any]:
    listed = [{"waitTimeSeconds": wait, "value": value} for wait, value in steps]
    return {"rules": [CLOSE, LATENCY], "expansions": [{"target": target, "steps": listed}]}


MISTAKES: list[tuple[str, dict[str, Any], str]] = [
    ("no version", {"ruleLanguageVersion": None}, 'ruleLanguageVersion must be given: "1.0".'),
    ("unknown version", {"ruleLanguageVersion": "2.0"}, 'ruleLanguageVersion must be "1.0", not "2.0".'),
    ("no teams", {"teams": []}, "teams must have at least one team."),
    ("teams are no list", {"teams": {}}, "teams must be a list of objects, not {}."),
    ("a team is no object", {"teams": ["red"]}, 'teams[0] must be an object, not "red".'),
    ("a team without a name", {"teams": [{"minPlayers": 1}]}, "teams[0].name must be given: the team's name."),
    ("an empty name", {"teams": [{**DUEL[0], "name": " "}]}, "teams[0].name must be a text that is not empty"),
    ("two teams of one name", {"teams": [DUEL[0], DUEL[0]]}, "teams[1].name must be unique; red is there already."),
    ("a bracket in a name", {"teams": [{**DUEL[0], "name": "a]"}]}, "teams[0].name must not have any of"),
    (
        "no players",
        {"teams": [{**DUEL[0], "maxPlayers": 0}]},
        "teams[0].maxPlayers must be a whole number from 1 to 200",
    ),
    ("half a player", {"teams": [{**DUEL[0], "maxPlayers": 1.5}]}, "teams[0].maxPlayers must be a whole number"),
    ("no least number", {"teams": [{"name": "a", "maxPlayers": 1}]}, "teams[0].minPlayers must be given"),
    (
        "more least than most",
        {"teams": teams(2, 1, "a")},
        "teams[0].minPlayers must not be above maxPlayers: 2 is above 1.",
    ),
    ("no quantity", {"teams": [{**DUEL[0], "quantity": 0}]}, "teams[0].quantity must be a whole number from 1 to 200"),
    (
        "a quantity that makes a name twice",
        {"teams": [{**DUEL[0], "name": "a", "quantity": 2}, {**DUEL[0], "name": "a_2"}]},
        "teams[1].name must be unique; a_2 is there already.",
    ),
    ("too many players", {"teams": teams(1, 101)}, "teams have up to 202 players together"),
    (
        "an unknown type of attribute",
        {"playerAttributes": [{"name": "a", "type": "int"}]},
        "playerAttributes[0].type must be one of",
    ),
    ("an attribute twice", {"playerAttributes": [SKILL, SKILL]}, "playerAttributes[1].name must be unique"),
    (
        "a default of another type",
        {"playerAttributes": [{**SKILL, "default": "high"}]},
        'playerAttributes[0].default must be a number like the attribute, not "high".',
    ),
    (
        "a list with a number",
        {"playerAttributes": [{**ATTRIBUTES[1], "default": [1]}]},
        "default must be a string_list",
    ),
    (
        "a map with a text",
        {"playerAttributes": [{**ATTRIBUTES[3], "default": {"a": "b"}}]},
        "must be a string_number_map",
    ),
    (
        "an unknown strategy",
        {"algorithm": {"strategy": "best"}},
        "algorithm.strategy must be one of exhaustiveSearch, balanced",
    ),
    ("an algorithm that is none", {"algorithm": []}, "algorithm must be an object"),
    (
        "a batching preference of the other strategy",
        {"algorithm": {"batchingPreference": "largestPopulation"}},
        "algorithm.batchingPreference must be one of random, sorted",
    ),
    ("sorted by nothing", {"algorithm": {"batchingPreference": "sorted"}}, "algorithm.sortByAttributes must be given"),
    (
        "sorted by something undeclared",
        {"algorithm": {"batchingPreference": "sorted", "sortByAttributes": ["rank"]}},
        'algorithm.sortByAttributes names "rank", which playerAttributes does not declare.',
    ),
    ("balanced by nothing", {"algorithm": {"strategy": "balanced"}}, "algorithm.balancedAttribute must be given"),
    (
        "balanced by something undeclared",
        {"algorithm": {"strategy": "balanced", "balancedAttribute": "rank"}},
        "algorithm.balancedAttribute names rank",
    ),
    (
        "an unknown age",
        {"algorithm": {"expansionAgeSelection": "middle"}},
        "algorithm.expansionAgeSelection must be one of",
    ),
    (
        "a priority with balanced",
        {"algorithm": {**BALANCED, "backfillPriority": "high"}},
        "algorithm.backfillPriority can only be given with the strategy exhaustiveSearch.",
    ),
    (
        "a large match without balanced",
        LARGE,
        "algorithm.strategy must be balanced for a match of more than 40 players.",
    ),
    (
        "a team rule in a large match",
        {**LARGE, **close(), "algorithm": BALANCED},
        "rules[0].type must be latency or batchDistance",
    ),
    (
        "a latency distance in a large match",
        {**LARGE, "rules": [{**LATENCY, "maxDistance": 10}], "algorithm": BALANCED},
        "rules[0].maxDistance cannot be used in a match of more than 40 players.",
    ),
    ("an unknown type of rule", close(type="nearness"), "rules[0].type must be one of comparison, distance"),
    ("a rule without a name", close(name=None), "rules[0].name must be given"),
    ("a rule twice", {"rules": [CLOSE, CLOSE]}, "rules[1].name must be unique; Close is there already."),
    ("no measurements", close(measurements=None), "rules[0].measurements must be given"),
    ("no measurement", close(measurements=[]), "rules[0].measurements must have 1 to 20 expressions, not 0."),
    (
        "a measurement that is none",
        close(measurements="skill"),
        "rules[0].measurements must be property expressions such as",
    ),
    (
        "a missing parenthesis",
        close(measurements="avg(teams[red].players.attributes[skill]"),
        "must be property expressions",
    ),
    (
        "an unknown team",
        close(measurements="avg(teams[green].players.attributes[skill])"),
        "names the team green; there are: red, blue",
    ),
    (
        "an unknown attribute",
        close(measurements="avg(teams[red].players.attributes[rank])"),
        "names the attribute rank; declared are: skill",
    ),
    (
        "an unknown function",
        close(measurements="mean(teams[red].players.attributes[skill])"),
        "uses the function mean; there are:",
    ),
    (
        "an average of players",
        close(measurements="avg(teams[red].players)"),
        "applies avg to something that is no list of numbers",
    ),
    (
        "an average of one number",
        close(measurements="avg(avg(teams[red].players.attributes[skill]))"),
        "applies avg to something",
    ),
    (
        "a flat list flattened",
        close(measurements="flatten(teams[red].players.attributes[skill])"),
        "applies flatten to something that is no list of lists",
    ),
    ("a count of a team", compared(measurements="count(teams[red])"), "applies count to something that is no list"),
    ("an unknown bracket", close(measurements="teams[red].players[name]"), "where only [playerId] can stand"),
    (
        "distances of texts",
        ruled({**CLOSE, "measurements": "teams[red].players.attributes[role]"}),
        "measurements must give numbers",
    ),
    ("no reference for a distance", close(referenceValue=None), "rules[0].referenceValue must be given"),
    (
        "a reference that is a list",
        close(referenceValue="teams[red].players.attributes[skill]"),
        "referenceValue must give one number",
    ),
    (
        "a reference that is a text",
        close(referenceValue="high"),
        'referenceValue must be a number or a property expression, not "high".',
    ),
    ("no distance", close(maxDistance=None), "rules[0].maxDistance or minDistance must be given for a distance rule."),
    ("a negative distance", close(maxDistance=-1), "rules[0].maxDistance must be 0 or more, not -1."),
    ("a distance that is a word", close(maxDistance="far"), 'rules[0].maxDistance must be a number, not "far".'),
    (
        "more least than most distance",
        close(minDistance=20),
        "rules[0].minDistance must not be above maxDistance: 20 is above 10.",
    ),
    ("a wrong aggregation", close(partyAggregation="sum"), "rules[0].partyAggregation must be one of avg, min, max"),
    ("no operation", compared(operation=None), "rules[0].operation must be given"),
    ("an unknown operation", compared(operation="=="), "rules[0].operation must be one of <, <=, =, !=, >, >="),
    (
        "an order without a reference",
        compared(operation=">"),
        "rules[0].referenceValue must be given for the operation >",
    ),
    (
        "an order of texts",
        compared(measurements="teams[red].players.attributes[role]", operation="<", referenceValue="b"),
        "rules[0].operation must be = or != for texts, not <.",
    ),
    (
        "numbers and texts together",
        compared(measurements=["teams[red].players.attributes[role]", "count(teams[red].players)"]),
        "rules[0].measurements must all give numbers, or all give texts.",
    ),
    (
        "a map compared",
        compared(measurements="teams[red].players.attributes[marks]"),
        "measurements must give numbers or texts",
    ),
    (
        "an unknown operation on lists",
        collected(operation="union"),
        "rules[0].operation must be one of contains, intersection",
    ),
    (
        "numbers as a collection",
        collected(measurements="teams[red].players.attributes[skill]"),
        "measurements must give texts",
    ),
    (
        "a reference for an intersection",
        collected(referenceValue="a"),
        "referenceValue must not be given for the operation intersection.",
    ),
    (
        "an intersection of one list",
        collected(measurements="teams[red].players[playerId]"),
        "must be lists of lists of texts",
    ),
    (
        "contains nothing",
        collected(operation="contains"),
        "rules[0].referenceValue must be given: the text to look for.",
    ),
    (
        "contains a number",
        collected(operation="contains", referenceValue=5),
        "rules[0].referenceValue must be a text, not 5.",
    ),
    (
        "overlap with a number",
        collected(operation="reference_intersection_count", referenceValue=[5]),
        "rules[0].referenceValue must be a list of texts or a property expression",
    ),
    (
        "more least than most counts",
        collected(minCount=2, maxCount=1),
        "rules[0].minCount must not be above maxCount: 2 is above 1.",
    ),
    ("half a count", collected(minCount=0.5), "rules[0].minCount must be a whole number"),
    (
        "an average of lists",
        collected(partyAggregation="avg"),
        "rules[0].partyAggregation must be one of union, intersection",
    ),
    ("latency without a most", ruled({"name": "L", "type": "latency"}), "rules[0].maxLatency must be given"),
    (
        "a distance reference without a distance",
        ruled({**LATENCY, "distanceReference": "min"}),
        "rules[0].distanceReference can only be given together with maxDistance.",
    ),
    (
        "an unknown distance reference",
        ruled({**LATENCY, "maxDistance": 1, "distanceReference": "max"}),
        "distanceReference must be one of min, avg",
    ),
    ("batches by nothing", ruled({"name": "B", "type": "batchDistance"}), "rules[0].batchAttribute must be given"),
    (
        "batches by a list",
        ruled({**BATCH, "batchAttribute": "modes"}),
        "rules[0].batchAttribute names modes, a string_list",
    ),
    (
        "batches by something undeclared",
        ruled({**BATCH, "batchAttribute": "rank"}),
        "names rank, which playerAttributes does not declare.",
    ),
    (
        "batches of numbers without a distance",
        ruled({"name": "B", "type": "batchDistance", "batchAttribute": "skill"}),
        "rules[0].maxDistance must be given, since skill is a number.",
    ),
    (
        "sorted nowhere",
        ruled({"name": "S", "type": "absoluteSort", "sortAttribute": "skill"}),
        "rules[0].sortDirection must be given",
    ),
    (
        "a map sorted by no key",
        ruled({"name": "S", "type": "distanceSort", "sortAttribute": "marks", "sortDirection": "ascending"}),
        "rules[0].mapKey must be given",
    ),
    (
        "the distance of texts",
        ruled({"name": "S", "type": "distanceSort", "sortAttribute": "role", "sortDirection": "ascending"}),
        "rules[0].sortAttribute names role, a string",
    ),
    ("no statement", ruled({"name": "C", "type": "compound"}), "rules[0].statement must be given"),
    (
        "a statement of one name",
        ruled(CLOSE, {"name": "C", "type": "compound", "statement": "Close"}),
        "must begin with an operator",
    ),
    (
        "one operand",
        ruled(CLOSE, {"name": "C", "type": "compound", "statement": "and(Close)"}),
        "gives 1 operand to and",
    ),
    (
        "two operands of not",
        ruled(CLOSE, LATENCY, {"name": "C", "type": "compound", "statement": "not(Close, Near)"}),
        "gives 2 operands to not",
    ),
    (
        "an unknown operator",
        ruled(CLOSE, {"name": "C", "type": "compound", "statement": "nor(Close, Close)"}),
        "uses the operator nor",
    ),
    (
        "an open statement",
        ruled(CLOSE, {"name": "C", "type": "compound", "statement": "not(Close"}),
        "lacks a closing parenthesis",
    ),
    (
        "an empty operand",
        ruled(CLOSE, {"name": "C", "type": "compound", "statement": "and(Close,)"}),
        "lacks a rule's name or an operator before )",
    ),
    (
        "more behind the end",
        ruled(CLOSE, {"name": "C", "type": "compound", "statement": "not(Close))"}),
        "goes on after its end",
    ),
    (
        "a later rule",
        ruled({"name": "C", "type": "compound", "statement": "not(Close)"}, CLOSE),
        "rules[0].statement names Close, which is no rule that stands before C.",
    ),
    (
        "a batch rule in a statement",
        ruled(BATCH, {"name": "C", "type": "compound", "statement": "not(Batch)"}),
        "rules that form or sort batches",
    ),
    (
        "a target without form",
        expanding("Close.maxDistance", (5, 1)),
        "expansions[0].target must have the form rules[<name>].<field>",
    ),
    (
        "an unknown target",
        expanding("rules[Far].maxDistance", (5, 1)),
        "expansions[0].target names Far, which is not among the rules.",
    ),
    (
        "a field that cannot expand",
        expanding("rules[Close].operation", (5, 1)),
        "names operation; only minDistance, maxDistance, referenceValue of a distance rule can expand.",
    ),
    (
        "a team's name expanded",
        expanding("teams[red].name", (5, "x")),
        "names name; only minPlayers, maxPlayers of a team can expand.",
    ),
    (
        "an algorithm expanded",
        expanding("algorithm.strategy", (5, "balanced")),
        "expansions[0].target must have the form",
    ),
    ("no steps", expanding("rules[Close].maxDistance"), "expansions[0].steps must have at least one step."),
    (
        "steps out of order",
        expanding("rules[Close].maxDistance", (5, 1), (5, 2)),
        "expansions[0].steps[1].waitTimeSeconds must be above that of the step before, 5.",
    ),
    (
        "a step without a time",
        expanding("rules[Close].maxDistance", (None, 1)),
        "expansions[0].steps[0].waitTimeSeconds must be given",
    ),
    (
        "a step without a value",
        expanding("rules[Close].maxDistance", (5, None)),
        "expansions[0].steps[0].value must be given",
    ),
    (
        "a step to a wrong value",
        expanding("rules[Close].maxDistance", (5, "far")),
        'expansions[0].steps[0].value makes a wrong rule set: rules[0].maxDistance must be a number, not "far".',
    ),
    (
        "a step to a wrong size",
        expanding("teams[red].minPlayers", (5, 2)),
        "makes a wrong rule set: teams[0].minPlayers must not be above maxPlayers",
    ),
    (
        "a step to a large match",
        expanding("teams[red,blue].maxPlayers", (5, 25)),
        "algorithm.strategy must be balanced",
    ),
]


@pytest.mark.parametrize(("changes", "message"), [case[1:] for case in MISTAKES], ids=[case[0] for case in MISTAKES])
def test_a_mistake_is_refused_with_its_place(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RuleSetError) as refused:
        rules(**changes)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "The rule set is not valid JSON: Expecting property name enclosed in double quotes at line 1, column 2."),
        ('{"a": 1, "a": 2}', 'The field "a" stands twice in one object; keep one of them.'),
        ('{"a": NaN}', "The rule set is not valid JSON: NaN is no JSON number."),
        ("[" * 60_000, "The rule set is nested too deeply."),
        ('{"a": ' + "1" * 5_000 + "}", "The rule set has a number with too many digits."),
        ("[]", "The rule set must be a JSON object, not []."),
        ("// a comment", "The rule set is not valid JSON: Expecting value at line 1, column 1."),
        (" " * 65_536, "The rule set must have at most 65535 characters, not 65536."),
    ],
)
def test_a_text_that_is_no_strict_json_is_refused(text: str, message: str) -> None:
    with pytest.raises(RuleSetError) as refused:
        parse_rule_set(text)
    assert str(refused.value) == message


def test_numbers_may_be_texts_and_measurements_one_text_and_unknown_fields_are_ignored() -> None:
    rule = {**CLOSE, "measurements": CLOSE["measurements"][0], "maxDistance": "10", "note": "x"}
    found = parse_rule_set(body(rules=[rule], comment="hello"))
    assert found.levels == rules(rules=[CLOSE]).levels


def test_a_quantity_makes_numbered_teams() -> None:
    found = rules(teams=[{"name": "crew", "minPlayers": 1, "maxPlayers": 4, "quantity": 3}])
    assert [team.name for team in found.teams] == ["crew_1", "crew_2", "crew_3"]
    assert (found.players_min, found.players_max) == (3, 12)


def test_each_waiting_time_makes_a_level_with_absolute_values() -> None:
    found = rules(**expanding("rules[Close].maxDistance", (5, 50), (10, 90)))
    assert [level.wait_s for level in found.levels] == [0, 5, 10]
    assert [getattr(level.rules[0], "max_distance", None) for level in found.levels] == [10, 50, 90]


def test_teams_made_from_a_quantity_expand_together() -> None:
    crew = [{"name": "crew", "minPlayers": 2, "maxPlayers": 4, "quantity": 2}]
    steps = [{"waitTimeSeconds": 5, "value": 1}]
    found = rules(teams=crew, expansions=[{"target": "teams[crew].minPlayers", "steps": steps}])
    assert [[team.min_players for team in level.teams] for level in found.levels] == [[2, 2], [1, 1]]


def test_a_rule_set_is_plain_and_can_be_pickled() -> None:
    found = rules(**expanding("rules[Close].maxDistance", (5, 50)))
    assert pickle.loads(pickle.dumps(found)) == found


def test_many_steps_are_read_soon_or_refused() -> None:
    listed = [{"waitTimeSeconds": wait, "value": 1} for wait in range(201)]
    with pytest.raises(RuleSetError, match="at most 200 entries"):
        rules(rules=[CLOSE], expansions=[{"target": "rules[Close].maxDistance", "steps": listed}])
    halves = [{"target": "rules[Close].maxDistance", "steps": listed[:150]} for _ in range(2)]
    with pytest.raises(RuleSetError, match="at most 200 steps together"):
        rules(rules=[CLOSE], expansions=halves)


def test_messages_do_not_repeat_a_long_value() -> None:
    with pytest.raises(RuleSetError) as refused:
        parse_rule_set(json.dumps({"ruleLanguageVersion": "x" * 10_000}))
    assert len(str(refused.value)) < 200
