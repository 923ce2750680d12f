"""A real server as a process of its own, and real clients against it."""

import configparser
import gzip
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

BIN = Path(sys.executable).parent
REGION = "us-west-2"
ACCOUNT = "111122223333"
START_S = 30


class Running:
    """A server process. start it again after a kill with the same data; env: for commands and SDKs that use it."""

    def __init__(self, data: Path, *options: str, verb: str = "serve", settings: dict[str, str] | None = None) -> None:
        self.data = data
        self._command = [str(BIN / "apitrail"), verb, "--port", "0", "--data", str(data), *options]
        self._settings = {"APITRAIL_DELIVERY_PERIOD_S": "1", **(settings or {})}
        self.command = [str(BIN / "apitrail")]
        self.process: subprocess.Popen[bytes] | None = None
        self.facts: dict[str, Any] = {}

    def use_port(self, port: str) -> None:
        """Let the next start listen on this port, so that clients find the server again."""
        self._command[self._command.index("--port") + 1] = port

    def start(self) -> "Running":
        """Start the process and wait until it is ready."""
        self.data.mkdir(exist_ok=True)
        (self.data / "server.json").unlink(missing_ok=True)
        log = (self.data / "server.log").open("ab")
        environ = {**os.environ, **self._settings}
        self.process = subprocess.Popen(self._command, stdout=log, stderr=log, env=environ, start_new_session=True)
        self.facts = self._wait(lambda: json.loads((self.data / "server.json").read_text()))
        self._wait(lambda: urllib.request.urlopen(self.endpoint + "/_apitrail/ready").status == 200)
        return self

    def _wait(self, ask: Callable[[], Any]) -> Any:
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            assert self.process is not None
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended: {(self.data / 'server.log').read_text()[-2000:]}")
            with suppress(OSError, ValueError):
                if answer := ask():
                    return answer
            time.sleep(0.05)
        raise AssertionError(f"not ready after {START_S} s: {(self.data / 'server.log').read_text()[-2000:]}")

    @property
    def endpoint(self) -> str:
        """The URL of the gateway."""
        return str(self.facts["endpoint"])

    @property
    def keys(self) -> tuple[str, str]:
        """The root key and its secret."""
        file = configparser.ConfigParser()
        file.read(self.facts["credentials"])
        return file["default"]["aws_access_key_id"], file["default"]["aws_secret_access_key"]

    @property
    def env(self) -> dict[str, str]:
        """What an unchanged client needs."""
        key, secret = self.keys
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def client(self, service: str, region: str = REGION, keys: Any = None, **config: Any) -> Any:
        """Return a boto3 client; keys: (key, secret[, token]) instead of root's."""
        config.setdefault("retries", {"total_max_attempts": 1})
        return boto3.Session(*(keys or self.keys), region_name=region).client(
            service, endpoint_url=self.endpoint, config=Config(**config)
        )

    def make_trail(self, bucket: str = "audit", name: str = "main", **more: Any) -> None:
        """Make a bucket and a trail into it, and let it log."""
        self.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        trails = self.client("cloudtrail")
        trails.create_trail(Name=name, S3BucketName=bucket, **more)
        trails.start_logging(Name=name)

    def delivered(self, bucket: str = "audit") -> list[dict[str, Any]]:
        """Return all records in a bucket's log files, read as plain files."""
        paths = sorted((self.data / "buckets" / bucket).glob("**/AWSLogs/**/*.json.gz"))
        return [record for path in paths for record in json.loads(gzip.decompress(path.read_bytes()))["Records"]]

    def wait_delivered(self, wanted: Callable[[list[dict[str, Any]]], Any], bucket: str = "audit") -> Any:
        """Return what wanted finds among the delivered records, as soon as it finds something."""
        return self._wait(lambda: wanted(self.delivered(bucket)))

    def kill(self) -> None:
        """kill -9, the whole group."""
        assert self.process is not None
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """Stop in order; return the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(timeout=30)

    def aws(self, *words: str, check: bool = True) -> Any:
        """Run the AWS CLI; return its JSON answer, or its text where that is no JSON."""
        done = subprocess.run([str(BIN / "aws"), *words], env=self.env, capture_output=True, text=True, timeout=120)
        if check:
            assert done.returncode == 0, f"aws {' '.join(words)}: {done.stderr}"
        text = done.stdout if done.returncode == 0 else done.stderr
        with suppress(ValueError):
            return json.loads(text)
        return text


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Make servers that are gone after the test."""
    made: list[Running] = []

    def make(*options: str, **more: Any) -> Running:
        server = Running(tmp_path / f"data{len(made)}", *options, **more)
        made.append(server)
        return server.start()

    yield make
    for server in made:
        server.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One `dev` server for the tests of a file, with strict authentication."""
    data = tmp_path_factory.mktemp("server") / "data"
    running = Running(data, "--fast", verb="dev", settings={"APITRAIL_AUTH_MODE": "strict"}).start()
    yield running
    running.kill()
