"""The events of sealed log files, read from the journal: the same ones whenever it is asked.

They are read in pieces, since a file's events as objects of their own need as much memory again as its content.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from apitrail.store import journal
from apitrail.store.database import Row, Tx
from apitrail.trail.follow import Want
from apitrail.trail.logfile import account_folder
from apitrail.trail.trails import Span, spans_of

PIECE_ROWS = 2000


class Part(NamedTuple):
    """A log file, as far as its events are concerned. trail: ARN. insight: it holds Insights events, and nothing else."""

    trail: str
    account: str
    region: str
    bucket: str
    key: str
    first_seq: int
    last_seq: int
    insight: bool


class Piece(NamedTuple):
    """Some events of a log file in journal order. oldest, newest: eventTime, epoch seconds. content: with commas between them."""

    event_count: int
    oldest: int
    newest: int
    content: bytes


def pieces_of(tx: Tx, part: Part) -> Iterator[Piece]:
    """Yield the events of a log file."""
    wants = _wants_of(tx, part)
    sole = _sole(wants, part.insight)
    yield from _filtered(tx, part, wants) if sole is None else _joined(tx, part, sole)


def _joined(tx: Tx, part: Part, sole: Span) -> Iterator[Piece]:
    """Yield all management events of a stretch, joined by the database, which takes a third of the time."""
    first = max(part.first_seq, sole.first)
    last = part.last_seq if sole.last is None else min(part.last_seq, sole.last)
    while row := tx.one(
        "SELECT count(*), min(time), max(time), CAST(group_concat(event, ',') AS BLOB), max(seq) FROM"
        " (SELECT seq, time, event FROM journal WHERE seq >= ? AND seq <= ? AND account = ? AND region = ?"
        f" AND category = {journal.MANAGEMENT} ORDER BY seq LIMIT ?)",
        (first, last, part.account, part.region, PIECE_ROWS),
    ):
        if not row[0]:
            return
        yield Piece(*row[:4])
        first = row[4] + 1


def _filtered(tx: Tx, part: Part, wants: list[Want]) -> Iterator[Piece]:
    first, is_wanted = part.first_seq, _wanted(wants, part.insight)
    while rows := tx.all(
        "SELECT seq, category, time, event FROM journal WHERE seq >= ? AND seq <= ? AND account = ? AND region = ?"
        f" AND (category >= {journal.INSIGHT}) = {part.insight:d} ORDER BY seq LIMIT ?",
        (first, part.last_seq, part.account, part.region, PIECE_ROWS),
    ):
        first = rows[-1][0] + 1
        taken = [row[2:] for row in rows if is_wanted(row[0], row[1], row[3])]
        if taken:
            yield _piece(taken)


def pieces_together(tx: Tx, parts: Sequence[Part]) -> list[Piece]:
    """Return the events of several small log files after one reading of the journal, each in one piece.

    Each file gets what pieces_of gives for it; a hundred would otherwise read the same stretch a hundred times.
    """
    takers: dict[tuple[str, str, bool], list[tuple[int, Part, Callable[[int, int, bytes], bool]]]] = {}
    for index, part in enumerate(parts):
        is_wanted = _wanted(_wants_of(tx, part), part.insight)
        takers.setdefault((part.account, part.region, part.insight), []).append((index, part, is_wanted))
    taken: list[list[Row]] = [[] for _ in parts]
    first, last = min(part.first_seq for part in parts), max(part.last_seq for part in parts)
    while rows := tx.all(
        "SELECT seq, account, region, category, time, event FROM journal WHERE seq >= ? AND seq <= ? ORDER BY seq LIMIT ?",
        (first, last, PIECE_ROWS),
    ):
        for seq, account, region, category, time, event in rows:
            for index, part, is_wanted in takers.get((account, region, category >= journal.INSIGHT), ()):
                if part.first_seq <= seq <= part.last_seq and is_wanted(seq, category, event):
                    taken[index].append((time, event))
        first = rows[-1][0] + 1
    return [_piece(some) for some in taken]


def _piece(taken: Sequence[Row]) -> Piece:
    """Return events, given as (time, event), as a piece."""
    times, events = zip(*taken, strict=True)
    return Piece(len(taken), min(times), max(times), b",".join(events))


def _wants_of(tx: Tx, part: Part) -> list[Want]:
    return [Want(span) for span in spans_of(tx, part.trail) if _delivers_to(span, part.account, part.bucket, part.key)]


def _sole(wants: list[Want], insight: bool) -> Span | None:
    """Return the span of a want that is alone and takes every management event, so that the database can choose them."""
    return wants[0].span if not insight and len(wants) == 1 and wants[0].simple else None


def _wanted(wants: list[Want], insight: bool) -> Callable[[int, int, bytes], bool]:
    """Return the function (seq, category, event) -> whether one of the wants takes it."""
    if (sole := _sole(wants, insight)) is not None:
        covers = sole.covers
        return lambda seq, category, event: category == journal.MANAGEMENT and covers(seq)
    return lambda seq, category, event: any(w.span.covers(seq) and w.wants(category, event) for w in wants)


def _delivers_to(span: Span, account: str, bucket: str, key: str) -> bool:
    """Return whether a span's log files of an account go where this one is; another span may have another prefix."""
    return span.bucket == bucket and key.startswith(account_folder(account, span.prefix, span.organization))
