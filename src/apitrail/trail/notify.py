"""Telling a topic which log files have come: a row in the transaction of the mark, published by a worker.

So a log file is announced if and only if it is in its bucket; at least once, and several files of one trail may share a
message. Publishing itself is handed in, and is one transaction with the removal of the rows. It is an event of no trail, so
that delivering does not feed itself. Source: CloudTrail User Guide, "Configuring Amazon SNS notifications for CloudTrail".
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple, Protocol

import orjson

from apitrail.clock import Clock
from apitrail.store.database import Database, Tx
from apitrail.trail.trails import find_trail

log = logging.getLogger("apitrail.notifications")
VALIDATION = "CloudTrail validation message."
KEYS_MAX = 20
PER_TRAIL = 200
LOOK_S = 0.5
RETRY_S, RETRY_MAX_S = 1.0, 60.0


class Notification(NamedTuple):
    """What is to be announced. key: of a log file, or empty for the message that tries a topic out."""

    id: int
    trail: str
    region: str
    topic: str
    bucket: str
    key: str


class Publish(Protocol):
    """Publishes texts into a topic for a trail and runs done in the same transaction; returns why not, or an empty text."""

    async def __call__(self, topic: str, trail: str, texts: Sequence[str], done: Callable[[Tx], None]) -> str: ...


def set_topic(tx: Tx, trail: str, topic: str) -> None:
    """Say where a trail announces its log files from now on, what waits included; an empty topic: nowhere."""
    if topic:
        tx.run(
            "INSERT INTO trail_topics VALUES (?, ?) ON CONFLICT (trail) DO UPDATE SET topic = excluded.topic",
            (trail, topic),
        )
        tx.run("UPDATE trail_notifications SET topic = ? WHERE trail = ?", (topic, trail))
    else:
        tx.run("DELETE FROM trail_topics WHERE trail = ?", (trail,))
        tx.run("DELETE FROM trail_notifications WHERE trail = ?", (trail,))


def try_topic(tx: Tx, trail: str, region: str) -> None:
    """Ask for the message that tries a trail's topic out."""
    _add(tx, trail, region, "", "")


def announce(tx: Tx, trail: str, region: str, bucket: str, key: str) -> None:
    """Ask for a log file that is in its bucket to be announced, if the trail has a topic."""
    _add(tx, trail, region, bucket, key)


def waiting_notifications(tx: Tx, limit: int) -> list[Notification]:
    """Return what is to be announced, at most limit per trail, trail by trail, oldest first."""
    rows = tx.all(
        "SELECT id, trail, region, topic, bucket, key FROM (SELECT *, row_number() OVER (PARTITION BY trail ORDER BY id)"
        " AS place FROM trail_notifications) WHERE place <= ? ORDER BY trail, id",
        (limit,),
    )
    return [Notification(*row) for row in rows]


def messages_of(notifications: Sequence[Notification]) -> list[str]:
    """Return the texts that announce log files of one trail, each of up to 20 files of one bucket."""
    texts = []
    for bucket, group in groupby(notifications, lambda item: item.bucket):
        keys = [item.key for item in group]
        if not bucket:
            texts += [VALIDATION] * len(keys)
            continue
        for start in range(0, len(keys), KEYS_MAX):
            content = {"s3Bucket": bucket, "s3ObjectKey": keys[start : start + KEYS_MAX]}
            texts.append(orjson.dumps(content).decode())
    return texts


class Notifier:
    """Announces the log files of all trails."""

    name = "notifications"

    def __init__(self, database: Database, publish: Publish, clock: Clock) -> None:
        self._database = database
        self._publish = publish
        self._clock = clock
        self._resting: dict[str, tuple[float, float]] = {}

    async def tick(self) -> float | None:
        """Announce what waits; return when to come again, in seconds."""
        waiting = await self._database.read(lambda tx: waiting_notifications(tx, PER_TRAIL))
        for (trail, topic), group in groupby(waiting, lambda item: (item.trail, item.topic)):
            due, _ = self._resting.get(trail, (0.0, 0.0))
            if self._clock.monotonic() >= due:
                await self._announce(trail, topic, list(group))
        return LOOK_S

    async def _announce(self, trail: str, topic: str, group: list[Notification]) -> None:
        now = self._clock.now()
        reason = await self._publish(topic, trail, messages_of(group), lambda tx: _done(tx, group, now))
        if not reason:
            self._resting.pop(trail, None)
            return
        _, pause = self._resting.get(trail, (0.0, RETRY_S / 2))
        pause = min(RETRY_MAX_S, pause * 2)
        log.warning("cannot notify topic %s for %s: %s; again in %g s", topic, trail, reason, pause)
        if await self._database.write(lambda tx: _failed(tx, group, now, reason)):
            self._resting[trail] = (self._clock.monotonic() + pause, pause)
        else:
            self._resting.pop(trail, None)


def _add(tx: Tx, trail: str, region: str, bucket: str, key: str) -> None:
    tx.run(
        "INSERT INTO trail_notifications (trail, region, topic, bucket, key)"
        " SELECT trail, ?, topic, ?, ? FROM trail_topics WHERE trail = ?",
        (region, bucket, key, trail),
    )


def _done(tx: Tx, group: Sequence[Notification], now: datetime) -> None:
    for item in group:
        tx.run("DELETE FROM trail_notifications WHERE id = ?", (item.id,))
    if find_trail(tx, group[0].trail) is not None:
        for region in {item.region for item in group}:
            tx.run(
                "INSERT INTO deliveries (trail, region, notified_at, notify_attempt_at) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (trail, region) DO UPDATE SET notified_at = excluded.notified_at,"
                " notify_attempt_at = excluded.notify_attempt_at, notify_error = ''",
                (group[0].trail, region, now.timestamp(), now.timestamp()),
            )


def _failed(tx: Tx, group: Sequence[Notification], now: datetime, reason: str) -> bool:
    """Write down why nothing could be announced; return whether to try again, which a deleted trail does not."""
    trail = group[0].trail
    if find_trail(tx, trail) is None:
        tx.run("DELETE FROM trail_notifications WHERE trail = ?", (trail,))
        return False
    for region in {item.region for item in group}:
        tx.run(
            "INSERT INTO deliveries (trail, region, notify_attempt_at, notify_error) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (trail, region) DO UPDATE SET notify_attempt_at = excluded.notify_attempt_at,"
            " notify_error = excluded.notify_error",
            (trail, region, now.timestamp(), reason),
        )
    return True
