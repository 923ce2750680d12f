"""The bytes of requests, made and signed by the stock SDK; a signature is accepted for 15 minutes."""

import re
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.awsrequest import AWSPreparedRequest
from botocore.config import Config

from bench import REGION

Keys = tuple[str, str]
FOREIGN: Keys = ("AKIAEXAMPLE000000001", "anything")
"""Keys for servers that do not check them."""

ACTION = re.compile(rb"\bAction=(\w+)")


def make_client(service: str, endpoint: str, keys: Keys) -> Any:
    """Return an SDK client that tries once and takes no settings from the machine."""
    session = botocore.session.Session()
    return session.create_client(
        service,
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id=keys[0],
        aws_secret_access_key=keys[1],
        config=Config(retries={"total_max_attempts": 1}),
    )


class Signer:
    """Makes the requests that the SDK's client of a service would send, without sending them."""

    def __init__(self, service: str, endpoint: str, keys: Keys) -> None:
        self._client = make_client(service, endpoint, keys)
        self._taken: list[bytes] = []
        self._client.meta.events.register("before-send", self._take)

    def request(self, method: str, **params: Any) -> bytes:
        """Return the bytes of one signed request. method: the client's, as in `describe_fleet_attributes`."""
        getattr(self._client, method)(**params)
        return self._taken.pop()

    def _take(self, request: AWSPreparedRequest, **_: Any) -> "NoAnswer":
        raw = _bytes_of(request)
        self._taken.append(raw)
        action = ACTION.search(raw)
        return NoAnswer(b"<Answer><%sResult/></Answer>" % action[1] if action else b"{}")


class NoAnswer:
    """What the SDK gets in place of an answer, so that it sends nothing."""

    status_code = 200

    def __init__(self, content: bytes) -> None:
        self.headers: dict[str, str] = {}
        self.content = content


def _bytes_of(request: AWSPreparedRequest) -> bytes:
    split = urlsplit(request.url)
    body: Any = request.body or b""
    lines = [f"{request.method} {split.path or '/'} HTTP/1.1", f"Host: {split.netloc}"]
    headers: Any = request.headers
    for name, value in headers.items():
        lines.append(f"{name}: {value.decode() if isinstance(value, bytes) else value}")
    head = "\r\n".join(lines).encode() + b"\r\n\r\n"
    return head + (body.encode() if isinstance(body, str) else bytes(body))
