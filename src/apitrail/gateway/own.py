"""The server's own endpoints, below /_apitrail/: an underscore cannot begin a bucket name, so nothing clashes.

health, ready, metrics, info, and the certificates of sns/ are open; status and events are signed with the caller's AWS keys
and need the right to look up events; `events?of=gamelift` streams GameLift's events about placements and matches.
matchmaking/explain says why a ticket waits, to whoever may describe it. Two are there in `dev` only: service-call makes a call
as an AWS service makes it on behalf of an account, clock sets the server's time forward.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qs

import orjson

from apitrail.clock import Clock
from apitrail.errors import JournalUnavailable, ServiceError
from apitrail.gateway.body import read_body
from apitrail.gateway.broadcast import Broadcast
from apitrail.identity.principal import Principal, Session, SessionIssuer
from apitrail.ids import Ids
from apitrail.store import game_events, journal
from apitrail.store.database import Database, Tx
from apitrail.telemetry import Metrics
from apitrail.wire.http import HttpRequest

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
JSON = b"application/json"
NDJSON = b"application/x-ndjson"
PEM = b"application/x-pem-file"
TEXT = b"text/plain; version=0.0.4"
SNS = "sns/"
HEARTBEAT_S = 15.0
TAIL_MAX = 1000
TAIL_SCAN_ROWS = 20_000
BATCH = 500
SEQ_MAX = 2**62
BODY_MAX = 1024 * 1024
ADVANCE_MAX_S = 20 * 366 * 86_400
SERVICE_ROLE_NAMES = {"autoscaling": "AutoScaling", "gamelift": "GameLift", "cloudtrail": "CloudTrail"}
ALLOW_ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


class Streamed(Protocol):
    """A line of the stream."""

    @property
    def seq(self) -> int: ...
    @property
    def account(self) -> str: ...
    @property
    def event(self) -> bytes: ...


class Source(NamedTuple):
    """What can be streamed. last: the newest seq. after, before: rows after a seq, and before one, newest first."""

    last: Callable[[Tx], int]
    after: Callable[..., Sequence[Streamed]]
    before: Callable[[Tx, int, int], Sequence[Streamed]]


SOURCES = {
    "calls": Source(journal.last_seq, journal.read_after, journal.read_before),
    "gamelift": Source(game_events.last_event, game_events.events_after, game_events.events_before),
}
"""Streams by name: the records of calls, and GameLift's events about placements and matches."""


class Host(Protocol):
    """What the endpoints ask of the whole server."""

    metrics: Metrics
    grown: Broadcast
    is_dev: bool
    stopping: bool

    @property
    def clock(self) -> Clock: ...
    @property
    def ids(self) -> Ids: ...
    @property
    def database(self) -> Database: ...

    def info(self) -> dict[str, Any]: ...
    async def readiness(self) -> list[str]: ...
    async def status(self) -> dict[str, Any]: ...
    def figures(self) -> None: ...

    def advance_clock(self, seconds: float) -> datetime: ...

    def sns_certificate(self, name: str) -> bytes | None: ...

    async def explain_ticket(self, account: str, region: str, ticket_id: str) -> dict[str, Any] | None:
        """Return why a matchmaking ticket waits, or None for an unknown one. Raises: ServiceError."""
        ...

    def signed_by(self, request: HttpRequest) -> tuple[Principal, str]:
        """Return the caller of a signed request and the region. Raises: AuthenticationError."""
        ...

    async def call(
        self,
        principal: Principal,
        region: str,
        service: str,
        operation: str,
        params: dict[str, Any],
        invoked_by: str = "",
    ) -> dict[str, Any]: ...


