"""The trail layer under faults: one seed, one run, the same bytes each time.

Calls are made through the real services in several accounts and regions while puts fail or lose their answers, the process
crashes in any step and begins again from its database, clocks jump, disks are slow or full, buckets change their policies,
and trails change their selectors, buckets and prefixes. What each trail must deliver is worked out here, by rules of this
file's own.

A failing seed is run again with the command that it prints. APITRAIL_SOAK=1: 10,000 seeds.
"""

import asyncio
import gzip
import hashlib
import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from apitrail.app import DATABASE_FILE, App
from apitrail.clock import VirtualClock
from apitrail.errors import JournalUnavailable, SinkError
from apitrail.ids import seeded_ids
from apitrail.objects.memory import MemoryBucket
from apitrail.services.buckets import buckets
from apitrail.services.cloudtrail.errors import InsufficientS3BucketPolicyException
from apitrail.services.deliveries import delivery_check
from apitrail.services.identities import ACCOUNTS
from apitrail.settings import Delivery, Settings
from apitrail.store.database import Tx
from apitrail.store.sqlite import SqliteDatabase
from apitrail.telemetry import Metrics
from apitrail.testing.stage import root
from apitrail.trail.deliver import Deliverer
from apitrail.trail.status import trail_status

SEEDS = 10_000 if os.environ.get("APITRAIL_SOAK") else 100
CHOSEN = os.environ.get("APITRAIL_SEED")
STEPS = 70
OWNER, MEMBER, STRANGER = "111122223333", "222233334444", "999988887777"
REGIONS = ("us-west-2", "eu-west-1")
HOME = REGIONS[0]
BUCKETS = ("first", "second")
RAM = Path("/dev/shm")
LET_IN = (
    '{"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}, "Action": ["s3:PutObject", "s3:GetBucketAcl"],'
    ' "Resource": ["arn:aws:s3:::%(name)s", "arn:aws:s3:::%(name)s/*"]}'
)
KEEP_OUT = '{"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::%(name)s/*"}'
OPEN = f'{{"Version": "2012-10-17", "Statement": [{LET_IN}]}}'
SHUT = f'{{"Version": "2012-10-17", "Statement": [{LET_IN}, {KEEP_OUT}]}}'


class Crash(Exception):
    """The process ends here."""


