"""Organizations: who is in, who manages, who may see what."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from apitrail.errors import ServiceError
from apitrail.identity.principal import Principal
from apitrail.testing import Stage
from apitrail.testing.stage import ACCOUNT, root

MEMBER, STRANGER = "444455556666", "777788889999"
SERVICE = "cloudtrail.amazonaws.com"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        stage.app.first_account()
        for account in (MEMBER, STRANGER):
            stage.app.make_account(account, "")
        yield stage


def ask(stage: Stage, operation: str, account: str = ACCOUNT, **params: Any) -> Any:
    return stage.call_(operation, params, service="organizations", principal=root(account))


def refused(stage: Stage, operation: str, account: str = ACCOUNT, **params: Any) -> ServiceError:
    with pytest.raises(ServiceError) as error:
        ask(stage, operation, account, **params)
    return error.value


def code(stage: Stage, operation: str, account: str = ACCOUNT, **params: Any) -> str:
    return refused(stage, operation, account, **params).error_code


def reason(stage: Stage, operation: str, account: str = ACCOUNT, **params: Any) -> str:
    return str(refused(stage, operation, account, **params).members["Reason"])


def invite(stage: Stage, account: str = MEMBER) -> str:
    """Invite an account and return the handshake's id."""
    target = {"Id": account, "Type": "ACCOUNT"}
    return str(ask(stage, "InviteAccountToOrganization", Target=target)["Handshake"]["Id"])


def organize(stage: Stage, *members: str) -> Any:
    """Make an organization with members, and return it."""
    organization = ask(stage, "CreateOrganization")["Organization"]
    for account in members:
        ask(stage, "AcceptHandshake", account, HandshakeId=invite(stage, account))
    return organization


def accounts(stage: Stage) -> list[str]:
    return [one["Id"] for one in ask(stage, "ListAccounts")["Accounts"]]


def test_an_organization_has_its_maker_as_management_account(stage: Stage) -> None:
    made = organize(stage)
    assert made["MasterAccountId"] == ACCOUNT
    assert made["FeatureSet"] == "ALL"
    assert made["Arn"] == f"arn:aws:organizations::{ACCOUNT}:organization/{made['Id']}"
    assert made["MasterAccountArn"] == f"arn:aws:organizations::{ACCOUNT}:account/{made['Id']}/{ACCOUNT}"
    shown = ask(stage, "DescribeOrganization")["Organization"]
    assert {key: value for key, value in made.items() if key[0] != "_"}.items() <= shown.items()
    (found,) = ask(stage, "ListRoots")["Roots"]
    assert found["Arn"] == f"arn:aws:organizations::{ACCOUNT}:root/{made['Id']}/{found['Id']}"
    assert accounts(stage) == [ACCOUNT]


def test_an_account_is_in_one_organization_only(stage: Stage) -> None:
    organize(stage, MEMBER)
    assert code(stage, "CreateOrganization") == "AlreadyInOrganizationException"
    assert code(stage, "CreateOrganization", MEMBER) == "AlreadyInOrganizationException"
    assert reason(stage, "InviteAccountToOrganization", Target={"Id": MEMBER, "Type": "ACCOUNT"}) == (
        "ALREADY_IN_AN_ORGANIZATION"
    )


def test_without_an_organization_there_is_nothing_to_ask(stage: Stage) -> None:
    for operation in ("DescribeOrganization", "ListAccounts", "DeleteOrganization", "LeaveOrganization", "ListRoots"):
        assert code(stage, operation) == "AWSOrganizationsNotInUseException"


def test_members_may_describe_the_organization_but_not_look_around(stage: Stage) -> None:
    made = organize(stage, MEMBER)
    assert ask(stage, "DescribeOrganization", MEMBER)["Organization"]["Id"] == made["Id"]
    for operation, params in (
        ("ListAccounts", {}),
        ("DeleteOrganization", {}),
        ("CreateAccount", {"Email": "a@example.com", "AccountName": "a"}),
        ("EnableAWSServiceAccess", {"ServicePrincipal": SERVICE}),
        ("RemoveAccountFromOrganization", {"AccountId": MEMBER}),
    ):
        assert code(stage, operation, MEMBER, **params) == "AccessDeniedException"


