"""The worker of Insights: it follows the journal, counts, judges each minute, and writes Start and End as events.

It works for trails that log and have insight selectors, and rests while there are none. Counts and cursor are written
together, events and the minute that they were found in as well; so a crash anywhere repeats work and nothing is counted or
written twice.
"""

import logging
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from apitrail.clock import Clock
from apitrail.ids import Ids
from apitrail.settings import Insights as InsightSettings
from apitrail.store import journal
from apitrail.store.database import Database, Row, Tx
from apitrail.store.meta import read_meta, write_meta
from apitrail.trail.follow import Want
from apitrail.trail.insights_count import MINUTE_S, PERIODS, forget, tally, types_wanted, write_tally
from apitrail.trail.insights_judge import Draft, Judge, Verdict
from apitrail.trail.insights_record import attributions_of, insight_event
from apitrail.trail.trails import spans_of

log = logging.getLogger("apitrail.insights")
FOLLOWER = "insights"
JUDGED = "insights/judged"
BATCH_ROWS = 500
MINUTES_PER_PASS = 60
GRACE_S = 2.0
IDLE_S = 60.0
FORGOTTEN_MAX = 500
HOUR_S = 3600
CLOCK_BACK_MAX_S = 3600


class _Batch(NamedTuple):
    """The next events of the journal, and for whom they are counted."""

    wants: list[Want]
    cursor: int
    rows: list[Row]


class Insights:
    """Finds unusual activity. on_written: called after events were added to the journal."""

    name = "insights"

    def __init__(
        self, database: Database, settings: InsightSettings, clock: Clock, ids: Ids, on_written: Callable[[], None]
    ) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock
        self._ids = ids
        self._on_written = on_written
        self._judge = Judge(settings)
        self._running_since = int(clock.now().timestamp())

    async def tick(self) -> float | None:
        """Count what is new and judge the minutes that are over; return when the next one is, in seconds."""
        batch = await self._database.read(_next_batch)
        if not batch.wants:
            await self._rest(batch)
            return IDLE_S
        if batch.rows:
            await self._count(batch)
        if len(batch.rows) == BATCH_ROWS or await self._judge_minutes(batch.wants):
            return 0.0
        return MINUTE_S - (self._clock.now().timestamp() - GRACE_S) % MINUTE_S

    async def _rest(self, batch: _Batch) -> None:
        """Forget what was being watched when the last trail's Insights end; the counts age away."""
        if batch.cursor:
            await self._database.write(_stop_watching)
        self._running_since = int(self._clock.now().timestamp())

    async def _count(self, batch: _Batch) -> None:
        found = await self._database.read(lambda _: tally(_counted(batch.rows), batch.wants, batch.rows[-1][0]))

        def work(tx: Tx) -> int:
            journal.move_cursor(tx, FOLLOWER, found.upto)
            return write_tally(tx, found, self._settings.series_max)

        if left_out := await self._database.write(work):
            log.warning("insights.series_max is reached: %d more kinds of calls are not counted", left_out)

    async def _judge_minutes(self, wants: list[Want]) -> bool:
        """Judge minutes that are over; return whether there are more."""
        done = int((self._clock.now().timestamp() - GRACE_S) // MINUTE_S - 1) * MINUTE_S
        judged = await self._database.read(lambda tx: _judged(tx, done))
        if judged >= done:
            return False
        first, last = judged + MINUTE_S, min(done, judged + MINUTES_PER_PASS * MINUTE_S)
        verdict = await self._database.read(lambda tx: self._judge.judge(tx, first, last, wants, self._running_since))
        await self._database.write(lambda tx: self._write(tx, verdict, wants))
        if verdict.drafts:
            self._on_written()
        if first // HOUR_S != (last + MINUTE_S) // HOUR_S:
            await self._forget(last)
        return last < done

    async def _forget(self, now: int) -> None:
        """Remove what is too old, a bounded number of rows at a time."""
        while await self._database.write(lambda tx: forget(tx, now, FORGOTTEN_MAX)):
            pass

    def _write(self, tx: Tx, verdict: Verdict, wants: list[Want]) -> None:
        for draft in verdict.drafts:
            self._write_event(tx, draft)
        for number in verdict.closed:
            tx.run("DELETE FROM insights_open WHERE series = ?", (number,))
        for number, state in verdict.open.items():
            tx.run("INSERT OR REPLACE INTO insights_open VALUES (?, ?)", (number, msgspec.json.encode(state)))
        for place in tx.all("SELECT account, region, category FROM insight_places"):
            if not types_wanted(wants, *place):
                tx.run("DELETE FROM insight_places WHERE account = ? AND region = ? AND category = ?", place)
        write_meta(tx, JUDGED, str(verdict.judged).encode())

    def _write_event(self, tx: Tx, draft: Draft) -> None:
        series, about = draft.series, draft.about
        about.shared_id = about.shared_id or self._ids.uuid()
        event_id = self._ids.uuid()
        event = insight_event(
            series,
            draft.state,
            draft.at,
            event_id=event_id,
            shared_id=about.shared_id,
            average=draft.total / draft.minutes,
            minutes=draft.minutes,
            baseline_average=about.average,
            baseline_minutes=about.minutes,
            attributions=attributions_of(series, draft.values, draft.minutes, about.baseline_values, about.minutes),
        )
        on_data = series.category == journal.DATA
        category = journal.DATA_INSIGHT if on_data else journal.INSIGHT
        seq = journal.append(tx, series.account, series.region, category, draft.at, event)
        if on_data:
            row = (seq, series.account, series.region, draft.at, event_id, series.source, series.name, series.kind)
            tx.run("INSERT INTO insight_events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)


def _next_batch(tx: Tx) -> _Batch:
    wants = [Want(span) for span in spans_of(tx) if span.last is None and span.insights]
    cursor = journal.cursor(tx, FOLLOWER)
    if not wants:
        return _Batch([], cursor, [])
    start = cursor or min(want.span.first for want in wants) - 1
    rows = tx.all(
        "SELECT seq, account, region, category, time, event FROM journal WHERE seq > ? ORDER BY seq LIMIT ?",
        (start, BATCH_ROWS),
    )
    return _Batch(wants, cursor, rows)


def _counted(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row[3] in (journal.MANAGEMENT, journal.DATA)]


def _judged(tx: Tx, done: int) -> int:
    """Return the last minute that was judged; the one before done, when none was or the clock went back far."""
    text = read_meta(tx, JUDGED)
    if text is None or int(text) > done + CLOCK_BACK_MAX_S:
        return done - MINUTE_S
    return max(int(text), done - PERIODS[MINUTE_S])


def _stop_watching(tx: Tx) -> None:
    journal.drop_cursor(tx, FOLLOWER)
    tx.run("DELETE FROM meta WHERE name = ?", (JUDGED,))
    tx.run("DELETE FROM insight_places")
    tx.run("DELETE FROM insights_open")
