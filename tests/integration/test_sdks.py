"""boto3, the AWS CLI and the AWS SDK for JavaScript, unchanged, against a real server."""

import io
import json
import os
import subprocess
import time
import zipfile
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from conftest import ACCOUNT, REGION, Running

ROOT = Path(__file__).parent.parent.parent
FLEET = {
    "Name": "fleet",
    "EC2InstanceType": "c5.large",
    "EC2InboundPermissions": [{"FromPort": 7000, "ToPort": 7100, "IpRange": "0.0.0.0/0", "Protocol": "UDP"}],
    "RuntimeConfiguration": {"ServerProcesses": [{"LaunchPath": "/local/game/server", "ConcurrentExecutions": 10}]},
}


def zip_bytes() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("server", "#!/bin/sh\n")
    return content.getvalue()


def make_build(server: Running, client: Any) -> str:
    answer = client.create_build(Name="b", OperatingSystem="AMAZON_LINUX_2023", ServerSdkVersion="5.2.0")
    keys = [answer["UploadCredentials"][name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")]
    place = answer["StorageLocation"]
    server.client("s3", keys=keys).put_object(Bucket=place["Bucket"], Key=place["Key"], Body=zip_bytes())
    return str(wait(lambda: ready(client.describe_build(BuildId=answer["Build"]["BuildId"])["Build"])))


def ready(build: dict[str, Any]) -> Any:
    return build["Status"] == "READY" and build["BuildId"]


def wait(ask: Any, seconds: float = 20) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := ask():
            return answer
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def play(server: Running, client: Any) -> None:
    build = make_build(server, client)
    fleet = client.create_fleet(BuildId=build, **FLEET)["FleetAttributes"]["FleetId"]
    wait(lambda: client.describe_fleet_attributes(FleetIds=[fleet])["FleetAttributes"][0]["Status"] == "ACTIVE")
    made = client.create_game_session(
        FleetId=fleet, MaximumPlayerSessionCount=2, GameProperties=[{"Key": "m", "Value": "1"}]
    )
    session = made["GameSession"]["GameSessionId"]
    wait(lambda: client.describe_game_sessions(GameSessionId=session)["GameSessions"][0]["Status"] == "ACTIVE")
    player = client.create_player_session(GameSessionId=session, PlayerId="p1")["PlayerSession"]
    assert player["Status"] == "RESERVED"
    assert client.update_game_session(GameSessionId=session, Name="round")["GameSession"]["Name"] == "round"
    found = client.search_game_sessions(FleetId=fleet, FilterExpression="hasAvailablePlayerSessions=true")
    assert [item["GameSessionId"] for item in found["GameSessions"]] == [session]
    with pytest.raises(client.exceptions.GameSessionFullException):
        client.create_player_sessions(GameSessionId=session, PlayerIds=["p2", "p3"])


def test_boto3_plays_a_game_in_json(server: Running) -> None:
    play(server, server.client("gamelift"))


def test_boto3_plays_a_game_in_cbor(server: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    overlay = tmp_path / "gamelift" / "2015-10-01"
    overlay.mkdir(parents=True)
    extras = {"version": 1.0, "merge": {"metadata": {"protocols": ["smithy-rpc-v2-cbor"]}}}
    (overlay / "service-2.sdk-extras.json").write_text(json.dumps(extras))
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    client = boto3.Session(*server.keys, region_name=REGION).client(
        "gamelift", endpoint_url=server.endpoint, config=Config(retries={"total_max_attempts": 1})
    )
    assert client.meta.service_model.resolved_protocol == "smithy-rpc-v2-cbor"
    play(server, client)
    with pytest.raises(client.exceptions.NotFoundException):
        client.describe_build(BuildId="build-00000000-0000-0000-0000-000000000000")


def test_the_aws_cli_does_the_main_job(server: Running, tmp_path: Path) -> None:
    build_root = tmp_path / "game"
    build_root.mkdir()
    (build_root / "server").write_text("#!/bin/sh\n")
    server.aws("s3", "mb", "s3://cli-audit")
    server.aws("cloudtrail", "create-trail", "--name", "cli", "--s3-bucket-name", "cli-audit")
    server.aws("cloudtrail", "start-logging", "--name", "cli")
    uploaded = server.aws(
        "gamelift",
        "upload-build",
        "--name",
        "cli",
        "--build-version",
        "1",
        "--build-root",
        str(build_root),
        "--operating-system",
        "AMAZON_LINUX_2023",
    )
    build = uploaded.split("Build ID: ")[1].split()[0]
    client = server.client("gamelift")
    wait(lambda: ready(client.describe_build(BuildId=build)["Build"]))
    made = server.aws(
        "gamelift",
        "create-fleet",
        "--name",
        "cli",
        "--build-id",
        build,
        "--ec2-instance-type",
        "c5.large",
        "--runtime-configuration",
        json.dumps(FLEET["RuntimeConfiguration"]),
    )
    fleet = made["FleetAttributes"]["FleetId"]
    wait(lambda: client.describe_fleet_attributes(FleetIds=[fleet])["FleetAttributes"][0]["Status"] == "ACTIVE")
    shown = server.aws("gamelift", "describe-fleet-attributes", "--fleet-ids", fleet)
    assert shown["FleetAttributes"][0]["Status"] == "ACTIVE"
    session = server.aws("gamelift", "create-game-session", "--fleet-id", fleet, "--maximum-player-session-count", "4")
    arn = session["GameSession"]["GameSessionId"]
    wait(lambda: client.describe_game_sessions(GameSessionId=arn)["GameSessions"][0]["Status"] == "ACTIVE")
    server.aws("gamelift", "create-player-session", "--game-session-id", arn, "--player-id", "p1")
    server.aws("gamelift", "update-game-session", "--game-session-id", arn, "--name", "cli round")
    found = server.aws(
        "cloudtrail",
        "lookup-events",
        "--lookup-attributes",
        "AttributeKey=EventName,AttributeValue=UpdateGameSession",
        "--max-items",
        "1",
    )
    assert json.loads(found["Events"][0]["CloudTrailEvent"])["requestParameters"]["name"] == "cli round"


def test_the_aws_cli_reads_delivered_log_files_from_the_bucket(server: Running, tmp_path: Path) -> None:
    server.make_trail("cli-files", "cli-files")
    server.wait_delivered(lambda records: records, "cli-files")
    listing = server.aws("s3", "ls", "s3://cli-files", "--recursive")
    key = next(line.split()[-1] for line in listing.splitlines() if line.endswith(".json.gz"))
    server.aws("s3", "cp", f"s3://cli-files/{key}", str(tmp_path / "log.json.gz"))
    zcat = subprocess.run(["zcat", str(tmp_path / "log.json.gz")], capture_output=True, check=True)
    assert zcat.stdout.startswith(b'{"Records":[{"eventVersion":"1.11"')


def test_the_aws_cli_assumes_a_role(server: Running) -> None:
    trust = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam = server.client("iam")
    iam.create_role(RoleName="Deployer", AssumeRolePolicyDocument=document)
    iam.create_user(UserName="dana")
    allow = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_user_policy(UserName="dana", PolicyName="p", PolicyDocument=policy)
    key = iam.create_access_key(UserName="dana")["AccessKey"]
    dana = {**server.env, "AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    command = [
        "sts",
        "assume-role",
        "--role-arn",
        f"arn:aws:iam::{ACCOUNT}:role/Deployer",
        "--role-session-name",
        "d-42",
    ]
    done = subprocess.run(
        [str(Path(os.sys.executable).parent / "aws"), *command], env=dana, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    credentials = json.loads(done.stdout)["Credentials"]
    keys = [credentials[name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")]
    caller = server.client("sts", keys=keys).get_caller_identity()
    assert caller["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/Deployer/d-42"
    with pytest.raises(ClientError) as denied:
        server.client("gamelift", keys=keys).list_builds()
    assert denied.value.response["Error"]["Code"] == "AccessDeniedException"


@pytest.mark.parametrize("protocol", ["json", "cbor"])
def test_the_javascript_sdk_plays_a_game(server: Running, protocol: str) -> None:
    done = subprocess.run(
        ["node", "play.mjs", protocol],
        cwd=ROOT / "tests" / "js",
        env=server.env,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["fleetStatus"] == "ACTIVE"
    assert answer["notFound"] == "NotFoundException"
    assert answer["looked"] >= 1
    assert answer["object"] == "from a stream"
