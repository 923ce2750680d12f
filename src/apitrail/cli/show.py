"""`apitrail show`: one event in full, several compared field by field, and what is related to them."""

import itertools
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from functools import partial
from typing import Any

import click

from apitrail.cli.client import Client
from apitrail.cli.discovery import find_target
from apitrail.cli.errors import NO, OK, CliError
from apitrail.cli.filters import EventFilter
from apitrail.cli.history import COLUMNS, Found, around, find_event, search
from apitrail.cli.options import Invocation, pass_invocation
from apitrail.cli.output import UNBOUNDED, Column, cell_text, choose_format, emit
from apitrail.cli.records import Record, flat_fields, sentence, text_of
from apitrail.cli.terminal import Pen, clean, pad, table_lines, width_of
from apitrail.cli.verbs import Verb

COMPARED_MAX = 20
RELATED_MAX = 200
RELATED_SCAN = 5000
RELATED_SPAN = timedelta(minutes=5)


@click.command("show", cls=Verb)
@click.argument("ids", metavar="EVENT_ID...", nargs=-1, required=True)
@click.option("--raw", is_flag=True, help="The records as they are in a log file.")
@click.option("--all", "all_fields", is_flag=True, help="When comparing, also show the fields that are equal.")
@click.option("--related", is_flag=True, help="Show events with the same request, session or resource instead.")
@pass_invocation
def show(invocation: Invocation, ids: tuple[str, ...], raw: bool, all_fields: bool, related: bool) -> int:
    """Show one event, or compare several field by field."""
    if len(ids) > COMPARED_MAX:
        raise click.UsageError(f"at most {COMPARED_MAX} events can be compared")
    client = Client(find_target(invocation), invocation.clock)
    found = [_event(client, event_id) for event_id in ids]
    records = [event.record for event in found]
    if related:
        return _show_related(invocation, client, found)
    if raw and len(records) > 1:
        emit(invocation, {"Records": records}, items="Records")
    elif raw:
        emit(invocation, records[0])
    elif len(records) == 1:
        _show_one(invocation, records[0])
    else:
        _compare(invocation, records, all_fields)
    return OK


def _event(client: Client, event_id: str) -> Found:
    found = find_event(client, event_id)
    if found is None:
        region = client.target.region
        raise CliError(
            f"no event {event_id} in the history of this account in {region}",
            code="no-such-event",
            exit_code=NO,
            hint="ask another region with --region, or another account with --profile",
        )
    return found


def _show_one(invocation: Invocation, record: Record) -> None:
    fields = [{"field": name, "value": value} for name, value in flat_fields(record).items()]
    if invocation.query or choose_format(invocation) in ("json", "jsonl"):
        emit(invocation, record)
        return
    columns = (Column("field", lambda item: item["field"]), Column("value", lambda item: item["value"]))
    emit(invocation, fields, columns=columns, table=partial(_one_lines, record))


def _one_lines(record: Record, pen: Pen, zone: tzinfo | None) -> list[str]:
    fields = {clean(name): clean(cell_text(value, none="null")) for name, value in flat_fields(record).items()}
    width = max(map(width_of, fields))
    lines = [f"{pen.paint('dim', pad(name, width))}  {value}" for name, value in fields.items()]
    return [pen.paint("bold", clean(sentence(record, zone))), "", *lines]


def differences(records: list[Record]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the fields that differ and those that are equal, each with its values in the order of the records."""
    flat = [flat_fields(record) for record in records]
    different: list[dict[str, Any]] = []
    equal: list[dict[str, Any]] = []
    for name in dict.fromkeys(name for fields in flat for name in fields):
        values = [fields.get(name) for fields in flat]
        is_equal = all(name in fields and fields[name] == values[0] for fields in flat)
        (equal if is_equal else different).append({"Field": name, "Values": values})
    return different, equal


def _compare(invocation: Invocation, records: list[Record], all_fields: bool) -> None:
    different, equal = differences(records)
    rows = different + equal if all_fields else different
    columns = [Column("field", lambda row: row["Field"])]
    columns += [Column(text_of(record, "eventID")[:8], partial(_value, n)) for n, record in enumerate(records)]
    document = {"Differences": different, "EqualFields": [row["Field"] for row in equal], "Events": records}
    if not all_fields:
        invocation.say(f"{len(different)} fields differ, {len(equal)} are equal")
    emit(invocation, document, items="Differences", columns=columns, table=partial(_compared_lines, rows, columns))


def _value(number: int, row: dict[str, Any]) -> Any:
    return row["Values"][number]


def _compared_lines(rows: list[dict[str, Any]], columns: list[Column], pen: Pen, zone: tzinfo | None) -> list[str]:
    cells = [[cell_text(column.cell(row), none="-") for column in columns] for row in rows]
    return table_lines([column.title for column in columns], cells, UNBOUNDED, pen)


def _show_related(invocation: Invocation, client: Client, found: list[Found]) -> int:
    entries: dict[str, dict[str, Any]] = {}
    for event in found:
        for relation, other in related_events(client, event):
            entry = entries.setdefault(other.entry["EventId"], {**other.entry, "Relations": []})
            entry["Relations"] = sorted({*entry["Relations"], relation})
    for event in found:
        entries.pop(event.entry["EventId"], None)
    ordered = sorted(entries.values(), key=lambda entry: entry["EventTime"])
    columns = (Column("relation", lambda entry: ",".join(entry["Relations"])), *COLUMNS)
    emit(invocation, {"Events": ordered}, items="Events", columns=columns)
    return OK if ordered else NO


def related_events(client: Client, event: Found) -> Iterator[tuple[str, Found]]:
    """Yield relation and event: the same request or shared action (5 minutes around), session, resource; bounded."""
    record = event.record
    moment = datetime.fromisoformat(text_of(record, "eventTime"))
    for other in around(client, moment - RELATED_SPAN, moment + RELATED_SPAN, RELATED_SCAN):
        if any(text_of(record, name) and text_of(record, name) == text_of(other.record, name) for name in
               ("requestID", "sharedEventID")):  # fmt: skip
            yield "request", other
    key = text_of(record, "userIdentity", "accessKeyId")
    if key.startswith("ASIA"):
        yield from _by_attribute(client, "session", "AccessKeyId", key)
    for name in sorted({item.get("ResourceName", "") for item in event.entry.get("Resources", [])} - {""})[:10]:
        yield from _by_attribute(client, "resource", "ResourceName", name)


def _by_attribute(client: Client, relation: str, name: str, value: str) -> Iterator[tuple[str, Found]]:
    wanted = EventFilter(attributes=((name, value),))
    for other in itertools.islice(search(client, wanted, RELATED_MAX), RELATED_MAX):
        yield relation, other
