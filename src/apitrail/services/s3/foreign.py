"""Lifecycle rules of trails' buckets at a foreign store (`delivery.s3_endpoint`).

The store gets the rules and follows them, if it offers that. If not, they are followed here, as far as that can be done by
listing: objects end, unfinished uploads are given up. What neither can do is refused.
"""

import logging
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from apitrail.errors import SinkError
from apitrail.identity.principal import Principal
from apitrail.objects.bucket import ObjectInfo
from apitrail.objects.s3 import S3Bucket
from apitrail.objects.s3_rules import S3Rules
from apitrail.services.buckets import buckets
from apitrail.services.runtime import Runtime
from apitrail.services.s3.errors import ERRORS, refuse
from apitrail.services.s3.rules import Rule, expiry_of, is_match, is_upload_ended
from apitrail.store.database import Tx
from apitrail.store.resources import Collection, Doc
from apitrail.trail.trails import TRAILS
from apitrail.wire.call import Call

log = logging.getLogger("apitrail.lifecycle")
FOREIGN = Collection("s3/foreign-rules", "global")
"""By bucket: Bucket, and Rules that are followed here."""
PAGE = 1000
RUNNABLE = {"ID", "Status", "Filter", "Prefix", "Expiration", "AbortIncompleteMultipartUpload"}


@dataclass(frozen=True, slots=True)
class ForeignBucket:
    """A bucket at the foreign store. own: the rules of it that are followed here, None if there are none."""

    name: str
    rules: S3Rules
    own: list[Rule] | None


async def foreign_bucket(runtime: Runtime, call: Call, principal: Principal) -> ForeignBucket | None:
    """Return the bucket at the foreign store that a call means: one of the caller's trails; None for every other name."""
    name = call.params["Bucket"]
    bucket = runtime.trail_bucket(name) if runtime.settings.delivery.s3_endpoint else None
    if not isinstance(bucket, S3Bucket):
        return None

    def look(tx: Tx) -> tuple[bool, Doc | None]:
        trails = TRAILS.in_account(tx, principal.account)
        is_theirs = any(entry.doc["S3BucketName"] == name for _, entry in trails)
        return is_theirs and not buckets(tx).has(name), FOREIGN.at(tx).get(name)

    is_theirs, doc = await runtime.database.read(look)
    return ForeignBucket(name, S3Rules(bucket.config), doc["Rules"] if doc else None) if is_theirs else None


async def hand_over(foreign: ForeignBucket, rules: list[Rule]) -> bool:
    """Let the store follow rules; False when it cannot and they must be followed here.

    Raises: NotImplemented for what can be done neither there nor here, and what the store answers.
    """
    try:
        if await foreign.rules.put(rules):
            return True
        check_runnable(rules)
        await foreign.rules.remove()
    except SinkError as error:
        raise told(error) from error
    return False


async def rules_of(foreign: ForeignBucket) -> list[Rule] | None:
    """Return the rules of a bucket, whoever follows them."""
    try:
        return foreign.own or await foreign.rules.get()
    except SinkError as error:
        raise told(error) from error


async def remove_rules(foreign: ForeignBucket) -> None:
    """Take the rules of a bucket away from the store."""
    try:
        await foreign.rules.remove()
    except SinkError as error:
        raise told(error) from error


def told(error: SinkError) -> Exception:
    """Return what the caller is told of a store's refusal: its own words, where S3 knows the code."""
    if error.code in ERRORS:
        return refuse(error.code, f"The store of delivery.s3_endpoint says: {error}")
    return error


def check_runnable(rules: list[Rule]) -> None:
    """Refuse rules that cannot be followed by listing a bucket. Raises: NotImplemented."""
    for rule in rules:
        unknown = sorted(rule.keys() - RUNNABLE)
        if (rule.get("Expiration") or {}).get("ExpiredObjectDeleteMarker"):
            unknown.append("ExpiredObjectDeleteMarker")
        if unknown:
            raise refuse(
                "NotImplemented",
                f"The store of delivery.s3_endpoint does not offer {', '.join(unknown)}, and it cannot be done in its place.",
            )


async def follow(runtime: Runtime, doc: Doc, now: datetime) -> None:
    """Do what the rules that are followed here say of a bucket at this time. Raises: SinkError."""
    bucket, rules = runtime.trail_bucket(doc["Bucket"]), doc["Rules"]
    if not isinstance(bucket, S3Bucket):
        return
    store = S3Rules(bucket.config)
    if any(rule.get("AbortIncompleteMultipartUpload") for rule in rules):
        await store.abort_uploads(partial(_is_upload_over, rules, now))
    after: str | None = ""
    while after is not None:
        page = await bucket.list("", after, PAGE)
        for info in page.objects:
            if await _is_over(store, rules, info, now):
                await bucket.delete(info.key)
        after = page.next


def _is_upload_over(rules: list[Rule], now: datetime, key: str, begun: datetime) -> bool:
    return is_upload_ended(rules, key, begun, now)


async def _is_over(store: S3Rules, rules: list[Rule], info: ObjectInfo, now: datetime) -> bool:
    """Return whether an object is to be removed; its tags are asked for only where they decide."""
    chosen = [rule for rule in rules if is_match(_without_tags(rule), info.key, {}, info.size)]
    if not _is_due(chosen, info, now):
        if not _is_due([_without_tags(rule) for rule in chosen], info, now):
            return False
        tags = await store.tags(info.key)
        return _is_due(chosen, replace(info, facts=replace(info.facts, tags=tags)), now)
    return True


def _is_due(rules: list[Rule], info: ObjectInfo, now: datetime) -> bool:
    expiry = expiry_of(rules, info)
    return expiry is not None and expiry[0] <= now


def _without_tags(rule: Rule) -> Rule:
    """Return a rule that takes objects of all tags."""
    chosen = {name: value for name, value in (rule.get("Filter") or {}).items() if name != "Tag"}
    if "And" in chosen:
        chosen["And"] = {name: value for name, value in chosen["And"].items() if name != "Tags"}
    return {**rule, "Filter": chosen}
