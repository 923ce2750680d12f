"""`apitrail tail`: events as they are recorded, across restarts of the server."""

import http.client
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

import click

from apitrail.cli.client import Client
from apitrail.cli.discovery import find_target
from apitrail.cli.errors import NO, OK, REMOTE, CliError
from apitrail.cli.filters import EventFilter, filter_options, make_filter
from apitrail.cli.history import search
from apitrail.cli.options import Invocation, pass_invocation
from apitrail.cli.output import Column, Stream, choose_format, compile_query
from apitrail.cli.profiles import masked
from apitrail.cli.records import Record, event_label, principal_label, result_of, tail_line, text_of
from apitrail.cli.terminal import Pen, terminal_columns
from apitrail.cli.times import FORMS, find_zone, parse_time
from apitrail.cli.verbs import Verb

SILENCE_S = 40.0  # the server sends a heartbeat every 15 s
RECONNECT_S = 1.0
RECENT_MAX = 1000
HISTORY_MAX = 100_000
COLUMNS = (
    Column("time", lambda record: text_of(record, "eventTime")),
    Column("principal", principal_label),
    Column("source_ip", lambda record: text_of(record, "sourceIPAddress")),
    Column("event", event_label),
    Column("result", result_of),
    Column("event_id", lambda record: text_of(record, "eventID")),
)


@dataclass
class Following:
    """Where a tail is.

    seq: of the last event read, None before the first. begun: there was a connection. seen: ids shown from the history.
    """

    first: int
    since: datetime | None
    deadline: float | None
    seq: int | None = None
    begun: bool = False
    seen: set[str] = field(default_factory=set)

    def query(self) -> dict[str, str]:
        """Return what to ask the stream for."""
        if self.seq is not None:
            return {"since": str(self.seq)}
        return {"n": str(RECENT_MAX if self.since else self.first)}


class Expired(Exception):
    """The time of --timeout is over."""


@click.command("tail", cls=Verb, params=filter_options())
@click.option(
    "-n", "--last", "count", type=click.IntRange(0, RECENT_MAX), default=20, help="Begin with the last events."
)
@click.option("--since", metavar="TIME", help=f"Begin with the events from this moment on: {FORMS}.")
@click.option("--fail-on", metavar="EXPR", help="Exit with 1 at the first event for which this JMESPath is true.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0, min_open=True),
    metavar="S",
    help="Exit with 0 after so many seconds.",
)
@pass_invocation
def tail(
    invocation: Invocation,
    /,
    count: int,
    since: str | None,
    fail_on: str | None,
    timeout_s: float | None,
    **given: Any,
) -> int:
    """Show the events of the caller's account as they are recorded.

    Without a terminal, one record per line as JSON. A server that goes away is waited for; nothing is missed or repeated.
    Events before the last 1000 that --since asks for are those of the region.
    """
    start = parse_time(since, invocation.clock.now()) if since else None
    deadline = invocation.clock.monotonic() + timeout_s if timeout_s else None
    following = Following(count, start, deadline)
    fails = compile_query(fail_on) if fail_on else _never
    stream = Stream(invocation, COLUMNS, partial(_line, find_zone(invocation.tz)))
    wanted = make_filter(start=start, **given)
    try:
        for record in follow(invocation, following, wanted):
            stream.write(record)
            if is_true(fails(record)):
                raise CliError(
                    f"an event matches {fail_on}: {event_label(record)} {result_of(record)}",
                    code="fail-on",
                    exit_code=NO,
                )
    except Expired:
        return OK
    return OK


def _line(zone: Any, record: Record, pen: Pen) -> str:
    return tail_line(record, pen, zone, terminal_columns())


def _never(record: Record) -> bool:
    return False


def is_true(value: Any) -> bool:
    """Return whether a JMESPath result counts as true: not null, false, or empty; a number does."""
    return value not in (None, False, "", [], {}) or (isinstance(value, int) and not isinstance(value, bool))


def follow(invocation: Invocation, following: Following, wanted: EventFilter) -> Iterator[Record]:
    """Yield the events wanted, for ever; connects anew, to wherever the server is then. Raises: Expired, CliError."""
    pause = threading.Event()
    while True:
        try:
            client = Client(find_target(invocation), invocation.clock)
            yield from _once(invocation, client, following, wanted)
            reason = "the stream ended"
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
        except CliError as error:
            if error.exit_code != REMOTE or not following.begun:
                raise
            reason = error.message
        _check_time(invocation, following)
        invocation.say(f"{reason}; connecting again")
        pause.wait(RECONNECT_S)


def _check_time(invocation: Invocation, following: Following) -> None:
    if following.deadline is not None and invocation.clock.monotonic() >= following.deadline:
        raise Expired


def _silence(invocation: Invocation, following: Following) -> float:
    """Return how long to wait for the next line: until the deadline, at most a bit more than two heartbeats."""
    if following.deadline is None:
        return SILENCE_S
    return max(0.05, min(SILENCE_S, following.deadline - invocation.clock.monotonic()))


def _once(invocation: Invocation, client: Client, following: Following, wanted: EventFilter) -> Iterator[Record]:
    """Yield the events of one connection."""
    for line in client.stream(following.query(), partial(_silence, invocation, following)):
        _check_time(invocation, following)
        if not following.begun:
            following.begun = True
            _say_begin(invocation, client)
        if not line:
            continue
        seq, record = parse_line(line)
        if following.seq is None and following.since is not None:
            yield from _earlier(client, following, wanted, record)
        following.seq = seq
        if text_of(record, "eventID") not in following.seen and wanted.matches(record):
            yield record


def _say_begin(invocation: Invocation, client: Client) -> None:
    if choose_format(invocation, stream=True) == "table":
        keys = client.target.keys
        invocation.say(
            f"events of the account of key {masked(keys.access_key)} ({keys.origin}) at {client.target.endpoint}"
        )


def parse_line(line: bytes) -> tuple[int, Record]:
    """Return sequence number and record of one line of the stream. Raises: CliError when it is something else."""
    try:
        content = json.loads(line)
        return int(content["seq"]), content["event"]
    except (ValueError, KeyError, TypeError) as error:
        raise CliError("the event stream has a line that is no event", code="bad-answer", exit_code=REMOTE) from error


def _earlier(client: Client, following: Following, wanted: EventFilter, first: Record) -> Iterator[Record]:
    """Yield the events from --since up to the first one of the stream, oldest first, and remember them."""
    end = datetime.fromisoformat(text_of(first, "eventTime"))
    if following.since is None or end < following.since:
        return
    found = list(search(client, replace(wanted, end=end), HISTORY_MAX))
    for event in reversed(found):
        following.seen.add(text_of(event.record, "eventID"))
        yield event.record
