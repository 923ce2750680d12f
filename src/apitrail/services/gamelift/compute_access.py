"""GetComputeAccess and GetInstanceAccess: remote access to computes, which is not to be had here.

Nothing behind this service listens for a shell, so that after the usual checks the answer is an error that says so.
Source: GameLift API Reference of both.
"""

from typing import TYPE_CHECKING, Any

from apitrail.arn import parse_arn
from apitrail.services.context import Context
from apitrail.services.gamelift.collections import GROUP_COMPUTES, INSTANCES
from apitrail.services.gamelift.errors import InvalidRequestException, NotFoundException
from apitrail.services.gamelift.fleets_access import get_fleet, get_plain_fleet, is_anywhere
from apitrail.services.gamelift.process_facts import host_id_of
from apitrail.services.operation import operation
from apitrail.store.resources import Doc

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import GetComputeAccessInputTypeDef, GetInstanceAccessInputTypeDef

NOT_AVAILABLE = "Remote access is not available in this environment."
WITH_ACCESS = ("ACTIVATING", "ACTIVE", "ERROR")
"""Statuses of fleets whose instances can be accessed."""


@operation
def get_compute_access(ctx: Context, params: "GetComputeAccessInputTypeDef") -> dict[str, Any]:
    """Refuse access to a compute of a managed fleet; no AWS credentials are handed out for it.

    Raises: NotFoundException (fleet, compute); InvalidRequestException (Anywhere fleet; always otherwise).
    """
    fleet = get_fleet(ctx, params["FleetId"])
    _require_managed(fleet)
    arn = parse_arn(params["ComputeName"])
    name = params["ComputeName"] if arn is None else arn.resource.partition("/")[2]
    if not (_is_instance(ctx, fleet, name) or GROUP_COMPUTES(ctx).has(host_id_of(fleet["FleetId"], name))):
        raise NotFoundException(f"Fleet {fleet['FleetId']} has no compute {name}.")
    raise InvalidRequestException(NOT_AVAILABLE)


@operation
def get_instance_access(ctx: Context, params: "GetInstanceAccessInputTypeDef") -> dict[str, Any]:
    """Refuse access to an instance of an EC2 fleet.

    Raises: NotFoundException (fleet, instance); InvalidRequestException (Anywhere fleet; fleet neither ACTIVATING,
    ACTIVE nor ERROR; always otherwise).
    """
    fleet = get_plain_fleet(ctx, params["FleetId"])
    _require_managed(fleet)
    if not _is_instance(ctx, fleet, params["InstanceId"]):
        raise NotFoundException(f"Fleet {fleet['FleetId']} has no instance {params['InstanceId']}.")
    if fleet["Status"] not in WITH_ACCESS:
        raise InvalidRequestException(
            f"Fleet {fleet['FleetId']} is in status {fleet['Status']}; it must be {', '.join(WITH_ACCESS)}."
        )
    raise InvalidRequestException(NOT_AVAILABLE)


def _require_managed(fleet: Doc) -> None:
    if is_anywhere(fleet):
        raise InvalidRequestException(f"Fleet {fleet['FleetId']} is an Anywhere fleet; its computes are your own.")


def _is_instance(ctx: Context, fleet: Doc, name: str) -> bool:
    """Return whether a fleet has an instance of this id, whatever its status."""
    instance = INSTANCES(ctx).get(name)
    return instance is not None and bool(instance["FleetId"] == fleet["FleetId"])
