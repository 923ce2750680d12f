"""Many callers at once, on bare sockets: signs with the product's own signer, which is held against botocore's elsewhere."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from apitrail.identity.credentials import Credential
from apitrail.identity.principal import Principal
from apitrail.identity.signer import sign_headers

REGION = "us-west-2"
TARGETS = {"gamelift": "GameLift", "cloudtrail": "CloudTrail_20131101"}


@dataclass
class Answer:
    """What came back; status 0 when nothing did."""

    status: int
    request_id: str = ""
    body: dict[str, Any] = field(default_factory=dict)


def credential(key: str, secret: str, token: str = "") -> Credential:
    """Return what the signer needs of a key."""
    return Credential(key, secret, Principal("Root", "", "", ""), token)


class Connection:
    """One keep-alive connection that is made anew when it breaks. region: that the calls are signed for."""

    def __init__(self, host: Callable[[], str], who: Credential, region: str = REGION) -> None:
        self._host = host
        self._who = who
        self._region = region
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    def request(self, service: str, operation: str, params: dict[str, Any]) -> bytes:
        """Return the bytes of a signed request."""
        body = json.dumps(params).encode()
        headers = {
            "host": self._host(),
            "content-type": "application/x-amz-json-1.1",
            "x-amz-target": f"{TARGETS[service]}.{operation}",
        }
        url = f"http://{self._host()}/"
        signed = {
            **headers,
            **sign_headers("POST", url, headers, body, self._who, self._region, service, datetime.now(UTC)),
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in signed.items())
        return f"POST / HTTP/1.1\r\n{lines}content-length: {len(body)}\r\n\r\n".encode() + body

    async def call(self, service: str, operation: str, params: dict[str, Any]) -> Answer:
        """Make a call; an Answer with status 0 says that it is not known what became of it."""
        try:
            if self._streams is None:
                host, _, port = self._host().partition(":")
                self._streams = await asyncio.open_connection(host, int(port))
            reader, writer = self._streams
            writer.write(self.request(service, operation, params))
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            fields = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
            body = await reader.readexactly(int(fields["content-length"]))
            return Answer(int(head[0].split()[1]), fields.get("x-amzn-requestid", ""), json.loads(body or b"{}"))
        except (OSError, asyncio.IncompleteReadError):
            await self.close()
            return Answer(0)

    async def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            with suppress(OSError):
                self._streams[1].close()
                await self._streams[1].wait_closed()
        self._streams = None


async def run_callers(count: int, work: Callable[[int], Awaitable[None]]) -> None:
    """Run callers beside each other until all have ended."""
    await asyncio.gather(*(work(number) for number in range(count)))
