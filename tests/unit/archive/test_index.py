"""The index: what it holds, that it can be lost, and that it never outlives its journal."""

import asyncio
import sqlite3

import orjson
import pytest

from apitrail.archive import index as index_module
from apitrail.archive.attributes import attributes_of, read_headline
from apitrail.archive.index import (
    ALL_EVENTS,
    EventIndex,
    Indexer,
    Place,
    Position,
    Span,
    terms_of,
    terms_of_event,
)
from apitrail.ids import seeded_ids
from apitrail.store import journal
from apitrail.store.sqlite import SqliteDatabase

ACCOUNT, REGION = "111122223333", "us-west-2"
PLACE = Place(ACCOUNT, REGION, journal.MANAGEMENT)
EVERYTHING = Span(0, Position(2**63 - 1, 0))
IDS = seeded_ids("index")


def event_of(name="CreateFleet", **fields):
    return orjson.dumps({"eventID": IDS.uuid(), "eventName": name, "eventSource": "gamelift.amazonaws.com"} | fields)


async def append(database, *events, time=1_772_615_700, category=journal.MANAGEMENT, account=ACCOUNT):
    def work(tx):
        for number, event in enumerate(events):
            journal.append(tx, account, REGION, category, time + number, event)

    await database.write(work)


async def drain(indexer):
    for _ in range(100):
        if await indexer.tick():
            return
    raise AssertionError("the indexer found no end")


def seqs(index, *attributes, place=PLACE, span=EVERYTHING, limit=1000):
    with index.view() as view:
        positions, stopped = view.newest(terms_of(place, attributes or [ALL_EVENTS]), span, limit)
    assert stopped is None
    return [position.seq for position in positions]


class Opened:
    """A journal with its index, as a server has them."""

    def __init__(self, folder):
        self.database = SqliteDatabase(folder / "state.db")
        self.index = EventIndex(folder / "index.db")
        self.indexer = Indexer(self.database, self.index)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.database.close()
        self.index.close()


def run(scenario):
    asyncio.run(scenario())


def test_events_are_found_by_each_attribute_newest_first(tmp_path):
    async def scenario():
        async with Opened(tmp_path) as opened:
            await append(opened.database, event_of(), event_of("ListFleets"), event_of())
            await drain(opened.indexer)
            assert opened.index.indexed_seq == 3
            assert seqs(opened.index) == [3, 2, 1]
            assert seqs(opened.index, ("EventName", "CreateFleet")) == [3, 1]
            assert seqs(opened.index, ("EventName", "CreateFleet"), ("ReadOnly", "false")) == [3, 1]
            assert seqs(opened.index, ("EventName", "CreateFleet"), ("ReadOnly", "true")) == []
            assert seqs(opened.index, ("EventName", "createfleet")) == []

    run(scenario)


def test_places_and_categories_are_kept_apart(tmp_path):
    async def scenario():
        async with Opened(tmp_path) as opened:
            await append(opened.database, event_of())
            await append(opened.database, event_of(), account="444455556666")
            await append(opened.database, event_of(), category=journal.DATA)
            await append(opened.database, event_of(), category=journal.INSIGHT)
            await drain(opened.indexer)
            assert opened.index.indexed_seq == 4
            assert seqs(opened.index) == [1]
            assert seqs(opened.index, place=Place("444455556666", REGION, journal.MANAGEMENT)) == [2]
            assert seqs(opened.index, place=Place(ACCOUNT, REGION, journal.INSIGHT)) == [4]
            assert seqs(opened.index, place=Place(ACCOUNT, REGION, journal.DATA)) == []

    run(scenario)


def test_a_damaged_row_is_passed_over(tmp_path):
    async def scenario():
        async with Opened(tmp_path) as opened:
            await append(opened.database, b"\x00 no event", event_of())
            await drain(opened.indexer)
            assert seqs(opened.index) == [2]

    run(scenario)


def test_indexing_goes_on_after_a_restart_and_repeats_nothing(tmp_path):
    async def scenario():
        async with Opened(tmp_path) as opened:
            await append(opened.database, event_of(), event_of())
            await drain(opened.indexer)
        async with Opened(tmp_path) as opened:
            await append(opened.database, event_of(), time=1_772_615_800)
            await drain(opened.indexer)
            assert seqs(opened.index) == [3, 2, 1]

    run(scenario)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b"no database at all" * 1000),
        lambda path: sqlite3.connect(path).execute("PRAGMA user_version=99").connection.close(),
        lambda path: sqlite3.connect(path).execute("DROP TABLE progress").connection.close(),
    ],
)
def test_a_lost_damaged_or_foreign_index_is_made_again(tmp_path, damage):
    async def scenario():
        async with Opened(tmp_path) as opened:
            await append(opened.database, event_of(), event_of())
            await drain(opened.indexer)
        damage(tmp_path / "index.db")
        async with Opened(tmp_path) as opened:
            await drain(opened.indexer)
            assert seqs(opened.index) == [2, 1]

    run(scenario)


@pytest.mark.parametrize("event_count", [1, 3])
def test_the_index_of_another_journal_is_emptied(tmp_path, event_count):
    async def scenario():
        async with Opened(tmp_path) as opened:
            await append(opened.database, event_of("DeleteFleet"), event_of("DeleteFleet"))
            await drain(opened.indexer)
        for path in tmp_path.glob("state.db*"):
            path.unlink()
        async with Opened(tmp_path) as opened:
            await append(opened.database, *[event_of("ListFleets") for _ in range(event_count)])
            with opened.index.view() as view:
                assert view.indexed_seq == 0
            await drain(opened.indexer)
            assert seqs(opened.index, ("EventName", "DeleteFleet")) == []
            assert len(seqs(opened.index, ("EventName", "ListFleets"))) == event_count

    run(scenario)


