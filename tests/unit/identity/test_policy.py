"""The policy evaluator against tables of cases."""

from datetime import UTC, datetime
from typing import Any

import pytest

from apitrail.identity.policy import Decision, denied_message, evaluate
from apitrail.identity.principal import Principal, Session, SessionIssuer

ACCOUNT = "111122223333"
USER_ARN = f"arn:aws:iam::{ACCOUNT}:user/ops/dana"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/ci/Deployer"
SESSION_ARN = f"arn:aws:sts::{ACCOUNT}:assumed-role/Deployer/run-1"
FLEET = f"arn:aws:gamelift:us-west-2:{ACCOUNT}:fleet/fleet-1"
NOW = datetime(2026, 3, 4, 9, 15, tzinfo=UTC)
Doc = dict[str, Any]


def document(*statements: Doc, version: str = "2012-10-17") -> Doc:
    return {"Version": version, "Statement": list(statements)}


def allow(action: Any = "*", resource: Any = "*", **more: Any) -> Doc:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any = "*", resource: Any = "*", **more: Any) -> Doc:
    return {"Effect": "Deny", "Action": action, "Resource": resource, **more}


def user(*policies: Doc, **more: Any) -> Principal:
    return Principal("IAMUser", ACCOUNT, USER_ARN, "AIDAEXAMPLEUSER000001", user_name="dana", policies=policies, **more)


def role_session(*policies: Doc, session: tuple[Doc, ...] = (), tags: dict[str, str] | None = None) -> Principal:
    issuer = SessionIssuer("Role", "AROAEXAMPLEROLE000001", ROLE_ARN, ACCOUNT, "Deployer")
    facts = Session(NOW, issuer=issuer, policies=session, tags=tags or {}, source_identity="dana")
    return Principal(
        "AssumedRole", ACCOUNT, SESSION_ARN, "AROAEXAMPLEROLE000001:run-1", session=facts, policies=policies
    )


def root(account: str = ACCOUNT) -> Principal:
    return Principal("Root", account, f"arn:aws:iam::{account}:root", account)


def asks(
    principal: Principal,
    action: str = "gamelift:CreateFleet",
    resource: str = "*",
    context: Doc | None = None,
    **more: Any,
) -> Decision:
    return evaluate(principal, action, [resource], context or {}, **more)


@pytest.mark.parametrize(
    ("statement", "action", "resource", "allowed"),
    [
        (allow(), "gamelift:CreateFleet", "*", True),
        (allow("*:*"), "gamelift:CreateFleet", "*", True),
        (allow("gamelift:*"), "gamelift:CreateFleet", "*", True),
        (allow("GAMELIFT:createfleet"), "gamelift:CreateFleet", "*", True),
        (allow("gamelift:Create*"), "gamelift:DeleteFleet", FLEET, False),
        (allow("gamelift:?reateFleet"), "gamelift:CreateFleet", "*", True),
        (allow(["s3:Get*", "gamelift:List*"]), "gamelift:ListFleets", "*", True),
        (allow("gamelift:*", FLEET), "gamelift:DeleteFleet", FLEET, True),
        (allow("gamelift:*", FLEET), "gamelift:CreateFleet", "*", False),
        (allow("gamelift:*", FLEET), "gamelift:DeleteFleet", FLEET.upper(), False),
        (allow("gamelift:*", "arn:aws:gamelift:*:*:fleet/*"), "gamelift:DeleteFleet", FLEET, True),
        (allow("gamelift:*", "arn:aws:gamelift:*:*:build/*"), "gamelift:DeleteFleet", FLEET, False),
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, "gamelift:CreateFleet", "*", True),
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, "iam:CreateUser", "*", False),
        ({"Effect": "Allow", "Action": "*", "NotResource": FLEET}, "gamelift:DeleteFleet", FLEET, False),
        ({"Effect": "Allow", "Action": "*", "NotResource": FLEET}, "gamelift:CreateFleet", "*", True),
        (allow("s3:*", "arn:aws:s3:::logs/${aws:username}/*"), "s3:GetObject", "arn:aws:s3:::logs/dana/x", True),
        (allow("s3:*", "arn:aws:s3:::logs/${aws:username}/*"), "s3:GetObject", "arn:aws:s3:::logs/eve/x", False),
        (allow("s3:*", "arn:aws:s3:::a${*}"), "s3:GetObject", "arn:aws:s3:::a*", True),
        (allow("s3:*", "arn:aws:s3:::a${*}"), "s3:GetObject", "arn:aws:s3:::ab", False),
        (allow("s3:*", "arn:aws:s3:::${no:such}"), "s3:GetObject", "arn:aws:s3:::", False),
        (allow("s3:*", "arn:aws:s3:::${no:such, 'b'}"), "s3:GetObject", "arn:aws:s3:::b", True),
    ],
)
def test_actions_and_resources_of_an_identity_policy(statement: Doc, action: str, resource: str, allowed: bool) -> None:
    assert asks(user(document(statement)), action, resource).allowed is allowed


