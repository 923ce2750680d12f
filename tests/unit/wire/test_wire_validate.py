import base64
from typing import Any

import pytest

from apitrail.wire.models import service_model
from apitrail.wire.validate import validation_message, validator


def problems(service: str, operation: str, params: dict[str, Any]) -> list[str]:
    return validator(service_model(service).operation_model(operation))(params)


@pytest.mark.parametrize(
    ("operation", "params", "expected"),
    [
        ("CreateBuild", {"Name": "b"}, []),
        (
            "CreateFleet",
            {"Name": "f", "BuildId": "devops build"},
            [
                "Value 'devops build' at 'buildId' failed to satisfy constraint: Member must satisfy regular "
                r"expression pattern: ^(build-\S+|arn:.*:build\/build-\S+)$"
            ],
        ),
        (
            "CreateAlias",
            {"Name": ""},
            [
                "Value null at 'routingStrategy' failed to satisfy constraint: Member must not be null",
                "Value '' at 'name' failed to satisfy constraint: Member must have length greater than or equal to 1",
            ],
        ),
        (
            "ListFleets",
            {"Limit": 0},
            ["Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1"],
        ),
        (
            "CreateFleet",
            {"Name": "f", "Locations": [{"Location": "us-west-2"}, {"Location": "a" * 65}]},
            [
                f"Value '{'a' * 65}' at 'locations.2.member.location' failed to satisfy constraint: "
                "Member must have length less than or equal to 64"
            ],
        ),
        (
            "CreateFleet",
            {"Name": "f", "MetricGroups": ["default", "more"]},
            [
                "Value '[default, more]' at 'metricGroups' failed to satisfy constraint: "
                "Member must have length less than or equal to 1"
            ],
        ),
        (
            "CreateFleet",
            {"Name": "f", "FleetType": "RENTED"},
            [
                "Value 'RENTED' at 'fleetType' failed to satisfy constraint: "
                "Member must satisfy enum value set: [ON_DEMAND, SPOT]"
            ],
        ),
    ],
)
def test_broken_constraints_are_told_in_the_framework_style(
    operation: str, params: dict[str, Any], expected: list[str]
) -> None:
    assert problems("gamelift", operation, params) == expected


def test_values_are_cut_to_100_characters() -> None:
    found = problems("gamelift", "CreateBuild", {"Name": "x" * 2000})
    assert found == [
        f"Value '{'x' * 100}' at 'name' failed to satisfy constraint: Member must have length less than or equal to 1024"
    ]


def test_sensitive_values_are_not_shown() -> None:
    found = problems("iam", "ChangePassword", {"OldPassword": "hunter2", "NewPassword": ""})
    assert found == [
        "Value at 'newPassword' failed to satisfy constraint: Member must have length greater than or equal to 1"
    ]
    players = [{"PlayerId": "p", "PlayerAttributes": {"skill": {"S": ""}}}]
    found = problems("gamelift", "StartMatchmaking", {"ConfigurationName": "c", "Players": players})
    assert found == [
        "Value '' at 'players.1.member.playerAttributes.skill.member.s' failed to satisfy constraint: "
        "Member must have length greater than or equal to 1"
    ]


def test_a_long_list_of_wrong_items_is_not_searched_to_its_end() -> None:
    found = problems(
        "cloudtrail", "AddTags", {"ResourceId": "r", "TagsList": [{"Key": "a"}, *({} for _ in range(5000))]}
    )
    assert 10 < len(found) <= 100
    message = validation_message(found)
    assert message.count("Member must") == 10


def test_a_blob_is_measured_in_bytes_and_a_text_in_characters() -> None:
    assert problems("gamelift", "CreateScript", {"ZipFile": b"\xff" * 5_000_001})[0].startswith("Value at 'zipFile'")
    assert problems("gamelift", "CreateScript", {"Name": "漢" * 1024}) == []


def test_a_union_has_exactly_one_member() -> None:
    both = {"ObjectEncryption": {}, "Bucket": "b", "Key": "k"}
    assert problems("s3", "UpdateObjectEncryption", both) == [
        "Value at 'objectEncryption' failed to satisfy constraint: Member must have exactly one member set"
    ]


def test_a_body_in_a_file_is_not_missed() -> None:
    assert problems("s3", "PutObjectAnnotation", {"Bucket": "b", "Key": "k", "AnnotationName": "a"}) == []


def test_the_message_counts_its_problems() -> None:
    assert validation_message(["a"]) == "1 validation error detected: a"
    assert validation_message(["a", "b"]) == "2 validation errors detected: a; b"
    twelve = [base64.b16encode(bytes([number])).decode() for number in range(12)]
    assert validation_message(twelve) == f"12 validation errors detected: {'; '.join(twelve[:10])}"


def test_an_operation_without_constraints_has_no_problems() -> None:
    assert problems("sts", "GetCallerIdentity", {}) == []
