"""The ASGI application: from the server's events to a request, and from an answer to bytes on the wire."""

from asyncio import BaseTransport
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

from apitrail.errors import ServiceError
from apitrail.gateway.body import Staging, read_body, read_chunked, too_large
from apitrail.gateway.cors import preflight, with_cors
from apitrail.gateway.own import OwnEndpoints
from apitrail.gateway.pipeline import Arrival, Pipeline
from apitrail.identity.chunks import chunk_verifier
from apitrail.identity.refusals import refusal
from apitrail.services.runtime import Runtime
from apitrail.telemetry import Metrics
from apitrail.wire.http import HttpRequest, HttpResponse, TlsFacts

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Sockets = Callable[[Scope, Receive, Send], Awaitable[None]]

OWN = b"/_apitrail/"
BODILESS = (204, 304)
HEX_SHA256_LENGTH = 64


class ClientGone(Exception):
    """The caller hung up before its body was whole; there is nobody to answer."""


class Server:
    """The application that uvicorn runs."""

    def __init__(
        self, runtime: Runtime, pipeline: Pipeline, own: OwnEndpoints, metrics: Metrics, sockets: Sockets
    ) -> None:
        self._runtime = runtime
        self._metrics = metrics
        self._pipeline = pipeline
        self._own = own
        self._sockets = sockets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event."""
        if scope["type"] == "websocket":
            await self._sockets(scope, receive, send)
        if scope["type"] != "http":
            return
        request = _head(scope, receive)
        try:
            if request.raw_path.startswith(OWN):
                await self._own(request, _chunks(receive), send)
                return
            began = self._runtime.clock.monotonic()
            response = await self._answer(request, _chunks(receive))
            if request.method != "OPTIONS" and request.header("origin"):
                response = await with_cors(self._runtime, request, response)
        except ClientGone:
            return
        self._metrics.seconds.observe(self._runtime.clock.monotonic() - began)
        await send_response(response, send, head_only=request.method == "HEAD")

    async def answer(self, request: HttpRequest) -> HttpResponse:
        """Answer a request that has its whole body in memory and is no object of S3, see whole.py."""
        began = self._runtime.clock.monotonic()
        arrival = self._pipeline.arrive(request)
        limit = self._runtime.settings.server.body_bytes_max
        if len(request.body) > limit:
            response = self._pipeline.refuse(arrival, too_large(limit))
        else:
            response = await self._pipeline(arrival)
        self._metrics.seconds.observe(self._runtime.clock.monotonic() - began)
        return response

    async def _answer(self, head: HttpRequest, chunks: AsyncIterator[bytes]) -> HttpResponse:
        if head.method == "OPTIONS":
            return await preflight(self._runtime, head)
        arrival = self._pipeline.arrive(head)
        try:
            if arrival.is_upload:
                return await self._upload(arrival, chunks)
            body = await read_body(chunks, self._runtime.settings.server.body_bytes_max)
        except ServiceError as error:
            return self._pipeline.refuse(arrival, error)
        return await self._pipeline(arrival.with_request(_with_body(head, body)))

    async def _upload(self, arrival: Arrival, chunks: AsyncIterator[bytes]) -> HttpResponse:
        """Take in a body of S3: the caller is known before the first byte is stored."""
        settings = self._runtime.settings.server
        request = arrival.request
        claimed = request.header("x-amz-content-sha256") or ""
        arrival = self._pipeline.authenticate(arrival, body_sha256=claimed)
        path = self._runtime.staging_dir / self._runtime.ids.hex(32)
        sizes = (settings.staged_from_bytes, settings.object_bytes_max)
        if request.method != "PUT":  # documents, which are decoded in memory
            sizes = (settings.body_bytes_max, settings.body_bytes_max)
        with Staging(path, *sizes) as staging:
            if claimed.startswith("STREAMING-") or "aws-chunked" in (request.header("content-encoding") or ""):
                assert arrival.caller is not None
                verifier = chunk_verifier(request, arrival.caller)
                size = _number(request.header("x-amz-decoded-content-length"))
                trailers = await read_chunked(chunks, staging, verifier, size)
            else:
                trailers = {}
                async for chunk in chunks:
                    await staging.take(chunk)
            request = await staging.finish(request, trailers)
            if len(claimed) == HEX_SHA256_LENGTH and claimed != staging.sha256:
                raise refusal("altered-body", "s3")
            return await self._pipeline(arrival.with_request(request))


def _head(scope: Scope, receive: Receive) -> HttpRequest:
    client = scope.get("client")
    return HttpRequest(
        method=scope["method"],
        raw_path=scope["raw_path"],
        raw_query=scope["query_string"],
        headers=tuple(scope["headers"]),
        peer=client[0] if client else "",
        tls=_tls(receive) if scope["scheme"] == "https" else None,
    )


def _tls(receive: Receive) -> TlsFacts | None:
    """Return what the connection's TLS object says; the server's request cycle holds the transport."""
    transport = getattr(getattr(receive, "__self__", None), "transport", None)
    return tls_facts(transport) if transport is not None else None


def tls_facts(transport: BaseTransport) -> TlsFacts | None:
    """Return what a connection's TLS object says, None for a connection without."""
    facts = transport.get_extra_info("ssl_object")
    if facts is None:
        return None
    cipher = facts.cipher()
    return TlsFacts(version=facts.version() or "", cipher_suite=cipher[0] if cipher else "")


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None


def _with_body(head: HttpRequest, body: bytes) -> HttpRequest:
    return HttpRequest(head.method, head.raw_path, head.raw_query, head.headers, body, head.peer, head.tls)


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        more = message.get("more_body", False)
        if body := message.get("body", b""):
            yield body


def with_length(response: HttpResponse) -> list[tuple[bytes, bytes]]:
    """Return the headers of an answer, with the length of its body where it may have one."""
    headers, stream = list(response.headers), response.stream
    length = stream.end - stream.start if stream is not None else len(response.body)
    if response.status not in BODILESS and not any(name == b"content-length" for name, _ in headers):
        headers.append((b"content-length", b"%d" % length))
    return headers


async def send_response(response: HttpResponse, send: Send, *, head_only: bool = False) -> None:
    """Send an answer; a stream goes out in pieces, and is closed whatever happens."""
    stream = response.stream
    try:
        await send({"type": "http.response.start", "status": response.status, "headers": with_length(response)})
        if stream is not None and not head_only:
            async for chunk in stream.chunks():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        body = b"" if head_only or stream is not None else response.body
        await send({"type": "http.response.body", "body": body})
    finally:
        if stream is not None:
            await stream.close()
