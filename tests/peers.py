"""Game servers without sockets: a peer of the server SDK's endpoint, on a stage."""

import asyncio
import json
from typing import Any, ClassVar
from urllib.parse import urlencode

from apitrail.testing import Stage

ANSWER_S = 10.0
TURNS = 20
LOCATION = "custom-desk"
COMPUTE = "desk-1"


class Refused(Exception):
    """The handshake was answered by an HTTP error. status: of it; text: what it says."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status} {text}")
        self.status = status
        self.text = text


class Closed(Exception):
    """The server has closed the connection instead of answering."""


class Peer:
    """One connection of a game server. closed: by the server. broken: nothing can be written to it any more, but the server has
    not heard of its end. It lives until it is dropped, whoever holds it."""

    _alive: ClassVar[set[asyncio.Task[None]]] = set()

    def __init__(self, stage: Stage, query: dict[str, str] | bytes, path: bytes = b"/") -> None:
        self.stage = stage
        self.closed = False
        self.broken = False
        self._pushes: list[dict[str, Any]] = []
        self._serial = 0
        raw = query if isinstance(query, bytes) else urlencode(query).encode()
        self._scope = {"type": "websocket", "raw_path": path, "query_string": raw, "client": ("127.0.0.1", 40000)}
        stage.run(self._connect())

    async def _connect(self) -> None:
        self._to_server: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._from_server: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._to_server.put_nowait({"type": "websocket.connect"})
        sockets = self.stage.app.game_servers
        self._task = asyncio.create_task(sockets(self._scope, self._to_server.get, self._write))
        self._alive.add(self._task)
        self._task.add_done_callback(self._alive.discard)
        first = await asyncio.wait_for(self._from_server.get(), ANSWER_S)
        if first["type"] == "websocket.accept":
            return
        body = await asyncio.wait_for(self._from_server.get(), ANSWER_S)
        await self._task
        raise Refused(first["status"], json.loads(body["body"])["message"])

    async def _write(self, message: dict[str, Any]) -> None:
        if self.broken:
            raise OSError("the peer is gone")
        await self._from_server.put(message)

    def send(self, raw: str | bytes) -> dict[str, Any]:
        """Send a frame as it is and return the next answer."""
        if self.closed:
            raise Closed
        message = {"text": raw} if isinstance(raw, str) else {"bytes": raw}
        answer: dict[str, Any] = self.stage.run(self._exchange(message))
        return answer

    async def _exchange(self, message: dict[str, Any]) -> dict[str, Any]:
        self._to_server.put_nowait({"type": "websocket.receive", **message})
        while True:
            frame = await asyncio.wait_for(self._from_server.get(), ANSWER_S)
            said = self._take(frame)
            if self.closed:
                raise Closed
            if said is not None and "StatusCode" in said:
                return said

    def _take(self, frame: dict[str, Any]) -> dict[str, Any] | None:
        if frame["type"] == "websocket.close":
            self.closed = True
            self._to_server.put_nowait({"type": "websocket.disconnect", "code": 1000})
            return None
        said: dict[str, Any] = json.loads(frame["text"])
        if "StatusCode" not in said:
            self._pushes.append(said)
        return said

    def ask(self, action: str, **members: Any) -> dict[str, Any]:
        """Send a request and return its answer, which repeats Action and RequestId."""
        self._serial += 1
        request_id = f"request-{self._serial}"
        answer = self.send(json.dumps({"Action": action, "RequestId": request_id, **members}))
        assert (answer["Action"], answer["RequestId"]) == (action, request_id)
        return answer

    def ok(self, action: str, **members: Any) -> dict[str, Any]:
        """Send a request that must succeed, and return its answer."""
        answer = self.ask(action, **members)
        assert answer["StatusCode"] == 200, answer
        return answer

    def pushes(self) -> list[dict[str, Any]]:
        """Return what the server has said by itself since the last time."""
        self.stage.run(self._listen())
        found, self._pushes = self._pushes, []
        return found

    async def _listen(self) -> None:
        for _ in range(TURNS):
            await asyncio.sleep(0.001)
            while not self._from_server.empty():
                self._take(self._from_server.get_nowait())

    def drop(self) -> None:
        """Lose the connection, as when the process is killed."""
        self.stage.run(self._disconnect())

    async def _disconnect(self) -> None:
        self._to_server.put_nowait({"type": "websocket.disconnect", "code": 1006})
        await asyncio.wait_for(self._task, ANSWER_S)


def anywhere_compute(stage: Stage, name: str = COMPUTE) -> str:
    """Make an Anywhere fleet with one compute and return the fleet's id."""
    stage.call("CreateLocation", LocationName=LOCATION)
    places = [{"Location": LOCATION}]
    fleet = stage.call("CreateFleet", Name="desk", ComputeType="ANYWHERE", Locations=places)["FleetAttributes"]
    stage.advance(1)
    fleet_id = str(fleet["FleetId"])
    stage.call("RegisterCompute", FleetId=fleet_id, ComputeName=name, Location=LOCATION, IpAddress="127.0.0.1")
    return fleet_id


def url_of(stage: Stage, fleet_id: str, process_id: str = "process-1", compute: str = COMPUTE) -> dict[str, str]:
    """Return the parameters of a process's URL, with a new token."""
    token = stage.call("GetComputeAuthToken", FleetId=fleet_id, ComputeName=compute)["AuthToken"]
    return {
        "pID": process_id,
        "sdkVersion": "5.6.0",
        "sdkLanguage": "Go",
        "ComputeId": compute,
        "FleetId": fleet_id,
        "IdempotencyToken": stage.ids.uuid(),
        "Authorization": token,
    }


def connected(stage: Stage, fleet_id: str, process_id: str = "process-1", compute: str = COMPUTE) -> Peer:
    """Connect a process."""
    return Peer(stage, url_of(stage, fleet_id, process_id, compute))


def free(stage: Stage, fleet_id: str, process_id: str = "process-1", port: int = 7777) -> Peer:
    """Connect a process that can host a session at once."""
    peer = connected(stage, fleet_id, process_id)
    peer.ok("ActivateServerProcess", SdkVersion="5.6.0", SdkLanguage="Go", Port=port, LogPaths=[])
    peer.ok("HeartbeatServerProcess", HealthStatus=True)
    return peer


def agent(stage: Stage, fleet_id: str, compute: str = COMPUTE) -> Peer:
    """Connect the agent of a compute."""
    return Peer(stage, agent_url_of(stage, fleet_id, compute), b"/agent")


def agent_url_of(stage: Stage, fleet_id: str, compute: str = COMPUTE) -> dict[str, str]:
    """Return the parameters of an agent's URL, with a new token."""
    token = stage.call("GetComputeAuthToken", FleetId=fleet_id, ComputeName=compute)["AuthToken"]
    return {"FleetId": fleet_id, "ComputeName": compute, "Authorization": token}
