"""Which action and which resources a call has for policies."""

from typing import Any

import pytest

from apitrail.identity.actions import action_of, further_needs, resource_of
from apitrail.identity.principal import Principal
from apitrail.identity.s3_actions import S3_ACTIONS
from apitrail.wire.models import service_model

REGION, ACCOUNT = "us-west-2", "111122223333"
GAMELIFT, TRAIL = f"arn:aws:gamelift:{REGION}", f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}"


@pytest.mark.parametrize(
    ("service", "operation", "params", "action"),
    [
        ("gamelift", "CreateFleet", {}, "gamelift:CreateFleet"),
        ("cloudtrail", "LookupEvents", {}, "cloudtrail:LookupEvents"),
        ("cloudtrail-data", "PutAuditEvents", {}, "cloudtrail-data:PutAuditEvents"),
        ("sts", "AssumeRole", {}, "sts:AssumeRole"),
        ("sns", "Publish", {}, "sns:Publish"),
        ("s3", "ListBuckets", {}, "s3:ListAllMyBuckets"),
        ("s3", "ListObjectsV2", {}, "s3:ListBucket"),
        ("s3", "HeadObject", {}, "s3:GetObject"),
        ("s3", "HeadObject", {"VersionId": "1"}, "s3:GetObjectVersion"),
        ("s3", "DeleteObject", {"VersionId": "1"}, "s3:DeleteObjectVersion"),
        ("s3", "DeleteObjects", {}, "s3:DeleteObject"),
        ("s3", "UploadPart", {}, "s3:PutObject"),
        ("s3", "GetBucketLifecycleConfiguration", {}, "s3:GetLifecycleConfiguration"),
        ("s3", "GetBucketPolicy", {}, "s3:GetBucketPolicy"),
    ],
)
def test_actions(service: str, operation: str, params: dict[str, Any], action: str) -> None:
    assert action_of(service, operation, params) == action


def test_every_renamed_s3_operation_exists() -> None:
    assert set(S3_ACTIONS) <= set(service_model("s3").operation_names)


@pytest.mark.parametrize(
    ("service", "operation", "params", "resources"),
    [
        ("s3", "ListBuckets", {}, ["*"]),
        ("s3", "ListObjectsV2", {"Bucket": "b", "Prefix": "x"}, ["arn:aws:s3:::b"]),
        ("s3", "PutObject", {"Bucket": "b", "Key": "k/ü"}, ["arn:aws:s3:::b/k/ü"]),
        (
            "s3",
            "DeleteObjects",
            {"Bucket": "b", "Delete": {"Objects": [{"Key": "1"}, {"Key": "2"}]}},
            ["arn:aws:s3:::b/1", "arn:aws:s3:::b/2"],
        ),
        ("gamelift", "CreateFleet", {"Name": "x"}, ["*"]),
        ("gamelift", "DeleteFleet", {"FleetId": "fleet-1"}, [f"{GAMELIFT}:{ACCOUNT}:fleet/fleet-1"]),
        ("gamelift", "DeleteFleet", {"FleetId": f"{GAMELIFT}::fleet/f"}, [f"{GAMELIFT}::fleet/f"]),
        (
            "gamelift",
            "DescribeFleetAttributes",
            {"FleetIds": ["a", "b"]},
            [f"{GAMELIFT}:{ACCOUNT}:fleet/{x}" for x in "ab"],
        ),
        ("gamelift", "DeleteContainerFleet", {"FleetId": "c"}, [f"{GAMELIFT}:{ACCOUNT}:containerfleet/c"]),
        ("gamelift", "ResolveAlias", {"AliasId": "alias-1"}, [f"{GAMELIFT}::alias/alias-1"]),
        ("gamelift", "UpdateGameSessionQueue", {"Name": "q"}, [f"{GAMELIFT}:{ACCOUNT}:gamesessionqueue/q"]),
        ("gamelift", "DescribeGameSessionQueues", {}, ["*"]),
        ("gamelift", "CreateGameSessionQueue", {"Name": "q"}, ["*"]),
        ("gamelift", "TagResource", {"ResourceARN": "arn:x"}, ["arn:x"]),
        ("cloudtrail", "StartLogging", {"Name": "t"}, [f"{TRAIL}:trail/t"]),
        ("cloudtrail", "PutEventSelectors", {"TrailName": f"{TRAIL}:trail/t"}, [f"{TRAIL}:trail/t"]),
        ("cloudtrail", "LookupEvents", {}, ["*"]),
        ("cloudtrail", "GetEventDataStore", {"EventDataStore": "e"}, [f"{TRAIL}:eventdatastore/e"]),
        ("iam", "GetUser", {"UserName": "dana"}, [f"arn:aws:iam::{ACCOUNT}:user/dana"]),
        ("iam", "CreateRole", {"RoleName": "r", "Path": "/ci/"}, [f"arn:aws:iam::{ACCOUNT}:role/ci/r"]),
        ("iam", "AttachRolePolicy", {"RoleName": "r", "PolicyArn": "p"}, [f"arn:aws:iam::{ACCOUNT}:role/r"]),
        ("iam", "AddUserToGroup", {"GroupName": "g", "UserName": "u"}, [f"arn:aws:iam::{ACCOUNT}:group/g"]),
        ("iam", "GetPolicy", {"PolicyArn": "arn:p"}, ["arn:p"]),
        ("iam", "ListUsers", {}, ["*"]),
        ("sts", "AssumeRole", {"RoleArn": "arn:r"}, ["arn:r"]),
        ("sts", "GetFederationToken", {"Name": "x"}, [f"arn:aws:sts::{ACCOUNT}:federated-user/x"]),
        ("sns", "Publish", {"TopicArn": "arn:t"}, ["arn:t"]),
        ("kms", "Decrypt", {}, ["*"]),
    ],
)
def test_resources(service: str, operation: str, params: dict[str, Any], resources: list[str]) -> None:
    assert resource_of(service, operation, params, REGION, ACCOUNT) == resources


def test_a_user_who_names_nobody_means_himself() -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:user/ops/dana"
    dana = Principal("IAMUser", ACCOUNT, arn, "AIDA", user_name="dana")
    assert resource_of("iam", "ListAccessKeys", {}, REGION, ACCOUNT, caller=dana) == [arn]


def test_what_else_must_be_allowed() -> None:
    def needs(service: str, operation: str, params: dict[str, Any]) -> Any:
        return further_needs(service, operation, params, REGION, ACCOUNT)

    assert needs("s3", "CopyObject", {"CopySource": "/b/a%20b"}) == [("s3:GetObject", ["arn:aws:s3:::b/a b"])]
    assert needs("s3", "CopyObject", {"CopySource": "b/k?versionId=1"}) == [
        ("s3:GetObjectVersion", ["arn:aws:s3:::b/k"])
    ]
    assert needs("gamelift", "CreateBuild", {"StorageLocation": {"RoleArn": "arn:r"}}) == [("iam:PassRole", ["arn:r"])]
    assert needs("gamelift", "CreateFleet", {"Name": "x"}) == []
