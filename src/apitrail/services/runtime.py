"""What code outside a transaction may use: prepare steps, effects and observers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from apitrail.archive.index import EventIndex
from apitrail.clock import Clock
from apitrail.identity.principal import Principal
from apitrail.ids import Ids
from apitrail.objects.bucket import Bucket
from apitrail.services.arrivals import Arrivals
from apitrail.services.context import Context
from apitrail.services.host_orders import HostOrders
from apitrail.services.links import Links
from apitrail.settings import Settings
from apitrail.store.database import Database

T = TypeVar("T")


class Runtime(Protocol):
    """The server as services see it outside a transaction.

    index: of the event history. arrivals: where long polls wait. links: connected game servers and agents.
    host_orders: for the host. key: a secret of this store, for opaque tokens.
    data_dir: the data directory. staging_dir: for bodies that arrive.
    """

    @property
    def clock(self) -> Clock: ...
    @property
    def ids(self) -> Ids: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def database(self) -> Database: ...
    @property
    def index(self) -> EventIndex: ...
    @property
    def arrivals(self) -> Arrivals: ...
    @property
    def links(self) -> Links: ...
    @property
    def host_orders(self) -> HostOrders: ...
    @property
    def key(self) -> bytes: ...
    @property
    def data_dir(self) -> Path: ...
    @property
    def staging_dir(self) -> Path: ...

    async def write(self, account: str, region: str, work: Callable[[Context], T]) -> T:
        """Run a change in one transaction, without a caller and without a record."""
        ...

    async def call(
        self, principal: Principal, region: str, service: str, operation: str, params: dict[str, Any], invoked_by: str
    ) -> dict[str, Any]:
        """Make a call of another service on behalf of a principal; it is authorised and recorded like any other.

        invoked_by: DNS name of the calling service. Raises: the ServiceError that it answers.
        """
        ...

    def bucket(self, name: str) -> Bucket:
        """Return the files of a bucket, whether or not it exists."""
        ...

    def trail_bucket(self, name: str, kms_key: str = "") -> Bucket:
        """Return the bucket that a trail delivers into, which may be at a foreign store. kms_key: ARN of the key to put with."""
        ...
