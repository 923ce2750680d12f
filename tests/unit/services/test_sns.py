"""Topics and subscriptions, their permissions, and how calls are recorded."""

import json
from pathlib import Path
from typing import Any

import pytest
from sns_scenes import QUEUE, TOPIC, bodies, deliver, make_queue, refused, sns, subscribe

from apitrail.identity.principal import Principal
from apitrail.services.sns.subscribers import SUBSCRIPTIONS
from apitrail.settings import Settings, Sns
from apitrail.testing import Stage
from apitrail.testing.stage import ACCOUNT, root

OTHER = "444455556666"
ANYBODY = Principal("AWSAccount", "000000000000", "", "")
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"


@pytest.fixture
def topic(stage: Stage) -> str:
    arn: str = sns(stage, "CreateTopic", Name="news")["TopicArn"]
    return arn


def user(account: str, *actions: str, resource: str = "*") -> Principal:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
    policies = ({"Version": "2012-10-17", "Statement": [statement]},) if actions else ()
    return Principal(
        "IAMUser", account, f"arn:aws:iam::{account}:user/ann", "AIDAANN", user_name="ann", policies=policies
    )


def token_of(stage: Stage, arn: str) -> str:
    """Return the token that an endpoint has been sent."""
    subscription = stage.read(lambda ctx: SUBSCRIPTIONS.at(ctx.tx).get(arn))
    assert subscription is not None
    token: str = subscription["_Token"]
    return token


def test_creating_a_topic_again_returns_it_unless_something_differs(stage: Stage, topic: str) -> None:
    assert topic == TOPIC
    assert sns(stage, "CreateTopic", Name="news") == {"TopicArn": TOPIC}
    assert refused(stage, "CreateTopic", Name="news", Attributes={"DisplayName": "x"}).error_code == "InvalidParameter"
    assert (
        refused(stage, "CreateTopic", Name="news", Tags=[{"Key": "a", "Value": "b"}]).error_code == "InvalidParameter"
    )
    assert sns(stage, "ListTopics") == {"Topics": [{"TopicArn": TOPIC}]}


@pytest.mark.parametrize("name", ["", "a b", "x" * 257, "news.fifo", "a.b", "ü"])
def test_names_that_are_no_standard_topics_are_refused(stage: Stage, name: str) -> None:
    assert refused(stage, "CreateTopic", Name=name).error_code == "InvalidParameter"


@pytest.mark.parametrize(
    "attributes",
    [
        {"FifoTopic": "true"},
        {"KmsMasterKeyId": "alias/aws/sns"},
        {"Policy": "{}"},
        {"DeliveryPolicy": "{}x"},
        {"SignatureVersion": "3"},
        {"DisplayName": "x" * 101},
        {"Colour": "red"},
        {"TopicArn": "x"},
    ],
)
def test_attributes_that_cannot_be_are_refused(stage: Stage, topic: str, attributes: dict[str, str]) -> None:
    ((name, value),) = attributes.items()
    wanted = {"TopicArn": topic, "AttributeName": name, "AttributeValue": value}
    assert refused(stage, "SetTopicAttributes", **wanted).error_code == "InvalidParameter"


def test_a_new_topic_has_the_policy_that_command_lines_merge_with(stage: Stage, topic: str) -> None:
    attributes = sns(stage, "GetTopicAttributes", TopicArn=topic)["Attributes"]
    policy = json.loads(attributes["Policy"])
    assert isinstance(policy["Statement"], list)
    assert policy["Statement"][0]["Condition"] == {"StringEquals": {"AWS:SourceOwner": ACCOUNT}}
    counts = [attributes[f"Subscriptions{kind}"] for kind in ("Confirmed", "Pending", "Deleted")]
    assert counts == ["0", "0", "0"]
    assert json.loads(attributes["EffectiveDeliveryPolicy"])["http"]["defaultHealthyRetryPolicy"]["numRetries"] == 3


def test_a_topic_counts_its_subscriptions(stage: Stage, topic: str) -> None:
    make_queue(stage)
    confirmed = subscribe(stage)
    subscribe(stage, "http", "http://127.0.0.1:1/")
    sns(stage, "Unsubscribe", SubscriptionArn=confirmed)
    sns(stage, "Unsubscribe", SubscriptionArn=confirmed)
    subscribe(stage)
    attributes = sns(stage, "GetTopicAttributes", TopicArn=topic)["Attributes"]
    counts = [attributes[f"Subscriptions{kind}"] for kind in ("Confirmed", "Pending", "Deleted")]
    assert counts == ["1", "1", "1"]


