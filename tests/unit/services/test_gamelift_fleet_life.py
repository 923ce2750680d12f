"""The life of fleets by the clock: creation, failures, deletion, until they are forgotten."""

import pytest
from fleet_scenes import (
    CREATION_S,
    HOME,
    active_fleet,
    anywhere_fleet,
    counts_of,
    ec2_params,
    event_codes,
    fleet_of,
    new_fleet,
    put_build,
    status_of,
)

from apitrail.services.context import Context
from apitrail.services.gamelift.collections import (
    FLEET_EVENTS,
    FLEET_LOCATIONS,
    HOSTS,
    INSTANCES,
    PROCESSES,
    TAGS,
)
from apitrail.testing import Stage

CREATION = [
    ("NEW", 1),
    ("DOWNLOADING", 2),
    ("VALIDATING", 1),
    ("BUILDING", 2),
    ("ACTIVATING", 1),
    ("ACTIVE", 60),
]


def test_a_fleet_takes_its_creation_steps_by_the_clock(stage: Stage) -> None:
    fleet_id = new_fleet(stage)
    for status, seconds in CREATION:
        assert status_of(stage, fleet_id) == status
        stage.advance(seconds - 0.001)
        assert status_of(stage, fleet_id) == status
        stage.advance(0.001)
    assert event_codes(stage, fleet_id) == [
        "FLEET_CREATED",
        "FLEET_STATE_DOWNLOADING",
        "FLEET_CREATION_EXTRACTING_BUILD",
        "FLEET_STATE_VALIDATING",
        "FLEET_CREATION_VALIDATING_RUNTIME_CONFIG",
        "FLEET_STATE_BUILDING",
        "FLEET_STATE_ACTIVATING",
        "FLEET_STATE_ACTIVE",
    ]


def test_the_home_location_has_the_status_of_the_fleet(stage: Stage) -> None:
    fleet_id = new_fleet(stage)
    for status, seconds in CREATION:
        (home,) = stage.call("DescribeFleetLocationAttributes", FleetId=fleet_id)["LocationAttributes"]
        assert home["LocationState"] == {"Location": HOME, "Status": status, "PlayerGatewayStatus": "DISABLED"}
        stage.advance(seconds)


def test_a_scaled_delay_takes_longer(stage_with_delay: Stage) -> None:
    fleet_id = new_fleet(stage_with_delay)
    stage_with_delay.advance(9)
    assert status_of(stage_with_delay, fleet_id) == "NEW"
    stage_with_delay.advance(61)
    assert status_of(stage_with_delay, fleet_id) == "ACTIVE"


def test_without_delays_a_fleet_is_active_right_after_the_answer(stage_at_once: Stage) -> None:
    params = ec2_params(stage_at_once)
    result = stage_at_once.call("CreateFleet", **params)
    assert result["FleetAttributes"]["Status"] == "NEW"
    stage_at_once.advance(0)
    assert status_of(stage_at_once, result["FleetAttributes"]["FleetId"]) == "ACTIVE"
    stage_at_once.call("CreateLocation", LocationName="custom-desk")
    places = [{"Location": "custom-desk"}]
    result = stage_at_once.call("CreateFleet", Name="desk", ComputeType="ANYWHERE", Locations=places)
    assert result["FleetAttributes"]["Status"] == "ACTIVE"
    assert [state["Status"] for state in result["LocationStates"]] == ["ACTIVE"]


def test_a_fleet_whose_build_is_deleted_while_it_downloads_fails(stage: Stage) -> None:
    build_id = put_build(stage)
    fleet_id = new_fleet(stage, BuildId=build_id, Locations=[{"Location": "us-east-1"}])
    stage.call("DeleteBuild", BuildId=build_id)
    stage.advance(60)
    assert status_of(stage, fleet_id) == "ERROR"
    codes = event_codes(stage, fleet_id)
    assert codes.index("FLEET_BINARY_DOWNLOAD_FAILED") < codes.index("FLEET_STATE_ERROR")
    assert "LOCATION_STATE_ERROR" in codes
    assert counts_of(stage, fleet_id)["ACTIVE"] == 0
    stage.call("DeleteFleet", FleetId=fleet_id)
    stage.advance(3)
    assert status_of(stage, fleet_id) == "TERMINATED"


def test_a_build_may_be_deleted_once_the_fleet_has_it(stage: Stage) -> None:
    build_id = put_build(stage)
    fleet_id = active_fleet(stage, BuildId=build_id)
    stage.call("DeleteBuild", BuildId=build_id)
    stage.advance(60)
    assert status_of(stage, fleet_id) == "ACTIVE"


def test_a_launch_path_outside_the_build_is_not_found(stage: Stage) -> None:
    runtime = {"ServerProcesses": [{"LaunchPath": "/usr/bin/server", "ConcurrentExecutions": 1}]}
    fleet_id = new_fleet(stage, RuntimeConfiguration=runtime)
    stage.advance(CREATION_S)
    assert status_of(stage, fleet_id) == "ERROR"
    events = stage.call("DescribeFleetEvents", FleetId=fleet_id)["Events"]
    (cause,) = [event for event in events if event["EventCode"] == "FLEET_VALIDATION_LAUNCH_PATH_NOT_FOUND"]
    assert cause["Message"] == "Failed to find a valid path: /usr/bin/server"


