"""AWS Security Token Service. assume_role, tokens, identity: the families; sessions: what they share.

AssumeRoleWithSAML and AssumeRoleWithWebIdentity are known but not served: there are no identity providers.
"""

from apitrail.services.operation import Service
from apitrail.services.sts import assume_role, identity, tokens
from apitrail.services.sts.records import FREE, RULES

FAMILIES = (assume_role, identity, tokens)

SERVICE = Service(
    "sts",
    rules=RULES,
    unsigned=frozenset({"AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"}),
    free=FREE,
    validation_code="ValidationError",
    denied_code="AccessDenied",
    denied_status=403,
)
