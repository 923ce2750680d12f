"""Every operation of every served model: served, or refused as not served yet; whatever is asked, a valid record.

Parameters are the least that the model takes, and random ones, made from the shapes and from names that are there.
No valid request may end in an InternalFailure. APITRAIL_SOAK=1: many more of each.
"""

import os
import re
from collections.abc import Iterator
from typing import Any

import pytest

from apitrail.events.limits import EVENT_BYTES_MAX
from apitrail.events.record import encode
from apitrail.services.registry import SERVICES
from apitrail.wire.models import OperationModel, service_model
from door import Reply
from worlds import Least, Likely, World, furnish, in_order, is_served, some_protocol

ROUNDS = 60 if os.environ.get("APITRAIL_SOAK") == "1" else 2
KB = 1024
# The order of the fields in real delivered files; those in brackets there are OPTIONAL here.
ORDER = (
    "eventVersion", "userIdentity", "eventTime", "eventSource", "eventName", "awsRegion", "sourceIPAddress",
    "userAgent", "errorCode", "errorMessage", "requestParameters", "responseElements", "additionalEventData",
    "requestID", "eventID", "readOnly", "resources", "eventType", "managementEvent", "recipientAccountId",
    "sharedEventID", "vpcEndpointId", "eventCategory", "tlsDetails", "sessionCredentialFromConsole",
)  # fmt: skip
OPTIONAL = {
    "userAgent", "errorCode", "errorMessage", "additionalEventData", "resources", "sharedEventID", "vpcEndpointId",
    "tlsDetails", "sessionCredentialFromConsole",
}  # fmt: skip
EVENT_SOURCES = {name: f"{name}.amazonaws.com" for name in SERVICES}
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
# Codes that any operation may answer, beside those that the model lists for it.
COMMON = {
    "AccessDenied", "AccessDeniedException", "InvalidRequestException", "SerializationException",
    "UnsupportedOperationException", "ValidationError", "ValidationException",
}  # fmt: skip

# Answers of the real service that its model does not list.
UNLISTED = {"GetAccessKeyLastUsed": {"NoSuchEntity"}}
# S3's model lists hardly any error; these are of the page "Error responses" of its API Reference.
S3_CODES = {
    "AccessControlListNotSupported", "AccessDenied", "AuthorizationHeaderMalformed", "BadDigest", "BucketAlreadyExists",
    "BucketAlreadyOwnedByYou", "BucketNotEmpty", "EntityTooLarge", "EntityTooSmall", "IllegalLocationConstraintException",
    "IncompleteBody", "InvalidArgument", "InvalidBucketName", "InvalidBucketState", "InvalidDigest", "InvalidObjectState",
    "InvalidPart", "InvalidPartOrder", "InvalidRange", "InvalidRequest", "InvalidTag", "KeyTooLongError",
    "MalformedACLError", "MalformedPolicy", "MalformedXML", "MaxMessageLengthExceeded", "MetadataTooLarge",
    "MethodNotAllowed", "MissingContentLength", "NoSuchBucket", "NoSuchBucketPolicy", "NoSuchCORSConfiguration",
    "NoSuchKey", "NoSuchLifecycleConfiguration", "NoSuchTagSet", "NoSuchTagSetError", "NoSuchUpload", "NoSuchVersion",
    "NotImplemented", "ObjectLockConfigurationNotFoundError", "OperationAborted", "OwnershipControlsNotFoundError",
    "PreconditionFailed", "ReplicationConfigurationNotFoundError", "ServerSideEncryptionConfigurationNotFoundError",
    "NoSuchPublicAccessBlockConfiguration", "TooManyBuckets", "UnexpectedContent", "XAmzContentSHA256Mismatch",
    "NoSuchWebsiteConfiguration", "InvalidLocationConstraint", "NoSuchObjectLockConfiguration",
}  # fmt: skip
# Operations that share method, path and query with a newer one, which is served in their place.
SERVED_AS = {
    "GetBucketLifecycle": "GetBucketLifecycleConfiguration",
    "GetBucketNotification": "GetBucketNotificationConfiguration",
    "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
    "PutBucketNotification": "PutBucketNotificationConfiguration",
    "ListDirectoryBuckets": "ListBuckets",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("world"))
    furnish(made)
    made.new_events()
    yield made
    made.close()


def problems_of(record: dict[str, Any], operation: OperationModel, reply: Reply) -> Iterator[str]:
    """Yield what is wrong with a record."""
    names = [name for name in ORDER if name in record]
    if list(record) != names:
        yield f"fields are {list(record)}"
    if missing := set(ORDER) - OPTIONAL - set(record):
        yield f"lacks {missing}"
        return
    service = operation.service_model.service_name
    yield from _wrong_facts(record, service, operation)
    yield from _wrong_outcome(record, operation, reply)
    yield from _wrong_sizes(record)


