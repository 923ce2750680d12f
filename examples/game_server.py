"""A game server that speaks the protocol of GameLift Server SDK 5 by itself: one WebSocket, no SDK.

It takes the variables that the SDKs take: GAMELIFT_SDK_WEBSOCKET_URL, GAMELIFT_SDK_FLEET_ID, GAMELIFT_SDK_HOST_ID,
GAMELIFT_SDK_PROCESS_ID, and GAMELIFT_SDK_AUTH_TOKEN, or GAMELIFT_REGION with GAMELIFT_ACCESS_KEY, GAMELIFT_SECRET_KEY and
GAMELIFT_SESSION_TOKEN. The game: players connect by TCP, send their player session id as the first line, and everything
that one of them says goes to all. The session ends with its last player, and the process with its session.

Its own variables: GAME_PORT (0 takes a free one), GAME_START_S, GAME_LOAD_S and GAME_EXIT_S: how long it takes to get ready,
to load a session and to exit. Needs the package `websockets`.
"""

import asyncio
import hashlib
import hmac
import json
import os
import sys
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

HEARTBEAT_S = 60.0
ANSWER_S = 20.0
RECONNECT_S = (1.0, 2.0, 4.0, 8.0, 16.0)
OLD_CONNECTION_S = 5.0
SERVER_ERROR = 500
SDK_VERSION = "5.6.0"


class Refused(Exception):
    """The service does not let the process in, or refuses a request."""


