"""Secrets planted in calls of the real SDK to a real server: in no record, log file, log or index afterwards."""

import gzip
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from conftest import Running

from apitrail.wire.models import service_model
from planting import Planter, found_marks, operations_with_secrets, parts_of, secrets_in

SERVICES = ("gamelift", "iam", "sts", "s3")
TRUST = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}
)
ALL = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})


def plant(server: Running, service: str, *, spoil: bool) -> int:
    """Call every operation that takes a secret, with marks in it; return how many marks."""
    client = server.client(service, parameter_validation=False, read_timeout=10, s3={"addressing_style": "path"})
    planted = 0
    for operation in operations_with_secrets(service):
        planter = Planter(operation.name, {}, service, game_data=True, spoil=spoil)
        params = planter.params(operation)
        if service == "s3":
            params.pop("ContentLength", None)  # more than there is
            params |= {name: known for name, known in (("Bucket", "audit"), ("Key", "key")) if name in params}
        planted += planter.planted
        with suppress(BotoCoreError, ClientError, ValueError):  # some the SDK itself will not send
            client._make_api_call(operation.name, params)
    return planted


def answered(server: Running) -> Iterator[str]:
    """Yield the secrets that calls hand out."""
    iam, sts = server.client("iam"), server.client("sts")
    arn = iam.create_role(RoleName="worker", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    iam.create_user(UserName="ana")
    iam.put_user_policy(UserName="ana", PolicyName="all", PolicyDocument=ALL)
    key = iam.create_access_key(UserName="ana")
    keys = (key["AccessKey"]["AccessKeyId"], key["AccessKey"]["SecretAccessKey"])
    assumed = server.client("sts", keys=keys).assume_role(RoleArn=arn, RoleSessionName="session")
    build = server.client("gamelift").create_build(OperatingSystem="AMAZON_LINUX_2023")
    session = sts.get_session_token()
    for service, name, answer in (
        ("iam", "CreateAccessKey", key),
        ("sts", "AssumeRole", assumed),
        ("sts", "GetSessionToken", session),
        ("gamelift", "CreateBuild", build),
    ):
        found = list(secrets_in(service, service_model(service).operation_model(name).output_shape, answer))
        assert found, name
        yield from (part for secret in found for part in parts_of(secret))
    url = server.client("s3", keys=tuple(assumed["Credentials"][name] for name in NAMES)).generate_presigned_url(
        "get_object", Params={"Bucket": "audit", "Key": "key"}
    )
    yield from parts_of(url)


NAMES = ("AccessKeyId", "SecretAccessKey", "SessionToken")


def written(server: Running) -> Iterator[tuple[str, str]]:
    """Yield what the server has written down that is no state: where, and the text."""
    with closing(sqlite3.connect(server.data / "journal.db")) as connection:
        for (event,) in connection.execute("SELECT event FROM journal"):
            yield "journal", event.decode()
    for name in ("server.log", "security.log", "server.json", "index.db", "index.db-wal"):
        path = server.data / name
        if path.exists():
            yield name, path.read_bytes().decode("latin-1")
    for path in (server.data / "buckets" / "audit").glob("AWSLogs/**/*.json.gz"):
        yield path.name, gzip.decompress(path.read_bytes()).decode()


def test_no_secret_of_any_call_is_written_down(make_server: Callable[..., Running]) -> None:
    server = make_server()
    server.make_trail()
    secrets = list(answered(server))
    planted = sum(plant(server, service, spoil=spoil) for service in SERVICES for spoil in (False, True))
    last = server.client("gamelift").list_builds()["ResponseMetadata"]["RequestId"]
    server.wait_delivered(lambda records: last in [record["requestID"] for record in records])
    told: list[Any] = list(server.client("cloudtrail").get_paginator("lookup_events").paginate())
    assert server.stop() == 0
    leaks = []
    count = 0
    for where, text in (*written(server), ("event history", json.dumps(told, default=str))):
        count += 1
        leaks += [f"{where}: ...{found}..." for found in found_marks(text)]
        leaks += [f"{where}: an answered secret" for secret in secrets if secret in text]
    assert not leaks, "\n".join(leaks[:40])
    assert planted > 100
    assert len(secrets) >= 8
    assert count > 80


def test_a_zip_s_content_is_where_it_belongs_and_nowhere_else(make_server: Callable[..., Running]) -> None:
    """The search finds what is there: the zip is in the bucket of scripts."""
    server = make_server()
    operation = service_model("gamelift").operation_model("CreateScript")
    planter = Planter("zip", {}, "gamelift", game_data=True, spoil=False)
    body = planter.params(operation)["ZipFile"]
    made = server.client("gamelift").create_script(Name="script", ZipFile=body)["Script"]["StorageLocation"]
    stored = (server.data / "buckets" / made["Bucket"] / made["Key"]).read_bytes()
    assert found_marks(stored)
    assert server.stop() == 0
    assert [where for where, text in written(server) if found_marks(text)] == []
