"""A server without sockets: the real app in a directory, on a virtual clock with seeded ids."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import orjson

from apitrail.app import App
from apitrail.clock import VirtualClock
from apitrail.errors import ServiceError
from apitrail.identity.principal import Principal
from apitrail.ids import seeded_ids
from apitrail.objects.bucket import Bucket
from apitrail.services.context import Context
from apitrail.services.registry import SERVICES
from apitrail.settings import Settings
from apitrail.store import journal
from apitrail.wire.models import service_model

T = TypeVar("T")
ACCOUNT = "111122223333"
REGION = "us-west-2"
WORKERS = ("timers", "effects", "matchmaking", "game-events")


def root(account: str = ACCOUNT) -> Principal:
    """Return the root of an account."""
    return Principal("Root", account, f"arn:aws:iam::{account}:root", account, access_key="AKIAEXAMPLEROOT00001")


class Stage:
    """Makes calls one after another and moves time.

    call: by operation name and parameters; the service is found by the name. call_: the same for another service,
    caller or region. error: the ServiceError that a call must end in. advance: move the clock and run what became
    due. events: the records so far. app: everything else.
    """

    def __init__(self, path: Path, settings: Settings | None = None, seed: int = 1) -> None:
        self.clock = VirtualClock()
        self.ids = seeded_ids(seed)
        self.settings = msgspec.structs.replace(settings or Settings(), data=str(path))
        self.app = App(self.settings, clock=self.clock, ids=self.ids)
        self.principal = root()
        self.region = REGION
        self._runner = asyncio.Runner()
        self._workers = [worker for worker in self.app.workers if worker.name in WORKERS]

    def __enter__(self) -> "Stage":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def data_dir(self) -> Path:
        """The data directory."""
        return self.app.data_dir

    def close(self) -> None:
        """End the stage."""
        self.app.quiesce()
        self._runner.run(self.app.close())
        self._runner.close()

    def run(self, awaitable: Any) -> Any:
        """Run something asynchronous on the stage's loop."""
        return self._runner.run(awaitable)

    def call_(
        self,
        operation: str,
        params: dict[str, Any],
        *,
        service: str = "",
        principal: Principal | None = None,
        region: str = "",
    ) -> dict[str, Any]:
        """Make a call and return its result. Raises: the ServiceError it ends in."""
        name = service or next(name for name in SERVICES if operation in service_model(name).operation_names)
        call = self.app.call(principal or self.principal, region or self.region, name, operation, params)
        result: dict[str, Any] = self.run(call)
        return result

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
        """Run what is due now, until nothing is."""
        busy = True
        while busy:
            pauses = [self.run(worker.tick()) for worker in self._workers]
            busy = 0.0 in pauses

    def read(self, work: Callable[[Context], T]) -> T:
        """Look into the state with a context."""
        found: T = self.run(self.app.read(self.principal.account, self.region, work))
        return found

    def change(self, work: Callable[[Context], T]) -> T:
        """Change the state with a context, as a worker does."""
        result: T = self.run(self.app.write(self.principal.account, self.region, work))
        return result

    def bucket(self, name: str) -> Bucket:
        """Return the files of a bucket."""
        return self.app.bucket(name)

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield the records of all calls so far, oldest first."""
        rows = self.run(self.app.database.read(lambda tx: journal.read_after(tx, 0, 1_000_000)))
        return (orjson.loads(row.event) for row in rows)
