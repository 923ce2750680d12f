"""The whole server put together: the one place that makes clock, ids, store, services, workers and gateway."""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from apitrail import __version__
from apitrail.archive.index import EventIndex, Indexer
from apitrail.clock import Clock, MovableClock, SystemClock, VirtualClock
from apitrail.errors import JournalUnavailable, ServiceError, SettingsError
from apitrail.gateway.broadcast import Broadcast
from apitrail.gateway.effects import EffectRunner
from apitrail.gateway.perform import Performer
from apitrail.gateway.pipeline import Pipeline
from apitrail.gateway.sdk_socket import SdkSocket
from apitrail.gateway.security import SecurityLog
from apitrail.identity.credentials import Credential
from apitrail.identity.principal import Principal
from apitrail.ids import Ids, system_ids
from apitrail.objects.bucket import Bucket
from apitrail.objects.folder import FolderBucket
from apitrail.objects.s3 import S3Bucket, S3Config
from apitrail.services.arrivals import Arrivals
from apitrail.services.context import Context
from apitrail.services.deliveries import delivery_check
from apitrail.services.host_orders import HostOrders
from apitrail.services.iam.credentials import StoredCredentials, ensure_account
from apitrail.services.identities import ACCOUNTS
from apitrail.services.links import Links
from apitrail.services.registry import SERVICES
from apitrail.services.s3.sweeping import LifecycleWorker
from apitrail.services.sns.courier import Courier
from apitrail.services.sns.notices import publish_for_service
from apitrail.services.topics import CLOUDTRAIL
from apitrail.settings import Delivery, Settings
from apitrail.store.database import Tx
from apitrail.store.meta import store_key
from apitrail.store.resources import Doc, decode_doc
from apitrail.store.sqlite import SqliteDatabase
from apitrail.telemetry import Metrics
from apitrail.trail.deliver import Deliverer
from apitrail.trail.digests import Digester
from apitrail.trail.entrance import lets_in
from apitrail.trail.follow import Segment
from apitrail.trail.insights import Insights
from apitrail.trail.keys import KeyRing
from apitrail.trail.notify import Notifier
from apitrail.trail.sinks.feed import make_bus, make_feeds
from apitrail.trail.status import region_status, trail_status
from apitrail.trail.trails import TRAILS
from apitrail.wire.call import Call
from apitrail.wire.http import HttpRequest, HttpResponse
from apitrail.wire.models import service_model
from apitrail.wire.route import Router
from apitrail.workers.game_events import SERVICE as GAMELIFT
from apitrail.workers.game_events import GameEvents
from apitrail.workers.hosting import Hosting
from apitrail.workers.match_engine import ChildEngine, EngineGone, LocalEngine
from apitrail.workers.matchmaking import Matchmaking
from apitrail.workers.pruner import Pruner
from apitrail.workers.scheduler import Scheduler, Worker
from apitrail.workers.timers import TimerWorker

DATABASE_FILE = "journal.db"
INDEX_FILE = "index.db"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
T = TypeVar("T")
log = logging.getLogger("apitrail")


class EffectWorker:
    """Runs effects that were left over."""

    name = "effects"

    def __init__(self, runner: EffectRunner) -> None:
        self.tick = runner.tick


