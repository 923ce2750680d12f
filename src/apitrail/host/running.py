"""Starting programs: a game server or an install script, in a process group of its own and with nothing of the host's."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from apitrail.host.messages import Limits
from apitrail.host.strays import MARK

LAUNCHER = Path(__file__).with_name("launch.py")
FAILURE_BYTES = 1000
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class StartError(Exception):
    """A program that the system does not run, with its reason."""


class Program(NamedTuple):
    """What to run. folder: the current directory. environment: besides the few variables that every program gets."""

    path: Path
    arguments: Sequence[str]
    folder: Path
    environment: Mapping[str, str]


class Jail(NamedTuple):
    """What every program of a host is held to. mark: by which its processes are found. user: empty for the host's own."""

    mark: str
    user: str
    limits: Limits


class Running(NamedTuple):
    """A program that runs. printed: what it and its children print, until the last of them has closed it."""

    process: asyncio.subprocess.Process
    printed: asyncio.StreamReader


async def start_program(program: Program, jail: Jail) -> Running:
    """Start a program. Raises: StartError.

    It is called on the main thread, whose end is what a child dies with. What is printed has a pipe of its own, since asyncio
    does not tell a process's end while a child of it holds on to a pipe that asyncio has made.
    """
    receiving, failure = os.pipe()
    printed, printing = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-S",
            str(LAUNCHER),
            stdin=asyncio.subprocess.PIPE,
            stdout=printing,
            stderr=printing,
            env={},
            pass_fds=(failure,),
            start_new_session=True,
        )
    except OSError as error:
        os.close(receiving)
        os.close(printed)
        raise StartError(error.strerror or str(error)) from error
    finally:
        os.close(failure)
        os.close(printing)
    reader = await _reader_of(printed)
    try:
        await _hand_over(process, program, jail, failure)
        problem = await asyncio.to_thread(_read_all, receiving)
    finally:
        os.close(receiving)
    if problem:
        await process.wait()
        raise StartError(problem)
    return Running(process, reader)


async def _reader_of(handle: int) -> asyncio.StreamReader:
    """Return a reader of a pipe, which is closed at its end or with the loop."""
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(handle, "rb", buffering=0))
    return reader


async def _hand_over(process: asyncio.subprocess.Process, program: Program, jail: Jail, failure: int) -> None:
    """Tell the launcher what to become."""
    order = {
        "path": str(program.path),
        "arguments": list(program.arguments),
        "folder": str(program.folder),
        "environment": environment_of(program, jail),
        "user": jail.user,
        "parent": os.getpid(),
        "failure": failure,
        "limits": limits_of(jail),
    }
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(order).encode())
        await process.stdin.drain()
        process.stdin.close()
    except ConnectionError as error:
        raise StartError("the launcher has ended") from error


def environment_of(program: Program, jail: Jail) -> dict[str, str]:
    """Return all variables of a program; none of the host's own is among them."""
    return {
        "PATH": SEARCH_PATH,
        "HOME": str(program.folder),
        "LANG": "C.UTF-8",
        MARK: jail.mark,
        **program.environment,
    }


def limits_of(jail: Jail) -> dict[str, int]:
    """Return limits by the names of the resource module.

    Tasks are counted per user, so they are limited only where games have a user of their own. Memory is what is written
    to, since some languages reserve far more than they use.
    """
    limits = {
        "RLIMIT_CORE": 0,
        "RLIMIT_NOFILE": jail.limits.open_files,
        "RLIMIT_FSIZE": jail.limits.file_bytes,
    }
    if jail.limits.memory_bytes:
        limits["RLIMIT_DATA"] = jail.limits.memory_bytes
    if jail.user and jail.limits.tasks:
        limits["RLIMIT_NPROC"] = jail.limits.tasks
    return limits


def _read_all(handle: int) -> str:
    """Return what the launcher says before it becomes the program, and an empty text when it has."""
    said = b""
    while chunk := os.read(handle, FAILURE_BYTES):
        said += chunk
    return said.decode(errors="replace")
