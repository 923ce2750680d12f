"""How many game server container groups fit on an instance, and which of its ports they get.

Pure functions of definitions and instance types. Inferred: the whole instance is there for container groups; its size is
that of its family and size name, which is what AWS publishes for nearly all types.
Source: API Reference, CreateContainerFleet (formula of the port range); GameLift Developer Guide.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from apitrail.services.gamelift.container_rules import ContainerPort, port_count, ports_of, vcpu_of
from apitrail.services.gamelift.errors import InvalidRequestException
from apitrail.store.resources import Doc
from apitrail.wire.models import service_model

GROUPS_MAX = 5000
FIRST_PORT = 4192
LAST_PORT = 60_000
RESERVED = range(4092, 4192)
"""Ports that GameLift keeps for itself."""

MIB_PER_VCPU = {"c": 2048, "m": 4096, "r": 8192, "g": 2048, "t": 2048}
"""Memory of an instance per vCPU, by the first letter of its family."""

VCPUS = {"micro": 1, "small": 1, "medium": 1, "large": 2}
ONE_XLARGE = 4
TWO_CORES = {"t2.medium": 2}

INSTANCE_TYPES = frozenset(service_model("gamelift").shape_for("EC2InstanceType").metadata["enum"])


class Size(NamedTuple):
    """What an instance has."""

    vcpus: float
    mebibytes: int


class Mapped(NamedTuple):
    """A container's port and the port of the instance that leads to it."""

    target: ContainerPort
    port: int


def size_of(instance_type: str) -> Size:
    """Return what an instance type has. Raises: InvalidRequestException for a type that there is not."""
    if instance_type not in INSTANCE_TYPES:
        raise InvalidRequestException(f"InstanceType {instance_type} is not available for container fleets.")
    family, _, name = instance_type.partition(".")
    times = name.removesuffix("xlarge") or "1"
    vcpus = VCPUS[name] if name in VCPUS else int(times) * ONE_XLARGE
    vcpus = TWO_CORES.get(instance_type, vcpus)
    return Size(vcpus, vcpus * MIB_PER_VCPU[family[0]])


def groups_that_fit(instance_type: str, game_server: Doc, per_instance: Doc | None) -> int:
    """Return how many game server container groups fit on an instance, beside its per-instance group.

    Raises: InvalidRequestException when not even one does.
    """
    size = size_of(instance_type)
    vcpus, mebibytes, ports = size.vcpus, size.mebibytes, LAST_PORT - FIRST_PORT
    if per_instance is not None:
        vcpus -= vcpu_of(per_instance)
        mebibytes -= per_instance["TotalMemoryLimitMebibytes"]
        ports -= port_count(per_instance)
    fits: int = min(
        int(vcpus / vcpu_of(game_server)),
        mebibytes // game_server["TotalMemoryLimitMebibytes"],
        ports // port_count(game_server),
        GROUPS_MAX,
    )
    if fits < 1:
        raise InvalidRequestException(f"The container groups need more than an instance of type {instance_type} has.")
    return fits


def ports_needed(groups: int, game_server: Doc, per_instance: Doc | None) -> int:
    """Return how many ports of an instance its container groups take."""
    return groups * port_count(game_server) + (0 if per_instance is None else port_count(per_instance))


def calculated_range(needed: int) -> Doc:
    """Return the range of connection ports that is used when none is given."""
    return {"FromPort": FIRST_PORT, "ToPort": FIRST_PORT + needed}


def inbound_permissions(ports: Mapping[str, int]) -> list[Doc]:
    """Return the port rules that are used when none are given."""
    return [{**ports, "IpRange": "0.0.0.0/0", "Protocol": "UDP"}]


def check_reserved(ports: Mapping[str, Any], name: str) -> None:
    """Raise InvalidRequestException when a range of ports is upside down or touches what GameLift keeps for itself."""
    first, last = ports["FromPort"], ports["ToPort"]
    if first > last:
        raise InvalidRequestException(f"{name}: FromPort {first} must not be greater than ToPort {last}.")
    if first < RESERVED.stop and last >= RESERVED.start:
        raise InvalidRequestException(
            f"{name}: ports {RESERVED.start}-{RESERVED.stop - 1} are reserved; {first}-{last} overlaps them."
        )


def first_port(first: int, group: int, game_server: Doc) -> int:
    """Return the connection port of the first container port of a game server container group. group: counts from 0."""
    return first + group * port_count(game_server)


def mapped_ports(definition: Doc, first: int) -> Iterator[Mapped]:
    """Yield the ports of a container group, in order, with their connection ports from first on."""
    for offset, target in enumerate(ports_of(definition)):
        yield Mapped(target, first + offset)
