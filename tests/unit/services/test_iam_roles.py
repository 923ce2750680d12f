"""Roles and service-linked roles, asked through the SDK."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from identity_scenes import ACCOUNT, ALLOW_ALL, Scene, code_of, policy

TRUST = policy({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"})
LINKED = "AWSServiceRoleForGameLift"


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    scene.close()


def test_a_role_is_created_shown_changed_and_deleted(scene: Scene) -> None:
    iam = scene.client("iam")
    made = iam.create_role(RoleName="R", Path="/ci/", AssumeRolePolicyDocument=TRUST, Description="d")["Role"]
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/ci/R"
    assert (made["RoleId"][:4], len(made["RoleId"]), made["MaxSessionDuration"]) == ("AROA", 21, 3600)
    assert made["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"AWS": ACCOUNT}
    assert iam.get_role(RoleName="R")["Role"] == made
    iam.update_role(RoleName="R", Description="e", MaxSessionDuration=7200)
    assert iam.update_role_description(RoleName="R", Description="f")["Role"]["Description"] == "f"
    iam.update_assume_role_policy(RoleName="R", PolicyDocument=TRUST.replace("Allow", "Deny"))
    (shown,) = iam.list_roles(PathPrefix="/ci/")["Roles"]
    assert (shown["Description"], shown["MaxSessionDuration"]) == ("f", 7200)
    assert shown["AssumeRolePolicyDocument"]["Statement"][0]["Effect"] == "Deny"
    iam.delete_role(RoleName="R")
    assert code_of(iam.get_role, RoleName="R") == "NoSuchEntity"


@pytest.mark.parametrize(
    "trust",
    ["{", policy(ALLOW_ALL), policy({"Effect": "Allow", "Principal": {"AWS": "dana"}, "Action": "sts:AssumeRole"})],
)
def test_a_trust_policy_must_be_one(scene: Scene, trust: str) -> None:
    iam = scene.client("iam")
    arguments = {"RoleName": "R", "AssumeRolePolicyDocument": trust}
    assert code_of(iam.create_role, **arguments) == "MalformedPolicyDocument"
    scene.role("S", {"AWS": ACCOUNT})
    assert code_of(iam.update_assume_role_policy, RoleName="S", PolicyDocument=trust) == "MalformedPolicyDocument"


def test_a_role_with_policies_is_not_deleted(scene: Scene) -> None:
    iam = scene.client("iam")
    scene.role("R", {"AWS": ACCOUNT}, ALLOW_ALL)
    iam.attach_role_policy(RoleName="R", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    assert code_of(iam.delete_role, RoleName="R") == "DeleteConflict"
    iam.detach_role_policy(RoleName="R", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    assert code_of(iam.delete_role, RoleName="R") == "DeleteConflict"
    iam.delete_role_policy(RoleName="R", PolicyName="p")
    iam.delete_role(RoleName="R")


def test_a_service_linked_role_belongs_to_its_service(scene: Scene) -> None:
    iam = scene.client("iam")
    made = iam.create_service_linked_role(AWSServiceName="gamelift.amazonaws.com")["Role"]
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/gamelift.amazonaws.com/{LINKED}"
    assert code_of(iam.create_service_linked_role, AWSServiceName="gamelift.amazonaws.com") == "InvalidInput"
    assert code_of(iam.create_service_linked_role, AWSServiceName="nobody.amazonaws.com") == "InvalidInput"
    arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    for name, more in (
        ("attach_role_policy", {"PolicyArn": arn}),
        ("put_role_policy", {"PolicyName": "p", "PolicyDocument": policy(ALLOW_ALL)}),
        ("update_assume_role_policy", {"PolicyDocument": TRUST}),
        ("delete_role", {}),
    ):
        assert code_of(getattr(iam, name), RoleName=LINKED, **more) == "UnmodifiableEntity"
    task = iam.delete_service_linked_role(RoleName=LINKED)["DeletionTaskId"]
    assert iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"] == "SUCCEEDED"
    assert code_of(iam.get_service_linked_role_deletion_status, DeletionTaskId="task/x") == "NoSuchEntity"
    assert code_of(iam.get_role, RoleName=LINKED) == "NoSuchEntity"


def test_roles_of_services_cannot_be_made_by_hand(scene: Scene) -> None:
    iam = scene.client("iam")
    arguments = {"RoleName": "R", "Path": "/aws-service-role/x/", "AssumeRolePolicyDocument": TRUST}
    assert code_of(iam.create_role, **arguments) == "InvalidInput"
    scene.role("Mine", {"AWS": ACCOUNT})
    assert code_of(iam.delete_service_linked_role, RoleName="Mine") == "NoSuchEntity"
