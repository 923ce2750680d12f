"""Policies of every kind, asked through the SDK, and what they let their holders do."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from identity_scenes import ACCOUNT, ALLOW_ALL, Scene, code_of, message_of, policy

from apitrail.identity.policy_document import validate_policy_document
from apitrail.services.managed_policies import MANAGED_POLICIES

READ = {"Effect": "Allow", "Action": ["iam:Get*", "iam:List*"], "Resource": "*"}
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
POWER = "arn:aws:iam::aws:policy/PowerUserAccess"


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    scene.close()


def may(scene: Scene, key: Any, action: str, **params: Any) -> bool:
    """Whether a key may make a call of IAM; other errors than a denial count as allowed."""
    return code_of(getattr(scene.client("iam", key), action), **params) != "AccessDenied"


@pytest.mark.parametrize("kind", ["user", "role", "group"])
def test_inline_policies_are_stored_shown_and_deleted(scene: Scene, kind: str) -> None:
    iam, noun = scene.client("iam"), kind.capitalize()
    name = {f"{noun}Name": "x"}
    more = {"AssumeRolePolicyDocument": policy({"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"})}
    getattr(iam, f"create_{kind}")(**name, **(more if kind == "role" else {}))
    put, get = getattr(iam, f"put_{kind}_policy"), getattr(iam, f"get_{kind}_policy")
    put(**name, PolicyName="a", PolicyDocument=policy(READ))
    put(**name, PolicyName="b", PolicyDocument=policy(ALLOW_ALL))
    put(**name, PolicyName="b", PolicyDocument=policy(READ))
    assert get(**name, PolicyName="b")["PolicyDocument"] == {"Version": "2012-10-17", "Statement": [READ]}
    assert getattr(iam, f"list_{kind}_policies")(**name)["PolicyNames"] == ["a", "b"]
    assert code_of(getattr(iam, f"delete_{kind}"), **name) == "DeleteConflict"
    getattr(iam, f"delete_{kind}_policy")(**name, PolicyName="b")
    assert code_of(get, **name, PolicyName="b") == "NoSuchEntity"
    assert code_of(getattr(iam, f"delete_{kind}_policy"), **name, PolicyName="b") == "NoSuchEntity"
    assert code_of(put, **name, PolicyName="c", PolicyDocument='{"Statement":[]}') == "MalformedPolicyDocument"
    large = {**READ, "Resource": [f"arn:aws:iam::{number}:user/{'x' * 500}" for number in range(30)]}
    assert code_of(put, **name, PolicyName="c", PolicyDocument=policy(large)) == "LimitExceeded"
    half = {**READ, "Resource": f"arn:aws:iam::*:user/{'x' * (9000 if kind == 'role' else 1500)}"}
    put(**name, PolicyName="c", PolicyDocument=policy(half))
    more_than = {"user": 600, "role": 1500, "group": 4000}[kind]
    rest = {**READ, "Resource": f"arn:aws:iam::*:user/{'x' * more_than}"}
    assert code_of(put, **name, PolicyName="d", PolicyDocument=policy(rest)) == "LimitExceeded"


def test_a_managed_policy_has_versions(scene: Scene) -> None:
    iam = scene.client("iam")
    made = iam.create_policy(PolicyName="p", Path="/x/", PolicyDocument=policy(READ), Description="reads")["Policy"]
    arn = made["Arn"]
    assert (arn, made["PolicyId"][:4]) == (f"arn:aws:iam::{ACCOUNT}:policy/x/p", "ANPA")
    assert code_of(iam.create_policy, PolicyName="P", PolicyDocument=policy(READ)) == "EntityAlreadyExists"
    for _ in range(4):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy(ALLOW_ALL))
    assert code_of(iam.create_policy_version, PolicyArn=arn, PolicyDocument=policy(READ)) == "LimitExceeded"
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v3")
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v3"
    assert code_of(iam.delete_policy_version, PolicyArn=arn, VersionId="v3") == "DeleteConflict"
    assert code_of(iam.delete_policy, PolicyArn=arn) == "DeleteConflict"
    for version in ("v1", "v2", "v4", "v5"):
        iam.delete_policy_version(PolicyArn=arn, VersionId=version)
    newest = iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy(READ), SetAsDefault=True)["PolicyVersion"]
    assert (newest["VersionId"], newest["IsDefaultVersion"]) == ("v6", True)
    versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    assert [(item["VersionId"], item["IsDefaultVersion"]) for item in versions] == [("v6", True), ("v3", False)]
    shown = iam.get_policy_version(PolicyArn=arn, VersionId="v3")["PolicyVersion"]
    assert shown["Document"]["Statement"] == [ALLOW_ALL]
    iam.delete_policy_version(PolicyArn=arn, VersionId="v3")
    iam.delete_policy(PolicyArn=arn)
    assert code_of(iam.get_policy, PolicyArn=arn) == "NoSuchEntity"


@pytest.mark.parametrize("kind", ["user", "role", "group"])
def test_managed_policies_are_attached_and_detached(scene: Scene, kind: str) -> None:
    iam, noun = scene.client("iam"), kind.capitalize()
    if kind == "role":
        scene.role("x", {"AWS": ACCOUNT})
    else:
        getattr(iam, f"create_{kind}")(**{f"{noun}Name": "x"})
    name = {f"{noun}Name": "x"}
    own = iam.create_policy(PolicyName="p", PolicyDocument=policy(READ))["Policy"]["Arn"]
    attach, detach = getattr(iam, f"attach_{kind}_policy"), getattr(iam, f"detach_{kind}_policy")
    for arn in (own, READ_ONLY, READ_ONLY):
        attach(**name, PolicyArn=arn)
    attached = getattr(iam, f"list_attached_{kind}_policies")(**name)["AttachedPolicies"]
    assert attached == [
        {"PolicyName": "p", "PolicyArn": own},
        {"PolicyName": "ReadOnlyAccess", "PolicyArn": READ_ONLY},
    ]
    assert iam.get_policy(PolicyArn=own)["Policy"]["AttachmentCount"] == 1
    assert code_of(iam.delete_policy, PolicyArn=own) == "DeleteConflict"
    entities = iam.list_entities_for_policy(PolicyArn=own)
    assert [item[f"{noun}Name"] for item in entities[f"Policy{noun}s"]] == ["x"]
    assert [len(entities[f"Policy{other}s"]) for other in ("User", "Role", "Group") if other != noun] == [0, 0]
    listed = iam.list_policies(OnlyAttached=True)["Policies"]
    assert {item["PolicyName"] for item in listed} == {"p", "ReadOnlyAccess"}
    detach(**name, PolicyArn=own)
    assert code_of(detach, **name, PolicyArn=own) == "NoSuchEntity"
    assert code_of(attach, **name, PolicyArn=own + "x") == "NoSuchEntity"
    for number in range(10):
        new = iam.create_policy(PolicyName=f"p{number}", PolicyDocument=policy(READ))["Policy"]["Arn"]
        code = code_of(attach, **name, PolicyArn=new)
        assert code == ("LimitExceeded" if number == 9 else "")


def test_policies_of_aws_are_listed_and_cannot_be_changed(scene: Scene) -> None:
    iam = scene.client("iam")
    names = [item["PolicyName"] for item in iam.list_policies(Scope="AWS")["Policies"]]
    assert names == ["AdministratorAccess", "PowerUserAccess", "ReadOnlyAccess"]
    assert iam.list_policies(Scope="Local")["Policies"] == []
    assert code_of(iam.delete_policy, PolicyArn=ADMIN) == "InvalidInput"
    assert code_of(iam.create_policy_version, PolicyArn=ADMIN, PolicyDocument=policy(READ)) == "InvalidInput"
    for built_in in MANAGED_POLICIES.values():
        assert validate_policy_document(built_in["_versions"][0]["Document"])


def test_a_user_without_policies_may_nothing_and_is_told_why(scene: Scene) -> None:
    dana = scene.client("iam", scene.user("dana"))
    assert message_of(dana.create_user, UserName="x") == (
        f"User: arn:aws:iam::{ACCOUNT}:user/dana is not authorized to perform: iam:CreateUser on resource: "
        f"arn:aws:iam::{ACCOUNT}:user/x because no identity-based policy allows the iam:CreateUser action"
    )
    event = scene.events()[-1]
    assert (event["eventName"], event["errorCode"]) == ("CreateUser", "AccessDenied")
    assert event["userIdentity"]["arn"] == f"arn:aws:iam::{ACCOUNT}:user/dana"


@pytest.mark.parametrize(
    ("arn", "reads", "writes", "manages"),
    [(ADMIN, True, True, True), (READ_ONLY, True, False, False), (POWER, True, False, False)],
)
def test_the_built_in_policies(scene: Scene, arn: str, reads: bool, writes: bool, manages: bool) -> None:
    key = scene.user("dana")
    scene.client("iam").attach_user_policy(UserName="dana", PolicyArn=arn)
    assert may(scene, key, "list_roles") is reads
    assert may(scene, key, "create_group", GroupName="g") is writes
    assert may(scene, key, "delete_user", UserName="x") is manages
    assert code_of(scene.client("sts", key).get_federation_token, Name="xx") == (
        "" if arn != READ_ONLY else "AccessDenied"
    )


def test_policies_of_aws_are_read_by_whom_a_policy_lets(scene: Scene) -> None:
    key = scene.user("dana", {"Effect": "Allow", "Action": "iam:GetPolicy", "Resource": "*"})
    assert may(scene, key, "get_policy", PolicyArn=ADMIN)
    assert not may(scene, key, "get_policy_version", PolicyArn=ADMIN, VersionId="v1")


def test_a_group_gives_its_policies_to_its_users_at_once(scene: Scene) -> None:
    iam, key = scene.client("iam"), scene.user("dana")
    iam.create_group(GroupName="g")
    iam.put_group_policy(GroupName="g", PolicyName="p", PolicyDocument=policy(READ))
    assert not may(scene, key, "list_users")
    iam.add_user_to_group(GroupName="g", UserName="dana")
    assert may(scene, key, "list_users")
    iam.update_group(GroupName="g", NewGroupName="h")
    assert may(scene, key, "list_users")
    iam.delete_group_policy(GroupName="h", PolicyName="p")
    assert not may(scene, key, "list_users")
    iam.attach_group_policy(GroupName="h", PolicyArn=READ_ONLY)
    assert may(scene, key, "list_users")


def test_a_new_default_version_counts_at_once(scene: Scene) -> None:
    iam, key = scene.client("iam"), scene.user("dana")
    arn = iam.create_policy(PolicyName="p", PolicyDocument=policy(READ))["Policy"]["Arn"]
    iam.attach_user_policy(UserName="dana", PolicyArn=arn)
    assert not may(scene, key, "create_user", UserName="x")
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy(ALLOW_ALL), SetAsDefault=True)
    assert may(scene, key, "create_user", UserName="x")
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
    assert not may(scene, key, "create_user", UserName="y")


@pytest.mark.parametrize("kind", ["user", "role"])
def test_a_boundary_is_set_shown_and_taken_away(scene: Scene, kind: str) -> None:
    iam, noun = scene.client("iam"), kind.capitalize()
    if kind == "role":
        scene.role("x", {"AWS": ACCOUNT}, PermissionsBoundary=READ_ONLY)
    else:
        iam.create_user(UserName="x", PermissionsBoundary=READ_ONLY)
    name = {f"{noun}Name": "x"}
    shown = getattr(iam, f"get_{kind}")(**name)[noun]["PermissionsBoundary"]
    assert shown == {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": READ_ONLY}
    used = iam.list_policies(PolicyUsageFilter="PermissionsBoundary")["Policies"]
    assert [item["PolicyName"] for item in used] == ["ReadOnlyAccess"]
    put = getattr(iam, f"put_{kind}_permissions_boundary")
    put(**name, PermissionsBoundary=POWER)
    assert code_of(put, **name, PermissionsBoundary=POWER + "x") == "NoSuchEntity"
    assert code_of(put, **name, PermissionsBoundary="x" * 20) == "InvalidInput"
    getattr(iam, f"delete_{kind}_permissions_boundary")(**name)
    assert "PermissionsBoundary" not in getattr(iam, f"get_{kind}")(**name)[noun]


def test_a_boundary_narrows_its_user_at_once(scene: Scene) -> None:
    iam, key = scene.client("iam"), scene.user("dana", ALLOW_ALL)
    assert may(scene, key, "create_user", UserName="x")
    iam.put_user_permissions_boundary(UserName="dana", PermissionsBoundary=READ_ONLY)
    with pytest.raises(ClientError, match="because no permissions boundary allows the iam:CreateUser action"):
        scene.client("iam", key).create_user(UserName="y")
    assert may(scene, key, "list_users")


def test_the_users_own_path_is_open_by_a_variable(scene: Scene) -> None:
    own = {"Effect": "Allow", "Action": "iam:*", "Resource": "arn:aws:iam::*:user/${aws:username}"}
    key = scene.user("dana", own)
    scene.user("eve")
    assert may(scene, key, "list_access_keys")
    assert may(scene, key, "list_access_keys", UserName="dana")
    assert not may(scene, key, "list_access_keys", UserName="eve")
