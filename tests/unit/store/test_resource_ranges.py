"""Documents found by a range of an indexed value."""

import sqlite3

import pytest

from apitrail.store.resources import Collection, Documents
from apitrail.store.sqlite import SqliteTx, migrate

SCORES = Collection("test/score", "global", indexes=["Score"])


@pytest.fixture
def scores() -> Documents:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    documents = SCORES.at(SqliteTx(connection))
    for name, score in (("a", 5), ("b", 2), ("c", 5), ("d", 9), ("e", 2)):
        documents.put(name, {"Name": name, "Score": score})
    return documents


def names(
    documents: Documents, low: int, high: int, after: tuple[int, int] | None = None, *, descending: bool = False
) -> str:
    found = documents.between("Score", low, high, after=after, descending=descending)
    return "".join(ranked.entry.id for ranked in found)


def test_a_range_is_in_the_order_of_the_values_then_of_creation(scores: Documents) -> None:
    assert names(scores, 0, 10) == "beacd"
    assert names(scores, 0, 10, descending=True) == "dcaeb"


def test_the_upper_end_is_not_part_of_a_range(scores: Documents) -> None:
    assert names(scores, 2, 9) == "beac"
    assert names(scores, 3, 5) == ""


def test_a_range_goes_on_behind_the_last_one_seen(scores: Documents) -> None:
    first = scores.between("Score", 0, 10, 2)
    assert [ranked.entry.id for ranked in first] == ["b", "e"]
    last = first[-1]
    assert names(scores, 0, 10, after=(last.value, last.entry.ord)) == "acd"
    top = scores.between("Score", 0, 10, 2, descending=True)[-1]
    assert names(scores, 0, 10, after=(top.value, top.entry.ord), descending=True) == "aeb"


def test_counting_a_range_stops_at_the_limit(scores: Documents) -> None:
    assert scores.count_between("Score", 2, 6) == 4
    assert scores.count_between("Score", 2, 6, 3) == 3
    assert scores.count_between("Score", 6, 9) == 0


def test_documents_that_are_shared_are_decoded_once_and_again_when_they_change(scores: Documents) -> None:
    first, again = (scores.find("Score", 9, shared=True)[0].doc for _ in range(2))
    assert first is again and first == {"Name": "d", "Score": 9}
    assert scores.between("Score", 9, 10, shared=True)[0].entry.doc is first
    scores.put("d", {"Name": "other", "Score": 9})
    assert scores.find("Score", 9, shared=True)[0].doc["Name"] == "other"
    assert scores.find("Score", 9)[0].doc is not scores.find("Score", 9)[0].doc
