"""The worker that publishes GameLift's events about placements and matches: to SNS topics, and to EventBridge.

Publishing to a topic is one transaction with the note that it is done, so a topic has each event once and in order. A topic that
is not there or does not let GameLift publish loses its events, as on AWS, with a line in the log. EventBridge gets them at
least once.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, NamedTuple, Protocol

import orjson

from apitrail.clock import Clock
from apitrail.errors import SinkError
from apitrail.store.database import Database, Tx
from apitrail.store.game_events import (
    GameEvent,
    events_for_bus,
    events_for_topic,
    prune_events,
    published,
    sent,
    topics_waiting,
)
from apitrail.trail.sinks.events import REPEATED

log = logging.getLogger("apitrail.game_events")
NAME = "game-events"
SERVICE = "gamelift.amazonaws.com"
TOPICS_MAX = 100
PER_TOPIC = 50
BUS_BATCH = 10
RETRY_S, RETRY_MAX_S = 1.0, 60.0
KEPT_S = 86_400
PRUNE_EVERY_S = 60.0
PRUNE_ROWS = 5_000


class Publish(Protocol):
    """Publishes texts into a topic for a resource and runs done in the same transaction; returns why not, or an empty text."""

    async def __call__(self, topic: str, resource: str, texts: Sequence[str], done: Callable[[Tx], None]) -> str: ...


class Bus(Protocol):
    """An endpoint with PutEvents. It may block; it is called on a thread. Raises: SinkError."""

    def call(self, region: str, operation: str, params: dict[str, Any]) -> dict[str, Any]: ...


class _Rest(NamedTuple):
    until: float
    pause: float


class GameEvents:
    """Publishes what waits. bus: None where no EventBridge is configured."""

    name = NAME

    def __init__(self, database: Database, publish: Publish, bus: Bus | None, clock: Clock) -> None:
        self._database = database
        self._publish = publish
        self._bus = bus
        self._clock = clock
        self._rest = _Rest(0.0, RETRY_S / 2)
        self._prune_at = 0.0

    async def tick(self) -> float | None:
        """Publish the next events; return when to come again, in seconds."""
        topics = await self._database.read(lambda tx: topics_waiting(tx, TOPICS_MAX))
        for topic in topics:
            await self._serve_topic(topic)
        more = await self._serve_bus()
        await self._prune()
        if topics or more:
            return 0.0
        return max(0.0, min(PRUNE_EVERY_S, self._rest.until - self._clock.monotonic())) or PRUNE_EVERY_S

    async def _serve_topic(self, topic: str) -> None:
        events = await self._database.read(lambda tx: events_for_topic(tx, topic, PER_TOPIC))
        if not events:
            return
        texts = [event.event.decode() for event in events]
        reason = await self._publish(topic, events[0].resource, texts, lambda tx: published(tx, events))
        if reason:
            log.warning("%d events of %s are not published to %s: %s", len(events), events[0].resource, topic, reason)
            await self._database.write(lambda tx: published(tx, events))

    async def _serve_bus(self) -> bool:
        """Send the next events to EventBridge; return whether there may be more to send now."""
        bus = self._bus
        if bus is None or self._clock.monotonic() < self._rest.until:
            return False
        events = await self._database.read(lambda tx: events_for_bus(tx, BUS_BATCH))
        try:
            for region, group in groupby(events, key=lambda event: event.region):
                await self._send(bus, region, list(group))
        except SinkError as error:
            pause = min(RETRY_MAX_S, self._rest.pause * 2)
            self._rest = _Rest(self._clock.monotonic() + pause, pause)
            log.warning("cannot send GameLift's events to EventBridge: %s; again in %g s", error, pause)
            return False
        self._rest = _Rest(0.0, RETRY_S / 2)
        return len(events) == BUS_BATCH

    async def _send(self, bus: Bus, region: str, events: list[GameEvent]) -> None:
        params = {"Entries": [_entry(event) for event in events]}
        answer = await asyncio.to_thread(bus.call, region, "PutEvents", params)
        for event, result in zip(events, answer.get("Entries", ()), strict=False):
            code = result.get("ErrorCode")
            if code in REPEATED:
                raise SinkError(f"PutEvents: {code}", code=code, temporary=True)
            if code:
                log.warning("EventBridge does not take event %d about %s: %s", event.seq, event.resource, code)
        await self._database.write(lambda tx: sent(tx, events))

    async def _prune(self) -> None:
        if self._clock.monotonic() < self._prune_at:
            return
        before = int(self._clock.now().timestamp()) - KEPT_S
        gone = await self._database.write(lambda tx: prune_events(tx, before, PRUNE_ROWS), durable=False)
        self._prune_at = self._clock.monotonic() + (0.0 if gone == PRUNE_ROWS else PRUNE_EVERY_S)


def _entry(event: GameEvent) -> dict[str, Any]:
    content = orjson.loads(event.event)
    return {
        "Time": event.time,
        "Source": content["source"],
        "DetailType": content["detail-type"],
        "Resources": content["resources"],
        "Detail": orjson.dumps(content["detail"]).decode(),
    }
