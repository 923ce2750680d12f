"""The rules that a container group definition must keep within itself, and what it needs of an instance.

They look at nothing but the definition. Source: API Reference, CreateContainerGroupDefinition and its data types;
inferred: that dependencies must not go round in a circle, and that ports are told apart over the whole group.
"""

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import Any, NamedTuple

from apitrail.services.gamelift.errors import InvalidRequestException
from apitrail.store.resources import Doc

GAME_SERVER = "GAME_SERVER"
PER_INSTANCE = "PER_INSTANCE"
SUPPORT_MAX = {GAME_SERVER: 8, PER_INSTANCE: 10}
SDK_MIN = (5, 2, 0)
FINISHED = ("COMPLETE", "SUCCESS")
"""Conditions that need a container to exit, which an essential one must not."""


class ContainerPort(NamedTuple):
    """A port that a container of a group listens on."""

    container: str
    port: int
    protocol: str


def check_definition(definition: Mapping[str, Any]) -> None:
    """Raise InvalidRequestException when a definition's members do not fit together."""
    if definition["ContainerGroupType"] == GAME_SERVER:
        _check_game_server(definition)
    else:
        _check_per_instance(definition)
    containers = containers_of(definition)
    names = [container["ContainerName"] for container in containers]
    for name in names:
        if names.count(name) > 1:
            raise InvalidRequestException(f"Container name {name} is given more than once.")
    _check_sizes(definition, containers)
    _check_ports(containers)
    _check_dependencies(definition, containers)


def containers_of(definition: Mapping[str, Any]) -> list[Doc]:
    """Return all containers of a definition, that of the game server first."""
    support: Sequence[Doc] = definition.get("SupportContainerDefinitions", ())
    game_server = definition.get("GameServerContainerDefinition")
    return [*support] if game_server is None else [game_server, *support]


def vcpu_of(definition: Mapping[str, Any]) -> float:
    """Return how many vCPUs a group takes: its limit, or what its containers reserve."""
    limit: float | None = definition.get("TotalVcpuLimit")
    return _reserved(containers_of(definition)) if limit is None else limit


def port_count(definition: Mapping[str, Any]) -> int:
    """Return how many container ports a group has."""
    return sum(last - first + 1 for _, first, last, _ in _ranges(containers_of(definition)))


def ports_of(definition: Mapping[str, Any]) -> Iterator[ContainerPort]:
    """Yield the container ports of a group in the order in which connection ports are given to them."""
    for name, first, last, protocol in _ranges(containers_of(definition)):
        for port in range(first, last + 1):
            yield ContainerPort(name, port, protocol)


def with_vcpu(definition: Doc) -> Doc:
    """Return a definition whose game server container has its Vcpu: what the support containers leave of the limit."""
    game_server = definition.get("GameServerContainerDefinition")
    if game_server is None or "Vcpu" in game_server or "TotalVcpuLimit" not in definition:
        return definition
    left = definition["TotalVcpuLimit"] - _reserved(definition.get("SupportContainerDefinitions", ()))
    if left <= 0:
        raise InvalidRequestException(
            "The support containers' Vcpu leave nothing of TotalVcpuLimit for the game server."
        )
    return {
        **definition,
        "GameServerContainerDefinition": {**game_server, "Vcpu": left, "_VcpuLeft": True},
    }


def _check_game_server(definition: Mapping[str, Any]) -> None:
    game_server = definition.get("GameServerContainerDefinition")
    if game_server is None:
        raise InvalidRequestException("A container group of type GAME_SERVER needs GameServerContainerDefinition.")
    _check_support_count(definition)
    version = tuple(int(part) for part in game_server["ServerSdkVersion"].split("."))
    if version < SDK_MIN:
        raise InvalidRequestException(
            f"ServerSdkVersion {game_server['ServerSdkVersion']} is too old; containers need 5.2.0 or higher."
        )
    if "TotalVcpuLimit" not in definition and "Vcpu" not in game_server:
        raise InvalidRequestException("Either TotalVcpuLimit or the game server container's Vcpu must be given.")


def _check_per_instance(definition: Mapping[str, Any]) -> None:
    support = definition.get("SupportContainerDefinitions", ())
    if "GameServerContainerDefinition" in definition:
        raise InvalidRequestException("A container group of type PER_INSTANCE cannot have a game server container.")
    if not support:
        raise InvalidRequestException("A container group of type PER_INSTANCE needs SupportContainerDefinitions.")
    _check_support_count(definition)
    if not any(container.get("Essential") for container in support):
        raise InvalidRequestException("One support container of a PER_INSTANCE group must be Essential.")
    if "TotalVcpuLimit" not in definition:
        raise InvalidRequestException("A container group of type PER_INSTANCE needs TotalVcpuLimit.")


def _check_support_count(definition: Mapping[str, Any]) -> None:
    type_ = definition["ContainerGroupType"]
    if len(definition.get("SupportContainerDefinitions", ())) > SUPPORT_MAX[type_]:
        raise InvalidRequestException(
            f"A container group of type {type_} can have {SUPPORT_MAX[type_]} support containers."
        )


def _check_sizes(definition: Mapping[str, Any], containers: Sequence[Doc]) -> None:
    total = definition["TotalMemoryLimitMebibytes"]
    for container in containers:
        if container.get("MemoryHardLimitMebibytes", 0) >= total:
            raise InvalidRequestException(
                f"TotalMemoryLimitMebibytes {total} must be greater than container {container['ContainerName']}'s limit."
            )
    limit = definition.get("TotalVcpuLimit")
    if limit is not None and _reserved(containers) > limit:
        raise InvalidRequestException(f"TotalVcpuLimit {limit:g} is less than the containers' Vcpu together.")


def _check_ports(containers: Sequence[Doc]) -> None:
    ranges = sorted(_ranges(containers), key=lambda item: (item[3], item[1]))
    for name, first, last, _ in ranges:
        if first > last:
            raise InvalidRequestException(
                f"Container {name} has FromPort {first}, which is greater than ToPort {last}."
            )
    for before, after in pairwise(ranges):
        if before[3] == after[3] and after[1] <= before[2]:
            raise InvalidRequestException(
                f"{after[3]} ports {after[1]}-{after[2]} of container {after[0]} overlap those of {before[0]}."
            )


def _check_dependencies(definition: Mapping[str, Any], containers: Sequence[Doc]) -> None:
    essential = {container["ContainerName"]: container.get("Essential", False) for container in containers}
    if "GameServerContainerDefinition" in definition:
        essential[definition["GameServerContainerDefinition"]["ContainerName"]] = True
    graph: dict[str, list[str]] = {}
    for container in containers:
        for dependency in container.get("DependsOn", ()):
            needed, condition = dependency["ContainerName"], dependency["Condition"]
            if needed not in essential:
                raise InvalidRequestException(
                    f"Container {container['ContainerName']} depends on {needed}, which is none."
                )
            if essential[needed] and condition in FINISHED:
                raise InvalidRequestException(
                    f"Container {needed} is essential and cannot be waited for to {condition}."
                )
            graph.setdefault(container["ContainerName"], []).append(needed)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise InvalidRequestException(f"Containers depend on each other: {', '.join(error.args[1])}.") from None


def _reserved(containers: Sequence[Doc]) -> float:
    return float(sum(container.get("Vcpu", 0) for container in containers))


def _ranges(containers: Sequence[Doc]) -> Iterator[tuple[str, int, int, str]]:
    for container in containers:
        for ports in container.get("PortConfiguration", {}).get("ContainerPortRanges", ()):
            yield container["ContainerName"], ports["FromPort"], ports["ToPort"], ports["Protocol"]
