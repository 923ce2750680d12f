"""The main job in one run: calls go in, their records come out.

Starts a throw-away server, lets an IAM user, a role session, a federated user, the root user and an AWS service call
GameLift through boto3, waits for the log file in the trail's bucket, and prints it, then a table: who, what, when, from where,
with what outcome. Run by `make demo`; ends with 0 when every call has its record.
"""

import gzip
import io
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from rich.console import Console
from rich.json import JSON
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / ".demo"
REGION = "us-west-2"
ACCOUNT = "111122223333"
BUCKET = "audit-logs"
DEADLINE_S = 45
CONFIG = Config(retries={"total_max_attempts": 1})
GAMELIFT = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "gamelift:*", "Resource": "*"}]}
SESSION_CALLS = ("CreateGameSession", "CreatePlayerSession", "UpdateGameSession")
console = Console(width=150 if not sys.stdout.isatty() else None)

FLEET = {
    "Name": "My_Test_Server_Fleet",
    "Description": "Test fleet",
    "EC2InstanceType": "c5.large",
    "EC2InboundPermissions": [{"FromPort": 1935, "ToPort": 1935, "IpRange": "10.24.34.0/23", "Protocol": "TCP"}],
    "LogPaths": ["C:\\game\\serverErr.log", "C:\\game\\serverOut.log"],
    "ServerLaunchPath": "C:\\game\\MyServer.exe",
    "ServerLaunchParameters": "-paramX=baz",
}


