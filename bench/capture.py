"""A1, A2, A3: what a call costs from the first byte to the durable event and the answer."""

import os
import time
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from statistics import median

from bench import WORK
from bench.loader import Measured, run_load
from bench.peers import PEERS, Peer, PeerMissing, RunningPeer
from bench.processes import NotStarted, Process, free_port, is_listening, rss_mb
from bench.results import Row, Target
from bench.server import UNRECORDED, Games, Server

SECONDS = 2.0
WARM_S = 0.7
SESSIONS = 400
LOAD_SESSIONS = 900
PEER_CALLERS = 32
CALLERS = 64
FACTORS = {"moto_server": 10.0, "LocalEmu": 20.0, "MiniStack": 2.0}
CPU_MS_MAX = 0.40
BARE_SHARE = 0.10
UNRECORDED_SHARE = 0.70
FSYNC_PLUS_MS = 1.0
P99_MS_MAX = 50.0
RSS_MB_MAX = 300.0
GROWTH_MAX = 1.05
FLAT_MINUTES = 5.0
SYNCS = 200
SLICE_S = 600.0
SAMPLE_EVENT = b"x" * 1600

Places = dict[str, tuple[tuple[str, int], list[bytes], int]]
"""Servers by name: where they are, what they are asked, and the process id where their CPU time counts, else 0."""


def a1_cpu(rounds: int) -> list[Row]:
    """Measure CPU time per authenticated, durable, recorded call, with a trail logging."""
    with Server("a1") as server:
        games = Games(server, SESSIONS)
        server.make_trail()
        sets = {"DescribeFleetAttributes": games.reads(), "CreatePlayerSession": games.writes()}
        seen: dict[str, list[Measured]] = {name: [] for name in sets}
        for requests in sets.values():
            run_load(server.address, requests, PEER_CALLERS, WARM_S)
        for _ in range(rounds):
            for name, requests in sets.items():
                seen[name].append(run_load(server.address, requests, PEER_CALLERS, SECONDS, pid=server.pid))
    return [
        Row(
            "A1",
            f"CPU per call, {name}, {PEER_CALLERS} callers",
            "ms",
            [item.cpu_ms for item in measured],
            target=Target(CPU_MS_MAX),
            beside=seen_beside(measured),
        )
        for name, measured in seen.items()
    ]


def a1_peers(rounds: int) -> list[Row]:
    """Measure throughput of GetCallerIdentity against other emulators."""
    running, missing = _start_peers()
    with ExitStack() as stack:
        for peer in running:
            stack.callback(peer.stop)
        server = stack.enter_context(Server("a1-peers"))
        server.make_trail()
        places: Places = {
            "": (server.address, [server.signer("sts").request("get_caller_identity")], server.pid),
            **{peer.peer.name: (peer.address, peer.requests(), peer.process.pid) for peer in running},
        }
        seen = _alternate(places, PEER_CALLERS, rounds)
    return [_peer_row(peer, seen, missing) for peer in PEERS]


def _start_peers() -> tuple[list[RunningPeer], dict[str, str]]:
    """Return the peers that run, and why others do not."""
    running, missing = [], {}
    for peer in PEERS:
        try:
            running.append(RunningPeer(peer))
        except (PeerMissing, NotStarted) as error:
            missing[peer.name] = str(error)
    return running, missing


def _peer_row(peer: Peer, seen: dict[str, list[Measured]], missing: dict[str, str]) -> Row:
    what = f"calls/s, GetCallerIdentity, {PEER_CALLERS} callers"
    target = Target(FACTORS[peer.name], "ratio", at_least=True)
    name = peer.requirement + (", recording on" if peer.records else ", no recording")
    if peer.name in missing:
        return Row("A1", what, "calls/s", other=name, target=target, missing=missing[peer.name])
    ours, theirs = seen[""], seen[peer.name]
    mine, other = (median(item.cpu_ms for item in measured) for measured in (ours, theirs))
    beside = f"CPU per call: ours {mine:.3g} ms, theirs {other:.3g} ms, {other / mine:.3g} times as much"
    return Row("A1", what, "calls/s", _rates(ours), name, _rates(theirs), target, beside)


def _alternate(places: Places, callers: int, rounds: int) -> dict[str, list[Measured]]:
    """Load several servers in turn, round after round, after a short warm-up."""
    seen: dict[str, list[Measured]] = {name: [] for name in places}
    for address, requests, _ in places.values():
        run_load(address, requests, callers, WARM_S)
    for _ in range(rounds):
        for name, (address, requests, pid) in places.items():
            seen[name].append(run_load(address, requests, callers, SECONDS, pid=pid))
    return seen


def _rates(measured: list[Measured]) -> list[float]:
    return [item.rate for item in measured]


def seen_beside(measured: list[Measured]) -> str:
    """Return what else a load showed: throughput, slow calls, and what the client cost."""
    rate, client = median(_rates(measured)), median(item.client_us for item in measured)
    p99 = 1000 * median(item.p99 for item in measured)
    return f"{rate:,.0f} calls/s, p99 {p99:.3g} ms, client {client:.0f} us CPU per call"


def a2(rounds: int) -> list[Row]:
    """Measure throughput against a bare server, and against the same server without its journal."""
    return [*_against_bare(rounds), *_against_unrecorded(rounds)]


