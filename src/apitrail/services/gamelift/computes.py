"""Computes: the user's own machines in Anywhere fleets, and instances seen as computes.

A registered compute is also a host of the pool, on which server processes connect through the server SDK.
Source: GameLift API Reference, RegisterCompute, DescribeCompute, ListCompute, DeregisterCompute; GameLift Developer Guide.
"""

import ipaddress
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from apitrail.services.context import Context
from apitrail.services.gamelift import pool, process_messages, processes
from apitrail.services.gamelift.agents import dismiss
from apitrail.services.gamelift.arns import arn_of
from apitrail.services.gamelift.collections import COMPUTES, PROCESSES
from apitrail.services.gamelift.compute_tokens import void_tokens
from apitrail.services.gamelift.computes_access import computes_of, described, get_compute
from apitrail.services.gamelift.errors import (
    ConflictException,
    InvalidRequestException,
    LimitExceededException,
    NotReadyException,
)
from apitrail.services.gamelift.fleets_access import find_fleet, find_location, get_fleet, is_anywhere
from apitrail.services.gamelift.pages import page_of
from apitrail.services.gamelift.process_facts import host_id_of
from apitrail.services.operation import operation, timer
from apitrail.store.resources import Doc

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import (
        DeregisterComputeInputTypeDef,
        DescribeComputeInputTypeDef,
        ListComputeInputTypeDef,
        RegisterComputeInputTypeDef,
    )

END_COMPUTE = "gamelift/end-compute"
GIVEN = ("IpAddress", "DnsName")
"""Members of a compute that its registration says."""


@operation
def register_compute(ctx: Context, params: "RegisterComputeInputTypeDef") -> dict[str, Any]:
    """Add a machine of the user's to an Anywhere fleet and return it, ACTIVE; nothing is checked on the machine.

    Raises: InvalidRequestException (no Location, no address; unknown or not an ACTIVE Anywhere fleet; a location that the
    fleet does not have); NotReadyException (location not ACTIVE, inferred); ConflictException (registered already);
    LimitExceededException.
    """
    if "Location" not in params:
        raise InvalidRequestException("Location must be given: a custom location of the fleet.")
    if "IpAddress" not in params and "DnsName" not in params:
        raise InvalidRequestException("IpAddress or DnsName must be given.")
    fleet = _anywhere_fleet(ctx, params["FleetId"])
    _check_location(ctx, fleet, params["Location"])
    key = host_id_of(fleet["FleetId"], params["ComputeName"])
    if COMPUTES(ctx).has(key):
        raise ConflictException(
            f"Compute {params['ComputeName']} is registered in fleet {fleet['FleetId']} already; deregister it first."
        )
    allowed = ctx.settings.gamelift.computes_max
    if COMPUTES(ctx).count("FleetId", fleet["FleetId"]) >= allowed:
        raise LimitExceededException(f"Fleet {fleet['FleetId']} has {allowed} computes, which is the most it may have.")
    compute = _new_compute(ctx, fleet, params)
    COMPUTES(ctx).put(key, compute)
    pool.add_host(ctx, fleet, compute["Location"], compute["ComputeName"], *_addresses(compute))
    return {"Compute": described(ctx, fleet, compute)}


@operation
def describe_compute(ctx: Context, params: "DescribeComputeInputTypeDef") -> dict[str, Any]:
    """Return a compute by its name or ARN; an instance's name is its id. Raises: NotFoundException (fleet, compute)."""
    return {"Compute": get_compute(ctx, get_fleet(ctx, params["FleetId"]), params["ComputeName"])}


@operation
def list_compute(ctx: Context, params: "ListComputeInputTypeDef") -> dict[str, Any]:
    """Return the computes of a fleet, or those in one location or status, in the order of their creation.

    Raises: InvalidRequestException (unknown fleet, since the model has no other; bad token).
    """
    fleet = _known_fleet(ctx, params["FleetId"])
    where = ("FleetId", fleet["FleetId"])

    def wanted(doc: Doc) -> bool:
        compute = described(ctx, fleet, doc)
        same = all(params.get(name, compute[name]) == compute[name] for name in ("Location", "ComputeStatus"))
        return same and _runs(compute, params.get("ContainerGroupDefinitionName"))

    page, token = page_of(ctx, "ListCompute", params, computes_of(ctx, fleet), where=where, keep=wanted)
    return {"ComputeList": [described(ctx, fleet, doc) for doc in page], "NextToken": token}


