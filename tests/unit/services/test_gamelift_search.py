"""Searching among many sessions: how much is looked at, and that pages go on where they ended."""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apitrail.services.gamelift.collections import GAME_SESSIONS
from apitrail.services.gamelift.expressions import read_filter, read_sort
from apitrail.services.gamelift.search import EXAMINED_MAX, SORTED_MAX, Position, Search, find_sessions
from apitrail.store.database import Row, Tx
from apitrail.store.sqlite import SqliteTx, migrate

COUNT = 6000
START = datetime(2026, 3, 4, 9, 15, tzinfo=UTC)


class CountingTx(SqliteTx):
    """A transaction that counts the rows it reads."""

    rows = 0

    def all(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        found = super().all(sql, params)
        self.rows += len(found)
        return found


@dataclass
class Here:
    tx: Tx
    account: str = "111122223333"
    region: str = "us-west-2"


@pytest.fixture(scope="module")
def crowd() -> Iterator[Here]:
    """A fleet with sessions: every third is full, one in a thousand is a duel, half are named."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    here = Here(CountingTx(connection))
    for number in range(COUNT):
        session = {
            "GameSessionId": f"arn:aws:gamelift:us-west-2::gamesession/fleet-a/gsess-{number:05d}",
            "FleetId": "fleet-a",
            "Location": "us-west-2",
            "Status": "ACTIVE",
            "CreationTime": START + timedelta(seconds=number),
            "MaximumPlayerSessionCount": 8,
            "CurrentPlayerSessionCount": 8 if number % 3 == 0 else number % 8,
            "GameProperties": [{"Key": "mode", "Value": "duel" if number % 1000 == 7 else "brawl"}],
            **({"Name": f"room {number:05d}"} if number % 2 == 0 else {}),
        }
        GAME_SESSIONS(here).put(f"fleet-a/gsess-{number:05d}", session)
    yield here
    connection.close()


def search(filter_text: str | None, sort_text: str | None = None) -> Search:
    matching = None if filter_text is None else read_filter(filter_text)
    return Search("fleet-a", None, matching, None if sort_text is None else read_sort(sort_text))


def first_page(here: Here, wanted: Search, limit: int = 20) -> tuple[list[str], Position | None, int]:
    """Return the names of the first page, the next position, and how many rows were read."""
    assert isinstance(here.tx, CountingTx)
    here.tx.rows = 0
    page, position = find_sessions(here, wanted, limit, None)
    return [doc["GameSessionId"].rpartition("-")[2] for doc in page], position, here.tx.rows


def every_page(here: Here, wanted: Search) -> list[str]:
    found: list[str] = []
    position: Position | None = None
    while True:
        page, position = find_sessions(here, wanted, 20, position)
        found += [doc["GameSessionId"].rpartition("-")[2] for doc in page]
        if position is None:
            return found


@pytest.mark.parametrize(
    ("filter_text", "sort_text"),
    [
        (None, None),
        (None, "playerSessionCount DESC"),
        ("gameSessionName = 'room 04000'", None),
        ("gameSessionName = 'room 04000'", "creationTimeMillis DESC"),
        ("gameSessionProperties.mode = 'duel'", None),
        ("gameSessionProperties.mode = 'duel' AND playerSessionCount < 9", "maximumSessions ASC"),
        ("hasAvailablePlayerSessions = true", "playerSessionCount DESC"),
        ("hasAvailablePlayerSessions = true AND gameSessionProperties.mode = 'brawl'", "playerSessionCount ASC"),
        ("creationTimeMillis > 1772618000000", None),
        ("creationTimeMillis > 1772618000000 AND hasAvailablePlayerSessions=true", "creationTimeMillis DESC"),
        ("playerSessionCount >= 2 AND playerSessionCount < 4", "playerSessionCount ASC"),
        ("gameSessionId = 'arn:aws:gamelift:us-west-2::gamesession/fleet-a/gsess-05999'", None),
    ],
)
def test_a_page_of_a_large_fleet_reads_few_rows(crowd: Here, filter_text: str | None, sort_text: str | None) -> None:
    page, _, rows = first_page(crowd, search(filter_text, sort_text))
    assert page
    assert rows <= SORTED_MAX + 1


def test_the_fullest_room_that_is_not_full_comes_first(crowd: Here) -> None:
    page, _, _ = first_page(crowd, search("hasAvailablePlayerSessions = true", "playerSessionCount DESC"), 3)
    assert page == ["05999", "05983", "05975"]


def test_sorting_follows_the_index_when_too_many_match_to_be_sorted(crowd: Here) -> None:
    found = every_page(crowd, search("gameSessionProperties.mode = 'brawl'", "gameSessionName DESC"))
    named = [f"{number:05d}" for number in range(COUNT) if number % 2 == 0]
    others = [f"{number:05d}" for number in range(COUNT) if number % 2 and number % 1000 != 7]
    assert found == named[::-1] + others


def test_a_search_that_finds_nothing_ends_after_a_bounded_number_of_sessions_per_page(crowd: Here) -> None:
    wanted = search("playerSessionCount > 8 OR gameSessionName = 'nowhere'")
    page, position, rows = first_page(crowd, wanted)
    assert page == [] and position is not None
    assert EXAMINED_MAX <= rows < COUNT
    assert find_sessions(crowd, wanted, 20, position) == ([], None)


def test_pages_go_on_while_sessions_come_and_go(crowd: Here) -> None:
    wanted = search("gameSessionProperties.mode = 'duel'", "gameSessionId ASC")
    page, position = find_sessions(crowd, wanted, 3, None)
    assert [doc["GameSessionId"][-5:] for doc in page] == ["00007", "01007", "02007"]
    last = page[-1]
    GAME_SESSIONS(crowd).delete("fleet-a/gsess-02007")
    page, position = find_sessions(crowd, wanted, 3, position)
    assert [doc["GameSessionId"][-5:] for doc in page] == ["03007", "04007", "05007"]
    assert position is None
    GAME_SESSIONS(crowd).put("fleet-a/gsess-02007", last)


def test_the_index_is_used_for_ranges(crowd: Here) -> None:
    plan = crowd.tx.all(
        "EXPLAIN QUERY PLAN SELECT i.value, r.doc FROM resource_index i JOIN resources r ON r.ord = i.ord"
        " WHERE i.scope = ? AND i.field = ? AND i.value >= ? AND i.value < ? AND (i.value, i.ord) > (?, ?)"
        " ORDER BY i.value, i.ord LIMIT 10",
        ("s", "rank", "a", "b", "a", 1),
    )
    text = " ".join(str(row[-1]) for row in plan)
    assert "SEARCH i USING PRIMARY KEY" in text and "TEMP B-TREE" not in text
