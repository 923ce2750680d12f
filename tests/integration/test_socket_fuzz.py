"""A real server under random, mutated, cut, slow and endless HTTP: it stays up, says nothing of itself, and stays small.

APITRAIL_SOAK=1: for many times as many bytes.
"""

import json
import os
import random
import re
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import Running
from load import Connection, credential

SOAK = os.environ.get("APITRAIL_SOAK") == "1"
ROUNDS = 60_000 if SOAK else 4000
FLOOD_BYTES = 500_000_000 if SOAK else 60_000_000
GROWTH_MAX = 100 * 1024 * 1024
CALLERS = 16
ANSWER_S = 2.0
GOOD_ANSWER_S = 10.0
ANSWER_MAX = 1_000_000
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
METHODS = (b"GET", b"POST", b"PUT", b"DELETE", b"HEAD", b"OPTIONS", b"PATCH", b"TRACE", b"CONNECT", b"PRI", b"get", b"")
PATHS = (
    b"/", b"/bucket/key", b"/bucket?uploads", b"*", b"http://x/", b"/%00%ff", b"/" + b"a/" * 500, b"//", b"/..%2f..",
    b"/_apitrail/events?since=99999999999999999999", b"/_apitrail/status", b"/_apitrail/metrics", b"/_apitrail/../x",
    b"/service/GameLift/operation/CreateFleet", b"/?Action=AssumeRole&Version=2011-06-15", b"/\xff\xfe", b"",
    b"/bucket/key?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a&X-Amz-Signature=b", b"/?" + b"a=b&" * 2000,
)  # fmt: skip
HEADERS = (
    b"content-length: 5", b"content-length: -1", b"content-length: 99999999999999999999", b"content-length: 5, 6",
    b"content-length: 0", b"transfer-encoding: chunked", b"transfer-encoding: gzip, chunked", b"connection: close",
    b"expect: 100-continue", b"upgrade: websocket\r\nconnection: upgrade", b"host: a\r\nhost: b", b"host:",
    b"x-amz-target: GameLift.CreateFleet", b"x-amz-target: \xff\xfe.x", b"content-type: application/cbor",
    b"content-type: application/x-amz-json-1.1", b"smithy-protocol: rpc-v2-cbor", b"authorization: AWS4-HMAC-SHA256 x",
    b"authorization: AWS a:b", b"content-encoding: aws-chunked", b"x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    b"x-amz-decoded-content-length: 99999999999999", b"x-amz-date: 99991231T235959Z", b"bad header", b": empty", b"a\0b: c",
    b"range: bytes=0-99999999999999999999", b"cookie: " + b"c" * 5000,
)  # fmt: skip
BODIES = (
    b"",
    b"hello",
    b"{}",
    b"\xa0",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"fffffffffffffffff\r\n",
    b"-5\r\n",
    b"0\r\na: b\r\n\r\n",
)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server of this file alone, so that its log holds nothing else."""
    running = Running(tmp_path_factory.mktemp("fuzzed") / "data").start()
    yield running
    running.kill()


@pytest.fixture(autouse=True)
def unharmed(target: Running) -> Iterator[None]:
    """Hold the server to its promises around each test."""
    answer_of_good_call(target)
    before = memory(target)
    yield
    assert target.process is not None
    assert target.process.poll() is None, "the server ended"
    log = (target.data / "server.log").read_text(errors="replace")
    assert "Traceback" not in log, log[-3000:]
    assert answer_of_good_call(target)
    assert memory(target) - before < GROWTH_MAX


def answer_of_good_call(server: Running) -> bool:
    return "Aliases" in server.client("gamelift").list_aliases()


def memory(server: Running) -> int:
    """Return the bytes of memory that the server's process holds."""
    assert server.process is not None
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def connect(server: Running) -> socket.socket:
    host, _, port = server.endpoint.removeprefix("http://").partition(":")
    made = socket.create_connection((host, int(port)), timeout=ANSWER_S)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def said_to(server: Running, pieces: list[bytes], *, wait_s: float = 0.05) -> list[int]:
    """Send bytes over one connection and return the statuses of whatever comes back in time."""
    answer = b""
    with suppress(OSError), connect(server) as made:
        for piece in pieces:
            made.sendall(piece)
        made.settimeout(wait_s)
        while len(answer) < ANSWER_MAX and (part := made.recv(65536)):
            answer += part
            made.settimeout(wait_s / 4)
    return [int(status) for status in STATUS.findall(answer)]


