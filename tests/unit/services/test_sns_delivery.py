"""From Publish to subscribers: queues, web servers and files, on the virtual clock."""

import asyncio
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.exceptions import InvalidSignature
from sns_scenes import DEAD, QUEUE, TOPIC, Subscriber, bodies, check_signature, deliver, make_queue, sns, sqs, subscribe
from sns_scenes import subscriber as listening

from apitrail.settings import Settings, Sns
from apitrail.testing import Stage


@pytest.fixture
def topic(stage: Stage) -> str:
    arn: str = sns(stage, "CreateTopic", Name="news")["TopicArn"]
    assert arn == TOPIC
    return arn


@pytest.fixture
def subscriber() -> Iterator[Subscriber]:
    with listening() as door:
        yield door


def publish(stage: Stage, text: str, **more: Any) -> str:
    message_id: str = sns(stage, "Publish", TopicArn=TOPIC, Message=text, **more)["MessageId"]
    return message_id


def confirm(stage: Stage, subscriber: Subscriber) -> None:
    """Follow the link of the confirmation message."""
    deliver(stage)
    query = parse_qs(urlsplit(subscriber.envelopes()[-1]["SubscribeURL"]).query)
    sns(stage, "ConfirmSubscription", TopicArn=query["TopicArn"][0], Token=query["Token"][0])
    subscriber.got.clear()


def log_of(stage: Stage) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (stage.data_dir / "sns" / "deliveries.log").read_text().splitlines()]


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def test_a_queue_gets_signed_envelopes_in_order(stage: Stage, topic: str) -> None:
    url = make_queue(stage)
    subscription = subscribe(stage)
    ids = [publish(stage, f"message {number}", Subject="hello") for number in range(5)]
    deliver(stage)
    envelopes = [json.loads(body) for body in bodies(stage, url)]
    assert [envelope["MessageId"] for envelope in envelopes] == ids
    assert [envelope["Message"] for envelope in envelopes] == [f"message {number}" for number in range(5)]
    first = envelopes[0]
    check_signature(stage, first)
    assert (first["Type"], first["TopicArn"], first["Subject"]) == ("Notification", TOPIC, "hello")
    assert first["Timestamp"] == "2026-03-04T09:15:00.000Z"
    assert first["UnsubscribeURL"].endswith(f"SubscriptionArn={subscription}&Version=2010-03-31")
    assert [line["status"] for line in log_of(stage)] == ["SUCCESS"] * 5


def test_a_changed_envelope_fails_the_check(stage: Stage, topic: str) -> None:
    url = make_queue(stage)
    subscribe(stage)
    publish(stage, "true")
    deliver(stage)
    envelope = json.loads(bodies(stage, url)[0])
    check_signature(stage, envelope)
    with pytest.raises(InvalidSignature):
        check_signature(stage, {**envelope, "Message": "false"})


def test_the_second_signature_version_is_sha256(stage: Stage, topic: str) -> None:
    url = make_queue(stage)
    subscribe(stage)
    sns(stage, "SetTopicAttributes", TopicArn=TOPIC, AttributeName="SignatureVersion", AttributeValue="2")
    publish(stage, "x")
    deliver(stage)
    envelope = json.loads(bodies(stage, url)[0])
    assert envelope["SignatureVersion"] == "2"
    check_signature(stage, envelope)


def test_raw_delivery_hands_the_bare_message_and_its_attributes_to_a_queue(stage: Stage, topic: str) -> None:
    url = make_queue(stage)
    subscribe(stage, RawMessageDelivery="true")
    publish(stage, '{"a":1}', MessageAttributes={"kind": {"DataType": "String", "StringValue": "x"}})
    deliver(stage)
    message = sqs(stage, "ReceiveMessage", QueueUrl=url, MessageAttributeNames=["All"])["Messages"][0]
    assert message["Body"] == '{"a":1}'
    assert message["MessageAttributes"] == {"kind": {"DataType": "String", "StringValue": "x"}}


