"""S3 behind the whole application, asked by real SDK clients without a socket in between."""

import asyncio
import io
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import orjson
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError

from apitrail.app import App
from apitrail.gateway.own import OwnEndpoints
from apitrail.gateway.server import Server
from apitrail.identity.credentials import Credential
from apitrail.settings import Settings
from apitrail.store import journal

ACCOUNT, OTHER = "111122223333", "444455556666"


class Raw(io.BytesIO):
    """A body as the SDK's HTTP client would hand it over."""

    def stream(self, *_: Any, **__: Any) -> Any:
        while block := self.read(65536):
            yield block


class Scene:
    """A server with two accounts."""

    def __init__(self, path: Path) -> None:
        self.runner = asyncio.Runner()
        self.path = path
        self.open()
        self.root, self.other = self.app.make_account(ACCOUNT, ""), self.app.make_account(OTHER, "")
        self.last: dict[str, Any] = {}
        self.sent: dict[str, Any] = {}

    def open(self) -> None:
        """Start, or start again."""
        self.app = App(Settings(data=str(self.path)))
        self.server = Server(
            self.app, self.app.pipeline, OwnEndpoints(self.app), self.app.metrics, self.app.game_servers
        )

    def close(self) -> None:
        self.runner.run(self.app.close())
        self.runner.close()

    def client(
        self,
        key: Credential | None = None,
        region: str = "us-east-1",
        endpoint: str = "http://127.0.0.1:4580",
        **config: Any,
    ) -> Any:
        """Return an SDK client of S3, of the first account's root unless a key is given."""
        key = key or self.root
        session = boto3.Session(key.access_key, key.secret_key, key.token or None, region_name=region)
        settings = Config(retries={"total_max_attempts": 1}, **config)
        client = session.client("s3", endpoint_url=endpoint, config=settings)
        client.meta.events.register("before-send", self.send)
        return client

    def send(self, request: Any, **_: Any) -> AWSResponse:
        body = request.body or b""
        self.sent = dict(request.headers.items())
        content = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else body.read()
        return self.ask(request.method, request.url, dict(request.headers.items()), content)

    def ask(self, method: str, url: str, headers: dict[str, Any], content: bytes = b"") -> AWSResponse:
        """Make a request of the application."""
        split = urlsplit(url)
        given = [
            (name.lower().encode(), value if isinstance(value, bytes) else str(value).encode("latin-1"))
            for name, value in headers.items()
        ]
        if "host" not in {name for name, _ in given}:
            given.append((b"host", split.netloc.encode()))
        scope = {
            "type": "http",
            "method": method,
            "scheme": split.scheme,
            "raw_path": split.path.encode(),
            "query_string": split.query.encode(),
            "headers": given,
            "client": ("127.0.0.1", 5),
        }
        pieces = [content[at : at + 70_000] for at in range(0, len(content), 70_000)] or [b""]
        messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
        messages[-1]["more_body"] = False
        waiting = iter(messages)
        out: list[Any] = []

        async def receive() -> Any:
            return next(waiting)

        async def send(message: Any) -> None:
            out.append(message)

        self.runner.run(self.server(scope, receive, send))
        self.last = {name.decode(): value.decode("latin-1") for name, value in out[0]["headers"]}
        return AWSResponse(url, out[0]["status"], self.last, Raw(b"".join(one["body"] for one in out[1:])))

    def events(self, name: str) -> list[dict[str, Any]]:
        rows = self.runner.run(self.app.database.read(lambda tx: journal.read_after(tx, 0, 100_000)))
        found = [orjson.loads(row.event) for row in rows]
        return [event for event in found if event["eventName"] == name]

    def leftovers(self) -> list[str]:
        """Return the files that nobody needs: staged bodies, parts, temporary files."""
        folders = [self.path / "staging", self.path / "uploads", *self.path.glob("buckets/*/.apitrail/tmp")]
        return [str(file) for folder in folders if folder.is_dir() for file in folder.rglob("*") if file.is_file()]


def refused(work: Any, *_: Any, **params: Any) -> tuple[str, int]:
    """Make a call that must fail, and return code and status."""
    with pytest.raises(ClientError) as caught:
        work(**params)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]