def test_an_account_that_is_made_can_be_entered_by_its_role(stage: Stage) -> None:
    organize(stage)
    made = ask(stage, "CreateAccount", Email="games@example.com", AccountName="games")["CreateAccountStatus"]
    assert made["State"] == "SUCCEEDED"
    account = made["AccountId"]
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    dana = Principal(
        "IAMUser", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/dana", "AIDAX", "AKIAX", "dana", policies=(allow,)
    )
    arn = f"arn:aws:iam::{account}:role/OrganizationAccountAccessRole"
    session = stage.call_("AssumeRole", {"RoleArn": arn, "RoleSessionName": "setup"}, principal=dana)
    found = stage.app.credentials.find(session["Credentials"]["AccessKeyId"])
    assert found is not None
    assert stage.call_("ListUsers", {}, principal=found.principal)["Users"] == []
    described = ask(stage, "DescribeAccount", AccountId=account)["Account"]
    assert (described["Name"], described["Email"]) == ("games", "games@example.com")
    assert (described["JoinedMethod"], described["Status"]) == ("CREATED", "ACTIVE")
    (request,) = ask(stage, "ListCreateAccountStatus", States=["SUCCEEDED"])["CreateAccountStatuses"]
    status = ask(stage, "DescribeCreateAccountStatus", CreateAccountRequestId=request["Id"])["CreateAccountStatus"]
    assert status["AccountId"] == account


def test_an_e_mail_address_makes_one_account(stage: Stage) -> None:
    organize(stage)
    ask(stage, "CreateAccount", Email="games@example.com", AccountName="games")
    second = ask(stage, "CreateAccount", Email="Games@example.com", AccountName="more")["CreateAccountStatus"]
    assert (second["State"], second["FailureReason"]) == ("FAILED", "EMAIL_ALREADY_EXISTS")
    assert len(accounts(stage)) == 2
    assert code(stage, "DescribeCreateAccountStatus", CreateAccountRequestId="car-" + "0" * 32) == (
        "CreateAccountStatusNotFoundException"
    )


def test_names_and_addresses_of_accounts_are_not_recorded(stage: Stage) -> None:
    organize(stage)
    ask(stage, "CreateAccount", Email="games@example.com", AccountName="Secret Studio")
    event = list(stage.events())[-1]
    assert event["eventSource"] == "organizations.amazonaws.com"
    assert event["awsRegion"] == "us-east-1"
    assert "games@example.com" not in str(event)
    assert "Secret Studio" not in str(event)


def test_an_invitation_is_accepted_by_the_invited_account_alone(stage: Stage) -> None:
    organize(stage)
    id = invite(stage)
    assert code(stage, "AcceptHandshake", HandshakeId=id) == "AccessDeniedException"
    assert code(stage, "AcceptHandshake", STRANGER, HandshakeId=id) == "HandshakeNotFoundException"
    assert code(stage, "CancelHandshake", MEMBER, HandshakeId=id) == "AccessDeniedException"
    assert [one["Id"] for one in ask(stage, "ListHandshakesForAccount", MEMBER)["Handshakes"]] == [id]
    accepted = ask(stage, "AcceptHandshake", MEMBER, HandshakeId=id)["Handshake"]
    assert accepted["State"] == "ACCEPTED"
    assert accounts(stage) == [ACCOUNT, MEMBER]
    assert code(stage, "AcceptHandshake", MEMBER, HandshakeId=id) == "HandshakeAlreadyInStateException"
    assert code(stage, "DeclineHandshake", MEMBER, HandshakeId=id) == "InvalidHandshakeTransitionException"


def test_the_management_account_gets_a_copy_of_who_joins_and_leaves(stage: Stage) -> None:
    organize(stage, MEMBER)
    ask(stage, "LeaveOrganization", MEMBER)
    for name in ("AcceptHandshake", "LeaveOrganization"):
        mine, theirs = [event for event in stage.events() if event["eventName"] == name]
        assert (mine["recipientAccountId"], theirs["recipientAccountId"]) == (MEMBER, ACCOUNT)
        assert mine["sharedEventID"] == theirs["sharedEventID"]


