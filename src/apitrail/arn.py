"""Amazon resource names: making and taking apart."""

from typing import NamedTuple


class Arn(NamedTuple):
    """The six parts of `arn:partition:service:region:account:resource`; region and account may be empty."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"


def parse_arn(text: str) -> Arn | None:
    """Return the parts of an ARN, or None when the text is not one."""
    parts = text.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or not parts[1] or not parts[2]:
        return None
    return Arn(*parts[1:])


def partition_of(region: str) -> str:
    """Return the partition that a region belongs to."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def make_arn(service: str, region: str, account: str, resource: str) -> str:
    """Return an ARN in the partition of its region (`aws` where the region is empty)."""
    return f"arn:{partition_of(region)}:{service}:{region}:{account}:{resource}"
