"""SNS, SQS and trail notifications on real processes: unchanged clients, a strict reader, a web server, kill -9."""

import base64
import gzip
import json
import re
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import ACCOUNT, REGION, Running
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
SIGNED = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
REQUIRED = (
    "eventVersion",
    "userIdentity",
    "eventTime",
    "eventSource",
    "eventName",
    "awsRegion",
    "eventID",
    "eventType",
)


class Hook:
    """A web server on loopback that keeps what it is sent. status: what it answers."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.status = 200
        hook = self

        class Door(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                hook.got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(hook.status)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"


@contextmanager
def listening() -> Iterator[Hook]:
    hook = Hook()
    thread = threading.Thread(target=hook.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield hook
    finally:
        hook.server.shutdown()
        thread.join()
        hook.server.server_close()


def wait(ask: Callable[[], Any], seconds: float = 20) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := ask():
            return answer
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        content: bytes = answer.read()
    return content


def check(envelope: dict[str, Any]) -> None:
    """Check an envelope as a subscriber does: with the certificate behind its URL, and a string of our own making."""
    key: Any = x509.load_pem_x509_certificate(fetch(envelope["SigningCertURL"])).public_key()
    text = "".join(f"{name}\n{envelope[name]}\n" for name in SIGNED if name in envelope)
    key.verify(base64.b64decode(envelope["Signature"]), text.encode(), padding.PKCS1v15(), hashes.SHA1())


def allowing(service: str, action: str, resource: str, source: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": action,
        "Resource": resource,
        "Condition": {"StringEquals": {"aws:SourceArn": source}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def make_chain(server: Running, topic: str, queue: str, trail: str) -> tuple[str, str]:
    """Make a topic for a trail with a queue behind it; return the topic's ARN and the queue's URL."""
    topics, queues = server.client("sns"), server.client("sqs")
    arn = topics.create_topic(Name=topic)["TopicArn"]
    source = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/{trail}"
    policy = allowing("cloudtrail", "SNS:Publish", arn, source)
    topics.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy)
    queue_arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"
    attributes = {"Policy": allowing("sns", "sqs:SendMessage", queue_arn, arn)}
    url = queues.create_queue(QueueName=queue, Attributes=attributes)["QueueUrl"]
    topics.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue_arn)
    return arn, url


def read_strictly(body: bytes) -> list[dict[str, Any]]:
    """Parse a log file as Amazon's own reader does: first key, then types; raise for anything else."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({name for name, _ in items}) == len(items), "a name stands twice"
        return dict(items)

    content = json.loads(gzip.decompress(body).decode("utf-8"), object_pairs_hook=pairs)
    assert list(content) == ["Records"]
    for record in content["Records"]:
        assert all(name in record for name in REQUIRED)
        assert str(uuid.UUID(record["eventID"])) == record["eventID"]
        assert TIME.fullmatch(record["eventTime"])
        assert record["readOnly"] in (True, False)
        assert record["managementEvent"] in (True, False)
        assert int(record["eventVersion"].partition(".")[0]) == 1
        assert all(isinstance(record[name], dict | None) for name in ("requestParameters", "responseElements"))
    return list(content["Records"])


class Reader:
    """A consumer of log files: it polls a queue, and reads what notifications name, through S3."""

    def __init__(self, server: Running, url: str) -> None:
        self.queues, self.objects, self.url = server.client("sqs"), server.client("s3"), url
        self.records: list[dict[str, Any]] = []
        self.validations = 0

    def poll(self) -> None:
        answer = self.queues.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=2)
        for message in answer.get("Messages", []):
            self.take(json.loads(message["Body"]))
            self.queues.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])

    def take(self, envelope: dict[str, Any]) -> None:
        assert envelope["Type"] == "Notification"
        check(envelope)
        if envelope["Message"] == "CloudTrail validation message.":
            self.validations += 1
            return
        named = json.loads(envelope["Message"])
        assert list(named) == ["s3Bucket", "s3ObjectKey"]
        for key in named["s3ObjectKey"]:
            body = self.objects.get_object(Bucket=named["s3Bucket"], Key=key)["Body"].read()
            self.records += read_strictly(body)

    def names(self) -> list[str]:
        return [record["eventName"] for record in self.records]


def test_a_reader_behind_topic_and_queue_gets_every_event_of_a_trail(make_server: Callable[..., Running]) -> None:
    server = make_server()
    _, url = make_chain(server, "logs", "logs", "main")
    server.make_trail(SnsTopicName="logs")
    reader = Reader(server, url)
    games = server.client("gamelift")
    made = [
        games.create_alias(Name=f"a{number}", RoutingStrategy={"Type": "TERMINAL", "Message": "x"})["ResponseMetadata"]
        for number in range(20)
    ]
    wanted = {item["RequestId"] for item in made}

    def all_read() -> bool:
        reader.poll()
        return wanted <= {record["requestID"] for record in reader.records}

    wait(all_read)
    assert reader.validations == 1
    ids = [record["eventID"] for record in reader.records]
    assert len(set(ids)) == len(ids)
    status = server.client("cloudtrail").get_trail_status(Name="main")
    assert status["LatestNotificationTime"] >= status["LatestDeliveryTime"].replace(microsecond=0)
    assert "LatestNotificationError" not in status