def test_the_order_holds_across_segments_whose_times_overlap(tmp_path, monkeypatch):
    monkeypatch.setattr(index_module, "SEGMENT_BITS", 2)

    async def scenario():
        async with Opened(tmp_path) as opened:
            times = [50, 10, 40, 20, 30, 60, 5, 45, 25, 55, 15, 35, 1, 2, 3, 100]
            for time in times:
                await append(opened.database, event_of(), time=time)
            await drain(opened.indexer)
            expected = [seq for _, seq in sorted(((time, seq) for seq, time in enumerate(times, 1)), reverse=True)]
            for limit in (1, 3, 16, 100):
                assert seqs(opened.index, limit=limit) == expected[:limit]

    run(scenario)


def test_a_search_for_several_attributes_stops_after_some_segments_and_says_where(tmp_path, monkeypatch):
    monkeypatch.setattr(index_module, "SEGMENT_BITS", 1)
    monkeypatch.setattr(index_module, "SEGMENTS_SEARCHED_MAX", 3)

    async def scenario():
        async with Opened(tmp_path) as opened:
            for number in range(40):
                name = "DeleteFleet" if number == 1 else "ListFleets" if number % 2 else "CreateFleet"
                await append(opened.database, event_of(name), time=1000 + number)
            await drain(opened.indexer)
            terms = terms_of(PLACE, [("EventName", "DeleteFleet"), ("ReadOnly", "false")])
            found, span, rounds = [], EVERYTHING, 0
            while True:
                with opened.index.view() as view:
                    positions, stopped = view.newest(terms, span, 10)
                found += [position.seq for position in positions]
                rounds += 1
                if stopped is None:
                    break
                span = Span(0, stopped)
            assert found == [2]
            assert rounds == 7

    run(scenario)


def test_what_the_journal_has_pruned_is_forgotten_segment_by_segment(tmp_path, monkeypatch):
    monkeypatch.setattr(index_module, "SEGMENT_BITS", 2)
    monkeypatch.setattr(index_module, "PRUNED_POSTINGS_MAX", 7)

    async def scenario():
        async with Opened(tmp_path) as opened:
            await append(opened.database, *[event_of() for _ in range(12)])
            await drain(opened.indexer)
            await opened.database.write(lambda tx: tx.run("DELETE FROM journal WHERE seq < 10"))
            await drain(opened.indexer)
            assert seqs(opened.index) == [12, 11, 10, 9, 8]
            count = sqlite3.connect(tmp_path / "index.db").execute("SELECT min(seq), count(*) FROM postings").fetchone()
            assert count == (8, 5 * 5)

    run(scenario)


def test_the_journal_may_prune_what_is_indexed(tmp_path, monkeypatch):
    monkeypatch.setattr(index_module, "BATCH_ROWS", 500)

    async def scenario():
        async with Opened(tmp_path) as opened:
            await append(opened.database, *[event_of() for _ in range(1100)])
            await drain(opened.indexer)
            await opened.database.write(lambda tx: None)
            assert await opened.database.read(lambda tx: journal.cursor(tx, "index")) == 1000
        async with Opened(tmp_path) as opened:
            await drain(opened.indexer)
            await opened.database.write(lambda tx: None)
            assert await opened.database.read(lambda tx: journal.cursor(tx, "index")) == 1100

    run(scenario)


def test_a_batch_that_fails_is_undone_and_repeated(tmp_path):
    async def scenario():
        async with Opened(tmp_path) as opened:
            await append(opened.database, event_of())
            await drain(opened.indexer)
            other = sqlite3.connect(tmp_path / "index.db", isolation_level=None)
            other.execute("CREATE TRIGGER full BEFORE UPDATE ON progress BEGIN SELECT raise(ABORT, 'disk full'); END")
            await append(opened.database, event_of(), time=1_772_615_800)
            with pytest.raises(sqlite3.DatabaseError, match="disk full"):
                await opened.indexer.tick()
            assert seqs(opened.index) == [1]
            other.execute("DROP TRIGGER full")
            await drain(opened.indexer)
            assert seqs(opened.index) == [2, 1]

    run(scenario)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"eventName": "CreateFleet", "readOnly": False, "userIdentity": {"type": "Root", "accessKeyId": "AKIA1"}},
        {"resources": [{"type": "AWS::GameLift::Fleet", "ARN": "arn:aws:gamelift:us-west-2:1:fleet/fleet-1"}]},
        {"resources": [{"ARN": "a"}, {"type": "T"}, {"ARNPrefix": "arn:aws:s3:::audit/", "type": "A::B"}]},
        {"insightDetails": {"eventName": "CreateFleet", "eventSource": "gamelift.amazonaws.com"}},
    ],
)
def test_an_event_stands_under_the_terms_of_all_its_attributes(fields):
    event = read_headline(
        orjson.dumps({"eventID": "c8fbea01-fbf9-4c4e-a0fe-ad7dc205ce11", "eventSource": "x"} | fields)
    )
    assert event is not None
    assert terms_of_event(PLACE, event) == set(terms_of(PLACE, (ALL_EVENTS, *attributes_of(event))))


def test_terms_of_different_attributes_and_places_differ():
    pairs = [("EventName", "a"), ("EventName", "b"), ("Username", "a"), ("EventId", "a"), ("", "")]
    places = [PLACE, Place(ACCOUNT, "eu-central-1", 0), Place("444455556666", REGION, 0), Place(ACCOUNT, REGION, 2)]
    terms = [term for place in places for term in terms_of(place, pairs)]
    assert len(set(terms)) == len(pairs) * len(places)
    assert terms == [term for place in places for term in terms_of(place, pairs)]
    assert all(-(2**63) <= term < 2**63 for term in terms)