def _wrong_facts(record: dict[str, Any], service: str, operation: OperationModel) -> Iterator[str]:
    expected = {
        "eventVersion": "1.11",
        "eventSource": f"{service}.amazonaws.com",
        "eventName": SERVED_AS.get(operation.name, operation.name),
        "eventType": "AwsApiCall",
        "recipientAccountId": record["userIdentity"].get("accountId", "000000000000"),
        "sourceIPAddress": "127.0.0.1",
        "eventCategory": "Management" if record["managementEvent"] else "Data",
    }
    for name, value in expected.items():
        if record[name] != value:
            yield f"{name} is {record[name]!r}, not {value!r}"
    if not isinstance(record["readOnly"], bool) or not isinstance(record["managementEvent"], bool):
        yield "readOnly or managementEvent is no boolean"
    if not UUID.fullmatch(record["eventID"]) or not TIME.fullmatch(record["eventTime"]):
        yield f"eventID {record['eventID']!r} or eventTime {record['eventTime']!r} has a wrong form"
    if "type" not in record["userIdentity"]:
        yield "userIdentity has no type"


def _wrong_outcome(record: dict[str, Any], operation: OperationModel, reply: Reply) -> Iterator[str]:
    for name in ("requestParameters", "responseElements"):
        if not (record[name] is None or (isinstance(record[name], dict) and record[name])):
            yield f"{name} is {record[name]!r}"
    if reply.code and record.get("errorCode") not in recorded_codes(operation, reply.code):
        yield f"errorCode is {record.get('errorCode')!r}, not {reply.code!r}"
    if not reply.code and "errorCode" in record:
        yield f"has errorCode {record['errorCode']!r} for a success"
    if record["responseElements"] is not None and reply.code:
        yield "has responseElements for a failure"


def recorded_codes(operation: OperationModel, code: str) -> set[str]:
    """Return how a record may name an error: as the wire does, or by the shape (NoSuchEntityException)."""
    shapes = operation.service_model.error_shapes
    return {code, *(shape.name for shape in shapes if shape.metadata.get("error", {}).get("code") == code)}


def _wrong_sizes(record: dict[str, Any]) -> Iterator[str]:
    limits = {"requestParameters": 100 * KB, "responseElements": 100 * KB, "additionalEventData": 28 * KB}
    limits |= dict.fromkeys(("userAgent", "errorCode", "errorMessage", "requestID"), KB + 2)
    for name, limit in limits.items():
        if len(encode(record.get(name))) > limit:
            yield f"{name} is larger than {limit} bytes"
    if len(encode(record)) > EVENT_BYTES_MAX or len(record.get("resources", ())) > 256:
        yield "is too large"


def allowed_codes(operation: OperationModel) -> set[str]:
    """Return the error codes that an operation may answer."""
    listed = {shape.metadata.get("error", {}).get("code", shape.name) for shape in operation.error_shapes}
    service = SERVICES[operation.service_model.service_name]
    listed |= {shape.name for shape in operation.error_shapes} | UNLISTED.get(operation.name, set())
    return listed | COMMON | {service.validation_code} | (S3_CODES if service.name == "s3" else set())


def tried(world: World, operation: OperationModel, params: dict[str, Any], protocol: str) -> tuple[Reply, list[str]]:
    """Make a call; return its answer and what is wrong with it or its record."""
    service = operation.service_model.service_name
    reply = world.call(service, operation.name, params, protocol=protocol)
    world.stage.settle()
    world.learn(reply.result)
    records = [record for record in world.new_events() if record["requestID"] == reply.request_id]
    if len(records) != 1:
        return reply, [f"has {len(records)} records"]
    if reply.request.method == "HEAD" and reply.code:  # has no body to say it in
        reply.result["Error"]["Code"] = records[0].get("errorCode", "")
    found = list(problems_of(records[0], operation, reply))
    if reply.status >= 500 and reply.code != "NotImplemented":
        found.append(f"status {reply.status} {reply.code}: {reply.message}")
    if reply.code and is_served(operation) and reply.code not in allowed_codes(operation):
        found.append(f"{reply.code} is not modelled: {reply.message}")
    if not is_served(operation) and operation.name not in SERVED_AS and reply.code != "UnsupportedOperationException":
        found.append(f"is not served, but answers {reply.status} {reply.code}")
    return reply, found


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_every_operation_answers_and_is_recorded(world: World, service: str, caplog: pytest.LogCaptureFixture) -> None:
    wrong, succeeded = [], set()
    for number in range(ROUNDS):
        for operation in in_order(service):
            label = f"{operation.name}/{number}"
            sampler = (Likely if number % 2 else Least)(label, world.known)
            params = sampler.params(operation)
            reply, found = tried(world, operation, params, some_protocol(service, sampler.chance))
            wrong += [f"{label} {problem}; asked {str(params)[:300]}" for problem in found]
            if not reply.code:
                succeeded.add(operation.name)
    assert not wrong, "\n".join(wrong)
    assert [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")] == []
    assert len(succeeded) >= len(SERVICES[service].operations) // 3, sorted(succeeded)


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_what_is_served_is_in_the_model(service: str) -> None:
    assert set(SERVICES[service].operations) <= set(service_model(service).operation_names)


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_an_operation_that_is_not_served_names_itself(world: World, service: str) -> None:
    missing = [item for item in in_order(service) if not is_served(item) and item.name not in SERVED_AS]
    for operation in missing:
        params = Least(operation.name, world.known).params(operation)
        reply = world.call(service, operation.name, params)
        assert (reply.status, reply.code) == (400, "UnsupportedOperationException")
        assert operation.name in reply.message
