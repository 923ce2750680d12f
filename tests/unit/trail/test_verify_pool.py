"""Worker processes: results in order, work that is done by the one who waits, errors that reach the one who asked."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from apitrail.trail.verify_archive import FolderArchive
from apitrail.trail.verify_keys import KeySet
from apitrail.trail.verify_pool import Workers
from apitrail.trail.verify_read import Reader

READER = Reader(FolderArchive(Path()), KeySet({}))


def double(_: Reader, number: int) -> tuple[int, int]:
    """Return twice a number, and which process did it."""
    return 2 * number, os.getpid()


def wait_for(_: Reader, begun: str, path: str) -> int:
    """Say that it has begun, and return which process waited for a file to appear."""
    Path(begun).touch()
    see(Path(path))
    return os.getpid()


def see(path: Path) -> None:
    """Wait until there is a file; fail after 30 s."""
    until = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < until, f"nobody made {path}"
        os.sched_yield()


def make(_: Reader, path: str) -> int:
    """Make a file; return which process did it."""
    Path(path).touch()
    return os.getpid()


def refuse(_: Reader, number: int) -> int:
    """Fail at some number."""
    if number == 40:
        raise OSError("the disk is gone")
    return number


@pytest.fixture
def workers() -> Iterator[Workers]:
    """Give two processes beside this one."""
    workers = Workers(2, lambda: READER, READER, "fork")
    yield workers
    workers.close()


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_results_come_in_the_order_of_the_tasks(jobs: int) -> None:
    workers = Workers(jobs, lambda: READER, READER, "fork")
    labelled = [(number, None if number % 7 == 3 else (number,)) for number in range(300)]
    results = list(workers.map(double, labelled))
    workers.close()
    assert [label for label, _ in results] == list(range(300))
    assert all((result is None) if label % 7 == 3 else result and result[0] == 2 * label for label, result in results)


def test_who_waits_does_what_no_process_has_begun(workers: Workers, tmp_path: Path) -> None:
    """Both processes wait for a file, and so do as many tasks as a pool may have begun: it is made here, or all would wait."""
    list(workers.map(double, [(0, (0,)), (1, (1,))]))
    path, marks = str(tmp_path / "made"), [tmp_path / str(number) for number in range(6)]
    first, second, *others = [workers.begin(wait_for, str(mark), path) for mark in marks]
    made = workers.begin(make, path)
    see(marks[0])
    see(marks[1])
    tasks = [first, second, made, *others]
    results = dict(workers.map(make, enumerate(tasks)))
    assert results[2] == os.getpid()
    assert os.getpid() not in (results[0], results[1])
    assert all(task.is_done() and not task.take() for task in tasks)


@pytest.mark.parametrize("jobs", [1, 3])
def test_an_error_reaches_who_asked(jobs: int) -> None:
    workers = Workers(jobs, lambda: READER, READER, "fork")
    with pytest.raises(OSError, match="the disk is gone"):
        list(workers.map(refuse, ((number, (number,)) for number in range(60))))
    workers.close()