@contextmanager
def server() -> Iterator[dict[str, Any]]:
    """Run `apitrail dev` and give what its server.json says."""
    shutil.rmtree(DATA, ignore_errors=True)
    command = [Path(sys.executable).parent / "apitrail", "dev", "--port", "0", "--fast", "--data", str(DATA)]
    with (ROOT / ".demo.log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            facts = wait_for("the server", lambda: json.loads((DATA / "server.json").read_text()), process)
            wait_for("readiness", lambda: urllib.request.urlopen(facts["endpoint"] + "/_apitrail/ready"), process)
            yield facts
        finally:
            process.terminate()


def wait_for(what: str, ask: Callable[[], Any], process: subprocess.Popen[bytes] | None = None) -> Any:
    """Return the first answer that is there and not empty."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        if process is not None and process.poll() is not None:
            raise SystemExit(f"error: the server ended with {process.returncode}; see {ROOT / '.demo.log'}")
        with suppress(OSError, ValueError, KeyError):
            if answer := ask():
                return answer
        time.sleep(0.1)
    raise SystemExit(f"error: no {what} after {DEADLINE_S} s; see {ROOT / '.demo.log'}")


class Caller:
    """Clients of one identity."""

    def __init__(self, endpoint: str, key: str, secret: str, token: str | None = None) -> None:
        self._session = boto3.Session(key, secret, token, region_name=REGION)
        self._endpoint = endpoint

    def __getattr__(self, service: str) -> Any:
        return self._session.client(service, endpoint_url=self._endpoint, config=CONFIG)

    @classmethod
    def temporary(cls, endpoint: str, credentials: dict[str, Any]) -> "Caller":
        """Return the holder of credentials from STS."""
        parts = (credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"])
        return cls(endpoint, *parts)


def identities(facts: dict[str, Any]) -> dict[str, Caller]:
    """Make everyone who calls: root, the user of the example, a role session, a federated user, a guest without rights."""
    endpoint = facts["endpoint"]
    ini = boto3.Session(profile_name="default")._session.full_config["profiles"]["default"]
    root = Caller(endpoint, ini["aws_access_key_id"], ini["aws_secret_access_key"])
    callers = {"root": root}
    for name, policy in (("myUserName", GAMELIFT), ("guest", None)):
        root.iam.create_user(UserName=name)
        if policy:
            root.iam.put_user_policy(UserName=name, PolicyName="games", PolicyDocument=json.dumps(policy))
        key = root.iam.create_access_key(UserName=name)["AccessKey"]
        callers[name] = Caller(endpoint, key["AccessKeyId"], key["SecretAccessKey"])
    trust = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = root.iam.create_role(RoleName="Matchmaker", AssumeRolePolicyDocument=document)["Role"]
    root.iam.put_role_policy(RoleName="Matchmaker", PolicyName="games", PolicyDocument=json.dumps(GAMELIFT))
    allow = {"Statement": [*GAMELIFT["Statement"], {"Effect": "Allow", "Action": "sts:*", "Resource": "*"}]}
    policy = json.dumps({"Version": "2012-10-17", **allow})
    root.iam.put_user_policy(UserName="myUserName", PolicyName="sessions", PolicyDocument=policy)
    user = callers["myUserName"]
    session = user.sts.assume_role(RoleArn=role["Arn"], RoleSessionName="launch-day")
    callers["role session"] = Caller.temporary(endpoint, session["Credentials"])
    federated = user.sts.get_federation_token(Name="support-7", Policy=json.dumps(GAMELIFT))
    callers["federated user"] = Caller.temporary(endpoint, federated["Credentials"])
    return callers


def make_trail(root: Caller) -> None:
    """Make a bucket and a trail into it, and let it log."""
    root.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    root.cloudtrail.create_trail(Name="demo", S3BucketName=BUCKET, IsMultiRegionTrail=True)
    root.cloudtrail.start_logging(Name="demo")


def upload_build(user: Caller) -> str:
    """Make a build, upload it as `aws gamelift upload-build` does, and return its id when it is ready."""
    answer = user.gamelift.create_build(Name="demo", Version="1", OperatingSystem="WINDOWS_2022")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("MyServer.exe", "not a real game")
    build = answer["Build"]["BuildId"]
    uploader = Caller.temporary(user._endpoint, answer["UploadCredentials"])
    place = answer["StorageLocation"]
    uploader.s3.put_object(Bucket=place["Bucket"], Key=place["Key"], Body=content.getvalue())
    wait_for("build", lambda: user.gamelift.describe_build(BuildId=build)["Build"]["Status"] == "READY")
    return str(build)


def play(callers: dict[str, Caller], facts: dict[str, Any]) -> str:
    """Make the calls of the example; return the fleet's id."""
    user = callers["myUserName"].gamelift
    fleet = user.create_fleet(BuildId=upload_build(callers["myUserName"]), **FLEET)["FleetAttributes"]["FleetId"]
    user.describe_fleet_attributes(FleetIds=[fleet])

    def active() -> bool:
        return bool(user.describe_fleet_attributes(FleetIds=[fleet])["FleetAttributes"][0]["Status"] == "ACTIVE")

    wait_for("active fleet", active)
    user.update_fleet_capacity(FleetId=fleet, DesiredInstances=4, MaxSize=4)
    wait_for("four instances", lambda: len(user.describe_instances(FleetId=fleet)["Instances"]) == 4)
    for name in ("root", "role session", "federated user"):
        client = callers[name].gamelift
        play_session(lambda operation, params, client=client: call(client, operation, params), fleet, user)
    play_session(lambda operation, params: service_call(facts, operation, params), fleet, user)
    with suppress(ClientError):
        callers["guest"].gamelift.delete_fleet(FleetId=fleet)
    with suppress(ClientError):
        user.create_fleet(BuildId="build-0", **{**FLEET, "EC2InstanceType": "c5.gigantic"})
    return str(fleet)


def call(client: Any, operation: str, params: dict[str, Any]) -> Any:
    """Call an operation by its model name."""
    name = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in operation)[1:]
    return getattr(client, name)(**params)


def service_call(facts: dict[str, Any], operation: str, params: dict[str, Any]) -> Any:
    """Let Auto Scaling call on behalf of the account, through its service-linked role."""
    ask = {"servicePrincipal": "autoscaling.amazonaws.com", "account": ACCOUNT, "region": REGION}
    body = json.dumps({**ask, "service": "gamelift", "operation": operation, "params": params}).encode()
    request = urllib.request.Request(facts["endpoint"] + "/_apitrail/service-call", body, method="POST")
    return json.load(urllib.request.urlopen(request))


