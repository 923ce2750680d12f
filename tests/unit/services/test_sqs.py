"""Queues and their messages, on the virtual clock."""

import asyncio
import json
from typing import Any

import pytest

from apitrail.errors import ServiceError
from apitrail.identity.principal import Principal
from apitrail.settings import Settings, Sns
from apitrail.testing import Stage
from apitrail.testing.stage import ACCOUNT, root

OTHER = "444455556666"
ARN = f"arn:aws:sqs:us-west-2:{ACCOUNT}:work"


@pytest.fixture
def url(stage: Stage) -> str:
    answer: str = call(stage, "CreateQueue", QueueName="work")["QueueUrl"]
    return answer


def call(stage: Stage, operation: str, principal: Principal | None = None, **params: Any) -> dict[str, Any]:
    return stage.call_(operation, params, service="sqs", principal=principal)


def code(stage: Stage, operation: str, principal: Principal | None = None, **params: Any) -> str:
    with pytest.raises(ServiceError) as caught:
        call(stage, operation, principal, **params)
    return caught.value.error_code


def user(account: str = ACCOUNT, *statements: dict[str, Any]) -> Principal:
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    policies = (document,) if statements else ()
    return Principal(
        "IAMUser", account, f"arn:aws:iam::{account}:user/ann", "AIDAANN", user_name="ann", policies=policies
    )


def receive(stage: Stage, url: str, **params: Any) -> list[dict[str, Any]]:
    return list(call(stage, "ReceiveMessage", QueueUrl=url, **params).get("Messages", []))


def attributes(stage: Stage, url: str) -> dict[str, str]:
    return dict(call(stage, "GetQueueAttributes", QueueUrl=url, AttributeNames=["All"])["Attributes"])


def test_a_queue_has_a_url_that_ends_in_account_and_name(url: str) -> None:
    assert url.endswith(f"/{ACCOUNT}/work")


def test_creating_a_queue_again_returns_it_unless_an_attribute_differs(stage: Stage, url: str) -> None:
    same = call(stage, "CreateQueue", QueueName="work", Attributes={"VisibilityTimeout": "30"})
    assert same["QueueUrl"] == url
    assert code(stage, "CreateQueue", QueueName="work", Attributes={"VisibilityTimeout": "31"}) == "QueueNameExists"


@pytest.mark.parametrize("name", ["", "a b", "x" * 81, "orders.fifo", "a.b"])
def test_names_that_are_no_standard_queues_are_refused(stage: Stage, name: str) -> None:
    assert code(stage, "CreateQueue", QueueName=name) == "InvalidParameterValue"


@pytest.mark.parametrize(
    ("attribute", "value", "expected"),
    [
        ("VisibilityTimeout", "43201", "InvalidAttributeValue"),
        ("VisibilityTimeout", "-1", "InvalidAttributeValue"),
        ("DelaySeconds", "x", "InvalidAttributeValue"),
        ("FifoQueue", "true", "InvalidAttributeValue"),
        ("KmsMasterKeyId", "alias/aws/sqs", "InvalidAttributeValue"),
        ("Policy", "{", "InvalidAttributeValue"),
        ("RedrivePolicy", "[]", "InvalidAttributeValue"),
        ("RedrivePolicy", '{"maxReceiveCount":0,"deadLetterTargetArn":"x"}', "InvalidAttributeValue"),
        ("RedriveAllowPolicy", '{"redrivePermission":"byQueue"}', "InvalidAttributeValue"),
        ("Colour", "red", "InvalidAttributeName"),
    ],
)
def test_attributes_out_of_bounds_are_refused(
    stage: Stage, url: str, attribute: str, value: str, expected: str
) -> None:
    assert code(stage, "SetQueueAttributes", QueueUrl=url, Attributes={attribute: value}) == expected