class App:
    """One server: everything but the sockets. It is what services see as their Runtime.

    settings.data: the data directory, made when it is missing. clock, ids: real ones unless a test hands in others.
    """

    def __init__(
        self, settings: Settings, *, clock: Clock | None = None, ids: Ids | None = None, is_dev: bool = False
    ) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        self.ids = ids or system_ids()
        self.is_dev = is_dev
        self.metrics = Metrics()
        self.grown = Broadcast()
        self.arrivals = Arrivals()
        self.links = Links()
        self.host_orders = HostOrders()
        self.stopping = False
        self.data_dir = Path(settings.data)
        self.staging_dir = self.data_dir / "staging"
        _make_dirs(self.data_dir, self.staging_dir)
        self.database = SqliteDatabase(self.data_dir / DATABASE_FILE, wait_max_s=settings.capture.wait_max_s)
        self.key = self.database.write_now(lambda tx: store_key(tx, "tokens", self.ids))
        self.credentials = StoredCredentials(self.database, self.clock)
        self.index = EventIndex(self.data_dir / INDEX_FILE)
        self._started_at = self.clock.monotonic()
        self._losses_counted = 0
        self._buckets: dict[str, Bucket] = {}
        self._trail_buckets: dict[tuple[str, str], Bucket] = {}
        self._effects = EffectRunner(self)
        self._performer = Performer(self, SERVICES, self._effects, self.metrics, self.key, self._committed)
        self._security = SecurityLog(self.data_dir / "security.log", self.clock, self.metrics)
        self._router = Router(list(SERVICES), settings.server.virtual_host_suffixes)
        self.pipeline = Pipeline(
            self, self._router, self.credentials, SERVICES, self._performer, self.metrics, self._security
        )
        self.game_servers = SdkSocket(self, self._security)
        self.deliverer, self.digester = self._make_delivery()
        self.courier = Courier(self)
        self._timers = TimerWorker(self.database, self.clock, self._performer.context, self._committed)
        engine = ChildEngine() if isinstance(self.clock, SystemClock) else LocalEngine(self.clock)
        self.matchmaking = Matchmaking(self, engine)
        self._hosting = Hosting(self)
        self.workers = self._make_workers()
        self._scheduler = Scheduler(self.workers)

    def _make_delivery(self) -> tuple[Deliverer, Digester]:
        """Return who delivers log files, and who signs digests of them."""
        check = lets_in if self.settings.delivery.s3_endpoint else delivery_check(self.settings.delivery, self.clock)
        deliverer = Deliverer(
            self.database, self.trail_bucket, self.settings.delivery, self.clock, self.ids, self.metrics, check
        )
        keys = KeyRing(self.database, self.data_dir / "keys", self.settings.digest.passphrase_file, self.clock)
        digester = Digester(
            self.database,
            self.trail_bucket,
            keys,
            self.settings.digest,
            self.settings.delivery.retry_max_s,
            self.clock,
            self.metrics,
            check,
        )
        return deliverer, digester

    def _make_workers(self) -> list[Worker]:
        return [
            self._timers,
            EffectWorker(self._effects),
            self.deliverer,
            self.courier,
            Notifier(self.database, partial(publish_for_service, self, CLOUDTRAIL), self.clock),
            self._make_game_events(),
            self.matchmaking,
            self.digester,
            Insights(self.database, self.settings.insights, self.clock, self.ids, self.grown.grown),
            *make_feeds(self.database, self.settings, self.clock),
            Indexer(self.database, self.index),
            self.credentials,
            self._hosting,
            LifecycleWorker(self),
            Pruner(self.database, self.clock, self.settings.journal),
        ]

    def _make_game_events(self) -> GameEvents:
        publish = partial(publish_for_service, self, GAMELIFT)
        return GameEvents(self.database, publish, make_bus(self.settings, self.clock), self.clock)

    async def start(self) -> None:
        """Let the workers begin."""
        await asyncio.to_thread(self._sweep)
        await self.game_servers.start()
        self._scheduler.start()

    async def wind_down(self) -> None:
        """Let game servers that run here end, while they can still say so."""
        await self._hosting.take_leave()

    def quiesce(self) -> None:
        """Let streams end, because the server is about to stop."""
        self.stopping = True
        self.grown.grown()
        self.arrivals.close()
        self.links.end_all()

    async def stop(self) -> None:
        """Let the workers end, deliver what is there as far as buckets take it in time, and close the files."""
        await self._scheduler.stop()
        try:
            async with asyncio.timeout(self.settings.server.shutdown_timeout_s):
                await self.deliverer.flush()
        except (TimeoutError, JournalUnavailable) as error:
            log.warning("stopped before everything was delivered; it waits in the journal: %s", error)
        await self.close()

    async def close(self) -> None:
        """End what runs beside the server and close the files."""
        await self.matchmaking.close()
        await self.database.close()
        self.index.close()
        self.courier.close()
        self._security.close()

    def first_account(self) -> Credential | None:
        """Make the first account of an empty store; return its root key, or None when there are accounts already."""
        account, now = self.settings.auth.first_account, self.clock.now()
        if self.database.read_now(lambda tx: ACCOUNTS.at(tx).count()):
            return None
        return self.database.write_now(lambda tx: ensure_account(tx, self.ids, now, account))

    def make_account(self, account: str, alias: str) -> Credential:
        """Make an account and return its root key. Raises: SettingsError when it exists or cannot be."""
        now = self.clock.now()
        try:
            made = self.database.write_now(lambda tx: ensure_account(tx, self.ids, now, account, alias))
        except ValueError as error:
            raise SettingsError(str(error)) from error
        if made is None:
            raise SettingsError(f"there is an account {account} already", hint="apitrail identity account ls")
        return made

    async def read(self, account: str, region: str, work: Callable[[Context], T]) -> T:
        """Look into the state with a context."""
        return await self.database.read(lambda tx: work(self._performer.context(tx, account, region)))

    async def write(self, account: str, region: str, work: Callable[[Context], T]) -> T:
        """Run a change without a caller, in one transaction; return after the commit."""

        def inner(tx: Tx) -> tuple[Context, T]:
            ctx = self._performer.context(tx, account, region)
            return ctx, work(ctx)

        ctx, result = await self.database.write(inner)
        self._committed(ctx)
        await self._effects.run(ctx.effects)
        return result

    async def call(
        self,
        principal: Principal,
        region: str,
        service: str,
        operation: str,
        params: dict[str, Any],
        invoked_by: str = "",
    ) -> dict[str, Any]:
        """Make a call inside the process; it is authorised and recorded like any other.

        invoked_by: DNS name of the AWS service that makes it on the principal's behalf. Raises: the ServiceError it answers.
        """
        if service not in SERVICES or operation not in service_model(service).operation_names:
            raise ServiceError(f"{service}:{operation} is not served here.", code="UnknownOperationException")
        if invoked_by and not principal.invoked_by:
            principal = replace(principal, invoked_by=invoked_by)
        call = Call(
            service=service,
            operation=service_model(service).operation_model(operation),
            params=params,
            region=region,
            request_id=self.ids.uuid(),
            source_ip=invoked_by or "127.0.0.1",
            user_agent=invoked_by or f"apitrail/{__version__}",
        )
        outcome = await self._performer.perform(call, principal)
        if outcome.error is not None:
            raise outcome.error
        return outcome.result

    def authorise(self, call: Call, principal: Principal) -> None:
        """Raise the service's denial unless the principal's policies allow the call."""
        self._performer.authorise(SERVICES[call.service], call, principal)

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer a request that has its whole body."""
        return await self.pipeline(self.pipeline.arrive(request))

    def bucket(self, name: str) -> Bucket:
        """Return the files of a bucket that is served here: a folder below the data directory."""
        if name not in self._buckets:
            self._buckets[name] = FolderBucket(self.data_dir / "buckets" / name, self.clock)
        return self._buckets[name]

    def trail_bucket(self, name: str, kms_key: str = "") -> Bucket:
        """Return the bucket that a trail delivers into: at the configured store, or one that is served here.

        kms_key: ARN of the key that the store is to encrypt new objects with, empty for its default.
        """
        delivery = self.settings.delivery
        if not delivery.s3_endpoint:
            return self.bucket(name)
        place = (name, kms_key)
        if place not in self._trail_buckets:
            self._trail_buckets[place] = S3Bucket(replace(_s3_config(name, delivery), kms_key=kms_key))
        return self._trail_buckets[place]

    def signed_by(self, request: HttpRequest) -> tuple[Principal, str]:
        """Return the caller of one of the server's own signed endpoints, and the region it is signed for."""
        arrival = self.pipeline.arrive(request)
        caller = self.pipeline.authenticate(arrival, body_sha256=EMPTY_SHA256).caller
        assert caller is not None
        return caller.principal, caller.region

    def advance_clock(self, seconds: float) -> datetime:
        """Set the clock of a `dev` server forward, let everybody do what has become due, and return the new time."""
        assert isinstance(self.clock, MovableClock | VirtualClock)
        self.clock.advance(seconds)
        self._scheduler.poke_all()
        return self.clock.now()

    def sns_certificate(self, name: str) -> bytes | None:
        """Return a certificate that notifications are signed by, by its file name, or None."""
        return self.courier.certificate(name)

    async def explain_ticket(self, account: str, region: str, ticket_id: str) -> dict[str, Any] | None:
        """Return why a matchmaking ticket waits, or None for an unknown one. Raises: ServiceError while the engine is away."""
        try:
            return await self.matchmaking.explain(account, region, ticket_id)
        except EngineGone as error:
            raise ServiceError("the matching engine begins anew; ask again", code="unavailable", status=503) from error

    def info(self) -> dict[str, Any]:
        """Return versions and features; no secret, no name of anything in the store."""
        return {
            "version": __version__,
            "mode": "dev" if self.is_dev else "serve",
            "uptime_s": round(self.clock.monotonic() - self._started_at, 1),
            "capture_mode": self.settings.capture.mode,
            "auth_mode": self.settings.auth.mode,
            "services": {name: len(service.operations) for name, service in sorted(SERVICES.items())},
        }

    async def readiness(self) -> list[str]:
        """Return what keeps the server from working, in words."""
        failing = [problem] if (problem := self.database.problem()) else []
        if not self.staging_dir.is_dir():
            failing.append(f"{self.staging_dir} is missing")
        return failing

    def figures(self) -> None:
        """Bring the figures up to date that nobody counts as it happens."""
        self.metrics.dropped.labels("batch").inc(self.database.lost - self._losses_counted)
        self._losses_counted = self.database.lost
        self.metrics.game_servers.set(self.links.count)
        self.metrics.journal_bytes.set(self.database.size())
        known = self.deliverer.follower.segments().values()
        oldest = [one.oldest for segments in known for one in segments if one.oldest is not None]
        age = self.clock.now().timestamp() - min(oldest) if oldest else 0.0
        self.metrics.journal_oldest.set(max(0.0, age))

    async def status(self) -> dict[str, Any]:
        """Return the one-screen account of the server: journal, drops, and every trail's events."""
        segments = self.deliverer.follower.segments()
        trails, (events, newest) = await self.database.read(lambda tx: (self._trails(tx, segments), _journal_size(tx)))
        return {
            **self.info(),
            "journal": {
                "events": events,
                "last_seq": newest,
                "bytes": self.database.size(),
                "problem": self.database.problem(),
            },
            "dropped": self.dropped(),
            "trails": trails,
        }

    def dropped(self) -> int:
        """Return how many answered calls have no record: lost in `batch`, let pass in `blocking`."""
        self.figures()
        return int(sum(s.value for m in self.metrics.dropped.collect() for s in m.samples if s.name.endswith("_total")))

    def _trails(self, tx: Tx, segments: dict[str, tuple[Segment, ...]]) -> list[dict[str, Any]]:
        now = self.clock.now().timestamp()
        return [
            _trail_line(tx, account, entry.doc, segments.get(entry.doc["TrailARN"], ()), now)
            for account, _, entry in TRAILS.everywhere(tx)
        ]

    def _committed(self, ctx: Context | None) -> None:
        """Wake whoever waits for what a transaction wrote."""
        self.credentials.committed(ctx)
        self.grown.grown()
        for name in ctx.woken if ctx is not None else ():
            self._scheduler.poke(name)
            self.arrivals.wake(name)
        if ctx is not None and ctx.first_due is not None and self._timers.comes_first(ctx.first_due):
            self._scheduler.poke(TimerWorker.name)
        if ctx is not None and ctx.effects and ctx.call is None:
            self._scheduler.poke(EffectWorker.name)

    def _sweep(self) -> None:
        """Remove bodies that a crash left in staging; what a committed effect still needs stays."""
        wanted = self.database.read_now(_staged_names)
        for path in self.staging_dir.iterdir():
            if path.name not in wanted:
                path.unlink()


