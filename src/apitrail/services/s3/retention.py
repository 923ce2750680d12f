"""Object lock: which retention and legal hold a version gets, who may change them, who may remove what is locked.

Governance mode binds all but those who have s3:BypassGovernanceRetention and say that they use it; compliance mode binds
everybody, root as well, and can only be prolonged. Source: Amazon S3 User Guide, "Locking objects with Object Lock".
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apitrail.arn import make_arn
from apitrail.objects.bucket import COMPLIANCE, GOVERNANCE, Facts
from apitrail.objects.state import BucketState
from apitrail.services.context import Context
from apitrail.services.s3 import checksums
from apitrail.services.s3.access import Params, check_allowed, decide
from apitrail.services.s3.errors import refuse
from apitrail.services.s3.versions import VERSIONING
from apitrail.store.resources import Doc
from apitrail.wire.call import Call

LOCK = "_Lock"
"""Member of a bucket's document: the default retention (Mode, and Days or Years), empty without; absent without object lock."""
YEAR_DAYS = 365
BYPASS = "s3:BypassGovernanceRetention"
PROTECTED = "Access Denied because object protected by object lock."
MISSING = "Bucket is missing Object Lock Configuration"
MEMBERS = ("ObjectLockMode", "ObjectLockRetainUntilDate", "ObjectLockLegalHoldStatus")


def bucket_state(row: Doc) -> BucketState:
    """Return how new objects of a bucket are stored."""
    lock = row.get(LOCK) or {}
    days = lock.get("Days", 0) + YEAR_DAYS * lock.get("Years", 0)
    return BucketState(row.get(VERSIONING, ""), lock.get("Mode", ""), days)


def check_lockable(row: Doc) -> None:
    """Refuse what needs object lock in a bucket that has none. Raises: InvalidRequest."""
    if LOCK not in row:
        raise refuse("InvalidRequest", MISSING)


def check_lock(row: Doc, call: Call, now: datetime) -> None:
    """Refuse a new object whose lock cannot be. Raises: InvalidRequest, InvalidArgument."""
    params = call.params
    if not any(params.get(member) for member in MEMBERS):
        return
    check_lockable(row)
    if ("ObjectLockMode" in params) != ("ObjectLockRetainUntilDate" in params):
        raise refuse(
            "InvalidArgument", "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied"
        )
    if "ObjectLockRetainUntilDate" in params:
        check_until(params["ObjectLockRetainUntilDate"], now)
    if call.operation.name == "PutObject" and not (params.get("ContentMD5") or checksums.sent(call)):
        raise refuse(
            "InvalidRequest",
            "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters",
        )


def check_until(until: datetime, now: datetime) -> None:
    """Refuse a retention that is over. Raises: InvalidArgument."""
    if until <= now:
        raise refuse("InvalidArgument", "The retain until date must be in the future!")


def lock_of(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of a lock that a PutObject, CopyObject or CreateMultipartUpload asks for."""
    until = params.get("ObjectLockRetainUntilDate")
    return {
        "lock_mode": params.get("ObjectLockMode", ""),
        "lock_until": int(until.timestamp()) if until else 0,
        "legal_hold": params.get("ObjectLockLegalHoldStatus", ""),
    }


def may_retain(facts: Facts, mode: str, until: int, bypass: bool, now: datetime) -> bool:
    """Return whether the retention of a version may become another one; mode empty: none.

    Inferred: leaving governance mode for compliance mode, even for longer, needs the bypass.
    """
    if facts.lock_until <= now.timestamp() or not facts.lock_mode:
        return True
    is_longer = mode == facts.lock_mode and until >= facts.lock_until
    return is_longer or (facts.lock_mode == GOVERNANCE and bypass)


def uses_bypass(ctx: Context, row: Doc, key: str) -> bool:
    """Return whether a call sets governance mode aside. Raises: AccessDenied for who may not."""
    assert ctx.call is not None
    assert ctx.principal is not None
    if not ctx.call.params.get("BypassGovernanceRetention"):
        return False
    check_allowed(row, ctx.call, ctx.principal, ctx.now, BYPASS, make_arn("s3", "", "", f"{row['Name']}/{key}"))
    return True


def check_removal(ctx: Context, row: Doc, key: str, facts: Facts) -> bool:
    """Refuse the removal of a locked version; return whether governance mode is set aside for it. Raises: AccessDenied."""
    bypass = uses_bypass(ctx, row, key)
    if facts.is_locked(ctx.now, bypass=bypass):
        raise refuse("AccessDenied", PROTECTED)
    return bypass


def shown_lock(ctx: Context, row: Doc, key: str, facts: Facts) -> dict[str, Any]:
    """Return the members of an answer that tell of a version's lock, to callers who may know it."""
    shown: dict[str, Any] = {}
    if facts.lock_mode and _may(ctx, row, key, "s3:GetObjectRetention"):
        until = datetime.fromtimestamp(facts.lock_until, ctx.now.tzinfo)
        shown = {"ObjectLockMode": facts.lock_mode, "ObjectLockRetainUntilDate": until}
    if facts.legal_hold and _may(ctx, row, key, "s3:GetObjectLegalHold"):
        shown["ObjectLockLegalHoldStatus"] = facts.legal_hold
    return shown


def _may(ctx: Context, row: Doc, key: str, action: str) -> bool:
    assert ctx.call is not None
    assert ctx.principal is not None
    arn = make_arn("s3", "", "", f"{row['Name']}/{key}")
    return decide(row, ctx.call, ctx.principal, ctx.now, action, arn).allowed


def read_retention(retention: Params, now: datetime) -> tuple[str, int]:
    """Return mode and end (epoch seconds) of a Retention, both empty to end it. Raises: MalformedXML, InvalidArgument."""
    mode, until = retention.get("Mode", ""), retention.get("RetainUntilDate")
    if bool(mode) != bool(until) or mode not in ("", GOVERNANCE, COMPLIANCE):
        raise refuse("MalformedXML")
    if until is None:
        return "", 0
    check_until(until, now)
    return mode, int(until.timestamp())