def test_envelopes_show_attributes_and_each_protocol_its_own_text(stage: Stage, topic: str) -> None:
    url = make_queue(stage)
    subscribe(stage)
    attributes = {
        "kind": {"DataType": "String", "StringValue": "x"},
        "bytes": {"DataType": "Binary", "BinaryValue": b"\0\1"},
    }
    texts = json.dumps({"default": "for all", "sqs": "for queues"})
    publish(stage, texts, MessageStructure="json", MessageAttributes=attributes)
    deliver(stage)
    envelope = json.loads(bodies(stage, url)[0])
    assert envelope["Message"] == "for queues"
    assert envelope["MessageAttributes"] == {
        "kind": {"Type": "String", "Value": "x"},
        "bytes": {"Type": "Binary", "Value": "AAE="},
    }


def test_a_filter_keeps_what_is_not_wanted_away(stage: Stage, topic: str) -> None:
    url = make_queue(stage)
    subscribe(stage, FilterPolicy='{"kind":["x",{"prefix":"y-"}]}', RawMessageDelivery="true")
    for kind in ("x", "y-1", "z"):
        publish(stage, kind, MessageAttributes={"kind": {"DataType": "String", "StringValue": kind}})
    publish(stage, "none")
    deliver(stage)
    assert bodies(stage, url) == ["x", "y-1"]


def test_a_filter_may_look_into_the_body(stage: Stage, topic: str) -> None:
    url = make_queue(stage)
    policy = '{"detail":{"size":[{"numeric":[">",10]}]}}'
    subscribe(stage, FilterPolicy=policy, FilterPolicyScope="MessageBody", RawMessageDelivery="true")
    for text in ('{"detail":{"size":11}}', '{"detail":{"size":10}}', "no JSON"):
        publish(stage, text)
    deliver(stage)
    assert bodies(stage, url) == ['{"detail":{"size":11}}']


def test_a_queue_whose_policy_does_not_let_sns_in_gets_nothing(stage: Stage, topic: str) -> None:
    url = sqs(stage, "CreateQueue", QueueName="work")["QueueUrl"]
    subscribe(stage)
    publish(stage, "x")
    deliver(stage)
    assert bodies(stage, url) == []
    assert log_of(stage)[-1]["status"] == "FAILURE"
    assert log_of(stage)[-1]["delivery"]["providerResponse"].startswith("AccessDenied")
    assert deliver(stage) is None


def test_what_cannot_be_delivered_goes_to_the_dead_letter_queue(stage: Stage, topic: str) -> None:
    dead = make_queue(stage, DEAD)
    make_queue(stage)
    subscribe(stage, RedrivePolicy=json.dumps({"deadLetterTargetArn": DEAD}))
    sqs(stage, "DeleteQueue", QueueUrl=dead.replace("dead", "work"))
    message_id = publish(stage, "x")
    deliver(stage)
    assert [json.loads(body)["MessageId"] for body in bodies(stage, dead)] == [message_id]
    assert log_of(stage)[-1]["status"] == "DEAD_LETTER"


def test_a_web_server_confirms_and_then_gets_notifications(stage: Stage, topic: str, subscriber: Subscriber) -> None:
    arn = subscribe(stage, "http", subscriber.url + "?x=1")
    publish(stage, "before anybody confirmed")
    deliver(stage)
    headers, _ = subscriber.got[0]
    asked = subscriber.envelopes()[0]
    assert len(subscriber.got) == 1
    assert headers["x-amz-sns-message-type"] == asked["Type"] == "SubscriptionConfirmation"
    assert (headers[":path"], headers["content-type"]) == ("/hook?x=1", "text/plain; charset=UTF-8")
    check_signature(stage, asked)
    confirm(stage, subscriber)
    message_id = publish(stage, "after")
    deliver(stage)
    headers, _ = subscriber.got[0]
    told = subscriber.envelopes()[0]
    assert headers["x-amz-sns-message-type"] == told["Type"] == "Notification"
    assert headers["x-amz-sns-message-id"] == told["MessageId"] == message_id
    assert headers["x-amz-sns-topic-arn"] == TOPIC
    assert headers["x-amz-sns-subscription-arn"] == arn
    check_signature(stage, told)


def test_a_user_and_password_in_the_url_are_sent_as_basic_authentication(
    stage: Stage, topic: str, subscriber: Subscriber
) -> None:
    subscribe(stage, "http", subscriber.url.replace("http://", "http://ann:s%40crt@"))
    deliver(stage)
    assert subscriber.got[0][0]["authorization"] == "Basic YW5uOnNAY3J0"
    assert "s%40crt" not in (stage.data_dir / "sns" / "deliveries.log").read_text()
    assert all("s%40crt" not in json.dumps(event) for event in stage.events())


