"""AWS Identity and Access Management, as far as identities need it. One module per family of operations.

store: finding, listing and making things. errors, records: as in every service. credentials: the keys, for authentication.
To add a family: a module, and its name in FAMILIES.
"""

from apitrail.services.iam import (
    access_keys,
    account,
    attachments,
    boundaries,
    groups,
    inline,
    policies,
    roles,
    tagging,
    users,
)
from apitrail.services.iam.records import READ_ONLY, RULES
from apitrail.services.operation import Service

FAMILIES = (access_keys, account, attachments, boundaries, groups, inline, policies, roles, tagging, users)

SERVICE = Service(
    "iam",
    rules=RULES,
    free=READ_ONLY,
    validation_code="ValidationError",
    denied_code="AccessDenied",
    denied_status=403,
)