def _make_dirs(data_dir: Path, staging_dir: Path) -> None:
    """Make the data directory, for its owner only."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        staging_dir.mkdir(mode=0o700, exist_ok=True)
        (data_dir / "buckets").mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        hint = "choose another one with --data"
        raise SettingsError(f"cannot use the data directory: {error}", where=str(data_dir), hint=hint) from error


def _s3_config(bucket: str, delivery: Delivery) -> S3Config:
    """Return how a bucket of the configured store is reached. Raises: SettingsError for a secret that cannot be read."""
    try:
        secret = Path(delivery.s3_secret_key_file).read_text().strip() if delivery.s3_secret_key_file else ""
    except OSError as error:
        raise SettingsError(str(error), where="delivery.s3_secret_key_file") from error
    return S3Config(
        bucket=bucket,
        endpoint=delivery.s3_endpoint,
        region=delivery.s3_region,
        access_key=delivery.s3_access_key,
        secret_key=secret,
        allow_http=delivery.s3_endpoint.startswith("http:"),
    )


def _journal_size(tx: Tx) -> tuple[int, int]:
    """Return how many events the journal holds, and the newest seq."""
    first, last = tx.one("SELECT coalesce(min(seq), 1), coalesce(max(seq), 0) FROM journal") or (1, 0)
    return last - first + 1, last


def _trail_line(tx: Tx, account: str, trail: Doc, segments: Sequence[Segment], now: float) -> dict[str, Any]:
    """Return a trail's line of the status."""
    arn = trail["TrailARN"]
    status = trail_status(tx, arn, segments)
    region = region_status(tx, arn, None)
    return {
        "arn": arn,
        "account": account,
        "logging": trail["_Logging"],
        "received": status.received,
        "delivered": status.delivered,
        "filtered": status.filtered,
        "waiting": status.waiting,
        "files": status.files,
        "last_delivery": _iso(region.success_at),
        "error": region.error,
        "oldest_waiting_s": round(max(0.0, now - status.oldest), 1) if status.oldest is not None else 0.0,
    }


def _iso(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _staged_names(tx: Tx) -> set[str]:
    """Return the names of staged files that effects still need."""
    rows = tx.all("SELECT doc FROM effects")
    texts = (value for (doc,) in rows for value in decode_doc(doc).values() if isinstance(value, str))
    return {Path(text).name for text in texts if text}
