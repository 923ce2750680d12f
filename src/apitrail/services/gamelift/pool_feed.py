"""What the matchmaking worker asks of the service: which tickets wait, what has changed, and whether a match holds.

Each function is one piece of work in a transaction.
"""

import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from apitrail.flexmatch.tickets import Proposal, Ticket
from apitrail.services.context import Context
from apitrail.services.gamelift import matches
from apitrail.services.gamelift.collections import (
    MATCH_CHANGES,
    MATCHMAKING_CONFIGURATIONS,
    TICKETS,
    WAITING_TICKET,
)
from apitrail.services.gamelift.matchmaking_rules import body_of, engine_ticket
from apitrail.services.gamelift.ticket_steps import note_change, take_up
from apitrail.store.database import Tx
from apitrail.store.resources import Doc


class PoolKey(NamedTuple):
    """A configuration: whose pool it is."""

    account: str
    region: str
    configuration: str


class PoolRules(NamedTuple):
    """What a pool is made with. body: of the rule set. open_slots: AdditionalPlayerCount. seed: of its chance."""

    body: str
    open_slots: int
    seed: int


class Change(NamedTuple):
    """A ticket as it is now. ticket: None when it waits no more. version: of the ticket, to be handed back with a match."""

    key: PoolKey
    ticket_id: str
    version: int
    ticket: Ticket | None


class _At(NamedTuple):
    tx: Tx
    account: str
    region: str


class Changes(NamedTuple):
    """What has changed: tickets, and configurations whose pools have to be made anew. more: there is more to be taken."""

    tickets: list[Change]
    configurations: list[PoolKey]
    more: bool


def take_changes(ctx: Context, limit: int) -> Changes:
    """Take the next changes, and take up the new tickets among them."""
    entries = MATCH_CHANGES(ctx).page(limit)
    tickets: list[Change] = []
    configurations: list[PoolKey] = []
    for entry in entries:
        MATCH_CHANGES(ctx).delete(entry.id)
        there = ctx.at(entry.doc["Account"], entry.doc["Region"])
        if "Configuration" in entry.doc:
            configurations.append(PoolKey(there.account, there.region, entry.doc["Configuration"]))
        elif (ticket := TICKETS(there).get(entry.doc["TicketId"])) is not None:
            if ticket["Status"] == "QUEUED":
                take_up(there, ticket)
            tickets.append(_change(there.account, there.region, ticket))
    return Changes(tickets, configurations, len(entries) == limit)


def configurations_of(tx: Tx) -> list[PoolKey]:
    """Return every configuration for which tickets may wait."""
    return [PoolKey(account, region, one.id) for account, region, one in MATCHMAKING_CONFIGURATIONS.everywhere(tx)]


def waiting_tickets(tx: Tx, key: PoolKey, after: int, limit: int) -> tuple[list[Change], int | None]:
    """Return the next tickets that wait in a pool, and the place to go on from; None at the end.

    New ones that nobody has taken up yet are left out; there is a note of them among the changes.
    """
    found = TICKETS.at(tx, key.account, key.region).find("pool", key.configuration, limit, after)
    changes = [_change(key.account, key.region, entry.doc) for entry in found if entry.doc["Status"] == "SEARCHING"]
    return changes, found[-1].ord if len(found) == limit else None


def rules_of_pool(tx: Tx, key: PoolKey) -> PoolRules | None:
    """Return what a pool is made with; None when there is no such configuration."""
    place = _At(tx, key.account, key.region)
    configuration = MATCHMAKING_CONFIGURATIONS(place).get(key.configuration)
    if configuration is None:
        return None
    seed = zlib.crc32(configuration["ConfigurationArn"].encode())
    return PoolRules(body_of(place, configuration), configuration["AdditionalPlayerCount"], seed)


def form_matches(ctx: Context, key: PoolKey, proposals: Sequence[Proposal], versions: Mapping[str, int]) -> list[bool]:
    """Make matches of proposals whose tickets are as they were; the others' tickets are noted, so that they wait again."""
    there = ctx.at(key.account, key.region)
    formed = []
    for proposal in proposals:
        formed.append(matches.form(there, key.configuration, proposal, versions))
        if not formed[-1]:
            for ticket_id in proposal.tickets:
                note_change(there, ticket_id)
    return formed


def find_ticket(tx: Tx, account: str, region: str, ticket_id: str) -> Doc | None:
    """Return a ticket, or None."""
    return TICKETS.at(tx, account, region).get(ticket_id)


def _change(account: str, region: str, ticket: Doc) -> Change:
    key = PoolKey(account, region, ticket["ConfigurationName"])
    waits = ticket["Status"] in WAITING_TICKET
    return Change(key, ticket["TicketId"], ticket["_Version"], engine_ticket(ticket) if waits else None)