@pytest.mark.parametrize(
    ("arn", "code"),
    [
        ("x", "InvalidParameter"),
        ("arn:aws:sns:us-west-2:111122223333:", "InvalidParameter"),
        ("arn:aws:sqs:us-west-2:111122223333:news", "InvalidParameter"),
        ("arn:aws:sns:eu-west-1:111122223333:news", "InvalidParameter"),
        ("arn:aws:sns:us-west-2:111122223333:other", "NotFound"),
        ("arn:aws:sns:us-west-2:444455556666:news", "AuthorizationError"),
    ],
)
def test_topics_that_are_not_here_are_refused(stage: Stage, topic: str, arn: str, code: str) -> None:
    assert refused(stage, "Publish", TopicArn=arn, Message="x").error_code == code


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"Message": ""}, "InvalidParameter"),
        ({"Message": "x" * (256 * 1024 + 1)}, "InvalidParameter"),
        ({"Message": "x", "Subject": ""}, "InvalidParameter"),
        ({"Message": "x", "Subject": "two\nlines"}, "InvalidParameter"),
        ({"Message": "x", "Subject": "é"}, "InvalidParameter"),
        ({"Message": "x", "Subject": "x" * 101}, "InvalidParameter"),
        ({"Message": "x", "MessageStructure": "xml"}, "InvalidParameter"),
        ({"Message": "x", "MessageStructure": "json"}, "InvalidParameter"),
        ({"Message": '{"sqs":"x"}', "MessageStructure": "json"}, "InvalidParameter"),
        ({"Message": "x", "TargetArn": TOPIC}, "InvalidParameter"),
        ({"Message": "x", "MessageDeduplicationId": "1"}, "InvalidParameter"),
        (
            {"Message": "x", "MessageAttributes": {"a": {"DataType": "Text", "StringValue": "x"}}},
            "ParameterValueInvalid",
        ),
        ({"Message": "x", "MessageAttributes": {"a": {"DataType": "String"}}}, "ParameterValueInvalid"),
        (
            {"Message": "x", "MessageAttributes": {"a": {"DataType": "Number", "StringValue": "x"}}},
            "ParameterValueInvalid",
        ),
        (
            {"Message": "x", "MessageAttributes": {"a": {"DataType": "String.Array", "StringValue": "x"}}},
            "ParameterValueInvalid",
        ),
        (
            {"Message": "x", "MessageAttributes": {"AWS.a": {"DataType": "String", "StringValue": "x"}}},
            "ParameterValueInvalid",
        ),
    ],
)
def test_messages_that_are_none_are_refused(stage: Stage, topic: str, params: dict[str, Any], code: str) -> None:
    assert refused(stage, "Publish", TopicArn=topic, **params).error_code == code


def test_text_messages_to_phones_are_refused_clearly(stage: Stage) -> None:
    error = refused(stage, "Publish", PhoneNumber="+15550100", Message="x")
    assert "not served" in error.message


def test_a_batch_answers_for_each_entry(stage: Stage, topic: str) -> None:
    url = make_queue(stage)
    subscribe(stage, RawMessageDelivery="true")
    entries = [{"Id": "a", "Message": "1"}, {"Id": "b", "Message": ""}, {"Id": "c", "Message": "3"}]
    answer = sns(stage, "PublishBatch", TopicArn=topic, PublishBatchRequestEntries=entries)
    assert [item["Id"] for item in answer["Successful"]] == ["a", "c"]
    assert [(item["Id"], item["Code"], item["SenderFault"]) for item in answer["Failed"]] == [
        ("b", "InvalidParameter", True)
    ]
    deliver(stage)
    assert bodies(stage, url) == ["1", "3"]


@pytest.mark.parametrize(
    ("ids", "size", "code"),
    [
        ([], 1, "EmptyBatchRequest"),
        ([str(number) for number in range(11)], 1, "TooManyEntriesInBatchRequest"),
        (["a", "a"], 1, "BatchEntryIdsNotDistinct"),
        (["a b"], 1, "InvalidBatchEntryId"),
        (["a", "b"], 200_000, "BatchRequestTooLong"),
    ],
)
def test_batches_that_are_wrong_as_a_whole_are_refused(
    stage: Stage, topic: str, ids: list[str], size: int, code: str
) -> None:
    entries = [{"Id": id_, "Message": "x" * size} for id_ in ids]
    assert refused(stage, "PublishBatch", TopicArn=topic, PublishBatchRequestEntries=entries).error_code == code


