"""Launch paths, parameters, ports and logs of game servers."""

import os
import socket
import struct
import sys
from pathlib import Path

import pytest

from apitrail.host.logs import BoundedLog, collect, drop_old_logs
from apitrail.host.ports import free_port
from apitrail.host.programs import ProgramError, arguments, find_program, map_path
from apitrail.host.strays import kill_marked


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/local/game/server", "game/server"),
        ("/local/game/bin/./x", "game/bin/x"),
        ("C:\\game\\bin\\server.exe", "game/bin/server.exe"),
        ("c:\\GAME\\server.exe", "game/server.exe"),
    ],
)
def test_launch_paths_are_those_of_an_instance(path: str, expected: str) -> None:
    assert map_path(Path("game"), path) == Path(expected)


@pytest.mark.parametrize("path", ["/bin/sh", "/local/game/", "/local/game/../x", "/local/game/a/../../x", "C:\\x", ""])
def test_a_launch_path_stays_in_the_build(path: str) -> None:
    with pytest.raises(ProgramError, match="is not below /local/game/"):
        map_path(Path("game"), path)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ("", []),
        ("-port {port} -name 'a b'", ["-port", "7000", "-name", "a b"]),
        ("--port={port} $HOME `id` ; rm * > x", ["--port=7000", "$HOME", "`id`", ";", "rm", "*", ">", "x"]),
        ("an open 'quote", ["an", "open", "'quote"]),
    ],
)
def test_parameters_are_split_as_a_shell_does_but_nothing_is_run(parameters: str, expected: list[str]) -> None:
    assert arguments(parameters, 7000) == expected


def elf(machine: int) -> bytes:
    return b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 2, machine) + bytes(44)


@pytest.mark.parametrize(
    ("content", "mode", "reason"),
    [
        (b"MZ\x90", 0o755, "Windows program"),
        (elf(243), 0o755, "is a program for machine 243"),
        (b"#!/bin/nowhere\n", 0o755, "names an interpreter"),
        (b"#!\n", 0o755, "names an interpreter"),
        (b"hello", 0o755, "neither a program nor a script"),
        (b"", 0o755, "neither a program nor a script"),
        (b"#!/bin/sh\n", 0o644, "is not executable"),
    ],
)
def test_what_cannot_be_run_here_is_said_before(tmp_path: Path, content: bytes, mode: int, reason: str) -> None:
    (tmp_path / "server").write_bytes(content)
    (tmp_path / "server").chmod(mode)
    with pytest.raises(ProgramError, match=reason) as error:
        find_program(tmp_path, "/local/game/server")
    assert error.value.found


def test_a_script_and_a_program_of_this_machine_can_be_run(tmp_path: Path) -> None:
    (tmp_path / "server").write_bytes(b"#! /bin/sh -e\n")
    (tmp_path / "game").write_bytes(Path(os.path.realpath(sys.executable)).read_bytes()[:1000])
    for name in ("server", "game"):
        (tmp_path / name).chmod(0o755)
        assert find_program(tmp_path, f"/local/game/{name}") == tmp_path / name


def test_a_link_out_of_the_build_is_no_program_of_it(tmp_path: Path) -> None:
    (tmp_path / "server").symlink_to("/bin/sh")
    with pytest.raises(ProgramError, match="leads out") as error:
        find_program(tmp_path, "/local/game/server")
    assert not error.value.found


def test_a_free_port_is_neither_taken_nor_listened_on() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert free_port([(port, port)], ()) is None
    assert free_port([(port, port)], ()) == port
    assert free_port([(port, port)], {port}) is None


def test_a_log_keeps_the_end_of_what_was_printed(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    log = BoundedLog(tmp_path / "logs" / "p.log", 100)
    for number in range(50):
        log.write(f"line {number:04d}\n".encode())
    log.close()
    assert sum(path.stat().st_size for path in (tmp_path / "logs").iterdir()) <= 100
    (file,) = collect(tmp_path, "p", [], 1000)
    assert file.content.endswith(b"line 0049\n") and 50 <= len(file.content) <= 100


def test_files_that_a_game_names_are_collected_but_no_link_is_followed(tmp_path: Path) -> None:
    game = tmp_path / "game"
    (game / "logs" / "deep").mkdir(parents=True)
    (game / "logs" / "a.txt").write_text("a")
    (game / "logs" / "deep" / "b.txt").write_text("b")
    (game / "logs" / "secret.txt").symlink_to("/etc/passwd")
    (game / "etc").symlink_to("/etc")
    os.mkfifo(game / "pipe")
    paths = [
        "/local/game/logs",
        "/local/game/logs/a.txt",
        "/local/game/etc/passwd",
        "/local/game/pipe",
        "/etc/passwd",
        "x",
    ]
    found = {file.name: file.content for file in collect(tmp_path, "p", paths, 1000)}
    assert found == {"game/logs/a.txt": b"a", "game/logs/deep/b.txt": b"b"}


def test_what_is_collected_has_a_bound(tmp_path: Path) -> None:
    (tmp_path / "game").mkdir()
    for name in "abc":
        (tmp_path / "game" / name).write_bytes(b"0123456789")
    found = collect(tmp_path, "p", ["/local/game/a", "/local/game/b", "/local/game/c"], 15)
    assert [(file.name, file.content) for file in found] == [("game/a", b"0123456789"), ("game/b", b"56789")]


def test_only_the_newest_logs_of_an_instance_are_kept(tmp_path: Path) -> None:
    for number in range(60):
        (tmp_path / f"{number}.log").touch()
        os.utime(tmp_path / f"{number}.log", (number, number))
    drop_old_logs(tmp_path)
    assert sorted(int(path.stem) for path in tmp_path.iterdir()) == list(range(20, 60))


def test_nothing_is_killed_that_has_no_mark() -> None:
    assert kill_marked("a mark that nothing has") == 0
