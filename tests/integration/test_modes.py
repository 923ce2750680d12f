"""The three capture modes while the journal cannot be written: who is refused, who passes, and that every drop is seen."""

import json
import resource
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import REGION, Running
from prometheus_client.parser import text_string_to_metric_families

WAIT_S = "0.4"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"}],
    }
)
ALL = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
ALIAS = {"RoutingStrategy": {"Type": "TERMINAL", "Message": "m"}}


@pytest.fixture
def start(make_server: Callable[..., Running]) -> Callable[[str], Running]:
    """Start a server in a capture mode."""

    def started(mode: str) -> Running:
        settings = {"APITRAIL_CAPTURE_MODE": mode, "APITRAIL_CAPTURE_WAIT_MAX_S": WAIT_S}
        return make_server(settings=settings)

    return started


@contextmanager
def journal_away(server: Running) -> Iterator[None]:
    """Take the journal's file away for a while."""
    journal, elsewhere = server.data / "journal.db", server.data / "elsewhere.db"
    journal.rename(elsewhere)
    try:
        yield
    finally:
        assert not journal.exists(), "somebody made a new journal in place of the one that is away"
        elsewhere.rename(journal)


def dropped(server: Running) -> dict[str, float]:
    """Return what the metric says, by reason; those that are zero are left out."""
    text = urllib.request.urlopen(server.endpoint + "/_apitrail/metrics").read().decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    samples = families["apitrail_events_dropped"].samples
    return {s.labels["reason"]: s.value for s in samples if s.name.endswith("_total") and s.value}


