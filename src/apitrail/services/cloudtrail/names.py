"""Rules for the names of trails, buckets and prefixes. Source: CloudTrail User Guide, naming requirements."""

import ipaddress
import re

from apitrail.services.cloudtrail.errors import (
    InvalidS3BucketNameException,
    InvalidS3PrefixException,
    InvalidTrailNameException,
)

NAME_MIN, NAME_MAX = 3, 128
PREFIX_MAX = 200
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
NAME_CHARACTERS = re.compile(r"[A-Za-z0-9._-]+")
ADJACENT = re.compile(r"[._-]{2}")


def check_trail_name(name: str) -> None:
    """Raise InvalidTrailNameException unless a name can be a trail's.

    Inferred: the messages for adjacent marks and for addresses; the others are seen in public reports.
    """
    said = f"Specified name length: {len(name)} characters."
    if len(name) < NAME_MIN:
        raise InvalidTrailNameException(f"Trail name too short. Minimum allowed length: {NAME_MIN} characters. {said}")
    if len(name) > NAME_MAX:
        raise InvalidTrailNameException(f"Trail name too long. Maximum allowed length: {NAME_MAX} characters. {said}")
    if not NAME_CHARACTERS.fullmatch(name):
        raise InvalidTrailNameException(
            "Trail name or ARN can only contain uppercase letters, lowercase letters, numbers, periods (.), hyphens (-),"
            " and underscores (_)."
        )
    if not name[0].isalnum():
        raise InvalidTrailNameException("Trail name must starts with a letter or number.")
    if not name[-1].isalnum():
        raise InvalidTrailNameException("Trail name must ends with a letter or number.")
    if ADJACENT.search(name):
        raise InvalidTrailNameException("Trail name must not have adjacent periods, hyphens or underscores.")
    if _is_address(name):
        raise InvalidTrailNameException("Trail name must not be in IP address format.")


def check_bucket_name(name: str) -> None:
    """Raise InvalidS3BucketNameException unless a name can be a bucket's."""
    if not BUCKET.fullmatch(name) or ".." in name or _is_address(name):
        raise InvalidS3BucketNameException(
            f"Bucket name {name} is not valid: 3 to 63 lower-case letters, digits, . and -."
        )


def check_prefix(prefix: str) -> None:
    """Raise InvalidS3PrefixException unless a text can stand before AWSLogs/ in the keys of log files."""
    if len(prefix) > PREFIX_MAX:
        raise InvalidS3PrefixException(
            f"The S3 key prefix has {len(prefix)} characters; at most {PREFIX_MAX} are allowed."
        )
    if prefix.startswith("/") or "AWSLogs/" in prefix or "//" in prefix:
        raise InvalidS3PrefixException(
            "The S3 key prefix must not begin with a slash, hold two in a row, or name AWSLogs/."
        )


def _is_address(name: str) -> bool:
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return False
    return True
