"""Random histories, indexed in random pieces, against a list that is filtered and sorted."""

import asyncio
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apitrail.archive import index as index_module
from apitrail.archive.index import EventIndex
from apitrail.archive.lookup import Lookup, lookup_events
from apitrail.ids import seeded_ids
from apitrail.store import journal
from apitrail.store.sqlite import SqliteDatabase

REGION, KEY = "us-west-2", b"k" * 32
ACCOUNTS = ("111122223333", "444455556666")
NAMES = ("CreateFleet", "DeleteFleet", "ListFleets")
USERS = ("dana", "eli")

EVENTS = st.lists(
    st.tuples(st.sampled_from(ACCOUNTS), st.integers(0, 12), st.sampled_from(NAMES), st.sampled_from(USERS)),
    max_size=40,
)
ATTRIBUTES = st.fixed_dictionaries(
    {}, optional={"EventName": st.sampled_from(NAMES), "Username": st.sampled_from(USERS), "ReadOnly": st.just("false")}
)


def record(name, user, ids):
    identity = {"type": "IAMUser", "userName": user}
    return {"eventID": ids.uuid(), "eventName": name, "readOnly": name == "ListFleets", "userIdentity": identity}


def holds(event, attributes):
    values = {
        "EventName": event["eventName"],
        "Username": event["userIdentity"]["userName"],
        "ReadOnly": "true" if event["readOnly"] else "false",
    }
    return all(values[key] == value for key, value in attributes.items())


def fill(database, index, events, cuts):
    """Append the events, the index following up to the last cut; return them as (account, time, event)."""
    ids = seeded_ids("model")
    written = [(account, time, record(name, user, ids)) for account, time, name, user in events]

    def append_all(tx):
        for account, time, event in written:
            journal.append(tx, account, REGION, journal.MANAGEMENT, time, orjson.dumps(event))

    asyncio.run(database.write(append_all))
    index.accept(None, len(events))
    for cut in sorted(cuts):
        rows = database.read_now(lambda tx, cut=cut: journal.read_after(tx, index.indexed_seq, 1000, until=cut))
        if rows:
            index.add(rows)
    return written


@pytest.fixture(autouse=True)
def small_segments(monkeypatch):
    monkeypatch.setattr(index_module, "SEGMENT_BITS", 2)
    monkeypatch.setattr(index_module, "SEGMENTS_SEARCHED_MAX", 2)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    events=EVENTS,
    cuts=st.sets(st.integers(1, 40), max_size=4),
    attributes=ATTRIBUTES,
    limit=st.integers(1, 7),
    bounds=st.tuples(st.none() | st.integers(0, 12), st.none() | st.integers(0, 12)),
)
def test_all_pages_together_are_the_filtered_and_sorted_history(events, cuts, attributes, limit, bounds):
    first, last = sorted(bounds) if None not in bounds else bounds
    with tempfile.TemporaryDirectory() as folder:
        database, index = SqliteDatabase(Path(folder) / "state.db"), EventIndex(Path(folder) / "index.db")
        written = fill(database, index, events, cuts)
        found, token = [], ""
        while True:
            lookup = Lookup(
                ACCOUNTS[0],
                REGION,
                tuple(attributes.items()),
                start=None if first is None else datetime.fromtimestamp(first, UTC),
                end=None if last is None else datetime.fromtimestamp(last, UTC),
                limit=limit,
                token=token,
            )
            page = database.read_now(lambda tx, lookup=lookup: lookup_events(tx, index, KEY, lookup))
            assert len(page.events) <= limit
            found += [event["EventId"] for event in page.events]
            token = page.next_token
            if not token:
                break
        asyncio.run(database.close())
        index.close()
    expected = [
        (time, event["eventID"])
        for account, time, event in written
        if account == ACCOUNTS[0]
        and holds(event, attributes)
        and (first is None or time >= first)
        and (last is None or time <= last)
    ]
    assert found == [event_id for _, event_id in sorted(expected, reverse=True)]
