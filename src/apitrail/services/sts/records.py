"""How calls of STS are recorded. Source: IAM User Guide, "Logging IAM and STS API calls with CloudTrail".

secretAccessKey is left out by the rules of every service, the session token is masked; the answers of AssumeRole and its
relatives are written although they count as reads.
"""

from typing import Any

from apitrail.arn import parse_arn
from apitrail.events.rules import RecordRules, Resource

ASSUMING = frozenset({"AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"})
FREE = frozenset({"GetAccessKeyInfo", "GetCallerIdentity"})
"""Operations that hand out no credentials; they may pass unrecorded in capture mode `blocking`."""

_MEMBERS = {"RoleArn": "AWS::IAM::Role", "PrincipalArn": "AWS::IAM::SAMLProvider"}


def resources(account: str, region: str, params: dict[str, Any], result: dict[str, Any] | None) -> list[Resource]:
    """Return the role that is assumed, and the SAML provider."""
    named = [(parse_arn(str(params[member])), kind) for member, kind in _MEMBERS.items() if member in params]
    return [{"accountId": arn.account, "type": kind, "ARN": str(arn)} for arn, kind in named if arn is not None]


RULES = RecordRules(
    event_source="sts.amazonaws.com",
    answers_in_reads=ASSUMING,
    masked=frozenset({"SessionToken", "TokenCode", "tokenType", "TradeInToken"}),
    left_out=frozenset({"SAMLAssertion", "WebIdentityToken"}),
    resources=resources,
)
