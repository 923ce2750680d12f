"""Custom locations and the list of all."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apitrail.services.gamelift.arns import aws_locations
from apitrail.testing import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        yield stage


def names(answer: dict[str, Any]) -> list[str]:
    return [location["LocationName"] for location in answer["Locations"]]


def test_a_custom_location_has_an_arn_and_no_beacon(stage: Stage) -> None:
    location = stage.call("CreateLocation", LocationName="custom-desk")["Location"]
    arn = "arn:aws:gamelift:us-west-2:111122223333:location/custom-desk"
    assert location == {"LocationName": "custom-desk", "LocationArn": arn}
    assert stage.call("ListLocations", Filters=["CUSTOM"])["Locations"] == [location]


def test_a_location_of_aws_has_a_beacon_and_no_arn(stage: Stage) -> None:
    listed = stage.call("ListLocations", Filters=["AWS"])["Locations"]
    assert [location["LocationName"] for location in listed] == list(aws_locations("us-west-2"))
    assert all(set(location) == {"LocationName", "PingBeacon"} for location in listed)
    beacon = listed[-1]["PingBeacon"]["UDPEndpoint"]
    assert beacon == {"Domain": f"gamelift-ping.{listed[-1]['LocationName']}.api.aws", "Port": 7770}


def test_a_name_can_be_taken_once(stage: Stage) -> None:
    stage.call("CreateLocation", LocationName="custom-desk")
    assert stage.error("CreateLocation", LocationName="custom-desk").error_code == "ConflictException"


@pytest.mark.parametrize("name", ["desk", "custom-", "custom-a_b", "custom-" + "x" * 58])
def test_a_name_must_have_the_form_of_custom_locations(stage: Stage, name: str) -> None:
    assert stage.error("CreateLocation", LocationName=name).error_code == "InvalidRequestException"


@pytest.mark.parametrize("text", ["custom-desk", "arn:aws:gamelift:us-west-2:111122223333:location/custom-desk"])
def test_a_location_can_be_deleted_by_name_or_arn_and_made_again(stage: Stage, text: str) -> None:
    stage.call("CreateLocation", LocationName="custom-desk", Tags=[{"Key": "a", "Value": "1"}])
    assert stage.call("DeleteLocation", LocationName=text) == {}
    again = stage.call("CreateLocation", LocationName="custom-desk")["Location"]
    assert stage.call("ListTagsForResource", ResourceARN=again["LocationArn"])["Tags"] == []


def test_an_unknown_location_is_not_found(stage: Stage) -> None:
    assert stage.error("DeleteLocation", LocationName="custom-none").error_code == "NotFoundException"


def test_a_location_that_a_fleet_uses_stays(stage: Stage) -> None:
    stage.call("CreateLocation", LocationName="custom-desk")
    locations = [{"Location": "custom-desk"}]
    made = stage.call("CreateFleet", Name="f", ComputeType="ANYWHERE", Locations=locations)
    fleet_id = made["FleetAttributes"]["FleetId"]
    error = stage.error("DeleteLocation", LocationName="custom-desk")
    assert error.error_code == "InvalidRequestException"
    assert fleet_id in error.message
    stage.advance(60, step=20)
    stage.call("DeleteFleet", FleetId=fleet_id)
    stage.advance(3600, step=300)
    assert stage.call("DeleteLocation", LocationName="custom-desk") == {}


@pytest.mark.parametrize("limit", [1, 7, 38, 39, 200])
def test_all_locations_are_listed_whatever_the_size_of_the_page(stage: Stage, limit: int) -> None:
    custom = [f"custom-{number}x" for number in range(5)]
    for name in custom:
        stage.call("CreateLocation", LocationName=name)
    seen: list[str] = []
    tokens: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = stage.call("ListLocations", Limit=limit, **token)
        assert len(page["Locations"]) <= limit
        seen += names(page)
        if not page.get("NextToken"):
            break
        tokens.append(page["NextToken"])
        token = {"NextToken": tokens[-1]}
    assert seen == [*aws_locations("us-west-2"), *custom]
    assert len(set(tokens)) == len(tokens)


def test_a_token_belongs_to_its_filter(stage: Stage) -> None:
    token = stage.call("ListLocations", Limit=1, Filters=["AWS"])["NextToken"]
    error = stage.error("ListLocations", Limit=1, Filters=["AWS", "CUSTOM"], NextToken=token)
    assert error.error_code == "InvalidRequestException"
