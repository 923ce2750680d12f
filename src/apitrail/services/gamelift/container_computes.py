"""Container groups on instances: one compute and one virtual server process per game server container group.

A compute's document is its Compute, with the place of the group on its instance as `_Group`, which tells its connection
ports. Source: API Reference, Compute, DescribeContainerGroupPortMappings; GameLift Developer Guide. Inferred: names and runtime
ids are made up; the game server container's first port is the one that its process listens on.
"""

import hashlib
from typing import TYPE_CHECKING, Any

from apitrail.services.context import Context
from apitrail.services.gamelift.arns import arn_of, find_id
from apitrail.services.gamelift.collections import GROUP_COMPUTES, HOSTS
from apitrail.services.gamelift.container_lookup import get_version
from apitrail.services.gamelift.container_rules import PER_INSTANCE, containers_of
from apitrail.services.gamelift.container_settings import version_in
from apitrail.services.gamelift.container_sizes import Mapped, first_port, mapped_ports, ports_needed
from apitrail.services.gamelift.errors import InvalidRequestException, NotFoundException
from apitrail.services.gamelift.fleets_access import get_container_fleet
from apitrail.services.gamelift.process_facts import host_id_of
from apitrail.services.operation import operation
from apitrail.store.resources import Doc

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import DescribeContainerGroupPortMappingsInputTypeDef

HEX_DIGITS = 17
RUNTIME_ID_CHARS = 32
OF_INSTANCE = ("FleetId", "FleetArn", "IpAddress", "DnsName", "OperatingSystem", "Type", "Location", "InstanceId")
GAME_SERVERS = "GameServerContainerGroupDefinitionArn"


def add_groups(ctx: Context, fleet: Doc, host: Doc, instance: Doc) -> None:
    """Add the container groups of an instance that has started; the host is changed, but stored by whoever calls.

    The host's Groups are name and port of each game server container group.
    """
    definition = version_in(ctx, fleet, GAME_SERVERS)
    per_instance = version_in(ctx, fleet, "PerInstanceContainerGroupDefinitionArn")
    assert definition is not None, "a definition outlives the fleets that use it"
    first, count = fleet["InstanceConnectionPortRange"]["FromPort"], fleet["GameServerContainerGroupsPerInstance"]
    host["Groups"] = []
    for group in range(count):
        port = first_port(first, group, definition)
        compute = _new_compute(ctx, instance, definition, port)
        GROUP_COMPUTES(ctx).put(host_id_of(fleet["FleetId"], compute["ComputeName"]), compute)
        host["Groups"].append([compute["ComputeName"], port])
    if per_instance is not None:
        port = first + ports_needed(count, definition, None)
        host["PerInstance"] = [per_instance["ContainerGroupDefinitionArn"], port]


def remove_groups(ctx: Context, instance: Doc) -> None:
    """Remove the container groups of an instance that is stopped."""
    for entry in GROUP_COMPUTES(ctx).find("InstanceId", instance["InstanceId"]):
        GROUP_COMPUTES(ctx).delete(entry.id)


@operation
def describe_container_group_port_mappings(
    ctx: Context, params: "DescribeContainerGroupPortMappingsInputTypeDef"
) -> dict[str, Any]:
    """Return which ports of its instance lead to the ports of a container group's containers.

    Raises: InvalidRequestException (compute or instance not given, or given where it must not; they do not belong
    together); NotFoundException (fleet, compute, instance, container; an instance without a per-instance group, inferred).
    """
    per_instance = params["ContainerGroupType"] == PER_INSTANCE
    if ("ComputeName" in params) == per_instance:
        raise InvalidRequestException("ComputeName must be given for type GAME_SERVER, and for no other.")
    if per_instance and "InstanceId" not in params:
        raise InvalidRequestException("InstanceId must be given for type PER_INSTANCE.")
    fleet = get_container_fleet(ctx, params["FleetId"])
    if per_instance:
        members, owner, port = _instance_group(ctx, fleet, params["InstanceId"])
    else:
        members, owner, port = _game_server_group(ctx, fleet, params["ComputeName"], params.get("InstanceId"))
    definition = get_version(ctx, members["ContainerGroupDefinitionArn"])
    assert definition is not None, "a definition outlives the instances that run it"
    names = [container["ContainerName"] for container in containers_of(definition)]
    asked = params.get("ContainerName")
    if asked is not None and asked not in names:
        raise NotFoundException(f"Container group definition {definition['Name']} has no container {asked}.")
    mapped = list(mapped_ports(definition, port))
    return {
        "FleetId": fleet["FleetId"],
        "FleetArn": fleet["FleetArn"],
        "ContainerGroupType": params["ContainerGroupType"],
        **members,
        "ContainerGroupPortMappings": [_mapping(owner, name, mapped) for name in names if asked in (None, name)],
    }


def _new_compute(ctx: Context, instance: Doc, definition: Doc, port: int) -> Doc:
    name = f"{instance['InstanceId']}/{ctx.ids.hex(HEX_DIGITS)}"
    return {
        **{member: instance[member] for member in OF_INSTANCE},
        "ComputeName": name,
        "ComputeArn": arn_of(ctx, "compute", name),
        "ComputeStatus": "ACTIVE",
        "CreationTime": ctx.now,
        "ContainerAttributes": [
            {"ContainerName": item["ContainerName"], "ContainerRuntimeId": _runtime_id(name, item["ContainerName"])}
            for item in containers_of(definition)
        ],
        GAME_SERVERS: definition["ContainerGroupDefinitionArn"],
        "_Port": port,
    }


def _game_server_group(ctx: Context, fleet: Doc, text: str, instance_id: str | None) -> tuple[Doc, str, int]:
    """Return what describes a game server container group, its name, and its first connection port."""
    name = find_id(ctx, text, "compute")
    compute = None if name is None else GROUP_COMPUTES(ctx).get(host_id_of(fleet["FleetId"], name))
    if compute is None:
        raise NotFoundException(f"Fleet {fleet['FleetId']} has no compute {text}.")
    if instance_id not in (None, compute["InstanceId"]):
        raise InvalidRequestException(f"Compute {text} is not on instance {instance_id}.")
    members = {member: compute[member] for member in ("Location", "ComputeName", "InstanceId")}
    return {**members, "ContainerGroupDefinitionArn": compute[GAME_SERVERS]}, compute["ComputeName"], compute["_Port"]


def _instance_group(ctx: Context, fleet: Doc, instance_id: str) -> tuple[Doc, str, int]:
    """Return what describes the per-instance container group of an instance, its owner's name, and its first port."""
    host = HOSTS(ctx).get(host_id_of(fleet["FleetId"], instance_id))
    if host is None or "PerInstance" not in host:
        raise NotFoundException(
            f"Fleet {fleet['FleetId']} has no instance {instance_id} with a per-instance container group."
        )
    arn, port = host["PerInstance"]
    members = {"Location": host["Location"], "InstanceId": instance_id, "ContainerGroupDefinitionArn": arn}
    return members, instance_id, port


def _mapping(owner: str, name: str, mapped: list[Mapped]) -> Doc:
    ports = [
        {"ContainerPort": target.port, "ConnectionPort": port, "Protocol": target.protocol}
        for target, port in mapped
        if target.container == name
    ]
    return {"ContainerName": name, "ContainerRuntimeId": _runtime_id(owner, name), "ContainerPortMappings": ports}


def _runtime_id(owner: str, container: str) -> str:
    return hashlib.sha256(f"{owner}/{container}".encode()).hexdigest()[:RUNTIME_ID_CHARS]
