"""Remote access: refused after the usual checks."""

import pytest
from fleet_scenes import active_fleet, anywhere_fleet, new_fleet

from apitrail.services.gamelift.compute_access import NOT_AVAILABLE
from apitrail.testing import Stage

CALLS = [("GetComputeAccess", "ComputeName"), ("GetInstanceAccess", "InstanceId")]


@pytest.mark.parametrize(("operation", "member"), CALLS)
def test_there_is_no_remote_access(stage: Stage, operation: str, member: str) -> None:
    fleet_id = active_fleet(stage)
    instance_id = stage.call("DescribeInstances", FleetId=fleet_id)["Instances"][0]["InstanceId"]
    error = stage.error(operation, FleetId=fleet_id, **{member: instance_id})
    assert (error.error_code, error.message) == ("InvalidRequestException", NOT_AVAILABLE)


@pytest.mark.parametrize(("operation", "member"), CALLS)
def test_fleet_and_compute_must_be_there(stage: Stage, operation: str, member: str) -> None:
    first, second = active_fleet(stage), active_fleet(stage)
    instance_id = stage.call("DescribeInstances", FleetId=first)["Instances"][0]["InstanceId"]
    for fleet_id, name in (("fleet-none", instance_id), (first, "i-none"), (second, instance_id)):
        assert stage.error(operation, FleetId=fleet_id, **{member: name}).error_code == "NotFoundException"
    error = stage.error(operation, FleetId=anywhere_fleet(stage), **{member: instance_id})
    assert (error.error_code, "Anywhere" in error.message) == ("InvalidRequestException", True)


def test_a_compute_may_be_named_by_its_arn(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    instance_id = stage.call("DescribeInstances", FleetId=fleet_id)["Instances"][0]["InstanceId"]
    arn = f"arn:aws:gamelift:us-west-2:111122223333:compute/{instance_id}"
    assert stage.error("GetComputeAccess", FleetId=fleet_id, ComputeName=arn).message == NOT_AVAILABLE


def test_instances_of_a_fleet_that_is_going_cannot_be_accessed(stage: Stage) -> None:
    fleet_id = new_fleet(stage)
    stage.advance(7)
    instance_id = stage.call("DescribeInstances", FleetId=fleet_id)["Instances"][0]["InstanceId"]
    stage.call("DeleteFleet", FleetId=fleet_id)
    error = stage.error("GetInstanceAccess", FleetId=fleet_id, InstanceId=instance_id)
    assert (error.error_code, "DELETING" in error.message) == ("InvalidRequestException", True)