@pytest.mark.parametrize(("operation", "account"), [("DeclineHandshake", MEMBER), ("CancelHandshake", ACCOUNT)])
def test_an_invitation_that_ended_is_not_accepted(stage: Stage, operation: str, account: str) -> None:
    organize(stage)
    id = invite(stage)
    ask(stage, operation, account, HandshakeId=id)
    assert code(stage, "AcceptHandshake", MEMBER, HandshakeId=id) == "InvalidHandshakeTransitionException"
    assert invite(stage) != id


def test_an_invitation_expires(stage: Stage) -> None:
    organize(stage)
    id = invite(stage)
    assert code(stage, "InviteAccountToOrganization", Target={"Id": MEMBER, "Type": "ACCOUNT"}) == (
        "DuplicateHandshakeException"
    )
    stage.clock.advance(15 * 86_400)
    assert ask(stage, "DescribeHandshake", MEMBER, HandshakeId=id)["Handshake"]["State"] == "EXPIRED"
    assert code(stage, "AcceptHandshake", MEMBER, HandshakeId=id) == "InvalidHandshakeTransitionException"
    second = invite(stage)
    states = {one["Id"]: one["State"] for one in ask(stage, "ListHandshakesForOrganization")["Handshakes"]}
    assert states == {id: "EXPIRED", second: "OPEN"}


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ({"Id": "000011112222", "Type": "ACCOUNT"}, "INVALID_PATTERN_TARGET_ID"),
        ({"Id": "who@example.com", "Type": "EMAIL"}, "INVALID_PARTY_TYPE_TARGET"),
    ],
)
def test_only_accounts_that_exist_are_invited(stage: Stage, target: dict[str, str], expected: str) -> None:
    organize(stage)
    assert reason(stage, "InviteAccountToOrganization", Target=target) == expected


def test_an_account_in_one_organization_cannot_accept_another_ones_invitation(stage: Stage) -> None:
    organize(stage)
    id = invite(stage, STRANGER)
    ask(stage, "CreateOrganization", STRANGER)
    assert reason(stage, "AcceptHandshake", STRANGER, HandshakeId=id) == "ALREADY_IN_AN_ORGANIZATION"


def test_members_leave_or_are_removed_but_the_management_account_stays(stage: Stage) -> None:
    organize(stage, MEMBER, STRANGER)
    ask(stage, "LeaveOrganization", MEMBER)
    ask(stage, "RemoveAccountFromOrganization", AccountId=STRANGER)
    assert accounts(stage) == [ACCOUNT]
    assert code(stage, "LeaveOrganization") == "MasterCannotLeaveOrganizationException"
    assert code(stage, "RemoveAccountFromOrganization", AccountId=ACCOUNT) == "MasterCannotLeaveOrganizationException"
    assert code(stage, "RemoveAccountFromOrganization", AccountId=MEMBER) == "AccountNotFoundException"
    assert code(stage, "DescribeAccount", AccountId=MEMBER) == "AccountNotFoundException"


def test_only_an_empty_organization_is_deleted(stage: Stage) -> None:
    organize(stage, MEMBER)
    assert code(stage, "DeleteOrganization") == "OrganizationNotEmptyException"
    ask(stage, "LeaveOrganization", MEMBER)
    id = invite(stage)
    ask(stage, "DeleteOrganization")
    assert code(stage, "DescribeOrganization") == "AWSOrganizationsNotInUseException"
    assert code(stage, "AcceptHandshake", MEMBER, HandshakeId=id) == "HandshakeNotFoundException"
    organize(stage)


