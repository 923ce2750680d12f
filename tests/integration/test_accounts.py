"""Five accounts and four regions share one bucket under load: nothing is in a wrong folder, and every event is accounted for."""

import asyncio
import gzip
import json
import os
import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from conftest import ACCOUNT, REGION, Running
from load import Connection, credential, run_callers

SOAK = bool(os.environ.get("APITRAIL_SOAK"))
CALLS_PER_PLACE = 2_000 if SOAK else 60
CALLERS_PER_PLACE = 2
ACCOUNTS = (ACCOUNT, "222233334444", "333344445555", "444455556666", "555566667777")
REGIONS = (REGION, "us-east-1", "eu-west-1", "ap-southeast-2")
QUIET = ACCOUNTS[1]
"""Its trail takes writes only."""

SINGLE = "single"
ASKED_MAX = 20
"""Bound on the events that asking for the status makes between two looks."""
"""The key prefix of a second trail of the first account, for one region."""

Keys = tuple[str, str]


@dataclass
class Seen:
    """What callers of a place were answered: request ids of reads and of writes."""

    reads: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)


def command(server: Running, *words: str) -> Any:
    done = subprocess.run([*server.command, *words, "--data", str(server.data)], env=server.env, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def make_accounts(server: Running) -> dict[str, Keys]:
    """Make the further accounts on the stopped server, and return every account's root key."""
    keys = {ACCOUNT: server.keys}
    assert server.stop() == 0
    for account in ACCOUNTS[1:]:
        made = command(server, "identity", "account", "create", "--account-id", account, "--output", "json")
        keys[account] = (made["AccessKeyId"], made["SecretAccessKey"])
    server.start()
    return keys


def bucket_policy() -> str:
    service = {"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}}
    folders = [f"arn:aws:s3:::audit/AWSLogs/{account}/*" for account in ACCOUNTS]
    folders.append(f"arn:aws:s3:::audit/{SINGLE}/AWSLogs/{ACCOUNT}/*")
    statements = [
        {**service, "Action": "s3:GetBucketAcl", "Resource": "arn:aws:s3:::audit"},
        {**service, "Action": "s3:PutObject", "Resource": folders},
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def make_trails(server: Running, keys: dict[str, Keys]) -> None:
    """Make one bucket, a trail of every account into it, and a second one for a single region."""
    s3 = server.client("s3")
    s3.create_bucket(Bucket="audit", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_policy(Bucket="audit", Policy=bucket_policy())
    for number, (account, key) in enumerate(keys.items()):
        trails = server.client("cloudtrail", REGIONS[number % len(REGIONS)], key)
        trails.create_trail(Name="main", S3BucketName="audit", IsMultiRegionTrail=True)
        if account == QUIET:
            selectors = [{"ReadWriteType": "WriteOnly", "IncludeManagementEvents": True}]
            trails.put_event_selectors(TrailName="main", EventSelectors=selectors)
        trails.start_logging(Name="main")
    trails = server.client("cloudtrail", REGIONS[2])
    trails.create_trail(Name="second", S3BucketName="audit", S3KeyPrefix=SINGLE)
    trails.start_logging(Name="second")


async def caller(server: Running, place: tuple[str, str], keys: Keys, number: int, seen: Seen) -> None:
    """Call in one account and region, reads and writes in turn, some of which fail."""
    host = server.endpoint.removeprefix("http://")
    connection = Connection(lambda: host, credential(*keys), place[1])
    terminal = {"Type": "TERMINAL", "Message": "closed"}
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("CreateAlias", {"Name": f"alias-{number}", "RoutingStrategy": terminal}),
        ("ListAliases", {}),
        ("CreateAlias", {"Name": "", "RoutingStrategy": terminal}),
        ("DescribeBuild", {"BuildId": "build-00000000-0000-0000-0000-000000000000"}),
    ]
    for count in range(CALLS_PER_PLACE // CALLERS_PER_PLACE):
        operation, params = kinds[count % len(kinds)]
        answer = await connection.call("gamelift", operation, params)
        assert answer.status in (200, 400), answer
        (seen.writes if operation == "CreateAlias" else seen.reads).add(answer.request_id)
    await connection.close()


def visit(server: Running, keys: dict[str, Keys]) -> set[str]:
    """Let a user of the first account assume a role of every other one; return the request ids."""
    iam = server.client("iam")
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.create_user(UserName="visitor")
    iam.put_user_policy(UserName="visitor", PolicyName="all", PolicyDocument=json.dumps(allow))
    key = iam.create_access_key(UserName="visitor")["AccessKey"]
    sts = server.client("sts", keys=(key["AccessKeyId"], key["SecretAccessKey"]))
    trust = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    requests = set()
    for account in ACCOUNTS[2:]:
        theirs = server.client("iam", keys=keys[account])
        arn = theirs.create_role(RoleName="Guest", AssumeRolePolicyDocument=document)["Role"]["Arn"]
        answer = sts.assume_role(RoleArn=arn, RoleSessionName="visit")
        requests.add(answer["ResponseMetadata"]["RequestId"])
    return requests


def balance(server: Running) -> dict[str, dict[str, Any]]:
    """Return the trails of `apitrail status` by ARN, each of which must account for all of its events."""
    trails = command(server, "status", "--output", "json")["trails"]
    for trail in trails:
        assert trail["received"] == trail["delivered"] + trail["filtered"] + trail["waiting"], trail
    return {trail["arn"]: trail for trail in trails}


async def under_load(server: Running, keys: dict[str, Keys]) -> tuple[dict[tuple[str, str], Seen], set[str]]:
    """Call in every place at once, look at the status meanwhile; return what was answered."""
    seen = {(account, region): Seen() for account in ACCOUNTS for region in REGIONS}
    places = list(seen) * CALLERS_PER_PLACE

    async def one(number: int) -> None:
        place = places[number]
        await caller(server, place, keys[place[0]], number, seen[place])

    load = asyncio.ensure_future(run_callers(len(places), one))
    visits = await asyncio.to_thread(visit, server, keys)
    while not load.done():
        await asyncio.to_thread(balance, server)
    await load
    return seen, visits


def log_files(server: Running) -> Iterator[tuple[Path, list[dict[str, Any]]]]:
    folder = server.data / "buckets" / "audit"
    for path in folder.rglob("*_CloudTrail_*.json.gz"):
        yield path.relative_to(folder), json.loads(gzip.decompress(path.read_bytes()))["Records"]


def check_folders(files: list[tuple[Path, list[dict[str, Any]]]]) -> None:
    """Check that every event lies in the folder of its own account and region."""
    for path, records in files:
        parts = path.parts[path.parts.index("AWSLogs") + 1 :]
        assert parts[1] == "CloudTrail"
        assert {record["recipientAccountId"] for record in records} == {parts[0]}, path
        assert {record["awsRegion"] for record in records} == {parts[2]}, path
        assert path.name.startswith(f"{parts[0]}_CloudTrail_{parts[2]}_")


def check_calls(seen: dict[tuple[str, str], Seen], records: list[dict[str, Any]]) -> None:
    """Check that the main trails have every answered call once, in its account and region, and only writes of the quiet one."""
    found = Counter((one["recipientAccountId"], one["awsRegion"], one["requestID"]) for one in records)
    assert set(found.values()) == {1}
    for (account, region), calls in seen.items():
        wanted = calls.writes if account == QUIET else calls.writes | calls.reads
        mine = {request for owner, where, request in found if (owner, where) == (account, region)}
        assert wanted <= mine
        assert not (calls.reads & mine) or account != QUIET
        others = {request for owner, where, request in found if (owner, where) != (account, region)}
        assert not ((calls.writes | calls.reads) & others)


def check_totals(trails: dict[str, dict[str, Any]], files: list[tuple[Path, list[dict[str, Any]]]]) -> None:
    """Check that the status tells what is in the bucket. files: listed before; asking is an event of the asking account."""
    delivered: Counter[tuple[str, bool]] = Counter()
    for path, records in files:
        delivered[records[0]["recipientAccountId"], path.parts[0] == SINGLE] += len(records)
    for arn, trail in trails.items():
        count = delivered.pop((trail["account"], arn.endswith("/second")))
        if trail["account"] == ACCOUNT:
            assert 0 <= trail["delivered"] - count <= ASKED_MAX
            assert trail["waiting"] <= ASKED_MAX
        else:
            assert (trail["delivered"], trail["waiting"]) == (count, 0)
    assert not delivered


def handled(trail: dict[str, Any]) -> int:
    """Return how many events of a trail do not wait any more."""
    return int(trail["delivered"] + trail["filtered"])


@pytest.mark.timeout(1800 if SOAK else 180)
def test_five_accounts_in_four_regions_share_a_bucket(make_server: Callable[..., Running]) -> None:
    server = make_server()
    keys = make_accounts(server)
    make_trails(server, keys)
    seen, visits = asyncio.run(under_load(server, keys))
    before = {arn: trail["received"] for arn, trail in balance(server).items()}
    server.wait_delivered(lambda _: all(handled(trail) >= before[arn] for arn, trail in balance(server).items()))
    files, trails = list(log_files(server)), balance(server)
    assert len(trails) == len(ACCOUNTS) + 1
    check_folders(files)
    check_calls(seen, [one for path, records in files if path.parts[0] != SINGLE for one in records])
    check_totals(trails, files)
    quiet = next(trail for trail in trails.values() if trail["account"] == QUIET)
    assert quiet["filtered"] == sum(len(seen[QUIET, region].reads) for region in REGIONS)
    single = {path.parts[path.parts.index("AWSLogs") + 3] for path, _ in files if path.parts[0] == SINGLE}
    assert single == {REGIONS[2]}
    copies = [one for _, records in files for one in records if one["requestID"] in visits]
    assert Counter(one["recipientAccountId"] for one in copies) == {ACCOUNT: 3, **dict.fromkeys(ACCOUNTS[2:], 1)}


def test_the_aws_validator_accepts_an_organizations_trail(make_server: Callable[..., Running]) -> None:
    server = make_server(settings={"APITRAIL_DIGEST_PERIOD_S": "2"})
    organizations = server.client("organizations")
    organization = organizations.create_organization()["Organization"]["Id"]
    organizations.enable_aws_service_access(ServicePrincipal="cloudtrail.amazonaws.com")
    server.make_trail(IsOrganizationTrail=True, IsMultiRegionTrail=True, EnableLogFileValidation=True)
    made = organizations.create_account(Email="games@example.com", AccountName="games")["CreateAccountStatus"]
    assert made["State"] == "SUCCEEDED"
    folder = server.data / "buckets" / "audit" / "AWSLogs" / organization / ACCOUNT
    end = time.monotonic() + 30
    while len(list(folder.glob(f"CloudTrail-Digest/{REGION}/**/*.json.gz"))) < 3:
        assert time.monotonic() < end, "no digests have come"
        time.sleep(0.2)
    arn = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/main"
    words = ("--trail-arn", arn, "--account-id", ACCOUNT, "--start-time", "2020-01-01T00:00:00Z")
    told = server.aws("cloudtrail", "validate-logs", *words)
    (digests,) = re.findall(r"(\d+)/(\d+) digest files valid", told)
    (logs,) = re.findall(r"(\d+)/(\d+) log files valid", told)
    assert digests[0] == digests[1] != "0"
    assert logs[0] == logs[1] != "0"
