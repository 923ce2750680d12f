"""Locations of fleets: adding, describing, removing."""

from typing import Any

import pytest
from fleet_scenes import (
    HOME,
    active_fleet,
    anywhere_fleet,
    counts_of,
    event_codes,
    fleet_of,
    new_fleet,
    pages,
    put_build,
)

from apitrail.testing import Stage


def places(*names: str) -> list[dict[str, str]]:
    return [{"Location": name} for name in names]


def statuses(stage: Stage, fleet_id: str, **params: Any) -> dict[str, str]:
    """Return the locations of a fleet with their statuses, in the order of the answer."""
    found = stage.call("DescribeFleetLocationAttributes", FleetId=fleet_id, **params)["LocationAttributes"]
    return {item["LocationState"]["Location"]: item["LocationState"]["Status"] for item in found}


def test_an_added_location_goes_through_its_own_creation(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    answer = stage.call("CreateFleetLocations", FleetId=fleet_id, Locations=places("us-east-1"))
    assert answer == {
        "FleetId": fleet_id,
        "FleetArn": fleet_of(stage, fleet_id)["FleetArn"],
        "LocationStates": [{"Location": "us-east-1", "Status": "NEW", "PlayerGatewayStatus": "DISABLED"}],
    }
    seen = []
    for _ in range(8):
        seen.append(statuses(stage, fleet_id)["us-east-1"])
        stage.advance(1)
    assert list(dict.fromkeys(seen)) == ["NEW", "DOWNLOADING", "VALIDATING", "BUILDING", "ACTIVATING", "ACTIVE"]
    assert event_codes(stage, fleet_id)[-4:] == [
        "LOCATION_STATE_PENDING",
        "LOCATION_STATE_CREATING",
        "LOCATION_STATE_ACTIVATING",
        "LOCATION_STATE_ACTIVE",
    ]
    assert counts_of(stage, fleet_id, "us-east-1")["ACTIVE"] == 1


@pytest.mark.parametrize(
    ("names", "code"),
    [
        ([HOME], "ConflictException"),
        (["us-east-1"], "ConflictException"),
        (["mars-1"], "InvalidRequestException"),
        (["custom-desk"], "InvalidRequestException"),
        (["eu-west-1", "eu-west-1"], "InvalidRequestException"),
    ],
)
def test_a_location_that_a_fleet_cannot_be_given_is_refused(stage: Stage, names: list[str], code: str) -> None:
    fleet_id = active_fleet(stage, Locations=places("us-east-1"))
    before = statuses(stage, fleet_id)
    assert stage.error("CreateFleetLocations", FleetId=fleet_id, Locations=places(*names)).error_code == code
    assert statuses(stage, fleet_id) == before


def test_only_an_active_fleet_is_given_locations(stage: Stage) -> None:
    error = stage.error("CreateFleetLocations", FleetId=new_fleet(stage), Locations=places("us-east-1"))
    assert error.error_code == "InvalidFleetStatusException"


def test_a_fleet_whose_build_is_gone_is_given_no_locations(stage: Stage) -> None:
    build_id = put_build(stage)
    fleet_id = active_fleet(stage, BuildId=build_id)
    stage.call("DeleteBuild", BuildId=build_id)
    error = stage.error("CreateFleetLocations", FleetId=fleet_id, Locations=places("us-east-1"))
    assert error.error_code == "NotReadyException"


def test_a_full_location_is_refused(stage: Stage) -> None:
    first = active_fleet(stage, Locations=places("us-east-1"))
    stage.call("UpdateFleetCapacity", FleetId=first, Location="us-east-1", DesiredInstances=20, MaxSize=20)
    second = active_fleet(stage)
    error = stage.error("CreateFleetLocations", FleetId=second, Locations=places("us-east-1"))
    assert error.error_code == "LimitExceededException"


def test_an_anywhere_fleet_is_given_custom_locations(stage: Stage) -> None:
    fleet_id = anywhere_fleet(stage)
    stage.call("CreateLocation", LocationName="custom-rack")
    states = stage.call("CreateFleetLocations", FleetId=fleet_id, Locations=places("custom-rack"))["LocationStates"]
    assert [state["Status"] for state in states] == ["ACTIVE"]
    unknown = stage.error("CreateFleetLocations", FleetId=fleet_id, Locations=places("custom-attic"))
    assert unknown.error_code == "NotFoundException"
    region = stage.error("CreateFleetLocations", FleetId=fleet_id, Locations=places("us-east-1"))
    assert region.error_code == "InvalidRequestException"


def test_locations_come_in_the_order_asked_and_others_are_left_out(stage: Stage) -> None:
    fleet_id = active_fleet(stage, Locations=places("us-east-1", "eu-west-1"))
    asked = ["eu-west-1", "sa-east-1", HOME]
    assert list(statuses(stage, fleet_id, Locations=asked)) == ["eu-west-1", HOME]
    assert list(statuses(stage, fleet_id)) == [HOME, "us-east-1", "eu-west-1"]


def test_many_locations_are_listed_in_pages_whatever_the_limit(stage: Stage) -> None:
    names = [f"custom-desk-{number}" for number in range(130)]
    fleet_id = anywhere_fleet(stage, *names[:100])
    for name in names[100:]:
        stage.call("CreateLocation", LocationName=name)
    stage.call("CreateFleetLocations", FleetId=fleet_id, Locations=places(*names[100:]))
    found = pages(stage, "DescribeFleetLocationAttributes", "LocationAttributes", FleetId=fleet_id, Limit=3)
    assert [len(page) for page in found] == [100, 30]
    assert [item["LocationState"]["Location"] for page in found for item in page] == names


def test_a_removed_location_stops_and_can_be_added_again(stage: Stage) -> None:
    fleet_id = active_fleet(stage, Locations=places("us-east-1"))
    removal = {"FleetId": fleet_id, "Locations": ["us-east-1"]}
    for _ in range(2):
        states = stage.call("DeleteFleetLocations", **removal)["LocationStates"]
        assert [state["Status"] for state in states] == ["DELETING"]
    assert counts_of(stage, fleet_id, "us-east-1")["TERMINATING"] == 1
    stage.advance(2)
    assert statuses(stage, fleet_id) == {HOME: "ACTIVE"}
    assert stage.error("DeleteFleetLocations", **removal).error_code == "NotFoundException"
    assert event_codes(stage, fleet_id)[-2:] == ["LOCATION_STATE_DELETING", "LOCATION_STATE_DELETED"]
    stage.call("CreateFleetLocations", FleetId=fleet_id, Locations=places("us-east-1"))
    stage.advance(120)
    assert statuses(stage, fleet_id) == {HOME: "ACTIVE", "us-east-1": "ACTIVE"}
    assert counts_of(stage, fleet_id, "us-east-1")["ACTIVE"] == 1


def test_a_location_may_be_removed_while_it_is_created(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    for seconds in range(8):
        stage.call("CreateFleetLocations", FleetId=fleet_id, Locations=places("us-east-1"))
        stage.advance(seconds)
        stage.call("DeleteFleetLocations", FleetId=fleet_id, Locations=["us-east-1"])
        stage.advance(2)
        assert statuses(stage, fleet_id) == {HOME: "ACTIVE"}


def test_the_home_location_and_unknown_ones_cannot_be_removed(stage: Stage) -> None:
    fleet_id = active_fleet(stage, Locations=places("us-east-1"))
    home = stage.error("DeleteFleetLocations", FleetId=fleet_id, Locations=["us-east-1", HOME])
    assert home.error_code == "InvalidRequestException"
    unknown = stage.error("DeleteFleetLocations", FleetId=fleet_id, Locations=["us-east-1", "eu-west-1"])
    assert unknown.error_code == "NotFoundException"
    assert statuses(stage, fleet_id)["us-east-1"] == "ACTIVE"


@pytest.mark.parametrize("operation", ["DescribeFleetLocationCapacity", "DescribeFleetLocationUtilization"])
def test_a_location_that_the_fleet_does_not_have_is_not_found(stage: Stage, operation: str) -> None:
    fleet_id = active_fleet(stage)
    assert stage.call(operation, FleetId=fleet_id, Location=HOME)
    assert stage.error(operation, FleetId=fleet_id, Location="us-east-1").error_code == "NotFoundException"
