"""Who owns what a call has touched, for services that name resources by ARN: each owner gets a copy of the record.

Source: CloudTrail User Guide, shared event id: one action on resources of another account is one event per account.
Inferred: as for buckets, a data event that failed is recorded with the owner as well, any other only when the call succeeded.
"""

from collections.abc import Callable
from typing import Any

from apitrail.events.rules import RecordRules
from apitrail.services.context import Context
from apitrail.services.operation import Owners
from apitrail.store.database import Tx
from apitrail.store.resources import Doc


def owners_of(rules: RecordRules, kind: str, find: Callable[[Tx, str], Doc | None]) -> Owners:
    """Return what tells the owners of a call's resources of one type. find: gives the resource of an ARN.

    A failed call on what does not exist concerns nobody else: strangers could fill the history of any account otherwise.
    """
    assert rules.resources is not None
    resources = rules.resources

    def owners(ctx: Context, result: dict[str, Any] | None) -> list[str]:
        assert ctx.call is not None
        if result is None and ctx.call.operation.name not in rules.data_operations:
            return []
        found = resources(ctx.account, ctx.region, ctx.call.params, result)
        mine = [(item["accountId"], item["ARN"]) for item in found if item["type"] == kind]
        return [account for account, arn in mine if result is not None or find(ctx.tx, arn) is not None]

    return owners
