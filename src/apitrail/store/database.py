"""What the layers above may ask of a database, whichever stands behind it.

A piece of work is a plain synchronous function of a transaction; the database decides when and on which thread it runs,
and may run it again after a failed commit, so it must have no effect but through the transaction.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

T = TypeVar("T")
Row = tuple[Any, ...]


class Seen(NamedTuple):
    """A document that was read or written. body: its bytes. values: what it is indexed by, each None, one value or a
    tuple of them; None while nobody has asked.
    """

    ord: int
    body: bytes
    values: tuple[Any, ...] | None = None


class Tx(Protocol):
    """An open transaction, or a snapshot to read from.

    seen: documents as they are now in this transaction, by scope and id; some of those that were read or written.
    """

    seen: dict[tuple[str, str], Seen]

    def all(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """Run a statement and return its rows."""
        ...

    def one(self, sql: str, params: Sequence[Any] = ()) -> Row | None:
        """Run a statement and return its first row, or None."""
        ...

    def run(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Run a statement that changes something and return how many rows it changed."""
        ...

    def insert(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Run an INSERT and return the new row's number."""
        ...

    def undo(self) -> None:
        """Take back everything this piece of work has changed so far; it may go on and write again."""
        ...


Work = Callable[[Tx], T]


class Database(Protocol):
    """Keeps the state and the journal.

    write: run work and return its result after the commit; with durable=False as soon as it has run (what a failed
    commit then loses is counted in `lost`). Raises JournalUnavailable when it cannot be committed in time; nothing
    of it has happened then. read: run work on a snapshot of what is committed.
    """

    lost: int

    async def write(self, work: Work[T], *, durable: bool = True) -> T: ...

    async def read(self, work: Work[T]) -> T: ...

    def problem(self) -> str:
        """Return why nothing can be written now, or an empty text."""
        ...

    def trouble(self, error: Exception) -> bool:
        """Return whether an error raised inside work is the disk's, not the work's own; such errors must be let rise."""
        ...

    async def close(self) -> None: ...