def status(server: Running) -> dict[str, Any]:
    command = [*server.command, "status", "--output", "json", "--data", str(server.data)]
    done = subprocess.run(command, env=server.env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def refused(call: Callable[..., Any], **params: Any) -> str:
    """Return the message of a call that must be refused because it cannot be recorded."""
    with pytest.raises(ClientError) as error:
        call(**params)
    answer = error.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 503, answer
    assert "removed" in answer["Error"]["Message"]
    return str(answer["Error"]["Message"])


def recorded(server: Running, name: str, region: str = REGION) -> list[Any]:
    attribute = {"AttributeKey": "EventName", "AttributeValue": name}
    return list(server.client("cloudtrail", region).lookup_events(LookupAttributes=[attribute])["Events"])


def role_and_user(server: Running) -> tuple[str, tuple[str, str]]:
    """Make a role, and a user who may assume it; return the role's ARN and the user's key."""
    iam = server.client("iam")
    arn = iam.create_role(RoleName="worker", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    iam.create_user(UserName="ana")
    iam.put_user_policy(UserName="ana", PolicyName="all", PolicyDocument=ALL)
    key = iam.create_access_key(UserName="ana")["AccessKey"]
    return arn, (key["AccessKeyId"], key["SecretAccessKey"])


def test_strict_refuses_everything_in_bounded_time_and_undoes_it(start: Callable[[str], Running]) -> None:
    server = start("blocking-strict")
    games = server.client("gamelift")
    games.create_alias(Name="before", **ALIAS)
    with journal_away(server):
        for call, params in ((games.create_alias, {"Name": "away", **ALIAS}), (games.describe_fleet_attributes, {})):
            began = time.monotonic()
            refused(call, **params)
            assert time.monotonic() - began < 5
        assert dropped(server) == {}
    assert [alias["Name"] for alias in games.list_aliases()["Aliases"]] == ["before"]
    assert len(recorded(server, "CreateAlias")) == 1
    assert status(server)["dropped"] == 0


def test_blocking_lets_pass_and_counts_what_changes_nothing(start: Callable[[str], Running]) -> None:
    server = start("blocking")
    games, trails = server.client("gamelift"), server.client("cloudtrail")
    arn, user = role_and_user(server)
    games.create_alias(Name="before", **ALIAS)
    with journal_away(server):
        assert games.describe_fleet_attributes()["FleetAttributes"] == []
        assert [alias["Name"] for alias in games.list_aliases()["Aliases"]] == ["before"]
        assert trails.describe_trails()["trailList"] == []
        assert server.client("sts").get_caller_identity()["Account"] == "111122223333"
        refused(games.create_alias, Name="away", **ALIAS)
        refused(server.client("sts", keys=user).assume_role, RoleArn=arn, RoleSessionName="session")
        refused(server.client("sts").get_session_token)
        refused(games.request_upload_credentials, BuildId="build-123e4567-e89b-12d3-a456-426614174000")
        refused(server.client("iam").create_access_key, UserName="ana")
        assert dropped(server) == {"blocking": 4}
    assert status(server)["dropped"] == 4
    assert [alias["Name"] for alias in games.list_aliases()["Aliases"]] == ["before"]
    assert recorded(server, "DescribeFleetAttributes") == []
    assert recorded(server, "AssumeRole") == []
    assert len(recorded(server, "CreateAccessKey", "us-east-1")) == 1


def test_batch_answers_at_once_and_counts_what_it_loses(start: Callable[[str], Running]) -> None:
    server = start("batch")
    games = server.client("gamelift")
    games.create_alias(Name="before", **ALIAS)
    assert len(recorded(server, "CreateAlias")) == 1
    wait_for_records(server, 2)
    with disk_refusing(server):
        for number in range(5):
            began = time.monotonic()
            games.create_alias(Name=f"away-{number}", **ALIAS)
            assert time.monotonic() - began < float(WAIT_S)
        lost = wait_for_losses(server, 5)
    games.create_alias(Name="after", **ALIAS)
    assert dropped(server) == {"batch": lost}
    assert status(server)["dropped"] == lost
    kept = {alias["Name"] for alias in games.list_aliases()["Aliases"]}
    assert {"before", "after"} <= kept
    assert len(recorded(server, "CreateAlias")) == len(kept) == 7 - lost


def test_batch_does_nothing_it_already_knows_it_would_lose(start: Callable[[str], Running]) -> None:
    server = start("batch")
    games = server.client("gamelift")
    with journal_away(server):
        refused(games.create_alias, Name="away", **ALIAS)
    assert games.list_aliases()["Aliases"] == []
    assert status(server)["dropped"] == 0


@contextmanager
def disk_refusing(server: Running) -> Iterator[None]:
    """Let every write of the server's process beyond the first bytes of a file fail, as a full disk does."""
    assert server.process is not None
    limits = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (1, limits[1]))
    try:
        yield
    finally:
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, limits)


def wait_for_records(server: Running, count: int) -> None:
    """Wait until that many records are on disk, since `batch` answers before they are."""
    end = time.monotonic() + 10
    with closing(sqlite3.connect(f"file:{server.data / 'journal.db'}?mode=ro", uri=True)) as journal:
        while journal.execute("SELECT count(*) FROM journal").fetchone() != (count,):
            assert time.monotonic() < end, "the records are not written"
            time.sleep(0.02)


def wait_for_losses(server: Running, count: int) -> int:
    """Wait until that many lost records are counted; return how many are."""
    end = time.monotonic() + 10
    while time.monotonic() < end and dropped_in_all(server) < count:
        time.sleep(0.1)
    assert dropped_in_all(server) == count
    return count


def dropped_in_all(server: Running) -> int:
    return int(sum(dropped(server).values()))


@pytest.mark.parametrize("mode", ["blocking-strict", "blocking", "batch"])
def test_every_mode_records_while_the_journal_is_there(start: Callable[[str], Running], mode: str) -> None:
    server = start(mode)
    games = server.client("gamelift")
    for number in range(5):
        games.create_alias(Name=f"alias-{number}", **ALIAS)
    games.describe_fleet_attributes()
    assert len(recorded(server, "CreateAlias")) == 5
    assert len(recorded(server, "DescribeFleetAttributes")) == 1
    assert status(server)["dropped"] == 0
    assert server.stop() == 0
