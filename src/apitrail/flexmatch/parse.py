"""A rule set's document, from text to `RuleSet`, with every check that it must pass.

Source: FlexMatch developer guide, rule set schema. Unknown fields are ignored (inferred).
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from apitrail.flexmatch.document import Piece, as_number, read_document, shown
from apitrail.flexmatch.errors import RuleSetError
from apitrail.flexmatch.expansions import Step, read_steps
from apitrail.flexmatch.expressions import Names
from apitrail.flexmatch.rules import read_rule
from apitrail.flexmatch.ruleset import (
    LARGE_PLAYERS,
    Algorithm,
    Attribute,
    AttributeValue,
    BatchDistance,
    Compound,
    Latency,
    Level,
    Rule,
    RuleSet,
    Team,
)

VERSION = "1.0"
PLAYERS_MAX = 200
RULES_MAX = 100
ATTRIBUTES_MAX = 100
STRATEGIES = ("exhaustiveSearch", "balanced")
BATCHING: Mapping[str, tuple[str, ...]] = {
    "exhaustiveSearch": ("random", "sorted"),
    "balanced": ("largestPopulation", "fastestRegion"),
}
ATTRIBUTE_TYPES = ("string", "number", "string_list", "string_number_map")
FORBIDDEN = frozenset("[],*()")


def parse_rule_set(body: str) -> RuleSet:
    """Return the rule set that a document describes. Raises: RuleSetError, which names the field and what it must be."""
    document = read_document(body)
    _check_version(document)
    attributes = _attributes(document)
    team_pieces = document.objects("teams", PLAYERS_MAX)
    if not team_pieces:
        document.refuse("teams", "must have at least one team.")
    teams = _teams(team_pieces)
    rule_pieces = document.objects("rules", RULES_MAX)
    rules = _rules(rule_pieces, Names(teams, attributes))
    algorithm = _algorithm(document, attributes)
    levels = _levels(
        Level(0.0, teams, rules), team_pieces, rule_pieces, attributes, read_steps(document, rule_pieces, team_pieces)
    )
    for level in levels:
        _check_size(level, algorithm)
    name = document.values.get("name")
    return RuleSet(name if isinstance(name, str) else "", attributes, algorithm, tuple(levels))


def _check_version(document: Piece) -> None:
    version = document.need("ruleLanguageVersion", f'"{VERSION}"')
    if version != VERSION:
        document.refuse("ruleLanguageVersion", f'must be "{VERSION}", not {shown(version)}.')


def _attributes(document: Piece) -> dict[str, Attribute]:
    found: dict[str, Attribute] = {}
    for piece in document.objects("playerAttributes", ATTRIBUTES_MAX):
        name = _new_name(piece, found, "the attribute's name")
        kind = piece.choice("type", ATTRIBUTE_TYPES)
        default = _default(piece, kind) if piece.has("default") else None
        found[name] = Attribute(name, cast(Any, kind), default)
    return found


def _default(piece: Piece, kind: str) -> AttributeValue:
    """Return the default of an attribute, which must be of its type."""
    value = piece.values["default"]
    number = as_number(value)
    if kind == "number" and number is not None:
        return number
    if kind == "string" and isinstance(value, str):
        return value
    if kind == "string_list" and isinstance(value, list) and all(isinstance(text, str) for text in value):
        return list(value)
    if kind == "string_number_map" and isinstance(value, dict):
        numbers = {key: as_number(item) for key, item in value.items()}
        if None not in numbers.values():
            return cast(dict[str, float], numbers)
    raise RuleSetError(f"{piece.at('default')} must be a {kind} like the attribute, not {shown(value)}.")


def _teams(pieces: Sequence[Piece]) -> tuple[Team, ...]:
    """Return the teams of the document, each as often as its quantity says."""
    teams: list[Team] = []
    taken: set[str] = set()
    for piece in pieces:
        made = _team(piece, taken)
        taken |= {made[0].base, *(team.name for team in made)}
        teams += made
        if len(teams) > PLAYERS_MAX:
            piece.refuse("quantity", f"makes {len(teams)} teams; at most {PLAYERS_MAX} players can be in a match.")
    return tuple(teams)


def _team(piece: Piece, taken: set[str]) -> list[Team]:
    base = _new_name(piece, taken, "the team's name")
    if FORBIDDEN & set(base):
        piece.refuse(
            "name", f"must not have any of {' '.join(sorted(FORBIDDEN))} in it, so that rules can name the team."
        )
    piece.need("maxPlayers", "the most players of the team")
    piece.need("minPlayers", "the least players of the team")
    high = piece.whole("maxPlayers", 1, PLAYERS_MAX)
    low = piece.whole("minPlayers", 0, PLAYERS_MAX)
    quantity = piece.whole("quantity", 1, PLAYERS_MAX) or 1
    assert high is not None and low is not None
    if low > high:
        piece.refuse("minPlayers", f"must not be above maxPlayers: {low} is above {high}.")
    names = [base] if quantity == 1 else [f"{base}_{number}" for number in range(1, quantity + 1)]
    for name in names:
        if name in taken:
            piece.refuse("name", f"makes the team {name}, which is there already.")
    return [Team(name, base, low, high) for name in names]


def _new_name(piece: Piece, taken: Any, what: str) -> str:
    name = piece.text("name", what)
    if name in taken:
        piece.refuse("name", f"must be unique; {name} is there already.")
    return name


def _rules(pieces: Sequence[Piece], names: Names) -> tuple[Rule, ...]:
    found: dict[str, Rule] = {}
    for piece in pieces:
        _new_name(piece, found, "the rule's name")
        rule = read_rule(piece, names, found)
        found[rule.name] = rule
    return tuple(found.values())


def _algorithm(document: Piece, attributes: Mapping[str, Attribute]) -> Algorithm:
    given = document.values.get("algorithm")
    if given is None:
        return Algorithm()
    if not isinstance(given, dict):
        document.refuse("algorithm", f"must be an object, not {shown(given)}.")
    piece = Piece(given, "algorithm")
    strategy = piece.choice("strategy", STRATEGIES, STRATEGIES[0])
    batching = piece.choice("batchingPreference", BATCHING[strategy]) if piece.has("batchingPreference") else None
    priority = piece.choice("backfillPriority", ("normal", "low", "high"), "normal")
    if strategy == "balanced" and priority != "normal":
        piece.refuse("backfillPriority", "can only be given with the strategy exhaustiveSearch.")
    return Algorithm(
        cast(Any, strategy),
        batching,
        _sort_by(piece, attributes) if batching == "sorted" else (),
        _balanced_attribute(piece, attributes) if strategy == "balanced" else None,
        cast(Any, piece.choice("expansionAgeSelection", ("newest", "oldest"), "newest")),
        cast(Any, priority),
    )


def _sort_by(piece: Piece, attributes: Mapping[str, Attribute]) -> tuple[str, ...]:
    given = piece.need("sortByAttributes", "the attributes that the batching preference sorted sorts by")
    names = given if isinstance(given, list) else [given]
    if not names:
        piece.refuse("sortByAttributes", "must name at least one attribute.")
    for name in names:
        if not isinstance(name, str) or name not in attributes:
            piece.refuse("sortByAttributes", f"names {shown(name)}, which playerAttributes does not declare.")
        if attributes[name].type not in ("string", "number"):
            piece.refuse("sortByAttributes", f"names {name}, which must be a number or a string.")
    return tuple(names)


def _balanced_attribute(piece: Piece, attributes: Mapping[str, Attribute]) -> str:
    name = piece.text("balancedAttribute", "the number that the strategy balanced balances teams by")
    if name not in attributes or attributes[name].type != "number":
        piece.refuse("balancedAttribute", f"names {name}, which playerAttributes does not declare as a number.")
    return name


def _levels(
    first: Level,
    team_pieces: Sequence[Piece],
    rule_pieces: Sequence[Piece],
    attributes: Mapping[str, Attribute],
    steps: Sequence[Step],
) -> list[Level]:
    """Return the level without expansions and one more for each waiting time at which something changes."""
    levels = [first]
    pieces = {"teams": list(team_pieces), "rules": list(rule_pieces)}
    for step in steps:
        last = levels[-1]
        if step.wait_s > last.wait_s:
            last = Level(step.wait_s, last.teams, last.rules)
            levels.append(last)
        levels[-1] = _stepped(last, step, pieces, attributes)
    return levels


def _stepped(level: Level, step: Step, pieces: dict[str, list[Piece]], attributes: Mapping[str, Attribute]) -> Level:
    """Return a level with one step taken; pieces keep what the document says by then."""
    try:
        for number in step.numbers:
            piece = pieces[step.kind][number]
            pieces[step.kind][number] = Piece({**piece.values, step.field: step.value}, piece.path)
        if step.kind == "teams":
            return Level(level.wait_s, _teams(pieces["teams"]), level.rules)
        names = Names(level.teams, attributes)
        rules = list(level.rules)
        for number in step.numbers:
            before = {rule.name: rule for rule in rules[:number]}
            rules[number] = read_rule(pieces["rules"][number], names, before)
        return Level(level.wait_s, level.teams, tuple(rules))
    except RuleSetError as error:
        raise RuleSetError(f"{step.path}.value makes a wrong rule set: {error}") from error


def _check_size(level: Level, algorithm: Algorithm) -> None:
    """Check the number of players, and what large matches must do without."""
    count = level.players_max
    if count > PLAYERS_MAX:
        raise RuleSetError(f"teams have up to {count} players together; a match can have at most {PLAYERS_MAX}.")
    if count <= LARGE_PLAYERS:
        return
    if algorithm.strategy != "balanced":
        raise RuleSetError(f"algorithm.strategy must be balanced for a match of more than {LARGE_PLAYERS} players.")
    for number, rule in enumerate(level.rules):
        _check_large(number, rule)


def _check_large(number: int, rule: Rule) -> None:
    if isinstance(rule, Compound) or not isinstance(rule, Latency | BatchDistance):
        raise RuleSetError(
            f"rules[{number}].type must be latency or batchDistance in a match of more than {LARGE_PLAYERS} players."
        )
    if isinstance(rule, Latency) and rule.max_distance is not None:
        raise RuleSetError(
            f"rules[{number}].maxDistance cannot be used in a match of more than {LARGE_PLAYERS} players."
        )
