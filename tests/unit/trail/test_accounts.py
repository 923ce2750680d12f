"""What one account's call is to another: copies of records, and which trail gets which."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from apitrail.errors import ServiceError
from apitrail.identity.principal import Principal
from apitrail.store import journal
from apitrail.testing import Stage
from apitrail.testing.stage import ACCOUNT, REGION, root

OTHER = "444455556666"
ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
DANA = Principal(
    "IAMUser",
    ACCOUNT,
    f"arn:aws:iam::{ACCOUNT}:user/dana",
    "AIDAEXAMPLEUSER000001",
    "AKIAEXAMPLEUSER00001",
    "dana",
    policies=(ALLOW,),
)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        yield stage


def trust(account: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": account}, "Action": "sts:AssumeRole"}
    return orjson.dumps({"Version": "2012-10-17", "Statement": [statement]}).decode()


def make_role(stage: Stage, account: str, trusted: str) -> str:
    made = stage.call_(
        "CreateRole", {"RoleName": "Guest", "AssumeRolePolicyDocument": trust(trusted)}, principal=root(account)
    )
    return str(made["Role"]["Arn"])


def refused(stage: Stage, operation: str, params: dict[str, Any], principal: Principal) -> str:
    """Return the error code that a call ends in."""
    with pytest.raises(ServiceError) as error:
        stage.call_(operation, params, principal=principal)
    return error.value.error_code


def named(stage: Stage, name: str) -> list[dict[str, Any]]:
    """Return the records of an operation."""
    return [event for event in stage.events() if event["eventName"] == name]


def recipients(stage: Stage, name: str) -> list[str]:
    return [event["recipientAccountId"] for event in named(stage, name)]


def test_a_role_of_another_account_is_recorded_in_both(stage: Stage) -> None:
    arn = make_role(stage, OTHER, ACCOUNT)
    stage.call_("AssumeRole", {"RoleArn": arn, "RoleSessionName": "visit"}, principal=DANA)
    mine, theirs = named(stage, "AssumeRole")
    assert (mine["recipientAccountId"], theirs["recipientAccountId"]) == (ACCOUNT, OTHER)
    assert mine["sharedEventID"] == theirs["sharedEventID"]
    assert len({mine["sharedEventID"], mine["eventID"], theirs["eventID"]}) == 3
    assert mine["userIdentity"]["arn"] == DANA.arn
    assert theirs["userIdentity"] == {
        "type": "AWSAccount",
        "principalId": DANA.principal_id,
        "accountId": ACCOUNT,
    }
    own = ("userIdentity", "eventID", "recipientAccountId")
    assert {k: v for k, v in mine.items() if k not in own} == {k: v for k, v in theirs.items() if k not in own}


def test_the_copies_are_rows_of_their_own_accounts(stage: Stage) -> None:
    arn = make_role(stage, OTHER, ACCOUNT)
    stage.call_("AssumeRole", {"RoleArn": arn, "RoleSessionName": "visit"}, principal=DANA)
    rows = stage.run(stage.app.database.read(lambda tx: journal.read_after(tx, 0, 10)))[-2:]
    assert [row.account for row in rows] == [ACCOUNT, OTHER]
    assert [orjson.loads(row.event)["recipientAccountId"] for row in rows] == [ACCOUNT, OTHER]


def test_a_role_of_ones_own_account_is_recorded_once(stage: Stage) -> None:
    arn = make_role(stage, ACCOUNT, ACCOUNT)
    stage.call_("AssumeRole", {"RoleArn": arn, "RoleSessionName": "visit"}, principal=DANA)
    (event,) = named(stage, "AssumeRole")
    assert "sharedEventID" not in event


@pytest.mark.parametrize("how", ["not trusted", "too long"])
def test_a_refused_role_is_recorded_with_the_caller_alone(stage: Stage, how: str) -> None:
    arn = make_role(stage, OTHER, OTHER if how == "not trusted" else ACCOUNT)
    seconds = {"DurationSeconds": 43_200} if how == "too long" else {}
    code = refused(stage, "AssumeRole", {"RoleArn": arn, "RoleSessionName": "visit", **seconds}, DANA)
    assert code == ("AccessDenied" if how == "not trusted" else "ValidationError")
    (event,) = named(stage, "AssumeRole")
    assert event["recipientAccountId"] == ACCOUNT
    assert "sharedEventID" not in event


def make_bucket(stage: Stage, name: str, account: str) -> None:
    where = {"Bucket": name, "CreateBucketConfiguration": {"LocationConstraint": REGION}}
    stage.call_("CreateBucket", where, service="s3", principal=root(account))


def test_a_denied_access_to_another_accounts_bucket_is_recorded_in_both(stage: Stage) -> None:
    make_bucket(stage, "theirs", OTHER)
    assert refused(stage, "GetObject", {"Bucket": "theirs", "Key": "k"}, DANA) == "AccessDenied"
    mine, theirs = named(stage, "GetObject")
    assert (mine["recipientAccountId"], theirs["recipientAccountId"]) == (ACCOUNT, OTHER)
    assert mine["sharedEventID"] == theirs["sharedEventID"]
    assert theirs["userIdentity"]["type"] == "AWSAccount"
    (bucket,) = [item for item in theirs["resources"] if item["type"] == "AWS::S3::Bucket"]
    assert bucket["accountId"] == OTHER


def test_an_access_to_ones_own_bucket_is_recorded_once(stage: Stage) -> None:
    make_bucket(stage, "ours", ACCOUNT)
    stage.call_("ListObjectsV2", {"Bucket": "ours"}, service="s3")
    assert recipients(stage, "ListObjectsV2") == [ACCOUNT]
    assert refused(stage, "GetObject", {"Bucket": "ours", "Key": "k"}, root()) == "NoSuchKey"
    assert recipients(stage, "GetObject") == [ACCOUNT]


def test_a_management_call_that_is_denied_is_not_told_to_the_owner(stage: Stage) -> None:
    make_bucket(stage, "theirs", OTHER)
    assert refused(stage, "GetBucketPolicy", {"Bucket": "theirs"}, DANA) == "AccessDenied"
    assert recipients(stage, "GetBucketPolicy") == [ACCOUNT]


def test_a_bucket_that_does_not_exist_has_no_owner_to_tell(stage: Stage) -> None:
    assert refused(stage, "GetObject", {"Bucket": "nowhere", "Key": "k"}, DANA) == "NoSuchBucket"
    assert recipients(stage, "GetObject") == [ACCOUNT]


def test_each_accounts_history_has_its_own_copy(stage: Stage) -> None:
    arn = make_role(stage, OTHER, ACCOUNT)
    caller = replace(DANA, policies=(ALLOW,))
    stage.call_("AssumeRole", {"RoleArn": arn, "RoleSessionName": "visit"}, principal=caller)
    found = {}
    for account in (ACCOUNT, OTHER):
        attributes = [{"AttributeKey": "EventName", "AttributeValue": "AssumeRole"}]
        page = stage.call_("LookupEvents", {"LookupAttributes": attributes}, principal=root(account))
        (found[account],) = page["Events"]
    assert found[ACCOUNT]["EventId"] != found[OTHER]["EventId"]