def test_attributes_show_defaults_and_counts(stage: Stage, url: str) -> None:
    for delay in (0, 0, 10):
        call(stage, "SendMessage", QueueUrl=url, MessageBody="x", DelaySeconds=delay)
    receive(stage, url)
    shown = attributes(stage, url)
    assert shown["VisibilityTimeout"] == "30"
    assert shown["QueueArn"] == ARN
    counts = [shown[f"ApproximateNumberOfMessages{kind}"] for kind in ("", "NotVisible", "Delayed")]
    assert counts == ["1", "1", "1"]


def test_a_message_is_hidden_while_somebody_has_it_and_comes_back_after_its_time(stage: Stage, url: str) -> None:
    sent = call(stage, "SendMessage", QueueUrl=url, MessageBody="hello")
    first = receive(stage, url, AttributeNames=["All"])
    assert [(item["MessageId"], item["Body"]) for item in first] == [(sent["MessageId"], "hello")]
    assert first[0]["Attributes"]["ApproximateReceiveCount"] == "1"
    assert receive(stage, url) == []
    stage.advance(30)
    again = receive(stage, url, MessageSystemAttributeNames=["ApproximateReceiveCount"])
    assert again[0]["Attributes"] == {"ApproximateReceiveCount": "2"}
    assert again[0]["ReceiptHandle"] != first[0]["ReceiptHandle"]


def test_a_deleted_message_never_comes_back_but_an_old_receipt_deletes_nothing(stage: Stage, url: str) -> None:
    call(stage, "SendMessage", QueueUrl=url, MessageBody="hello")
    old = receive(stage, url, VisibilityTimeout=1)[0]["ReceiptHandle"]
    stage.advance(1)
    new = receive(stage, url, VisibilityTimeout=1)[0]["ReceiptHandle"]
    call(stage, "DeleteMessage", QueueUrl=url, ReceiptHandle=old)
    assert attributes(stage, url)["ApproximateNumberOfMessagesNotVisible"] == "1"
    call(stage, "DeleteMessage", QueueUrl=url, ReceiptHandle=new)
    call(stage, "DeleteMessage", QueueUrl=url, ReceiptHandle=new)
    stage.advance(60)
    assert receive(stage, url) == []


@pytest.mark.parametrize("handle", ["", "x", "YQ==", "é", "MTphYmM=", "A" * 1000])
def test_handles_that_are_none_are_refused(stage: Stage, url: str, handle: str) -> None:
    assert code(stage, "DeleteMessage", QueueUrl=url, ReceiptHandle=handle) == "ReceiptHandleIsInvalid"


