"""The WebSocket that game servers and agents connect to, on the gateway's port and by TLS on its own.

Each request is one transaction and is answered after its commit; requests of a connection are taken one after another.
None of it is an API call, so none makes an event. Source: server SDK 5, GameLift's Agent.
What is bounded: connections, the URL, frames, and messages that wait for a peer.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any, Protocol

import orjson

from apitrail.errors import JournalUnavailable, ServiceError
from apitrail.gateway.sdk_frames import Frame, answer, failure, read_frame, read_members
from apitrail.gateway.sdk_handshake import Claim, Entrant, House, Refusal, identify, let_in, read_claim
from apitrail.gateway.sdk_kinds import KINDS, Kind
from apitrail.gateway.security import SecurityLog
from apitrail.services.gamelift.agents import agent_lost, connected_agents
from apitrail.services.gamelift.errors import InvalidRequestException
from apitrail.services.gamelift.sdk_actions import status_of
from apitrail.services.gamelift.sdk_admission import all_start_anew, real_processes
from apitrail.services.links import Link
from apitrail.telemetry import Metrics

log = logging.getLogger("apitrail.gateway")
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

NORMAL, TRY_LATER, UPGRADE_REQUIRED = 1000, 503, 426
WRONG_PATH = "Game servers connect without a path, agents to /agent."
WRONG_DOOR = b"This port is for game servers, which connect by WebSocket.\n"
START_BATCH = 200


class Host(House, Protocol):
    """What the endpoint asks of the whole server."""

    metrics: Metrics
    stopping: bool


class SdkSocket:
    """Serves game servers and agents, one call per connection."""

    def __init__(self, host: Host, security: SecurityLog) -> None:
        self._host = host
        self._security = security

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection from its handshake to its end."""
        await receive()  # the handshake's request
        try:
            await self._welcome(scope, receive, send)
        except OSError:  # the peer is gone
            raise
        except Exception:
            log.exception("a game server's connection failed")
            raise

    async def _welcome(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a peer in, or say why not."""
        link, claim = Link(), None
        try:
            claim = read_claim(self._kind(scope), scope["query_string"])
            entrant = await identify(self._host, claim, _peer(scope))
            kept = await let_in(self._host, entrant)
        except JournalUnavailable as error:
            await _refuse(send, Refusal("unavailable", f"Nothing can be written now: {error.reason}.", TRY_LATER))
        except Refusal as refusal:
            self._note(scope, claim, refusal)
            await _refuse(send, refusal)
        else:
            await self._serve(entrant, link, kept, receive, send)

    async def start(self) -> None:
        """Give processes that were connected before a restart time to come back; agents count as away until they do."""
        found = await self._host.database.read(real_processes)
        places: dict[tuple[str, str], list[str]] = {}
        for account, region, process_id in found:
            places.setdefault((account, region), []).append(process_id)
        for (account, region), ids in places.items():
            for at in range(0, len(ids), START_BATCH):
                batch = ids[at : at + START_BATCH]
                await self._host.write(account, region, partial(all_start_anew, process_ids=batch))
        for account, region, agent in await self._host.database.read(connected_agents):
            named = {"fleet_id": agent["FleetId"], "compute_name": agent["ComputeName"]}
            await self._host.write(account, region, partial(agent_lost, **named))

    def _kind(self, scope: Scope) -> Kind:
        """Return which kind of peers a path is for, if there is room for one more. Raises: Refusal."""
        kind = KINDS.get(scope["raw_path"])
        if kind is None:
            raise Refusal("no-such-path", WRONG_PATH, 404)
        if self._host.links.count >= self._host.settings.gamelift.sdk_connections_max:
            raise Refusal("too-many-connections", "Too many game servers are connected.", TRY_LATER)
        return kind

    async def _serve(self, entrant: Entrant, link: Link, kept: list[str], receive: Receive, send: Send) -> None:
        """Serve a peer that was let in. kept: what waited for it; what was said to it since then follows."""
        account, region, _ = entrant.key
        self._host.links.open(entrant.key, link)
        try:
            kept += await self._host.write(account, region, lambda ctx: entrant.kind.kept(ctx, entrant.caller))
            link.begin(kept)
            await self._converse(entrant, link, receive, send)
        except JournalUnavailable as error:
            log.warning("a game server was sent away: %s", error.reason)
            await _refuse(send, Refusal("unavailable", f"Nothing can be written now: {error.reason}.", TRY_LATER))
        finally:
            await self._leave(entrant, link)

    async def _converse(self, entrant: Entrant, link: Link, receive: Receive, send: Send) -> None:
        """Answer requests until the peer or the server ends the connection."""
        await send({"type": "websocket.accept"})
        writing = asyncio.create_task(_write(link, send))
        try:
            while (message := await receive())["type"] == "websocket.receive":
                text = message.get("text")
                link.answer(
                    await self._answer(entrant, read_frame(message.get("bytes", b"") if text is None else text))
                )
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    async def _answer(self, entrant: Entrant, frame: Frame) -> str:
        """Return the answer to a request, whatever becomes of it."""
        try:
            if frame.problem:
                raise InvalidRequestException(frame.problem)
            return answer(frame, await self._perform(entrant, frame))
        except ServiceError as error:
            status, message = status_of(frame.action, error), error.message
        except JournalUnavailable as error:
            status, message = TRY_LATER, f"Nothing was done: it cannot be written ({error.reason})."
        except Exception:
            log.exception("server SDK action %s failed", frame.action[:64])
            status, message = 500, "An internal error occurred."
        return failure(frame, status, message)

    async def _perform(self, entrant: Entrant, frame: Frame) -> Any:
        (account, region, _), kind = entrant.key, entrant.kind
        if frame.action in kind.outside:
            return await kind.outside[frame.action](self._host, entrant.key, entrant.caller, frame)
        if frame.action not in kind.actions:
            raise InvalidRequestException(f"Action {frame.action} is not known.")
        action = kind.actions[frame.action]
        members: Any = read_members(frame, action.shape)
        return await self._host.write(account, region, lambda ctx: action.body(ctx, entrant.caller, members))

    async def _leave(self, entrant: Entrant, link: Link) -> None:
        """Note that a connection is gone, and hand on what was never written to it.

        When the server stops, its next start notes the loss for all.
        """
        link.end()
        was_last = self._host.links.drop(entrant.key, link)
        (account, region, _), kind = entrant.key, entrant.kind
        try:
            for text in link.take_unwritten():
                await kind.undelivered(self._host, entrant.key, text)
            if was_last and not self._host.stopping:
                await self._host.write(account, region, lambda ctx: kind.lost(ctx, entrant.caller))
        except JournalUnavailable as error:
            log.warning("the loss of a connection could not be noted, missing heartbeats will tell: %s", error.reason)

    def _note(self, scope: Scope, claim: Claim | None, refusal: Refusal) -> None:
        names = (claim.fleet, claim.compute, claim.process_id) if claim is not None else ("", "", "")
        self._security.refused_process(_peer(scope), refusal.reason, refusal.message, *names)


class OnlyGameServers:
    """The application of a port that is for game servers alone: any other request is told so."""

    def __init__(self, sockets: SdkSocket) -> None:
        self._sockets = sockets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "websocket":
            await self._sockets(scope, receive, send)
        elif scope["type"] == "http":
            headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(WRONG_DOOR))]
            await send({"type": "http.response.start", "status": UPGRADE_REQUIRED, "headers": headers})
            await send({"type": "http.response.body", "body": WRONG_DOOR})


async def _write(link: Link, send: Send) -> None:
    """Send what is told, then close."""
    while (text := await link.next()) is not None:
        await send(
            {"type": "websocket.send", "text": text}
        )  # an error, or being cancelled, means that it was not written
        link.written()
    await send({"type": "websocket.close", "code": NORMAL})


async def _refuse(send: Send, refusal: Refusal) -> None:
    """Answer a handshake with an HTTP error that says why."""
    body = orjson.dumps({"message": refusal.message})
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    await send({"type": "websocket.http.response.start", "status": refusal.error_status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""