def valid(server: Running, name: str) -> bytes:
    """Return the bytes of a good call that makes a location of this name."""
    host = server.endpoint.removeprefix("http://")
    made = Connection(lambda: host, credential(*server.keys))
    return made.request("gamelift", "CreateLocation", {"LocationName": name})


def random_request(chance: random.Random) -> bytes:
    """Return something that looks like HTTP."""
    headers = [chance.choice(HEADERS) for _ in range(chance.randint(0, 5))]
    version = chance.choice((b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.1\r", b"", b"XXXX"))
    line = b" ".join((chance.choice(METHODS), chance.choice(PATHS), version))
    return b"\r\n".join((line, *headers, b"", chance.choice(BODIES)))


def mutated(text: bytes, chance: random.Random) -> bytes:
    """Return a text with some bytes changed, pieces taken out, doubled or put in."""
    changed = bytearray(text)
    for _ in range(chance.randint(1, 6)):
        place = chance.randrange(len(changed) + 1)
        size = chance.randint(0, 8)
        choice = chance.randrange(4)
        if choice == 0:
            changed[place : place + size] = chance.randbytes(size)
        elif choice == 1:
            del changed[place : place + size]
        elif choice == 2:
            changed[place:place] = changed[place : place + size * 8]
        else:
            changed[place:place] = chance.choice((*HEADERS, *BODIES, b"\r\n\r\n", b"\0", b"\r", b"\n"))
    return bytes(changed)


def statuses(server: Running, sent: Iterable[list[bytes]], *, wait_s: float = 0.05) -> list[tuple[int, bytes]]:
    """Send each over a connection of its own, several at a time; return all statuses, each with what was sent."""

    def send(pieces: list[bytes]) -> list[tuple[int, bytes]]:
        return [(status, b"".join(pieces)[:500]) for status in said_to(server, pieces, wait_s=wait_s)]

    with ThreadPoolExecutor(CALLERS) as callers:
        return [found for answers in callers.map(send, sent) for found in answers]


def failures(found: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Return the answers that say that the server itself is at fault; 501 says that S3 does not do this."""
    return [answer for answer in found if answer[0] >= 500 and answer[0] != 501]


def locations(server: Running) -> set[str]:
    found = server.client("gamelift").list_locations(Filters=["CUSTOM"])["Locations"]
    return {location["LocationName"] for location in found}


def test_random_requests_are_answered_or_dropped(target: Running) -> None:
    chance = random.Random("random requests")
    found = statuses(target, ([random_request(chance)] for _ in range(ROUNDS)))
    assert failures(found) == []
    assert {400, 403, 404} <= {status for status, _ in found}
    assert len(found) > ROUNDS // 2


def test_changed_good_requests_are_answered_or_dropped(target: Running) -> None:
    chance = random.Random("changed requests")
    good = valid(target, "custom-changed")
    found = statuses(target, ([mutated(good, chance)] for _ in range(ROUNDS)))
    assert failures(found) == []
    assert len(found) > ROUNDS // 2
    assert locations(target) <= {"custom-changed"}, "what was signed, or nothing"


def test_requests_cut_at_any_point_change_nothing(target: Running) -> None:
    good = valid(target, "custom-cut")
    found = statuses(target, ([good[:cut]] for cut in range(0, len(good), 1 if SOAK else 5)), wait_s=0.02)
    assert [status for status, _ in found if status < 400] == []
    assert "custom-cut" not in locations(target)


def test_garbage_behind_and_between_requests_is_no_request(target: Running) -> None:
    chance = random.Random("garbage")
    good = valid(target, "custom-altered").replace(b"altered", b"ALTERED")  # so its signature is wrong
    mixes = ((good, random_request(chance), chance.randbytes(200)) for _ in range(ROUNDS // 5))
    assert failures(statuses(target, ([chance.choice(mix) for _ in range(8)] for mix in mixes))) == []
    flood = b"GET /_apitrail/health HTTP/1.1\r\nhost: a\r\n\r\n" * 20_000
    assert {400} <= set(said_to(target, [flood], wait_s=1)) <= {200, 400}
    assert locations(target) <= {"custom-changed"}


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (b"GET / HTTP/1.1\r\nlong: ", b"x" * 65536),
        (b"GET / HTTP/1.1\r\n", b"a: b\r\n" * 10_000),
        (b"GET /", b"x" * 65536),
        (b"", b"x" * 65536),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\nlong: ", b"x" * 65536),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 65536 + b"\r\n"),
        (b"POST / HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n", b"x" * 65536),
        (b"PUT /bucket/key HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n", b"x" * 65536),
    ],
    ids=["header", "headers", "path", "nothing", "trailer", "chunks", "body", "upload"],
)
def test_what_never_ends_is_not_kept(target: Running, begin: bytes, piece: bytes) -> None:
    before, most, sent = memory(target), 0, 0
    with suppress(OSError), connect(target) as made:
        made.sendall(begin)
        while sent < FLOOD_BYTES:
            made.sendall(piece)
            sent += len(piece)
            most = max(most, memory(target))
    assert most - before < GROWTH_MAX


def test_many_slow_callers_do_not_keep_others_out(target: Running) -> None:
    slow = [connect(target) for _ in range(200)]
    good = valid(target, "custom-slow")
    try:
        for place in range(40):
            for made in slow:
                with suppress(OSError):
                    made.sendall(good[place : place + 1])
            if place % 10 == 0:
                began = time.monotonic()
                assert answer_of_good_call(target)
                assert time.monotonic() - began < GOOD_ANSWER_S
    finally:
        for made in slow:
            made.close()


def test_callers_that_never_read_their_answers_are_harmless(target: Running) -> None:
    made = [connect(target) for _ in range(20)]
    request = b"GET /_apitrail/metrics HTTP/1.1\r\nhost: a\r\n\r\n"
    before = memory(target)
    for connection in made:
        connection.settimeout(0.2)
        with suppress(OSError):
            for _ in range(1000):
                connection.sendall(request)
    assert memory(target) - before < GROWTH_MAX
    assert answer_of_good_call(target)
    for connection in made:
        connection.close()


def test_callers_that_hang_up_in_the_middle_leave_nothing(target: Running) -> None:
    def hang_up(number: int) -> None:
        chance = random.Random(number)
        for _ in range(ROUNDS // 50):
            request = (
                random_request(chance)
                if chance.random() < 0.5
                else valid(target, "custom-cut")[: chance.randint(1, 500)]
            )
            with suppress(OSError), connect(target) as made:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                made.sendall(request)

    threads = [threading.Thread(target=hang_up, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    end = time.monotonic() + 10
    while time.monotonic() < end and open_connections(target) > 5:
        time.sleep(0.1)
    assert open_connections(target) <= 5
    assert list((target.data / "staging").iterdir()) == []


def open_connections(server: Running) -> int:
    """Return how many sockets the server's process holds open."""
    assert server.process is not None
    folder = Path(f"/proc/{server.process.pid}/fd")
    found: list[str] = []
    for entry in folder.iterdir():
        with suppress(OSError):
            found.append(str(entry.readlink()))
    return sum(text.startswith("socket:") for text in found)


def test_only_what_was_signed_was_done_and_recorded(target: Running) -> None:
    attribute = {"AttributeKey": "EventName", "AttributeValue": "CreateLocation"}
    pages = target.client("cloudtrail").get_paginator("lookup_events").paginate(LookupAttributes=[attribute])
    records = [json.loads(event["CloudTrailEvent"]) for page in pages for event in page["Events"]]
    done = [record for record in records if "errorCode" not in record]
    assert {record["requestParameters"]["locationName"] for record in done} == locations(target)
    assert len(done) == len(locations(target))
