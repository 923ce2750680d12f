"""What tickets may say, by the rule set of their configuration, and how they look to the matching engine.

Source: service model (Player, AttributeValue); GameLift API Reference.
"""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from apitrail.flexmatch import RuleSet, parse_rule_set
from apitrail.flexmatch.ruleset import AttributeValue
from apitrail.flexmatch.tickets import Backfill, Player, Ticket
from apitrail.services.context import Context
from apitrail.services.gamelift.collections import RULE_SETS
from apitrail.services.gamelift.errors import InvalidRequestException
from apitrail.store.resources import Doc, Place

PLAYERS_MAX = 10
BACKFILL_PLAYERS_MAX = 199
ATTRIBUTES_MAX = 10
TYPES = {"S": "string", "N": "number", "SL": "string_list", "SDM": "string_number_map"}
"""The members of AttributeValue, and the type of a rule set's attribute that they are values of."""

parse_cached = lru_cache(256)(parse_rule_set)

Players = Sequence[Mapping[str, Any]]


def body_of(place: Place, configuration: Doc) -> str:
    """Return the body of a configuration's rule set, which cannot be deleted while it is used."""
    rule_set = RULE_SETS(place).get(configuration["RuleSetName"])
    assert rule_set is not None, configuration["RuleSetName"]
    return str(rule_set["RuleSetBody"])


def rules_of(ctx: Context, configuration: Doc) -> RuleSet:
    """Return a configuration's rule set as it is understood."""
    return parse_cached(body_of(ctx, configuration))


def check_players(players: Players, count_max: int) -> None:
    """Check a ticket's players by themselves. Raises: InvalidRequestException."""
    if not 1 <= len(players) <= count_max:
        raise InvalidRequestException(f"Players must have from 1 to {count_max} items, not {len(players)}.")
    ids = [player.get("PlayerId") for player in players]
    if None in ids:
        raise InvalidRequestException("Every player needs a PlayerId.")
    if len(set(ids)) < len(ids):
        raise InvalidRequestException("Players must not name a player twice.")
    for player in players:
        _check_attributes(player)


def check_types(rules: RuleSet, players: Players) -> None:
    """Check that the attributes that a rule set declares have values of their types. Raises: InvalidRequestException."""
    for player in players:
        for name, value in player.get("PlayerAttributes", {}).items():
            declared = rules.attributes.get(name)
            given = TYPES[next(iter(value))]
            if declared is not None and declared.type != given:
                raise InvalidRequestException(
                    f"Attribute {name} of player {player['PlayerId']} is a {given}; the rule set wants a {declared.type}."
                )


def check_no_teams(players: Players) -> None:
    """Raise InvalidRequestException when a player has a team already."""
    if any("Team" in player for player in players):
        raise InvalidRequestException("Team must not be given in StartMatchmaking; matchmaking assigns it.")


def check_teams(rules: RuleSet, players: Players) -> None:
    """Check that every player of a backfill request is in a team of the rule set. Raises: InvalidRequestException."""
    known = {team.name for team in rules.teams}
    for player in players:
        if player.get("Team") not in known:
            raise InvalidRequestException(
                f"Team of player {player['PlayerId']} must be one of {', '.join(sorted(known))}."
            )


def engine_ticket(ticket: Doc) -> Ticket:
    """Return a ticket as the matching engine wants it."""
    players = tuple(
        Player(
            player["PlayerId"],
            {name: plain(value) for name, value in player.get("PlayerAttributes", {}).items()},
            player.get("LatencyInMs", {}),
            player.get("Team") if "_Backfill" in ticket else None,
        )
        for player in ticket["Players"]
    )
    backfill = Backfill(ticket["_Backfill"]) if "_Backfill" in ticket else None
    return Ticket(ticket["TicketId"], ticket["StartTime"].timestamp(), players, backfill)


def plain(value: Mapping[str, Any]) -> AttributeValue:
    """Return the value that an AttributeValue holds."""
    name, inner = next(iter(value.items()))
    return float(inner) if name == "N" else inner


def _check_attributes(player: Mapping[str, Any]) -> None:
    attributes = player.get("PlayerAttributes", {})
    if len(attributes) > ATTRIBUTES_MAX:
        raise InvalidRequestException(
            f"Player {player['PlayerId']} has {len(attributes)} attributes; at most {ATTRIBUTES_MAX} are allowed."
        )
    for name, value in attributes.items():
        if len(value) != 1:
            raise InvalidRequestException(
                f"Attribute {name} of player {player['PlayerId']} must have exactly one of S, N, SL and SDM."
            )
        numbers = (value.get("N", 0.0), *value.get("SDM", {}).values())
        if not all(map(math.isfinite, numbers)):
            raise InvalidRequestException(f"Attribute {name} of player {player['PlayerId']} must be a finite number.")