class Disk:
    """A database whose commits may be slow, refused, or the last thing that happens. It runs all work at once, in order.

    full: how many writes are refused. slow_s: what each write takes. crash_at: how many writes are left until the crash,
    None for no crash. after_commit: whether the last write is still done.
    """

    def __init__(self, path: Path, clock: VirtualClock) -> None:
        self.inner = SqliteDatabase(path)
        self.clock = clock
        self.full = 0
        self.slow_s = 0.0
        self.crash_at: int | None = None
        self.after_commit = False
        self.dead = False

    def check_alive(self) -> None:
        """Raise Crash when the process has ended."""
        if self.dead:
            raise Crash

    async def write(self, work: Any, *, durable: bool = True) -> Any:
        self.check_alive()
        self.clock.advance(self.slow_s)
        if self.full:
            self.full -= 1
            raise JournalUnavailable("the disk is full")
        if self.crash_at is not None:
            self.crash_at -= 1
            self.dead = self.crash_at <= 0
        if not self.dead:
            return self.inner.write_now(work)
        if self.after_commit:
            self.inner.write_now(work)
        raise Crash

    async def read(self, work: Any) -> Any:
        self.check_alive()
        return self.inner.read_now(work)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class Store:
    """A bucket that fails by chance: the same for the same seed, key and attempt. bodies: whole contents put, by key."""

    def __init__(self, name: str, world: "World") -> None:
        self.name = name
        self.world = world
        self.memory = MemoryBucket(world.clock)
        self.attempts: Counter[str] = Counter()
        self.bodies: dict[str, set[bytes]] = {}
        self.shut = False

    async def put(self, key: str, body: bytes, **more: Any) -> Any:
        self.world.disk.check_alive()
        assert not self.shut, f"{key} was put although the policy of {self.name} does not let it in"
        self.bodies.setdefault(key, set()).add(gzip.decompress(body))
        self.attempts[key] += 1
        chance = random.Random(f"{self.world.seed}/{self.name}/{key}/{self.attempts[key]}").random()
        if self.world.calm or chance > 0.4:
            return await self.memory.put(key, body, **more)
        if chance > 0.25:
            await self.memory.put(key, body, **more)  # its answer is lost
        elif chance > 0.2:
            await self.memory.put(key, body[: len(body) // 2], **more)
        raise SinkError("no answer came", code="ServiceUnavailable", temporary=True)


@dataclass
class Trail:
    """A trail as this file understands it. accounts, regions: whose events it takes. expected: folder by the call's name."""

    name: str
    accounts: tuple[str, ...]
    regions: tuple[str, ...]
    bucket: str = BUCKETS[0]
    prefix: str = ""
    logging: bool = True
    kind: str = "All"
    organization: str = ""
    expected: dict[str, tuple[str, str]] = field(default_factory=dict)

    def note(self, name: str, account: str, region: str, reads: bool) -> None:
        """Take note of a call that was answered."""
        wanted = self.kind == "All" or (self.kind == "ReadOnly") == reads
        if self.logging and wanted and account in self.accounts and region in self.regions:
            organization = f"{self.organization}/" if self.organization else ""
            folder = f"{self.prefix}/AWSLogs/{organization}{account}/CloudTrail/{region}/"
            self.expected[name] = (self.bucket, folder)


class World:
    """Accounts, trails, buckets and the deliverer of one seed."""

    def __init__(self, path: Path, seed: int) -> None:
        self.path, self.seed, self.calm = path, seed, True
        self.chance = random.Random(seed)
        self.runner = asyncio.Runner()
        self.clock, self.ids = VirtualClock(), seeded_ids(seed)
        self.delivery = Delivery(file_bytes_max=self.chance.choice([2_000, 6_000, 50_000_000]))
        settings = Settings(data=str(path), delivery=self.delivery)
        self.app = App(settings, clock=self.clock, ids=self.ids)
        self.run(self.app.database.close())
        self.stores = {name: Store(name, self) for name in BUCKETS}
        self.count = 0
        self.disk = Disk(path / DATABASE_FILE, self.clock)
        self.restart()
        self.trails = self.make_trails()

    def run(self, awaitable: Any) -> Any:
        return self.runner.run(awaitable)

    def restart(self) -> None:
        """Begin again from the database, as a new process does."""
        self.run(self.disk.inner.close())
        self.disk = Disk(self.path / DATABASE_FILE, self.clock)
        database: Any = self.disk
        opened: Any = self.stores.__getitem__
        self.app.database = database
        check = delivery_check(self.delivery, self.clock)
        self.deliverer = Deliverer(database, opened, self.delivery, self.clock, self.ids, Metrics(), check)

    def close(self) -> None:
        self.run(self.app.close())
        self.runner.close()

    def call(self, operation: str, account: str = OWNER, region: str = HOME, service: str = "", **params: Any) -> Any:
        """Make a call, whatever it ends in. Raises: JournalUnavailable when it has not happened."""
        return self.run(self.app.call(root(account), region, service or "cloudtrail", operation, params))

    def make_trails(self) -> list[Trail]:
        """Make an organization of two accounts, and three trails: of all regions, of one, of the organization."""
        self.disk.inner.write_now(self._make_places)
        organization = self.call("CreateOrganization", service="organizations")["Organization"]["Id"]
        self.call("EnableAWSServiceAccess", service="organizations", ServicePrincipal="cloudtrail.amazonaws.com")
        target = {"Id": MEMBER, "Type": "ACCOUNT"}
        invited = self.call("InviteAccountToOrganization", service="organizations", Target=target)["Handshake"]["Id"]
        self.call("AcceptHandshake", MEMBER, service="organizations", HandshakeId=invited)
        trails = [
            Trail("every", (OWNER,), REGIONS),
            Trail("home", (OWNER,), (HOME,)),
            Trail("org", (OWNER, MEMBER), REGIONS, organization=organization),
        ]
        for trail in trails:
            trail.prefix = f"{trail.name}-0"
            self.call(
                "CreateTrail",
                Name=trail.name,
                S3BucketName=trail.bucket,
                S3KeyPrefix=trail.prefix,
                IsMultiRegionTrail=len(trail.regions) > 1,
                IsOrganizationTrail=bool(trail.organization),
            )
            self.call("StartLogging", Name=trail.name)
        return trails

    def _make_places(self, tx: Tx) -> None:
        for account in (OWNER, MEMBER, STRANGER):
            ACCOUNTS.at(tx).put(account, {"Account": account, "CreateDate": self.clock.now()})
        for name in BUCKETS:
            row = {"Name": name, "OwnerAccount": OWNER, "Region": HOME, "CreationDate": self.clock.now()}
            buckets(tx).put(name, row)

    def happened(self, operation: str, **params: Any) -> bool:
        """Make a call and return whether it has happened: it has not when the disk was full, or a bucket's policy forbids it."""
        try:
            self.call(operation, **params)
        except JournalUnavailable:
            return False
        except InsufficientS3BucketPolicyException:
            assert self.stores[params["S3BucketName"]].shut
            return False
        return True

    def make_call(self) -> None:
        """Call somewhere, reading or writing, under a name of its own."""
        self.count += 1
        account, region = self.chance.choice((OWNER, OWNER, MEMBER, STRANGER)), self.chance.choice(REGIONS)
        name, reads = f"call-{self.count}", self.chance.random() < 0.5
        where = {"service": "gamelift", "account": account, "region": region}
        strategy = {"Type": "TERMINAL", "Message": "m"}
        if reads:
            done = self.happened("ListAliases", Name=name, **where)
        else:
            done = self.happened("CreateAlias", Name=name, RoutingStrategy=strategy, **where)
        for trail in self.trails if done else ():
            trail.note(name, account, region, reads)

    def deliver(self) -> None:
        """Let the deliverer work; it may be ended before or after any of its commits, or meet a full disk."""
        self.disk.crash_at = self.chance.choice((None, None, 1, 2, 3, 5, 8))
        self.disk.after_commit = self.chance.random() < 0.5
        try:
            self.run(self.deliverer.flush() if self.chance.random() < 0.3 else self.deliverer.tick())
        except (Crash, JournalUnavailable):
            if self.disk.dead:  # whichever of the trails said it first
                self.restart()
        self.disk.crash_at = None

    def switch(self) -> None:
        """Stop a trail that logs, or start one that does not."""
        trail = self.chance.choice(self.trails)
        if self.happened("StopLogging" if trail.logging else "StartLogging", Name=trail.name):
            trail.logging = not trail.logging

    def select(self) -> None:
        """Give a trail other selectors."""
        trail, kind = self.chance.choice(self.trails), self.chance.choice(("All", "ReadOnly", "WriteOnly"))
        selectors = [{"ReadWriteType": kind, "IncludeManagementEvents": True}]
        if self.happened("PutEventSelectors", TrailName=trail.name, EventSelectors=selectors):
            trail.kind = kind

    def move(self) -> None:
        """Let a trail deliver into another bucket, or below another prefix."""
        trail, bucket = self.chance.choice(self.trails), self.chance.choice(BUCKETS)
        prefix = f"{trail.name}-{self.chance.randrange(2)}"
        if self.happened("UpdateTrail", Name=trail.name, S3BucketName=bucket, S3KeyPrefix=prefix):
            trail.bucket, trail.prefix = bucket, prefix

    def forbid(self) -> None:
        """Give a bucket a policy that keeps log files out, or one that lets them in, or none."""
        store, policy = self.stores[self.chance.choice(BUCKETS)], self.chance.choice((SHUT, OPEN, None))
        if policy is None:
            done = self.happened("DeleteBucketPolicy", service="s3", Bucket=store.name)
        else:
            done = self.happened(
                "PutBucketPolicy", service="s3", Bucket=store.name, Policy=policy % {"name": store.name}
            )
        store.shut = policy == SHUT if done else store.shut

    def pass_time(self) -> None:
        """Move the clock forward, or set it by minutes, hours, rarely years in either direction."""
        if self.chance.random() < 0.7:
            self.clock.advance(self.chance.choice((1, 20, 299, 300, 4_000)))
            return
        seconds = self.chance.choice((90, 4_000, 50_000, 100_000_000)) * self.chance.choice((-1, 1))
        self.clock.jump(self.clock.now() + timedelta(seconds=seconds))

    def trouble(self) -> None:
        """Let the disk be full for some writes, or slow from now on."""
        if self.chance.random() < 0.5:
            self.disk.full = self.chance.randrange(1, 6)
        else:
            self.disk.slow_s = self.chance.choice((0.0, 0.2, 7.0))

    def step(self) -> None:
        """Do one thing."""
        kinds = (
            *(self.make_call, self.deliver, self.pass_time, self.switch),
            *(self.select, self.move, self.trouble, self.forbid),
        )
        self.chance.choices(kinds, weights=(45, 22, 12, 6, 5, 5, 5, 5))[0]()

    def live(self) -> None:
        """Have an eventful life, then a calm end in which everything is delivered."""
        self.calm = False
        for _ in range(STEPS):
            self.step()
        self.calm = True
        self.restart()
        self.disk.full = 0
        self.run(self.deliverer.flush())
        self.check_waiting()
        for store in self.stores.values():
            self.call("DeleteBucketPolicy", service="s3", Bucket=store.name)
            store.shut = False
        for _ in range(3):
            self.clock.advance(self.delivery.retry_max_s + 1)
            self.run(self.deliverer.flush())

    def check_waiting(self) -> None:
        """Check that what cannot be delivered waits for a policy, and that the status says so."""
        rows = self.disk.inner.read_now(
            lambda tx: tx.all(
                "SELECT f.trail, f.bucket, d.error FROM log_files f JOIN deliveries d"
                " ON (d.trail, d.region) = (f.trail, f.region) WHERE f.state = 0 ORDER BY f.id"
            )
        )
        first = {trail: (self.stores[bucket].shut, error) for trail, bucket, error in reversed(rows)}
        assert all(state == (True, "AccessDenied") for state in first.values())

    def objects(self) -> dict[tuple[str, str], bytes]:
        """Return the content of every object by bucket and key; each must be one whole gzip member."""

        async def collect() -> dict[tuple[str, str], bytes]:
            found = {}
            for name, store in self.stores.items():
                for info in (await store.memory.list(limit=100_000)).objects:
                    found[name, info.key] = gzip.decompress(await (await store.memory.get(info.key)).read())
            return found

        found: dict[tuple[str, str], bytes] = self.run(collect())
        return found

    def fingerprint(self) -> str:
        """Return a hash of every name and byte that was delivered."""
        whole = hashlib.sha256()
        for place, content in sorted(self.objects().items()):
            whole.update(repr(place).encode() + content)
        return whole.hexdigest()


def check_trail(trail: Trail, objects: dict[tuple[str, str], bytes]) -> None:
    """Check that a trail has each event once, the wanted ones in the folder that they belong into, and no others."""
    events: Counter[str] = Counter()
    named: dict[str, tuple[str, str]] = {}
    for (bucket, key), content in objects.items():
        if not key.startswith(f"{trail.name}-"):
            continue
        for record in orjson.loads(content)["Records"]:
            events[record["eventID"]] += 1
            assert f"/{record['recipientAccountId']}/CloudTrail/{record['awsRegion']}/" in key
            if record["eventSource"] == "gamelift.amazonaws.com":
                folder = key[: key.index(f"/{record['awsRegion']}/")] + f"/{record['awsRegion']}/"
                named[record["requestParameters"]["name"]] = (bucket, folder)
    assert max(events.values(), default=1) == 1, f"{trail.name}: an event was delivered twice"
    assert named == trail.expected, f"{trail.name}: {sorted(set(named.items()) ^ set(trail.expected.items()))}"


def check_files(world: World, objects: dict[tuple[str, str], bytes]) -> None:
    """Check that each sealed file is one object, always put with the same content, and nothing else is in the buckets."""
    rows = world.disk.inner.read_now(lambda tx: tx.all("SELECT bucket, key, state, event_count FROM log_files"))
    assert {(bucket, key) for bucket, key, _, _ in rows} == set(objects)
    assert len(rows) == len(objects)
    assert all(state == 1 for _, _, state, _ in rows)
    for bucket, key, _, count in rows:
        assert len(orjson.loads(objects[bucket, key])["Records"]) == count
        assert world.stores[bucket].bodies[key] == {objects[bucket, key]}


def check_status(world: World) -> None:
    """Check that the status accounts for every event."""
    for arn, segments in world.deliverer.follower.segments().items():
        status = world.disk.inner.read_now(lambda tx, arn=arn, known=segments: trail_status(tx, arn, known))
        assert status.received == status.delivered + status.filtered
        assert status.waiting == 0


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory in memory where there is one, since the real disk's speed does not matter here."""
    made = Path(tempfile.mkdtemp(prefix="apitrail-simulation-", dir=RAM if RAM.is_dir() else None))
    yield made
    shutil.rmtree(made)


def lived(folder: Path, seed: int) -> World:
    world = World(folder / f"seed-{seed}", seed)
    world.live()
    return world


@pytest.mark.parametrize("seed", [int(CHOSEN)] if CHOSEN else range(SEEDS))
def test_each_event_is_delivered_once_per_trail_whatever_fails(seed: int, folder: Path) -> None:
    print(f"run again: APITRAIL_SEED={seed} pytest tests/simulation/test_delivery.py")
    world = lived(folder, seed)
    objects = world.objects()
    for trail in world.trails:
        check_trail(trail, objects)
    check_files(world, objects)
    check_status(world)
    world.close()


def test_the_same_seed_gives_the_same_bytes(folder: Path) -> None:
    seed = int(CHOSEN or 7)
    first, second = lived(folder / "first", seed), lived(folder / "second", seed)
    assert first.fingerprint() == second.fingerprint()
    assert len(first.objects()) > 3
    first.close()
    second.close()


def test_the_checkers_see_a_lost_a_doubled_and_a_misplaced_event(folder: Path) -> None:
    world = lived(folder, 3)
    objects = world.objects()
    trail = next(trail for trail in world.trails if trail.expected)
    place = next(
        place for place, content in objects.items() if place[1].startswith(trail.name) and b'"call-' in content
    )
    lost = {other: content for other, content in objects.items() if other != place}
    doubled = {**objects, ("second", f"{place[1]}.copy"): objects[place]}
    misplaced = {**lost, ("elsewhere", place[1]): objects[place]}
    for wrong in (lost, doubled, misplaced):
        with pytest.raises(AssertionError):
            check_trail(trail, wrong)
    with pytest.raises(AssertionError):
        check_files(world, lost)
    world.close()