def test_raw_delivery_over_http_says_so(stage: Stage, topic: str, subscriber: Subscriber) -> None:
    policy = json.dumps({"requestPolicy": {"headerContentType": "application/json"}})
    subscribe(stage, "http", subscriber.url, RawMessageDelivery="true", DeliveryPolicy=policy)
    confirm(stage, subscriber)
    publish(stage, '{"a":1}')
    deliver(stage)
    headers, body = subscriber.got[0]
    assert body == '{"a":1}'
    assert (headers["x-amz-sns-rawdelivery"], headers["content-type"]) == ("true", "application/json")


def test_failures_are_repeated_with_the_same_message_id_and_nothing_overtakes(
    stage: Stage, topic: str, subscriber: Subscriber
) -> None:
    subscribe(stage, "http", subscriber.url)
    confirm(stage, subscriber)
    subscriber.statuses = [503, 429, 200]
    first, second = publish(stage, "1"), publish(stage, "2")
    assert deliver(stage) == pytest.approx(20)
    stage.advance(20, step=20)
    deliver(stage)
    assert len(subscriber.got) == 2
    stage.advance(20, step=20)
    deliver(stage)
    assert [envelope["MessageId"] for envelope in subscriber.envelopes()] == [first, first, first, second]
    noted = [(line["status"], line["delivery"]["statusCode"], line["delivery"]["attempts"]) for line in log_of(stage)]
    assert noted[1:] == [("RETRY", 503, 1), ("RETRY", 429, 2), ("SUCCESS", 200, 3), ("SUCCESS", 200, 1)]


def test_after_the_last_retry_the_next_message_has_its_turn(stage: Stage, topic: str, subscriber: Subscriber) -> None:
    dead = make_queue(stage, DEAD)
    policy = {"healthyRetryPolicy": {"numRetries": 2, "minDelayTarget": 1, "maxDelayTarget": 1}}
    redrive = json.dumps({"deadLetterTargetArn": DEAD})
    subscribe(stage, "http", subscriber.url, DeliveryPolicy=json.dumps(policy), RedrivePolicy=redrive)
    confirm(stage, subscriber)
    subscriber.statuses = [500, 500, 500]
    first, second = publish(stage, "1"), publish(stage, "2")
    for _ in range(3):
        deliver(stage)
        stage.advance(1)
    assert [envelope["MessageId"] for envelope in subscriber.envelopes()] == [first] * 3 + [second]
    assert [json.loads(body)["MessageId"] for body in bodies(stage, dead)] == [first]


@pytest.mark.parametrize("status", [301, 302, 400, 404, 410])
def test_answers_that_would_stay_the_same_are_not_asked_for_again(
    stage: Stage, topic: str, subscriber: Subscriber, status: int
) -> None:
    subscribe(stage, "http", subscriber.url)
    confirm(stage, subscriber)
    subscriber.statuses, subscriber.location = [status], subscriber.url + "/elsewhere"
    publish(stage, "x")
    assert deliver(stage) is None
    assert [headers[":path"] for headers, _ in subscriber.got] == ["/hook"]
    assert log_of(stage)[-1]["status"] == "FAILURE"


def test_a_server_that_is_away_holds_up_nobody_else(stage: Stage, topic: str, subscriber: Subscriber) -> None:
    subscribe(stage, "http", f"http://127.0.0.1:{closed_port()}/")
    url = make_queue(stage)
    subscribe(stage)
    publish(stage, "x")
    assert deliver(stage) == pytest.approx(20)
    assert len(bodies(stage, url)) == 1


def test_a_server_that_never_answers_is_given_up_in_time(tmp_path: Path) -> None:
    settings = Settings(sns=Sns(http_timeout_s=0.1))
    with Stage(tmp_path, settings) as stage, socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        sns(stage, "CreateTopic", Name="news")
        subscribe(stage, "http", f"http://127.0.0.1:{silent.getsockname()[1]}/")
        assert deliver(stage) == pytest.approx(20)
        assert log_of(stage)[-1]["delivery"]["providerResponse"] == "no answer within 0.1 s"


def test_a_certificate_that_nobody_trusts_is_refused(stage: Stage, topic: str, subscriber: Subscriber) -> None:
    subscribe(stage, "https", subscriber.url.replace("http:", "https:"))
    assert deliver(stage) == pytest.approx(20)
    assert "SSL" in log_of(stage)[-1]["delivery"]["providerResponse"]


