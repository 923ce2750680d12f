"""Follow, seal, put, mark: what a trail delivers, and what happens when something fails between."""

import asyncio
import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from apitrail.clock import VirtualClock
from apitrail.errors import SinkError
from apitrail.ids import seeded_ids
from apitrail.objects.memory import MemoryBucket
from apitrail.settings import Delivery
from apitrail.store import journal
from apitrail.store.database import Tx
from apitrail.store.sqlite import SqliteDatabase
from apitrail.telemetry import Metrics
from apitrail.trail.deliver import SMALL_BYTES, Deliverer, groups_of, pack, pack_together
from apitrail.trail.seal import LogFile, waiting_files
from apitrail.trail.status import region_status, trail_status
from apitrail.trail.trails import TRAILS, close_span, open_span, renew_span, spans_of

ACCOUNT, OTHER = "111122223333", "444455556666"
REGION = "us-west-2"
ARN = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/audit"


class Faulty:
    """A bucket whose next puts fail: before anything happened, or after the object is there."""

    def __init__(self) -> None:
        self.inner = MemoryBucket(VirtualClock())
        self.fail_before = 0
        self.fail_after = 0
        self.keys: list[str] = []

    async def put(self, key: str, body: bytes, **more: Any) -> Any:
        self.keys.append(key)
        if self.fail_before:
            self.fail_before -= 1
            raise SinkError("the bucket is away", code="NoSuchBucket", temporary=True)
        result = await self.inner.put(key, body, **more)
        if self.fail_after:
            self.fail_after -= 1
            raise SinkError("no answer came", code="", temporary=True)
        return result


class Scene:
    """A store, a trail that logs, a bucket and a deliverer on a virtual clock."""

    def __init__(self, path: Path, **delivery: Any) -> None:
        self.runner = asyncio.Runner()
        self.clock = VirtualClock(datetime(2026, 3, 4, 9, 15, 1, tzinfo=UTC))
        self.database = SqliteDatabase(path / "journal.db")
        self.bucket = Faulty()
        self.ids = seeded_ids(1)
        self.delivery = Delivery(**delivery)
        self.deliverer = self.make_deliverer()
        self.count = 0

    def make_deliverer(self) -> Deliverer:
        return Deliverer(self.database, self.open_bucket, self.delivery, self.clock, self.ids, Metrics())

    def open_bucket(self, name: str) -> Any:
        return self.bucket

    def write(self, work: Any) -> Any:
        return self.runner.run(self.database.write(work))

    def read(self, work: Any) -> Any:
        return self.runner.run(self.database.read(work))

    def trail(self, **more: Any) -> dict[str, Any]:
        trail = {
            "Name": "audit",
            "TrailARN": ARN,
            "HomeRegion": REGION,
            "S3BucketName": "logs",
            "_Logging": True,
            **more,
        }

        def work(tx: Tx) -> None:
            TRAILS.at(tx, ACCOUNT, REGION).put("audit", trail)
            open_span(tx, trail, ACCOUNT, journal.last_seq(tx) + 1)

        self.write(work)
        return trail

    def event(self, account: str = ACCOUNT, region: str = REGION, category: int = 0, **more: Any) -> str:
        self.count += 1
        event = {"eventID": f"event-{self.count}", "eventSource": "gamelift.amazonaws.com", "readOnly": False, **more}
        at = int(self.clock.now().timestamp())
        self.write(lambda tx: journal.append(tx, account, region, category, at, orjson.dumps(event)))
        return event["eventID"]

    def tick(self) -> None:
        self.runner.run(self.deliverer.tick())

    def next_period(self) -> None:
        self.clock.advance(self.delivery.period_s)
        self.tick()

    def files(self) -> dict[str, list[str]]:
        """Return the ids of the events in each object of the bucket."""

        async def collect() -> dict[str, list[str]]:
            found = {}
            for info in (await self.bucket.inner.list()).objects:
                body = await (await self.bucket.inner.get(info.key)).read()
                found[info.key] = [record["eventID"] for record in orjson.loads(gzip.decompress(body))["Records"]]
            return found

        return self.runner.run(collect())

    def delivered(self) -> list[str]:
        return [event for events in self.files().values() for event in events]

    def close(self) -> None:
        self.runner.run(self.database.close())
        self.runner.close()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    made.close()


def test_a_log_file_has_the_name_and_content_of_cloudtrails(scene: Scene) -> None:
    scene.trail(S3KeyPrefix="prod")
    wanted = [scene.event(), scene.event()]
    scene.tick()
    ((key, events),) = scene.files().items()
    folder = f"prod/AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/2026/03/04/"
    assert key.startswith(f"{folder}{ACCOUNT}_CloudTrail_{REGION}_20260304T0915Z_")
    assert key.endswith(".json.gz")
    assert len(key.rpartition("_")[2].removesuffix(".json.gz")) == 16
    assert events == wanted


