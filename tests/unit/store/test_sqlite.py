"""The SQLite database: shared commits, savepoints, and what happens when the disk refuses."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from apitrail.errors import JournalUnavailable
from apitrail.store.database import Tx
from apitrail.store.resources import REMEMBERED_BYTES_MAX, Collection
from apitrail.store.sqlite import SqliteDatabase

INSERT = "INSERT INTO meta VALUES (?, ?)"


@pytest.fixture
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


def put(name: str) -> Callable[[Tx], int]:
    return lambda tx: tx.run(INSERT, (name, b""))


def names(tx: Tx) -> list[str]:
    return [row[0] for row in tx.all("SELECT name FROM meta ORDER BY name")]


def open_database(path: Path, wait_max_s: float = 5.0) -> SqliteDatabase:
    return SqliteDatabase(path / "journal.db", wait_max_s=wait_max_s)


def test_works_that_wait_share_a_commit(tmp_path: Path, loop: asyncio.Runner) -> None:
    database = open_database(tmp_path)
    commits: list[str] = []
    database._writer.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)

    async def many() -> None:
        await asyncio.gather(*(database.write(put(f"n{i:03d}")) for i in range(100)))

    loop.run(many())
    assert len(loop.run(database.read(names))) == 100
    assert len(commits) <= 2
    loop.run(database.close())


def test_a_failing_work_leaves_the_others_of_its_batch_alone(tmp_path: Path, loop: asyncio.Runner) -> None:
    database = open_database(tmp_path)

    def bad(tx: Tx) -> None:
        tx.run(INSERT, ("half", b""))
        raise ValueError("no")

    async def three() -> list[object]:
        works = (put("a"), bad, put("b"))
        return await asyncio.gather(*(database.write(work) for work in works), return_exceptions=True)

    answers = loop.run(three())
    assert isinstance(answers[1], ValueError)
    assert loop.run(database.read(names)) == ["a", "b"]
    loop.run(database.close())


def test_undo_takes_back_only_its_own_work(tmp_path: Path, loop: asyncio.Runner) -> None:
    database = open_database(tmp_path)

    def change_of_mind(tx: Tx) -> None:
        tx.run(INSERT, ("before", b""))
        tx.undo()
        tx.run(INSERT, ("after", b""))

    async def both() -> None:
        await asyncio.gather(database.write(put("other")), database.write(change_of_mind))

    loop.run(both())
    assert loop.run(database.read(names)) == ["after", "other"]
    loop.run(database.close())


def test_an_error_of_the_work_itself_is_not_the_disks(tmp_path: Path, loop: asyncio.Runner) -> None:
    database = open_database(tmp_path)
    loop.run(database.write(put("twice")))
    with pytest.raises(sqlite3.IntegrityError):
        loop.run(database.write(put("twice")))
    assert database.problem() == ""
    loop.run(database.close())


def test_a_full_disk_refuses_in_time_and_leaves_nothing_behind(tmp_path: Path, loop: asyncio.Runner) -> None:
    database = open_database(tmp_path, wait_max_s=0.2)
    (pages,) = database._writer.execute("PRAGMA page_count").fetchone()
    database._writer.execute(f"PRAGMA max_page_count={pages + 2}")
    with pytest.raises(JournalUnavailable) as refused:
        loop.run(database.write(lambda tx: tx.run(INSERT, ("large", b"x" * 1_000_000))))
    assert "full" in refused.value.reason
    assert "full" in database.problem()
    database._writer.execute("PRAGMA max_page_count=1000000")
    loop.run(database.write(put("small")))
    assert database.problem() == ""
    assert loop.run(database.read(names)) == ["small"]
    loop.run(database.close())


def test_a_write_waits_for_a_disk_that_comes_back(tmp_path: Path, loop: asyncio.Runner) -> None:
    database = open_database(tmp_path)
    (pages,) = database._writer.execute("PRAGMA page_count").fetchone()
    database._writer.execute(f"PRAGMA max_page_count={pages + 2}")

    async def later_room() -> None:
        writing = asyncio.ensure_future(database.write(lambda tx: tx.run(INSERT, ("large", b"x" * 1_000_000))))
        await asyncio.sleep(0.15)
        assert not writing.done()
        database._writer.execute("PRAGMA max_page_count=1000000")
        await writing

    loop.run(later_room())
    assert loop.run(database.read(names)) == ["large"]
    loop.run(database.close())


def test_a_removed_journal_file_is_noticed_before_the_next_answer(tmp_path: Path, loop: asyncio.Runner) -> None:
    database = open_database(tmp_path, wait_max_s=0.1)
    loop.run(database.write(put("kept")))
    (tmp_path / "journal.db").rename(tmp_path / "elsewhere.db")
    with pytest.raises(JournalUnavailable) as refused:
        loop.run(database.write(put("lost")))
    assert "removed or replaced" in refused.value.reason
    (tmp_path / "elsewhere.db").rename(tmp_path / "journal.db")
    loop.run(database.write(put("again")))
    assert loop.run(database.read(names)) == ["again", "kept"]
    loop.run(database.close())


def test_what_a_failed_commit_loses_of_early_answers_is_counted(tmp_path: Path, loop: asyncio.Runner) -> None:
    database = open_database(tmp_path, wait_max_s=0.1)

    async def early() -> None:
        await database.write(put("first"), durable=False)
        (tmp_path / "journal.db").rename(tmp_path / "elsewhere.db")
        with pytest.raises(JournalUnavailable):
            await database.write(put("second"), durable=False)

    loop.run(early())
    loop.run(database.close())
    assert database.lost in (0, 1)


def test_a_reader_sees_only_what_is_committed(tmp_path: Path, loop: asyncio.Runner) -> None:
    database = open_database(tmp_path)
    seen: list[list[str]] = []

    def look_from_outside(tx: Tx) -> None:
        tx.run(INSERT, ("mine", b""))
        seen.append(database.read_now(names))

    loop.run(database.write(look_from_outside))
    assert seen == [[]]
    assert loop.run(database.read(names)) == ["mine"]
    loop.run(database.close())


def test_what_was_acknowledged_is_there_after_opening_again(tmp_path: Path, loop: asyncio.Runner) -> None:
    first = open_database(tmp_path)
    loop.run(first.write(put("kept")))
    second = open_database(tmp_path)
    assert loop.run(second.read(names)) == ["kept"]
    loop.run(first.close())
    loop.run(second.close())


NUMBERS = Collection("test/number", indexes=["parity"])


def number(name: str, value: int) -> Callable[[Tx], None]:
    return lambda tx: NUMBERS.at(tx).put(name, {"value": value, "parity": value % 2})


def values(tx: Tx) -> dict[str, int]:
    return {entry.id: entry.doc["value"] for entry in NUMBERS.at(tx).all()}


def test_what_is_remembered_of_a_document_is_forgotten_when_its_work_is_taken_back(
    tmp_path: Path, loop: asyncio.Runner
) -> None:
    database = open_database(tmp_path)

    def second_thoughts(tx: Tx) -> int:
        number("one", 3)(tx)
        tx.undo()
        found = NUMBERS.at(tx).get("one")
        assert found is not None
        number("one", found["value"] + 1)(tx)
        return int(found["value"])

    async def together() -> list[int | None]:
        works = (number("one", 1), number("two", 2), second_thoughts)
        return await asyncio.gather(*(database.write(work) for work in works))

    assert loop.run(together())[-1] == 1
    assert loop.run(database.read(values)) == {"one": 2, "two": 2}
    assert loop.run(database.read(lambda tx: NUMBERS.at(tx).count("parity", 0))) == 2
    loop.run(database.close())


def test_work_without_a_failure_runs_once_and_that_beside_a_failure_twice(tmp_path: Path, loop: asyncio.Runner) -> None:
    database = open_database(tmp_path)
    runs: list[str] = []

    def counted(name: str) -> Callable[[Tx], None]:
        def work(tx: Tx) -> None:
            runs.append(name)
            put(name)(tx)
            if name == "bad":
                raise ValueError("no")

        return work

    async def together(*some: str) -> list[BaseException | None]:
        return await asyncio.gather(*(database.write(counted(name)) for name in some), return_exceptions=True)

    loop.run(together("a", "b"))
    assert runs == ["a", "b"]
    loop.run(together("c", "bad", "d"))
    assert sorted(runs[2:]) == ["bad", "bad", "c", "c", "d"]
    assert loop.run(database.read(names)) == ["a", "b", "c", "d"]
    loop.run(database.close())


def test_what_somebody_else_has_written_is_seen_by_the_next_work(tmp_path: Path, loop: asyncio.Runner) -> None:
    database, other = open_database(tmp_path), open_database(tmp_path)
    loop.run(database.write(number("one", 1)))
    other.write_now(number("one", 5))
    found = loop.run(database.write(lambda tx: NUMBERS.at(tx).get("one")))
    assert found is not None and found["value"] == 5
    loop.run(other.close())
    loop.run(database.close())


def test_a_large_document_is_read_again_and_a_small_one_in_its_place_is_not_mistaken(
    tmp_path: Path, loop: asyncio.Runner
) -> None:
    database = open_database(tmp_path)
    for text in ("small", "x" * (REMEMBERED_BYTES_MAX + 1), "small again"):
        loop.run(database.write(lambda tx, text=text: NUMBERS.at(tx).put("one", {"parity": 0, "text": text})))
        found = loop.run(database.write(lambda tx: NUMBERS.at(tx).get("one")))
        assert found is not None and found["text"] == text
    loop.run(database.close())


def test_works_that_take_long_are_not_all_run_before_the_first_is_answered(
    tmp_path: Path, loop: asyncio.Runner
) -> None:
    database = open_database(tmp_path)
    answered: list[str] = []

    async def one(name: str) -> None:
        def work(tx: Tx) -> None:
            put(name + "-".join(sorted(answered)))(tx)
            sum(range(5_000_000))

        await database.write(work)
        answered.append(name)

    async def some() -> None:
        await asyncio.gather(*(one(name) for name in "abc"))

    loop.run(some())
    assert loop.run(database.read(names)) == ["a", "b", "ca"]
    loop.run(database.close())