def play_session(make: Callable[[str, dict[str, Any]], Any], fleet: str, user: Any) -> None:
    """Create a game session, let a player in once it is active, and change it."""
    made = make("CreateGameSession", {"FleetId": fleet, "MaximumPlayerSessionCount": 8, "Name": "first round"})
    session = made["GameSession"]["GameSessionId"]

    def active() -> bool:
        found = user.describe_game_sessions(GameSessionId=session)["GameSessions"]
        return bool(found[0]["Status"] == "ACTIVE")

    wait_for("active game session", active)
    make("CreatePlayerSession", {"GameSessionId": session, "PlayerId": "player-1"})
    make("UpdateGameSession", {"GameSessionId": session, "Name": "last round"})


def delivered() -> list[dict[str, Any]]:
    """Return the records of all log files in the trail's bucket, read as plain files."""
    paths = sorted((DATA / "buckets" / BUCKET).glob("AWSLogs/**/*.json.gz"))
    return [record for path in paths for record in json.loads(gzip.decompress(path.read_bytes()))["Records"]]


def is_complete(records: list[dict[str, Any]]) -> bool:
    """Return whether the last calls have arrived."""
    return any(record.get("errorCode") == "InvalidRequestException" for record in records)


def who(record: dict[str, Any]) -> str:
    """Return the caller in a few words."""
    identity = record["userIdentity"]
    name = identity.get("arn", "").rpartition(":")[2] or identity.get("invokedBy", "")
    by = f" for {identity['invokedBy']}" if "invokedBy" in identity else ""
    return f"{identity['type']} {name}{by}"


def show(records: list[dict[str, Any]]) -> None:
    """Print the two records of the example, and a table of all GameLift calls."""
    games = [record for record in records if record["eventSource"] == "gamelift.amazonaws.com"]
    wanted = ("CreateFleet", "DescribeFleetAttributes")
    first = [next(record for record in games if record["eventName"] == name) for name in wanted]
    console.print(JSON(json.dumps({"Records": first}), indent=2))
    table = Table("when", "who", "what", "from where", "outcome")
    for record in games:
        outcome = record.get("errorCode", "ok")
        colour = "green" if outcome == "ok" else "red"
        row = (record["eventTime"], who(record), record["eventName"], record["sourceIPAddress"])
        table.add_row(*row, f"[{colour}]{outcome}[/]")
    console.print(table)


def check(records: list[dict[str, Any]]) -> None:
    """End with an error unless every kind of caller has the records of its calls."""
    found = {(record["userIdentity"]["type"], record["eventName"]) for record in records}
    wanted = {(kind, name) for kind in ("Root", "AssumedRole", "FederatedUser") for name in SESSION_CALLS}
    invoked = {record["eventName"] for record in records if "invokedBy" in record["userIdentity"]}
    codes = {record.get("errorCode") for record in records}
    missing = wanted - found | {("service", name) for name in set(SESSION_CALLS) - invoked}
    missing |= {("code", code) for code in {"AccessDeniedException", "InvalidRequestException"} - codes}
    if missing:
        raise SystemExit(f"error: no record of {sorted(missing)}")


def main() -> None:
    """Run the demonstration."""
    with server() as facts:
        os.environ["AWS_SHARED_CREDENTIALS_FILE"] = facts["credentials"]
        callers = identities(facts)
        make_trail(callers["root"])
        play(callers, facts)
        records = wait_for("delivered log file", lambda: [] if not is_complete(found := delivered()) else found)
        check(records)
        show(records)
        files = sorted((DATA / "buckets" / BUCKET).glob("AWSLogs/**/*.json.gz"))
        console.print(f"{len(records)} records in {len(files)} log files below {files[0].parent}")
        console.print(f"Look for yourself: zcat {files[0].relative_to(ROOT)}")


if __name__ == "__main__":
    main()
