"""The whole server without its sockets: requests go in as the bytes that an SDK sends, answers come out likewise."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson

from apitrail.gateway.own import OwnEndpoints
from apitrail.gateway.server import Server
from apitrail.identity.credentials import Credential
from apitrail.identity.signer import sign_headers
from apitrail.settings import Settings
from apitrail.store import journal
from apitrail.testing.stage import REGION, Stage
from apitrail.wire.http import HttpRequest, HttpResponse
from apitrail.wire.models import protocols_of, service_model
from apitrail.wire.route import signing_name
from shapes import parsed, serialised

HOST = "localhost:4566"


@dataclass
class Reply:
    """An answer. result: as the SDK reads it. code, message: of an error. request: what was sent."""

    request: HttpRequest
    response: HttpResponse
    result: dict[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.response.status

    @property
    def request_id(self) -> str:
        """The request's id."""
        names = (b"x-amzn-requestid", b"x-amz-request-id")
        return next((value.decode() for name, value in self.response.headers if name in names), "")

    @property
    def code(self) -> str:
        """The error code, empty for a success."""
        return str(self.result.get("Error", {}).get("Code", ""))

    @property
    def message(self) -> str:
        """The error message, empty for a success."""
        return str(self.result.get("Error", {}).get("Message", ""))


class Door:
    """A server with one account. stage: its insides and its clock. root: the account's root key."""

    def __init__(self, path: Path, settings: Settings | None = None, seed: int = 1) -> None:
        self.stage = Stage(path, settings, seed)
        self.app = self.stage.app
        made = self.app.first_account()
        assert made is not None
        self.root = made
        self.server = Server(
            self.app, self.app.pipeline, OwnEndpoints(self.app), self.app.metrics, self.app.game_servers
        )
        self._seen = 0

    def close(self) -> None:
        """End the server."""
        self.stage.close()

    def request(
        self,
        service: str,
        operation: str,
        params: dict[str, Any],
        *,
        key: Credential | None = None,
        protocol: str = "",
        region: str = REGION,
    ) -> HttpRequest:
        """Return the signed request of a call."""
        model = service_model(service).operation_model(operation)
        sent = serialised(params, model, protocol or protocols_of(service)[0])
        return self.signed(sent, signing_name(service), key=key, region=region)

    def signed(
        self, request: HttpRequest, service: str, *, key: Credential | None = None, region: str = REGION
    ) -> HttpRequest:
        """Return a request with its signature."""
        url = f"http://{HOST}{request.raw_path.decode()}"
        url += f"?{request.raw_query.decode()}" if request.raw_query else ""
        headers = {name.decode(): value.decode("latin-1") for name, value in request.headers}
        now = self.stage.clock.now()
        signed = sign_headers(request.method, url, headers, request.body, key or self.root, region, service, now)
        return replace(request, headers=tuple((n.encode(), v.encode("latin-1")) for n, v in signed.items()))

    def own(self, name: str, query: dict[str, str] | None = None, *, key: Credential | None = None) -> HttpRequest:
        """Return a signed request to one of the server's own endpoints."""
        raw = HttpRequest("GET", f"/_apitrail/{name}".encode(), urlencode(query or {}).encode(), ())
        return self.signed(raw, "cloudtrail", key=key)

    def call(self, service: str, operation: str, params: dict[str, Any] | None = None, **how: Any) -> Reply:
        """Make a call and return how it ended. how: as for request."""
        request = self.request(service, operation, params or {}, **how)
        return self.answered(request, service, operation, how.get("protocol", ""))

    def answered(self, request: HttpRequest, service: str, operation: str, protocol: str = "") -> Reply:
        """Send a request and return its answer as the SDK reads it."""
        response = self.send(request)
        shape = service_model(service).operation_model(operation).output_shape
        return Reply(request, response, parsed(response, shape, protocol or protocols_of(service)[0]))

    def ok(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """Make a call that must succeed, and return its result."""
        reply = self.call(service, operation, params)
        assert reply.status < 300, (operation, reply.code, reply.message)
        return reply.result

    def send(self, request: HttpRequest, pieces: Sequence[bytes] | None = None) -> HttpResponse:
        """Send a request and return the answer. pieces: the body as it arrives, when not in one piece."""
        response: HttpResponse = self.stage.run(self.sent(request, pieces))
        return response

    async def sent(self, request: HttpRequest, pieces: Sequence[bytes] | None = None) -> HttpResponse:
        """Send a request on the loop that runs."""
        waiting = list(pieces if pieces is not None else [request.body])
        got: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(0)
            body = waiting.pop(0) if waiting else b""
            return {"type": "http.request", "body": body, "more_body": bool(waiting)}

        async def send(message: Any) -> None:
            got.append(dict(message))

        await self.server(self.scope(request), receive, send)
        body = b"".join(message.get("body", b"") for message in got[1:])
        return HttpResponse(got[0]["status"], tuple(got[0]["headers"]), body)

    @staticmethod
    def scope(request: HttpRequest) -> dict[str, Any]:
        """Return a request's head as the HTTP server hands it over."""
        return {
            "type": "http",
            "method": request.method,
            "raw_path": request.raw_path,
            "query_string": request.raw_query,
            "headers": list(request.headers),
            "client": (request.peer, 50_000),
            "scheme": "http",
        }

    def events(self) -> list[dict[str, Any]]:
        """Return the records so far, oldest first."""
        return list(self.stage.events())

    def new_events(self) -> list[dict[str, Any]]:
        """Return the records since this was asked last."""
        rows = self.stage.run(self.app.database.read(lambda tx: journal.read_after(tx, self._seen, 100_000)))
        self._seen = rows[-1].seq if rows else self._seen
        return [orjson.loads(row.event) for row in rows]

    def account(self, number: str) -> Credential:
        """Make a further account and return its root key."""
        return self.app.make_account(number, "")
