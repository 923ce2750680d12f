"""Asking the event history: pages of LookupEvents, filtered further on this side, within bounds.

Source: CloudTrail API Reference, LookupEvents.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from apitrail.cli.client import Client
from apitrail.cli.filters import EventFilter
from apitrail.cli.output import Column
from apitrail.cli.records import Record, event_label, principal_label, text_of
from apitrail.cli.times import from_epoch

PAGE = 50


@dataclass
class Scan:
    """How a look-up went: events that the server sent, and whether it stopped at its bound. Filled while it runs."""

    scanned: int = 0
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """One event: its entry as LookupEvents has it, and its record, parsed."""

    entry: dict[str, Any]
    record: Record


COLUMNS = (
    Column("time", lambda entry: entry["EventTime"]),
    Column("user", lambda entry: principal_label(json.loads(entry["CloudTrailEvent"]))),
    Column("source_ip", lambda entry: entry.get("SourceIPAddress", "")),
    Column("event", lambda entry: event_label(json.loads(entry["CloudTrailEvent"]))),
    Column("result", lambda entry: entry.get("ErrorCode", "ok")),
    Column("event_id", lambda entry: entry["EventId"]),
)


def search(client: Client, wanted: EventFilter, scan_max: int, scan: Scan | None = None) -> Iterator[Found]:
    """Yield the events that match, newest first. scan_max: events to read from the server at most."""
    scan = scan or Scan()
    params = _params(wanted)
    while True:
        page = client.call("LookupEvents", params)
        for entry in page.get("Events", []):
            scan.scanned += 1
            found = _found(entry)
            names = frozenset(item.get("ResourceName", "") for item in entry.get("Resources", []))
            if wanted.matches(found.record, names):
                yield found
        token = page.get("NextToken")
        if not token:
            return
        if scan.scanned >= scan_max:
            scan.stopped = True
            return
        params = {**params, "NextToken": token}


def _params(wanted: EventFilter) -> dict[str, Any]:
    params: dict[str, Any] = {"MaxResults": PAGE}
    if attribute := wanted.lookup_attribute():
        params["LookupAttributes"] = [attribute]
    if wanted.start is not None:
        params["StartTime"] = wanted.start.timestamp()
    if wanted.end is not None:
        params["EndTime"] = wanted.end.timestamp()
    return params


def _found(entry: dict[str, Any]) -> Found:
    """Return an entry with its time in RFC 3339 and three members of the record beside it."""
    record = json.loads(entry["CloudTrailEvent"])
    more = {"SourceIPAddress": "sourceIPAddress", "AwsRegion": "awsRegion", "ErrorCode": "errorCode"}
    beside = {name: text_of(record, member) for name, member in more.items() if text_of(record, member)}
    time = entry.get("EventTime")
    written = from_epoch(time) if isinstance(time, int | float) else str(time)
    text = entry.pop("CloudTrailEvent")
    return Found({**entry, "EventTime": written, **beside, "CloudTrailEvent": text}, record)


def find_event(client: Client, event_id: str) -> Found | None:
    """Return the event of an id, or None."""
    return next(search(client, EventFilter(attributes=(("EventId", event_id),)), PAGE), None)


def around(client: Client, start: datetime, end: datetime, scan_max: int) -> Iterator[Found]:
    """Yield the events between two moments, newest first."""
    return search(client, replace(EventFilter(), start=start, end=end), scan_max)