@pytest.mark.parametrize(
    ("protocol", "endpoint"),
    [
        ("email", "ann@example.com"),
        ("lambda", "arn:aws:lambda:us-west-2:111122223333:function:x"),
        ("http", "https://example.com/"),
        ("https", "example.com"),
        ("http", "http://"),
        ("http", "http://example.com/a b"),
        ("http", "http://example.com/\r\nx: y"),
        ("http", "http://example.com:99999/"),
        ("http", ""),
        ("sqs", "http://localhost/111122223333/work"),
        ("sqs", QUEUE.replace("work", "missing")),
        ("sqs", QUEUE + ".fifo"),
        ("file", "file://x.jsonl"),
    ],
)
def test_endpoints_that_cannot_be_reached_are_refused(stage: Stage, topic: str, protocol: str, endpoint: str) -> None:
    wanted = {"TopicArn": topic, "Protocol": protocol, "Endpoint": endpoint}
    assert refused(stage, "Subscribe", **wanted).error_code == "InvalidParameter"


@pytest.mark.parametrize("name", ["../x", "a/../x", ".x", "a/b/c/d/e", "a//b", "", "a\0b", "a/"])
def test_files_outside_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    with Stage(tmp_path / "data", Settings(sns=Sns(files_folder=str(tmp_path)))) as stage:
        sns(stage, "CreateTopic", Name="news")
        wanted = {"TopicArn": TOPIC, "Protocol": "file", "Endpoint": f"file://{name}"}
        assert refused(stage, "Subscribe", **wanted).error_code == "InvalidParameter"


def test_subscribing_again_returns_the_subscription_unless_attributes_differ(stage: Stage, topic: str) -> None:
    make_queue(stage)
    arn = subscribe(stage)
    assert subscribe(stage) == arn
    wanted = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": QUEUE, "Attributes": {"RawMessageDelivery": "true"}}
    assert refused(stage, "Subscribe", **wanted).error_code == "InvalidParameter"


def test_a_pending_subscription_tells_its_name_only_when_asked(stage: Stage, topic: str) -> None:
    wanted = {"TopicArn": topic, "Protocol": "http", "Endpoint": "http://127.0.0.1:1/"}
    assert sns(stage, "Subscribe", **wanted) == {"SubscriptionArn": "pending confirmation"}
    (line,) = sns(stage, "ListSubscriptionsByTopic", TopicArn=topic)["Subscriptions"]
    assert line == {
        "SubscriptionArn": "PendingConfirmation",
        "Owner": ACCOUNT,
        "Protocol": "http",
        "Endpoint": "http://127.0.0.1:1/",
        "TopicArn": topic,
    }


def test_links_confirm_and_end_a_subscription_without_a_signature(stage: Stage, topic: str) -> None:
    arn = subscribe(stage, "http", "http://127.0.0.1:1/")
    assert (
        refused(stage, "ConfirmSubscription", ANYBODY, TopicArn=topic, Token="0" * 256).error_code == "InvalidParameter"
    )
    wanted = {"TopicArn": topic, "Token": token_of(stage, arn)}
    locking = {**wanted, "AuthenticateOnUnsubscribe": "true"}
    assert refused(stage, "ConfirmSubscription", ANYBODY, **locking).error_code == "AuthorizationError"
    assert sns(stage, "ConfirmSubscription", ANYBODY, **wanted) == {"SubscriptionArn": arn}
    assert sns(stage, "ConfirmSubscription", ANYBODY, **wanted) == {"SubscriptionArn": arn}
    shown = sns(stage, "GetSubscriptionAttributes", SubscriptionArn=arn)["Attributes"]
    assert (shown["PendingConfirmation"], shown["ConfirmationWasAuthenticated"]) == ("false", "false")
    sns(stage, "Unsubscribe", ANYBODY, SubscriptionArn=arn)
    assert refused(stage, "GetSubscriptionAttributes", SubscriptionArn=arn).error_code == "NotFound"


def test_a_locked_subscription_ends_with_a_signature_only(stage: Stage, topic: str) -> None:
    arn = subscribe(stage, "http", "http://127.0.0.1:1/")
    token = token_of(stage, arn)
    sns(stage, "ConfirmSubscription", TopicArn=topic, Token=token, AuthenticateOnUnsubscribe="true")
    assert refused(stage, "Unsubscribe", ANYBODY, SubscriptionArn=arn).error_code == "AuthorizationError"
    assert refused(stage, "Unsubscribe", root(OTHER), SubscriptionArn=arn).error_code == "AuthorizationError"
    sns(stage, "Unsubscribe", SubscriptionArn=arn)


