"""`apitrail lookup`: the event history, by one attribute on the server and any number of filters here."""

import itertools
import json
from typing import Any

import click

from apitrail.cli.client import Client
from apitrail.cli.discovery import find_target
from apitrail.cli.errors import NO, OK
from apitrail.cli.filters import AttributeType, EventFilter, filter_options, make_filter
from apitrail.cli.history import COLUMNS, Found, Scan, search
from apitrail.cli.known import SERVICES, all_operation_names
from apitrail.cli.options import Invocation, pass_invocation
from apitrail.cli.output import choose_format, emit
from apitrail.cli.spelling import did_you_mean
from apitrail.cli.times import FORMS, parse_time
from apitrail.cli.verbs import Verb


@click.command("lookup", cls=Verb, params=filter_options())
@click.option(
    "--attribute", "attributes", multiple=True, type=AttributeType(), help="Attribute of LookupEvents. Repeatable."
)
@click.option("--start", metavar="TIME", help=f"From this moment on: {FORMS}.")
@click.option("--end", metavar="TIME", help="Up to this moment.")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=1000, help="Events to show at most.")
@click.option("--scan-limit", type=click.IntRange(1), default=200_000, help="Events to read at most while filtering.")
@click.option("--raw", is_flag=True, help="The records themselves, as in a log file.")
@click.option("--fail-if-empty", is_flag=True, help="Exit with 1 when nothing matches.")
@pass_invocation
def lookup(
    invocation: Invocation,
    /,
    start: str | None,
    end: str | None,
    limit: int,
    scan_limit: int,
    raw: bool,
    fail_if_empty: bool,
    **given: Any,
) -> int:
    """Search the event history of the caller's account and region, newest first.

    The server filters by one attribute, the rest is filtered here. In JSON, events have the members of LookupEvents, with
    SourceIPAddress, AwsRegion and ErrorCode added.
    """
    now = invocation.clock.now()
    moments: dict[str, Any] = {
        "start": parse_time(start, now) if start else None,
        "end": parse_time(end, now) if end else None,
    }
    wanted = make_filter(**given, **moments)
    scan = Scan()
    matching = search(Client(find_target(invocation), invocation.clock), wanted, scan_limit, scan)
    found = list(itertools.islice(matching, limit))
    if len(found) == limit and next(matching, None) is not None:
        invocation.say(f"more than {limit} events match; ask for more with --limit")
    if scan.stopped:
        invocation.say(f"stopped after {scan.scanned} events; narrow it with --start, or raise --scan-limit")
    _show(invocation, found, raw)
    if found:
        return OK
    _hint_empty(invocation, wanted)
    return NO if fail_if_empty else OK


def _show(invocation: Invocation, found: list[Found], raw: bool) -> None:
    if raw and choose_format(invocation) in ("json", "jsonl"):
        emit(invocation, {"Records": [event.record for event in found]}, items="Records")
    else:
        emit(invocation, {"Events": [event.entry for event in found]}, items="Events", columns=COLUMNS)


def _hint_empty(invocation: Invocation, wanted: EventFilter) -> None:
    """Say that nothing matched, and where a name is no service's or operation's, the nearest spelling."""
    remarks = ["no events match"]
    for word, known in (
        *((name, SERVICES) for name in wanted.services),
        *((name, all_operation_names()) for name in wanted.names),
    ):
        if word not in known and (hint := did_you_mean(word, known)):
            remarks.append(f"{json.dumps(word)} is not known; {hint}")
    invocation.say("; ".join(remarks))
