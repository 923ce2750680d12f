"""Read-only or write by name, over whole models."""

import pytest

from apitrail.events.rules import RecordRules, is_read_only
from apitrail.wire.models import service_model

GAMELIFT_SOURCE = "gamelift.amazonaws.com"


@pytest.mark.parametrize(
    ("service", "source", "reads", "writes"),
    [("gamelift", GAMELIFT_SOURCE, 55, 65), ("cloudtrail", "cloudtrail.amazonaws.com", 26, 34)],
)
def test_the_numbers_of_reads_and_writes_are_those_published(service, source, reads, writes):
    names = service_model(service).operation_names
    counted = sum(is_read_only(name, source) for name in names)
    assert (counted, len(names) - counted) == (reads, writes)


@pytest.mark.parametrize(
    ("source", "operation", "read_only"),
    [
        (GAMELIFT_SOURCE, "RequestUploadCredentials", True),
        (GAMELIFT_SOURCE, "ResolveAlias", True),
        (GAMELIFT_SOURCE, "ClaimGameServer", False),
        ("sts.amazonaws.com", "AssumeRole", True),
        ("sts.amazonaws.com", "GetSessionToken", False),
        ("sts.amazonaws.com", "GetCallerIdentity", True),
        ("kms.amazonaws.com", "Decrypt", True),
        ("cloudtrail.amazonaws.com", "StartQuery", False),
        ("s3.amazonaws.com", "HeadObject", True),
        ("unknown.amazonaws.com", "AssumeRole", False),
    ],
)
def test_the_exceptions_of_each_service_hold(source, operation, read_only):
    assert is_read_only(operation, source) is read_only
    assert RecordRules(source).reads_only(operation) is read_only


def test_a_service_may_bring_its_own_rule():
    rules = RecordRules("own.amazonaws.com", read_only=lambda name: name == "PutThing")
    assert rules.reads_only("PutThing") is True
    assert rules.reads_only("GetThing") is False
