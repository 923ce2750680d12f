"""From the mark of a log file to a message in a queue, and what happens when the topic does not take it."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from apitrail.errors import ServiceError
from apitrail.testing import Stage
from apitrail.testing.stage import ACCOUNT, REGION, root
from apitrail.trail.notify import KEYS_MAX, Notification, messages_of

TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:logs"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:logs"
TRAIL = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/main"
VALIDATION = "CloudTrail validation message."
PERIOD_S = 300


class Scene:
    """A stage with a bucket, a topic that takes CloudTrail's messages, and a queue behind it."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.call("s3", "CreateBucket", Bucket="logs", CreateBucketConfiguration={"LocationConstraint": REGION})
        self.call("sns", "CreateTopic", Name="logs")
        self.allow(TRAIL)
        self.url = self.call(
            "sqs", "CreateQueue", QueueName="logs", Attributes={"Policy": allowing("sns", "sqs:SendMessage", QUEUE)}
        )["QueueUrl"]
        subscription = {
            "TopicArn": TOPIC,
            "Protocol": "sqs",
            "Endpoint": QUEUE,
            "Attributes": {"RawMessageDelivery": "true"},
        }
        self.call("sns", "Subscribe", **subscription)
        self.tick("delivery")

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        return self.stage.call_(operation, params, service=service)

    def refused(self, operation: str, **params: Any) -> ServiceError:
        with pytest.raises(ServiceError) as caught:
            self.call("cloudtrail", operation, **params)
        return caught.value

    def allow(self, source: str) -> None:
        """Let CloudTrail publish for one trail only."""
        policy = allowing("cloudtrail", "SNS:Publish", TOPIC, source)
        self.call("sns", "SetTopicAttributes", TopicArn=TOPIC, AttributeName="Policy", AttributeValue=policy)

    def trail(self, topic: str = "logs", **more: Any) -> dict[str, Any]:
        made = self.call("cloudtrail", "CreateTrail", Name="main", S3BucketName="logs", SnsTopicName=topic, **more)
        self.call("cloudtrail", "StartLogging", Name="main")
        return made

    def tick(self, *names: str) -> None:
        workers = {worker.name: worker for worker in self.stage.app.workers}
        for name in names or ("delivery", "notifications", "sns"):
            self.stage.run(workers[name].tick())

    def next_period(self, *, announce: bool = True) -> None:
        self.tick("delivery")
        self.stage.clock.advance(PERIOD_S)
        self.tick("delivery")
        if announce:
            self.tick("notifications", "sns")

    def messages(self) -> list[str]:
        """Take everything out of the queue, without a call of its own in the journal's way."""
        found: list[str] = []
        while taken := self.call("sqs", "ReceiveMessage", QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages"):
            for message in taken:
                self.call("sqs", "DeleteMessage", QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
                found.append(message["Body"])
        return found

    def keys(self) -> list[str]:
        """Return the keys of the log files in the bucket."""
        folder = self.stage.data_dir / "buckets" / "logs"
        return sorted(str(path.relative_to(folder)) for path in folder.glob("**/AWSLogs/**/*.json.gz"))

    def status(self, **more: Any) -> dict[str, Any]:
        return self.call("cloudtrail", "GetTrailStatus", Name="main", **more)


def allowing(service: str, action: str, resource: str, source: str = "") -> str:
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": action,
        "Resource": resource,
    }
    if source:
        statement["Condition"] = {"StringEquals": {"aws:SourceArn": source}}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with Stage(tmp_path) as stage:
        yield Scene(stage)


def test_setting_a_topic_publishes_the_message_that_tries_it_out(scene: Scene) -> None:
    made = scene.trail()
    assert (made["SnsTopicName"], made["SnsTopicARN"]) == ("logs", TOPIC)
    scene.tick()
    assert scene.messages() == [VALIDATION]
    scene.call("cloudtrail", "UpdateTrail", Name="main", SnsTopicName=TOPIC)
    scene.call("cloudtrail", "UpdateTrail", Name="main", IsMultiRegionTrail=True)
    scene.tick()
    assert scene.messages() == []
    assert scene.call("cloudtrail", "GetTrail", Name="main")["Trail"]["SnsTopicARN"] == TOPIC


def test_a_log_file_is_announced_with_its_bucket_and_key(scene: Scene) -> None:
    scene.trail()
    scene.next_period()
    announced = [json.loads(text) for text in scene.messages() if text != VALIDATION]
    assert announced == [{"s3Bucket": "logs", "s3ObjectKey": scene.keys()}]
    body = (scene.stage.data_dir / "buckets" / "logs" / announced[0]["s3ObjectKey"][0]).read_bytes()
    assert [record["eventName"] for record in json.loads(gzip.decompress(body))["Records"]] == ["StartLogging"]


def test_no_message_comes_before_the_mark_and_one_after_a_crash(scene: Scene) -> None:
    scene.trail()
    scene.next_period(announce=False)
    assert scene.messages() == []
    assert len(scene.keys()) == 1
    scene.tick("notifications")
    scene.tick("notifications")
    scene.tick("sns")
    announced = [json.loads(text)["s3ObjectKey"] for text in scene.messages() if text != VALIDATION]
    assert announced == [scene.keys()]


def test_notifying_is_an_event_of_no_trail(scene: Scene) -> None:
    scene.trail()
    advanced = [
        {
            "FieldSelectors": [
                {"Field": "eventCategory", "Equals": ["Data"]},
                {"Field": "resources.type", "Equals": ["AWS::SNS::Topic"]},
            ]
        }
    ]
    scene.call("cloudtrail", "PutEventSelectors", TrailName="main", AdvancedEventSelectors=advanced)
    before = len(list(scene.stage.events()))
    scene.next_period()
    scene.next_period()
    assert len(list(scene.stage.events())) == before


def test_status_tells_when_a_notification_went_out(scene: Scene) -> None:
    scene.trail()
    status = scene.status()
    assert "LatestNotificationTime" not in status
    assert status["LatestNotificationAttemptTime"] == status["LatestNotificationAttemptSucceeded"] == ""
    scene.next_period()
    status = scene.status()
    assert status["LatestNotificationTime"] == scene.stage.clock.now()
    assert (
        status["LatestNotificationAttemptTime"]
        == status["LatestNotificationAttemptSucceeded"]
        == "2026-03-04T09:20:00Z"
    )
    assert "LatestNotificationError" not in status


def test_what_the_topic_refuses_waits_and_is_announced_later(scene: Scene) -> None:
    scene.trail()
    scene.tick()
    scene.messages()
    scene.allow(TRAIL + "x")
    scene.next_period()
    assert scene.messages() == []
    assert scene.status()["LatestNotificationError"] == "AuthorizationError"
    assert scene.status()["LatestNotificationAttemptSucceeded"] == "2026-03-04T09:15:00Z"
    scene.allow(TRAIL)
    scene.tick()
    assert scene.messages() == []
    scene.stage.clock.advance(1)
    scene.tick("notifications", "sns")
    assert [json.loads(text)["s3ObjectKey"] for text in scene.messages()] == [scene.keys()]
    assert "LatestNotificationError" not in scene.status()


def test_a_topic_that_is_gone_is_an_error_of_the_status(scene: Scene) -> None:
    scene.trail()
    scene.call("sns", "DeleteTopic", TopicArn=TOPIC)
    scene.tick("notifications")
    assert scene.status()["LatestNotificationError"] == "NotFound"


def test_an_empty_name_ends_notifications(scene: Scene) -> None:
    scene.trail()
    scene.tick()
    scene.messages()
    answer = scene.call("cloudtrail", "UpdateTrail", Name="main", SnsTopicName="")
    assert not {"SnsTopicName", "SnsTopicARN"} & answer.keys()
    scene.next_period()
    assert len(scene.keys()) == 1
    assert scene.messages() == []


def test_the_last_log_files_of_a_deleted_trail_are_announced(scene: Scene) -> None:
    scene.trail()
    scene.call("cloudtrail", "DeleteTrail", Name="main")
    scene.next_period()
    announced = [json.loads(text)["s3ObjectKey"] for text in scene.messages() if text != VALIDATION]
    assert announced == [scene.keys()]
    left = scene.stage.read(
        lambda ctx: [ctx.tx.one(f"SELECT count(*) FROM {table}") for table in ("trail_topics", "deliveries")]
    )
    assert left == [(0,), (0,)]


def test_a_deleted_trail_does_not_wait_for_a_topic_that_is_gone(scene: Scene) -> None:
    scene.trail()
    scene.call("sns", "DeleteTopic", TopicArn=TOPIC)
    scene.call("cloudtrail", "DeleteTrail", Name="main")
    scene.next_period()
    assert scene.stage.read(lambda ctx: ctx.tx.one("SELECT count(*) FROM trail_notifications")) == (0,)


def test_a_new_trail_of_the_same_name_has_no_topic_of_the_old_one(scene: Scene) -> None:
    scene.trail()
    scene.call("cloudtrail", "DeleteTrail", Name="main")
    scene.call("cloudtrail", "CreateTrail", Name="main", S3BucketName="logs")
    scene.call("cloudtrail", "StartLogging", Name="main")
    scene.next_period()
    assert scene.keys()
    assert scene.messages() == []


@pytest.mark.parametrize(
    "name", ["a b", "x" * 257, "arn:aws:sqs:us-west-2:111122223333:logs", "arn:aws:sns:x", "logs.fifo"]
)
def test_names_that_are_no_topics_are_refused(scene: Scene, name: str) -> None:
    error = scene.refused("CreateTrail", Name="main", S3BucketName="logs", SnsTopicName=name)
    assert error.error_code == "InvalidSnsTopicNameException"


def test_a_topic_that_does_not_let_cloudtrail_in_is_refused(scene: Scene) -> None:
    said = "SNS Topic does not exist or the topic policy is incorrect!"
    scene.call("sns", "CreateTopic", Name="closed")
    for name in ("closed", "missing", TOPIC.replace(REGION, "eu-west-1")):
        error = scene.refused("CreateTrail", Name="main", S3BucketName="logs", SnsTopicName=name)
        assert (error.error_code, error.message) == ("InsufficientSnsTopicPolicyException", said)
    scene.trail()
    error = scene.refused("UpdateTrail", Name="main", SnsTopicName="closed")
    assert error.error_code == "InsufficientSnsTopicPolicyException"
    assert scene.call("cloudtrail", "GetTrail", Name="main")["Trail"]["SnsTopicARN"] == TOPIC


def test_a_trail_of_all_regions_notifies_one_topic_for_all_of_them(scene: Scene) -> None:
    scene.trail(IsMultiRegionTrail=True)
    scene.tick()
    scene.messages()
    scene.stage.call_("CreateTopic", {"Name": "x"}, service="sns", region="eu-west-1")
    scene.next_period()
    keys = [key for text in scene.messages() for key in json.loads(text)["s3ObjectKey"]]
    assert sorted(keys) == scene.keys()
    assert {key.split("/")[3] for key in keys} == {REGION, "eu-west-1"}
    elsewhere = scene.stage.call_("GetTrailStatus", {"Name": TRAIL}, service="cloudtrail", region="eu-west-1")
    assert elsewhere["LatestNotificationAttemptSucceeded"] == "2026-03-04T09:20:00Z"


def test_a_topic_of_another_account_may_be_used_if_it_lets_the_trail_in(scene: Scene) -> None:
    other = root("444455556666")
    theirs = TOPIC.replace(ACCOUNT, "444455556666")
    scene.stage.call_("CreateTopic", {"Name": "logs"}, service="sns", principal=other)
    refused = scene.refused("CreateTrail", Name="main", S3BucketName="logs", SnsTopicName=theirs)
    assert refused.error_code == "InsufficientSnsTopicPolicyException"
    policy = allowing("cloudtrail", "SNS:Publish", theirs, TRAIL)
    change = {"TopicArn": theirs, "AttributeName": "Policy", "AttributeValue": policy}
    scene.stage.call_("SetTopicAttributes", change, service="sns", principal=other)
    assert scene.trail(theirs)["SnsTopicARN"] == theirs


def test_many_log_files_share_messages_of_bounded_size() -> None:
    rows = [Notification(number, TRAIL, REGION, TOPIC, "logs", f"key{number}") for number in range(KEYS_MAX + 1)]
    first = Notification(0, TRAIL, REGION, TOPIC, "", "")
    texts = messages_of([first, *rows, Notification(99, TRAIL, REGION, TOPIC, "other", "key")])
    assert texts[0] == VALIDATION
    told = [orjson.loads(text) for text in texts[1:]]
    assert [(item["s3Bucket"], len(item["s3ObjectKey"])) for item in told] == [
        ("logs", KEYS_MAX),
        ("logs", 1),
        ("other", 1),
    ]
    assert texts[3] == '{"s3Bucket":"other","s3ObjectKey":["key"]}'
