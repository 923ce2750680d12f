"""What buckets may be called, who owns them, and tags. Source: Amazon S3 User Guide, bucket naming rules, tagging."""

import hashlib
import ipaddress
import re
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

from apitrail.services.s3.errors import refuse

BUCKET_TAGS_MAX = 50
OBJECT_TAGS_MAX = 10
TAG_KEY_MAX = 128
TAG_VALUE_MAX = 256

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_SUFFIXES = ("-s3alias", "--ol-s3", "--x-s3", ".mrap", "--table-s3")
_TAG = re.compile(r"[\w\s+\-=.:/@]*")


def is_bucket_name(name: str) -> bool:
    """Return whether a bucket may have this name; such a name is also safe as that of a folder."""
    if not _NAME.fullmatch(name) or ".." in name or name.startswith(_PREFIXES) or name.endswith(_SUFFIXES):
        return False
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return True
    return False


def owner(account: str) -> dict[str, str]:
    """Return the Owner element of an account. Inferred: the canonical user id is a hash that only stays the same."""
    return {"ID": hashlib.sha256(f"canonical/{account}".encode()).hexdigest(), "DisplayName": account}


def read_tags(tags: Sequence[Mapping[str, str]], limit: int) -> dict[str, str]:
    """Return a TagSet as a dictionary. Raises: InvalidTag; BadRequest for too many."""
    if len(tags) > limit:
        raise refuse("InvalidTag", f"At most {limit} tags are allowed here.")
    found: dict[str, str] = {}
    for tag in tags:
        key, value = tag["Key"], tag["Value"]
        if key in found:
            raise refuse("InvalidTag", "Cannot provide multiple Tags with the same key", TagKey=key)
        if not 0 < len(key) <= TAG_KEY_MAX or not _TAG.fullmatch(key) or key.lower().startswith("aws:"):
            raise refuse("InvalidTag", "The TagKey you have provided is invalid", TagKey=key)
        if len(value) > TAG_VALUE_MAX or not _TAG.fullmatch(value):
            raise refuse("InvalidTag", "The TagValue you have provided is invalid", TagKey=key, TagValue=value)
        found[key] = value
    return found


def read_tag_header(text: str) -> dict[str, str]:
    """Return the tags of an x-amz-tagging header (`a=1&b=2`). Raises: InvalidArgument, InvalidTag."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=OBJECT_TAGS_MAX + 1)
    except ValueError:
        raise refuse("InvalidTag", f"At most {OBJECT_TAGS_MAX} tags are allowed here.") from None
    return read_tags([{"Key": key, "Value": value} for key, value in pairs], OBJECT_TAGS_MAX)


def tag_set(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags as a TagSet."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]
