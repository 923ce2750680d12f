"""Bucket policies that change while trails deliver: what is forbidden waits, the status says so, nothing is lost."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from apitrail.settings import Delivery, Settings
from apitrail.testing import Stage
from apitrail.testing.stage import ACCOUNT, root

OTHER = "444455556666"
BUCKET = "audit"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        yield stage


def statement(effect: str = "Allow", **more: Any) -> dict[str, Any]:
    arn = f"arn:aws:s3:::{BUCKET}"
    service = {"Service": "cloudtrail.amazonaws.com"}
    actions = ["s3:PutObject", "s3:GetBucketAcl"]
    return {"Effect": effect, "Principal": service, "Action": actions, "Resource": [arn, f"{arn}/*"], **more}


def put_policy(stage: Stage, *statements: dict[str, Any], account: str = ACCOUNT) -> None:
    policy = orjson.dumps({"Version": "2012-10-17", "Statement": list(statements)}).decode()
    stage.call_("PutBucketPolicy", {"Bucket": BUCKET, "Policy": policy}, service="s3", principal=root(account))


def make(stage: Stage, account: str = ACCOUNT, **params: Any) -> None:
    location = {"LocationConstraint": stage.region}
    made = {"Bucket": BUCKET, "CreateBucketConfiguration": location}
    stage.call_("CreateBucket", made, principal=root(account))
    if account != ACCOUNT:
        put_policy(stage, statement(), account=account)
    stage.call("CreateTrail", Name="main", S3BucketName=BUCKET, EnableLogFileValidation=True, **params)
    stage.call("StartLogging", Name="main")


def deliver(stage: Stage) -> dict[str, Any]:
    """Pass a digest period, deliver what can be, and return the trail's status."""
    stage.advance(3700, step=3700)
    stage.run(stage.app.deliverer.flush())
    stage.run(stage.app.digester.tick())
    return stage.call("GetTrailStatus", Name="main")


def delivered(stage: Stage, operation: str = "CreateAlias") -> list[str]:
    """Return the names in the delivered records of an operation, in order."""
    files = sorted((stage.data_dir / "buckets" / BUCKET).glob("AWSLogs/*/CloudTrail/**/*.gz"))
    records = [record for file in files for record in orjson.loads(gzip.decompress(file.read_bytes()))["Records"]]
    return sorted(one["requestParameters"]["name"] for one in records if one["eventName"] == operation)


def make_alias(stage: Stage, name: str) -> None:
    stage.call("CreateAlias", Name=name, RoutingStrategy={"Type": "TERMINAL", "Message": "m"})


def test_what_a_changed_policy_forbids_waits_until_it_is_repaired(stage: Stage) -> None:
    make(stage)
    make_alias(stage, "a")
    status = deliver(stage)
    assert (delivered(stage), "LatestDeliveryError" in status) == (["a"], False)
    put_policy(stage, statement(), statement("Deny", Principal="*", Action="s3:PutObject"))
    make_alias(stage, "b")
    status = deliver(stage)
    assert (status["LatestDeliveryError"], status["LatestDigestDeliveryError"]) == ("AccessDenied", "AccessDenied")
    make_alias(stage, "c")
    deliver(stage)
    assert delivered(stage) == ["a"]
    put_policy(stage, statement())
    status = deliver(stage)
    assert delivered(stage) == ["a", "b", "c"]
    assert not {"LatestDeliveryError", "LatestDigestDeliveryError"} & status.keys()


@pytest.mark.parametrize(
    "change",
    [
        {"Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/elsewhere/*"]},
        {"Condition": {"StringEquals": {"aws:SourceArn": "arn:aws:cloudtrail:us-west-2:111122223333:trail/other"}}},
        {"Condition": {"StringEquals": {"aws:SourceAccount": OTHER}}},
        {"Principal": {"AWS": ACCOUNT}},
    ],
)
def test_a_policy_must_name_service_folder_and_trail(stage: Stage, change: dict[str, Any]) -> None:
    make(stage)
    put_policy(stage, statement(**change))
    assert deliver(stage)["LatestDeliveryError"] == "AccessDenied"


def test_a_policy_like_that_of_the_guide_lets_everything_in(stage: Stage) -> None:
    make(stage)
    arn = f"arn:aws:cloudtrail:{stage.region}:{ACCOUNT}:trail/main"
    wanted = {"s3:x-amz-acl": "bucket-owner-full-control", "aws:SourceArn": arn}
    put_policy(stage, statement(Condition={"StringEquals": wanted}))
    make_alias(stage, "a")
    assert not {"LatestDeliveryError", "LatestDigestDeliveryError"} & deliver(stage).keys()
    assert delivered(stage) == ["a"]


def test_a_bucket_of_another_account_without_its_policy_takes_nothing_more(stage: Stage) -> None:
    make(stage, OTHER)
    assert "LatestDeliveryError" not in deliver(stage)
    stage.call_("DeleteBucketPolicy", {"Bucket": BUCKET}, principal=root(OTHER))
    make_alias(stage, "a")
    assert deliver(stage)["LatestDeliveryError"] == "AccessDenied"
    put_policy(stage, statement(), account=OTHER)
    deliver(stage)
    assert delivered(stage) == ["a"]


def test_an_own_bucket_needs_a_policy_where_the_settings_say_so(tmp_path: Path) -> None:
    with Stage(tmp_path) as stage:
        make(stage)
    with Stage(tmp_path, Settings(delivery=Delivery(require_bucket_policy=True)), seed=2) as stage:
        assert deliver(stage)["LatestDeliveryError"] == "AccessDenied"
        put_policy(stage, statement())
        assert "LatestDeliveryError" not in deliver(stage)
