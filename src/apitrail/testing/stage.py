"""A server without sockets: the real store and the real pipeline in a directory, on a virtual clock with seeded ids."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import orjson

from apitrail.archive.index import EventIndex
from apitrail.clock import VirtualClock
from apitrail.errors import ServiceError
from apitrail.gateway.effects import EffectRunner
from apitrail.gateway.perform import Performer
from apitrail.identity.principal import Principal
from apitrail.ids import seeded_ids
from apitrail.objects.bucket import Bucket
from apitrail.objects.folder import FolderBucket
from apitrail.services.context import Context
from apitrail.services.registry import SERVICES
from apitrail.settings import Settings
from apitrail.store import journal
from apitrail.store.database import Tx
from apitrail.store.meta import store_key
from apitrail.store.sqlite import SqliteDatabase
from apitrail.telemetry import Metrics
from apitrail.wire.call import Call
from apitrail.wire.models import service_model, snake_names
from apitrail.workers.timers import TimerWorker

T = TypeVar("T")
ACCOUNT = "111122223333"
REGION = "us-west-2"


def root(account: str = ACCOUNT) -> Principal:
    """Return the root of an account."""
    return Principal("Root", account, f"arn:aws:iam::{account}:root", account, access_key="AKIAEXAMPLEROOT00001")


class Stage:
    """Makes calls one after another and moves time.

    call: by operation name and parameters; the service is found by the name (`service=` where several have it). error: the
    ServiceError that a call must end in. advance: move the clock and run what became due. events: the records so far.
    """

    def __init__(self, path: Path, settings: Settings | None = None, seed: int = 1) -> None:
        self.settings = settings or Settings(data=str(path))
        self.clock = VirtualClock()
        self.ids = seeded_ids(seed)
        self.data_dir = path
        self.staging_dir = path / "staging"
        self.staging_dir.mkdir(parents=True, exist_ok=True)
        self.database = SqliteDatabase(path / "journal.db")
        self.key = self.database.write_now(lambda tx: store_key(tx, "tokens", self.ids))
        self.index = EventIndex(path / "index.db")
        self.principal = root()
        self.region = REGION
        self._runner = asyncio.Runner()
        self._buckets: dict[str, Bucket] = {}
        self._effects = EffectRunner(self)
        self._performer = Performer(self, SERVICES, self._effects, Metrics(), self.key, lambda ctx: None)
        self._timers = TimerWorker(self.database, self.clock, self._performer.context, self._collect)
        self._left_effects: list[int] = []

    def __enter__(self) -> "Stage":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the stage."""
        self._runner.run(self.database.close())
        self.index.close()
        self._runner.close()

    def run(self, awaitable: Any) -> Any:
        """Run something asynchronous on the stage's loop."""
        return self._runner.run(awaitable)

    def call_(
        self, operation: str, params: dict[str, Any], *, service: str = "", principal: Principal | None = None, region: str = ""
    ) -> dict[str, Any]:
        """Make a call and return its result. Raises: the ServiceError it ends in."""
        return self.run(self._call(operation, params, service, principal or self.principal, region or self.region))

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        """Make a call as root of the stage's account and region, and return its result."""
        return self.call_(operation, params)

    def error(self, operation: str, **params: Any) -> ServiceError:
        """Make a call that must fail, and return its error."""
        try:
            result = self.call_(operation, params)
        except ServiceError as error:
            return error
        raise AssertionError(f"{operation} succeeded: {result}")

    def advance(self, seconds: float, step: float = 1.0) -> None:
        """Move the clock in steps and run the timers and effects that become due on the way."""
        self.settle()
        while seconds > 0:
            self.clock.advance(min(step, seconds))
            seconds -= step
            self.settle()

    def settle(self) -> None:
        """Run what is due now."""
        while self.run(self._timers.tick()) == 0.0:
            self.run(self._effects.tick())
        self.run(self._effects.tick())

    def read(self, work: Callable[[Context], T]) -> T:
        """Look into the state with a context."""
        return self.run(self.database.read(lambda tx: work(self._context(tx))))

    def change(self, work: Callable[[Context], T]) -> T:
        """Change the state with a context, as a worker does."""
        return self.run(self.write(self.principal.account, self.region, work))

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield the records of all calls so far, oldest first."""
        rows = self.run(self.database.read(lambda tx: journal.read_after(tx, 0, 1_000_000)))
        return (orjson.loads(row.event) for row in rows)

    async def write(self, account: str, region: str, work: Callable[[Context], T]) -> T:
        """Runtime: run a change without a caller."""

        def inner(tx: Tx) -> tuple[Context, T]:
            ctx = self._performer.context(tx, account, region)
            return ctx, work(ctx)

        ctx, result = await self.database.write(inner)
        await self._effects.run(ctx.effects)
        return result

    async def call_inside(self, *_: Any) -> dict[str, Any]:
        raise ServiceError("not here")

    def bucket(self, name: str) -> Bucket:
        """Runtime: the files of a bucket."""
        if name not in self._buckets:
            self._buckets[name] = FolderBucket(self.data_dir / "buckets" / name)
        return self._buckets[name]

    def _context(self, tx: Tx) -> Context:
        return self._performer.context(tx, self.principal.account, self.region)

    def _collect(self, ctx: Context | None) -> None:
        if ctx is not None:
            self._left_effects += ctx.effects

    async def _call(
        self, operation: str, params: dict[str, Any], service: str, principal: Principal, region: str
    ) -> dict[str, Any]:
        service = service or next(
            name for name in SERVICES if operation in set(snake_names(name).values())
        )
        call = Call(
            service=service,
            operation=service_model(service).operation_model(operation),
            params=params,
            region=region,
            request_id=self.ids.uuid(),
            source_ip="192.0.2.10",
            user_agent="stage",
        )
        outcome = await self._performer.perform(call, principal)
        if outcome.error is not None:
            raise outcome.error
        return outcome.result
