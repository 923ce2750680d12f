"""An agent in small: starts the game servers that a fleet's runtime configuration names, and speaks GameLift's Agent protocol.

It takes GAMELIFT_AGENT_ENDPOINT (RegisterCompute's GameLiftAgentEndpoint) and the variables of `game_server.py`:
GAMELIFT_SDK_WEBSOCKET_URL, GAMELIFT_SDK_FLEET_ID, GAMELIFT_SDK_HOST_ID and GAMELIFT_SDK_AUTH_TOKEN, which its game servers get as
well, each with an id of its own. A process that exits is reported and replaced; one that GameLift gives up is killed. The agent
ends when its compute is deregistered, or with SIGTERM; then it tells its game servers to exit, and kills those that do not.

Its own variables: AGENT_HEARTBEAT_S, AGENT_REPLACE_S (before an exited process is replaced) and AGENT_STOP_S (how long game
servers may take to exit). Needs the package `websockets`.
"""

import asyncio
import os
import shlex
import signal
import sys
import time
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from game_server import Connection, Refused
from websockets.exceptions import ConnectionClosed

CRASHED = "SERVER_PROCESS_CRASHED"
INVALID_PATH = "SERVER_PROCESS_INVALID_PATH"
UNHEALTHY = "SERVER_PROCESS_TERMINATED_UNHEALTHY"
NOT_CONNECTED = "SERVER_PROCESS_SDK_INITIALIZATION_TIMEOUT"
UNREGISTERED_MAX = 8
"""Heartbeats through which a process may be unknown to GameLift before it is killed."""


class AgentConnection(Connection):
    """The connection of an agent: another URL, the same frames."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(environ)
        self._url = environ["GAMELIFT_AGENT_ENDPOINT"]

    def _address(self) -> str:
        environ = self._environ
        named = {"FleetId": environ["GAMELIFT_SDK_FLEET_ID"], "ComputeName": environ["GAMELIFT_SDK_HOST_ID"]}
        return f"{self._url}?{urlencode({**named, 'Authorization': self._token})}"


class Agent:
    """The agent: its connection, and the processes that it runs, by their ids."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._connection = AgentConnection(environ)
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._reasons: dict[str, str] = {}
        self._unknown: dict[str, int] = {}
        self._status = "Initializing"
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> int:
        """Live until the compute is over, and return an exit code."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._stop)
        await self._connection.open()
        await self._beat()
        self._status = "Activating"
        runtime = await self._connection.ask("DescribeRuntimeConfiguration")
        for launch in runtime["ServerProcesses"]:
            for _ in range(launch["ConcurrentExecutions"]):
                self._start(self._keep_running(launch))
        self._start(self._beat_on())
        while await self._obey(await self._connection.pushes.get()):
            continue
        await self._end_all()
        return 0

    def _stop(self) -> None:
        self._connection.pushes.put_nowait({"Action": "StartComputeTermination"})

    async def _obey(self, push: dict[str, Any]) -> bool:
        """Do what GameLift says; return whether life goes on."""
        action = push["Action"]
        print(f"told {action} {push.get('ProcessId', '')}".rstrip(), flush=True)
        if action in ("ForceExitServerProcess", "ForceExitProcess"):
            self._kill(push["ProcessId"], push.get("TerminationReason", ""))
        elif action == "RefreshConnection":
            self._start(self._connection.refresh(push["RefreshConnectionEndpoint"], push["AuthToken"]))
        return action not in ("StartComputeTermination", "Refused")

    async def _keep_running(self, launch: dict[str, Any]) -> None:
        """Start a process, report its end, and start another."""
        while self._status not in ("Terminating", "Terminated"):
            process_id = str(uuid.uuid4())
            await self._report(process_id, await self._play(process_id, launch))
            await asyncio.sleep(float(self._environ.get("AGENT_REPLACE_S", "1")))

    async def _play(self, process_id: str, launch: dict[str, Any]) -> str:
        """Run a process; return the EventCode of its end, empty when it has ended well."""
        words = shlex.split(launch.get("Parameters", ""))
        environment = {**self._environ, "GAMELIFT_SDK_PROCESS_ID": process_id}
        try:
            process = await asyncio.create_subprocess_exec(
                launch["LaunchPath"], *words, env=environment, start_new_session=True
            )
        except OSError as error:
            print(f"cannot start {launch['LaunchPath']}: {error}", flush=True)
            return INVALID_PATH
        self._processes[process_id] = process
        print(f"started {process_id} as {process.pid}", flush=True)
        code = await process.wait()
        del self._processes[process_id]
        return self._reasons.pop(process_id, CRASHED if code else "")

    async def _report(self, process_id: str, code: str) -> None:
        print(f"ended {process_id} {code or 'well'}", flush=True)
        members = (
            {"EventCode": code, "TerminationReason": code} if code else {"TerminationReason": "NORMAL_TERMINATION"}
        )
        try:
            await self._connection.ask("NotifyServerProcessTermination", ProcessId=process_id, **members)
        except (Refused, TimeoutError, ConnectionClosed) as error:
            print(f"an end could not be reported: {error}", flush=True)

    async def _beat(self) -> None:
        """Say how the compute is, and end what GameLift does not want."""
        members = {"Status": self._status, "ProcessList": list(self._processes)}
        said = await self._connection.ask("SendHeartbeat", **members, HeartbeatTimeMillis=int(time.time() * 1000))
        if said["Status"] == "Active":
            self._status = "Active"
        for process_id in said["UnhealthyProcesses"]:
            self._kill(process_id, UNHEALTHY)
        self._unknown = {one: self._unknown.get(one, 0) + 1 for one in said["UnregisteredProcesses"]}
        for process_id, count in self._unknown.items():
            if count >= UNREGISTERED_MAX:
                self._kill(process_id, NOT_CONNECTED)

    async def _beat_on(self) -> None:
        while True:
            await asyncio.sleep(float(self._environ.get("AGENT_HEARTBEAT_S", "60")))
            try:
                await self._beat()
            except (Refused, TimeoutError, ConnectionClosed) as error:
                print(f"a heartbeat was lost: {error}", flush=True)

    def _kill(self, process_id: str, reason: str) -> None:
        process = self._processes.get(process_id)
        if process is not None:
            self._reasons[process_id] = reason
            os.killpg(process.pid, signal.SIGKILL)

    async def _end_all(self) -> None:
        """Tell all processes to exit, and kill those that have not in time."""
        self._status = "Terminating"
        for process in self._processes.values():
            process.terminate()
        until = time.monotonic() + float(self._environ.get("AGENT_STOP_S", "5"))
        while self._processes and time.monotonic() < until:
            await asyncio.sleep(0.05)
        for process_id in list(self._processes):
            self._kill(process_id, "SERVER_PROCESS_FORCE_TERMINATED")
        while self._processes:
            await asyncio.sleep(0.05)
        await self._connection.close()

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


if __name__ == "__main__":
    sys.exit(asyncio.run(Agent(os.environ).run()))