def _against_bare(rounds: int) -> list[Row]:
    """Compare both kinds of call with a server that answers fixed bytes."""
    port = free_port()
    with (
        Server("a2") as server,
        Process([*_python("bench.bare"), str(port), "700"], WORK / "logs" / "bare.log") as bare,
    ):
        games = Games(server, SESSIONS)
        server.make_trail()
        address, read = ("127.0.0.1", port), games.reads()
        bare.wait_until(lambda: is_listening(address))
        places: Places = {
            "bare": (address, read, 0),
            "reads": (server.address, read, 0),
            "writes": (server.address, games.writes(), 0),
        }
        seen = _alternate(places, CALLERS, rounds)
    target = Target(BARE_SHARE, "ratio", at_least=True)
    name = "bare uvicorn (httptools, uvloop)"
    return [
        Row("A2", f"{kind}, {CALLERS} callers", "calls/s", _rates(seen[kind]), name, _rates(seen["bare"]), goal, beside)
        for kind, goal, beside in (
            ("reads", target, seen_beside(seen["reads"])),
            ("writes", None, seen_beside(seen["writes"])),
        )
    ]


def _python(module: str) -> tuple[str, ...]:
    return (UNRECORDED[0], "-m", module)


def _against_unrecorded(rounds: int) -> list[Row]:
    """Compare with the same server whose calls commit their changes without events."""
    with Server("a2-recorded") as server, Server("a2-unrecorded", UNRECORDED) as other:
        places: Places = {}
        for name, place in (("recorded", server), ("unrecorded", other)):
            games = Games(place, SESSIONS)
            place.make_trail()
            places[name] = (place.address, games.writes(), 0)
        seen = _alternate(places, CALLERS, rounds)
    ours, theirs = seen["recorded"], seen["unrecorded"]
    target = Target(UNRECORDED_SHARE, "ratio", at_least=True)
    what = f"writes, {CALLERS} callers"
    return [
        Row("A2", what, "calls/s", _rates(ours), "no event built or written", _rates(theirs), target, seen_beside(ours))
    ]


def a3(rounds: int, minutes: float) -> list[Row]:
    """Measure latency of one caller beside the disk's, of many callers, and memory under load."""
    with Server("a3") as server:
        games = Games(server, SESSIONS)
        server.make_trail()
        writes = games.writes()
        run_load(server.address, writes, CALLERS, WARM_S)
        alone, many, syncs = [], [], []
        for _ in range(rounds):
            syncs.append(1000 * _sync_s(server))
            alone.append(1000 * run_load(server.address, writes, 1, SECONDS).p50)
            many.append(1000 * run_load(server.address, games.mix(), CALLERS, SECONDS).p99)
    limit = [sync + FSYNC_PLUS_MS for sync in syncs]
    beside = f"fdatasync of {len(SAMPLE_EVENT)} bytes: p50 {median(syncs):.3g} ms"
    name = f"fdatasync + {FSYNC_PLUS_MS:g} ms:"
    return [
        Row("A3", "p50, 1 caller, CreatePlayerSession", "ms", alone, name, limit, Target(1.0, "ratio"), beside),
        Row("A3", f"p99, {CALLERS} callers, reads and writes in turn", "ms", many, target=Target(P99_MS_MAX)),
        *_memory(minutes),
    ]


def _sync_s(server: Server) -> float:
    """Return the median time that this disk takes to make a small append durable."""
    path = server.data / "probe"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        taken = []
        for _ in range(SYNCS):
            os.write(descriptor, SAMPLE_EVENT)
            began = time.perf_counter()
            os.fdatasync(descriptor)
            taken.append(time.perf_counter() - began)
    finally:
        os.close(descriptor)
        path.unlink()
    return median(taken)


def _memory(minutes: float) -> list[Row]:
    """Load a server for some minutes, and watch its memory."""
    with Server("a3-load") as server:
        games = Games(server, LOAD_SESSIONS)
        server.make_trail()
        samples: list[float] = []
        calls, left = 0, 60 * minutes
        while left > 0:
            seconds = min(left, SLICE_S)
            calls += _watched_load(server, games.mix(), seconds, samples)
            left -= seconds
    half = median(samples[len(samples) // 4 : len(samples) // 2])
    end = median(samples[-max(1, len(samples) // 8) :])
    beside = f"{calls:,} calls in {minutes:g} min, {CALLERS} callers, reads and writes in turn"
    return [
        Row("A3", "largest memory under load", "MB", [max(samples)], target=Target(RSS_MB_MAX), beside=beside),
        Row(
            "A3",
            "memory at the end",
            "MB",
            [end],
            "second quarter",
            [half],
            Target(GROWTH_MAX, "ratio") if minutes >= FLAT_MINUTES else None,
            f"start {samples[0]:.0f} MB; caches fill for minutes, so this is judged from --minutes {FLAT_MINUTES:g} on",
        ),
    ]


def _watched_load(server: Server, requests: list[bytes], seconds: float, samples: list[float]) -> int:
    """Make calls and note the server's memory each second; return how many calls."""
    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(run_load, server.address, requests, CALLERS, seconds)
        while not load.done():
            samples.append(rss_mb(server.pid))
            wait([load], timeout=1.0)
        return load.result().calls