def test_visibility_can_be_changed_only_while_a_message_is_in_flight(stage: Stage, url: str) -> None:
    call(stage, "SendMessage", QueueUrl=url, MessageBody="x")
    handle = receive(stage, url)[0]["ReceiptHandle"]
    call(stage, "ChangeMessageVisibility", QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
    again = {"QueueUrl": url, "ReceiptHandle": handle, "VisibilityTimeout": 5}
    assert code(stage, "ChangeMessageVisibility", **again) == "MessageNotInflight"
    assert len(receive(stage, url)) == 1
    assert code(stage, "ChangeMessageVisibility", **again) == "InvalidParameterValue"


def test_delayed_messages_wait_and_old_ones_go(stage: Stage, url: str) -> None:
    call(stage, "SetQueueAttributes", QueueUrl=url, Attributes={"DelaySeconds": "5", "MessageRetentionPeriod": "60"})
    for _ in range(30):
        call(stage, "SendMessage", QueueUrl=url, MessageBody="x")
    assert receive(stage, url) == []
    stage.advance(5)
    assert len(receive(stage, url, MaxNumberOfMessages=10)) == 10
    stage.advance(60)
    assert receive(stage, url, MaxNumberOfMessages=10) == []
    assert receive(stage, url) == []
    assert attributes(stage, url)["ApproximateNumberOfMessages"] == "0"


def test_messages_received_too_often_go_to_the_dead_letter_queue(stage: Stage, url: str) -> None:
    dead = call(stage, "CreateQueue", QueueName="dead")["QueueUrl"]
    policy = {"deadLetterTargetArn": ARN.replace("work", "dead"), "maxReceiveCount": "2"}
    settings = {"RedrivePolicy": json.dumps(policy), "VisibilityTimeout": "1"}
    call(stage, "SetQueueAttributes", QueueUrl=url, Attributes=settings)
    sent = call(stage, "SendMessage", QueueUrl=url, MessageBody="poison")
    for _ in range(2):
        assert len(receive(stage, url)) == 1
        stage.advance(1)
    assert receive(stage, url) == []
    moved = receive(stage, dead, AttributeNames=["All"])[0]
    assert moved["MessageId"] == sent["MessageId"]
    assert moved["Attributes"]["DeadLetterQueueSourceArn"] == ARN
    assert call(stage, "ListDeadLetterSourceQueues", QueueUrl=dead) == {"queueUrls": [url]}


def test_a_dead_letter_queue_may_refuse_sources(stage: Stage, url: str) -> None:
    dead = call(stage, "CreateQueue", QueueName="dead")["QueueUrl"]
    allow = json.dumps({"redrivePermission": "denyAll"})
    call(stage, "SetQueueAttributes", QueueUrl=dead, Attributes={"RedriveAllowPolicy": allow})
    policy = json.dumps({"deadLetterTargetArn": ARN.replace("work", "dead"), "maxReceiveCount": 3})
    wanted = {"QueueUrl": url, "Attributes": {"RedrivePolicy": policy}}
    assert code(stage, "SetQueueAttributes", **wanted) == "InvalidAttributeValue"


def test_a_long_poll_ends_as_soon_as_a_message_arrives(stage: Stage, url: str) -> None:
    async def scene() -> tuple[Any, Any]:
        poll = asyncio.ensure_future(
            stage.app.call(root(), "us-west-2", "sqs", "ReceiveMessage", {"QueueUrl": url, "WaitTimeSeconds": 20})
        )
        await asyncio.sleep(0.05)
        assert not poll.done()
        await stage.app.call(root(), "us-west-2", "sqs", "SendMessage", {"QueueUrl": url, "MessageBody": "x"})
        return await asyncio.wait_for(poll, 5), poll

    answer, _ = stage.run(scene())
    assert [item["Body"] for item in answer["Messages"]] == ["x"]


def test_each_of_two_long_polls_gets_one_of_two_messages(stage: Stage, url: str) -> None:
    async def scene() -> list[Any]:
        wanted = {"QueueUrl": url, "WaitTimeSeconds": 20}
        polls = [
            asyncio.ensure_future(stage.app.call(root(), "us-west-2", "sqs", "ReceiveMessage", wanted))
            for _ in range(2)
        ]
        await asyncio.sleep(0.05)
        for body in ("a", "b"):
            await stage.app.call(root(), "us-west-2", "sqs", "SendMessage", {"QueueUrl": url, "MessageBody": body})
        return await asyncio.wait_for(asyncio.gather(*polls), 5)

    answers = stage.run(scene())
    assert sorted(item["Body"] for answer in answers for item in answer.get("Messages", [])) == ["a", "b"]
    assert all(len(answer.get("Messages", [])) == 1 for answer in answers)


def test_long_polls_end_when_the_server_stops(stage: Stage, url: str) -> None:
    async def scene() -> Any:
        wanted = {"QueueUrl": url, "WaitTimeSeconds": 20}
        poll = asyncio.ensure_future(stage.app.call(root(), "us-west-2", "sqs", "ReceiveMessage", wanted))
        await asyncio.sleep(0.05)
        stage.app.quiesce()
        return await asyncio.wait_for(poll, 5)

    assert stage.run(scene()) == {}


def test_whoever_may_not_receive_does_not_wait(stage: Stage, url: str) -> None:
    assert code(stage, "ReceiveMessage", user(), QueueUrl=url, WaitTimeSeconds=20) == "AccessDeniedException"


def test_batches_answer_for_each_entry(stage: Stage, url: str) -> None:
    entries = [{"Id": "a", "MessageBody": "1"}, {"Id": "b", "MessageBody": ""}, {"Id": "c", "MessageBody": "\x01"}]
    answer = call(stage, "SendMessageBatch", QueueUrl=url, Entries=entries)
    assert [item["Id"] for item in answer["Successful"]] == ["a"]
    failed = {item["Id"]: item["Code"] for item in answer["Failed"]}
    assert failed == {"b": "InvalidParameterValue", "c": "InvalidMessageContents"}
    handle = receive(stage, url)[0]["ReceiptHandle"]
    gone = [{"Id": "1", "ReceiptHandle": handle}, {"Id": "2", "ReceiptHandle": "x"}]
    answer = call(stage, "DeleteMessageBatch", QueueUrl=url, Entries=gone)
    assert [item["Id"] for item in answer["Successful"]] == ["1"]
    assert attributes(stage, url)["ApproximateNumberOfMessagesNotVisible"] == "0"


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([], "EmptyBatchRequest"),
        ([str(number) for number in range(11)], "TooManyEntriesInBatchRequest"),
        (["a", "a"], "BatchEntryIdsNotDistinct"),
        (["a b"], "InvalidBatchEntryId"),
    ],
)
def test_batches_that_are_wrong_as_a_whole_are_refused(stage: Stage, url: str, ids: list[str], expected: str) -> None:
    entries = [{"Id": id_, "MessageBody": "x"} for id_ in ids]
    assert code(stage, "SendMessageBatch", QueueUrl=url, Entries=entries) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS.x", {"DataType": "String", "StringValue": "x"}),
        ("x", {"DataType": "Text", "StringValue": "x"}),
        ("x", {"DataType": "String"}),
        ("x", {"DataType": "Number", "StringValue": "one"}),
        ("x", {"DataType": "Binary", "StringValue": "x"}),
    ],
)
def test_message_attributes_that_are_none_are_refused(stage: Stage, url: str, name: str, value: dict[str, str]) -> None:
    wanted = {"QueueUrl": url, "MessageBody": "x", "MessageAttributes": {name: value}}
    assert code(stage, "SendMessage", **wanted) == "InvalidParameterValue"


