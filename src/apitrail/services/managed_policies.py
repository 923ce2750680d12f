"""The AWS managed policies that are built in. Their documents are our own: same name and purpose, not the same text."""

from datetime import UTC, datetime
from typing import Any

import orjson

from apitrail.store.resources import Doc

ARN_PREFIX = "arn:aws:iam::aws:policy/"
MADE_AT = datetime(2015, 2, 6, 18, 40, tzinfo=UTC)
READING = ("Describe*", "Get*", "List*", "Search*", "Lookup*", "Resolve*", "Validate*", "BatchGet*", "View*")
SERVICES = ("cloudtrail", "gamelift", "iam", "organizations", "s3", "sns", "sqs", "sts")
HANDING_OUT = (
    "gamelift:GetComputeAccess",
    "gamelift:GetComputeAuthToken",
    "gamelift:GetInstanceAccess",
    "sts:GetFederationToken",
    "sts:GetSessionToken",
)
"""Reading operations that hand out credentials, which a reader must not have."""

_ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}
_READ: Doc = {
    "Effect": "Allow",
    "Action": [f"{service}:{prefix}" for service in SERVICES for prefix in READING] + ["s3:Head*"],
    "Resource": "*",
}
_NO_CREDENTIALS: Doc = {"Effect": "Deny", "Action": list(HANDING_OUT), "Resource": "*"}
_POWER: list[Doc] = [
    {"Effect": "Allow", "NotAction": ["iam:*", "organizations:*", "account:*"], "Resource": "*"},
    {
        "Effect": "Allow",
        "Action": ["iam:CreateServiceLinkedRole", "iam:ListRoles", "iam:GetRole", "iam:PassRole"],
        "Resource": "*",
    },
]
# name -> (description, statements)
_BUILT_IN: dict[str, tuple[str, list[Doc]]] = {
    "AdministratorAccess": ("Provides full access to all services and resources.", [_ALL]),
    "PowerUserAccess": ("Provides full access to all services, but no management of users and roles.", _POWER),
    "ReadOnlyAccess": ("Provides read-only access to all services and resources.", [_READ, _NO_CREDENTIALS]),
}


def _policy(name: str, description: str, statements: list[Doc]) -> Doc:
    text = orjson.dumps({"Version": "2012-10-17", "Statement": statements}).decode()
    version = {"VersionId": "v1", "IsDefaultVersion": True, "CreateDate": MADE_AT, "Document": text}
    return {
        "PolicyName": name,
        "PolicyId": f"ANPA{name.upper():A<17.17}",
        "Arn": ARN_PREFIX + name,
        "Path": "/",
        "DefaultVersionId": "v1",
        "AttachmentCount": 0,
        "PermissionsBoundaryUsageCount": 0,
        "IsAttachable": True,
        "Description": description,
        "CreateDate": MADE_AT,
        "UpdateDate": MADE_AT,
        "_versions": [version],
    }


MANAGED_POLICIES: dict[str, dict[str, Any]] = {
    ARN_PREFIX + name: _policy(name, description, statements) for name, (description, statements) in _BUILT_IN.items()
}
"""Policies by ARN, in the form of the account's own ones."""