def mac(key: bytes, text: str) -> bytes:
    """Return the HMAC of a text."""
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signature(environ: Mapping[str, str], named: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters that sign a URL: only ComputeId, FleetId and pID are signed, without a canonical request."""
    at = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{at[:8]}/{environ['GAMELIFT_REGION']}/gamelift/aws4_request"
    hashed = hashlib.sha256(urlencode(sorted(named.items()), quote_via=quote, safe="").encode()).hexdigest()
    key = b"AWS4" + environ["GAMELIFT_SECRET_KEY"].encode()
    for part in scope.split("/"):
        key = mac(key, part)
    found = {
        "Authorization": "SigV4",
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{environ['GAMELIFT_ACCESS_KEY']}/{scope}",
        "X-Amz-Date": at,
        "X-Amz-Signature": mac(key, f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{hashed}").hex(),
    }
    if token := environ.get("GAMELIFT_SESSION_TOKEN"):
        found["X-Amz-Security-Token"] = token
    return found


class Connection:
    """The connection to GameLift: requests with their answers, pushes, heartbeats; it comes back by itself when it is lost."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._url = environ["GAMELIFT_SDK_WEBSOCKET_URL"]
        self._token = environ.get("GAMELIFT_SDK_AUTH_TOKEN", "")
        self._process_id = environ.get("GAMELIFT_SDK_PROCESS_ID") or str(uuid.uuid4())
        self._socket: ClientConnection | None = None
        self._answers: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._readers: set[asyncio.Task[None]] = set()
        self.pushes: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def open(self) -> None:
        """Connect, with more tries when nobody is there. Raises: Refused."""
        for pause in (*RECONNECT_S, None):
            try:
                self._socket = await connect(self._address(), max_size=None, compression=None)
            except (OSError, InvalidHandshake) as error:
                if isinstance(error, InvalidStatus) and error.response.status_code < SERVER_ERROR:
                    raise Refused(f"{error.response.status_code} {bytes(error.response.body)!r}") from error
                if pause is None:
                    raise Refused(f"nobody is at {self._url}: {error}") from error
                await asyncio.sleep(pause)
            else:
                reader = asyncio.create_task(self._read(self._socket))
                self._readers.add(reader)
                reader.add_done_callback(self._readers.discard)
                return

    def _address(self) -> str:
        environ = self._environ
        named = {
            "ComputeId": environ["GAMELIFT_SDK_HOST_ID"],
            "FleetId": environ["GAMELIFT_SDK_FLEET_ID"],
            "pID": self._process_id,
        }
        proof = {"Authorization": self._token} if self._token else signature(environ, named)
        more = {"sdkVersion": SDK_VERSION, "sdkLanguage": "Python", "IdempotencyToken": str(uuid.uuid4())}
        return f"{self._url}/?{urlencode({**named, **more, **proof})}"

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for text in socket:
                self._take(json.loads(text))
        except ConnectionClosed:
            print("the connection was lost", flush=True)
        if socket is self._socket:
            await self._come_back()

    async def _come_back(self) -> None:
        try:
            await self.open()
        except Refused as error:
            print(f"not let in any more: {error}", flush=True)
            self.pushes.put_nowait({"Action": "Refused"})
        else:
            print("connected again", flush=True)

    def _take(self, said: dict[str, Any]) -> None:
        if "RequestId" not in said:
            self.pushes.put_nowait(said)
        elif (answer := self._answers.pop(said["RequestId"], None)) is not None and not answer.done():
            answer.set_result(said)

    async def ask(self, action: str, **members: Any) -> dict[str, Any]:
        """Send a request and return its answer. Raises: Refused."""
        request_id = str(uuid.uuid4())
        answer = self._answers[request_id] = asyncio.get_running_loop().create_future()
        assert self._socket is not None
        await self._socket.send(json.dumps({"Action": action, "RequestId": request_id, **members}))
        said: dict[str, Any] = await asyncio.wait_for(answer, ANSWER_S)
        if said["StatusCode"] != 200:
            raise Refused(f"{action}: {said['StatusCode']} {said.get('ErrorMessage', '')}")
        return said

    async def refresh(self, url: str, token: str) -> None:
        """Take a new connection, and drop the old one when its last answers have come."""
        old, self._url, self._token = self._socket, url, token
        await self.open()
        await asyncio.sleep(OLD_CONNECTION_S)
        if old is not None:
            await old.close()

    async def beat(self) -> None:
        """Say every minute that the process is well."""
        while True:
            try:
                await self.ask("HeartbeatServerProcess", HealthStatus=True)
            except (Refused, TimeoutError, ConnectionClosed) as error:
                print(f"a heartbeat was lost: {error}", flush=True)
            await asyncio.sleep(HEARTBEAT_S)

    async def close(self) -> None:
        """Hang up."""
        socket, self._socket = self._socket, None
        if socket is not None:
            await socket.close()


class Game:
    """One game session: lines of each player go to all."""

    def __init__(self, connection: Connection, session_id: str) -> None:
        self._connection = connection
        self._session_id = session_id
        self._players: dict[str, asyncio.StreamWriter] = {}
        self.over = asyncio.Event()

    async def play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one player."""
        player = (await reader.readline()).decode().strip()
        named = {"GameSessionId": self._session_id, "PlayerSessionId": player}
        try:
            await self._connection.ask("AcceptPlayerSession", **named)
        except Refused as error:
            writer.write(f"not let in: {error}\n".encode())
            writer.close()
            return
        self._players[player] = writer
        writer.write(b"welcome\n")
        try:
            while line := await reader.readline():
                for other in self._players.values():
                    other.write(line)
        finally:
            del self._players[player]
            writer.close()
            await self._connection.ask("RemovePlayerSession", **named)
            if not self._players:
                self.over.set()


class GameServer:
    """The process: ready, one session, and the end."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._connection = Connection(environ)
        self._game: Game | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> int:
        """Live one life and return an exit code."""
        await self._connection.open()
        print("connected", flush=True)
        await self._pause("GAME_START_S")
        listener = await asyncio.start_server(self._welcome, "127.0.0.1", int(self._environ.get("GAME_PORT", "0")))
        port = listener.sockets[0].getsockname()[1]
        await self._connection.ask(
            "ActivateServerProcess", SdkVersion=SDK_VERSION, SdkLanguage="Python", Port=port, LogPaths=[]
        )
        self._start(self._connection.beat())
        print(f"ready on port {port}", flush=True)
        while await self._obey(await self._connection.pushes.get()):
            continue
        listener.close()
        return 0

    async def _obey(self, push: dict[str, Any]) -> bool:
        """Do what GameLift, or the game itself, says; return whether life goes on."""
        action = push["Action"]
        if action == "CreateGameSession":
            self._start(self._begin(push["GameSessionId"]))
        elif action == "RefreshConnection":
            self._start(self._connection.refresh(push["RefreshConnectionEndpoint"], push["AuthToken"]))
        elif action in ("TerminateProcess", "GameOver"):
            await self._connection.ask("TerminateServerProcess")
            print("ending", flush=True)
            await self._pause("GAME_EXIT_S")
            await self._connection.close()
            return False
        return bool(action != "Refused")

    async def _begin(self, session_id: str) -> None:
        print("activating", flush=True)
        await self._pause("GAME_LOAD_S")
        self._game = Game(self._connection, session_id)
        await self._connection.ask("ActivateGameSession", GameSessionId=session_id)
        print("hosting", flush=True)
        await self._game.over.wait()
        self._connection.pushes.put_nowait({"Action": "GameOver"})

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._game is None:
            writer.close()
        else:
            await self._game.play(reader, writer)

    async def _pause(self, name: str) -> None:
        await asyncio.sleep(float(self._environ.get(name, "0")))

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


if __name__ == "__main__":
    sys.exit(asyncio.run(GameServer(os.environ).run()))
