"""A real S3-compatible store for tests: SeaweedFS as a process of its own."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

KEY, SECRET = "AKIATESTTESTTESTTEST", "a-secret-for-tests"
WEED = Path(sys.executable).parent / "weed"


def free_port() -> int:
    """Return a port that is free, as is the one 10,000 above it, which SeaweedFS opens as well."""
    while True:
        with socket.socket() as low, socket.socket() as high:
            low.bind(("127.0.0.1", 0))
            port: int = low.getsockname()[1]
            if port < 55_000 and high.connect_ex(("127.0.0.1", port + 10_000)) != 0:
                return port


def wait_for_store(endpoint: str, server: "subprocess.Popen[bytes]") -> None:
    client = boto3.client(
        "s3", endpoint_url=endpoint, aws_access_key_id=KEY, aws_secret_access_key=SECRET, region_name="us-east-1"
    )
    for _ in range(120):
        assert server.poll() is None, "SeaweedFS ended"
        try:
            client.create_bucket(Bucket="ready-bucket")
            client.put_object(Bucket="ready-bucket", Key="ready", Body=b"1")
            return
        except (BotoCoreError, ClientError):
            asyncio.run(asyncio.sleep(0.25))
    raise AssertionError("SeaweedFS did not start in time")


@contextmanager
def running_store(folder: Path) -> Iterator[str]:
    """Run SeaweedFS on loopback, with its files in a folder, and give its endpoint."""
    master, volume, filer, s3 = (free_port() for _ in range(4))
    arguments = [
        *(str(WEED), "mini", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false"),
        *(f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}", f"-s3.port={s3}"),
        *("-webdav=false", "-s3.port.iceberg=0", "-s3.port.lance=0"),
    ]
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
    server = subprocess.Popen(
        arguments, env=environment, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for_store(f"http://127.0.0.1:{s3}", server)
        yield f"http://127.0.0.1:{s3}"
    finally:
        server.kill()  # a graceful end takes half a minute
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)
