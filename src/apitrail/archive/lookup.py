"""LookupEvents: the event history of one account and region, newest first.

The index answers for what it has reached; the rest of the journal is read and merged, so an event is found as soon
as its call is answered. The last 90 days are the caller's business (`retained_from`), as is the rule that the API takes
one attribute. Source: CloudTrail API Reference, LookupEvents.
"""

import base64
import binascii
import hashlib
import heapq
import hmac
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from apitrail.archive.attributes import (
    INSIGHT_KEYS,
    MANAGEMENT_KEYS,
    RANK_ID_BITS,
    RANK_TIME_MAX,
    Attribute,
    Headline,
    attributes_of,
    rank_of,
    read_headline,
    shown_event,
)
from apitrail.archive.index import ALL_EVENTS, EventIndex, IndexView, Place, Position, Span, terms_of
from apitrail.errors import ServiceError
from apitrail.store import journal
from apitrail.store.database import Tx

PAGE_MAX = 50
VALUE_LENGTH_MAX = 2000
COUNTED_TWICE = "_ ,\n"
TAIL_ROWS = 1000
TAIL_ROWS_MAX = 50_000
TOKEN_LENGTH_MAX = 2048
MAC_BYTES = 16
KEYS = {journal.MANAGEMENT: MANAGEMENT_KEYS, journal.INSIGHT: INSIGHT_KEYS}
END_OF_TIME = Position(2**63 - 1, 0)


class InvalidLookupAttributesException(ServiceError):
    """An attribute's key or value cannot be looked up."""

    code = "InvalidLookupAttributesException"


class InvalidTimeRangeException(ServiceError):
    """The range ends before it starts."""

    code = "InvalidTimeRangeException"


class InvalidMaxResultsException(ServiceError):
    """The page size is out of bounds."""

    code = "InvalidMaxResultsException"


class InvalidNextTokenException(ServiceError):
    """The token is damaged, or belongs to another request."""

    code = "InvalidNextTokenException"


class EventHistoryNotReady(ServiceError):
    """The index is being made; SDKs try again by themselves."""

    code = "ServiceUnavailable"
    status = 503


