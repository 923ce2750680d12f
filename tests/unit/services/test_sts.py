"""STS asked through the SDK: who may become whom, and what the sessions may do then."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from identity_scenes import ACCOUNT, ALLOW_ALL, OTHER, Scene, code_of, message_of, policy

TRUSTED = {"AWS": ACCOUNT}
READ = {"Effect": "Allow", "Action": "iam:List*", "Resource": "*"}


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    scene.close()


def assume(scene: Scene, key: Any, arn: str, **params: Any) -> Any:
    return scene.client("sts", key).assume_role(RoleArn=arn, RoleSessionName="run-1", **params)


def refused(scene: Scene, key: Any, arn: str, **params: Any) -> str:
    return code_of(scene.client("sts", key).assume_role, RoleArn=arn, RoleSessionName="run-1", **params)


def test_everybody_may_ask_who_he_is(scene: Scene) -> None:
    denied = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    identity = scene.client("sts", scene.user("dana", denied)).get_caller_identity()
    assert identity["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/dana"
    assert (identity["Account"], identity["UserId"][:4]) == (ACCOUNT, "AIDA")


def test_an_assumed_role_acts_under_its_own_name(scene: Scene) -> None:
    key = scene.user("dana", ALLOW_ALL)
    arn = scene.role("Deployer", TRUSTED, ALLOW_ALL, Path="/ci/")
    answer = assume(scene, key, arn)
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/Deployer/run-1"
    assert answer["AssumedRoleUser"]["Arn"] == session
    assert answer["AssumedRoleUser"]["AssumedRoleId"].startswith("AROA")
    assert answer["Credentials"]["AccessKeyId"].startswith("ASIA")
    left = answer["Credentials"]["Expiration"] - scene.clock.now()
    assert timedelta(minutes=59) < left <= timedelta(hours=1)
    assert scene.client("sts", answer["Credentials"]).get_caller_identity()["Arn"] == session
    scene.client("iam", answer["Credentials"]).list_users()
    identity = scene.events()[-1]["userIdentity"]
    assert (identity["type"], identity["arn"]) == ("AssumedRole", session)
    assert identity["sessionContext"]["sessionIssuer"]["arn"] == arn


def test_the_record_of_assume_role_shows_the_answer_but_no_secret(scene: Scene) -> None:
    arn = scene.role("R", TRUSTED)
    answer = assume(scene, scene.user("dana", ALLOW_ALL), arn)
    event = scene.events()[-1]
    assert (event["eventName"], event["readOnly"]) == ("AssumeRole", True)
    assert event["requestParameters"] == {"roleArn": arn, "roleSessionName": "run-1"}
    credentials = event["responseElements"]["credentials"]
    assert credentials["accessKeyId"] == answer["Credentials"]["AccessKeyId"]
    assert credentials["sessionToken"] == "HIDDEN_DUE_TO_SECURITY_REASONS"
    assert "secretAccessKey" not in credentials
    assert event["resources"] == [{"accountId": ACCOUNT, "type": "AWS::IAM::Role", "ARN": arn}]


def test_a_user_whom_the_role_trusts_by_name_needs_no_policy(scene: Scene) -> None:
    dana, eve = scene.user("dana"), scene.user("eve")
    arn = scene.role("R", {"AWS": f"arn:aws:iam::{ACCOUNT}:user/dana"})
    assert refused(scene, dana, arn) == ""
    assert refused(scene, eve, arn) == "AccessDenied"


def test_trust_in_the_account_needs_a_policy_of_the_user(scene: Scene) -> None:
    arn = scene.role("R", TRUSTED)
    allowed = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": arn}
    assert refused(scene, scene.user("dana", allowed), arn) == ""
    assert refused(scene, scene.user("eve"), arn) == "AccessDenied"
    assert refused(scene, scene.user("mia", ALLOW_ALL, {**allowed, "Effect": "Deny"}), arn) == "AccessDenied"


def test_a_role_that_trusts_others_or_does_not_exist_is_refused_in_the_same_words(scene: Scene) -> None:
    key, arn = scene.user("dana", ALLOW_ALL), scene.role("R", {"Service": "gamelift.amazonaws.com"})
    for asked in (arn, arn + "x"):
        message = message_of(scene.client("sts", key).assume_role, RoleArn=asked, RoleSessionName="run-1")
        assert message == (
            f"User: arn:aws:iam::{ACCOUNT}:user/dana is not authorized to perform: sts:AssumeRole on resource: "
            f"{asked} because no role trust policy allows the sts:AssumeRole action"
        )


def test_root_assumes_no_role(scene: Scene) -> None:
    assert refused(scene, None, scene.role("R", TRUSTED)) == "AccessDenied"


def test_a_role_of_another_account_needs_both_sides(scene: Scene) -> None:
    arn = scene.role("Shared", TRUSTED, ALLOW_ALL, key=scene.other_root)
    assert refused(scene, scene.user("eve"), arn) == "AccessDenied"
    answer = assume(scene, scene.user("dana", ALLOW_ALL), arn)
    identity = scene.client("sts", answer["Credentials"]).get_caller_identity()
    assert (identity["Account"], identity["Arn"]) == (OTHER, f"arn:aws:sts::{OTHER}:assumed-role/Shared/run-1")


def test_a_trust_policy_may_ask_for_an_external_id_and_a_session_name(scene: Scene) -> None:
    key = scene.user("dana", ALLOW_ALL)
    asks = {"StringEquals": {"sts:ExternalId": "x-42"}, "StringLike": {"sts:RoleSessionName": "run-*"}}
    arn = scene.role("R", TRUSTED, condition=asks)
    assert refused(scene, key, arn) == "AccessDenied"
    assert refused(scene, key, arn, ExternalId="other") == "AccessDenied"
    assert refused(scene, key, arn, ExternalId="x-42") == ""


def test_a_session_is_narrowed_by_its_policies(scene: Scene) -> None:
    key, arn = scene.user("dana", ALLOW_ALL), scene.role("R", TRUSTED, ALLOW_ALL)
    answer = assume(scene, key, arn, Policy=policy(READ))
    assert answer["PackedPolicySize"] >= 1
    iam = scene.client("iam", answer["Credentials"])
    assert (code_of(iam.list_users), code_of(iam.create_user, UserName="x")) == ("", "AccessDenied")
    managed = assume(scene, key, arn, PolicyArns=[{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}])
    iam = scene.client("iam", managed["Credentials"])
    assert (code_of(iam.list_users), code_of(iam.create_user, UserName="x")) == ("", "AccessDenied")
    assert refused(scene, key, arn, Policy="{") == "MalformedPolicyDocument"
    assert refused(scene, key, arn, PolicyArns=[{"arn": "arn:aws:iam::aws:policy/None"}]) == "MalformedPolicyDocument"
    long = policy({**READ, "Resource": "arn:aws:iam::*:user/" + "x" * 2048})
    assert refused(scene, key, arn, Policy=long) == "PackedPolicyTooLarge"


def test_a_session_lasts_as_long_as_the_role_allows(scene: Scene) -> None:
    key, arn = scene.user("dana", ALLOW_ALL), scene.role("R", TRUSTED, ALLOW_ALL, MaxSessionDuration=7200)
    assert refused(scene, key, arn, DurationSeconds=7201) == "ValidationError"
    first = assume(scene, key, arn, DurationSeconds=7200)["Credentials"]
    assert refused(scene, first, arn, DurationSeconds=3601) == "ValidationError"
    assert refused(scene, first, arn, DurationSeconds=3600) == ""


def test_a_session_that_is_over_is_refused(scene: Scene) -> None:
    key, arn = scene.user("dana", ALLOW_ALL), scene.role("R", TRUSTED)
    # the SDK's clock stands between, so that the server is never a quarter of an hour away from it
    scene.clock.ahead_s = -600
    session = assume(scene, key, arn, DurationSeconds=900)["Credentials"]
    scene.client("sts", session).get_caller_identity()
    scene.clock.ahead_s = 600
    assert code_of(scene.client("sts", session).get_caller_identity) == "ExpiredToken"
    scene.runner.run(scene.credentials.tick())
    assert code_of(scene.client("sts", session).get_caller_identity) == "ExpiredToken"


def test_tags_and_source_identity_need_rights_of_their_own(scene: Scene) -> None:
    key = scene.user("dana", ALLOW_ALL)
    plain, full = scene.role("Plain", TRUSTED), scene.role("Full", TRUSTED, actions="sts:*")
    tags = {"Tags": [{"Key": "team", "Value": "blue"}]}
    assert refused(scene, key, plain, **tags) == "AccessDenied"
    assert refused(scene, key, plain, SourceIdentity="dana") == "AccessDenied"
    answer = assume(scene, key, full, **tags, SourceIdentity="dana")
    assert answer["SourceIdentity"] == "dana"
    scene.client("sts", answer["Credentials"]).get_caller_identity()
    assert scene.events()[-1]["userIdentity"]["sessionContext"]["sourceIdentity"] == "dana"
    session = scene.principal_of(answer["Credentials"]).session
    assert session is not None
    assert session.tags == {"team": "blue"}
    twice = [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]
    assert refused(scene, key, full, Tags=twice) == "ValidationError"
    assert refused(scene, key, full, TransitiveTagKeys=["team"]) == "ValidationError"


def test_source_identity_and_transitive_tags_go_on_to_the_next_role(scene: Scene) -> None:
    key, arn = scene.user("dana", ALLOW_ALL), scene.role("R", TRUSTED, ALLOW_ALL, actions="sts:*")
    tags = [{"Key": "team", "Value": "blue"}, {"Key": "stage", "Value": "1"}]
    first = assume(scene, key, arn, Tags=tags, TransitiveTagKeys=["team"], SourceIdentity="dana")["Credentials"]
    second = assume(scene, first, arn, Tags=[{"Key": "stage", "Value": "2"}])["Credentials"]
    session = scene.principal_of(second).session
    assert session is not None
    assert (session.tags, session.source_identity) == ({"team": "blue", "stage": "2"}, "dana")
    assert refused(scene, second, arn, Tags=[{"Key": "Team", "Value": "red"}]) == "ValidationError"
    assert refused(scene, second, arn, SourceIdentity="eve") == "AccessDenied"


def test_sessions_follow_their_role(scene: Scene) -> None:
    iam, arn = scene.client("iam"), scene.role("R", TRUSTED, READ)
    session = assume(scene, scene.user("dana", ALLOW_ALL), arn)["Credentials"]
    acting = scene.client("iam", session)
    assert code_of(acting.list_users) == ""
    iam.delete_role_policy(RoleName="R", PolicyName="p")
    assert code_of(acting.list_users) == "AccessDenied"
    iam.attach_role_policy(RoleName="R", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    assert code_of(acting.list_users) == ""
    iam.detach_role_policy(RoleName="R", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    iam.delete_role(RoleName="R")
    assert code_of(acting.list_users) == "InvalidClientTokenId"
    scene.role("R", TRUSTED, READ)
    assert code_of(acting.list_users) == "InvalidClientTokenId"


def test_a_session_token_is_the_user_with_a_session(scene: Scene) -> None:
    key = scene.user("dana", READ)
    session = scene.client("sts", key).get_session_token(DurationSeconds=900)["Credentials"]
    acting = scene.client("iam", session)
    assert (code_of(acting.list_users), code_of(acting.create_user, UserName="x")) == ("", "AccessDenied")
    identity = scene.events()[-1]["userIdentity"]
    assert (identity["type"], identity["userName"]) == ("IAMUser", "dana")
    assert list(identity["sessionContext"]) == ["attributes"]
    assert identity["sessionContext"]["attributes"]["mfaAuthenticated"] == "false"
    assert code_of(scene.client("sts", session).get_session_token) == "AccessDenied"
    assert code_of(scene.client("sts", session).get_federation_token, Name="xx") == "AccessDenied"
    scene.client("iam").delete_user_policy(UserName="dana", PolicyName="p")
    assert code_of(acting.list_users) == "AccessDenied"


def test_roots_sessions_last_an_hour_at_most(scene: Scene) -> None:
    session = scene.client("sts").get_session_token(DurationSeconds=40_000)["Credentials"]
    assert session["Expiration"] - scene.clock.now() <= timedelta(hours=1)
    assert code_of(scene.client("iam", session).list_users) == ""
    assert scene.events()[-1]["userIdentity"]["type"] == "Root"


def test_there_are_no_mfa_devices_so_every_code_is_wrong(scene: Scene) -> None:
    mfa = {"SerialNumber": f"arn:aws:iam::{ACCOUNT}:mfa/dana", "TokenCode": "123456"}
    key = scene.user("dana", ALLOW_ALL)
    assert code_of(scene.client("sts", key).get_session_token, **mfa) == "AccessDenied"
    assert refused(scene, key, scene.role("R", TRUSTED), **mfa) == "AccessDenied"


@pytest.mark.parametrize("of_root", [False, True])
def test_a_federated_user_may_what_both_policies_allow(scene: Scene, of_root: bool) -> None:
    key = None if of_root else scene.user("dana", READ, {**READ, "Action": "sts:*"})
    answer = scene.client("sts", key).get_federation_token(Name="support-7", Policy=policy(ALLOW_ALL))
    assert answer["FederatedUser"] == {
        "FederatedUserId": f"{ACCOUNT}:support-7",
        "Arn": f"arn:aws:sts::{ACCOUNT}:federated-user/support-7",
    }
    acting = scene.client("iam", answer["Credentials"])
    assert (code_of(acting.list_users), code_of(acting.create_user, UserName="x") == "") == ("", of_root)
    issuer = scene.events()[-1]["userIdentity"]["sessionContext"]["sessionIssuer"]
    assert issuer["type"] == ("Root" if of_root else "IAMUser")
    bare = scene.client("sts", key).get_federation_token(Name="nobody")["Credentials"]
    assert code_of(scene.client("iam", bare).list_users) == "AccessDenied"
    assert scene.client("sts", bare).get_caller_identity()["UserId"] == f"{ACCOUNT}:nobody"


def test_records_of_tokens_are_writes_and_hide_the_token(scene: Scene) -> None:
    scene.client("sts").get_session_token()
    event = scene.events()[-1]
    assert (event["eventName"], event["readOnly"]) == ("GetSessionToken", False)
    assert event["responseElements"]["credentials"]["sessionToken"] == "HIDDEN_DUE_TO_SECURITY_REASONS"


def test_the_account_of_a_key_is_known(scene: Scene) -> None:
    sts = scene.client("sts")
    session = sts.get_session_token()["Credentials"]
    assert sts.get_access_key_info(AccessKeyId=scene.other_root.access_key)["Account"] == OTHER
    assert sts.get_access_key_info(AccessKeyId=session["AccessKeyId"])["Account"] == ACCOUNT
    assert code_of(sts.get_access_key_info, AccessKeyId="AKIAUNKNOWN000000000") == "ValidationError"


def test_federation_by_web_identity_and_saml_is_not_served(scene: Scene) -> None:
    sts, arn = scene.client("sts"), scene.role("R", TRUSTED)
    asked = {"RoleArn": arn, "RoleSessionName": "xx", "WebIdentityToken": "token"}
    assert code_of(sts.assume_role_with_web_identity, **asked) == "UnsupportedOperationException"
    saml = {"RoleArn": arn, "PrincipalArn": arn, "SAMLAssertion": "assertion"}
    assert code_of(sts.assume_role_with_saml, **saml) == "UnsupportedOperationException"
    assert "requestParameters" in scene.events()[-1]
    assert "assertion" not in str(scene.events()[-1]).replace("sAMLAssertion", "")
