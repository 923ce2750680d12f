"""Worker processes that read and check files of an archive; results come in the order of the work, a bounded part at a time."""

import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from itertools import chain
from multiprocessing import get_context
from typing import Any, Generic, TypeVar

from apitrail.trail.verify_read import Reader

T = TypeVar("T")
R = TypeVar("R")
AHEAD = 4
ALONE = 1
_opened: list[Reader] = []


class Task(Generic[R]):
    """Work whose result will be asked for. future: of the process that may do it, None when only this one does."""

    def __init__(self, work: Callable[[], R], future: Future[R] | None) -> None:
        self._work = work
        self._future = future

    def is_done(self) -> bool:
        """Whether the result is there, or nobody else is at it."""
        return self._future is None or self._future.done()

    def take(self) -> bool:
        """Do the work here and now, unless a process has begun it or it is done; return whether it was done here."""
        if self._future is None or not self._future.cancel():
            return False
        found = self._work()
        self._work, self._future = (lambda: found), None
        return True

    def result(self) -> R:
        """Return the result: wait for it, or do the work here."""
        return self._work() if self._future is None else self._future.result()


class Workers:
    """jobs: how many processes; with 1, or for little work, everything happens in this one. It helps while it waits for others.

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
        self, work: Callable[..., R], tasks: Iterable[tuple[T, tuple[Any, ...] | Task[R] | None]]
    ) -> Iterator[tuple[T, R | None]]:
        """Yield each task's label with the result of work(reader, *arguments); None for a task without arguments.

        A task that was begun already has what `begin` gave in place of arguments.
        """
        waiting: deque[tuple[T, Task[R] | None]] = deque()
        for label, args in tasks:
            waiting.append((label, self._submit(work, args)))
            yield from _settled(waiting, self._jobs * AHEAD if self._pool else 0)
        yield from _settled(waiting, 0)

    @property
    def are_running(self) -> bool:
        """Whether there are processes, so that something can be begun before its turn."""
        return self._pool is not None

    def begin(self, work: Callable[..., R], *args: Any) -> Task[R]:
        """Let a process do some work. Only while they are running."""
        assert self._pool is not None
        return Task(partial(work, self._reader, *args), self._pool.submit(_run, work, args))

    def _submit(self, work: Callable[..., R], args: tuple[Any, ...] | Task[R] | None) -> Task[R] | None:
        if args is None or isinstance(args, Task):
            return args
        self._begun += 1
        if self._jobs == 1 or self._begun <= ALONE:
            return Task(partial(work, self._reader, *args), None)
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self._jobs, get_context(self._method), _begin, (self._open,))
        return self.begin(work, *args)

    def close(self) -> None:
        """End the processes, without what still waits."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def _settled(waiting: deque[tuple[T, Task[R] | None]], at_most: int) -> Iterator[tuple[T, R | None]]:
    """Yield labels and results of the first tasks until only so many wait."""
    while len(waiting) > at_most:
        label, first = waiting.popleft()
        yield label, None if first is None else _wait(first, (task for _, task in waiting if task is not None))


def _wait(first: Task[R], others: Iterable[Task[R]]) -> R:
    """Return a task's result. While a process is at it, do here what no process has begun."""
    tasks = chain((first,), others)
    while not first.is_done() and any(task.take() for task in tasks):
        pass
    return first.result()


def _begin(open_reader: Callable[[], Reader]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who started us ends us
    _opened[:] = [open_reader()]


def _run(work: Callable[..., R], arguments: tuple[Any, ...]) -> R:
    return work(_opened[0], *arguments)
