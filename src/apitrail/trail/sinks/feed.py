"""The workers that follow the journal for stream sinks: one cursor per lane, moved once the sink has taken the events.

CloudWatch Logs has a lane per trail that names a log group, EventBridge one for all trails together. While a sink is away its
lanes wait in the journal; nothing else waits for them.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import NamedTuple

from apitrail.clock import Clock
from apitrail.errors import SinkError
from apitrail.settings import Events, Logs, Settings
from apitrail.store import journal
from apitrail.store.database import Database, Row, Tx
from apitrail.trail.follow import Want
from apitrail.trail.seal import tidy
from apitrail.trail.sinks import Item, Sink, events, logs
from apitrail.trail.sinks.endpoint import Endpoint, open_endpoint
from apitrail.trail.sinks.events import EventsSink
from apitrail.trail.sinks.logs import LogsSink, stream_name
from apitrail.trail.trails import EVENTS_FOLLOWER, Span, logs_follower, spans_of

log = logging.getLogger("apitrail.sinks")
BATCH_ROWS = 200
IDLE_S = 1.0
RETRY_S = 0.5


class Lane(NamedTuple):
    """What one cursor is for: the spans whose events a sink gets."""

    follower: str
    spans: list[Span]


class Batch(NamedTuple):
    """The next events of a lane. upto: the last one that was looked at."""

    lane: Lane
    items: list[Item]
    upto: int
    more: bool


Lanes = Callable[[Tx], list[Lane]]


class Kind(NamedTuple):
    """A kind of sink. prefix: of its cursors' names. service, target: as its endpoint wants them."""

    name: str
    make: Callable[[Endpoint], Sink]
    lanes: Lanes
    prefix: str
    service: str
    target: str


def log_lanes(tx: Tx) -> list[Lane]:
    """Return a lane per trail that names a log group; trails that do so no more lose their cursor."""
    by_trail: dict[str, list[Span]] = {}
    for span in spans_of(tx):
        if span.log_group:
            by_trail.setdefault(span.trail, []).append(span)
    return [Lane(logs_follower(trail), spans) for trail, spans in by_trail.items()]


def event_lanes(tx: Tx) -> list[Lane]:
    """Return the one lane of EventBridge; it stays at the end of the journal while no trail logs."""
    return [Lane(EVENTS_FOLLOWER, spans_of(tx))]


SINKS: tuple[Kind, ...] = (
    Kind("logs", LogsSink, log_lanes, logs_follower(""), logs.SERVICE, logs.TARGET),
    Kind("events", EventsSink, event_lanes, EVENTS_FOLLOWER, events.SERVICE, events.TARGET),
)
"""The kinds of sinks; each has a section of the settings that is called like it."""


class Feed:
    """Feeds the sink of a kind. sink: None for one that is not configured; its cursors go, so that they hold back nothing."""

    def __init__(self, kind: Kind, sink: Sink | None, database: Database, clock: Clock, retry_max_s: float) -> None:
        self.name = f"{kind.name}-sink"
        self._sink = sink
        self._lanes = kind.lanes
        self._prefix = kind.prefix
        self._database = database
        self._clock = clock
        self._retry_max_s = retry_max_s
        self._retry: dict[str, tuple[float, float]] = {}

    async def tick(self) -> float | None:
        """Send the next events of every lane, lanes beside each other; return when to come again."""
        lanes, gone = await self._database.read(self._look)
        if gone:
            await self._database.write(lambda tx: _drop_lanes(tx, gone))
        more = await asyncio.gather(*(self._serve(lane) for lane in lanes))
        if self._sink is None:
            return None
        return 0.0 if any(more) else IDLE_S

    def _look(self, tx: Tx) -> tuple[list[Lane], list[str]]:
        """Return the lanes, and the cursors of lanes that are over."""
        lanes = self._lanes(tx) if self._sink is not None else []
        known = {name for (name,) in tx.all("SELECT follower FROM cursors") if name.startswith(self._prefix)}
        return lanes, sorted(known - {lane.follower for lane in lanes})

    async def _serve(self, lane: Lane) -> bool:
        """Send the next events of a lane; return whether there are more."""
        assert self._sink is not None
        due, _ = self._retry.get(lane.follower, (0.0, 0.0))
        if self._clock.monotonic() < due:
            return False
        batch = await self._database.read(lambda tx: next_batch(tx, lane))
        if batch is None:
            return False
        try:
            if batch.items:
                await asyncio.to_thread(self._sink.put, batch.items)
        except SinkError as error:
            await self._failed(batch, error)
            return False
        self._retry.pop(lane.follower, None)
        now = self._clock.now().timestamp()
        await self._database.write(lambda tx: _mark(tx, batch, now), durable=bool(batch.items))
        return batch.more

    async def _failed(self, batch: Batch, error: SinkError) -> None:
        follower = batch.lane.follower
        _, pause = self._retry.get(follower, (0.0, RETRY_S / 2))
        pause = min(self._retry_max_s, pause * 2)
        self._retry[follower] = (self._clock.monotonic() + pause, pause)
        log.warning("cannot send events of %s: %s; again in %g s", follower, error, pause)
        await self._database.write(lambda tx: _note_failure(tx, batch, error.code))


