"""FlexMatch: the rule language, and the engine that forms matches from waiting tickets. Pure: no file, no socket, no clock.

document: JSON read with paths; expressions, statements, rules, expansions, parse: the language, from text to `RuleSet`.
tickets: what goes in and comes out. values, party, checks_*: rules compiled to closures over the teams of a match.
plan: the rules as they hold at one age; index, candidates, match, search, balance: finding a match for a ticket.
pool: all waiting tickets of a configuration, pass by pass; explain: why a ticket still waits.
"""

from apitrail.flexmatch.errors import RuleSetError
from apitrail.flexmatch.explain import Explanation, RuleFinding, explain
from apitrail.flexmatch.parse import parse_rule_set
from apitrail.flexmatch.pool import Pool
from apitrail.flexmatch.ruleset import RuleSet
from apitrail.flexmatch.tickets import Backfill, Player, Proposal, RuleCount, Ticket

__all__ = [
    "Backfill",
    "Explanation",
    "Player",
    "Pool",
    "Proposal",
    "RuleCount",
    "RuleFinding",
    "RuleSet",
    "RuleSetError",
    "Ticket",
    "explain",
    "parse_rule_set",
]