def test_attributes_of_a_subscription_change_one_by_one(stage: Stage, topic: str) -> None:
    make_queue(stage)
    arn = subscribe(stage)

    def change(name: str, value: str) -> None:
        sns(stage, "SetSubscriptionAttributes", SubscriptionArn=arn, AttributeName=name, AttributeValue=value)

    change("FilterPolicy", '{"a":["b"]}')
    change("RawMessageDelivery", "true")
    shown = sns(stage, "GetSubscriptionAttributes", SubscriptionArn=arn)["Attributes"]
    assert shown["FilterPolicyScope"] == "MessageAttributes"
    assert (shown["FilterPolicy"], shown["RawMessageDelivery"]) == ('{"a":["b"]}', "true")
    change("FilterPolicy", "{}")
    assert "FilterPolicy" not in sns(stage, "GetSubscriptionAttributes", SubscriptionArn=arn)["Attributes"]
    for name, value in (("FilterPolicy", '{"a":"b"}'), ("RawMessageDelivery", "maybe"), ("Owner", OTHER)):
        wanted = {"SubscriptionArn": arn, "AttributeName": name, "AttributeValue": value}
        assert refused(stage, "SetSubscriptionAttributes", **wanted).error_code == "InvalidParameter"


def test_a_topic_takes_no_more_subscriptions_than_are_allowed(tmp_path: Path) -> None:
    with Stage(tmp_path, Settings(sns=Sns(subscriptions_max=2))) as stage:
        sns(stage, "CreateTopic", Name="news")
        for port in (1, 2):
            subscribe(stage, "http", f"http://127.0.0.1:{port}/")
        wanted = {"TopicArn": TOPIC, "Protocol": "http", "Endpoint": "http://127.0.0.1:3/"}
        assert refused(stage, "Subscribe", **wanted).error_code == "SubscriptionLimitExceeded"


def test_lists_come_in_pages(stage: Stage) -> None:
    for number in range(105):
        sns(stage, "CreateTopic", Name=f"t{number}")
    first = sns(stage, "ListTopics")
    rest = sns(stage, "ListTopics", NextToken=first["NextToken"])
    assert (len(first["Topics"]), len(rest["Topics"])) == (100, 5)
    assert "NextToken" not in rest
    assert refused(stage, "ListTopics", NextToken="x").error_code == "InvalidParameter"


def test_another_account_may_publish_once_it_is_permitted(stage: Stage, topic: str) -> None:
    publisher = user(OTHER, "sns:Publish")
    wanted = {"TopicArn": topic, "Message": "x"}
    assert refused(stage, "Publish", publisher, **wanted).error_code == "AuthorizationError"
    permission = {"TopicArn": topic, "Label": "others", "AWSAccountId": [OTHER], "ActionName": ["Publish"]}
    sns(stage, "AddPermission", **permission)
    assert refused(stage, "AddPermission", **permission).error_code == "InvalidParameter"
    sns(stage, "Publish", publisher, **wanted)
    assert refused(stage, "Publish", user(OTHER), **wanted).error_code == "AuthorizationError"
    assert refused(stage, "DeleteTopic", root(OTHER), TopicArn=topic).error_code == "AuthorizationError"
    sns(stage, "RemovePermission", TopicArn=topic, Label="others")
    assert refused(stage, "Publish", publisher, **wanted).error_code == "AuthorizationError"
    assert refused(stage, "RemovePermission", TopicArn=topic, Label="others").error_code == "NotFound"


def test_a_user_needs_a_policy_of_its_own_although_the_topic_has_its_default_one(stage: Stage, topic: str) -> None:
    error = refused(stage, "Publish", user(ACCOUNT), TopicArn=topic, Message="x")
    said = f"User: arn:aws:iam::{ACCOUNT}:user/ann is not authorized to perform: SNS:Publish on resource: {topic}"
    assert error.message == f"{said} because no identity-based policy allows the sns:Publish action"
    assert error.error_status == 403
    sns(stage, "Publish", user(ACCOUNT, "sns:Publish", resource=topic), TopicArn=topic, Message="x")


