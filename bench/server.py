"""Our server as a process of its own, and the game sessions that calls go to."""

import asyncio
import configparser
import io
import json
import shutil
import sys
import time
import urllib.request
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from apitrail.app import App
from apitrail.objects.folder import FolderBucket
from apitrail.services.buckets import buckets
from apitrail.settings import Settings
from bench import ACCOUNT, REGION, WORK
from bench.processes import Process
from bench.requests import Keys, Signer, make_client

PRODUCT = (str(Path(sys.executable).parent / "apitrail"),)
UNRECORDED = (sys.executable, "-m", "bench.unrecorded")
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "gamelift:*", "Resource": "*"}]}
SESSIONS_PER_INSTANCE = 50
PLAYERS_MAX = 200
BUCKET = "audit"
SETTINGS = {"gamelift.delay_scale": "0", "gamelift.instances_max": "2000"}
"""Fleets are active at once, and may be large; everything else is as it comes."""


class Server:
    """A running server on a fresh data directory. prepare: fills it before the start. start_s: until it was ready."""

    def __init__(
        self,
        name: str,
        command: Sequence[str] = PRODUCT,
        prepare: Callable[[Path], None] | None = None,
    ) -> None:
        self.data = WORK / "data" / name
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(parents=True)
        (prepare or make_bucket)(self.data)
        began = time.perf_counter()
        options = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]
        self.process = Process(
            [*command, "serve", "--port", "0", "--data", self.data, *options], WORK / "logs" / f"{name}.log"
        )
        self.process.wait_until(self._is_ready, pause_s=0.01)
        self.start_s = time.perf_counter() - began
        file = configparser.ConfigParser()
        file.read(self.data / "credentials")
        self.root: Keys = (file["default"]["aws_access_key_id"], file["default"]["aws_secret_access_key"])

    def _is_ready(self) -> bool:
        self.endpoint = json.loads((self.data / "server.json").read_text())["endpoint"]
        with urllib.request.urlopen(self.endpoint + "/_apitrail/ready") as answer:
            return bool(answer.status == 200)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, _, port = self.endpoint.rpartition("/")[2].partition(":")
        return host, int(port)

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    def client(self, service: str, keys: Keys | None = None) -> Any:
        """Return an SDK client, root's unless keys are given."""
        return make_client(service, self.endpoint, keys or self.root)

    def signer(self, service: str, keys: Keys | None = None) -> Signer:
        """Return a signer, root's unless keys are given."""
        return Signer(service, self.endpoint, keys or self.root)

    def make_user(self) -> Keys:
        """Return the keys of an IAM user who may call everything of GameLift, by an inline policy."""
        iam = self.client("iam")
        with suppress(iam.exceptions.EntityAlreadyExistsException):
            iam.create_user(UserName="bench")
        iam.put_user_policy(UserName="bench", PolicyName="games", PolicyDocument=json.dumps(POLICY))
        key = iam.create_access_key(UserName="bench")["AccessKey"]
        return key["AccessKeyId"], key["SecretAccessKey"]

    def make_trail(self) -> None:
        """Let a trail log into the bucket."""
        trails = self.client("cloudtrail")
        trails.create_trail(Name="main", S3BucketName=BUCKET, IsMultiRegionTrail=True)
        trails.start_logging(Name="main")

    def __enter__(self) -> "Server":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        shutil.rmtree(self.data, ignore_errors=True)


def make_bucket(data: Path) -> None:
    """Make a bucket in a data directory whose server does not run."""
    app = App(Settings(data=str(data)))
    row = {"Name": BUCKET, "OwnerAccount": ACCOUNT, "Region": REGION, "CreationDate": app.clock.now()}
    app.database.write_now(lambda tx: buckets(tx).put(BUCKET, row))
    folder = app.bucket(BUCKET)
    assert isinstance(folder, FolderBucket)
    asyncio.run(_create(folder, app))


async def _create(folder: FolderBucket, app: App) -> None:
    await folder.create()
    await app.close()


class Games:
    """A fleet with active game sessions, each with 200 player slots, and the requests to it.

    A slot that nobody takes is free again after a minute. sessions: how many. members: further parameters of the session
    of a number. client: calls GameLift as the user that requests are signed by; signer makes such requests.
    """

    def __init__(self, server: Server, sessions: int, members: Callable[[int], dict[str, Any]] | None = None) -> None:
        keys = server.make_user()
        games = self.client = server.client("gamelift", keys)
        self.signer = server.signer("gamelift", keys)
        self.fleet = make_fleet(server.process, games, -(-sessions // SESSIONS_PER_INSTANCE))
        wanted = {"FleetId": self.fleet, "MaximumPlayerSessionCount": PLAYERS_MAX}
        self._sessions = [
            games.create_game_session(**wanted, **(members(number) if members else {}))["GameSession"]
            for number in range(sessions)
        ]
        last = self._sessions[-1]["GameSessionId"]
        server.process.wait_until(lambda: _is_active(games, last))

    def reads(self) -> list[bytes]:
        """Return the signed request of DescribeFleetAttributes, as a list of one."""
        return [self.signer.request("describe_fleet_attributes", FleetIds=[self.fleet])]

    def writes(self) -> list[bytes]:
        """Return a signed request of CreatePlayerSession for each game session."""
        request = self.signer.request
        return [
            request("create_player_session", GameSessionId=session["GameSessionId"], PlayerId=f"player-{number}")
            for number, session in enumerate(self._sessions)
        ]

    def mix(self) -> list[bytes]:
        """Return reads and writes in turn."""
        (read,) = self.reads()
        return [request for write in self.writes() for request in (read, write)]


def make_fleet(process: Process, games: Any, instances: int) -> str:
    """Return the id of an active fleet with so many instances."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("server.js", "// nothing is run here")
    script = games.create_script(Name="bench", ZipFile=content.getvalue())["Script"]["ScriptId"]
    runs = {"LaunchPath": "/local/game/server.js", "ConcurrentExecutions": SESSIONS_PER_INSTANCE}
    fleet = games.create_fleet(
        Name="bench",
        Description="The fleet of the measurements",
        ScriptId=script,
        EC2InstanceType="c5.large",
        RuntimeConfiguration={"ServerProcesses": [runs]},
    )["FleetAttributes"]["FleetId"]
    process.wait_until(
        lambda: games.describe_fleet_attributes(FleetIds=[fleet])["FleetAttributes"][0]["Status"] == "ACTIVE"
    )
    games.update_fleet_capacity(FleetId=fleet, DesiredInstances=instances, MaxSize=instances)
    process.wait_until(lambda: _active_instances(games, fleet) == instances)
    return str(fleet)


def _active_instances(games: Any, fleet: str) -> int:
    (capacity,) = games.describe_fleet_capacity(FleetIds=[fleet])["FleetCapacity"]
    return int(capacity["InstanceCounts"]["ACTIVE"])


def _is_active(games: Any, session: str) -> bool:
    found = games.describe_game_sessions(GameSessionId=session)["GameSessions"]
    return bool(found[0]["Status"] == "ACTIVE")