def test_an_https_server_with_a_trusted_certificate_is_served(tmp_path: Path, subscriber: Subscriber) -> None:
    ca_file = subscriber.use_tls(tmp_path)
    for settings, count in ((Sns(ca_file=str(ca_file)), 1), (Sns(), 1)):
        with Stage(tmp_path / f"data{settings.ca_file != ''}", Settings(sns=settings)) as stage:
            sns(stage, "CreateTopic", Name="news")
            subscribe(stage, "https", subscriber.url)
            deliver(stage)
            assert len(subscriber.got) == count
    assert "certificate cannot be trusted" in log_of(stage)[-1]["delivery"]["providerResponse"]


def test_certificates_that_cannot_be_read_are_told_in_the_delivery_log(tmp_path: Path, subscriber: Subscriber) -> None:
    with Stage(tmp_path / "data", Settings(sns=Sns(ca_file=str(tmp_path / "missing.pem")))) as stage:
        sns(stage, "CreateTopic", Name="news")
        subscribe(stage, "http", subscriber.url)
        assert deliver(stage) == pytest.approx(20)
        assert log_of(stage)[-1]["delivery"]["providerResponse"].startswith("sns.ca_file or DATA/sns cannot be used")


def test_throttled_subscriptions_get_so_many_messages_a_second(
    stage: Stage, topic: str, subscriber: Subscriber
) -> None:
    policy = json.dumps({"throttlePolicy": {"maxReceivesPerSecond": 2}})
    subscribe(stage, "http", subscriber.url, DeliveryPolicy=policy)
    confirm(stage, subscriber)
    stage.advance(1)
    for number in range(4):
        publish(stage, str(number))
    for _ in range(2):
        assert deliver(stage) == pytest.approx(0.5)
        stage.advance(0.5, step=0.5)
    assert len(subscriber.got) == 2


def test_nobody_confirming_ends_the_subscription_after_three_days(
    stage: Stage, topic: str, subscriber: Subscriber
) -> None:
    arn = subscribe(stage, "http", subscriber.url)
    stage.advance(3 * 86400 + 1, step=86400)
    with pytest.raises(Exception, match="Subscription does not exist"):
        sns(stage, "GetSubscriptionAttributes", SubscriptionArn=arn)
    assert deliver(stage) is None


def test_asking_again_replaces_the_message_and_the_token_that_nobody_used(
    stage: Stage, topic: str, subscriber: Subscriber
) -> None:
    arn = subscribe(stage, "http", subscriber.url)
    stage.advance(2 * 86400, step=86400)
    assert subscribe(stage, "http", subscriber.url) == arn
    deliver(stage)
    assert len(subscriber.got) == 1
    stage.advance(2 * 86400, step=86400)
    confirm(stage, subscriber)
    stage.advance(2 * 86400, step=86400)
    assert sns(stage, "GetSubscriptionAttributes", SubscriptionArn=arn)["Attributes"]["PendingConfirmation"] == "false"


def test_ending_a_subscription_ends_its_deliveries(stage: Stage, topic: str) -> None:
    url = make_queue(stage)
    arn = subscribe(stage)
    publish(stage, "x")
    sns(stage, "Unsubscribe", SubscriptionArn=arn)
    deliver(stage)
    assert bodies(stage, url) == []
    counts = stage.read(
        lambda ctx: [ctx.tx.one(f"SELECT count(*) FROM topic_{name}") for name in ("messages", "lanes")]
    )
    assert counts == [(0,), (0,)]


def test_deleting_a_topic_leaves_nothing_behind(stage: Stage, topic: str) -> None:
    make_queue(stage)
    subscribe(stage)
    publish(stage, "x")
    sns(stage, "DeleteTopic", TopicArn=TOPIC)
    sns(stage, "DeleteTopic", TopicArn=TOPIC)
    assert deliver(stage) is None
    assert stage.read(lambda ctx: ctx.tx.one("SELECT count(*) FROM topic_messages")) == (0,)