def test_a_condition_can_hold_subscribers_to_a_protocol(stage: Stage, topic: str) -> None:
    make_queue(stage)
    condition = {"StringNotEquals": {"sns:Protocol": "sqs"}}
    deny = {"Effect": "Deny", "Principal": "*", "Action": "sns:Subscribe", "Resource": topic, "Condition": condition}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    sns(stage, "SetTopicAttributes", TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    subscribe(stage)
    wanted = {"TopicArn": topic, "Protocol": "http", "Endpoint": "http://127.0.0.1:1/"}
    assert refused(stage, "Subscribe", **wanted).error_code == "AuthorizationError"


def test_a_queue_of_another_account_confirms_with_the_message_it_gets(stage: Stage, topic: str) -> None:
    url = make_queue(stage)
    permission = {"TopicArn": topic, "Label": "others", "AWSAccountId": [OTHER], "ActionName": ["Subscribe"]}
    sns(stage, "AddPermission", **permission)
    subscriber = user(OTHER, "sns:*")
    wanted = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": QUEUE}
    assert sns(stage, "Subscribe", subscriber, **wanted) == {"SubscriptionArn": "pending confirmation"}
    deliver(stage)
    asked = json.loads(bodies(stage, url)[0])
    assert asked["Type"] == "SubscriptionConfirmation"
    confirmed = sns(stage, "ConfirmSubscription", TopicArn=topic, Token=asked["Token"])
    assert [item["SubscriptionArn"] for item in sns(stage, "ListSubscriptions", subscriber)["Subscriptions"]] == [
        confirmed["SubscriptionArn"]
    ]
    sns(stage, "Unsubscribe", subscriber, SubscriptionArn=confirmed["SubscriptionArn"])


def test_tags_come_and_go(stage: Stage, topic: str) -> None:
    sns(stage, "TagResource", ResourceArn=topic, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    sns(stage, "TagResource", ResourceArn=topic, Tags=[{"Key": "a", "Value": "3"}])
    sns(stage, "UntagResource", ResourceArn=topic, TagKeys=["b", "z"])
    assert sns(stage, "ListTagsForResource", ResourceArn=topic) == {"Tags": [{"Key": "a", "Value": "3"}]}
    many = [{"Key": str(number), "Value": ""} for number in range(50)]
    assert refused(stage, "TagResource", ResourceArn=topic, Tags=many).error_code == "TagLimitExceeded"
    assert refused(stage, "TagResource", ResourceArn=topic + "x", Tags=[]).error_code == "ResourceNotFound"


def test_publish_is_a_data_event_that_hides_what_was_said(stage: Stage, topic: str) -> None:
    value = {"DataType": "String", "StringValue": "attribute-text"}
    said = {"Message": "body-text", "Subject": "subject-text", "MessageAttributes": {"x": value}}
    message_id = sns(stage, "Publish", TopicArn=topic, **said)["MessageId"]
    entries = [{"Id": "a", **said}]
    sns(stage, "PublishBatch", TopicArn=topic, PublishBatchRequestEntries=entries)
    created, single, batch = stage.events()
    assert created["managementEvent"]
    assert "-text" not in json.dumps([single, batch])
    parameters = {"topicArn": topic, "message": HIDDEN, "subject": HIDDEN, "messageAttributes": HIDDEN}
    assert single["requestParameters"] == parameters
    assert single["responseElements"] == {"messageId": message_id}
    for event in (single, batch):
        assert (event["eventSource"], event["eventCategory"]) == ("sns.amazonaws.com", "Data")
        assert event["resources"] == [{"accountId": ACCOUNT, "type": "AWS::SNS::Topic", "ARN": topic}]


def test_records_of_subscriptions_hide_endpoint_and_token(stage: Stage, topic: str) -> None:
    secret = "http://hooks.example.com/T000/B000/s3cr3t"
    arn = subscribe(stage, "http", secret)
    token = token_of(stage, arn)
    sns(stage, "ConfirmSubscription", TopicArn=topic, Token=token)
    make_queue(stage)
    subscribe(stage)
    text = json.dumps(list(stage.events()))
    assert "s3cr3t" not in text
    assert token not in text
    last = list(stage.events())[-1]
    assert [item["ARN"] for item in last["resources"]] == [topic, QUEUE]


def test_deliveries_into_queues_are_events_of_no_account(stage: Stage, topic: str) -> None:
    make_queue(stage)
    subscribe(stage)
    sns(stage, "Publish", TopicArn=topic, Message="x")
    before = len(list(stage.events()))
    deliver(stage)
    assert len(list(stage.events())) == before