CONTEXT = {
    "aws:SourceIp": "192.0.2.17",
    "aws:CurrentTime": NOW,
    "aws:SecureTransport": False,
    "aws:UserAgent": "Boto3/1.44",
    "aws:RequestedRegion": "us-west-2",
    "aws:TagKeys": ["team", "stage"],
    "aws:RequestTag/team": "blue",
    "s3:prefix": "home/dana/",
    "s3:max-keys": 100,
    "aws:SourceArn": "arn:aws:cloudtrail:us-west-2:111122223333:trail/t",
}


@pytest.mark.parametrize(
    ("block", "holds"),
    [
        ({"StringEquals": {"aws:requestedregion": "us-west-2"}}, True),
        ({"StringEquals": {"aws:RequestedRegion": ["eu-west-1", "us-west-2"]}}, True),
        ({"StringEquals": {"aws:RequestedRegion": "US-WEST-2"}}, False),
        ({"StringEqualsIgnoreCase": {"aws:RequestedRegion": "US-WEST-2"}}, True),
        ({"StringNotEquals": {"aws:RequestedRegion": ["eu-west-1", "us-west-2"]}}, False),
        ({"StringNotEquals": {"no:such": "x"}}, True),
        ({"StringEquals": {"no:such": "x"}}, False),
        ({"StringEqualsIfExists": {"no:such": "x"}}, True),
        ({"StringEqualsIfExists": {"aws:RequestedRegion": "x"}}, False),
        ({"StringNotEqualsIgnoreCase": {"aws:RequestedRegion": "US-WEST-2"}}, False),
        ({"StringLike": {"s3:prefix": "home/${aws:username}/*"}}, True),
        ({"StringLike": {"s3:prefix": ["", "home/eve/*"]}}, False),
        ({"StringNotLike": {"aws:UserAgent": "Boto3/*"}}, False),
        ({"NumericLessThanEquals": {"s3:max-keys": "100"}}, True),
        ({"NumericLessThan": {"s3:max-keys": 100}}, False),
        ({"NumericGreaterThan": {"s3:max-keys": "9"}}, True),
        ({"NumericEquals": {"aws:UserAgent": "1"}}, False),
        ({"NumericNotEquals": {"s3:max-keys": "10"}}, True),
        ({"DateLessThan": {"aws:CurrentTime": "2026-03-04T09:15:01Z"}}, True),
        ({"DateGreaterThan": {"aws:CurrentTime": "2026-03-05"}}, False),
        ({"DateGreaterThanEquals": {"aws:EpochTime": "1772615700"}}, True),
        ({"DateEquals": {"aws:CurrentTime": "1772615700"}}, True),
        ({"Bool": {"aws:SecureTransport": "false"}}, True),
        ({"Bool": {"aws:SecureTransport": True}}, False),
        ({"Bool": {"aws:MultiFactorAuthPresent": "false"}}, False),
        ({"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}, True),
        ({"Null": {"aws:MultiFactorAuthPresent": "true"}}, True),
        ({"Null": {"aws:SourceIp": "true"}}, False),
        ({"Null": {"aws:SourceIp": False}}, True),
        ({"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}, True),
        ({"IpAddress": {"aws:SourceIp": ["2001:db8::/32", "192.0.2.17"]}}, True),
        ({"IpAddress": {"aws:SourceIp": "198.51.100.0/24"}}, False),
        ({"NotIpAddress": {"aws:SourceIp": ["192.0.2.0/24", "10.0.0.0/8"]}}, False),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:cloudtrail:*:111122223333:trail/*"}}, True),
        ({"ArnEquals": {"aws:SourceArn": "arn:aws:cloudtrail:*:111122223333:trail/*"}}, True),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:*:trail/t"}}, False),
        ({"ArnNotLike": {"aws:SourceArn": "arn:aws:s3:::*"}}, True),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:user/*/${aws:username}"}}, True),
        ({"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}, True),
        ({"StringEquals": {"aws:PrincipalType": "User"}}, True),
        ({"StringEquals": {"aws:userid": "AIDAEXAMPLEUSER000001"}}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["team", "stage", "cost"]}}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}, False),
        ({"ForAllValues:StringEquals": {"no:such": ["team"]}}, True),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["team"]}}, True),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["cost"]}}, False),
        ({"ForAnyValue:StringEquals": {"no:such": ["team"]}}, False),
        ({"ForAllValues:StringNotEquals": {"aws:TagKeys": ["cost"]}}, True),
        ({"ForAnyValue:StringNotEquals": {"aws:TagKeys": ["team", "stage"]}}, False),
        ({"ForAnyValue:StringNotEquals": {"no:such": ["team"]}}, False),
        ({"StringEquals": {"aws:RequestTag/Team": "blue"}, "Bool": {"aws:SecureTransport": "false"}}, True),
        ({"StringEquals": {"aws:RequestTag/team": "blue", "aws:RequestedRegion": "eu-west-1"}}, False),
    ],
)
def test_conditions(block: Doc, holds: bool) -> None:
    statement = allow(Condition=block)
    assert asks(user(document(statement)), context=CONTEXT).allowed is holds


