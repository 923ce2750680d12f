"""What a fleet's instances run: DescribeRuntimeConfiguration and UpdateRuntimeConfiguration.

Source: API Reference of both; GameLift Developer Guide.
"""

from typing import TYPE_CHECKING, Any

from apitrail.services.context import Context
from apitrail.services.gamelift import processes
from apitrail.services.gamelift.errors import InvalidRequestException
from apitrail.services.gamelift.fleet_rules import check_process_count, with_defaults
from apitrail.services.gamelift.fleets_access import get_plain_fleet, is_anywhere, put_fleet, refuse_ended
from apitrail.services.operation import operation

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import (
        DescribeRuntimeConfigurationInputTypeDef,
        UpdateRuntimeConfigurationInputTypeDef,
    )


@operation
def describe_runtime_configuration(ctx: Context, params: "DescribeRuntimeConfigurationInputTypeDef") -> dict[str, Any]:
    """Return a fleet's runtime configuration with its defaults, an empty one when the fleet has ended.

    Raises: NotFoundException.
    """
    fleet = get_plain_fleet(ctx, params["FleetId"])
    ended = fleet["Status"] == "TERMINATED"
    return {"RuntimeConfiguration": {} if ended else fleet["_RuntimeConfiguration"]}


@operation
def update_runtime_configuration(ctx: Context, params: "UpdateRuntimeConfigurationInputTypeDef") -> dict[str, Any]:
    """Replace a fleet's runtime configuration; processes that run are not stopped, but no longer replaced.

    Raises: LimitExceededException (more than 50 processes per instance; inferred); NotFoundException;
    InvalidFleetStatusException (DELETING, TERMINATED, ERROR); InvalidRequestException (an EC2 fleet must run
    something; inferred).
    """
    runtime = with_defaults(params["RuntimeConfiguration"])
    check_process_count(runtime)
    fleet = get_plain_fleet(ctx, params["FleetId"])
    refuse_ended(fleet, "ERROR")
    if not is_anywhere(fleet) and "ServerProcesses" not in runtime:
        raise InvalidRequestException("RuntimeConfiguration needs at least one entry of ServerProcesses.")
    fleet["_RuntimeConfiguration"] = runtime
    put_fleet(ctx, fleet)
    processes.runtime_changed(ctx, fleet)
    return {"RuntimeConfiguration": runtime}
