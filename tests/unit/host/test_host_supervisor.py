"""A real host with small programs for game servers: what they get, what they cannot do, and that nothing of them stays."""

import asyncio
import os
import pwd
import signal
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from apitrail.host.messages import (
    PATH_PROBLEM,
    Began,
    Begin,
    Exited,
    Kill,
    Limits,
    Prepare,
    Prepared,
    RemoveFleet,
    RemoveInstance,
    SetUp,
    Start,
    Started,
    WasSetUp,
)
from apitrail.host.starting import Host, start_host
from apitrail.host.strays import MARK

LIMITS = Limits(1_000_000, 100, 2.0, 10_000, 128, 100_000, 500_000_000, 0)
SOON_S = 30.0
T = Callable[["Game"], Awaitable[None]]


def marked(mark: str) -> list[int]:
    """Return the processes that run for a host, zombies not among them."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and f"{MARK}={mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


class Game:
    """A host that has one instance of one build."""

    def __init__(self, host: Host, root: Path, mark: str) -> None:
        self.host, self.root, self.mark = host, root, mark

    @property
    def logs(self) -> Path:
        return self.root / "fleet-1" / "i-1" / "logs"

    async def hear(self, kind: type) -> Any:
        """Return the next report of a kind."""
        async with asyncio.timeout(SOON_S):
            while not isinstance(report := await self.host.hear(), kind):
                assert report is not None, "the host has ended"
        return report

    async def prepare(self, *paths: str, **files: str) -> Prepared:
        """Let a build be made of scripts."""
        archive = self.root.parent / "build.zip"
        with zipfile.ZipFile(archive, "w") as target:
            for name, text in files.items():
                info = zipfile.ZipInfo(name.replace("_", "."))
                info.external_attr = 0o100755 << 16
                target.writestr(info, text)
        await self.host.tell(Prepare("here", "fleet-1", str(archive), list(paths or ("/local/game/server",))))
        found: Prepared = await self.hear(Prepared)
        return found

    async def start(self, script: str, parameters: str = "", process: str = "process-1") -> None:
        """Let a script run as a game server."""
        assert not (await self.prepare(server=f"#!/bin/sh\n{script}\n")).code
        await self.host.tell(SetUp("here", "fleet-1", "i-1"))
        assert not (await self.hear(WasSetUp)).problem
        await self.start_process(parameters, process)

    async def start_process(self, parameters: str, process: str) -> None:
        environment = {"GAMELIFT_SDK_PROCESS_ID": process}
        path = "/local/game/server"
        await self.host.tell(Start("here", "fleet-1", "i-1", process, path, parameters, environment, [(7000, 7999)]))

    async def gone(self) -> None:
        """Wait until nothing runs any more."""
        end = time.monotonic() + SOON_S
        while marked(self.mark):
            assert time.monotonic() < end, "something is left"
            await asyncio.sleep(0.02)


def play(path: Path, body: T, **begin: Any) -> None:
    async def run() -> None:
        mark = str(path)
        host = await start_host(mark)
        game = Game(host, path / "hosts", mark)
        try:
            await host.tell(Begin(str(game.root), begin.get("user", ""), LIMITS, begin.get("keep", {})))
            assert isinstance(await game.hear(Began), Began)
            await body(game)
        finally:
            await host.end()
        await game.gone()

    asyncio.run(run())


def test_a_game_server_gets_its_own_variables_limits_and_arguments_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET", "of the server")

    async def body(game: Game) -> None:
        await game.start(
            'env; pwd; ulimit -n; ulimit -c; umask; ls /proc/$$/fd; echo end; echo "$1|$2|$3"', "-p {port} 'a b'"
        )
        assert (await game.hear(Exited)).text == "exit code 0"
        said = (game.logs / "process-1.log").read_text().splitlines()
        variables = dict(line.split("=", 1) for line in said if "=" in line)
        assert set(variables) == {"PATH", "HOME", "PWD", "LANG", MARK, "GAMELIFT_SDK_PROCESS_ID"}
        assert said[said.index(str(game.root / "fleet-1" / "i-1" / "game")) :][1:4] == ["128", "0", "0027"]
        assert said[-1].startswith("-p|7") and said[-1].endswith("|a b")
        assert set(said[said.index("0027") + 1 : said.index("end")]) <= {"0", "1", "2", "10"}

    play(tmp_path, body)


def test_a_host_that_is_root_can_run_games_as_somebody_else() -> None:
    user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name

    async def body(game: Game) -> None:
        await game.start("id -un; touch mine; ls -l mine")
        await game.hear(Exited)
        said = (game.logs / "process-1.log").read_text().splitlines()
        assert said[0] == user and said[1].split()[2] == user

    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        play(Path(folder), body, user=user if os.geteuid() == 0 else "")


def test_what_a_game_server_has_started_ends_with_it(tmp_path: Path) -> None:
    async def body(game: Game) -> None:
        await game.start("sleep 1000 & (setsid sleep 1000 &) ; exec sleep 1000")
        await game.hear(Started)
        while len(marked(game.mark)) < 3:
            await asyncio.sleep(0.02)
        await game.host.tell(Kill("process-1"))
        assert (await game.hear(Exited)).text == "signal 9"
        await game.gone()

    play(tmp_path, body)


@pytest.mark.parametrize("victim", ["keeper", "supervisor", "nobody"])
def test_nothing_is_left_when_the_host_ends_however_it_does(tmp_path: Path, victim: str) -> None:
    async def body(game: Game) -> None:
        await game.start("sleep 1000 & (setsid sleep 1000 &) ; exec sleep 1000")
        await game.hear(Started)
        while len(marked(game.mark)) < 3:
            await asyncio.sleep(0.02)
        keeper = game.host.process.pid
        if victim == "keeper":
            os.kill(keeper, signal.SIGKILL)
        elif victim == "supervisor":
            children = Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()
            os.kill(int(children[0]), signal.SIGKILL)
        else:
            game.host.writer.close()
        await game.gone()

    play(tmp_path, body)


@pytest.mark.parametrize(("on_term", "said"), [("echo bye; exit 0", "bye"), ("echo no", "no")], ids=["ends", "stays"])
def test_game_servers_have_a_moment_to_end_when_the_host_does(tmp_path: Path, on_term: str, said: str) -> None:
    async def body(game: Game) -> None:
        await game.start(f"trap '{on_term}' TERM; echo ready; while :; do sleep 0.05; done")
        await game.hear(Started)
        while not [log for log in game.logs.glob("*") if "ready" in log.read_text()]:
            await asyncio.sleep(0.02)
        game.host.writer.close()
        await game.gone()
        (log,) = game.logs.glob("*")
        assert said in log.read_text()

    play(tmp_path, body)


def test_a_new_host_kills_what_an_earlier_one_has_left_and_removes_folders_that_nobody_wants(tmp_path: Path) -> None:
    (tmp_path / "hosts" / "fleet-old" / "i-1").mkdir(parents=True)
    for name in ("build", "build.new", "i-1", "i-2"):
        (tmp_path / "hosts" / "fleet-kept" / name).mkdir(parents=True)
    left = subprocess.Popen(["/bin/sleep", "1000"], env={MARK: str(tmp_path)})

    async def body(game: Game) -> None:
        assert left.wait(SOON_S) == -signal.SIGKILL
        assert sorted(path.name for path in game.root.iterdir()) == ["fleet-kept"]
        assert sorted(path.name for path in (game.root / "fleet-kept").iterdir()) == ["build", "i-1"]

    play(tmp_path, body, keep={"fleet-kept": ["i-1"]})


def test_a_path_that_does_not_exist_and_a_program_that_does_not_start_are_reported(tmp_path: Path) -> None:
    async def body(game: Game) -> None:
        await game.start("exit 3")
        assert (await game.hear(Exited)).text == "exit code 3"
        server = game.root / "fleet-1" / "i-1" / "game" / "server"
        server.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\x3e\x00")
        await game.start_process("", "process-2")
        report = await game.hear(Exited)
        assert (report.process, report.problem) == ("process-2", "start")
        server.unlink()
        await game.start_process("", "process-3")
        report = await game.hear(Exited)
        assert (report.process, report.problem) == ("process-3", PATH_PROBLEM)

    play(tmp_path, body)


def test_an_install_script_runs_once_in_the_build_and_its_failure_is_told(tmp_path: Path) -> None:
    script = "#!/bin/sh\n"

    async def body(game: Game) -> None:
        made = await game.prepare(server=script, install_sh="echo x >> mark")
        assert (made.code, made.installed) == ("", True)
        assert (game.root / "fleet-1" / "build" / "mark").read_text() == "x\n"
        failed = await game.prepare(server=script, install_sh="echo 'no luck today'; exit 3")
        assert failed.code == "FLEET_CREATION_FAILED_INSTALLER"
        assert failed.text == "install.sh ended with exit code 3: no luck today"
        late = await game.prepare(server=script, install_sh="sleep 1000")
        assert late.text == "install.sh has not ended within 2 s"

    play(tmp_path, body)


def test_a_build_without_a_launch_path_is_told_apart_from_one_that_cannot_be_run(tmp_path: Path) -> None:
    async def body(game: Game) -> None:
        missing = await game.prepare("/local/game/other", server="#!/bin/sh\n")
        assert missing.code == "FLEET_VALIDATION_LAUNCH_PATH_NOT_FOUND"
        odd = await game.prepare("/local/game/other", "/local/game/server", server="MZ")
        assert odd.code == "FLEET_VALIDATION_EXECUTABLE_RUNTIME_FAILURE"
        one = await game.prepare("/local/game/other", "/local/game/server", server="#!/bin/sh\n")
        assert one.code == ""

    play(tmp_path, body)


def test_folders_are_removed_when_that_is_ordered(tmp_path: Path) -> None:
    async def body(game: Game) -> None:
        await game.start("mkdir -p shut/up; touch shut/up/x; chmod 000 shut/up shut")
        await game.hear(Exited)
        await game.host.tell(RemoveInstance("fleet-1", "i-1"))
        await game.host.tell(SetUp("here", "fleet-1", "i-2"))
        await game.hear(WasSetUp)
        assert sorted(path.name for path in (game.root / "fleet-1").iterdir()) == ["build", "i-2"]
        await game.host.tell(RemoveFleet("fleet-1"))
        while (game.root / "fleet-1").exists():
            await asyncio.sleep(0.02)

    play(tmp_path, body)


def test_a_game_server_that_prints_without_end_is_read_and_its_log_stays_small(tmp_path: Path) -> None:
    async def body(game: Game) -> None:
        await game.start("yes | head -c 3000000; echo the end")
        await game.hear(Exited)
        assert sum(path.stat().st_size for path in game.logs.iterdir()) <= LIMITS.log_bytes
        assert (game.logs / "process-1.log").read_text().endswith("the end\n")

    play(tmp_path, body)
