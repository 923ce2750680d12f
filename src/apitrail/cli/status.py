"""`apitrail status`: services, journal, trails and their lag on one screen."""

import threading
from collections.abc import Mapping
from datetime import tzinfo
from functools import partial
from typing import Any

import click

from apitrail.cli.client import Client
from apitrail.cli.discovery import find_target
from apitrail.cli.options import Invocation, pass_invocation
from apitrail.cli.output import UNBOUNDED, choose_format, emit, member
from apitrail.cli.terminal import Pen, clean, table_lines
from apitrail.cli.times import for_people, span
from apitrail.cli.verbs import Verb

WATCH_S = 2.0
COLUMNS = (
    member("trail", "arn"),
    member("account", "account"),
    member("logging", "logging"),
    member("received", "received"),
    member("delivered", "delivered"),
    member("filtered", "filtered"),
    member("waiting", "waiting"),
    member("files", "files"),
    member("last_delivery", "last_delivery"),
    member("oldest_waiting_s", "oldest_waiting_s"),
    member("error", "error"),
)


@click.command("status", cls=Verb)
@click.option("--watch", is_flag=True, help="Show it again every two seconds, until Ctrl-C.")
@pass_invocation
def status(invocation: Invocation, watch: bool) -> None:
    """Show services, journal, trails and their lag.

    Of every trail's events: received = delivered + filtered + waiting.
    """
    client = Client(find_target(invocation), invocation.clock)
    pause = threading.Event()
    while True:
        facts = client.own("status")
        if watch and choose_format(invocation) == "table" and invocation.stdout.isatty():
            invocation.stdout.write("\x1b[H\x1b[2J")
        table = partial(status_lines, client.target.endpoint, facts)
        emit(invocation, facts, items="trails", columns=COLUMNS, table=table)
        invocation.stdout.flush()
        if not watch:
            return
        pause.wait(WATCH_S)


def status_lines(endpoint: str, facts: Mapping[str, Any], pen: Pen, zone: tzinfo | None) -> list[str]:
    """Return the screen: server, journal, services, then one line per trail and its error, if any."""
    journal = facts.get("journal", {})
    dropped = facts.get("dropped", 0)
    lines = [
        f"{pen.paint('bold', 'server')}    {endpoint}, apitrail {facts.get('version', '?')}, mode {facts.get('mode', '?')}, "
        f"up {span(facts.get('uptime_s', 0))}",
        f"{pen.paint('bold', 'journal')}   {journal.get('events', 0)} events, {size(journal.get('bytes', 0))}, "
        f"capture {facts.get('capture_mode', '?')}, "
        + (pen.paint("red", f"{dropped} calls without a record") if dropped else "nothing dropped"),
    ]
    if journal.get("problem"):
        lines.append(pen.paint("red", f"          {clean(str(journal['problem']))}"))
    served = ", ".join(f"{name} ({count})" for name, count in sorted(facts.get("services", {}).items()))
    lines += [f"{pen.paint('bold', 'services')}  {served}", ""]
    trails = facts.get("trails", [])
    return lines + (_trail_lines(trails, pen, zone) if trails else ["no trails; make one with: apitrail trail create"])


def _trail_lines(trails: list[dict[str, Any]], pen: Pen, zone: tzinfo | None) -> list[str]:
    titles = (
        "trail",
        "account",
        "logging",
        "received",
        "delivered",
        "filtered",
        "waiting",
        "files",
        "last delivery",
        "lag",
    )
    lines = table_lines(titles, [_trail_row(trail, zone) for trail in trails], UNBOUNDED, pen)
    for trail in trails:
        if trail.get("error"):
            lines.append(pen.paint("red", f"{_trail_name(trail)}: {clean(str(trail['error']))}"))
    return lines


def _trail_row(trail: Mapping[str, Any], zone: tzinfo | None) -> list[str]:
    counts = [str(trail.get(name, 0)) for name in ("received", "delivered", "filtered", "waiting", "files")]
    last = trail.get("last_delivery")
    lag = trail.get("oldest_waiting_s")
    logging = "on" if trail.get("logging") else "off"
    times = [for_people(last, zone) if last else "-", span(lag) if lag else "-"]
    return [_trail_name(trail), str(trail.get("account", "")), logging, *counts, *times]


def _trail_name(trail: Mapping[str, Any]) -> str:
    return clean(str(trail.get("arn", "")).rpartition("/")[2])


def size(count: float) -> str:
    """Return a number of bytes for people: `512 B`, `3.4 MiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
