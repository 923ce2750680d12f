"""The operations of the services, read from the API models' files without loading the SDK; for spelling hints."""

import gzip
import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path

SERVICES = ("gamelift", "cloudtrail", "iam", "sts", "s3", "sns")


@cache
def operation_names(service: str) -> tuple[str, ...]:
    """Return a service's operations by its newest model, () for a service without one. Source: botocore's `data`."""
    spec = find_spec("botocore")
    if spec is None or spec.origin is None or service not in SERVICES:
        return ()
    versions = sorted((Path(spec.origin).parent / "data" / service).glob("*/service-2.json.gz"))
    if not versions:
        return ()
    return tuple(json.loads(gzip.decompress(versions[-1].read_bytes()))["operations"])


def all_operation_names() -> list[str]:
    """Return the operations of all services that are known by name."""
    return [name for service in SERVICES for name in operation_names(service)]
