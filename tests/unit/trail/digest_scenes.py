"""A trail with deliverer and digester on a virtual clock, and a checker of digest chains that shares no code with the product."""

import asyncio
import gzip
import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from apitrail.clock import VirtualClock
from apitrail.ids import seeded_ids
from apitrail.objects.fault import FaultBucket
from apitrail.objects.memory import MemoryBucket
from apitrail.settings import Delivery, Digest
from apitrail.store import journal
from apitrail.store.database import Tx
from apitrail.store.sqlite import SqliteDatabase
from apitrail.telemetry import Metrics
from apitrail.trail.chains import begin_validation, end_validation, move_validation
from apitrail.trail.deliver import Deliverer
from apitrail.trail.digests import Digester
from apitrail.trail.keys import KeyRing, SigningKey, make_key
from apitrail.trail.trails import TRAILS, close_span, open_span, renew_span

ACCOUNT, REGION, OTHER_REGION = "111122223333", "us-west-2", "eu-west-1"
ARN = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/audit"
START = datetime(2026, 3, 4, 9, 15, 1, tzinfo=UTC)
_POOL: list[SigningKey] = []


class Keys:
    """Hands out real keys, each once per scene; the same ones for every scene, because making them takes long."""

    def __init__(self) -> None:
        self.used = 0

    def __call__(self) -> SigningKey:
        if self.used == len(_POOL):
            _POOL.append(make_key())
        self.used += 1
        return _POOL[self.used - 1]


class Crash(Exception):
    """The process ends here."""


class CrashingDatabase:
    """Passes on to a database, and crashes before or after a commit when it is told to. crash_at: None never."""

    def __init__(self, inner: SqliteDatabase) -> None:
        self.inner = inner
        self.crash_at: int | None = None
        self.after_commit = False

    async def write(self, work: Any, *, durable: bool = True) -> Any:
        if self.crash_at is not None:
            self.crash_at -= 1
            if self.crash_at <= 0:
                self.crash_at = None
                if self.after_commit:
                    await self.inner.write(work)
                raise Crash
        return await self.inner.write(work, durable=durable)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class Bucket(FaultBucket):
    """A bucket with faults that remembers every body that was put under a name."""

    def __init__(self, clock: VirtualClock) -> None:
        self.memory = MemoryBucket(clock)
        super().__init__(self.memory)
        self.bodies: dict[str, set[bytes]] = {}

    async def put(self, key: str, body: bytes, **more: Any) -> Any:
        self.bodies.setdefault(key, set()).add(gzip.decompress(body))
        return await super().put(key, body, **more)


