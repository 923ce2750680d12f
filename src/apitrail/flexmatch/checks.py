"""Rules compiled to checks of the teams of a match.

A check tells whether the rule holds in a complete match, and what can be said earlier: about one party alone, about all
that are still to come, or as the widest span of a value. So most candidates are refused before a match is tried.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from apitrail.flexmatch.party import Slots
from apitrail.flexmatch.ruleset import Apply, Constant, Expression, Measured, Path
from apitrail.flexmatch.values import Teams

Passes = Callable[[Teams], bool]
Alone = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Limit:
    """A condition on one party's value wherever it is in some teams. slot: of the value."""

    teams: frozenset[int]
    slot: int
    allows: Alone


@dataclass(frozen=True, slots=True)
class Span:
    """The greatest and least value of all parties differ by at most width; width 0 and is_text: all are equal."""

    slot: int
    width: float
    is_text: bool = False


@dataclass(slots=True)
class Check:
    """A compiled rule.

    passes: whether it holds. prune: False once no further player can make it hold; None: nothing can be said before the end.
    limits, spans: what every match that passes must keep to. needs: (teams, slot) of values that parties in these teams
    must have. free: the result does not depend on who is in which team. miss: by how much the rule fails, None: unknown.
    """

    name: str
    type: str
    passes: Passes
    prune: Passes | None = None
    limits: list[Limit] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    needs: list[tuple[frozenset[int], int]] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    free: bool = True
    miss: Callable[[Teams], float | None] | None = None


class Compiler:
    """Compiles the rules of one level. everybody: the numbers of all teams."""

    def __init__(self, slots: Slots, team_count: int) -> None:
        self.slots = slots
        self.everybody = frozenset(range(team_count))

    def base(self, rule: Any, type: str, passes: Passes, expressions: Sequence[Measured]) -> Check:
        """Return a check with what its expressions need of players."""
        paths = [path for item in expressions for path in paths_in(item.expression)]
        attributes = [path for path in paths if path.kind == "attribute"]
        needs = [(frozenset(path.teams), self.slots.number(path.attribute, rule.aggregation)) for path in attributes]
        free = all(self.is_free(item.expression) for item in expressions)
        return Check(rule.name, type, passes, needs=needs, paths=paths, free=free)

    def is_free(self, expression: Expression) -> bool:
        """Return whether an expression's result is the same however players are spread over the teams."""
        if isinstance(expression, Constant):
            return True
        if isinstance(expression, Path):
            return not expression.nested and frozenset(expression.teams) == self.everybody
        inner = expression.argument
        if expression.function == "flatten" and isinstance(inner, Path):
            return frozenset(inner.teams) == self.everybody
        return self.is_free(inner)


def paths_in(expression: Expression) -> Iterator[Path]:
    """Yield the path that an expression is about, if it is about one."""
    while isinstance(expression, Apply):
        expression = expression.argument
    if isinstance(expression, Path):
        yield expression


def plain_path(expression: Expression) -> Path | None:
    """Return the path whose values an expression lists one by one, or None when it computes something."""
    while isinstance(expression, Apply) and expression.function == "flatten":
        expression = expression.argument
    return expression if isinstance(expression, Path) else None


def applied_to_plain(expression: Expression, functions: Sequence[str]) -> Path | None:
    """Return the path of all whose values one of some functions makes one value."""
    if not isinstance(expression, Apply) or expression.function not in functions:
        return None
    path = plain_path(expression.argument)
    return path if path is not None and not (path.nested and isinstance(expression.argument, Path)) else None
