"""The caller of an authenticated call, with all that a record says of it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

PrincipalKind = Literal["Root", "IAMUser", "AssumedRole", "FederatedUser", "AWSAccount", "AWSService"]


@dataclass(frozen=True, slots=True)
class SessionIssuer:
    """The identity that temporary credentials were made from. kind: Root, IAMUser or Role. name: user or role name."""

    kind: str
    principal_id: str
    arn: str
    account: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """What temporary credentials carry besides the identity.

    created_at: when they were issued. issuer: absent for GetSessionToken. source_identity, tags: as given
    to AssumeRole. transitive: keys of the tags that go on to sessions made from this one.
    policies: session policies (documents) that narrow what the issuer may do.
    """

    created_at: datetime
    mfa: bool = False
    issuer: SessionIssuer | None = None
    source_identity: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    policies: tuple[dict[str, Any], ...] = ()
    transitive: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Principal:
    """Who made a call.

    kind: the `type` of userIdentity. account: 12 digits. arn: of the user, root or session (sts form).
    principal_id: account for root, AIDA... for users, AROA...:<session> for role sessions,
    <account>:<name> for federated users. access_key: the key that signed; empty for services.
    user_name: IAM user's name; for Root the account alias, if any. invoked_by: DNS name of the AWS service
    that made the call on the principal's behalf. policies: identity policies (documents), evaluated for every call;
    root has none and may everything. boundary: the permissions boundary, if any. tags: of the user or role.
    """

    kind: PrincipalKind
    account: str
    arn: str
    principal_id: str
    access_key: str = ""
    user_name: str = ""
    session: Session | None = None
    invoked_by: str = ""
    policies: tuple[dict[str, Any], ...] = ()
    boundary: dict[str, Any] | None = None
    tags: dict[str, str] = field(default_factory=dict)
