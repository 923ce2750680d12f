"""userIdentity, against the examples of the record specification."""

import json
from datetime import UTC, datetime

from apitrail.identity.principal import Principal, Session, SessionIssuer
from apitrail.identity.user_identity import user_identity

ACCOUNT = "111122223333"
DANA = f"arn:aws:iam::{ACCOUNT}:user/ops/dana"


def written(principal: Principal, *, cross_account: bool = False) -> str:
    return json.dumps(user_identity(principal, cross_account=cross_account), separators=(",", ":"))


def at(hour: int) -> datetime:
    return datetime(2026, 3, 4, hour, 0, 0, 123456, tzinfo=UTC)


def test_root_with_an_alias() -> None:
    root = Principal("Root", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, "AKIAEXAMPLEROOT00001", "studio-prod")
    assert written(root) == (
        '{"type":"Root","principalId":"111122223333","arn":"arn:aws:iam::111122223333:root",'
        '"accountId":"111122223333","accessKeyId":"AKIAEXAMPLEROOT00001","userName":"studio-prod"}'
    )


def test_a_user_with_a_session_token() -> None:
    session = Session(at(8), mfa=True)
    user = Principal("IAMUser", ACCOUNT, DANA, "AIDAEXAMPLEUSER000001", "ASIAEXAMPLETEMP00001", "dana", session)
    assert written(user) == (
        '{"type":"IAMUser","principalId":"AIDAEXAMPLEUSER000001","arn":"arn:aws:iam::111122223333:user/ops/dana",'
        '"accountId":"111122223333","accessKeyId":"ASIAEXAMPLETEMP00001","userName":"dana",'
        '"sessionContext":{"attributes":{"creationDate":"2026-03-04T08:00:00Z","mfaAuthenticated":"true"}}}'
    )


def role_session(invoked_by: str = "") -> Principal:
    issuer = SessionIssuer(
        "Role", "AROAEXAMPLEROLE000001", f"arn:aws:iam::{ACCOUNT}:role/ci/Deployer", ACCOUNT, "Deployer"
    )
    return Principal(
        "AssumedRole",
        ACCOUNT,
        f"arn:aws:sts::{ACCOUNT}:assumed-role/Deployer/deploy-42",
        "AROAEXAMPLEROLE000001:deploy-42",
        "ASIAEXAMPLETEMP00002",
        session=Session(at(9), issuer=issuer, source_identity="dana"),
        invoked_by=invoked_by,
    )


def test_a_role_session() -> None:
    assert written(role_session("gamelift.amazonaws.com")) == (
        '{"type":"AssumedRole","principalId":"AROAEXAMPLEROLE000001:deploy-42",'
        '"arn":"arn:aws:sts::111122223333:assumed-role/Deployer/deploy-42","accountId":"111122223333",'
        '"accessKeyId":"ASIAEXAMPLETEMP00002","sessionContext":{"sessionIssuer":{"type":"Role",'
        '"principalId":"AROAEXAMPLEROLE000001","arn":"arn:aws:iam::111122223333:role/ci/Deployer",'
        '"accountId":"111122223333","userName":"Deployer"},"attributes":{"creationDate":"2026-03-04T09:00:00Z",'
        '"mfaAuthenticated":"false"},"sourceIdentity":"dana"},"invokedBy":"gamelift.amazonaws.com"}'
    )


def test_a_federated_user() -> None:
    issuer = SessionIssuer("IAMUser", "AIDAEXAMPLEUSER000001", DANA, ACCOUNT, "dana")
    arn = f"arn:aws:sts::{ACCOUNT}:federated-user/support-7"
    user = Principal(
        "FederatedUser", ACCOUNT, arn, f"{ACCOUNT}:support-7", "ASIA", session=Session(at(7), issuer=issuer)
    )
    identity = user_identity(user)
    assert list(identity) == ["type", "principalId", "arn", "accountId", "accessKeyId", "sessionContext"]
    assert identity["sessionContext"]["sessionIssuer"]["type"] == "IAMUser"


def test_the_owner_of_a_resource_sees_no_name_and_no_key() -> None:
    assert written(role_session(), cross_account=True) == (
        '{"type":"AWSAccount","principalId":"AROAEXAMPLEROLE000001:deploy-42","accountId":"111122223333"}'
    )


def test_a_service() -> None:
    service = Principal("AWSService", "", "", "", invoked_by="gamelift.amazonaws.com")
    for cross_account in (False, True):
        assert written(service, cross_account=cross_account) == (
            '{"type":"AWSService","invokedBy":"gamelift.amazonaws.com"}'
        )
