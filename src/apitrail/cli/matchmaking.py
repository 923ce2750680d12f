"""`apitrail matchmaking`: why a ticket waits, as the matching engine sees it now."""

from collections.abc import Mapping
from datetime import tzinfo
from functools import partial
from typing import Any
from urllib.parse import urlencode

import click

from apitrail.cli.client import Client
from apitrail.cli.discovery import find_target
from apitrail.cli.options import Invocation, pass_invocation
from apitrail.cli.output import emit, member
from apitrail.cli.terminal import Pen, clean, table_lines, terminal_columns
from apitrail.cli.verbs import Family

COLUMNS = (
    member("rule", "rule"),
    member("type", "type"),
    member("refused", "refused"),
    member("nearest", "nearest"),
    member("miss", "miss"),
    member("passed", "passed"),
    member("failed", "failed"),
    member("alone", "alone"),
)
NO_EXPLANATION = "it is not in the engine's pool now"


@click.group("matchmaking", cls=Family)
def matchmaking() -> None:
    """Find out why a matchmaking ticket waits."""


@matchmaking.command("explain")
@click.argument("ticket")
@pass_invocation
def explain(invocation: Invocation, /, ticket: str) -> None:
    """Say why a ticket has no match yet: which rules refuse whom, how near the nearest was, how many players are missing.

    Per rule: other tickets that it refuses, the nearest of them and by how much that misses, and how trial matches fared.
    """
    client = Client(find_target(invocation), invocation.clock)
    found = client.own(f"matchmaking/explain?{urlencode({'ticket': ticket})}")
    facts = {**found, **(found.get("explanation") or {})}
    facts.pop("explanation", None)
    emit(invocation, facts, items="rules", columns=COLUMNS, table=partial(_lines, facts))


def _lines(facts: Mapping[str, Any], pen: Pen, zone: tzinfo | None) -> list[str]:
    """Return the screen: the ticket, the sentence that says it all, then a line per rule."""
    lines = [
        f"{pen.paint('bold', 'ticket')}   {clean(str(facts['ticket_id']))}, {facts['status']} in {facts['configuration']}, "
        f"{facts['pool_size']} in its pool"
    ]
    if "summary" not in facts:
        return [*lines, f"{pen.paint('bold', 'answer')}   {NO_EXPLANATION}"]
    lines.append(f"{pen.paint('bold', 'answer')}   {clean(str(facts['summary']))}")
    lines.append(
        f"{pen.paint('bold', 'others')}   {facts['others']} wait as well, {facts['possible']} of them could play with it; "
        f"{facts['players_needed']} players are needed"
    )
    rows = [
        [clean("" if (value := column.cell(rule)) is None else str(value)) for column in COLUMNS]
        for rule in facts["rules"]
    ]
    titles = [column.title for column in COLUMNS]
    return [*lines, "", *table_lines(titles, rows, terminal_columns(), pen)] if rows else lines
