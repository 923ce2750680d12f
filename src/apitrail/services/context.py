"""What the body of an operation or a timer has at hand."""

from datetime import datetime
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from apitrail.arn import make_arn
from apitrail.identity.principal import Principal
from apitrail.ids import Ids
from apitrail.settings import Settings
from apitrail.store import journal, later
from apitrail.store.database import Tx
from apitrail.wire.call import Call


class Context(Struct):
    """One transaction of one account and region.

    now: UTC; the same throughout the transaction. key: a secret of this store, for opaque tokens.
    principal, call: who asked and what; None in timers. prepared: what the operation's prepare step returned.
    effects: numbers of the effects asked for; the answer waits for them. dues: when the timers asked for are due, epoch
    seconds. woken: who has something to do after the commit, workers and whoever waits for arrivals, by name.
    additional: what the record's additionalEventData shall hold. recipients: accounts that get a copy of the record.
    """

    tx: Tx
    account: str
    region: str
    now: datetime
    ids: Ids
    settings: Settings
    key: bytes
    principal: Principal | None = None
    call: Call | None = None
    prepared: Any = None
    effects: list[int] = field(default_factory=list)
    dues: list[float] = field(default_factory=list)
    woken: list[str] = field(default_factory=list)
    additional: dict[str, Any] | None = None
    recipients: list[str] = field(default_factory=list)

    def arn(self, service: str, resource: str, *, region: str | None = None, account: str | None = None) -> str:
        """Return an ARN of this account and region; "" leaves a part empty."""
        region = self.region if region is None else region
        return make_arn(service, region, self.account if account is None else account, resource)

    def effect(self, kind: str, doc: dict[str, Any]) -> None:
        """Ask for something to happen outside after the commit; see `operation.effect`."""
        self.effects.append(later.add_effect(self.tx, self.now.timestamp(), kind, self.account, self.region, doc))

    def schedule(self, kind: str, doc: dict[str, Any], after_s: float) -> None:
        """Ask for a timer; see `operation.timer`. A delay of AWS is scaled by whoever asks, a deadline is not."""
        due = self.now.timestamp() + after_s
        self.dues.append(due)
        later.add_timer(self.tx, due, kind, self.account, self.region, doc)

    @property
    def first_due(self) -> float | None:
        """When the earliest timer asked for is due, epoch seconds."""
        return min(self.dues, default=None)

    def in_region(self, region: str) -> "Context":
        """Return the same transaction as seen from another region of the account."""
        return self if region == self.region else replace(self, region=region)

    def at(self, account: str, region: str) -> "Context":
        """Return the same transaction as seen from a place."""
        return replace(self, account=account, region=region)

    def wake(self, name: str) -> None:
        """Ask for a worker, or for one who waits for an arrival of this name, to go on after the commit."""
        self.woken.append(name)

    def also_record(self, account: str) -> None:
        """Give a copy of this call's record to another account, which owns something that the call has touched.

        The copy names the caller as a foreign account. A call that fails has none, unless the error's effect asks for it.
        """
        self.recipients.append(account)

    def next_seq(self) -> int:
        """Return the seq that this call's own event will have in the journal (of its first row)."""
        return journal.last_seq(self.tx) + 1
