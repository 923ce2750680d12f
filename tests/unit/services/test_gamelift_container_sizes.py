"""What instances have, what container groups need of them, and the ports they get."""

from typing import Any

import pytest
from container_scenes import game_server, group, per_instance

from apitrail.services.gamelift.container_sizes import (
    INSTANCE_TYPES,
    calculated_range,
    groups_that_fit,
    mapped_ports,
    ports_needed,
    size_of,
)
from apitrail.services.gamelift.errors import InvalidRequestException


@pytest.mark.parametrize(
    ("instance_type", "vcpus", "gibibytes"),
    [
        ("c5.large", 2, 4),
        ("c5.9xlarge", 36, 72),
        ("m5.xlarge", 4, 16),
        ("r5.24xlarge", 96, 768),
        ("m6g.medium", 1, 4),
        ("t2.medium", 2, 4),
        ("g5g.xlarge", 4, 8),
    ],
)
def test_an_instance_has_what_its_name_says(instance_type: str, vcpus: int, gibibytes: int) -> None:
    assert size_of(instance_type) == (vcpus, gibibytes * 1024)


def test_every_instance_type_has_a_size() -> None:
    assert all(min(size_of(name)) >= 1 for name in INSTANCE_TYPES)
    with pytest.raises(InvalidRequestException, match="x1"):
        size_of("x1.tiny")


@pytest.mark.parametrize(
    ("changes", "with_helpers", "expected"),
    [
        ({}, False, 2),
        ({}, True, 1),
        ({"TotalVcpuLimit": 0.125, "TotalMemoryLimitMebibytes": 4}, False, 16),
        ({"TotalVcpuLimit": 0.125}, False, 4),
        ({"TotalVcpuLimit": None, "GameServerContainerDefinition": game_server(Vcpu=0.5)}, False, 4),
    ],
)
def test_as_many_groups_fit_as_vcpus_and_memory_allow(
    changes: dict[str, Any], with_helpers: bool, expected: int
) -> None:
    definition = {name: value for name, value in group(**changes).items() if value is not None}
    assert groups_that_fit("c5.large", definition, per_instance() if with_helpers else None) == expected


def test_ports_limit_the_groups_too() -> None:
    ports = {"ContainerPortRanges": [{"FromPort": 1, "ToPort": 30_000, "Protocol": "UDP"}]}
    definition = group(GameServerContainerDefinition=game_server(PortConfiguration=ports))
    assert groups_that_fit("c5.24xlarge", definition, None) == 1


def test_ports_are_counted_by_the_documented_formula() -> None:
    assert ports_needed(3, group(), per_instance()) == 3 * 2 + 1
    assert calculated_range(7) == {"FromPort": 4192, "ToPort": 4199}


def test_connection_ports_follow_the_container_ports() -> None:
    found = [(item.target.container, item.target.port, item.port) for item in mapped_ports(group(), 5000)]
    assert found == [("game", 7777, 5000), ("game", 7778, 5001)]