def test_a_delegated_administrator_may_look_around(stage: Stage) -> None:
    organize(stage, MEMBER, STRANGER)
    ask(stage, "EnableAWSServiceAccess", ServicePrincipal=SERVICE)
    ask(stage, "RegisterDelegatedAdministrator", AccountId=MEMBER, ServicePrincipal=SERVICE)
    assert len(ask(stage, "ListAccounts", MEMBER)["Accounts"]) == 3
    assert code(stage, "DeleteOrganization", MEMBER) == "AccessDeniedException"
    (found,) = ask(stage, "ListDelegatedAdministrators", ServicePrincipal=SERVICE)["DelegatedAdministrators"]
    assert found["Id"] == MEMBER
    (service,) = ask(stage, "ListDelegatedServicesForAccount", AccountId=MEMBER)["DelegatedServices"]
    assert service["ServicePrincipal"] == SERVICE
    assert code(stage, "ListDelegatedServicesForAccount", AccountId=STRANGER) == "AccountNotRegisteredException"
    assert reason(stage, "RemoveAccountFromOrganization", AccountId=MEMBER) == (
        "CANNOT_REMOVE_DELEGATED_ADMINISTRATOR_FROM_ORG"
    )
    ask(stage, "DeregisterDelegatedAdministrator", AccountId=MEMBER, ServicePrincipal=SERVICE)
    assert code(stage, "ListAccounts", MEMBER) == "AccessDeniedException"


def test_the_rules_for_delegated_administrators(stage: Stage) -> None:
    organize(stage, MEMBER)
    register = "RegisterDelegatedAdministrator"
    assert reason(stage, register, AccountId=MEMBER, ServicePrincipal=SERVICE) == "SERVICE_ACCESS_NOT_ENABLED"
    ask(stage, "EnableAWSServiceAccess", ServicePrincipal=SERVICE)
    assert reason(stage, register, AccountId=ACCOUNT, ServicePrincipal=SERVICE) == (
        "CANNOT_REGISTER_MASTER_AS_DELEGATED_ADMINISTRATOR"
    )
    assert reason(stage, register, AccountId=MEMBER, ServicePrincipal="me") == "UNRECOGNIZED_SERVICE_PRINCIPAL"
    assert code(stage, register, AccountId=STRANGER, ServicePrincipal=SERVICE) == "AccountNotFoundException"
    ask(stage, register, AccountId=MEMBER, ServicePrincipal=SERVICE)
    assert code(stage, register, AccountId=MEMBER, ServicePrincipal=SERVICE) == "AccountAlreadyRegisteredException"
    ask(stage, "DisableAWSServiceAccess", ServicePrincipal=SERVICE)
    assert ask(stage, "ListAWSServiceAccessForOrganization")["EnabledServicePrincipals"] == []
    assert code(stage, "DeregisterDelegatedAdministrator", AccountId=MEMBER, ServicePrincipal=SERVICE) == (
        "AccountNotRegisteredException"
    )


def test_services_have_access_in_organizations_with_all_features_only(stage: Stage) -> None:
    ask(stage, "CreateOrganization", FeatureSet="CONSOLIDATED_BILLING")
    assert reason(stage, "EnableAWSServiceAccess", ServicePrincipal=SERVICE) == "ORGANIZATION_NOT_IN_ALL_FEATURES_MODE"


def test_accounts_come_in_pages_bound_to_the_caller(stage: Stage) -> None:
    organize(stage)
    for number in range(24):
        ask(stage, "CreateAccount", Email=f"a{number}@example.com", AccountName=f"a{number}")
    first = ask(stage, "ListAccounts")
    assert len(first["Accounts"]) == 20
    rest = ask(stage, "ListAccounts", NextToken=first["NextToken"])
    assert len({one["Id"] for one in first["Accounts"] + rest["Accounts"]}) == 25
    assert "NextToken" not in rest
    assert reason(stage, "ListRoots", NextToken=first["NextToken"]) == "INVALID_NEXT_TOKEN"


def test_policies_of_the_caller_are_asked(stage: Stage) -> None:
    organize(stage)
    dana = replace(root(), kind="IAMUser", arn=f"arn:aws:iam::{ACCOUNT}:user/dana")
    with pytest.raises(ServiceError) as error:
        stage.call_("ListAccounts", {}, principal=dana)
    assert error.value.error_code == "AccessDeniedException"
    assert "organizations:ListAccounts" in error.value.message
