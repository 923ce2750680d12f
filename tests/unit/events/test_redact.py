"""What is hidden by default, and the decision for every sensitive shape of the GameLift model."""

import pytest

from apitrail.events.casing import caser
from apitrail.events.redact import HIDDEN, is_sensitive
from apitrail.events.rules import RecordRules
from apitrail.wire.models import service_model

SENSITIVE_GAMELIFT_SHAPES = {
    "AwsCredentials": "secret",
    "InstanceCredentials": "secret",
    "GetGameSessionLogUrlOutput": "secret",
    "Event": "clear, its presigned URL is secret",
    "CustomEventData": "game data",
    "QueueCustomEventData": "game data",
    "GamePropertyValue": "game data",
    "GameServerData": "game data",
    "GameSessionData": "game data",
    "LargeGameSessionData": "game data",
    "MatchmakerData": "game data",
    "PlayerData": "game data",
    "PlayerId": "clear",
    "PlayerIdList": "clear",
    "PlayerIdsForAcceptMatch": "clear",
    "IpAddress": "clear",
    "IpRange": "clear",
    "PortNumber": "clear",
}
"""What was decided for each; a shape that a newer model adds must be decided here and in the service's rules."""


def test_every_sensitive_shape_of_gamelift_has_been_decided():
    model = service_model("gamelift")
    marked = {name for name in model.shape_names if is_sensitive(model.shape_for(name))}
    assert marked == set(SENSITIVE_GAMELIFT_SHAPES)


@pytest.mark.parametrize(
    ("service", "operation", "side", "value", "written"),
    [
        (
            "sts",
            "AssumeRole",
            "output",
            {"Credentials": {"AccessKeyId": "ASIA1", "SecretAccessKey": "planted", "SessionToken": "planted"}},
            {"credentials": {"accessKeyId": "ASIA1", "sessionToken": HIDDEN}},
        ),
        ("sts", "AssumeRoleWithWebIdentity", "input", {"WebIdentityToken": "planted"}, None),
        ("sts", "AssumeRoleWithSAML", "input", {"SAMLAssertion": "planted", "RoleArn": "r"}, {"roleArn": "r"}),
        ("iam", "CreateLoginProfile", "input", {"UserName": "u", "Password": "planted"}, {"userName": "u"}),
        ("iam", "ChangePassword", "input", {"OldPassword": "planted", "NewPassword": "planted"}, None),
        ("iam", "UploadServerCertificate", "input", {"PrivateKey": "planted", "Path": "/"}, {"path": "/"}),
        (
            "iam",
            "CreateServiceSpecificCredential",
            "output",
            {"ServiceSpecificCredential": {"ServicePassword": "planted", "Status": "Active"}},
            {"serviceSpecificCredential": {"servicePassword": HIDDEN, "status": "Active"}},
        ),
        ("s3", "PutObject", "input", {"Key": "k", "SSECustomerKey": "planted"}, {"key": "k", "sSECustomerKey": HIDDEN}),
        (
            "gamelift",
            "CreateBuild",
            "output",
            {"UploadCredentials": {"AccessKeyId": "planted", "SecretAccessKey": "planted"}},
            {"uploadCredentials": HIDDEN},
        ),
    ],
)
def test_secrets_are_hidden_without_any_rules_of_the_service(service, operation, side, value, written):
    case = caser(service_model(service).operation_model(operation), side, RecordRules("x.amazonaws.com"), True)
    assert case(value) == written


def test_no_table_can_show_a_base_secret():
    rules = RecordRules("sts.amazonaws.com", clear=frozenset({"SessionToken", "SecretAccessKey", "Credentials"}))
    case = caser(service_model("sts").operation_model("GetSessionToken"), "output", rules, True)
    assert case({"Credentials": {"SecretAccessKey": "planted", "SessionToken": "planted"}}) == {
        "credentials": {"sessionToken": HIDDEN}
    }
