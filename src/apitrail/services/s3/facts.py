"""What is kept beside an object's bytes, from parameters and to answers.

Source: Amazon S3 API Reference, PutObject, GetObject.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any
from urllib.parse import quote

from apitrail.objects.bucket import Facts, ObjectInfo
from apitrail.services.s3 import checksums
from apitrail.services.s3.errors import refuse
from apitrail.services.s3.names import read_tag_header
from apitrail.services.s3.retention import lock_of
from apitrail.services.s3.rules import expiry_of

METADATA_BYTES_MAX = 2048
LIFECYCLE = "_Lifecycle"
DEFAULT_TYPE = "binary/octet-stream"
HEADERS = {
    "CacheControl": "cache-control",
    "ContentDisposition": "content-disposition",
    "ContentLanguage": "content-language",
    "Expires": "expires",
    "WebsiteRedirectLocation": "x-amz-website-redirect-location",
}
"""Parameters and members that are headers kept as they are."""


def facts_of(params: Mapping[str, Any]) -> Facts:
    """Return the facts that a PutObject, CopyObject or CreateMultipartUpload asks for. Raises: MetadataTooLarge, InvalidTag."""
    metadata = {name.lower(): value for name, value in (params.get("Metadata") or {}).items()}
    if sum(len(name.encode()) + len(value.encode()) for name, value in metadata.items()) > METADATA_BYTES_MAX:
        raise refuse("MetadataTooLarge", MaxSizeAllowed=str(METADATA_BYTES_MAX))
    return Facts(
        content_type=params.get("ContentType") or DEFAULT_TYPE,
        content_encoding=params.get("ContentEncoding", ""),
        metadata=metadata,
        headers={header: _text(params[member]) for member, header in HEADERS.items() if params.get(member)},
        tags=read_tag_header(params.get("Tagging", "")),
        storage_class="" if params.get("StorageClass") == "STANDARD" else params.get("StorageClass", ""),
        **lock_of(params),
    )


def with_body(facts: Facts, etag: str, sums: Mapping[str, str], parts: tuple[int, ...] = ()) -> Facts:
    """Return facts for bytes: their etag and checksums."""
    return replace(facts, etag=etag, checksums=dict(sums), parts=parts)


def facts_doc(facts: Facts) -> dict[str, Any]:
    """Return facts as a document."""
    return {name: getattr(facts, name) for name in Facts.__dataclass_fields__}


def read_facts(doc: Mapping[str, Any]) -> Facts:
    """Return the facts of a document."""
    return Facts(**{**doc, "parts": tuple(doc["parts"])})


def answer(info: ObjectInfo, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of GetObject and HeadObject that describe the object as a whole.

    Checksums are told when asked for and the whole object is sent, since clients compare them with what arrives.
    """
    facts = info.facts
    result: dict[str, Any] = {
        "AcceptRanges": "bytes",
        "LastModified": info.modified.replace(microsecond=0),
        "ETag": f'"{info.etag}"',
        "ContentType": params.get("ResponseContentType") or facts.content_type,
        "ContentEncoding": params.get("ResponseContentEncoding") or facts.content_encoding or None,
        "Metadata": facts.metadata,
        "TagCount": len(facts.tags) or None,
        "StorageClass": shown_class(facts) if shown_class(facts) != "STANDARD" else None,
        "Restore": _restore(facts),
    }
    for member, header in HEADERS.items():
        result[member] = params.get(f"Response{member}") or facts.headers.get(header)
    result["Expires"] = _time(result["Expires"])
    if params.get("ChecksumMode") == "ENABLED" and not params.get("Range") and not params.get("PartNumber"):
        result.update(checksums.members(facts.checksums))
    return result


def shown_class(facts: Facts) -> str:
    """Return the storage class of an object."""
    return facts.storage_class or "STANDARD"


def expiration(row: Mapping[str, Any], info: ObjectInfo) -> dict[str, str]:
    """Return the member Expiration of an answer: when and by which lifecycle rule the object ends; none when it stays."""
    found = expiry_of(row[LIFECYCLE], info) if LIFECYCLE in row else None
    if found is None:
        return {}
    return {"Expiration": f'expiry-date="{format_datetime(found[0], usegmt=True)}", rule-id="{quote(found[1])}"'}


def _restore(facts: Facts) -> str | None:
    if facts.restoring:
        return 'ongoing-request="true"'
    if not facts.restored_until:
        return None
    until = datetime.fromtimestamp(facts.restored_until, UTC)
    return f'ongoing-request="false", expiry-date="{format_datetime(until, usegmt=True)}"'


def _text(value: Any) -> str:
    return format_datetime(value, usegmt=True) if isinstance(value, datetime) else str(value)


def _time(value: Any) -> datetime | None:
    """Return an Expires value as a time, None when it is none."""
    try:
        return value if value is None or isinstance(value, datetime) else parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
