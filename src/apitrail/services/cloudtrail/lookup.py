"""LookupEvents: the event history over the API. Source: CloudTrail API Reference, LookupEvents."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from apitrail.archive.lookup import Lookup, Page
from apitrail.archive.lookup import lookup_events as look_up
from apitrail.identity.principal import Principal
from apitrail.services.cloudtrail.errors import InvalidLookupAttributesException, ThrottlingException
from apitrail.services.context import Context
from apitrail.services.operation import operation
from apitrail.services.runtime import Runtime
from apitrail.store import journal
from apitrail.wire.call import Call

if TYPE_CHECKING:
    from mypy_boto3_cloudtrail.type_defs import LookupEventsRequestTypeDef

PAGE = 50


class Rate:
    """Counts calls per account, region and second, for the limit that AWS has."""

    def __init__(self) -> None:
        self._second = 0
        self._counts: dict[tuple[str, str], int] = {}

    def exceeded(self, account: str, region: str, second: int, limit: float) -> bool:
        """Count a call; return whether it is one too many."""
        if second != self._second:
            self._second, self._counts = second, {}
        count = self._counts[account, region] = self._counts.get((account, region), 0) + 1
        return limit > 0 and count > limit


RATE = Rate()


async def read_page(runtime: Runtime, call: Call, principal: Principal) -> Page:
    """Before the transaction: read the page from index and journal."""
    now, params = runtime.clock.now(), call.params
    limit = runtime.settings.limits.lookup_per_s
    if RATE.exceeded(principal.account, call.region, int(now.timestamp()), limit):
        raise ThrottlingException("Rate exceeded")
    attributes = params.get("LookupAttributes", [])
    if len(attributes) > 1:
        raise InvalidLookupAttributesException("LookupAttributes takes one attribute at a time.")
    lookup = Lookup(
        account=principal.account,
        region=call.region,
        attributes=tuple((item["AttributeKey"], item["AttributeValue"]) for item in attributes),
        start=params.get("StartTime"),
        end=params.get("EndTime"),
        retained_from=now - timedelta(days=runtime.settings.journal.retention_days),
        limit=params.get("MaxResults", PAGE),
        token=params.get("NextToken", ""),
        category=journal.INSIGHT if params.get("EventCategory") == "insight" else journal.MANAGEMENT,
    )
    return await runtime.database.read(lambda tx: look_up(tx, runtime.index, runtime.key, lookup))


@operation(prepare=read_page)
def lookup_events(ctx: Context, params: "LookupEventsRequestTypeDef") -> dict[str, Any]:
    """Return events of the last 90 days of this account and region, newest first.

    Raises: InvalidLookupAttributesException, InvalidTimeRangeException, InvalidMaxResultsException,
    InvalidNextTokenException.
    """
    page: Page = ctx.prepared
    answer: dict[str, Any] = {"Events": page.events}
    if page.next_token:
        answer["NextToken"] = page.next_token
    return answer