def test_files_are_sealed_at_multiples_of_the_period(scene: Scene) -> None:
    scene.trail()
    scene.tick()
    first = scene.event()
    scene.clock.advance(100)
    scene.tick()
    assert scene.delivered() == []
    scene.clock.advance(139)
    second = scene.event()
    scene.clock.advance(60)
    scene.tick()
    assert scene.delivered() == [first, second]
    (key,) = scene.files()
    assert "T0920Z" in key


def test_each_account_and_region_has_its_own_file_and_strangers_none(scene: Scene) -> None:
    scene.trail(IsMultiRegionTrail=True)
    here, there = scene.event(), scene.event(region="eu-west-1")
    scene.event(account=OTHER)
    scene.tick()
    files = scene.files()
    assert sorted(files.values()) == sorted([[here], [there]])
    assert all(ACCOUNT in key for key in files)


def test_a_single_region_trail_leaves_other_regions_alone(scene: Scene) -> None:
    scene.trail()
    scene.event(region="eu-west-1")
    here = scene.event()
    scene.tick()
    assert scene.delivered() == [here]


def test_data_events_are_left_out_by_the_default_selectors_and_counted(scene: Scene) -> None:
    scene.trail()
    scene.event(category=journal.DATA)
    wanted = scene.event()
    scene.tick()
    assert scene.delivered() == [wanted]
    status = scene.read(lambda tx: trail_status(tx, ARN, scene.deliverer.follower.segments()[ARN]))
    assert (status.received, status.delivered, status.filtered, status.waiting) == (2, 1, 1, 0)


