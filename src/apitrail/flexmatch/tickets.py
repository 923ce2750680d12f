"""What goes into the engine, tickets with their players, and what comes out, proposals of matches. Plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from apitrail.flexmatch.ruleset import AttributeValue


@dataclass(frozen=True, slots=True)
class Player:
    """A player. latencies: milliseconds by location. team: for players of a backfill ticket, the team they are in."""

    id: str
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    latencies: Mapping[str, int] = field(default_factory=dict)
    team: str | None = None


@dataclass(frozen=True, slots=True)
class Backfill:
    """Says that the ticket's players are in a game session already, and others shall join them."""

    game_session: str


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request that waits. started_at: epoch seconds; its age decides about order and expansions."""

    id: str
    started_at: float
    players: tuple[Player, ...]
    backfill: Backfill | None = None


@dataclass(frozen=True, slots=True)
class RuleCount:
    """How often a rule passed and failed in trial matches."""

    rule: str
    passed: int
    failed: int


@dataclass(frozen=True, slots=True)
class Proposal:
    """A match. tickets: in the order of joining, the anchor first.

    teams: the players of every team by its name, with those of a backfill ticket; a team may be empty. locations: where all
    players may play, sorted; None: nobody has said where. backfill: the game session that is filled. players_max: the
    most players that such a match has.
    """

    tickets: tuple[str, ...]
    teams: dict[str, tuple[str, ...]]
    locations: tuple[str, ...] | None
    backfill: str | None
    players_max: int
    counts: tuple[RuleCount, ...] = ()
