"""B1: puts to an S3 endpoint, beside bare obstore puts of the same bytes to the same store."""

import asyncio
import shutil
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import obstore
from obstore.store import S3Store

from apitrail.objects.s3 import S3Bucket, S3Config
from apitrail.trail.logfile import CONTENT_ENCODING, CONTENT_TYPE
from bench import WORK
from bench.processes import Process, free_port
from bench.results import Row, Target

KEY, SECRET = "AKIABENCHBENCHBENCH1", "a-secret-of-the-bench"
BUCKET = "audit"
WEED = Path(sys.executable).parent / "weed"
SIZES = {"100 KB": (100_000, 400), "1 MB": (1_000_000, 80)}
AT_ONCE = 8
SHARE = 0.70
Put = Callable[[str, bytes], Awaitable[object]]


def b1(rounds: int) -> list[Row]:
    """Measure puts to a SeaweedFS on loopback."""
    folder = WORK / "data" / "b1"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    port = free_port()
    ports = [f"-{name}.port={free_port()}" for name in ("master", "volume", "filer")]
    command: list[str | Path] = [WEED, "mini", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
    command += [
        f"-s3.port={port}",
        *ports,
        "-master.telemetry=false",
        "-webdav=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
    ]
    keys = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "S3_BUCKET": BUCKET}
    try:
        with Process(command, WORK / "logs" / "b1.log", keys) as store:
            endpoint = f"http://127.0.0.1:{port}"
            ours, bare = our_put(endpoint), bare_put(endpoint)
            store.wait_until(lambda: asyncio.run(is_ready(bare)), pause_s=0.5)
            return [measured(name, ours, bare, rounds) for name in SIZES]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def is_ready(put: Put) -> bool:
    """Return whether the store takes an object."""
    try:
        await put("ready", b"1")
    except obstore.exceptions.BaseError:
        return False
    return True


def our_put(endpoint: str) -> Put:
    """Return the put of deliveries."""
    bucket = S3Bucket(S3Config(BUCKET, endpoint, "us-east-1", KEY, SECRET, allow_http=True))
    return lambda key, body: bucket.put(key, body, content_type=CONTENT_TYPE, content_encoding=CONTENT_ENCODING)


def bare_put(endpoint: str) -> Put:
    """Return obstore's own put."""
    store = S3Store(
        BUCKET,
        endpoint=endpoint,
        region="us-east-1",
        access_key_id=KEY,
        secret_access_key=SECRET,
        virtual_hosted_style_request=False,
        client_options={"allow_http": True, "timeout": timedelta(seconds=60)},
    )
    return lambda key, body: obstore.put_async(store, key, body, use_multipart=False)


def measured(name: str, ours: Put, bare: Put, rounds: int) -> Row:
    """Return a row for one size; who begins changes from round to round."""
    size, count = SIZES[name]
    body = bytes(range(256)) * (size // 256)
    values: dict[str, list[float]] = {"ours": [], "bare": []}
    puts = {"ours": ours, "bare": bare}
    for number in range(rounds):
        for who in sorted(puts, reverse=bool(number % 2)):
            values[who].append(count * len(body) / 1e6 / asyncio.run(put_all(puts[who], f"{name}-{who}", body, count)))
    return Row(
        "B1",
        f"put {name} to an S3 endpoint, {AT_ONCE} at once",
        "MB/s",
        values["ours"],
        "bare obstore",
        values["bare"],
        Target(SHARE, "ratio", at_least=True),
        f"{count} objects, SeaweedFS on loopback",
    )


async def put_all(put: Put, name: str, body: bytes, count: int) -> float:
    """Put objects, a few at once; return the seconds."""
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            await put(f"{name}/{number}", body)

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    return time.perf_counter() - began
