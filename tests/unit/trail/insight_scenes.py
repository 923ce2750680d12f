"""A trail with Insights, minutes full of calls, and the worker on a virtual clock."""

import asyncio
import gzip
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from apitrail.clock import VirtualClock
from apitrail.ids import seeded_ids
from apitrail.objects.memory import MemoryBucket
from apitrail.settings import Delivery
from apitrail.settings import Insights as InsightSettings
from apitrail.store import journal
from apitrail.store.database import Tx
from apitrail.store.sqlite import SqliteDatabase
from apitrail.telemetry import Metrics
from apitrail.trail.deliver import Deliverer
from apitrail.trail.insights import Insights
from apitrail.trail.trails import TRAILS, close_span, open_span, renew_span

ACCOUNT, REGION, SOURCE = "111122223333", "us-west-2", "gamelift.amazonaws.com"
ARN = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/audit"
ROLE = f"arn:aws:sts::{ACCOUNT}:assumed-role/Matchmaker"
START = datetime(2026, 3, 4, tzinfo=UTC)
BOTH = [
    {"InsightType": "ApiCallRateInsight", "EventCategories": ["Management"]},
    {"InsightType": "ApiErrorRateInsight", "EventCategories": ["Management"]},
]
DATA = [{"InsightType": "ApiCallRateInsight", "EventCategories": ["Data"]}]


class InsightScene:
    """Minutes are counted from START, at which the trail begins to log."""

    def __init__(self, path: Path, **settings: Any) -> None:
        self.runner = asyncio.Runner()
        self.clock = VirtualClock(START)
        self.database = SqliteDatabase(path / "journal.db")
        self.settings = InsightSettings(**settings)
        self.ids = seeded_ids(1)
        self.bucket = MemoryBucket(self.clock)
        self.written = 0
        self.count = 0
        self.worker = self.make_worker()
        open_bucket: Any = lambda name: self.bucket  # noqa: E731
        self.deliverer = Deliverer(self.database, open_bucket, Delivery(), self.clock, self.ids, Metrics())

    def make_worker(self) -> Insights:
        return Insights(self.database, self.settings, self.clock, self.ids, self._note_written)

    def _note_written(self) -> None:
        self.written += 1

    def write(self, work: Any) -> Any:
        return self.runner.run(self.database.write(work))

    def read(self, work: Any) -> Any:
        return self.runner.run(self.database.read(work))

    def trail(self, selectors: Any = BOTH, **more: Any) -> dict[str, Any]:
        trail = {
            "Name": "audit",
            "TrailARN": ARN,
            "HomeRegion": REGION,
            "S3BucketName": "logs",
            "_Logging": True,
            "_InsightSelectors": selectors,
            **more,
        }

        def work(tx: Tx) -> None:
            TRAILS.at(tx, ACCOUNT, REGION).put("audit", trail)
            open_span(tx, trail, ACCOUNT, journal.last_seq(tx) + 1)

        self.write(work)
        return trail

    def change(self, trail: dict[str, Any], **more: Any) -> None:
        trail |= more
        self.write(lambda tx: renew_span(tx, trail, ACCOUNT, journal.last_seq(tx) + 1))

    def stop(self) -> None:
        self.write(lambda tx: close_span(tx, ARN, journal.last_seq(tx)))

    def calls(self, minutes: Iterable[int], count: int, name: str = "CreateGameSession", **more: Any) -> None:
        """Write as many calls into each of the minutes."""
        account, region, category = (more.pop(key, default) for key, default in PLACE)

        def work(tx: Tx) -> None:
            for minute in minutes:
                at = START + timedelta(minutes=minute)
                for number in range(count):
                    event = self._event(name, at, number, more)
                    journal.append(tx, account, region, category, int(at.timestamp()) + number % 60, event)

        self.write(work)

    def _event(self, name: str, at: datetime, number: int, more: dict[str, Any]) -> bytes:
        self.count += 1
        return orjson.dumps(
            {
                "eventID": f"event-{self.count}",
                "eventSource": SOURCE,
                "eventName": name,
                "eventTime": at.isoformat(),
                "readOnly": False,
                "userAgent": "aws-sdk-cpp",
                "userIdentity": {"arn": f"{ROLE}/session-{number}"},
                **more,
            }
        )

    def usual_day(self, **more: Any) -> None:
        """Write a call every ten minutes for 25 hours, and let them be counted."""
        self.calls(range(0, 1500, 10), 1, **more)
        self.until(1500)

    def until(self, minute: int) -> None:
        """Let time pass up to a minute, and the worker do all it has to."""
        self.clock.jump(START + timedelta(minutes=minute, seconds=5))
        self.settle()

    def settle(self) -> None:
        while self.runner.run(self.worker.tick()) == 0.0:
            pass

    def insights(self, category: int = journal.INSIGHT) -> list[dict[str, Any]]:
        rows = self.read(lambda tx: tx.all("SELECT event FROM journal WHERE category = ? ORDER BY seq", (category,)))
        return [orjson.loads(event) for (event,) in rows]

    def states(self) -> list[tuple[str, int]]:
        """Return (state, minute) of the Insights events."""
        return [(event["insightDetails"]["state"], minute_of(event)) for event in self.insights()]

    def files(self) -> dict[str, list[str]]:
        """Deliver, and return the ids of the events in each object of the bucket."""

        async def collect() -> dict[str, list[str]]:
            await self.deliverer.flush()
            found = {}
            for item in (await self.bucket.list()).objects:
                body = await (await self.bucket.get(item.key)).read()
                found[item.key] = [record["eventID"] for record in orjson.loads(gzip.decompress(body))["Records"]]
            return found

        return self.runner.run(collect())

    def close(self) -> None:
        self.runner.run(self.database.close())
        self.runner.close()


PLACE = (("account", ACCOUNT), ("region", REGION), ("category", journal.MANAGEMENT))


def minute_of(event: dict[str, Any]) -> int:
    """Return the minute of an Insights event."""
    at = datetime.fromisoformat(event["eventTime"])
    return int((at - START).total_seconds() // 60)