class OwnEndpoints:
    """Answers requests whose path begins with /_apitrail/."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._open = {"health": self._health, "ready": self._ready, "metrics": self._metrics, "info": self._info}
        self._dev = {"service-call": self._service_call, "clock": self._clock}

    async def __call__(self, request: HttpRequest, chunks: AsyncIterator[bytes], send: Send) -> None:
        """Answer one request."""
        name = request.raw_path.decode("latin-1").removeprefix("/_apitrail/").strip("/")
        try:
            if name in self._open:
                await self._open[name](send)
            elif name.startswith(SNS):
                await self._sns_certificate(name.removeprefix(SNS), send)
            elif name == "events":
                await self._events(request, send)
            elif name == "status":
                await self._status(request, send)
            elif name == "matchmaking/explain":
                await self._explain(request, send)
            elif name in self._dev and self._host.is_dev and request.method == "POST":
                await self._dev[name](await read_body(chunks, BODY_MAX), send)
            else:
                await _answer(
                    send, 404, {"error": {"code": "not-found", "message": f"there is no /_apitrail/{name[:80]}"}}
                )
        except ServiceError as error:
            await _answer(send, error.error_status, {"error": {"code": error.error_code, "message": error.message}})
        except JournalUnavailable as error:
            await _answer(send, 503, {"error": {"code": "journal-unavailable", "message": error.reason}})

    async def _health(self, send: Send) -> None:
        info = self._host.info()
        await _answer(send, 200, {"status": "ok", "version": info["version"], "services": info["services"]})

    async def _ready(self, send: Send) -> None:
        failing = await self._host.readiness()
        await _answer(send, 503 if failing else 200, {"ready": not failing, "failing": failing})

    async def _info(self, send: Send) -> None:
        await _answer(send, 200, self._host.info())

    async def _metrics(self, send: Send) -> None:
        self._host.figures()
        await _bytes(send, 200, TEXT, self._host.metrics.text())

    async def _status(self, request: HttpRequest, send: Send) -> None:
        await self._reader(request)
        await _answer(send, 200, await self._host.status())

    async def _explain(self, request: HttpRequest, send: Send) -> None:
        """Say why a matchmaking ticket waits, to whoever may describe it; that description is recorded."""
        principal, region = self._host.signed_by(request)
        ticket_id = parse_qs(request.raw_query.decode("latin-1")).get("ticket", [""])[0]
        await self._host.call(principal, region, "gamelift", "DescribeMatchmaking", {"TicketIds": [ticket_id]})
        found = await self._host.explain_ticket(principal.account, region, ticket_id)
        if found is None:
            raise ServiceError(f"there is no matchmaking ticket {ticket_id[:128]}", code="not-found", status=404)
        await _answer(send, 200, found)

    async def _reader(self, request: HttpRequest) -> str:
        """Return the account of a caller who may look up events; the look-up that proves it is recorded."""
        principal, region = self._host.signed_by(request)
        await self._host.call(principal, region, "cloudtrail", "LookupEvents", {"MaxResults": 1})
        return principal.account

    async def _sns_certificate(self, name: str, send: Send) -> None:
        certificate = await asyncio.to_thread(self._host.sns_certificate, name)
        if certificate is None:
            raise ServiceError("there is no such certificate", code="not-found", status=404)
        await _bytes(send, 200, PEM, certificate)

    async def _service_call(self, body: bytes, send: Send) -> None:
        try:
            ask = orjson.loads(body)
            service = str(ask["servicePrincipal"])
            account, region = str(ask["account"]), str(ask["region"])
            principal = service_principal(service, account, self._host.clock.now(), self._host.ids)
            params = dict(ask.get("params", {}))
            result = await self._host.call(principal, region, ask["service"], ask["operation"], params, service)
        except (KeyError, TypeError, ValueError) as error:
            wanted = "servicePrincipal, account, region, service, operation, params"
            raise ServiceError(f"expected a JSON object with {wanted}: {error}", code="bad-request") from error
        await _answer(send, 200, result)

    async def _clock(self, body: bytes, send: Send) -> None:
        try:
            seconds = float(orjson.loads(body)["advance_s"])
            if not 0 <= seconds <= ADVANCE_MAX_S:
                raise ValueError(f"{seconds} is not between 0 and {ADVANCE_MAX_S}")
        except (KeyError, TypeError, ValueError) as error:
            raise ServiceError(f"expected a JSON object with advance_s: {error}", code="bad-request") from error
        await _answer(send, 200, {"now": self._host.advance_clock(seconds).isoformat()})

    async def _events(self, request: HttpRequest, send: Send) -> None:
        """Stream the caller's events as they are committed, one JSON object a line; a blank line is a heartbeat."""
        account = await self._reader(request)
        query = parse_qs(request.raw_query.decode("latin-1"))
        source = _source(query)
        seq, first = await self._start(source, account, query)
        headers = [(b"content-type", NDJSON), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await _lines(send, first)
        while not self._host.stopping:
            mark = self._host.grown.mark()
            rows = await self._host.database.read(partial(source.after, seq=seq, limit=BATCH))
            if rows:
                seq = rows[-1].seq
                await _lines(send, [row for row in rows if row.account == account])
            elif not await self._host.grown.after(mark, HEARTBEAT_S):
                await send({"type": "http.response.body", "body": b"\n", "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _start(
        self, source: "Source", account: str, query: dict[str, list[str]]
    ) -> tuple[int, Sequence["Streamed"]]:
        """Return where to go on from, and what to send at once."""
        try:
            if "since" in query:
                return min(int(query["since"][0]), SEQ_MAX), []
            wanted = max(0, min(int(query.get("n", ["0"])[0]), TAIL_MAX))
        except ValueError as error:
            raise ServiceError("n and since must be numbers", code="bad-request") from error

        def work(tx: Tx) -> tuple[int, Sequence[Streamed]]:
            last = source.last(tx)
            recent = source.before(tx, last + 1, TAIL_SCAN_ROWS) if wanted else []
            return last, [row for row in recent if row.account == account][:wanted][::-1]

        return await self._host.database.read(work)


def service_principal(service: str, account: str, now: datetime, ids: Ids) -> Principal:
    """Return an AWS service that acts for an account through its service-linked role.

    service: DNS name, `autoscaling.amazonaws.com`. Inferred: the role's name, from the service's first label.
    """
    label = service.split(".", 1)[0]
    name = f"AWSServiceRoleFor{SERVICE_ROLE_NAMES.get(label, label.capitalize())}"
    role_id = ids.aws("AROA")
    issuer = SessionIssuer(
        "Role", role_id, f"arn:aws:iam::{account}:role/aws-service-role/{service}/{name}", account, name
    )
    session = SERVICE_ROLE_NAMES.get(label, label.capitalize())
    return Principal(
        kind="AssumedRole",
        account=account,
        arn=f"arn:aws:sts::{account}:assumed-role/{name}/{session}",
        principal_id=f"{role_id}:{session}",
        access_key=ids.aws("ASIA"),
        session=Session(created_at=now, issuer=issuer),
        invoked_by=service,
        policies=(ALLOW_ALL,),
    )


def _source(query: dict[str, list[str]]) -> Source:
    """Return what `of` asks for. Raises: ServiceError."""
    name = query.get("of", ["calls"])[0]
    if name not in SOURCES:
        raise ServiceError(f"of must be one of {', '.join(SOURCES)}", code="bad-request")
    return SOURCES[name]


async def _lines(send: Send, rows: Sequence[Streamed]) -> None:
    if rows:
        body = b"".join(b'{"seq":%d,"event":%s}\n' % (row.seq, row.event) for row in rows)
        await send({"type": "http.response.body", "body": body, "more_body": True})
        await asyncio.sleep(0)


async def _answer(send: Send, status: int, content: dict[str, Any]) -> None:
    await _bytes(send, status, JSON, orjson.dumps(content, default=str))


async def _bytes(send: Send, status: int, kind: bytes, body: bytes) -> None:
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
