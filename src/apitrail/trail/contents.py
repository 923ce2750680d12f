"""The events of sealed log files, read from the journal: the same ones whenever it is asked.

They are read in pieces, since a file's events as objects of their own need as much memory again as its content.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from apitrail.store import journal
from apitrail.store.database import Row, Tx
from apitrail.trail.follow import Want
from apitrail.trail.logfile import account_folder
from apitrail.trail.seal import LogFile
from apitrail.trail.trails import Span, spans_of

PIECE_ROWS = 2000


class Piece(NamedTuple):
    """Some events of a log file in journal order. oldest, newest: eventTime, epoch seconds. content: with commas between them."""

    event_count: int
    oldest: int
    newest: int
    content: bytes


def pieces_of(tx: Tx, file: LogFile) -> Iterator[Piece]:
    """Yield the events of a log file."""
    wants = _wants_of(tx, file)
    sole = _sole(wants, file.insight)
    yield from _filtered(tx, file, wants) if sole is None else _joined(tx, file, sole)


def _joined(tx: Tx, file: LogFile, sole: Span) -> Iterator[Piece]:
    """Yield all management events of a stretch, joined by the database, which takes a third of the time."""
    first = max(file.first_seq, sole.first)
    last = file.last_seq if sole.last is None else min(file.last_seq, sole.last)
    while row := tx.one(
        "SELECT count(*), min(time), max(time), CAST(group_concat(event, ',') AS BLOB), max(seq) FROM"
        " (SELECT seq, time, event FROM journal WHERE seq >= ? AND seq <= ? AND account = ? AND region = ?"
        f" AND category = {journal.MANAGEMENT} ORDER BY seq LIMIT ?)",
        (first, last, file.account, file.region, PIECE_ROWS),
    ):
        if not row[0]:
            return
        yield Piece(*row[:4])
        first = row[4] + 1


def _filtered(tx: Tx, file: LogFile, wants: list[Want]) -> Iterator[Piece]:
    first, is_wanted = file.first_seq, _wanted(wants, file.insight)
    while rows := tx.all(
        "SELECT seq, category, time, event FROM journal WHERE seq >= ? AND seq <= ? AND account = ? AND region = ?"
        f" AND (category >= {journal.INSIGHT}) = {file.insight:d} ORDER BY seq LIMIT ?",
        (first, file.last_seq, file.account, file.region, PIECE_ROWS),
    ):
        first = rows[-1][0] + 1
        taken = [row[2:] for row in rows if is_wanted(row[0], row[1], row[3])]
        if taken:
            yield _piece(taken)


def pieces_together(tx: Tx, files: Sequence[LogFile]) -> list[Piece]:
    """Return the events of several small log files after one reading of the journal, each in one piece.

    Each file gets what pieces_of gives for it; a hundred would otherwise read the same stretch a hundred times.
    """
    takers: dict[tuple[str, str, bool], list[tuple[int, LogFile, Callable[[int, int, bytes], bool]]]] = {}
    for index, file in enumerate(files):
        is_wanted = _wanted(_wants_of(tx, file), file.insight)
        takers.setdefault((file.account, file.region, file.insight), []).append((index, file, is_wanted))
    taken: list[list[Row]] = [[] for _ in files]
    accounts = json.dumps(sorted({file.account for file in files}))
    first, last = min(file.first_seq for file in files), max(file.last_seq for file in files)
    while rows := tx.all(
        "SELECT seq, account, region, category, time, event FROM journal WHERE seq >= ? AND seq <= ?"
        " AND account IN (SELECT value FROM json_each(?)) ORDER BY seq LIMIT ?",
        (first, last, accounts, PIECE_ROWS),
    ):
        for seq, account, region, category, time, event in rows:
            for index, file, is_wanted in takers.get((account, region, category >= journal.INSIGHT), ()):
                if file.first_seq <= seq <= file.last_seq and is_wanted(seq, category, event):
                    taken[index].append((time, event))
        first = rows[-1][0] + 1
    return [_piece(some) for some in taken]


def _piece(taken: Sequence[Row]) -> Piece:
    """Return events, given as (time, event), as a piece."""
    times, events = zip(*taken, strict=True)
    return Piece(len(taken), min(times), max(times), b",".join(events))


def _wants_of(tx: Tx, file: LogFile) -> list[Want]:
    return [Want(span) for span in spans_of(tx, file.trail) if _delivers_to(span, file.account, file.bucket, file.key)]


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