def test_a_binary_condition_compares_bytes() -> None:
    statement = allow(Condition={"BinaryEquals": {"key": "QmluYXJ5"}})
    assert asks(user(document(statement)), context={"key": "QmluYXJ5"}).allowed
    assert not asks(user(document(statement)), context={"key": "QmluYXJz"}).allowed


def test_variables_of_the_old_version_are_plain_text() -> None:
    old = document(allow("s3:*", "arn:aws:s3:::${aws:username}"), version="2008-10-17")
    assert not asks(user(old), "s3:GetObject", "arn:aws:s3:::dana").allowed


def test_wildcards_in_a_variables_value_match_only_themselves() -> None:
    tagged = user(document(allow("s3:*", "arn:aws:s3:::b/${aws:PrincipalTag/home}")), tags={"home": "*"})
    assert asks(tagged, "s3:GetObject", "arn:aws:s3:::b/*").allowed
    assert not asks(tagged, "s3:GetObject", "arn:aws:s3:::b/secret").allowed


def test_the_context_cannot_claim_to_be_somebody_else() -> None:
    statement = allow(Condition={"StringEquals": {"aws:username": "eve"}})
    assert not asks(user(document(statement)), context={"aws:username": "eve"}).allowed


def test_an_explicit_deny_wins_over_every_allow() -> None:
    decision = asks(user(document(allow(), deny("gamelift:Create*"))))
    assert (decision.allowed, decision.explicit_deny) == (False, True)
    assert decision.reason == "with an explicit deny in an identity-based policy"


def test_the_message_is_the_one_that_aws_prints() -> None:
    nobody = user()
    decision = asks(nobody)
    assert denied_message(nobody, "gamelift:CreateFleet", "*", decision) == (
        f"User: {USER_ARN} is not authorized to perform: gamelift:CreateFleet on resource: * "
        "because no identity-based policy allows the gamelift:CreateFleet action"
    )


def test_every_resource_must_be_allowed() -> None:
    principal = user(document(allow("s3:DeleteObject", "arn:aws:s3:::b/mine/*")))
    keys = ["arn:aws:s3:::b/mine/1", "arn:aws:s3:::b/yours/2"]
    decision = evaluate(principal, "s3:DeleteObject", keys, {})
    assert (decision.allowed, decision.resource) == (False, keys[1])
    assert evaluate(principal, "s3:DeleteObject", keys[:1], {}).allowed


def test_a_boundary_narrows_what_the_policies_allow() -> None:
    bounded = user(document(allow()), boundary=document(allow("s3:*")))
    assert asks(bounded, "s3:GetObject", "arn:aws:s3:::b/k").allowed
    decision = asks(bounded)
    assert decision.reason == "because no permissions boundary allows the gamelift:CreateFleet action"
    denied = user(document(allow()), boundary=document(allow(), deny("gamelift:*")))
    assert asks(denied).reason == "with an explicit deny in a permissions boundary"


def test_a_session_policy_narrows_what_the_role_may() -> None:
    narrowed = role_session(document(allow("gamelift:*")), session=(document(allow("gamelift:Describe*")),))
    assert asks(narrowed, "gamelift:DescribeFleetEvents", FLEET).allowed
    assert asks(narrowed).reason == "because no session policy allows the gamelift:CreateFleet action"
    assert not asks(role_session(session=(document(allow()),))).allowed


def test_a_federated_user_without_session_policy_may_nothing() -> None:
    issuer = SessionIssuer("IAMUser", "AIDA", USER_ARN, ACCOUNT, "dana")

    def federated(*session: Doc) -> Principal:
        return Principal(
            "FederatedUser",
            ACCOUNT,
            f"arn:aws:sts::{ACCOUNT}:federated-user/x",
            f"{ACCOUNT}:x",
            session=Session(NOW, issuer=issuer, policies=session),
            policies=(document(allow()),),
        )

    assert not asks(federated()).allowed
    assert asks(federated(document(allow("gamelift:*")))).allowed