def test_a_full_queue_takes_nothing_more(tmp_path: Any) -> None:
    with Stage(tmp_path, Settings(sns=Sns(queue_messages_max=2))) as stage:
        url = call(stage, "CreateQueue", QueueName="work")["QueueUrl"]
        for _ in range(2):
            call(stage, "SendMessage", QueueUrl=url, MessageBody="x")
        assert code(stage, "SendMessage", QueueUrl=url, MessageBody="x") == "RequestThrottled"
        call(stage, "DeleteMessage", QueueUrl=url, ReceiptHandle=receive(stage, url)[0]["ReceiptHandle"])
        call(stage, "SendMessage", QueueUrl=url, MessageBody="x")


def test_a_queue_is_purged_at_most_once_a_minute_and_can_be_deleted(stage: Stage, url: str) -> None:
    call(stage, "SendMessage", QueueUrl=url, MessageBody="x")
    call(stage, "PurgeQueue", QueueUrl=url)
    assert receive(stage, url) == []
    assert code(stage, "PurgeQueue", QueueUrl=url) == "PurgeQueueInProgress"
    stage.advance(60, step=60)
    call(stage, "PurgeQueue", QueueUrl=url)
    call(stage, "DeleteQueue", QueueUrl=url)
    assert code(stage, "SendMessage", QueueUrl=url, MessageBody="x") == "QueueDoesNotExist"
    assert code(stage, "GetQueueUrl", QueueName="work") == "QueueDoesNotExist"