def make_feeds(database: Database, settings: Settings, clock: Clock) -> list[Feed]:
    """Return the workers of all sinks. Raises: SettingsError for a secret that cannot be read."""
    sections: tuple[Logs | Events, ...] = (settings.logs, settings.events)
    return [
        Feed(kind, _make_sink(kind, section, clock), database, clock, settings.delivery.retry_max_s)
        for kind, section in zip(SINKS, sections, strict=True)
    ]


def _make_sink(kind: Kind, section: Logs | Events, clock: Clock) -> Sink | None:
    endpoint = make_endpoint(kind, section, clock)
    return None if endpoint is None else kind.make(endpoint)


def make_bus(settings: Settings, clock: Clock) -> Endpoint | None:
    """Return EventBridge's endpoint, or None when none is configured. Raises: SettingsError."""
    return make_endpoint(SINKS[1], settings.events, clock)


def make_endpoint(kind: Kind, section: Logs | Events, clock: Clock) -> Endpoint | None:
    """Return the endpoint of a kind of sink, or None when none is configured. Raises: SettingsError."""
    return open_endpoint(section, kind.name, kind.service, kind.target, clock)


def next_batch(tx: Tx, lane: Lane) -> Batch | None:
    """Return the next events of a lane, None when it is at the end of the journal.

    A lane without a cursor is one whose sink has just been configured: it begins with the next event.
    """
    begun = tx.one("SELECT seq FROM cursors WHERE follower = ?", (lane.follower,))
    if begun is None:
        return Batch(lane, [], journal.last_seq(tx), False)
    rows = tx.all(
        "SELECT seq, account, region, category, time, event FROM journal WHERE seq > ? ORDER BY seq LIMIT ?",
        (begun[0], BATCH_ROWS),
    )
    if not rows:
        return None
    wants = [Want(span) for span in lane.spans]
    items = [item for row in rows if (item := _item(row, wants)) is not None]
    return Batch(lane, items, rows[-1][0], len(rows) == BATCH_ROWS)


def _item(row: Row, wants: Iterable[Want]) -> Item | None:
    """Return an event as an item when a span wants it."""
    seq, account, region, category, time, event = row
    for want in wants:
        span = want.span
        if span.covers(seq) and want.in_reach(account, region) and want.wants(category, event):
            return Item(seq, region, span.log_group, stream_name(span.organization, account, region), time, event)
    return None


def _mark(tx: Tx, batch: Batch, now: float) -> None:
    """Say that a sink has taken a batch, and let go of spans that were kept for it."""
    journal.move_cursor(tx, batch.lane.follower, batch.upto)
    for region in {item.region for item in batch.items}:
        tx.run(
            "INSERT INTO sink_deliveries VALUES (?, ?, ?, '') ON CONFLICT (sink, region)"
            " DO UPDATE SET success_at = excluded.success_at, error = ''",
            (batch.lane.follower, region, now),
        )
    for trail in {span.trail for span in batch.lane.spans if span.last is not None and span.last <= batch.upto}:
        tidy(tx, trail)


def _note_failure(tx: Tx, batch: Batch, code: str) -> None:
    for region in {item.region for item in batch.items}:
        tx.run(
            "INSERT INTO sink_deliveries (sink, region, error) VALUES (?, ?, ?) ON CONFLICT (sink, region)"
            " DO UPDATE SET error = excluded.error",
            (batch.lane.follower, region, code),
        )


def _drop_lanes(tx: Tx, followers: list[str]) -> None:
    for follower in followers:
        journal.drop_cursor(tx, follower)
        tx.run("DELETE FROM sink_deliveries WHERE sink = ?", (follower,))
