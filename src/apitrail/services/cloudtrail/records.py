"""How calls of the CloudTrail API are recorded."""

from typing import Any

from apitrail.arn import Arn, make_arn, parse_arn
from apitrail.events.rules import RecordRules, Resource

MEMBERS = ("TrailARN", "Name", "TrailName", "ResourceId")


def resources(account: str, region: str, params: dict[str, Any], result: dict[str, Any] | None) -> list[Resource]:
    """Return the trails that a call names; the answer knows best whose they are."""
    answered = (result or {}).get("TrailARN")
    values = [answered] if answered else [params.get(name) for name in MEMBERS]
    arns = [_trail_arn(value, account, region) for value in values if isinstance(value, str) and value]
    found = {str(arn): arn for arn in arns if arn is not None}
    return [{"accountId": arn.account, "type": "AWS::CloudTrail::Trail", "ARN": text} for text, arn in found.items()]


def _trail_arn(value: str, account: str, region: str) -> Arn | None:
    name = value if value.startswith("arn:") else make_arn("cloudtrail", region, account, f"trail/{value}")
    arn = parse_arn(name)
    return arn if arn is not None and arn.resource.startswith("trail/") else None


RULES = RecordRules(event_source="cloudtrail.amazonaws.com", resources=resources)
