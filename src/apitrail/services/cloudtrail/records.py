"""How calls of the CloudTrail API are recorded."""

from typing import Any

from apitrail.arn import parse_arn
from apitrail.events.rules import RecordRules, Resource

MEMBERS = ("TrailARN", "Name", "TrailName", "ResourceId")


def resources(account: str, region: str, params: dict[str, Any], result: dict[str, Any] | None) -> list[Resource]:
    """Return the trails that a call names or made."""
    found: dict[str, Resource] = {}
    for value in [*(params.get(name) for name in MEMBERS), (result or {}).get("TrailARN")]:
        if isinstance(value, str) and value:
            arn = _trail_arn(value, account, region)
            if arn is not None:
                found[arn] = {"accountId": account, "type": "AWS::CloudTrail::Trail", "ARN": arn}
    return list(found.values())


def _trail_arn(value: str, account: str, region: str) -> str | None:
    if not value.startswith("arn:"):
        return f"arn:aws:cloudtrail:{region}:{account}:trail/{value}"
    arn = parse_arn(value)
    return value if arn is not None and arn.resource.startswith("trail/") else None


RULES = RecordRules(event_source="cloudtrail.amazonaws.com", resources=resources)
