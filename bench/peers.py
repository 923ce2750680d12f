"""Other emulators, installed from PyPI at fixed versions, each into an environment of its own, and started on loopback.

Some want a newer Python than ours; it is looked for on the machine. Their sources say how recording is switched on: LocalEmu
records by default, MiniStack with CLOUDTRAIL_RECORDING=1, moto's server does not.
"""

import os
import shutil
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from bench import WORK
from bench.processes import Process, free_port
from bench.requests import FOREIGN, Signer, make_client

INSTALL_S = 600
RECORDED_WITHIN = 50


class PeerMissing(Exception):
    """A peer cannot be installed or started here; the message says why."""


@dataclass(frozen=True, slots=True)
class Peer:
    """An emulator. command, env: with {port} in them. records: whether its recording is on, which is checked.

    python: the oldest version that it really runs on.
    """

    name: str
    requirement: str
    command: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    records: bool = True
    python: tuple[int, int] = (3, 11)


PEERS = (
    Peer("moto_server", "moto[server]==5.2.5", ("moto_server", "-H", "127.0.0.1", "-p", "{port}"), records=False),
    Peer(
        "LocalEmu",
        "localemu==1.3.2",
        ("python", "-m", "localemu.runtime.main"),
        {"GATEWAY_LISTEN": "127.0.0.1:{port}", "SKIP_SSL_CERT_DOWNLOAD": "1", "LS_LOG": "error"},
        python=(3, 12),
    ),
    Peer(
        "MiniStack",
        "ministack==1.5.33",
        ("ministack",),
        {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": "{port}", "CLOUDTRAIL_RECORDING": "1", "LOG_LEVEL": "ERROR"},
    ),
)


def install(peer: Peer) -> Path:
    """Return the folder of a peer's environment, made when it is missing. Raises: PeerMissing."""
    folder = WORK / "peers" / peer.requirement.replace("[", "-").replace("]", "")
    stamp = folder / ".installed"
    if stamp.exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    _run(peer, [_python(peer.python), "-m", "venv", str(folder)])
    _run(peer, [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", peer.requirement])
    stamp.touch()
    return folder


def _run(peer: Peer, command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerMissing(f"{peer.requirement} cannot be installed: {type(error).__name__}") from error
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1][:160]
        raise PeerMissing(f"{peer.requirement} cannot be installed: {reason}")


def _python(oldest: tuple[int, int]) -> str:
    """Return an interpreter of at least this version. Raises: PeerMissing."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    names = ["python3", *(f"python3.{minor}" for minor in range(oldest[1], oldest[1] + 4))]
    found = [*filter(None, map(shutil.which, names)), *sorted(map(str, root.glob("3.*/bin/python3")))]
    check = f"import sys; sys.exit(not ({oldest[0]}, {oldest[1]}) <= sys.version_info[:2] < (3, 14))"
    for candidate in found:
        if subprocess.run([candidate, "-c", check], capture_output=True, check=False).returncode == 0:
            return candidate
    raise PeerMissing(f"it needs Python {oldest[0]}.{oldest[1]}, which is not here")


class RunningPeer:
    """A peer that answers calls. Raises: PeerMissing, NotStarted."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        folder = install(peer)
        port = free_port()
        self.address = ("127.0.0.1", port)
        self.endpoint = f"http://127.0.0.1:{port}"
        home = WORK / "home" / peer.name
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        program, *words = (word.format(port=port) for word in peer.command)
        env = {name: value.format(port=port) for name, value in peer.env.items()}
        self.process = Process(
            [folder / "bin" / program, *words],
            WORK / "logs" / f"{peer.name}.log",
            {**env, "HOME": str(home), "TMPDIR": str(home)},
        )
        self.process.wait_until(self._is_up, pause_s=0.2)
        self.check()

    def _is_up(self) -> bool:
        try:
            urllib.request.urlopen(self.endpoint + "/", timeout=5).close()
        except urllib.error.HTTPError:
            return True
        return True

    def check(self) -> None:
        """Make a call, and look whether it is recorded where it should be. Raises: PeerMissing."""
        try:
            make_client("sts", self.endpoint, FOREIGN).get_caller_identity()
            trails = make_client("cloudtrail", self.endpoint, FOREIGN)
            if self.peer.records and not trails.lookup_events(MaxResults=RECORDED_WITHIN)["Events"]:
                raise PeerMissing("it records nothing")
        except (ClientError, BotoCoreError) as error:
            raise PeerMissing(f"it does not answer: {str(error)[:160]}") from error

    def requests(self) -> list[bytes]:
        """Return the signed request of GetCallerIdentity, as a list of one."""
        return [Signer("sts", self.endpoint, FOREIGN).request("get_caller_identity")]

    def stop(self) -> None:
        """End the peer."""
        self.process.stop()
