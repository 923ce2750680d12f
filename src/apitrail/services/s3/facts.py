"""What is kept beside an object's bytes, from parameters and to answers.

Source: Amazon S3 API Reference, PutObject, GetObject.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from apitrail.objects.bucket import Facts, ObjectInfo
from apitrail.services.s3 import checksums
from apitrail.services.s3.errors import refuse
from apitrail.services.s3.names import read_tag_header

METADATA_BYTES_MAX = 2048
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
    }
    for member, header in HEADERS.items():
        result[member] = params.get(f"Response{member}") or facts.headers.get(header)
    result["Expires"] = _time(result["Expires"])
    if params.get("ChecksumMode") == "ENABLED" and not params.get("Range") and not params.get("PartNumber"):
        result.update(checksums.members(facts.checksums))
    return result


def _text(value: Any) -> str:
    return format_datetime(value, usegmt=True) if isinstance(value, datetime) else str(value)


def _time(value: Any) -> datetime | None:
    """Return an Expires value as a time, None when it is none."""
    try:
        return value if value is None or isinstance(value, datetime) else parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
