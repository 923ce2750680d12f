"""Searching through the index finds what looking at every session would find, in the same order, on every page."""

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cmp_to_key
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from apitrail.services.gamelift.collections import GAME_SESSIONS
from apitrail.services.gamelift.expressions import Sort, read_filter, read_sort
from apitrail.services.gamelift.search import Search, find_sessions
from apitrail.store.database import Tx
from apitrail.store.resources import Doc
from apitrail.store.sqlite import SqliteTx, migrate

START = datetime(2026, 3, 4, 9, 15, tzinfo=UTC)
FLEET, OTHER = "fleet-a", "fleet-b"
KEYS = ("mode", "map|x", "a")
WORDS = ("", "x", "brawl", "it's", "ä|=", "\U0001f3ae")


@dataclass
class Here:
    tx: Tx
    account: str = "111122223333"
    region: str = "us-west-2"


def make_place() -> Here:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    return Here(SqliteTx(connection))


@st.composite
def sessions(draw: st.DrawFn) -> Doc:
    slots = draw(st.integers(0, 5))
    number = draw(st.integers(0, 10**9))
    keys = draw(st.lists(st.sampled_from(KEYS), unique=True))
    name = draw(st.none() | st.sampled_from([word for word in WORDS if word]))
    fleet_id = draw(st.sampled_from([FLEET, FLEET, FLEET, OTHER]))
    return {
        "GameSessionId": f"arn:aws:gamelift:us-west-2::gamesession/{fleet_id}/{number}",
        "FleetId": fleet_id,
        "Location": draw(st.sampled_from(["us-west-2", "eu-west-1"])),
        "Status": draw(st.sampled_from(["ACTIVE", "ACTIVE", "ACTIVE", "ACTIVATING", "TERMINATED"])),
        "CreationTime": START + timedelta(milliseconds=draw(st.integers(-3, 3))),
        "MaximumPlayerSessionCount": slots,
        "CurrentPlayerSessionCount": draw(st.integers(0, slots)),
        "GameProperties": [{"Key": key, "Value": draw(st.sampled_from(WORDS))} for key in keys],
        **({} if name is None else {"Name": name}),
    }


def quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


strings = st.sampled_from(WORDS).map(quoted)
numbers = st.integers(-1, 6).map(str) | st.just("2.5")
millis = st.integers(-3, 3).map(lambda offset: str(round(START.timestamp() * 1000) + offset))
properties = st.sampled_from(KEYS).map(lambda key: f"gameSessionProperties.{quoted(key)}")
comparators = st.sampled_from(["=", "<>", "<", ">", "<=", ">="])
comparisons = st.one_of(
    st.tuples(st.just("gameSessionName") | properties, st.sampled_from(["=", "<>"]), strings),
    st.tuples(st.sampled_from(["maximumSessions", "playerSessionCount"]), comparators, numbers),
    st.tuples(st.just("creationTimeMillis"), comparators, millis),
    st.tuples(st.just("hasAvailablePlayerSessions"), st.sampled_from(["=", "<>"]), st.sampled_from(["true", "false"])),
).map(" ".join)
filters = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]} AND {pair[1]})"),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]} OR {pair[1]})"),
        inner.map(lambda one: f"NOT {one}"),
    ),
    max_leaves=4,
)
operands = st.sampled_from(
    [
        "gameSessionId",
        "gameSessionName",
        "maximumSessions",
        "creationTimeMillis",
        "playerSessionCount",
        "hasAvailablePlayerSessions",
        "gameSessionProperties.mode",
    ]
)
sorts = st.tuples(operands, st.sampled_from(["ASC", "DESC"])).map(" ".join)


def by_hand(docs: list[Doc], search: Search) -> list[str]:
    """Return the ids of the matching sessions in the order that the sort asks for, decided one by one."""
    found = [doc for doc in docs if doc["FleetId"] == search.fleet_id and doc["Status"] == "ACTIVE"]
    found = [doc for doc in found if search.matches(doc)]
    if search.sort is None:
        return [doc["GameSessionId"] for doc in found]
    return [doc["GameSessionId"] for doc in ordered(found, search.sort)]


def ordered(docs: list[Doc], sort: Sort) -> list[Doc]:
    value_of = sort.operand.value_of
    present = [(value_of(doc), number, doc) for number, doc in enumerate(docs) if value_of(doc) is not None]

    def compare(one: tuple[Any, int, Doc], other: tuple[Any, int, Doc]) -> int:
        return -1 if one[:2] < other[:2] else 1

    present.sort(key=cmp_to_key(compare), reverse=sort.descending)
    return [doc for _, _, doc in present] + [doc for doc in docs if value_of(doc) is None]


def all_pages(place: Here, search: Search, limit: int) -> list[str]:
    found: list[str] = []
    position = None
    for _ in range(100):
        page, position = find_sessions(place, search, limit, position)
        assert len(page) <= limit
        found += [doc["GameSessionId"] for doc in page]
        if position is None:
            return found
    raise AssertionError("the pages do not end")


@settings(max_examples=300, deadline=None)
@given(
    docs=st.lists(sessions(), max_size=30, unique_by=lambda doc: doc["GameSessionId"]),
    filter_text=st.none() | filters,
    sort_text=st.none() | sorts,
    location=st.none() | st.just("eu-west-1"),
    limit=st.integers(1, 7),
)
def test_pages_through_the_index_are_what_every_session_looked_at_would_give(
    docs: list[Doc], filter_text: str | None, sort_text: str | None, location: str | None, limit: int
) -> None:
    place = make_place()
    for doc in docs:
        GAME_SESSIONS(place).put(doc["GameSessionId"], doc)
    matching = None if filter_text is None else read_filter(filter_text)
    search = Search(FLEET, location, matching, None if sort_text is None else read_sort(sort_text))
    expected = by_hand(docs, search)
    found = all_pages(place, search, limit)
    assert sorted(found) == sorted(expected)
    if sort_text is not None or filter_text is None:
        assert found == expected


@settings(max_examples=60, deadline=None)
@given(
    docs=st.lists(sessions(), min_size=1, max_size=8, unique_by=lambda doc: doc["GameSessionId"]), filter_text=filters
)
def test_sessions_that_change_are_found_by_what_they_are_now(docs: list[Doc], filter_text: str) -> None:
    place = make_place()
    for doc in docs:
        before = doc | {"Status": "ACTIVE", "Name": "before", "CurrentPlayerSessionCount": 0, "GameProperties": []}
        GAME_SESSIONS(place).put(doc["GameSessionId"], before)
        GAME_SESSIONS(place).put(doc["GameSessionId"], doc)
    search = Search(FLEET, None, read_filter(filter_text), None)
    assert sorted(all_pages(place, search, 3)) == sorted(by_hand(docs, search))
    for doc in docs:
        GAME_SESSIONS(place).delete(doc["GameSessionId"])
    assert all_pages(place, search, 3) == []
    assert place.tx.one("SELECT count(*) FROM resource_index") == (0,)