@dataclass(frozen=True, slots=True)
class Lookup:
    """What is asked.

    attributes: (key, value) pairs that must all hold. start, end: both inclusive, as given, or None.
    retained_from: nothing older is shown; unlike start it may change from page to page. limit: 1 to 50.
    token: of the page before. category: MANAGEMENT or INSIGHT of the journal.
    """

    account: str
    region: str
    attributes: tuple[Attribute, ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    retained_from: datetime | None = None
    limit: int = PAGE_MAX
    token: str = ""
    category: int = journal.MANAGEMENT


@dataclass(frozen=True, slots=True)
class Page:
    """events: as LookupEvents answers them. next_token: empty on the last page."""

    events: list[dict[str, Any]]
    next_token: str = ""


class Hit(NamedTuple):
    """An event to be shown. text: as recorded, empty as long as only its position is known."""

    position: Position
    text: bytes = b""


def lookup_events(tx: Tx, index: EventIndex, key: bytes, lookup: Lookup) -> Page:
    """Return one page of event history. Blocking: to be run on a reading thread, as work of `Database.read`.

    key: the secret that authenticates tokens. A page may hold fewer events than asked for and still have a
    token, when several attributes leave few of many events. Raises: InvalidLookupAttributesException,
    InvalidTimeRangeException, InvalidMaxResultsException, InvalidNextTokenException, EventHistoryNotReady.
    """
    _check(lookup)
    span = _span(lookup, _read_token(key, lookup))
    with index.view() as view:
        hits, stopped = _from_index(view, lookup, span)
        indexed_seq = view.indexed_seq
    hits += _from_tail(tx, lookup, span, indexed_seq)
    hits = [hit for hit in sorted(hits, reverse=True) if stopped is None or hit.position >= stopped]
    page = hits[: lookup.limit]
    last = page[-1].position if len(hits) > lookup.limit else stopped
    return Page(list(_shown(tx, lookup, page)), _make_token(key, lookup, last) if last else "")


def _check(lookup: Lookup) -> None:
    keys = KEYS[lookup.category]
    for key, value in lookup.attributes:
        if key not in keys:
            raise InvalidLookupAttributesException(f"AttributeKey '{key[:100]}' is not one of {', '.join(keys)}.")
        if not 1 <= len(value) + sum(map(value.count, COUNTED_TWICE)) <= VALUE_LENGTH_MAX:
            raise InvalidLookupAttributesException(
                f"The AttributeValue of {key} has 1 to {VALUE_LENGTH_MAX} characters; underscore, space, comma and"
                " newline count twice."
            )
    if len({key for key, _ in lookup.attributes}) != len(lookup.attributes):
        raise InvalidLookupAttributesException("An AttributeKey may be given once.")
    if lookup.start and lookup.end and lookup.start > lookup.end:
        raise InvalidTimeRangeException("StartTime must not be after EndTime.")
    if not 1 <= lookup.limit <= PAGE_MAX:
        raise InvalidMaxResultsException(f"MaxResults must be between 1 and {PAGE_MAX}.")


def _span(lookup: Lookup, before: Position | None) -> Span:
    starts = [math.ceil(at.timestamp()) for at in (lookup.start, lookup.retained_from) if at]
    end = Position(_first_rank(math.floor(lookup.end.timestamp()) + 1), 0) if lookup.end else END_OF_TIME
    return Span(_first_rank(max(starts, default=0)), min(before or end, end))


def _first_rank(time: int) -> int:
    return min(max(time, 0), RANK_TIME_MAX) << RANK_ID_BITS


def _from_index(view: IndexView, lookup: Lookup, span: Span) -> tuple[list[Hit], Position | None]:
    """Return the newest hits, at most one more than a page, and where the search stopped short, if it did."""
    place = Place(lookup.account, lookup.region, lookup.category)
    order = KEYS[lookup.category].index
    attributes = sorted(lookup.attributes, key=lambda item: order(item[0])) or [ALL_EVENTS]
    positions, stopped = view.newest(terms_of(place, attributes), span, lookup.limit + 1)
    return [Hit(position) for position in positions], stopped


def _from_tail(tx: Tx, lookup: Lookup, span: Span, indexed_seq: int) -> list[Hit]:
    """Return the newest hits among the events that the index has not reached, at most one more than a page."""
    behind = journal.last_seq(tx) - indexed_seq
    if behind > TAIL_ROWS_MAX:
        raise EventHistoryNotReady(f"The event history is being indexed; {behind} events are still to come.")
    return heapq.nlargest(lookup.limit + 1, _tail_hits(tx, lookup, span, indexed_seq))


def _tail_hits(tx: Tx, lookup: Lookup, span: Span, seq: int) -> Iterator[Hit]:
    wanted = set(lookup.attributes)
    first_time, last_time = span.first_rank >> RANK_ID_BITS, span.before.rank >> RANK_ID_BITS
    while True:
        rows = tx.all(
            "SELECT seq, time, event FROM journal WHERE seq > ? AND account = ? AND region = ? AND category = ?"
            " AND time >= ? AND time <= ? ORDER BY seq LIMIT ?",
            (seq, lookup.account, lookup.region, lookup.category, first_time, last_time, TAIL_ROWS),
        )
        for row_seq, time, text in rows:
            event = read_headline(text)
            if event is not None and wanted.issubset(attributes_of(event)):
                position = Position(rank_of(time, event.eventID), row_seq)
                if position < span.before:
                    yield Hit(position, text)
        if len(rows) < TAIL_ROWS:
            return
        seq = rows[-1][0]


def _shown(tx: Tx, lookup: Lookup, page: list[Hit]) -> Iterator[dict[str, Any]]:
    """Yield the events of a page; those that are gone by now, or are not what the index took them for, are left out."""
    seqs = [hit.position.seq for hit in page if not hit.text]
    rows = tx.all(
        f"SELECT seq, event FROM journal WHERE seq IN ({', '.join('?' * len(seqs))})"
        " AND account = ? AND region = ? AND category = ?",
        (*seqs, lookup.account, lookup.region, lookup.category),
    )
    texts: dict[int, bytes] = dict(rows)
    for hit in page:
        text = hit.text or texts.get(hit.position.seq, b"")
        event = read_headline(text)
        if event is not None and _is_meant(event, hit.position, lookup):
            yield shown_event(event, hit.position.rank >> RANK_ID_BITS, text)


def _is_meant(event: Headline, position: Position, lookup: Lookup) -> bool:
    ranked = rank_of(position.rank >> RANK_ID_BITS, event.eventID) == position.rank
    return ranked and set(lookup.attributes).issubset(attributes_of(event))


def _make_token(key: bytes, lookup: Lookup, position: Position) -> str:
    body = orjson.dumps(list(position))
    return base64.urlsafe_b64encode(_mac(key, lookup, body) + body).decode().rstrip("=")


def _read_token(key: bytes, lookup: Lookup) -> Position | None:
    if not lookup.token:
        return None
    token = lookup.token[:TOKEN_LENGTH_MAX]
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (binascii.Error, ValueError) as error:
        raise InvalidNextTokenException("The NextToken is not valid.") from error
    mac, body = text[:MAC_BYTES], text[MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(key, lookup, body)):
        raise InvalidNextTokenException("The NextToken is not valid for this request; repeat its other parameters.")
    return Position._make(orjson.loads(body))


def _mac(key: bytes, lookup: Lookup, body: bytes) -> bytes:
    """Bind a position to everything that must be repeated with it; the page size may change."""
    times = [at.timestamp() if at else None for at in (lookup.start, lookup.end)]
    bound = ["LookupEvents", lookup.account, lookup.region, lookup.category, sorted(lookup.attributes), times]
    digest = hashlib.sha256(repr(bound).encode("utf-8", "replace")).digest()
    return hmac.digest(key, digest + body, "sha256")[:MAC_BYTES]