class Scene:
    """A store, a multi-region trail with validation, a bucket, and the two workers."""

    def __init__(self, path: Path, period_s: int = 3600, passphrase_file: str = "") -> None:
        self.runner = asyncio.Runner()
        self.path = path
        self.clock = VirtualClock(START)
        self.database: Any = CrashingDatabase(SqliteDatabase(path / "journal.db"))
        self.bucket = Bucket(self.clock)
        self.ids = seeded_ids(1)
        self.settings = Digest(period_s=period_s, passphrase_file=passphrase_file)
        self.make = Keys()
        self.trail: dict[str, Any] = {
            "Name": "audit",
            "TrailARN": ARN,
            "HomeRegion": REGION,
            "S3BucketName": "logs",
            "IsMultiRegionTrail": True,
        }
        self.count = 0
        self.restart()
        self.write(lambda tx: TRAILS.at(tx, ACCOUNT, REGION).put("audit", self.trail))

    def restart(self) -> None:
        """Begin with new workers, as after a crash."""
        bucket: Any = lambda name: self.bucket  # noqa: E731
        metrics = Metrics()
        self.deliverer = Deliverer(self.database, bucket, Delivery(), self.clock, self.ids, metrics)
        ring = KeyRing(self.database, self.path / "keys", self.settings.passphrase_file, self.clock, self.make)
        self.digester = Digester(self.database, bucket, ring, self.settings, 30.0, self.clock, metrics)

    def write(self, work: Any) -> Any:
        return self.runner.run(self.database.inner.write(work))

    def read(self, work: Any) -> Any:
        return self.runner.run(self.database.inner.read(work))

    def start(self) -> None:
        """StartLogging."""

        def work(tx: Tx) -> None:
            open_span(tx, self.trail, ACCOUNT, journal.last_seq(tx) + 1)
            begin_validation(tx, self.trail, ACCOUNT, self.clock.now())

        self.write(work)

    def stop(self) -> None:
        """StopLogging, which is an event itself."""
        self.stop_with({"eventID": "stop", "eventName": "StopLogging", "eventSource": "cloudtrail.amazonaws.com"})

    def stop_with(self, event: dict[str, Any]) -> None:
        """Stop with an event that is given."""
        at = int(self.clock.now().timestamp())

        def work(tx: Tx) -> None:
            journal.append(tx, ACCOUNT, REGION, 0, at, orjson.dumps(event))
            close_span(tx, ARN, journal.last_seq(tx))
            end_validation(tx, ARN, journal.last_seq(tx))

        self.write(work)

    def update(self, **changes: Any) -> None:
        """UpdateTrail with other settings."""
        self.trail.update(changes)

        def work(tx: Tx) -> None:
            renew_span(tx, self.trail, ACCOUNT, journal.last_seq(tx) + 1)
            move_validation(tx, self.trail)

        self.write(work)

    def event(self, region: str = REGION, name: str = "CreateFleet") -> None:
        self.count += 1
        event = {"eventID": str(self.count), "eventName": name, "eventSource": "gamelift.amazonaws.com"}
        at = int(self.clock.now().timestamp())
        self.write(lambda tx: journal.append(tx, ACCOUNT, region, 0, at, orjson.dumps(event)))

    def deliver(self) -> None:
        """Seal and put what there is."""
        self.runner.run(self.deliverer.flush())

    def tick(self) -> None:
        """Let the digester do everything that is due now."""
        while self.runner.run(self.digester.tick()) == 0.0:
            pass

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.tick()

    def objects(self, part: str) -> dict[str, tuple[dict[str, Any], bytes, dict[str, str]]]:
        """Return the objects with a word in their keys: their JSON, their content, their metadata."""

        async def collect() -> dict[str, tuple[dict[str, Any], bytes, dict[str, str]]]:
            found = {}
            for info in (await self.bucket.memory.list(limit=100_000)).objects:
                if part in info.key:
                    content = gzip.decompress(await (await self.bucket.memory.get(info.key)).read())
                    found[info.key] = (orjson.loads(content), content, info.facts.metadata)
            return found

        return self.runner.run(collect())

    def digests(self) -> dict[str, dict[str, Any]]:
        """Return the content of all digest files by their keys, in the order of the keys."""
        return {key: value[0] for key, value in self.objects("/CloudTrail-Digest/").items()}

    def close(self) -> None:
        self.runner.run(self.database.close())
        self.runner.close()


def check(scene: Scene) -> int:
    """Check that every log file is in exactly one digest, every chain whole, every signature right; return how many digests."""
    digests, logs = scene.objects("/CloudTrail-Digest/"), scene.objects("/CloudTrail/")
    keys = dict(scene.read(lambda tx: tx.all("SELECT fingerprint, value FROM digest_keys")))
    listed: list[str] = []
    followed: list[str] = []
    for key, (digest, content, facts) in digests.items():
        assert (digest["digestS3Bucket"], digest["digestS3Object"]) == ("logs", key)
        assert digest["digestStartTime"] < digest["digestEndTime"]
        sha256 = hashlib.sha256(content).hexdigest()
        text = f"{digest['digestEndTime']}\nlogs/{key}\n{sha256}\n{digest['previousDigestSignature'] or 'null'}"
        public: Any = load_der_public_key(keys[digest["digestPublicKeyFingerprint"]])
        public.verify(bytes.fromhex(facts["signature"]), text.encode(), PKCS1v15(), SHA256())
        assert facts["signature-algorithm"] == digest["digestSignatureAlgorithm"] == "SHA256withRSA"
        assert ("_backfill" in key) == ("backfill-generation-timestamp" in facts)
        if previous := digest["previousDigestS3Object"]:
            _, before, before_facts = digests[previous]
            assert digest["previousDigestHashValue"] == hashlib.sha256(before).hexdigest()
            assert digest["previousDigestSignature"] == before_facts["signature"]
            assert ("_backfill" in previous) == ("_backfill" in key)
            followed.append(previous)
        for file in digest["logFiles"]:
            assert file["hashValue"] == hashlib.sha256(logs[file["s3Object"]][1]).hexdigest()
            listed.append(file["s3Object"])
    assert sorted(listed) == sorted(logs)
    assert len(followed) == len(set(followed))
    assert all(len(bodies) == 1 for bodies in scene.bucket.bodies.values())
    return len(digests)
