"""One organization's trail through a long, eventful life under load; then both validators prove every digest and log file."""

import asyncio
import gzip
import json
import os
import re
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from conftest import ACCOUNT, BIN, REGION, Running
from load import Connection, credential, run_callers

SOAK = bool(os.environ.get("APITRAIL_SOAK"))
PERIOD_S = 2 if SOAK else 1
STAY_S = 12.0 if SOAK else 0.8
DIGESTS = 45 if SOAK else 12
OTHER = "eu-west-1"
PREFIX = "prod"
ARN = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/main"
SETTINGS = {"APITRAIL_DIGEST_PERIOD_S": str(PERIOD_S), "APITRAIL_DELIVERY_PERIOD_S": "1"}
DIGEST_FILES = ("DigestFiles", "BackfillDigestFiles")
DAYS_21_S = 21 * 86_400


@dataclass
class Life:
    """A server with the trail, and its load. member: another account of the organization, with keys of a session there.

    pauses: grows when logging stops and when it begins; even while it goes on. wanted: what must be in the bucket, by
    account and region.
    """

    server: Running
    organization: str
    member: str
    keys: dict[str, tuple[str, str, str]]
    pauses: int = 0
    is_over: bool = False
    wanted: dict[tuple[str, str], set[str]] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The bucket."""
        return self.server.data / "buckets" / "audit"

    def below(self, kind: str, account: str, region: str) -> list[Path]:
        """Return the files of a kind, oldest first."""
        top = self.folder / PREFIX / "AWSLogs" / self.organization / account / kind / region
        return sorted(top.rglob("*.json.gz"))

    async def caller(self, place: tuple[str, str]) -> None:
        """Call in an account and region until the end, through whatever happens to the server."""
        access_key, secret, token = self.keys[place[0]]
        who = credential(access_key, secret, token)
        connection = Connection(lambda: self.server.endpoint.removeprefix("http://"), who, place[1])
        wanted = self.wanted.setdefault(place, set())
        while not self.is_over:
            pauses = self.pauses
            answer = await connection.call("gamelift", "ListBuilds", {})
            if answer.status == 200 and pauses == self.pauses and pauses % 2 == 0:
                wanted.add(answer.request_id)
            await asyncio.sleep(0.02)
        await connection.close()

    # What happens in it --------------------------------------------------------------------------------------

    def outage(self) -> None:
        """Take the bucket away; kill the server meanwhile."""
        hidden = self.folder.with_name("hidden")
        self.folder.rename(hidden)
        rest(STAY_S)
        self.server.kill()
        self.server.start()
        rest(STAY_S)
        hidden.rename(self.folder)

    def kill(self) -> None:
        """kill -9 under load."""
        self.server.kill()
        self.server.start()

    def lose_keys(self) -> None:
        """Lose the private keys: new ones are made."""
        assert self.server.stop() == 0
        for path in (self.server.data / "keys").glob("*.pem"):
            path.unlink()
        self.server.start()

    def age_keys(self) -> None:
        """Let the keys be as old as after three weeks: they are renewed."""
        assert self.server.stop() == 0
        with closing(sqlite3.connect(self.server.data / "journal.db")) as database, database:
            database.execute("UPDATE digest_keys SET made_at = made_at - ?", (DAYS_21_S,))
        self.server.start()

    def pause(self) -> None:
        """Stop logging and start it again."""
        self.pauses += 1
        self.server.client("cloudtrail").stop_logging(Name="main")
        rest(STAY_S)
        self.server.client("cloudtrail").start_logging(Name="main")
        self.pauses += 1

    def end(self) -> None:
        """Wait until there are enough digests, stop logging, and wait for the final ones."""
        self.server._wait(lambda: len(self.below("CloudTrail-Digest", ACCOUNT, REGION)) >= DIGESTS)
        self.pauses += 1
        self.server.client("cloudtrail").stop_logging(Name="main")
        self.is_over = True
        self.server._wait(self.is_whole)

    def is_whole(self) -> bool:
        """Return whether the final digests are there: no chain is open, and everything is delivered."""
        with closing(sqlite3.connect(self.server.data / "journal.db")) as database:
            questions = ("FROM digest_chains", "FROM digests WHERE state = 0", "FROM log_files WHERE state = 0")
            return all(database.execute(f"SELECT count(*) {rest}").fetchone() == (0,) for rest in questions)


def rest(seconds: float) -> None:
    """Let load go on."""
    asyncio.run(asyncio.sleep(seconds))


def begin(server: Running) -> Life:
    """Make an organization with a member account, and its trail in all regions."""
    organizations = server.client("organizations")
    organization = organizations.create_organization()["Organization"]["Id"]
    organizations.enable_aws_service_access(ServicePrincipal="cloudtrail.amazonaws.com")
    made = organizations.create_account(Email="games@example.com", AccountName="games")["CreateAccountStatus"]
    member = made["AccountId"]
    iam = server.client("iam")
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.create_user(UserName="player")
    iam.put_user_policy(UserName="player", PolicyName="all", PolicyDocument=json.dumps(allow))
    key = iam.create_access_key(UserName="player")["AccessKey"]
    own = (key["AccessKeyId"], key["SecretAccessKey"])
    arn = f"arn:aws:iam::{member}:role/OrganizationAccountAccessRole"
    session = server.client("sts", keys=own).assume_role(RoleArn=arn, RoleSessionName="play")["Credentials"]
    theirs = (session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])
    server.make_trail(
        IsOrganizationTrail=True, IsMultiRegionTrail=True, EnableLogFileValidation=True, S3KeyPrefix=PREFIX
    )
    return Life(server, organization, member, {ACCOUNT: (*own, ""), member: theirs})


def live(life: Life) -> None:
    """Let everything happen, under load in every account and region."""
    places = [(account, region) for account in life.keys for region in (REGION, OTHER)]
    happenings = (
        life.outage,
        life.kill,
        life.lose_keys,
        life.pause,
        life.age_keys,
        life.kill,
        life.end,
    )

    def happen() -> None:
        try:
            for happening in happenings:
                rest(STAY_S)
                happening()
        finally:
            life.is_over = True

    async def run() -> None:
        story = asyncio.create_task(asyncio.to_thread(happen))
        await run_callers(len(places), lambda number: life.caller(places[number]))
        await story

    asyncio.run(run())


def records(life: Life) -> Iterator[tuple[str, str, str]]:
    """Yield account, region and request of what was delivered."""
    for path in life.folder.rglob("*_CloudTrail_*.json.gz"):
        for record in json.loads(gzip.decompress(path.read_bytes()))["Records"]:
            yield record["recipientAccountId"], record["awsRegion"], record["requestID"]


def aws(life: Life, account: str, region: str) -> tuple[list[str], str]:
    """Return the numbers of valid and of all digest files that the AWS CLI tells, after its checks, and what it said."""
    words = ["cloudtrail", "validate-logs", "--trail-arn", ARN, "--account-id", account, "--verbose"]
    words += ["--start-time", "2020-01-01T00:00:00Z", "--region", region]
    done = subprocess.run([str(BIN / "aws"), *words], env=life.server.env, capture_output=True, text=True, timeout=300)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "INVALID" not in said
    return re.findall(r"(\d+)/(\d+) digest files valid", said)[0], said


def check_records(life: Life) -> None:
    """Check that each answered call is delivered once."""
    found = Counter(records(life))
    assert max(found.values()) == 1
    for place, wanted in life.wanted.items():
        assert len(wanted) > 10
        assert {(*place, request) for request in wanted} <= found.keys()


def check_with_aws(life: Life, account: str, region: str) -> None:
    """Check that the AWS CLI finds every digest valid, and lists every log file."""
    numbers, said = aws(life, account, region)
    digests = [path for path in life.below("CloudTrail-Digest", account, region) if "_backfill" not in path.name]
    assert numbers == (str(len(digests)), str(len(digests)))
    for path in life.below("CloudTrail", account, region):
        assert f"Log file\ts3://audit/{path.relative_to(life.folder)}\tvalid" in said


def check_with_verify(life: Life) -> None:
    """Check that `apitrail verify` proves every file and all of the time."""
    words = ["verify", "--trail-arn", ARN, "--output", "json"]
    done = subprocess.run([*life.server.command, *words], env=life.server.env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    files = list(life.folder.rglob("*.json.gz"))
    logs = [path for path in files if "/CloudTrail/" in path.as_posix()]
    assert report["LogFiles"]["Valid"] == len(logs)
    assert sum(report[name].get("Valid", 0) for name in DIGEST_FILES) == len(files) - len(logs)


@pytest.mark.timeout(900 if SOAK else 180)
def test_both_validators_prove_an_organizations_trail_after_a_long_life(make_server: Callable[..., Running]) -> None:
    life = begin(make_server(settings=SETTINGS))
    live(life)
    check_records(life)
    keys = life.server.client("cloudtrail").list_public_keys(StartTime=0)["PublicKeyList"]
    assert len(keys) == 3
    assert len(life.below("CloudTrail-Digest", ACCOUNT, REGION)) >= DIGESTS
    for account, region in life.wanted if SOAK else ((ACCOUNT, REGION), (life.member, OTHER)):
        check_with_aws(life, account, region)
    check_with_verify(life)
