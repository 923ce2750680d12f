"""IAM and STS behind the real pipeline, asked by real SDK clients without a socket in between."""

import asyncio
import io
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import boto3
import orjson
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError

from apitrail.clock import SystemClock
from apitrail.gateway.effects import EffectRunner
from apitrail.gateway.perform import Performer
from apitrail.gateway.pipeline import Pipeline
from apitrail.gateway.security import SecurityLog
from apitrail.identity.credentials import Credential
from apitrail.identity.principal import Principal
from apitrail.ids import seeded_ids
from apitrail.services import iam, sts
from apitrail.services.iam.credentials import StoredCredentials, ensure_account
from apitrail.settings import Settings
from apitrail.store import journal
from apitrail.store.sqlite import SqliteDatabase
from apitrail.telemetry import Metrics
from apitrail.wire.http import HttpRequest
from apitrail.wire.route import Router

ACCOUNT, OTHER = "111122223333", "444455556666"
SERVICES = {"iam": iam.SERVICE, "sts": sts.SERVICE}
SDK = boto3.Session()
ALLOW_ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}


class MovableClock(SystemClock):
    """The system's clock, moved forward: the SDK signs with the time it has, so the server's must be near."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def now(self) -> datetime:
        real = super().now()
        return datetime.fromtimestamp(real.timestamp() + self.ahead_s, real.tzinfo)


class Raw(io.BytesIO):
    """A body as the SDK's HTTP client would hand it over."""

    def stream(self, *_: Any, **__: Any) -> Any:
        yield self.read()


class Scene:
    """A server with two accounts. root: the first one's root key."""

    def __init__(self, path: Path) -> None:
        self.clock = MovableClock()
        self.ids = seeded_ids(1)
        self.settings = Settings(data=str(path))
        self.database = SqliteDatabase(path / "journal.db")
        self.credentials = StoredCredentials(self.database, self.clock)
        self.root = self.account(ACCOUNT)
        self.other_root = self.account(OTHER)
        self.runner = asyncio.Runner()
        metrics = Metrics()
        runtime: Any = SimpleNamespace(clock=self.clock, ids=self.ids, settings=self.settings, database=self.database)
        security = SecurityLog(path / "security.log", self.clock, metrics)
        self.performer = Performer(
            runtime, SERVICES, EffectRunner(runtime), metrics, b"k" * 32, self.credentials.committed
        )
        self.pipeline = Pipeline(
            runtime, Router(list(SERVICES)), self.credentials, SERVICES, self.performer, metrics, security
        )

    def close(self) -> None:
        self.runner.run(self.database.close())
        self.runner.close()

    def account(self, number: str) -> Credential:
        made = self.database.write_now(lambda tx: ensure_account(tx, self.ids, self.clock.now(), number))
        assert made is not None
        return made

    def client(self, service: str, key: Any = None) -> Any:
        """Return an SDK client. key: a Credential, or Credentials or AccessKey of an answer; absent: root's."""
        if key is None:
            key = self.root
        if isinstance(key, Credential):
            key = {"AccessKeyId": key.access_key, "SecretAccessKey": key.secret_key, "SessionToken": key.token}
        client = SDK.client(
            service,
            region_name="us-west-2",
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
            aws_session_token=key.get("SessionToken") or None,
            endpoint_url="http://127.0.0.1:4580",
            config=Config(retries={"total_max_attempts": 1}),
        )
        client.meta.events.register("before-send", self._send)
        return client

    def _send(self, request: Any, **_: Any) -> AWSResponse:
        split = urlsplit(request.url)
        headers = [
            (name.lower().encode(), value if isinstance(value, bytes) else str(value).encode("latin-1"))
            for name, value in request.headers.items()
        ]
        body = request.body if isinstance(request.body, bytes) else (request.body or "").encode()
        sent = HttpRequest(
            request.method,
            split.path.encode(),
            split.query.encode(),
            (*headers, (b"host", split.netloc.encode())),
            body,
        )
        answer = self.runner.run(self.pipeline(self.pipeline.arrive(sent)))
        shown = {name.decode(): value.decode() for name, value in answer.headers}
        return AWSResponse(request.url, answer.status, shown, Raw(answer.body))

    def user(self, name: str, *statements: Any) -> Any:
        """Make a user with one inline policy, and return a key of it."""
        client = self.client("iam")
        client.create_user(UserName=name)
        if statements:
            client.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy(*statements))
        return client.create_access_key(UserName=name)["AccessKey"]

    def role(self, name: str, principal: Any, *statements: Any, key: Any = None, **more: Any) -> str:
        """Make a role that a principal may assume, and return its ARN. more: actions, condition of the trust."""
        client = self.client("iam", key)
        actions = more.pop("actions", ["sts:AssumeRole"])
        statement = {"Effect": "Allow", "Principal": principal, "Action": actions}
        if "condition" in more:
            statement["Condition"] = more.pop("condition")
        trust = policy(statement)
        role = client.create_role(RoleName=name, AssumeRolePolicyDocument=trust, **more)["Role"]
        if statements:
            client.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy(*statements))
        return str(role["Arn"])

    def events(self) -> list[dict[str, Any]]:
        """Return the records of all calls so far."""
        rows = self.database.read_now(lambda tx: journal.read_after(tx, 0, 10_000))
        return [orjson.loads(row.event) for row in rows]

    def principal_of(self, key: Any) -> Principal:
        """Return what the server makes of a key."""
        found = self.credentials.find(key["AccessKeyId"])
        assert found is not None
        return found.principal


def policy(*statements: Any) -> str:
    return orjson.dumps({"Version": "2012-10-17", "Statement": list(statements)}).decode()


def code_of(call: Callable[..., Any], **params: Any) -> str:
    """Return the error code that a call ends in, or an empty text."""
    try:
        call(**params)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def message_of(call: Callable[..., Any], **params: Any) -> str:
    """Return the message of the error that a call ends in."""
    try:
        call(**params)
    except ClientError as error:
        return str(error.response["Error"]["Message"])
    raise AssertionError("the call succeeded")
