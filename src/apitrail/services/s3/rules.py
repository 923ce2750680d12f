"""Lifecycle rules: what they say of an object at a time. Pure. Source: Amazon S3 User Guide, "Lifecycle configuration elements".

An age in days counts from the object's time, or for older versions from when a newer one came; it ends at the next midnight
UTC. Of several rules, removal wins over transition, and the colder class over the warmer.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from apitrail.objects.bucket import ObjectInfo
from apitrail.services.s3.errors import refuse

RULES_MAX = 1000
ID_MAX = 255
CLASSES = (
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "INTELLIGENT_TIERING",
    "ONEZONE_IA",
    "GLACIER_IR",
    "GLACIER",
    "DEEP_ARCHIVE",
)
"""From warm to cold; transitions lead to the third and colder ones."""
COLD_CLASSES = ("GLACIER", "DEEP_ARCHIVE")
ACTIONS = (
    "Expiration",
    "Transitions",
    "NoncurrentVersionExpiration",
    "NoncurrentVersionTransitions",
    "AbortIncompleteMultipartUpload",
)
Rule = dict[str, Any]


def check_rules(rules: Sequence[Rule]) -> None:
    """Refuse rules that cannot be. Raises: MalformedXML, InvalidArgument, InvalidRequest."""
    if not 0 < len(rules) <= RULES_MAX:
        raise refuse("MalformedXML")
    ids = [rule["ID"] for rule in rules if rule.get("ID")]
    if len(ids) != len(set(ids)):
        raise refuse("InvalidArgument", "Rule ID must be unique. Found same ID for more than one rule")
    for rule in rules:
        _check_rule(rule)


def _check_rule(rule: Rule) -> None:
    if len(rule.get("ID", "")) > ID_MAX:
        raise refuse("InvalidArgument", f"ID length should not exceed allowed limit of {ID_MAX}")
    if "Filter" in rule and "Prefix" in rule:
        raise refuse("MalformedXML")
    if not any(rule.get(name) for name in ACTIONS):
        raise refuse("InvalidRequest", "At least one action needs to be specified in a rule")
    if len(rule.get("Filter") or {}) > 1:
        raise refuse("MalformedXML")
    for name in ("Expiration", "Transitions"):
        for action in _listed(rule.get(name)):
            _check_when(name, action)
    for name in ("NoncurrentVersionExpiration", "NoncurrentVersionTransitions"):
        for action in _listed(rule.get(name)):
            _check_days(name, action.get("NoncurrentDays", 0))
    for action in [*_listed(rule.get("Transitions")), *_listed(rule.get("NoncurrentVersionTransitions"))]:
        if action.get("StorageClass") not in CLASSES[2:]:
            raise refuse("MalformedXML")
    if "AbortIncompleteMultipartUpload" in rule:
        _check_days(
            "AbortIncompleteMultipartUpload", rule["AbortIncompleteMultipartUpload"].get("DaysAfterInitiation", 0)
        )


def _check_when(name: str, action: Rule) -> None:
    given = [member for member in ("Days", "Date", "ExpiredObjectDeleteMarker") if action.get(member) is not None]
    if len(given) != 1:
        raise refuse("MalformedXML")
    if given == ["Days"] and (name == "Expiration" or action["Days"] < 0):
        _check_days(name, action["Days"])
    date = action.get("Date")
    if date is not None and (date.hour, date.minute, date.second, date.microsecond) != (0, 0, 0, 0):
        raise refuse("InvalidArgument", "'Date' must be at midnight GMT")


def _check_days(name: str, days: int) -> None:
    if days <= 0:
        raise refuse("InvalidArgument", f"'Days' for {name} action must be a positive integer")


def _listed(value: Any) -> list[Rule]:
    return value if isinstance(value, list) else [value] if value else []


def is_match(rule: Rule, key: str, tags: dict[str, str], size: int) -> bool:
    """Return whether a rule is on and its filter takes an object."""
    if rule["Status"] != "Enabled":
        return False
    chosen = rule.get("Filter") or {}
    chosen = {**chosen, **chosen.get("And", {})}
    wanted = [*chosen.get("Tags", ()), *([chosen["Tag"]] if chosen.get("Tag") else ())]
    return (
        key.startswith(chosen.get("Prefix") or rule.get("Prefix") or "")
        and all(tags.get(tag["Key"]) == tag["Value"] for tag in wanted)
        and chosen.get("ObjectSizeGreaterThan", -1) < size
        and size < chosen.get("ObjectSizeLessThan", size + 1)
    )


def after_days(since: datetime, days: int) -> datetime:
    """Return the first midnight UTC at which a time is so many days ago."""
    due = since + timedelta(days=days)
    midnight = datetime(due.year, due.month, due.day, tzinfo=UTC)
    return midnight if midnight == due else midnight + timedelta(days=1)


def _due(action: Rule, since: datetime) -> datetime | None:
    if action.get("Date") is not None:
        date: datetime = action["Date"]
        return date
    return after_days(since, action["Days"]) if action.get("Days") is not None else None


def expiry_of(rules: Sequence[Rule], info: ObjectInfo) -> tuple[datetime, str] | None:
    """Return when a current object ends and the id of the rule that says so, the earliest; None when it stays."""
    found = [
        (due, rule.get("ID", ""))
        for rule in rules
        if rule.get("Expiration") and is_match(rule, info.key, info.facts.tags, info.size)
        if (due := _due(rule["Expiration"], info.modified)) is not None
    ]
    return min(found, default=None)


def class_of(rules: Sequence[Rule], info: ObjectInfo, now: datetime) -> str:
    """Return the storage class that a current object is to have by now; its own when no rule wants a colder one."""
    actions = [
        action
        for rule in rules
        if is_match(rule, info.key, info.facts.tags, info.size)
        for action in rule.get("Transitions") or ()
        if (due := _due(action, info.modified)) is not None and due <= now
    ]
    return _coldest(info, actions)


def old_class_of(rules: Sequence[Rule], info: ObjectInfo, since: datetime, newer: int, now: datetime) -> str:
    """Return the same of an older version. since: when it was replaced. newer: how many older versions are newer than it."""
    actions = [
        action
        for rule in rules
        if is_match(rule, info.key, info.facts.tags, info.size)
        for action in rule.get("NoncurrentVersionTransitions") or ()
        if _is_past(action, since, newer, now)
    ]
    return _coldest(info, actions)


def is_old_ended(rules: Sequence[Rule], info: ObjectInfo, since: datetime, newer: int, now: datetime) -> bool:
    """Return whether an older version, or a delete marker under others, is to be removed."""
    return any(
        _is_past(rule["NoncurrentVersionExpiration"], since, newer, now)
        for rule in rules
        if rule.get("NoncurrentVersionExpiration") and is_match(rule, info.key, info.facts.tags, info.size)
    )


def is_marker_ended(rules: Sequence[Rule], key: str) -> bool:
    """Return whether a delete marker that hides nothing any more is to be removed."""
    return any(
        (rule.get("Expiration") or {}).get("ExpiredObjectDeleteMarker") and is_match(rule, key, {}, 0) for rule in rules
    )


def is_upload_ended(rules: Sequence[Rule], key: str, begun: datetime, now: datetime) -> bool:
    """Return whether an unfinished upload is to be given up."""
    actions = [rule.get("AbortIncompleteMultipartUpload") for rule in rules if is_match(rule, key, {}, 0)]
    return any(after_days(begun, action["DaysAfterInitiation"]) <= now for action in actions if action)


def _is_past(action: Rule, since: datetime, newer: int, now: datetime) -> bool:
    return newer >= action.get("NewerNoncurrentVersions", 0) and after_days(since, action["NoncurrentDays"]) <= now


def _coldest(info: ObjectInfo, actions: Sequence[Rule]) -> str:
    own = info.facts.storage_class or CLASSES[0]
    wanted = [str(action["StorageClass"]) for action in actions]
    return max([own, *wanted], key=CLASSES.index)