def test_a_stop_in_the_middle_of_an_attempt_makes_it_again(tmp_path: Path) -> None:
    with Stage(tmp_path / "a") as stage, listening() as subscriber:
        sns(stage, "CreateTopic", Name="news")
        subscribe(stage, "http", subscriber.url)
        confirm(stage, subscriber)
        message_id = publish(stage, "x")

        async def stopped() -> None:
            tick = asyncio.ensure_future(stage.app.courier.tick())
            while not subscriber.got:
                await asyncio.sleep(0.001)
            tick.cancel()
            await asyncio.gather(tick, return_exceptions=True)

        stage.run(stopped())
        deliver(stage)
        assert {envelope["MessageId"] for envelope in subscriber.envelopes()} == {message_id}
        assert stage.read(lambda ctx: ctx.tx.one("SELECT count(*) FROM topic_deliveries")) == (0,)


def test_more_messages_than_may_wait_are_left_out(tmp_path: Path) -> None:
    with Stage(tmp_path, Settings(sns=Sns(waiting_max=3))) as stage:
        sns(stage, "CreateTopic", Name="news")
        url = make_queue(stage)
        subscribe(stage, RawMessageDelivery="true")
        for number in range(5):
            publish(stage, str(number))
        deliver(stage)
        assert bodies(stage, url) == ["0", "1", "2"]


def test_files_get_a_line_for_each_message(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    with Stage(tmp_path / "data", Settings(sns=Sns(files_folder=str(folder)))) as stage:
        sns(stage, "CreateTopic", Name="news")
        subscribe(stage, "file", "file://alerts/raw.jsonl", RawMessageDelivery="true")
        subscribe(stage, "file", "file:///whole.jsonl")
        publish(stage, '{"a":\n1}')
        deliver(stage)
        raw = folder / "alerts" / "raw.jsonl"
        raw.write_text(raw.read_text() + '{"cut sho')
        publish(stage, "two\nlines")
        deliver(stage)
        assert raw.read_text().splitlines() == ['{"a":1}', '{"cut sho', '"two\\nlines"']
        lines = [json.loads(line) for line in (folder / "whole.jsonl").read_text().splitlines()]
        assert [line["Message"] for line in lines] == ['{"a":\n1}', "two\nlines"]


def test_a_link_that_leads_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    folder, outside = tmp_path / "files", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (folder / "link").symlink_to(outside)
    (folder / "file.jsonl").symlink_to(outside / "file.jsonl")
    with Stage(tmp_path / "data", Settings(sns=Sns(files_folder=str(folder)))) as stage:
        sns(stage, "CreateTopic", Name="news")
        for name in ("link/file.jsonl", "file.jsonl"):
            subscribe(stage, "file", f"file://{name}")
        publish(stage, "x")
        deliver(stage)
        assert list(outside.iterdir()) == []
        assert {line["status"] for line in log_of(stage)} == {"RETRY"}


def test_queues_of_another_service_get_signed_calls(tmp_path: Path, subscriber: Subscriber) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cr3t\n")
    base = subscriber.url.removesuffix("/hook")
    settings = Sns(sqs_endpoint=base, sqs_access_key="AKIAOTHER", sqs_secret_key_file=str(secret))
    with Stage(tmp_path / "data", Settings(sns=settings)) as stage:
        sns(stage, "CreateTopic", Name="news")
        subscribe(stage, "sqs", QUEUE, RawMessageDelivery="true")
        attributes = {"b": {"DataType": "Binary", "BinaryValue": b"\0"}}
        publish(stage, "over there", MessageAttributes=attributes)
        deliver(stage)
    headers, body = subscriber.got[0]
    assert headers["x-amz-target"] == "AmazonSQS.SendMessage"
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIAOTHER/20260304/us-west-2/sqs/")
    assert json.loads(body) == {
        "QueueUrl": f"{base}/111122223333/work",
        "MessageBody": "over there",
        "MessageAttributes": {"b": {"DataType": "Binary", "BinaryValue": "AA=="}},
    }


def test_the_key_outlives_a_restart_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    names = []
    for _ in range(2):
        with Stage(tmp_path) as stage:
            sns(stage, "CreateTopic", Name="news")
            url = make_queue(stage)
            subscribe(stage)
            publish(stage, "x")
            deliver(stage)
            names.append(json.loads(bodies(stage, url)[0])["SigningCertURL"])
            assert stage.app.sns_certificate("../signing.key") is None
            assert stage.app.sns_certificate("signing.key") is None
    assert names[0] == names[1]
    assert (tmp_path / "sns" / "signing.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "sns").stat().st_mode & 0o777 == 0o700
