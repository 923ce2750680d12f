"""Conditional requests and ranges. Source: RFC 9110, sections 13 and 14; Amazon S3 API Reference, GetObject."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apitrail.objects.bucket import ObjectInfo
from apitrail.services.s3.errors import refuse

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def tags_match(header: str, etag: str) -> bool:
    """Return whether a list of entity tags, or `*`, has this one (without quotes)."""
    tags = [tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")]
    return "*" in tags or etag in tags


def check_read(params: Mapping[str, Any], info: ObjectInfo, prefix: str = "") -> None:
    """Raise PreconditionFailed or NotModified unless the conditions of a read hold.

    prefix: `CopySource` for those of a copy's source, which fail with PreconditionFailed only.
    """
    match, none_match = params.get(f"{prefix}IfMatch"), params.get(f"{prefix}IfNoneMatch")
    since, unmodified = params.get(f"{prefix}IfModifiedSince"), params.get(f"{prefix}IfUnmodifiedSince")
    modified = info.modified.replace(microsecond=0)
    if match is not None:
        if not tags_match(match, info.etag):
            raise refuse("PreconditionFailed", Condition="If-Match")
    elif isinstance(unmodified, datetime) and modified > unmodified:
        raise refuse("PreconditionFailed", Condition="If-Unmodified-Since")
    unchanged = "PreconditionFailed" if prefix else "NotModified"
    if none_match is not None:
        if tags_match(none_match, info.etag):
            raise refuse(unchanged, Condition="If-None-Match")
    elif isinstance(since, datetime) and modified <= since:
        raise refuse(unchanged, Condition="If-Modified-Since")


def is_conditional(params: Mapping[str, Any]) -> bool:
    """Return whether a write depends on what is there."""
    return "IfMatch" in params or "IfNoneMatch" in params


def check_write(params: Mapping[str, Any], info: ObjectInfo | None) -> None:
    """Raise unless the conditions of a write or delete hold: PreconditionFailed, NoSuchKey, NotImplemented."""
    if "IfNoneMatch" in params:
        if params["IfNoneMatch"] != "*":
            raise refuse("NotImplemented", Header="If-None-Match")
        if info is not None:
            raise refuse("PreconditionFailed", Condition="If-None-Match")
    if "IfMatch" in params:
        if info is None:
            raise refuse("NoSuchKey", Key=params["Key"])
        if not tags_match(params["IfMatch"], info.etag):
            raise refuse("PreconditionFailed", Condition="If-Match")


def read_range(text: str | None, size: int) -> tuple[int, int] | None:
    """Return the bytes that a Range header means, end exclusive; None for all, as when it cannot be understood.

    Raises: InvalidRange when it begins behind the object.
    """
    match = _RANGE.fullmatch(text.strip()) if text else None
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if first and last and int(last) < int(first):
        return None
    start = int(first) if first else max(0, size - int(last))
    end = min(size, int(last) + 1) if first and last else size
    if start >= end:
        raise refuse("InvalidRange", ActualObjectSize=str(size), RangeRequested=text or "")
    return start, end


def part_range(number: int, info: ObjectInfo) -> tuple[int, int]:
    """Return the bytes of a part of a multipart object, end exclusive. Raises: InvalidPartNumber."""
    parts = info.facts.parts or (info.size,)
    if not 1 <= number <= len(parts):
        raise refuse("InvalidPartNumber", PartNumberRequested=str(number), ActualPartCount=str(len(parts)))
    start = sum(parts[: number - 1])
    return start, start + parts[number - 1]
