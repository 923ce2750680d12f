"""Bucket away, disk full, journal removed, stopped in the middle: nothing is lost, and status says so."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import ACCOUNT, REGION, Running
from load import Answer, Connection, credential, run_callers

SOAK = bool(os.environ.get("APITRAIL_SOAK"))
AWAY_S = 60 if SOAK else 6


def make_alias(client: Any, name: str) -> str:
    made = client.create_alias(Name=name, RoutingStrategy={"Type": "TERMINAL", "Message": "m"})
    return str(made["ResponseMetadata"]["RequestId"])


def requests_of(records: list[dict[str, Any]]) -> list[str]:
    return [record["requestID"] for record in records]


def test_a_bucket_that_is_away_gets_everything_when_it_is_back(make_server: Callable[..., Running]) -> None:
    server = make_server()
    server.make_trail()
    games, trails = server.client("gamelift"), server.client("cloudtrail")
    first = make_alias(games, "before")
    server.wait_delivered(lambda records: first in requests_of(records))
    folder = server.data / "buckets" / "audit"
    folder.rename(folder.with_name("hidden"))
    end, wanted = time.monotonic() + AWAY_S, []
    while time.monotonic() < end:
        wanted.append(make_alias(games, f"away-{len(wanted)}"))
        time.sleep(0.2)
    status = trails.get_trail_status(Name="main")
    assert status["LatestDeliveryError"] == "NoSuchBucket"
    assert status["IsLogging"] is True
    assert not folder.exists()
    folder.with_name("hidden").rename(folder)
    server.wait_delivered(lambda records: set(wanted) <= set(requests_of(records)))
    found = requests_of(server.delivered())
    assert sorted(found) == sorted(set(found))
    assert "LatestDeliveryError" not in trails.get_trail_status(Name="main")


def test_a_server_stopped_in_the_middle_loses_no_answered_call(make_server: Callable[..., Running]) -> None:
    server = make_server()
    server.make_trail()
    host = server.endpoint.removeprefix("http://")
    answers: list[Answer] = []

    async def caller(number: int) -> None:
        connection = Connection(lambda: host, credential(*server.keys))
        for count in range(10_000):
            answer = await connection.call("gamelift", "CreateLocation", {"LocationName": f"custom-{number}-{count}"})
            if answer.status == 0:
                return
            answers.append(answer)

    async def run() -> None:
        stopping = asyncio.get_running_loop().call_later(1.5, lambda: server.process.send_signal(signal.SIGTERM))
        await run_callers(16, caller)
        stopping.cancel()

    asyncio.run(run())
    assert server.process is not None
    assert server.process.wait(timeout=30) == 0
    wanted = {answer.request_id for answer in answers if answer.status == 200}
    assert len(wanted) > 50
    found = requests_of(server.delivered())
    assert wanted <= set(found)
    assert len(found) == len(set(found))


def test_a_removed_journal_stops_every_call_with_a_reason(make_server: Callable[..., Running]) -> None:
    server = make_server(settings={"APITRAIL_CAPTURE_WAIT_MAX_S": "0.5"})
    client = server.client("gamelift")
    journal = server.data / "journal.db"
    journal.rename(server.data / "elsewhere.db")
    with pytest.raises(ClientError) as refused:
        make_alias(client, "unrecorded")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert "removed" in refused.value.response["Error"]["Message"]
    (server.data / "elsewhere.db").rename(journal)
    assert client.list_aliases()["Aliases"] == []


def mounted(path: Path) -> bool:
    """Mount a small file system; False where that is not allowed."""
    path.mkdir()
    return (
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(path)], capture_output=True).returncode
        == 0
    )


def test_a_full_disk_refuses_calls_and_recovers(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    assert mounted(disk) or os.getuid() != 0
    if os.getuid() == 0:
        try:
            full_disk(disk)
        finally:
            subprocess.run(["umount", "-l", str(disk)], check=True)


def full_disk(disk: Path) -> None:
    server = Running(disk / "data", settings={"APITRAIL_CAPTURE_WAIT_MAX_S": "0.5"}).start()
    try:
        client = server.client("gamelift")
        made = [make_alias(client, "before")]
        filler = disk / "filler"
        with filler.open("wb") as file:
            file.write(b"x" * max(0, shutil.disk_usage(disk).free - 64 * 1024))
        with pytest.raises(ClientError) as refused:
            for count in range(500):
                made.append(make_alias(client, f"filling-{count}"))
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
        assert "full" in refused.value.response["Error"]["Message"]
        filler.unlink()
        made.append(make_alias(client, "after"))
        pages = client.get_paginator("list_aliases").paginate()
        assert sum(len(page["Aliases"]) for page in pages) == len(made)
        server.kill()
        server.start()
        pages = server.client("gamelift").get_paginator("list_aliases").paginate()
        assert sum(len(page["Aliases"]) for page in pages) == len(made)
    finally:
        server.kill()


def test_it_listens_where_it_is_told_and_nowhere_else(make_server: Callable[..., Running]) -> None:
    server = make_server("--host", "127.0.0.2")
    port = int(server.endpoint.rpartition(":")[2])
    assert server.endpoint == f"http://127.0.0.2:{port}"
    with socket.socket() as other:
        assert other.connect_ex(("127.0.0.1", port)) != 0
    listening = Path(f"/proc/{server.process.pid}/net/tcp").read_text() if server.process else ""
    own = [line.split()[1] for line in listening.splitlines()[1:] if line.split()[3] == "0A"]
    assert f"0200007F:{port:04X}" in own
    assert f"00000000:{port:04X}" not in own


def test_status_accounts_for_every_event(make_server: Callable[..., Running]) -> None:
    server = make_server()
    server.make_trail()
    last = make_alias(server.client("gamelift"), "last")
    server.wait_delivered(lambda records: last in requests_of(records))
    done = subprocess.run(
        [*server.command, "status", "--output", "json", "--data", str(server.data)], env=server.env, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    assert ACCOUNT in done.stdout.decode()
    assert REGION in done.stdout.decode()