def test_notifications_outlive_a_kill(make_server: Callable[..., Running]) -> None:
    server = make_server()
    _, url = make_chain(server, "logs", "logs", "main")
    server.make_trail(SnsTopicName="logs")
    games = server.client("gamelift")
    names = ["before", "between"]
    for name in names:
        games.create_alias(Name=name, RoutingStrategy={"Type": "TERMINAL", "Message": "x"})
        server.kill()
        server.start()
        games = server.client("gamelift")
    reader = Reader(server, url.replace(url.split("/")[2], server.endpoint.split("/")[2]))

    def all_read() -> bool:
        reader.poll()
        parameters = [record["requestParameters"] for record in reader.records if record["eventName"] == "CreateAlias"]
        return {item["name"] for item in parameters} == set(names)

    reader.take = lambda envelope: Reader.take(reader, moved(envelope, server))  # type: ignore[method-assign]
    wait(all_read)


def moved(envelope: dict[str, Any], server: Running) -> dict[str, Any]:
    """Return an envelope whose certificate is looked for where the server is now; its port is another after each start."""
    path = envelope["SigningCertURL"].split("/", 3)[3]
    return {**envelope, "SigningCertURL": f"{server.endpoint}/{path}"}


def test_a_web_server_confirms_by_link_and_gets_messages_it_can_check(server: Running) -> None:
    topics = server.client("sns")
    with listening() as hook:
        arn = topics.create_topic(Name="web")["TopicArn"]
        answer = topics.subscribe(TopicArn=arn, Protocol="http", Endpoint=hook.url)
        assert answer["SubscriptionArn"] == "pending confirmation"
        (asked,) = wait(lambda: hook.got[:])
        check(asked)
        confirmed = fetch(asked["SubscribeURL"]).decode()
        subscription = re.findall("<SubscriptionArn>(.*)</SubscriptionArn>", confirmed)[0]
        hook.got.clear()
        message_id = topics.publish(TopicArn=arn, Message="hello", Subject="s")["MessageId"]
        (told,) = wait(lambda: hook.got[:])
        check(told)
        assert (told["MessageId"], told["Message"], told["Subject"]) == (message_id, "hello", "s")
        fetch(told["UnsubscribeURL"])
        with pytest.raises(ClientError, match="NotFound"):
            topics.get_subscription_attributes(SubscriptionArn=subscription)


def test_a_message_that_nobody_took_is_there_after_a_kill(make_server: Callable[..., Running]) -> None:
    server = make_server()
    topics = server.client("sns")
    policy = {"healthyRetryPolicy": {"minDelayTarget": 1, "maxDelayTarget": 1, "numRetries": 100}}
    with listening() as hook:
        arn = topics.create_topic(Name="web")["TopicArn"]
        attributes = {"DeliveryPolicy": json.dumps(policy)}
        topics.subscribe(TopicArn=arn, Protocol="http", Endpoint=hook.url, Attributes=attributes)
        fetch(wait(lambda: hook.got[:])[0]["SubscribeURL"])
        hook.got.clear()
        hook.status = 503
        ids = [topics.publish(TopicArn=arn, Message=str(number))["MessageId"] for number in range(5)]
        wait(lambda: hook.got)
        server.kill()
        hook.got.clear()
        hook.status = 200
        server.start()
        wait(lambda: len(hook.got) >= 5)
        assert [item["MessageId"] for item in hook.got] == ids


def test_boto3_finds_queues_as_it_expects_them(server: Running) -> None:
    queues = server.client("sqs")
    url = queues.create_queue(QueueName="plain", Attributes={"VisibilityTimeout": "1"}, tags={"a": "b"})["QueueUrl"]
    assert url == f"{server.endpoint}/{ACCOUNT}/plain"
    value = {"n": {"DataType": "Number", "StringValue": "1"}, "b": {"DataType": "Binary", "BinaryValue": b"\0\1"}}
    queues.send_message(QueueUrl=url, MessageBody="é\U0001f600", MessageAttributes=value)
    entries = [{"Id": str(number), "MessageBody": str(number)} for number in range(3)]
    assert len(queues.send_message_batch(QueueUrl=url, Entries=entries)["Successful"]) == 3
    got = queues.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], AttributeNames=["All"]
    )
    assert got["Messages"][0]["Body"] == "é\U0001f600"
    assert got["Messages"][0]["MessageAttributes"] == value
    gone = [{"Id": str(at), "ReceiptHandle": item["ReceiptHandle"]} for at, item in enumerate(got["Messages"])]
    assert queues.delete_message_batch(QueueUrl=url, Entries=gone)["Failed"] == []
    with pytest.raises(queues.exceptions.QueueDoesNotExist):
        queues.get_queue_url(QueueName="missing")
    with pytest.raises(queues.exceptions.ReceiptHandleIsInvalid):
        queues.delete_message(QueueUrl=url, ReceiptHandle="x")


