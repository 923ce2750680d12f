"""Accounts, users, roles, groups, policies and keys: the documents that IAM keeps and that STS and authentication read.

Documents have the form of IAM's answers. Private members: `_inline` (policy texts by name), `_attached` (ARNs of
managed policies), `_groups` (names of a user's groups), `_boundary` (ARN), `_versions` (of a policy, newest last).
Names are unique without regard to case, so documents are kept under the name in lower case.
"""

from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson

from apitrail.arn import make_arn, parse_arn
from apitrail.identity.principal import Principal
from apitrail.ids import BASE32, Ids
from apitrail.services.managed_policies import MANAGED_POLICIES
from apitrail.store.database import Tx
from apitrail.store.resources import Collection, Doc

SECRET_LENGTH = 40
ROLE_SESSION_S = 3600

ACCOUNTS = Collection("identity/account", "global", indexes=("Alias",))
"""By account id: Account, Alias, CreateDate."""

ACCESS_KEYS = Collection("identity/access-key", "global", indexes=("_owner",))
"""By access key: AccessKeyId, UserName (absent for root), Status, CreateDate, _secret, _account, _owner, _user_id."""

KEY_USES = Collection("identity/key-use", "global")
"""By access key: LastUsedDate, ServiceName, Region."""

USERS = Collection("iam/user", "account", indexes=("UserId", "_attached", "_groups", "_boundary"))
ROLES = Collection("iam/role", "account", indexes=("RoleId", "_attached", "_boundary"))
GROUPS = Collection("iam/group", "account", indexes=("_attached",))
POLICIES = Collection("iam/policy", "account", indexes=("PolicyName",))
"""By ARN; the account's own ones. Those of AWS are in managed_policies."""


def key_owner(account: str, user_id: str = "") -> str:
    """Return the indexed owner of access keys: a user's id, or root."""
    return f"{account}/{user_id or 'root'}"


@lru_cache(maxsize=4096)
def read_document(text: str) -> dict[str, Any]:
    """Return a policy's document from its text, which was validated when it was stored; shared, not to be changed."""
    document: dict[str, Any] = orjson.loads(text)
    return document


def find_policy(tx: Tx, account: str, arn: str) -> Doc | None:
    """Return a managed policy of AWS or of the account, or None."""
    return MANAGED_POLICIES.get(arn) or POLICIES.at(tx, account).get(arn)


def default_text(policy: Doc) -> str:
    """Return the text of a managed policy's default version."""
    for version in policy["_versions"]:
        if version["VersionId"] == policy["DefaultVersionId"]:
            return str(version["Document"])
    raise AssertionError(f"policy {policy['Arn']} lacks its default version")


def policies_of(tx: Tx, account: str, identity: Doc) -> tuple[dict[str, Any], ...]:
    """Return the policy documents of a user or role: inline, attached, and those of a user's groups."""
    return tuple(read_document(text) for text in _policy_texts(tx, account, identity))


def _policy_texts(tx: Tx, account: str, identity: Doc) -> Iterator[str]:
    groups = GROUPS.at(tx, account)
    sources = [identity, *filter(None, (groups.get(name.lower()) for name in identity.get("_groups", ())))]
    for source in sources:
        yield from source["_inline"].values()
        for arn in source["_attached"]:
            policy = find_policy(tx, account, arn)
            if policy is not None:
                yield default_text(policy)


def boundary_of(tx: Tx, account: str, identity: Doc) -> dict[str, Any] | None:
    """Return the permissions boundary of a user or role. A boundary that is gone allows nothing."""
    arn = identity.get("_boundary")
    if not arn:
        return None
    policy = find_policy(tx, account, arn)
    return read_document(default_text(policy)) if policy is not None else {"Statement": []}


def tags_of(identity: Doc) -> dict[str, str]:
    """Return the tags of a user or role by key."""
    return {tag["Key"]: tag["Value"] for tag in identity.get("Tags", ())}


def role_at(tx: Tx, arn: str) -> Doc | None:
    """Return the role of an ARN, of whatever account, or None."""
    parts = parse_arn(arn)
    if parts is None or parts.service != "iam" or not parts.resource.startswith("role/"):
        return None
    role = ROLES.at(tx, parts.account).get(parts.resource.rpartition("/")[2].lower())
    return role if role is not None and role["Arn"] == arn else None


def root_principal(tx: Tx, account: str, access_key: str = "") -> Principal:
    """Return the root of an account."""
    known = ACCOUNTS.at(tx).get(account)
    alias = known.get("Alias") if known is not None else None
    return Principal("Root", account, make_arn("iam", "", account, "root"), account, access_key, alias or "")


def user_principal(tx: Tx, account: str, user: Doc, access_key: str = "") -> Principal:
    """Return a user with the policies that it has now."""
    return Principal(
        "IAMUser",
        account,
        user["Arn"],
        user["UserId"],
        access_key,
        user["UserName"],
        policies=policies_of(tx, account, user),
        boundary=boundary_of(tx, account, user),
        tags=tags_of(user),
    )


def new_access_key(tx: Tx, ids: Ids, account: str, at: datetime, user: Doc | None = None) -> Doc:
    """Store a new access key of a user, or of the account's root, and return its document."""
    user_id = "" if user is None else user["UserId"]
    key: Doc = {
        "AccessKeyId": ids.aws("AKIA"),
        "Status": "Active",
        "CreateDate": at,
        "_secret": ids.token(SECRET_LENGTH),
        "_account": account,
        "_user_id": user_id,
        "_owner": key_owner(account, user_id),
    }
    if user is not None:
        key["UserName"] = user["UserName"]
    ACCESS_KEYS.at(tx).put(key["AccessKeyId"], key)
    return key


def new_role(
    tx: Tx,
    ids: Ids,
    account: str,
    at: datetime,
    name: str,
    trusted: Doc,
    *,
    path: str = "/",
    attached: tuple[str, ...] = (),
) -> Doc:
    """Store a role that a service makes, and return its document.

    trusted: the Principal of its trust policy. attached: ARNs of managed policies.
    """
    trust = {"Effect": "Allow", "Principal": trusted, "Action": "sts:AssumeRole"}
    role: Doc = {
        "Path": path,
        "RoleName": name,
        "RoleId": "AROA" + ids.token(17, BASE32),
        "Arn": make_arn("iam", "", account, f"role{path}{name}"),
        "CreateDate": at.replace(microsecond=0),
        "AssumeRolePolicyDocument": orjson.dumps({"Version": "2012-10-17", "Statement": [trust]}).decode(),
        "MaxSessionDuration": ROLE_SESSION_S,
        "_inline": {},
        "_attached": list(attached),
    }
    ROLES.at(tx, account).put(name.lower(), role)
    return role
