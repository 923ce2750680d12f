"""Tags of resources, at creation and later."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apitrail.testing import Stage

TERMINAL = {"Type": "TERMINAL", "Message": "m"}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        yield stage


def pairs(**tags: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def numbered(first: int, last: int) -> list[dict[str, str]]:
    return [{"Key": f"k{number}", "Value": ""} for number in range(first, last)]


@pytest.fixture
def arn(stage: Stage) -> str:
    alias = stage.call("CreateAlias", Name="a", RoutingStrategy=TERMINAL, Tags=pairs(team="red", cost="7"))["Alias"]
    return str(alias["AliasArn"])


def tags(stage: Stage, arn: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = stage.call("ListTagsForResource", ResourceARN=arn)["Tags"]
    return found


def test_tags_given_at_creation_are_listed_by_key(stage: Stage, arn: str) -> None:
    assert tags(stage, arn) == pairs(cost="7", team="red")


def test_tags_are_added_and_overwritten(stage: Stage, arn: str) -> None:
    assert stage.call("TagResource", ResourceARN=arn, Tags=pairs(team="blue", stage="beta")) == {}
    assert tags(stage, arn) == pairs(cost="7", stage="beta", team="blue")


def test_tags_are_removed_and_absent_keys_do_not_matter(stage: Stage, arn: str) -> None:
    assert stage.call("UntagResource", ResourceARN=arn, TagKeys=["cost", "nothing"]) == {}
    assert tags(stage, arn) == pairs(team="red")
    stage.call("UntagResource", ResourceARN=arn, TagKeys=["team"])
    assert tags(stage, arn) == []


def test_both_forms_of_the_arn_mean_the_same_resource(stage: Stage, arn: str) -> None:
    with_account = arn.replace("us-west-2::", "us-west-2:111122223333:")
    stage.call("TagResource", ResourceARN=with_account, Tags=pairs(more="x"))
    assert tags(stage, arn) == pairs(cost="7", more="x", team="red")


@pytest.mark.parametrize(
    "wrong",
    [
        [{"Key": "aws:mine", "Value": "x"}],
        [{"Key": "AWS:mine", "Value": "x"}],
        [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}],
        numbered(0, 51),
    ],
)
def test_tags_that_are_not_allowed_fail_at_creation_and_later(stage: Stage, arn: str, wrong: Any) -> None:
    created = stage.error("CreateAlias", Name="b", RoutingStrategy=TERMINAL, Tags=wrong)
    assert created.error_code == "TaggingFailedException"
    assert len(stage.call("ListAliases")["Aliases"]) == 1
    assert stage.error("TagResource", ResourceARN=arn, Tags=wrong).error_code == "TaggingFailedException"
    assert tags(stage, arn) == pairs(cost="7", team="red")


def test_a_resource_has_50_tags_at_most(stage: Stage, arn: str) -> None:
    stage.call("TagResource", ResourceARN=arn, Tags=numbered(0, 48))
    assert len(tags(stage, arn)) == 50
    stage.call("TagResource", ResourceARN=arn, Tags=numbered(0, 48))
    assert stage.error("TagResource", ResourceARN=arn, Tags=numbered(48, 49)).error_code == "TaggingFailedException"


@pytest.mark.parametrize("operation", ["ListTagsForResource", "TagResource", "UntagResource"])
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("alias-1", "InvalidRequestException"),
        ("arn:aws:gamelift:us-west-2::gamesession/fleet-1/s", "InvalidRequestException"),
        ("arn:aws:gamelift:us-west-2::alias/alias-unknown", "NotFoundException"),
        ("arn:aws:gamelift:eu-west-1::alias/alias-1", "NotFoundException"),
        ("arn:aws:gamelift:us-west-2:999999999999:build/build-1", "NotFoundException"),
        ("arn:aws:s3:::bucket", "NotFoundException"),
    ],
)
def test_what_is_no_taggable_resource_is_refused(stage: Stage, operation: str, text: str, code: str) -> None:
    more: dict[str, Any] = {"TagResource": {"Tags": []}, "UntagResource": {"TagKeys": []}}.get(operation, {})
    assert stage.error(operation, ResourceARN=text, **more).error_code == code


def test_a_fleet_that_is_going_cannot_be_tagged(stage: Stage) -> None:
    stage.call("CreateLocation", LocationName="custom-desk")
    locations = [{"Location": "custom-desk"}]
    made = stage.call("CreateFleet", Name="f", ComputeType="ANYWHERE", Locations=locations)["FleetAttributes"]
    stage.advance(60, step=20)
    stage.call("TagResource", ResourceARN=made["FleetArn"], Tags=pairs(a="1"))
    stage.call("DeleteFleet", FleetId=made["FleetId"])
    error = stage.error("TagResource", ResourceARN=made["FleetArn"], Tags=pairs(a="2"))
    assert error.error_code == "InvalidRequestException"
    assert error.message == f"Resource {made['FleetId']} is not in a taggable state"


@pytest.mark.parametrize(
    ("operation", "params", "member"),
    [
        ("CreateBuild", {"OperatingSystem": "AMAZON_LINUX_2023"}, ("Build", "BuildArn")),
        ("CreateLocation", {"LocationName": "custom-desk"}, ("Location", "LocationArn")),
        ("CreateAlias", {"Name": "x", "RoutingStrategy": TERMINAL}, ("Alias", "AliasArn")),
    ],
)
def test_every_kind_can_be_tagged(stage: Stage, operation: str, params: Any, member: tuple[str, str]) -> None:
    made = stage.call(operation, **params, Tags=pairs(a="1"))[member[0]]
    assert tags(stage, made[member[1]]) == pairs(a="1")


def test_the_record_names_the_tagged_resource(stage: Stage, arn: str) -> None:
    stage.call("TagResource", ResourceARN=arn, Tags=pairs(a="1"))
    event = list(stage.events())[-1]
    assert event["responseElements"] is None
    assert event["requestParameters"] == {"resourceARN": arn, "tags": [{"key": "a", "value": "1"}]}
    assert event["resources"] == [{"accountId": "111122223333", "type": "AWS::GameLift::Alias", "ARN": arn}]
