"""Stream sinks against a service on loopback: what arrives, in which form, and what happens when it is away."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from sink_scenes import KEY, SECRET, Receiver

from apitrail.errors import SettingsError
from apitrail.settings import Delivery, Events, Logs, Settings
from apitrail.store import journal
from apitrail.testing import Stage
from apitrail.trail.sinks import Item
from apitrail.trail.sinks.events import Entry, entry_of
from apitrail.trail.sinks.events import batches as event_batches
from apitrail.trail.sinks.logs import batches as log_batches
from apitrail.trail.sinks.logs import group_name, stream_name

GROUP = "arn:aws:logs:us-west-2:111122223333:log-group:audit:*"
ROLE = "arn:aws:iam::111122223333:role/CloudTrail"
LOGS = {"CloudWatchLogsLogGroupArn": GROUP, "CloudWatchLogsRoleArn": ROLE}


class SinkScene:
    """A stage whose trails may send to the receiver."""

    def __init__(self, path: Path) -> None:
        (path / "secret").write_text(f"{SECRET}\n")
        self.path = path
        self.stage = Stage(path, self.settings("http://127.0.0.1:1"))
        self.receiver = Receiver(self.stage.clock)
        self.restart()

    def settings(self, url: str, **more: Any) -> Settings:
        key = {"endpoint": url, "access_key": KEY, "secret_key_file": str(self.path / "secret"), "timeout_s": 2.0}
        return Settings(data=str(self.path), logs=Logs(**key), events=Events(**key), delivery=Delivery(retry_max_s=8.0))

    def restart(self, settings: Settings | None = None) -> None:
        clock = self.stage.clock
        self.stage.close()
        self.stage = Stage(self.path, settings or self.settings(self.receiver.url))
        self.stage.clock.jump(clock.now())
        self.receiver.clock = self.stage.clock
        self.tick("events")

    def trail(self, **more: Any) -> str:
        stage = self.stage
        stage.call("CreateBucket", Bucket="logs", CreateBucketConfiguration={"LocationConstraint": stage.region})
        arn: str = stage.call("CreateTrail", Name="audit", S3BucketName="logs", **more)["TrailARN"]
        stage.call("StartLogging", Name="audit")
        return arn

    def calls(self, count: int) -> None:
        for _ in range(count):
            self.stage.call("ListFleets")

    def tick(self, name: str) -> None:
        worker = next(worker for worker in self.stage.app.workers if worker.name == f"{name}-sink")
        while self.stage.run(worker.tick()) == 0.0:
            pass

    def logged(self) -> list[str]:
        """Return the ids of the events from StartLogging on."""
        events = list(self.stage.events())
        first = next(index for index, event in enumerate(events) if event["eventName"] == "StartLogging")
        return [event["eventID"] for event in events[first:]]

    def cursor(self, follower: str) -> int:
        return self.stage.read(lambda ctx: journal.cursor(ctx.tx, follower))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[SinkScene]:
    made = SinkScene(tmp_path)
    yield made
    made.stage.close()
    made.receiver.close()


def test_a_log_group_gets_every_event_of_its_trail_once(scene: SinkScene) -> None:
    scene.trail(**LOGS)
    scene.calls(3)
    scene.tick("logs")
    scene.calls(2)
    scene.tick("logs")
    assert scene.receiver.messages() == scene.logged()
    ((place, events),) = scene.receiver.logs.items()
    assert place == ("us-west-2", "audit", "111122223333_CloudTrail_us-west-2")
    record = orjson.loads(events[0]["message"])
    assert events[0]["timestamp"] == int(scene.stage.clock.now().timestamp()) * 1000
    assert record == next(event for event in scene.stage.events() if event["eventID"] == record["eventID"])


def test_a_missing_stream_is_made_and_the_events_written_then(scene: SinkScene) -> None:
    scene.trail(**LOGS)
    scene.tick("logs")
    assert scene.receiver.operations() == ["PutLogEvents", "CreateLogStream", "PutLogEvents"]


def test_a_stream_that_somebody_else_made_meanwhile_is_used(scene: SinkScene) -> None:
    scene.trail(**LOGS)
    scene.receiver.logs["us-west-2", "audit", "111122223333_CloudTrail_us-west-2"] = []
    scene.receiver.fail_next = [(400, "ResourceNotFoundException"), (400, "ResourceAlreadyExistsException")]
    scene.tick("logs")
    assert scene.receiver.messages() == scene.logged()


def test_the_status_of_the_trail_says_how_the_log_group_took_it(scene: SinkScene) -> None:
    scene.trail(**LOGS)
    status = scene.stage.call("GetTrailStatus", Name="audit")
    assert "LatestCloudWatchLogsDeliveryTime" not in status
    scene.receiver.groups.clear()
    scene.tick("logs")
    status = scene.stage.call("GetTrailStatus", Name="audit")
    assert status["LatestCloudWatchLogsDeliveryError"] == "ResourceNotFoundException"
    scene.receiver.groups.add("audit")
    scene.stage.clock.advance(10)
    scene.tick("logs")
    status = scene.stage.call("GetTrailStatus", Name="audit")
    assert "LatestCloudWatchLogsDeliveryError" not in status
    assert status["LatestCloudWatchLogsDeliveryTime"] == scene.stage.clock.now().replace(microsecond=0)


def test_after_an_outage_everything_arrives_once(scene: SinkScene) -> None:
    scene.trail(**LOGS)
    scene.receiver.fail_next = [(503, "ServiceUnavailable")] * 3
    for _ in range(3):
        scene.calls(2)
        scene.tick("logs")
        assert scene.receiver.messages() == []
        scene.stage.clock.advance(10)
    scene.tick("logs")
    assert scene.receiver.messages() == scene.logged()


def test_tries_are_put_off_longer_and_longer(scene: SinkScene) -> None:
    scene.trail(**LOGS)
    scene.receiver.fail_next = [(500, "InternalFailure")] * 100
    tried = []
    for second in range(40):
        before = len(scene.receiver.calls)
        scene.tick("logs")
        tried += [second] * (len(scene.receiver.calls) > before)
        scene.stage.clock.advance(1)
    assert tried == [0, 1, 2, 4, 8, 16, 24, 32]


def test_a_lost_answer_may_repeat_events_and_loses_none(scene: SinkScene) -> None:
    scene.trail(**LOGS)
    scene.tick("logs")
    scene.calls(2)
    scene.receiver.lose_next = 1
    scene.tick("logs")
    scene.stage.clock.advance(10)
    scene.tick("logs")
    assert list(dict.fromkeys(scene.receiver.messages())) == scene.logged()


def test_a_restart_goes_on_at_the_cursor(scene: SinkScene) -> None:
    scene.trail(**LOGS)
    scene.calls(2)
    scene.tick("logs")
    scene.restart()
    scene.calls(2)
    scene.tick("logs")
    assert scene.receiver.messages() == scene.logged()


def test_a_wrong_secret_is_an_error_that_the_status_names(scene: SinkScene) -> None:
    scene.trail(**LOGS)
    (scene.path / "secret").write_text("another")
    scene.restart()
    scene.tick("logs")
    status = scene.stage.call("GetTrailStatus", Name="audit")
    assert status["LatestCloudWatchLogsDeliveryError"] == "UnrecognizedClientException"


def test_a_stopped_trail_still_sends_what_it_logged(scene: SinkScene) -> None:
    arn = scene.trail(**LOGS)
    scene.stage.call("StopLogging", Name="audit")
    wanted = scene.logged()
    scene.calls(2)
    scene.stage.run(scene.stage.app.deliverer.flush())
    scene.stage.run(scene.stage.app.deliverer.flush())
    scene.tick("logs")
    assert scene.receiver.messages() == wanted
    scene.tick("events")
    scene.tick("logs")
    assert scene.cursor(f"logs/{arn}") == 0


def test_an_update_without_the_log_group_ends_it(scene: SinkScene) -> None:
    scene.trail(**LOGS)
    none = {"CloudWatchLogsLogGroupArn": "", "CloudWatchLogsRoleArn": ""}
    answer = scene.stage.call("UpdateTrail", Name="audit", **none)
    assert "CloudWatchLogsLogGroupArn" not in answer
    before = scene.logged()[:1]
    scene.calls(2)
    scene.tick("logs")
    assert scene.receiver.messages() == before


def test_a_sink_that_is_no_longer_configured_holds_nothing_back(scene: SinkScene) -> None:
    arn = scene.trail(**LOGS)
    scene.tick("logs")
    scene.tick("events")
    assert scene.cursor(f"logs/{arn}") > 0
    scene.restart(Settings(data=str(scene.path)))
    scene.tick("logs")
    scene.tick("events")
    assert (scene.cursor(f"logs/{arn}"), scene.cursor("eventbridge")) == (0, 0)


def test_a_secret_that_cannot_be_read_is_a_wrong_setting(scene: SinkScene) -> None:
    (scene.path / "secret").unlink()
    with pytest.raises(SettingsError):
        scene.restart()
    (scene.path / "secret").write_text(SECRET)
    scene.stage = Stage(scene.path, Settings(data=str(scene.path)))


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"CloudWatchLogsLogGroupArn": GROUP}, "InvalidCloudWatchLogsRoleArnException"),
        ({"CloudWatchLogsRoleArn": ROLE}, "InvalidCloudWatchLogsLogGroupArnException"),
        ({**LOGS, "CloudWatchLogsLogGroupArn": "audit"}, "InvalidCloudWatchLogsLogGroupArnException"),
        (
            {**LOGS, "CloudWatchLogsLogGroupArn": GROUP.replace("111122223333", "444455556666")},
            "InvalidCloudWatchLogsLogGroupArnException",
        ),
        (
            {**LOGS, "CloudWatchLogsRoleArn": "arn:aws:iam::111122223333:user/x"},
            "InvalidCloudWatchLogsRoleArnException",
        ),
    ],
)
def test_a_log_group_or_role_that_cannot_be(scene: SinkScene, params: dict[str, str], code: str) -> None:
    scene.trail()
    assert scene.stage.error("UpdateTrail", Name="audit", **params).error_code == code


def test_without_an_endpoint_a_log_group_is_refused_and_the_setting_named(scene: SinkScene) -> None:
    scene.trail()
    scene.restart(Settings(data=str(scene.path)))
    error = scene.stage.error("UpdateTrail", Name="audit", **LOGS)
    assert error.error_code == "CloudWatchLogsDeliveryUnavailableException"
    assert "logs.endpoint" in error.message


def test_the_log_group_is_shown_with_the_trail(scene: SinkScene) -> None:
    scene.trail(**LOGS)
    assert scene.stage.call("GetTrail", Name="audit")["Trail"].items() >= LOGS.items()


def test_the_bus_gets_every_event_that_a_trail_logs_once(scene: SinkScene) -> None:
    scene.trail()
    scene.calls(12)
    scene.tick("events")
    entries = [entry for _, entry in scene.receiver.entries]
    assert [orjson.loads(entry["Detail"])["eventID"] for entry in entries] == scene.logged()
    assert {region for region, _ in scene.receiver.entries} == {"us-west-2"}
    assert all(len(params["Entries"]) <= 10 for _, _, params in scene.receiver.calls)
    last = entries[-1]
    assert (last["Source"], last["DetailType"]) == ("aws.gamelift", "AWS API Call via CloudTrail")
    assert last["Time"] == int(scene.stage.clock.now().timestamp())


def test_nothing_goes_to_the_bus_of_an_account_without_a_logging_trail(scene: SinkScene) -> None:
    scene.calls(2)
    scene.tick("events")
    scene.trail()
    scene.stage.call_("ListFleets", {}, region="eu-west-1")
    scene.tick("events")
    assert [entry["Source"] for _, entry in scene.receiver.entries] == ["aws.cloudtrail"]


def test_a_bus_that_is_configured_later_gets_what_happens_from_then_on(scene: SinkScene) -> None:
    scene.restart(Settings(data=str(scene.path)))
    scene.trail()
    scene.calls(3)
    scene.restart()
    scene.calls(2)
    scene.tick("events")
    sent = [orjson.loads(entry["Detail"])["eventID"] for _, entry in scene.receiver.entries]
    assert sent == scene.logged()[-2:]


def test_entries_that_fail_for_a_moment_are_sent_again_and_others_left_out(scene: SinkScene) -> None:
    scene.trail()
    scene.calls(2)
    scene.receiver.refused_entries = ["", "ThrottlingException"]
    scene.tick("events")
    scene.stage.clock.advance(10)
    scene.tick("events")
    sent = [orjson.loads(entry["Detail"])["eventID"] for _, entry in scene.receiver.entries]
    assert set(sent) == set(scene.logged())
    scene.calls(2)
    wanted = scene.logged()
    scene.receiver.entries.clear()
    scene.receiver.refused_entries = ["MalformedDetail"]
    scene.tick("events")
    assert [orjson.loads(entry["Detail"])["eventID"] for _, entry in scene.receiver.entries] == wanted[-1:]


def test_an_event_waits_for_the_bus_after_its_trail_has_delivered_it(scene: SinkScene) -> None:
    scene.trail()
    scene.tick("events")
    scene.receiver.fail_next = [(500, "InternalFailure")]
    scene.calls(2)
    scene.stage.call("StopLogging", Name="audit")
    scene.tick("events")
    for _ in range(2):
        scene.stage.run(scene.stage.app.deliverer.flush())
    scene.stage.clock.advance(10)
    scene.tick("events")
    assert [orjson.loads(entry["Detail"])["eventID"] for _, entry in scene.receiver.entries] == scene.logged()


@pytest.mark.parametrize(
    ("event", "source", "kind"),
    [
        ({"eventSource": "s3.amazonaws.com", "eventType": "AwsApiCall"}, "aws.s3", "AWS API Call via CloudTrail"),
        (
            {"eventSource": "signin.amazonaws.com", "eventType": "AwsConsoleSignIn"},
            "aws.signin",
            "AWS Console Signin via CloudTrail",
        ),
        ({"eventType": "AwsCloudTrailInsight"}, "aws.cloudtrail", "AWS Insight via CloudTrail"),
        (
            {"eventSource": "kms.amazonaws.com", "eventType": "AwsServiceEvent"},
            "aws.kms",
            "AWS Service Event via CloudTrail",
        ),
        (
            {"eventSource": "s3.amazonaws.com", "eventType": "AwsVpceEvent"},
            "aws.s3",
            "AWS Network Activity Event via CloudTrail",
        ),
    ],
)
def test_source_and_detail_type_follow_the_event(event: dict[str, str], source: str, kind: str) -> None:
    params = entry_of(item(1, orjson.dumps(event))).params
    assert (params["Source"], params["DetailType"]) == (source, kind)


def item(seq: int, event: bytes = b"{}", time: int = 0) -> Item:
    return Item(seq, "us-west-2", GROUP, "stream", time, event)


def test_entries_are_sent_ten_at_a_time_and_within_256_kb() -> None:
    small = [Entry(seq, 100, {}) for seq in range(25)]
    assert [len(batch) for batch in event_batches(small)] == [10, 10, 5]
    large = [Entry(seq, 100_000, {}) for seq in range(5)]
    assert [len(batch) for batch in event_batches(large)] == [2, 2, 1]
    assert list(event_batches([Entry(1, 256 * 1024 + 1, {}), small[0]])) == [[small[0]]]


def test_log_events_are_sent_within_a_megabyte_and_a_day() -> None:
    large = [item(seq, b"x" * 200_000) for seq in range(12)]
    assert [len(batch) for batch in log_batches(large)] == [5, 5, 2]
    far = [item(1, time=0), item(2, time=86399), item(3, time=86400)]
    assert [[one.seq for one in batch] for batch in log_batches(far)] == [[1, 2], [3]]
    assert [len(batch) for batch in log_batches([item(seq) for seq in range(10_001)])] == [10_000, 1]
    assert list(log_batches([item(1, b"x" * (256 * 1024 + 1))])) == []


def test_names_of_groups_and_streams() -> None:
    assert group_name("log-group:a/b:*") == group_name("log-group:a/b") == "a/b"
    assert stream_name("", "111122223333", "eu-west-1") == "111122223333_CloudTrail_eu-west-1"
    assert stream_name("o-abc", "111122223333", "eu-west-1") == "o-abc_111122223333_CloudTrail_eu-west-1"


def test_events_of_different_times_are_written_in_order(scene: SinkScene) -> None:
    scene.trail(**LOGS)
    scene.stage.clock.jump(scene.stage.clock.now() - timedelta(minutes=5))
    scene.calls(1)
    scene.tick("logs")
    assert set(scene.receiver.messages()) == set(scene.logged())