@operation
def deregister_compute(ctx: Context, params: "DeregisterComputeInputTypeDef") -> dict[str, Any]:
    """Remove a compute from an Anywhere fleet: its connections are closed, its sessions end, its tokens are void.

    Raises: NotFoundException (fleet, compute); InvalidRequestException (an instance).
    """
    fleet = get_fleet(ctx, params["FleetId"])
    if not is_anywhere(fleet):
        raise InvalidRequestException(
            f"Fleet {fleet['FleetId']} is not an Anywhere fleet; its computes come and go with its capacity."
        )
    compute = get_compute(ctx, fleet, params["ComputeName"])
    end_compute(ctx, fleet["FleetId"], compute["ComputeName"])
    return {}


def end_compute(ctx: Context, fleet_id: str, name: str) -> None:
    """Remove a registered compute with everything on it."""
    COMPUTES(ctx).delete(host_id_of(fleet_id, name))
    dismiss(ctx, fleet_id, name)
    void_tokens(ctx, fleet_id, name)
    processes.host_stopped(ctx, fleet_id, name)


def end_computes_in(ctx: Context, fleet_id: str, location: str) -> None:
    """Remove every compute of an Anywhere fleet's location, each in a transaction of its own that is due at once."""
    for entry in COMPUTES(ctx).find("FleetId", fleet_id):
        if entry.doc["Location"] == location:
            ctx.schedule(END_COMPUTE, {"FleetId": fleet_id, "ComputeName": entry.doc["ComputeName"]}, 0)


@timer(END_COMPUTE)
def compute_ends(ctx: Context, doc: Doc) -> None:
    """Remove a compute of a location that is being deleted, and tell its processes to end."""
    for entry in PROCESSES(ctx).find("HostId", host_id_of(doc["FleetId"], doc["ComputeName"])):
        process_messages.terminate_process(ctx, entry.doc, ctx.settings.hosting.terminate_grace_s)
    end_compute(ctx, doc["FleetId"], doc["ComputeName"])


def _runs(compute: Doc, definition: str | None) -> bool:
    """Return whether a compute runs a container group definition, given by name or ARN; without a version, any of them."""
    if definition is None:
        return True
    wanted = definition.rpartition("/")[2]
    name = compute.get("GameServerContainerGroupDefinitionArn", "").rpartition("/")[2]
    return wanted in (name, name.partition(":")[0])


def _known_fleet(ctx: Context, text: str) -> Doc:
    fleet = find_fleet(ctx, text)
    if fleet is None:
        raise InvalidRequestException(f"Fleet {text} was not found in {ctx.region}.")
    return fleet


def _anywhere_fleet(ctx: Context, text: str) -> Doc:
    fleet = _known_fleet(ctx, text)
    if not is_anywhere(fleet):
        raise InvalidRequestException(f"Fleet {fleet['FleetId']} is not an Anywhere fleet.")
    if fleet["Status"] != "ACTIVE":
        raise InvalidRequestException(f"Fleet {fleet['FleetId']} is in status {fleet['Status']}; it must be ACTIVE.")
    return fleet


def _check_location(ctx: Context, fleet: Doc, name: str) -> None:
    location = find_location(ctx, fleet, name)
    if location is None:
        raise InvalidRequestException(f"Fleet {fleet['FleetId']} has no location {name}.")
    if location["Status"] != "ACTIVE":
        raise NotReadyException(f"Location {name} is in status {location['Status']}; it must be ACTIVE.")


def _addresses(compute: Doc) -> tuple[str, str]:
    """Return IP address and DNS name that players get. Inferred: `localhost` for a loopback address without a name."""
    ip_address = compute.get("IpAddress", "")
    return ip_address, compute.get("DnsName", "localhost" if _is_loopback(ip_address) else "")


def _is_loopback(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).is_loopback
    except ValueError:
        return False


def _new_compute(ctx: Context, fleet: Doc, params: Mapping[str, Any]) -> Doc:
    return {
        "FleetId": fleet["FleetId"],
        "FleetArn": fleet["FleetArn"],
        "ComputeName": params["ComputeName"],
        "ComputeArn": arn_of(ctx, "compute", params["ComputeName"]),
        **{name: params[name] for name in GIVEN if name in params},
        "ComputeStatus": "ACTIVE",
        "Location": params["Location"],
        "CreationTime": ctx.now,
        "_CertificatePath": params.get("CertificatePath", ""),
    }