def test_the_status_accounts_for_every_event_at_every_moment(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.trail()
    seen = []

    def look() -> None:
        segments = scene.deliverer.follower.segments().get(ARN, ())
        status = scene.database.read_now(lambda tx: trail_status(tx, ARN, segments))
        seen.append((status.received, status.delivered, status.filtered, status.waiting))

    write, read = scene.database.write, scene.database.read

    async def watched(step: Any, work: Any) -> Any:
        look()
        result = await step(work)
        look()
        return result

    for batch in range(3):
        scene.event(category=journal.DATA)
        scene.event()
        look()
        with monkeypatch.context() as patched:
            patched.setattr(scene.database, "write", lambda work: watched(write, work))
            patched.setattr(scene.database, "read", lambda work: watched(read, work))
            scene.next_period() if batch else scene.tick()
    assert {received - delivered - filtered - waiting for received, delivered, filtered, waiting in seen} == {0}
    received = [one[0] for one in seen]
    assert received == sorted(received)
    assert set(received) == {2, 4, 6}
    assert seen[-1] == (6, 3, 3, 0)


def test_changed_selectors_count_from_the_next_event_on(scene: Scene) -> None:
    trail = scene.trail()
    before = scene.event(readOnly=True)
    selectors = [{"ReadWriteType": "WriteOnly", "IncludeManagementEvents": True, "DataResources": []}]
    changed = {**trail, "_EventSelectors": selectors}
    scene.write(lambda tx: renew_span(tx, changed, ACCOUNT, journal.last_seq(tx) + 1))
    scene.event(readOnly=True)
    after = scene.event(readOnly=False)
    scene.tick()
    assert scene.delivered() == [before, after]


def test_what_happens_while_a_trail_does_not_log_is_never_delivered(scene: Scene) -> None:
    trail = scene.trail()
    first = scene.event()
    scene.write(lambda tx: close_span(tx, ARN, journal.last_seq(tx)))
    scene.event()
    scene.write(lambda tx: open_span(tx, trail, ACCOUNT, journal.last_seq(tx) + 1))
    last = scene.event()
    scene.tick()
    assert scene.delivered() == [first, last]


def test_a_file_is_sealed_before_it_grows_over_its_limit(tmp_path: Path) -> None:
    scene = Scene(tmp_path, file_bytes_max=400)
    scene.trail()
    wanted = [scene.event() for _ in range(10)]
    scene.tick()
    files = scene.files()
    assert len(files) == 2
    assert sorted(scene.delivered()) == sorted(wanted)
    sizes = scene.read(lambda tx: tx.all("SELECT byte_count FROM log_files"))
    assert all(size <= 400 for (size,) in sizes)
    scene.close()


def test_a_put_that_fails_is_repeated_with_the_same_name(scene: Scene) -> None:
    scene.trail()
    wanted = scene.event()
    scene.bucket.fail_before = 3
    scene.tick()
    assert scene.delivered() == []
    status = scene.read(lambda tx: region_status(tx, ARN, REGION))
    assert status.error == "NoSuchBucket"
    assert status.success_at is None
    for _ in range(5):
        scene.clock.advance(31)
        scene.tick()
    assert scene.delivered() == [wanted]
    assert len(set(scene.bucket.keys)) == 1
    assert scene.read(lambda tx: region_status(tx, ARN, REGION)).error == ""


def test_a_put_whose_answer_is_lost_leaves_one_object(scene: Scene) -> None:
    scene.trail()
    wanted = scene.event()
    scene.bucket.fail_after = 1
    scene.tick()
    scene.clock.advance(31)
    scene.tick()
    assert scene.files() == {scene.bucket.keys[0]: [wanted]}
    assert len(scene.bucket.keys) == 2


def test_a_restart_after_the_seal_delivers_the_same_file(scene: Scene) -> None:
    scene.trail()
    wanted = scene.event()
    scene.bucket.fail_before = 1
    scene.tick()
    scene.deliverer = scene.make_deliverer()
    later = scene.event()
    scene.clock.advance(300)
    scene.tick()
    assert scene.files()[scene.bucket.keys[0]] == [wanted]
    assert sorted(scene.delivered()) == sorted([wanted, later])


def test_a_restart_before_the_seal_forgets_nothing(scene: Scene) -> None:
    scene.trail()
    scene.tick()
    wanted = scene.event()
    scene.clock.advance(10)
    scene.tick()
    scene.deliverer = scene.make_deliverer()
    scene.next_period()
    assert scene.delivered() == [wanted]


def test_a_deleted_trail_delivers_what_it_has_and_is_forgotten(scene: Scene) -> None:
    scene.trail()
    scene.tick()
    wanted = scene.event()

    def delete(tx: Tx) -> None:
        close_span(tx, ARN, journal.last_seq(tx))
        TRAILS.at(tx, ACCOUNT, REGION).delete("audit")

    scene.write(delete)
    scene.event()
    scene.next_period()
    assert scene.delivered() == [wanted]
    scene.next_period()
    assert scene.read(lambda tx: spans_of(tx)) == []
    assert scene.read(lambda tx: tx.all("SELECT * FROM cursors")) == []


def test_one_trails_missing_bucket_does_not_hold_up_another(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    good, bad = Faulty(), Faulty()
    bad.fail_before = 1000
    buckets: dict[str, Any] = {"logs": bad, "other": good}
    scene.deliverer = Deliverer(scene.database, buckets.__getitem__, scene.delivery, scene.clock, scene.ids, Metrics())
    scene.trail()
    arn = ARN.replace("audit", "second")
    second = {"Name": "second", "TrailARN": arn, "HomeRegion": REGION, "S3BucketName": "other", "_Logging": True}

    def work(tx: Tx) -> None:
        TRAILS.at(tx, ACCOUNT, REGION).put("second", second)
        open_span(tx, second, ACCOUNT, 1)

    scene.write(work)
    wanted = scene.event()
    scene.tick()
    scene.bucket = good
    assert scene.delivered() == [wanted]
    scene.close()


def test_files_that_are_read_together_have_the_content_that_each_has_alone(scene: Scene) -> None:
    for name, more in (("audit", {}), ("writes", {"_EventSelectors": [{"ReadWriteType": "WriteOnly"}]})):
        trail = scene.trail(Name=name, TrailARN=ARN.replace("audit", name), IsMultiRegionTrail=True, **more)
    for number in range(30):
        scene.event(region=REGION if number % 3 else "eu-west-1", readOnly=bool(number % 2))
    scene.write(lambda tx: renew_span(tx, {**trail, "_EventSelectors": None}, ACCOUNT, journal.last_seq(tx) + 1))
    for number in range(10):
        scene.event(readOnly=bool(number % 2))
    scene.bucket.fail_before = 1000
    scene.next_period()
    files = scene.read(lambda tx: waiting_files(tx, 10))
    assert len(files) == 4
    together = scene.read(lambda tx: pack_together(tx, files, "libdeflate"))
    assert together == {file.id: scene.read(lambda tx, file=file: pack(tx, file, "libdeflate")) for file in files}


def test_trails_are_grouped_so_that_small_files_fit_into_memory_together() -> None:
    def trail(number: int, byte_count: int) -> list[LogFile]:
        return [LogFile(number, f"trail-{number}", ACCOUNT, REGION, "logs", "key", number, number, 1, byte_count)]

    assert groups_of([]) == []
    large = [trail(1, 10), trail(2, SMALL_BYTES + 1), trail(3, 10)]
    assert groups_of(large) == [large]
    assert [len(group) for group in groups_of([trail(n, SMALL_BYTES) for n in range(40)])] == [16, 16, 8]