def test_one_launch_path_that_is_found_is_enough(stage: Stage) -> None:
    paths = ("/usr/bin/server", "C:\\Game\\server.exe")
    runtime = {"ServerProcesses": [{"LaunchPath": path, "ConcurrentExecutions": 1} for path in paths]}
    active_fleet(stage, RuntimeConfiguration=runtime)


@pytest.mark.parametrize("status", [status for status, _ in CREATION if status != "ACTIVE"])
def test_a_fleet_is_not_deleted_while_it_is_created(stage: Stage, status: str) -> None:
    fleet_id = new_fleet(stage)
    names = [name for name, _ in CREATION]
    stage.advance(sum(length for _, length in CREATION[: names.index(status)]))
    error = stage.error("DeleteFleet", FleetId=fleet_id)
    assert error.error_code == "InvalidRequestException"
    assert error.message == f"Cannot delete fleet {fleet_id} that is in status of {status}"


def test_a_deleted_fleet_stops_and_is_forgotten_after_a_minute(stage: Stage) -> None:
    fleet_id = active_fleet(stage, Locations=[{"Location": "us-east-1"}], Tags=[{"Key": "team", "Value": "red"}])
    arn = fleet_of(stage, fleet_id)["FleetArn"]
    assert stage.call("DeleteFleet", FleetId=arn) == {}
    assert status_of(stage, fleet_id) == "DELETING"
    assert stage.call("ListFleets")["FleetIds"] == [fleet_id]
    assert counts_of(stage, fleet_id)["TERMINATING"] == 1
    assert stage.error("TagResource", ResourceARN=arn, Tags=[{"Key": "a", "Value": "b"}]).error_code
    stage.advance(2)
    fleet = fleet_of(stage, fleet_id)
    assert (fleet["Status"], fleet["TerminationTime"]) == ("TERMINATED", stage.clock.now())
    assert stage.call("ListFleets")["FleetIds"] == []
    assert stage.call("DescribeFleetCapacity")["FleetCapacity"] == []
    assert stage.call("DescribeFleetUtilization", FleetIds=[fleet_id])["FleetUtilization"] == []
    assert stage.call("DescribeFleetPortSettings", FleetId=fleet_id)["InboundPermissions"] == []
    assert stage.call("DescribeRuntimeConfiguration", FleetId=fleet_id)["RuntimeConfiguration"] == {}
    assert event_codes(stage, fleet_id)[-3:] == ["LOCATION_STATE_DELETING", "LOCATION_STATE_DELETED", "FLEET_DELETED"]
    assert stage.error("DeleteFleet", FleetId=fleet_id).error_code == "InvalidRequestException"
    stage.advance(60)
    assert stage.call("DescribeFleetAttributes", FleetIds=[fleet_id])["FleetAttributes"] == []
    assert stage.error("DescribeFleetEvents", FleetId=fleet_id).error_code == "NotFoundException"
    assert stage.error("DeleteFleet", FleetId=fleet_id).error_code == "NotFoundException"


def test_nothing_of_a_forgotten_fleet_stays_behind(stage: Stage) -> None:
    fleet_id = active_fleet(stage, Locations=[{"Location": "us-east-1"}], Tags=[{"Key": "team", "Value": "red"}])
    for number in range(250):
        stage.call("UpdateFleetCapacity", FleetId=fleet_id, MaxSize=2 + number % 2)
    stage.call("DeleteFleet", FleetId=fleet_id)
    stage.advance(100)

    def count(ctx: Context) -> list[int]:
        kinds = (FLEET_EVENTS, FLEET_LOCATIONS, INSTANCES, HOSTS, PROCESSES, TAGS)
        return [collection(ctx).count() for collection in kinds]

    assert stage.change(count) == [0, 0, 0, 0, 0, 0]


def test_an_anywhere_fleet_is_deleted_with_its_locations(stage: Stage) -> None:
    fleet_id = anywhere_fleet(stage, "custom-desk", "custom-rack")
    stage.call("DeleteFleet", FleetId=fleet_id)
    assert status_of(stage, fleet_id) == "DELETING"
    stage.advance(2)
    assert status_of(stage, fleet_id) == "TERMINATED"
    assert event_codes(stage, fleet_id)[-1] == "FLEET_DELETED"


def test_an_anywhere_fleet_without_locations_ends_at_once(stage: Stage) -> None:
    fleet_id = anywhere_fleet(stage)
    stage.call("DeleteFleetLocations", FleetId=fleet_id, Locations=["custom-desk"])
    stage.advance(100)
    stage.call("DeleteFleet", FleetId=fleet_id)
    assert status_of(stage, fleet_id) == "TERMINATED"


def test_a_fleet_keeps_its_steps_over_a_long_pause(stage: Stage) -> None:
    fleet_id = new_fleet(stage)
    stage.advance(86_400, step=86_400)
    stage.advance(CREATION_S)
    assert status_of(stage, fleet_id) == "ACTIVE"
    stage.call("DeleteFleet", FleetId=fleet_id)
    stage.advance(86_400, step=86_400)
    stage.advance(60)
    assert stage.call("DescribeFleetAttributes", FleetIds=[fleet_id])["FleetAttributes"] == []
