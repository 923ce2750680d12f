"""Public keys of digest files. Source: CloudTrail API Reference, ListPublicKeys."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from apitrail.archive.lookup import InvalidTimeRangeException
from apitrail.services.context import Context
from apitrail.services.operation import operation
from apitrail.trail.keys import PublicKey, public_keys

if TYPE_CHECKING:
    from mypy_boto3_cloudtrail.type_defs import ListPublicKeysRequestTypeDef


@operation
def list_public_keys(ctx: Context, params: "ListPublicKeysRequestTypeDef") -> dict[str, Any]:
    """Return this region's keys that were valid at some time of a range; a missing end of the range is now.

    NextToken is reserved and ignored: all keys come at once. Raises: InvalidTimeRangeException.
    """
    start, end = _seconds(params.get("StartTime"), ctx.now), _seconds(params.get("EndTime"), ctx.now)
    if start > end:
        raise InvalidTimeRangeException("StartTime must not be after EndTime; a time that is not given is now.")
    return {"PublicKeyList": [_entry(key) for key in public_keys(ctx.tx, ctx.region, start, end)]}


def _seconds(given: Any, now: datetime) -> int:
    return int((now if given is None else given).timestamp())


def _entry(key: PublicKey) -> dict[str, Any]:
    return {
        "Value": key.value,
        "ValidityStartTime": datetime.fromtimestamp(key.valid_from, UTC),
        "ValidityEndTime": datetime.fromtimestamp(key.valid_to, UTC),
        "Fingerprint": key.fingerprint,
    }
