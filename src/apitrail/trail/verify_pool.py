"""Worker processes that read and check files of an archive; results come in the order of the work, a bounded part at a time."""

import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any, TypeVar

from apitrail.trail.verify_read import Reader

T = TypeVar("T")
R = TypeVar("R")
AHEAD = 4
ALONE = 1
_opened: list[Reader] = []


class Workers:
    """jobs: how many processes; with 1, or for little work, everything happens in this one.

    open_reader: picklable, opens the archive in each process. reader: the one of this process. method: how processes are
    started; `fork` costs least, and is for archives that are nothing but files.
    """

    def __init__(self, jobs: int, open_reader: Callable[[], Reader], reader: Reader, method: str = "spawn") -> None:
        self._reader = reader
        self._open = open_reader
        self._method = method
        self._jobs = jobs
        self._begun = 0
        self._pool: ProcessPoolExecutor | None = None

    def map(
        self, work: Callable[..., R], tasks: Iterable[tuple[T, tuple[Any, ...] | Callable[[], R] | None]]
    ) -> Iterator[tuple[T, R | None]]:
        """Yield each task's label with the result of work(reader, *arguments); None for a task without arguments.

        A task that was begun already has what `begin` gave in place of arguments.
        """
        waiting: deque[tuple[T, Callable[[], R | None]]] = deque()
        for label, args in tasks:
            waiting.append((label, self._submit(work, args)))
            while len(waiting) > self._jobs * AHEAD or (self._pool is None and waiting):
                yield _settled(waiting.popleft())
        while waiting:
            yield _settled(waiting.popleft())

    @property
    def are_running(self) -> bool:
        """Whether there are processes, so that something can be begun before its turn."""
        return self._pool is not None

    def begin(self, work: Callable[..., R], *args: Any) -> Callable[[], R]:
        """Let a process do some work; return what waits for its result. Only while they are running."""
        assert self._pool is not None
        future: Future[R] = self._pool.submit(_run, work, args)
        return future.result

    def _submit(self, work: Callable[..., R], args: tuple[Any, ...] | Callable[[], R] | None) -> Callable[[], R | None]:
        """Return what gives the result, when it is asked for."""
        if args is None:
            return lambda: None
        if callable(args):
            return args
        self._begun += 1
        if self._jobs == 1 or self._begun <= ALONE:
            return partial(work, self._reader, *args)
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self._jobs, get_context(self._method), _begin, (self._open,))
        return self.begin(work, *args)

    def close(self) -> None:
        """End the processes, without what still waits."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def _settled(item: tuple[T, Callable[[], R | None]]) -> tuple[T, R | None]:
    return item[0], item[1]()


def _begin(open_reader: Callable[[], Reader]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who started us ends us
    _opened[:] = [open_reader()]


def _run(work: Callable[..., R], arguments: tuple[Any, ...]) -> R:
    return work(_opened[0], *arguments)