def test_root_may_everything_that_no_resource_denies() -> None:
    bucket = document(deny("s3:*", "arn:aws:s3:::b/*", Principal="*"))
    assert asks(root()).allowed
    decision = asks(root(), "s3:GetObject", "arn:aws:s3:::b/k", resource_policy=bucket)
    assert decision.reason == "with an explicit deny in a resource-based policy"


@pytest.mark.parametrize(
    ("names", "caller", "allowed"),
    [
        ("*", user(), True),
        ({"AWS": "*"}, user(), True),
        ({"AWS": USER_ARN}, user(), True),
        ({"AWS": [ROLE_ARN, USER_ARN]}, user(), True),
        ({"AWS": USER_ARN.replace("dana", "eve")}, user(), False),
        ({"AWS": ACCOUNT}, user(), False),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, user(), False),
        ({"AWS": ACCOUNT}, user(document(allow("s3:*"))), True),
        ({"AWS": ROLE_ARN}, role_session(), True),
        ({"AWS": SESSION_ARN}, role_session(), True),
        ({"AWS": ROLE_ARN}, role_session(session=(document(allow("sns:*")),)), False),
        ({"AWS": SESSION_ARN}, role_session(session=(document(allow("sns:*")),)), True),
        ({"Service": "cloudtrail.amazonaws.com"}, user(), False),
        (
            {"Service": "cloudtrail.amazonaws.com"},
            Principal("AWSService", "", "", "", invoked_by="cloudtrail.amazonaws.com"),
            True,
        ),
        (
            {"Service": "sns.amazonaws.com"},
            Principal("AWSService", "", "", "", invoked_by="cloudtrail.amazonaws.com"),
            False,
        ),
        ({"Federated": "idp.example"}, user(), False),
    ],
)
def test_who_a_resource_policy_of_the_own_account_grants_to(names: Any, caller: Principal, allowed: bool) -> None:
    bucket = document(allow("s3:GetObject", "arn:aws:s3:::b/*", Principal=names))
    decision = asks(caller, "s3:GetObject", "arn:aws:s3:::b/k", resource_policy=bucket)
    assert decision.allowed is allowed


def test_everybody_but_one_is_denied_by_not_principal() -> None:
    statement = {"Effect": "Deny", "NotPrincipal": {"AWS": USER_ARN}, "Action": "s3:*", "Resource": "arn:aws:s3:::b/*"}
    bucket = document(statement)
    may_all = document(allow())
    assert asks(user(may_all), "s3:GetObject", "arn:aws:s3:::b/k", resource_policy=bucket).allowed
    assert not asks(role_session(may_all), "s3:GetObject", "arn:aws:s3:::b/k", resource_policy=bucket).allowed


def test_across_accounts_both_sides_must_allow() -> None:
    bucket = document(allow("s3:*", "arn:aws:s3:::b/*", Principal={"AWS": USER_ARN}))

    def foreign(caller: Principal, policy: Doc | None) -> Decision:
        return asks(caller, "s3:GetObject", "arn:aws:s3:::b/k", resource_policy=policy, resource_account="444455556666")

    assert foreign(user(document(allow("s3:*"))), bucket).allowed
    assert not foreign(user(), bucket).allowed
    decision = foreign(user(document(allow("s3:*"))), None)
    assert decision.reason == "because no resource-based policy allows the s3:GetObject action"
    assert not foreign(root(), None).allowed


@pytest.mark.parametrize(
    ("names", "caller", "allowed"),
    [
        ({"AWS": USER_ARN}, user(), True),
        ({"AWS": ACCOUNT}, user(), False),
        ({"AWS": ACCOUNT}, user(document(allow("sts:AssumeRole", ROLE_ARN))), True),
        ({"AWS": "444455556666"}, user(document(allow())), False),
        ({"Service": "gamelift.amazonaws.com"}, user(document(allow())), False),
    ],
)
def test_a_trust_policy_must_allow_in_any_case(names: Any, caller: Principal, allowed: bool) -> None:
    trust = document({"Effect": "Allow", "Principal": names, "Action": "sts:AssumeRole"})
    decision = asks(caller, "sts:AssumeRole", ROLE_ARN, resource_policy=trust, trust=True)
    assert decision.allowed is allowed


def test_the_tags_of_user_and_session_are_known_to_conditions() -> None:
    statement = allow(Condition={"StringEquals": {"aws:PrincipalTag/team": "blue"}})
    assert asks(user(document(statement), tags={"Team": "blue"})).allowed
    assert asks(role_session(document(statement), tags={"team": "blue"})).allowed
    assert not asks(user(document(statement))).allowed


def test_hostile_wildcards_do_not_take_long() -> None:
    hostile = document(allow("s3:*", "arn:aws:s3:::" + "a*" * 200 + "b"))
    assert not asks(user(hostile), "s3:GetObject", "arn:aws:s3:::" + "a" * 1024).allowed