def test_a_long_poll_ends_with_the_message_and_holds_up_nobody(server: Running) -> None:
    queues = server.client("sqs")
    url = queues.create_queue(QueueName="slow")["QueueUrl"]
    found: list[Any] = []

    def poll() -> None:
        client = server.client("sqs")
        began = time.monotonic()
        found.append(client.receive_message(QueueUrl=url, WaitTimeSeconds=20))
        found.append(time.monotonic() - began)

    threads = [threading.Thread(target=poll)]
    threads[0].start()
    time.sleep(0.5)
    for _ in range(5):
        queues.list_queues()
    queues.send_message(QueueUrl=url, MessageBody="x")
    threads[0].join(15)
    assert [item["Body"] for item in found[0]["Messages"]] == ["x"]
    assert found[1] < 10


def test_errors_arrive_as_the_exceptions_of_the_sdk(server: Running) -> None:
    topics, trails = server.client("sns"), server.client("cloudtrail")
    with pytest.raises(topics.exceptions.NotFoundException):
        topics.publish(TopicArn=f"arn:aws:sns:{REGION}:{ACCOUNT}:missing", Message="x")
    with pytest.raises(topics.exceptions.InvalidParameterException):
        topics.create_topic(Name="a.fifo", Attributes={"FifoTopic": "true"})
    with pytest.raises(topics.exceptions.AuthorizationErrorException):
        topics.publish(TopicArn=f"arn:aws:sns:{REGION}:444455556666:x", Message="x")
    server.client("s3").create_bucket(Bucket="errors", CreateBucketConfiguration={"LocationConstraint": REGION})
    with pytest.raises(trails.exceptions.InsufficientSnsTopicPolicyException):
        trails.create_trail(Name="errors", S3BucketName="errors", SnsTopicName="missing")


def test_the_aws_cli_publishes_and_receives(server: Running) -> None:
    arn, url = make_chain(server, "cli", "cli", "cli")
    server.aws("sns", "publish", "--topic-arn", arn, "--message", "from the command line")
    poll = ("receive-message", "--queue-url", url, "--wait-time-seconds", "10")
    answer = server.aws("--endpoint-url", server.endpoint, "sqs", *poll)
    assert json.loads(answer["Messages"][0]["Body"])["Message"] == "from the command line"


def test_the_old_one_liner_sets_up_bucket_topic_and_trail(server: Running) -> None:
    said = server.aws(
        "cloudtrail",
        "create-subscription",
        "--name",
        "old",
        "--s3-new-bucket",
        "old-logs",
        "--sns-new-topic",
        "old-topic",
    )
    assert "Starting CloudTrail service" in said
    trail = server.client("cloudtrail").get_trail(Name="old")["Trail"]
    assert trail["SnsTopicARN"] == f"arn:aws:sns:{REGION}:{ACCOUNT}:old-topic"
    status = wait(
        lambda: (now := server.client("cloudtrail").get_trail_status(Name="old")).get("LatestNotificationTime") and now
    )
    assert status["IsLogging"]


def test_the_old_one_liner_moves_a_trail_to_another_bucket_and_topic(server: Running) -> None:
    trails = server.client("cloudtrail")
    name = ("--name", "moving")
    server.aws("cloudtrail", "create-subscription", *name, "--s3-new-bucket", "moving-1", "--sns-new-topic", "moving-1")
    new = ("--s3-new-bucket", "moving-2", "--s3-prefix", "prod", "--sns-new-topic", "moving-2")
    server.aws("cloudtrail", "update-subscription", *name, *new)
    trail = trails.get_trail(Name="moving")["Trail"]
    assert (trail["S3BucketName"], trail["S3KeyPrefix"]) == ("moving-2", "prod")
    assert trail["SnsTopicARN"] == f"arn:aws:sns:{REGION}:{ACCOUNT}:moving-2"
    assert trails.get_trail_status(Name="moving")["IsLogging"]
    closed = ("--s3-use-bucket", "moving-1", "--s3-prefix", "elsewhere")
    refused = server.aws("cloudtrail", "update-subscription", *name, *closed, check=False)
    assert "InsufficientS3BucketPolicyException" in refused
    assert trails.get_trail(Name="moving")["Trail"] == trail
