"""B3: a hundred trails of a hundred accounts on one server, beside one trail that gets as many events."""

import asyncio
import shutil
import time
from functools import partial
from pathlib import Path

from apitrail.app import App
from apitrail.identity.principal import Principal
from apitrail.objects.memory import MemoryBucket
from apitrail.settings import Delivery, Limits, Settings
from apitrail.store import journal
from apitrail.store.database import Tx
from apitrail.trail.deliver import Deliverer
from bench import REGION, WORK
from bench.delivery import now_times
from bench.events import event_of
from bench.results import Row, Target

EVENTS = 40_000
BATCH = 2_000
TRAILS = (1, 100)
TIMES_MAX = 1.5


class Many:
    """A server with a trail in each of some accounts; events go to each account in turn. cpu_s: of delivering them all."""

    def __init__(self, data: Path, trails: int) -> None:
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir(parents=True)
        self.app = App(Settings(data=str(data), limits=Limits(trails_per_region=trails)))
        self.accounts = [f"{number:012d}" for number in range(1, trails + 1)]
        for account in self.accounts:
            self.app.make_account(account, "")

    async def prepare(self) -> None:
        """Let the trails log."""
        for account in self.accounts:
            who, bucket = Principal("Root", account, f"arn:aws:iam::{account}:root", account), f"audit-{account}"
            wanted = {"Bucket": bucket, "CreateBucketConfiguration": {"LocationConstraint": REGION}}
            await self.app.call(who, REGION, "s3", "CreateBucket", wanted)
            await self.app.call(who, REGION, "cloudtrail", "CreateTrail", {"Name": "main", "S3BucketName": bucket})
            await self.app.call(who, REGION, "cloudtrail", "StartLogging", {"Name": "main"})

    async def deliver(self) -> float:
        """Append events batch by batch, and let the deliverer follow and at last deliver; return its CPU time in seconds."""
        app, memory = self.app, MemoryBucket(self.app.clock)
        deliverer = Deliverer(app.database, lambda _: memory, Delivery(), app.clock, app.ids, app.metrics)
        await deliverer.flush()
        time_at, text = next(now_times())
        used = 0.0
        for first in range(0, EVENTS, BATCH):
            events = [event_of(number, text) for number in range(first, first + BATCH)]
            await app.database.write(partial(self._append, at=time_at, events=events))
            began = time.process_time()
            await deliverer.tick()
            used += time.process_time() - began
        began = time.process_time()
        await deliverer.flush()
        return used + time.process_time() - began

    def _append(self, tx: Tx, at: int, events: list[bytes]) -> None:
        for number, event in enumerate(events):
            account = self.accounts[number % len(self.accounts)]
            journal.append(tx, account, REGION, journal.MANAGEMENT, at, event)


def b3(rounds: int) -> list[Row]:
    """Measure the CPU time of delivery with one trail and with a hundred."""
    return [asyncio.run(_b3(rounds))]


async def _b3(rounds: int) -> Row:
    data = WORK / "data" / "b3"
    values: dict[int, list[float]] = {count: [] for count in TRAILS}
    for _ in range(rounds):
        for count in TRAILS:
            many = Many(data, count)
            await many.prepare()
            values[count].append(1e6 * await many.deliver() / EVENTS)
            await many.app.close()
    shutil.rmtree(data, ignore_errors=True)
    one, hundred = values[TRAILS[0]], values[TRAILS[1]]
    target, beside = Target(TIMES_MAX, "ratio"), f"{EVENTS:,} events in {EVENTS // BATCH} ticks, bucket in memory"
    return Row("B3", "CPU per delivered event, 100 trails", "us", hundred, "one trail", one, target, beside)
