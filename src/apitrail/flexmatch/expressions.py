"""Property expressions: `avg(flatten(teams[*].players.attributes[skill]))`, from text to `Measured`.

Source: FlexMatch developer guide, property expressions. Inferred: `team[..]` and a bare `players..` as synonyms;
the name of teams with a quantity stands for all of them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from apitrail.flexmatch.ruleset import Apply, Attribute, Base, Expression, Measured, Path, Team

LENGTH_MAX = 1_000
NUMBER_FUNCTIONS = ("min", "max", "avg", "median", "sum", "stddev")
FUNCTIONS = (*NUMBER_FUNCTIONS, "count", "flatten", "set_intersection")

CALL = re.compile(r"\s*([A-Za-z_]+)\s*\(")
PATH = re.compile(
    r"\s*(?:teams?\[(?P<teams>[^\]\[]*)\])?(?P<players>\.?players)?"
    r"(?:\[(?P<id>[^\]\[]*)\]|\.attributes\[(?P<attribute>[^\]\[]*)\])?\s*"
)
TYPES: Mapping[str, tuple[Base, int]] = {
    "string": ("string", 0),
    "number": ("number", 0),
    "string_list": ("string", 1),
    "string_number_map": ("map", 0),
}


class WrongExpression(Exception):
    """A text is an expression, but cannot be used. The message completes "The expression ... "."""


@dataclass(frozen=True, slots=True)
class Names:
    """What expressions may speak of."""

    teams: tuple[Team, ...]
    attributes: Mapping[str, Attribute]

    def team_numbers(self, name: str) -> tuple[int, ...]:
        """Return the numbers of the teams of a name: one, or all those made from a quantity."""
        exact = tuple(number for number, team in enumerate(self.teams) if team.name == name)
        return exact or tuple(number for number, team in enumerate(self.teams) if team.base == name)


def read_expression(text: str, names: Names) -> Measured | None:
    """Return the expression that a text is, or None when it is none.

    Raises: WrongExpression (unknown team, attribute or function; a function of a wrong type).
    """
    if len(text) > LENGTH_MAX:
        return None
    functions, rest = _peel(text)
    if rest is None or (found := PATH.fullmatch(rest)) is None:
        return None
    if found["teams"] is None and found["players"] != "players":
        return None
    if found["players"] is None and (found["id"] is not None or found["attribute"] is not None):
        return None
    if found["teams"] is not None and found["players"] == "players":
        return None
    expression, base, depth = _path(found, names)
    for function in reversed(functions):
        expression, base, depth = _apply(function, expression, base, depth)
    return Measured(expression, base, depth, text.strip())


def _peel(text: str) -> tuple[list[str], str | None]:
    """Return the functions of a text, outermost first, and what they are applied to; None if parentheses are missing."""
    functions = []
    while (call := CALL.match(text)) is not None:
        functions.append(call[1])
        text = text[call.end() :].rstrip()
        if not text.endswith(")"):
            return functions, None
        text = text[:-1]
    return functions, text


def _path(found: re.Match[str], names: Names) -> tuple[Expression, Base, int]:
    """Return the path that the innermost part of an expression is, and its type."""
    numbers, nested = _teams(found["teams"], names)
    flat = found["teams"] is None
    depth = int(nested) + 1
    if found["attribute"] is not None:
        attribute = names.attributes.get(found["attribute"].strip())
        if attribute is None:
            declared = ", ".join(names.attributes) or "none"
            raise WrongExpression(f"names the attribute {found['attribute']}; declared are: {declared}")
        base, more = TYPES[attribute.type]
        return Path("attribute", numbers, nested, attribute.name), base, depth + more
    if found["id"] is not None:
        if found["id"].strip() not in ("playerId", "playerid"):
            raise WrongExpression(f"has [{found['id']}] after players, where only [playerId] can stand")
        return Path("ids", numbers, nested), "string", depth
    if found["players"] is None and not flat:
        return Path("teams", numbers, nested), "team", int(nested)
    return Path("players", numbers, nested), "player", depth


def _teams(text: str | None, names: Names) -> tuple[tuple[int, ...], bool]:
    """Return the numbers of the teams in brackets, and whether they make a list of teams."""
    everybody = tuple(range(len(names.teams)))
    if text is None:
        return everybody, False
    if text.strip() == "*":
        return everybody, True
    wanted = [name.strip() for name in text.split(",")]
    found: dict[int, None] = {}
    for name in wanted:
        numbers = names.team_numbers(name)
        if not numbers:
            known = ", ".join(team.name for team in names.teams)
            raise WrongExpression(f"names the team {name}; there are: {known}")
        found |= dict.fromkeys(numbers)
    return tuple(found), len(found) > 1


def _apply(function: str, argument: Expression, base: Base, depth: int) -> tuple[Expression, Base, int]:
    """Return a function's application and its type."""
    if function not in FUNCTIONS:
        raise WrongExpression(f"uses the function {function}; there are: {', '.join(FUNCTIONS)}")
    applied = Apply(function, argument)
    if function in NUMBER_FUNCTIONS and (base != "number" or depth < 1):
        raise WrongExpression(f"applies {function} to something that is no list of numbers")
    if function == "count" and depth < 1:
        raise WrongExpression("applies count to something that is no list")
    if function in ("flatten", "set_intersection") and depth < 2:
        raise WrongExpression(f"applies {function} to something that is no list of lists")
    if function == "set_intersection" and base != "string":
        raise WrongExpression("applies set_intersection to something that is no list of lists of texts")
    return applied, "number" if function == "count" else base, depth - 1
