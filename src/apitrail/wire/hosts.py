"""Buckets named in the Host header: `bucket.s3.eu-west-1.amazonaws.com`, `bucket.localhost`.

Source: Amazon S3 User Guide, virtual hosting of buckets.
"""

import re
from collections.abc import Sequence

VIRTUAL_HOST_SUFFIXES = ("localhost", "s3.amazonaws.com")

_BUCKET = r"[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]"
_S3_HOST = re.compile(rf"({_BUCKET})\.s3[.-][a-z0-9.\-]+")
_PLAIN_S3 = re.compile(r"s3[.-].*")
_NAME = re.compile(_BUCKET)


def bucket_of_host(host: str, suffixes: Sequence[str]) -> str:
    """Return the bucket that a Host header names, or an empty text for path style.

    `<bucket>.s3.<anything>` always names one; `<bucket>.<suffix>` for the given suffixes.
    """
    name = host.strip().lower()
    if name.startswith("["):
        return ""
    name = name.partition(":")[0].rstrip(".")
    match = _S3_HOST.fullmatch(name)
    if match:
        return match[1]
    for suffix in suffixes:
        bucket = name.removesuffix(f".{suffix.lower().strip('.')}")
        if bucket != name and _NAME.fullmatch(bucket) and not _PLAIN_S3.fullmatch(bucket):
            return bucket
    return ""
