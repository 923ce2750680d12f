"""A process that makes calls: many callers on keep-alive connections, each with one call under way.

The requests are ready bytes, so that the client costs little; its CPU is reported. `run_load` starts the process with
a job on its standard input and returns what it has measured.
"""

import asyncio
import json
import subprocess
import sys
import time
from array import array
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import cycle
from typing import Any, cast

import httptools
import uvloop

from bench.processes import cpu_seconds, settle

GIVE_UP_S = 30.0
OK = 200


@dataclass(frozen=True, slots=True)
class Measured:
    """What a load measured. Latencies in seconds. cpu_s: of the server, with the work it did afterwards, or 0."""

    calls: int
    failures: int
    seconds: float
    client_cpu_s: float
    p50: float
    p95: float
    p99: float
    longest: float
    cpu_s: float = 0.0

    @property
    def rate(self) -> float:
        """Calls per second."""
        return self.calls / self.seconds

    @property
    def cpu_ms(self) -> float:
        """CPU time of the server per call, in milliseconds."""
        return 1000 * self.cpu_s / self.calls

    @property
    def client_us(self) -> float:
        """CPU time of the client per call, in microseconds."""
        return 1e6 * self.client_cpu_s / self.calls


class LoadFailed(Exception):
    """Calls were answered with errors, or not at all."""


def run_load(
    address: tuple[str, int], requests: Sequence[bytes], callers: int, seconds: float, *, pid: int = 0
) -> Measured:
    """Make calls for some seconds; the callers take the requests in turn.

    pid: of the server, to count its CPU time until it has nothing left to do. Raises: LoadFailed.
    """
    before = cpu_seconds(pid) if pid else 0.0
    job = {
        "address": address,
        "callers": callers,
        "seconds": seconds,
        "requests": [b64encode(request).decode() for request in requests],
    }
    done = subprocess.run(
        [sys.executable, "-m", "bench.loader"], input=json.dumps(job), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise LoadFailed(done.stderr.strip()[-400:])
    cpu_s = 0.0
    if pid:
        settle(pid)
        cpu_s = cpu_seconds(pid) - before
    measured = Measured(**{**json.loads(done.stdout), "cpu_s": cpu_s})
    if not measured.calls or measured.failures:
        raise LoadFailed(f"{measured.failures} calls failed, {measured.calls} did not")
    return measured


class Load:
    """What the callers of one job share."""

    def __init__(self, requests: list[bytes], seconds: float) -> None:
        self.next_request = cycle(requests).__next__
        self.ends_at = time.perf_counter() + seconds
        self.latencies = array("d")
        self.failures = 0

    def note(self, began: float, status: int) -> bool:
        """Note an answer; return whether there is time for another call."""
        now = time.perf_counter()
        self.latencies.append(now - began)
        self.failures += status != OK
        return now < self.ends_at


class Caller(asyncio.Protocol):
    """One caller. A server that closes the connection after an answer gets a new one for the next call."""

    def __init__(self, load: Load, address: tuple[str, int]) -> None:
        self._load = load
        self._address = address
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser: Any = None
        self._began = 0.0
        self._is_waiting = False
        self._goes_on = True
        self._connecting: asyncio.Task[None] | None = None
        self.done = self._loop.create_future()

    async def connect(self) -> None:
        """Open a connection and make calls on it."""
        try:
            await self._loop.create_connection(lambda: self, *self._address)
        except OSError as error:
            self.done.set_exception(error)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Make the first call on a connection."""
        self._transport = cast(asyncio.Transport, transport)
        self._parser = httptools.HttpResponseParser(self)
        self._call()

    def data_received(self, data: bytes) -> None:
        """Take in a part of an answer."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Note an answer and make the next call."""
        assert self._transport is not None
        self._is_waiting = False
        self._goes_on = self._load.note(self._began, self._parser.get_status_code())
        if self._goes_on and self._parser.should_keep_alive():
            self._call()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the end of a connection as the end of an answer that says no length, and connect again."""
        if self._is_waiting:
            self._is_waiting = False
            self._goes_on = self._load.note(self._began, self._parser.get_status_code())
        if self._goes_on:
            self._connecting = self._loop.create_task(self.connect())
        elif not self.done.done():
            self.done.set_result(None)

    def _call(self) -> None:
        assert self._transport is not None
        self._is_waiting = True
        self._began = time.perf_counter()
        self._transport.write(self._load.next_request())


async def make_calls(job: dict[str, Any]) -> Measured:
    """Do a job and return what was measured."""
    load = Load([b64decode(request) for request in job["requests"]], job["seconds"])
    callers = [Caller(load, tuple(job["address"])) for _ in range(job["callers"])]
    cpu, began = time.process_time(), time.perf_counter()
    async with asyncio.timeout(job["seconds"] + GIVE_UP_S):
        await asyncio.gather(*(caller.connect() for caller in callers))
        await asyncio.gather(*(caller.done for caller in callers))
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    ordered = sorted(load.latencies)
    p50, p95, p99 = (ordered[int(len(ordered) * share)] for share in (0.5, 0.95, 0.99))
    good = len(ordered) - load.failures
    return Measured(good, load.failures, seconds, cpu, p50, p95, p99, ordered[-1])


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(make_calls(json.load(sys.stdin))))))
