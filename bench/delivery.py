"""A5: from the journal to sealed gzip files in a folder bucket, beside a bare loop over the same events."""

import asyncio
import gzip
import os
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path

import deflate

from apitrail.app import App
from apitrail.identity.principal import Principal
from apitrail.settings import Delivery, Settings
from apitrail.store.database import Tx
from apitrail.trail.deliver import Deliverer
from apitrail.trail.logfile import LIBDEFLATE_LEVEL, Gzip
from bench import ACCOUNT, REGION, WORK
from bench.events import event_of, fill
from bench.results import Row, Target
from bench.server import BUCKET, make_bucket

EVENTS = 200_000
BARE_SHARE = 0.60
PER_CPU_S = {"libdeflate": 50_000.0, "isal": 150_000.0}
HEAD, TAIL = b'{"Records":[', b"]}"


class Delivered:
    """A filled journal with a trail, delivered any number of times."""

    def __init__(self, data: Path) -> None:
        self.app = App(Settings(data=str(data)))
        self._folder = data / "buckets" / BUCKET

    async def prepare(self) -> None:
        """Let a trail log, then fill the journal."""
        root = Principal("Root", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)
        await self.app.call(root, REGION, "cloudtrail", "CreateTrail", {"Name": "main", "S3BucketName": BUCKET})
        await self.app.call(root, REGION, "cloudtrail", "StartLogging", {"Name": "main"})
        self.byte_count = fill(self.app.database, EVENTS, now_times())

    async def deliver(self, method: Gzip) -> tuple[float, float]:
        """Deliver everything; return the events per second and per CPU second."""
        await self.app.database.write(_forget_deliveries)
        shutil.rmtree(self._folder / "AWSLogs", ignore_errors=True)
        os.sync()
        app = self.app
        settings = Delivery(gzip=method)
        deliverer = Deliverer(app.database, app.bucket, settings, app.clock, app.ids, app.metrics)
        began, cpu = time.perf_counter(), time.process_time()
        await deliverer.flush()
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        self._check()
        return EVENTS / seconds, EVENTS / cpu

    def files(self) -> list[Path]:
        """Return the log files in the bucket."""
        return sorted((self._folder / "AWSLogs").glob("**/*.json.gz"))

    def _check(self) -> None:
        """Hold the files to the number of events."""
        found = sum(gzip.decompress(path.read_bytes()).count(b'"eventVersion"') for path in self.files())
        assert found >= EVENTS, f"{found} events delivered of {EVENTS}"


def _forget_deliveries(tx: Tx) -> None:
    """Let everything be delivered again; the product itself has no way back."""
    tx.run("DELETE FROM log_files")
    tx.run("UPDATE cursors SET seq = (SELECT min(from_seq) - 1 FROM trail_spans) WHERE follower LIKE 'trail/%'")


def now_times() -> Iterator[tuple[int, str]]:
    """Return the present second, over and over."""
    now = datetime.now(UTC)
    return repeat((int(now.timestamp()), f"{now:%Y-%m-%dT%H:%M:%SZ}"))


def bare_loop(folder: Path, file_count: int) -> tuple[float, float]:
    """Join, compress, write and sync the same events in as many files; return the events per second and per CPU second.

    The events are in memory before the clock starts.
    """
    seconds = cpu_seconds = 0.0
    time_text = next(now_times())[1]
    size = -(-EVENTS // file_count)
    for first in range(0, EVENTS, size):
        events = [event_of(number, time_text) for number in range(first, min(first + size, EVENTS))]
        began, cpu = time.perf_counter(), time.process_time()
        content = b",".join((HEAD + events[0], *events[1:-1], events[-1] + TAIL))
        body = deflate.gzip_compress(content, LIBDEFLATE_LEVEL)
        descriptor = os.open(folder / f"{first}.json.gz", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.write(descriptor, body)
        os.fsync(descriptor)
        os.close(descriptor)
        seconds += time.perf_counter() - began
        cpu_seconds += time.process_time() - cpu
    return EVENTS / seconds, EVENTS / cpu_seconds


def a5(rounds: int) -> list[Row]:
    """Measure delivery."""
    data = WORK / "data" / "a5"
    shutil.rmtree(data, ignore_errors=True)
    (data / "bare").mkdir(parents=True)
    make_bucket(data)
    try:
        return asyncio.run(_a5(data, rounds))
    finally:
        shutil.rmtree(data, ignore_errors=True)


async def _a5(data: Path, rounds: int) -> list[Row]:
    delivered = Delivered(data)
    await delivered.prepare()
    libdeflate, isal, bare = [], [], []
    for _ in range(rounds):
        libdeflate.append(await delivered.deliver("libdeflate"))
        file_count = len(delivered.files())
        bare.append(bare_loop(data / "bare", file_count))
        isal.append(await delivered.deliver("isal"))
    await delivered.app.close()
    beside = f"{EVENTS:,} events of {delivered.byte_count / EVENTS:,.0f} bytes in {file_count} files"
    ours, theirs = [pair[0] for pair in libdeflate], [pair[0] for pair in bare]
    share = Target(BARE_SHARE, "ratio", at_least=True)
    return [
        Row("A5", "journal to sealed file, libdeflate", "events/s", ours, "bare loop", theirs, share, beside),
        *(
            Row(
                "A5",
                f"per CPU second, {name}",
                "events",
                [pair[1] for pair in pairs],
                "bare loop" if name == "libdeflate" else "",
                [pair[1] for pair in bare] if name == "libdeflate" else (),
                Target(PER_CPU_S[name], at_least=True),
            )
            for name, pairs in (("libdeflate", libdeflate), ("isal", isal))
        ),
    ]
