"""A6: LookupEvents on a journal of a million events, by each attribute."""

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from apitrail.app import DATABASE_FILE, INDEX_FILE
from apitrail.archive.index import EventIndex
from apitrail.store import journal
from apitrail.store.sqlite import SqliteDatabase
from bench import ACCOUNT, REGION
from bench.events import facts_of, fill
from bench.loader import Measured, run_load
from bench.results import Row, Target
from bench.server import Server

EVENTS = 1_000_000
DAYS = 80
VALUES = 40
PAGE = 50
SECONDS = 0.5
WARM_S = 0.1
POLL_S = 0.2
INDEX_S_MAX = 300.0
INDEX_ROWS = 5_000
P95_MS_MAX = 20.0


def a6(rounds: int) -> list[Row]:
    """Measure pages of 50, as one caller on loopback sees them, which is the server's time and a bit more."""
    with Server("a6", prepare=fill_journal) as server:
        _wait_for_index(server.data / INDEX_FILE)
        signer = server.signer("cloudtrail")
        sets = {
            key: [signer.request("lookup_events", MaxResults=PAGE, **asked) for asked in askings]
            for key, askings in _askings().items()
        }
        seen: dict[str, list[Measured]] = {key: [] for key in sets}
        for requests in sets.values():
            run_load(server.address, requests, 1, WARM_S)
        for _ in range(rounds):
            for key, requests in sets.items():
                seen[key].append(run_load(server.address, requests, 1, SECONDS))
    return [_row(key, measured) for key, measured in seen.items()]


def _row(key: str, measured: list[Measured]) -> Row:
    p50 = 1000 * sorted(item.p50 for item in measured)[len(measured) // 2]
    calls = sum(item.calls for item in measured)
    return Row(
        "A6",
        f"LookupEvents by {key}, p95",
        "ms",
        [1000 * item.p95 for item in measured],
        target=Target(P95_MS_MAX),
        beside=f"p50 {p50:.3g} ms, {calls:,} calls",
    )


def _askings() -> dict[str, list[dict[str, Any]]]:
    """Return, by attribute, the parameters of look-ups for values all over the journal; most fill their page."""
    facts = [facts_of(number * EVENTS // VALUES) for number in range(VALUES)]
    values = {
        "EventId": [item.event_id for item in facts],
        "EventName": [item.name for item in facts],
        "EventSource": ["gamelift.amazonaws.com"],
        "Username": [f"player-services-{item.user}" for item in facts],
        "AccessKeyId": [f"AKIAEXAMPLE{item.user:09d}" for item in facts],
        "ReadOnly": ["true", "false"],
        "ResourceType": ["AWS::GameLift::Fleet"],
        "ResourceName": [f"arn:aws:gamelift:{REGION}:{ACCOUNT}:fleet/fleet-{item.fleet:032x}" for item in facts],
    }
    askings: dict[str, list[dict[str, Any]]] = {
        key: [{"LookupAttributes": [{"AttributeKey": key, "AttributeValue": value}]} for value in items]
        for key, items in values.items()
    }
    days = [datetime.now(UTC) - timedelta(days=DAYS * (number + 1) / (VALUES + 1)) for number in range(VALUES)]
    return {
        **askings,
        "nothing": [{}],
        "time range": [{"StartTime": at - timedelta(hours=1), "EndTime": at} for at in days],
    }


def fill_journal(data: Path) -> None:
    """Fill the journal of a server that does not run, and its index."""
    database = SqliteDatabase(data / DATABASE_FILE)
    fill(database, EVENTS, _times())
    index = EventIndex(data / INDEX_FILE)
    for seq in range(0, EVENTS, INDEX_ROWS):
        index.add(database.read_now(partial(journal.read_after, seq=seq, limit=INDEX_ROWS)))
    index.close()
    asyncio.run(database.close())


def _times() -> Iterator[tuple[int, str]]:
    """Yield times over the last days, evenly, oldest first."""
    first = datetime.now(UTC) - timedelta(days=DAYS)
    step = timedelta(days=DAYS) / EVENTS
    for number in range(EVENTS):
        at = first + number * step
        yield int(at.timestamp()), f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _wait_for_index(path: Path) -> None:
    """Wait until the server has taken the index for its own, up to the last event."""
    end = time.monotonic() + INDEX_S_MAX
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        while connection.execute("SELECT seq FROM progress").fetchone()[0] < EVENTS:
            assert time.monotonic() < end, f"the index is not complete after {INDEX_S_MAX:g} s"
            time.sleep(POLL_S)
