"""Pages over a collection: sizes, order, filters, tokens."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from apitrail.clock import VirtualClock
from apitrail.ids import seeded_ids
from apitrail.services.context import Context
from apitrail.services.gamelift.errors import InvalidRequestException
from apitrail.services.gamelift.pages import PAGE_COUNT_MAX, page_of
from apitrail.settings import Settings
from apitrail.store.database import Tx
from apitrail.store.resources import Collection
from apitrail.store.sqlite import SqliteDatabase

THINGS = Collection("test/thing", indexes=["Colour"])
Run = Callable[[Callable[[Context], Any]], Any]


def make_context(tx: Tx, account: str = "111122223333", region: str = "us-west-2") -> Context:
    now = VirtualClock().now()
    return Context(tx, account, region, now, seeded_ids(1), Settings(), b"k" * 32)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with asyncio.Runner() as runner:

        async def opened() -> SqliteDatabase:
            return SqliteDatabase(tmp_path / "store.db")

        database = runner.run(opened())
        yield lambda work: runner.run(database.write(lambda tx: work(make_context(tx))))
        runner.run(database.close())


def fill(ctx: Context, count: int, colour: str = "red") -> None:
    for number in range(count):
        THINGS(ctx).put(f"{colour}-{number}", {"Number": number, "Colour": colour})


def follow(ctx: Context, params: dict[str, Any], **options: Any) -> list[list[int]]:
    """Return the numbers on each page, to the end."""
    pages: list[list[int]] = []
    tokens: list[str] = []
    token: str | None = None
    while True:
        asked = params if token is None else {**params, "NextToken": token}
        docs, token = page_of(ctx, "ListThings", asked, THINGS(ctx), **options)
        pages.append([doc["Number"] for doc in docs])
        if token is None:
            return pages
        assert token not in tokens
        tokens.append(token)


def test_a_list_that_ends_with_its_page_has_no_token(run: Run) -> None:
    def work(ctx: Context) -> list[list[int]]:
        fill(ctx, 4)
        return follow(ctx, {"Limit": 2})

    assert run(work) == [[0, 1], [2, 3]]


def test_an_empty_list_is_one_empty_page(run: Run) -> None:
    assert run(lambda ctx: follow(ctx, {"Limit": 2})) == [[]]


def test_the_newest_come_first_where_that_is_asked(run: Run) -> None:
    def work(ctx: Context) -> list[list[int]]:
        fill(ctx, 5)
        return follow(ctx, {"Limit": 2}, newest_first=True)

    assert run(work) == [[4, 3], [2, 1], [0]]


@pytest.mark.parametrize("newest_first", [False, True])
def test_an_index_picks_the_documents(run: Run, newest_first: bool) -> None:
    def work(ctx: Context) -> list[list[int]]:
        fill(ctx, 3, "red")
        fill(ctx, 3, "blue")
        return follow(ctx, {"Limit": 2}, where=("Colour", "blue"), newest_first=newest_first)

    assert run(work) == ([[2, 1], [0]] if newest_first else [[0, 1], [2]])


@pytest.mark.parametrize(("newest_first", "expected"), [(False, [[0, 7], [14]]), (True, [[14, 7], [0]])])
def test_a_condition_picks_documents_however_far_apart(
    run: Run, newest_first: bool, expected: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apitrail.services.gamelift.pages.SCAN_COUNT", 3)

    def work(ctx: Context) -> list[list[int]]:
        fill(ctx, 20)
        return follow(ctx, {"Limit": 2}, keep=lambda doc: doc["Number"] % 7 == 0, newest_first=newest_first)

    assert run(work) == expected


def test_sizes_follow_the_limit_the_default_the_cap_and_the_bound(run: Run) -> None:
    def work(ctx: Context) -> list[int]:
        fill(ctx, PAGE_COUNT_MAX + 1)

        def size(params: dict[str, int], **options: int) -> int:
            return len(page_of(ctx, "ListThings", params, THINGS(ctx), **options)[0])

        return [size({}), size({}, default=20), size({"Limit": 30}, cap=20), size({"Limit": 3}), size({"Limit": 10**9})]

    assert run(work) == [100, 20, 20, 3, PAGE_COUNT_MAX]


def test_pages_are_stable_while_documents_come_and_go(run: Run) -> None:
    def work(ctx: Context) -> list[int]:
        fill(ctx, 4)
        first, token = page_of(ctx, "ListThings", {"Limit": 2}, THINGS(ctx))
        THINGS(ctx).delete("red-0")
        THINGS(ctx).delete("red-1")
        THINGS(ctx).put("late", {"Number": 9, "Colour": "red"})
        rest, _ = page_of(ctx, "ListThings", {"Limit": 9, "NextToken": token}, THINGS(ctx))
        return [doc["Number"] for doc in first + rest]

    assert run(work) == [0, 1, 2, 3, 9]


@pytest.mark.parametrize(
    ("account", "region", "operation", "extra"),
    [
        ("999999999999", "us-west-2", "ListThings", {}),
        ("111122223333", "eu-west-1", "ListThings", {}),
        ("111122223333", "us-west-2", "ListOthers", {}),
        ("111122223333", "us-west-2", "ListThings", {"Colour": "red"}),
    ],
)
def test_a_token_is_good_for_its_own_list_only(
    run: Run, account: str, region: str, operation: str, extra: dict[str, str]
) -> None:
    def work(ctx: Context) -> None:
        fill(ctx, 2)
        _, token = page_of(ctx, "ListThings", {"Limit": 1}, THINGS(ctx))
        foreign = make_context(ctx.tx, account, region)
        with pytest.raises(InvalidRequestException):
            page_of(foreign, operation, {"NextToken": token, **extra}, THINGS(foreign))

    run(work)


@pytest.mark.parametrize("token", ["x", "AAAA", "äöü", "a" * 1024, "%%%"])
def test_a_damaged_token_is_refused(run: Run, token: str) -> None:
    with pytest.raises(InvalidRequestException):
        run(lambda ctx: page_of(ctx, "ListThings", {"NextToken": token}, THINGS(ctx)))