def test_queues_are_listed_by_page_and_prefix(stage: Stage) -> None:
    for number in range(5):
        call(stage, "CreateQueue", QueueName=f"q{number}")
    first = call(stage, "ListQueues", MaxResults=3)
    rest = call(stage, "ListQueues", MaxResults=3, NextToken=first["NextToken"])
    names = [item.rpartition("/")[2] for item in first["QueueUrls"] + rest["QueueUrls"]]
    assert names == [f"q{number}" for number in range(5)]
    assert "NextToken" not in rest
    assert len(call(stage, "ListQueues", QueueNamePrefix="q4")["QueueUrls"]) == 1
    assert code(stage, "ListQueues", MaxResults=3, NextToken="x") == "InvalidParameterValue"


def test_tags_come_and_go(stage: Stage, url: str) -> None:
    call(stage, "TagQueue", QueueUrl=url, Tags={"a": "1", "b": "2"})
    call(stage, "UntagQueue", QueueUrl=url, TagKeys=["a", "z"])
    assert call(stage, "ListQueueTags", QueueUrl=url) == {"Tags": {"b": "2"}}
    assert code(stage, "TagQueue", QueueUrl=url, Tags={"aws:x": "1"}) == "InvalidParameterValue"


def test_another_account_may_send_once_it_is_permitted(stage: Stage, url: str) -> None:
    allowed = user(OTHER, {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"})
    wanted = {"QueueUrl": url, "MessageBody": "x"}
    assert code(stage, "SendMessage", allowed, **wanted) == "AccessDeniedException"
    assert code(stage, "SendMessage", root(OTHER), **wanted) == "AccessDeniedException"
    permission = {"QueueUrl": url, "Label": "others", "AWSAccountIds": [OTHER], "Actions": ["SendMessage"]}
    call(stage, "AddPermission", **permission)
    assert code(stage, "AddPermission", **permission) == "InvalidParameterValue"
    call(stage, "SendMessage", allowed, **wanted)
    assert code(stage, "SendMessage", user(OTHER), **wanted) == "AccessDeniedException"
    assert code(stage, "ReceiveMessage", allowed, QueueUrl=url) == "AccessDeniedException"
    call(stage, "RemovePermission", QueueUrl=url, Label="others")
    assert code(stage, "SendMessage", allowed, **wanted) == "AccessDeniedException"
    assert code(stage, "RemovePermission", QueueUrl=url, Label="others") == "InvalidParameterValue"


def test_a_user_needs_permission_for_batches_as_for_single_messages(stage: Stage, url: str) -> None:
    sender = user(ACCOUNT, {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": ARN})
    entries = [{"Id": "a", "MessageBody": "x"}]
    assert len(call(stage, "SendMessageBatch", sender, QueueUrl=url, Entries=entries)["Successful"]) == 1
    assert code(stage, "ReceiveMessage", sender, QueueUrl=url) == "AccessDeniedException"


@pytest.mark.parametrize("url", ["http://localhost/work", "x", "http://localhost/1/work", "", "http://localhost//"])
def test_urls_that_are_none_are_refused(stage: Stage, url: str) -> None:
    assert code(stage, "SendMessage", QueueUrl=url, MessageBody="x") == "InvalidAddress"


def test_message_operations_are_data_events_that_hide_what_messages_say(stage: Stage, url: str) -> None:
    value = {"DataType": "String", "StringValue": "attribute-text"}
    call(stage, "SendMessage", QueueUrl=url, MessageBody="body-text", MessageAttributes={"x": value})
    entries = [{"Id": "a", "MessageBody": "body-text", "MessageAttributes": {"x": value}}]
    call(stage, "SendMessageBatch", QueueUrl=url, Entries=entries)
    receive(stage, url)
    created, *events = stage.events()
    assert created["managementEvent"]
    assert all("-text" not in json.dumps(event) for event in events)
    for event in events:
        assert (event["eventCategory"], event["managementEvent"]) == ("Data", False)
        assert event["resources"] == [{"accountId": ACCOUNT, "type": "AWS::SQS::Queue", "ARN": ARN}]
    assert events[0]["requestParameters"]["messageBody"] == "HIDDEN_DUE_TO_SECURITY_REASONS"
    assert [event["readOnly"] for event in events] == [False, False, True]
    assert events[2]["responseElements"] is None
