"""A rule set as it is understood: teams, attributes, algorithm and rules, at each level that its expansions make.

Everything here is plain and can be pickled. Source: FlexMatch developer guide, rule set schema.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal as OneOf

Base = OneOf["number", "string", "map", "player", "team"]
AttributeType = OneOf["string", "number", "string_list", "string_number_map"]
AttributeValue = str | float | list[str] | dict[str, float]
Scalar = float | str

LARGE_PLAYERS = 40
"""A match of more players than this is a large match."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """A declared player attribute. default: taken for players who bring none; None: there is no default."""

    name: str
    type: AttributeType
    default: AttributeValue | None


@dataclass(frozen=True, slots=True)
class Team:
    """One team of a match. base: its name in the document; with a quantity above 1 the name is `<base>_<number>`."""

    name: str
    base: str
    min_players: int
    max_players: int


@dataclass(frozen=True, slots=True)
class Algorithm:
    """How matches are formed. batching: as given, or None, which means the strategy's default."""

    strategy: OneOf["exhaustiveSearch", "balanced"] = "exhaustiveSearch"
    batching: str | None = None
    sort_by: tuple[str, ...] = ()
    balanced_attribute: str | None = None
    expansion_age: OneOf["newest", "oldest"] = "newest"
    backfill_priority: OneOf["high", "normal", "low"] = "normal"


@dataclass(frozen=True, slots=True)
class Path:
    """Players or what they bring, of some teams. nested: one list per team rather than one list.

    kind: `teams`, `players`, `ids` or `attribute`.
    """

    kind: OneOf["teams", "players", "ids", "attribute"]
    teams: tuple[int, ...]
    nested: bool
    attribute: str = ""


@dataclass(frozen=True, slots=True)
class Apply:
    """A function of a property expression."""

    function: str
    argument: "Expression"


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that stands in the document."""

    value: float | str | tuple[str, ...]


Expression = Path | Apply | Constant


@dataclass(frozen=True, slots=True)
class Measured:
    """An expression with the type of its result. depth: 0 a single value, 1 a list, 2 a list of lists, ..."""

    expression: Expression
    base: Base
    depth: int
    text: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Compares measured values with a reference, or, without one, with each other."""

    name: str
    measurements: tuple[Measured, ...]
    operation: str
    reference: Measured | None
    aggregation: str


@dataclass(frozen=True, slots=True)
class Distance:
    """Bounds the distance of measured values from a reference."""

    name: str
    measurements: tuple[Measured, ...]
    reference: Measured
    min_distance: float | None
    max_distance: float | None
    aggregation: str


@dataclass(frozen=True, slots=True)
class CollectionRule:
    """Bounds a number of texts: occurrences, common ones, or ones shared with a reference."""

    name: str
    measurements: tuple[Measured, ...]
    operation: OneOf["contains", "intersection", "reference_intersection_count"]
    reference: Measured | None
    min_count: int | None
    max_count: int | None
    aggregation: str


@dataclass(frozen=True, slots=True)
class Latency:
    """Asks for a location that is near to everybody. reference: what max_distance is measured from."""

    name: str
    max_latency: float
    max_distance: float | None
    reference: OneOf["min", "avg"]
    aggregation: str


@dataclass(frozen=True, slots=True)
class BatchDistance:
    """Keeps those together who are alike in an attribute. max_distance: None for texts, which must be equal."""

    name: str
    attribute: str
    max_distance: float | None
    aggregation: str


@dataclass(frozen=True, slots=True)
class Sort:
    """Orders candidates, by value or by the distance from the anchor's. map_key: for maps, whose key is taken."""

    name: str
    absolute: bool
    descending: bool
    attribute: str
    map_key: OneOf["minValue", "maxValue"] | None
    aggregation: str


Statement = str | tuple["str | Statement", ...]
"""A rule's name, or (operator, statement, ...)."""


@dataclass(frozen=True, slots=True)
class Compound:
    """A logical statement over rules that stand before it."""

    name: str
    statement: Statement
    parts: frozenset[str]


Rule = Comparison | Distance | CollectionRule | Latency | BatchDistance | Sort | Compound


@dataclass(frozen=True, slots=True)
class Level:
    """Teams and rules as they hold from a waiting time on."""

    wait_s: float
    teams: tuple[Team, ...]
    rules: tuple[Rule, ...]

    @property
    def players_max(self) -> int:
        """The most players of a match."""
        return sum(team.max_players for team in self.teams)

    @property
    def players_min(self) -> int:
        """The least players of a match."""
        return sum(team.min_players for team in self.teams)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """A rule set. levels: by waiting time, the first from 0 s on; there are several if it has expansions."""

    name: str
    attributes: Mapping[str, Attribute]
    algorithm: Algorithm
    levels: tuple[Level, ...]

    @property
    def teams(self) -> tuple[Team, ...]:
        """The teams before any expansion."""
        return self.levels[0].teams

    @property
    def players_max(self) -> int:
        """The most players of a match before any expansion."""
        return self.levels[0].players_max

    @property
    def players_min(self) -> int:
        """The least players of a match, at the level that asks for the fewest."""
        return min(level.players_min for level in self.levels)

    @property
    def is_large(self) -> bool:
        """Whether its matches are large ones, at any level."""
        return max(level.players_max for level in self.levels) > LARGE_PLAYERS
