"""Worker processes that read and check files of an archive; results come in the order of the work, a bounded part at a time."""

import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any, TypeVar

from apitrail.trail.verify_archive import Archive

T = TypeVar("T")
R = TypeVar("R")
AHEAD = 4
ALONE = 8
_opened: list[Archive] = []


class Workers:
    """jobs: how many processes; with 1, or for little work, everything happens in this one.

    open_archive: picklable, opens the archive in each process.
    """

    def __init__(self, jobs: int, open_archive: Callable[[], Archive], archive: Archive) -> None:
        self._archive = archive
        self._open = open_archive
        self._jobs = jobs
        self._begun = 0
        self._pool: ProcessPoolExecutor | None = None

    def map(
        self, work: Callable[..., R], tasks: Iterable[tuple[T, tuple[Any, ...] | None]]
    ) -> Iterator[tuple[T, R | None]]:
        """Yield each task's label with the result of work(archive, *arguments); None for a task without arguments."""
        waiting: deque[tuple[T, Callable[[], R | None]]] = deque()
        for label, args in tasks:
            waiting.append((label, self._submit(work, args)))
            while len(waiting) > self._jobs * AHEAD or (self._pool is None and waiting):
                yield _settled(waiting.popleft())
        while waiting:
            yield _settled(waiting.popleft())

    def _submit(self, work: Callable[..., R], args: tuple[Any, ...] | None) -> Callable[[], R | None]:
        """Return what gives the result, when it is asked for."""
        if args is None:
            return lambda: None
        self._begun += 1
        if self._jobs == 1 or self._begun <= ALONE:
            return partial(work, self._archive, *args)
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self._jobs, get_context("spawn"), _begin, (self._open,))
        future: Future[R] = self._pool.submit(_run, work, args)
        return future.result

    def close(self) -> None:
        """End the processes, without what still waits."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def _settled(item: tuple[T, Callable[[], R | None]]) -> tuple[T, R | None]:
    return item[0], item[1]()


def _begin(open_archive: Callable[[], Archive]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who started us ends us
    _opened.append(open_archive())


def _run(work: Callable[..., R], arguments: tuple[Any, ...]) -> R:
    return work(_opened[0], *arguments)
