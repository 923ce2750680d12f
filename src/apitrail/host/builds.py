"""Folders of fleets and instances: ROOT/<fleet>/build, unpacked and installed once; ROOT/<fleet>/<instance>/game, copies of it.

Everything here blocks and is for threads, but run_installer. A folder has its name only when it is complete.
"""

import asyncio
import os
import pwd
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from apitrail.host.logs import GAME, LOGS
from apitrail.host.messages import Limits, Prepare
from apitrail.host.programs import ProgramError, find_program
from apitrail.host.running import Running
from apitrail.host.unpack import UnpackError, unpack

BUILD = "build"
UNFINISHED = ".new"
INSTALLER = "install.sh"
FETCH_PROBLEM = "FLEET_BINARY_DOWNLOAD_FAILED"
INSTALL_PROBLEM = "FLEET_CREATION_FAILED_INSTALLER"
PATHS_PROBLEM = "FLEET_VALIDATION_LAUNCH_PATH_NOT_FOUND"
PROGRAM_PROBLEM = "FLEET_VALIDATION_EXECUTABLE_RUNTIME_FAILURE"
OTHER_PROBLEM = "FLEET_INITIALIZATION_FAILED"


class BuildError(Exception):
    """A build that cannot be used. code: of the fleet event that says so."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def build_folder(root: Path, fleet: str) -> Path:
    """Return where a fleet's build is."""
    return root / fleet / BUILD


def instance_folder(root: Path, fleet: str, instance: str) -> Path:
    """Return where an instance is: `game` and `logs` are below it."""
    return root / fleet / instance


def unpack_build(root: Path, order: Prepare, limits: Limits, user: str) -> Path:
    """Unpack a build beside its final place and return where. Raises: BuildError."""
    beside = root / order.fleet / (BUILD + UNFINISHED)
    try:
        _remove(beside)
        unpack(Path(order.archive), beside, bytes_max=limits.build_bytes, files_max=limits.build_files)
        _own(beside, user)
    except UnpackError as error:
        raise BuildError(FETCH_PROBLEM, f"The build cannot be unpacked: {error}") from error
    except OSError as error:
        raise BuildError(OTHER_PROBLEM, f"The build cannot be unpacked: {error.strerror}") from error
    return beside


def finish_build(root: Path, order: Prepare, beside: Path) -> None:
    """Check an installed build, and put it in its place. Raises: BuildError."""
    check_launch_paths(beside, order.launch_paths)
    _remove(build_folder(root, order.fleet))
    beside.replace(build_folder(root, order.fleet))


def check_launch_paths(game: Path, paths: Sequence[str]) -> None:
    """Return if one of these launch paths can be run. Raises: BuildError that says why none can."""
    problems: list[ProgramError] = []
    for path in paths:
        try:
            find_program(game, path)
        except ProgramError as error:
            problems.append(error)
        else:
            return
    text = "; ".join(str(problem) for problem in problems)[:900]
    if any(problem.found for problem in problems):
        raise BuildError(PROGRAM_PROBLEM, text)
    raise BuildError(PATHS_PROBLEM, f"Failed to find a valid path: {text}")


def set_up_instance(root: Path, fleet: str, instance: str, user: str) -> str:
    """Make an instance's folders, unless they are there; return why that cannot be, or an empty text."""
    folder = instance_folder(root, fleet, instance)
    beside, game = folder / (GAME + UNFINISHED), folder / GAME
    try:
        (folder / LOGS).mkdir(parents=True, exist_ok=True)
        if not game.is_dir():
            _remove(beside)
            shutil.copytree(build_folder(root, fleet), beside, symlinks=True)
            _own(beside, user)
            beside.replace(game)
    except OSError as error:
        return f"the folder of instance {instance} cannot be made: {error.strerror or error}"
    return ""


def remove_instance(root: Path, fleet: str, instance: str) -> None:
    """Remove an instance's folders."""
    _remove(instance_folder(root, fleet, instance))


def remove_fleet(root: Path, fleet: str) -> None:
    """Remove all folders of a fleet."""
    _remove(root / fleet)


def keep_only(root: Path, keep: dict[str, list[str]]) -> None:
    """Remove the folders of all other fleets and instances."""
    root.mkdir(mode=0o755, parents=True, exist_ok=True)
    for fleet in root.iterdir():
        if fleet.name not in keep:
            _remove(fleet)
            continue
        wanted = {BUILD, *keep[fleet.name]}
        for folder in fleet.iterdir():
            if folder.name not in wanted and folder.is_dir():
                _remove(folder)


async def run_installer(running: Running, within_s: float) -> str:
    """Wait for an install script; return why it has failed, with the end of what it printed, or an empty text."""
    said = b""
    try:
        async with asyncio.timeout(within_s):
            while chunk := await running.printed.read(65536):
                said = (said + chunk)[-600:]
            code = await running.process.wait()
    except TimeoutError:
        return f"{INSTALLER} has not ended within {within_s:g} s"
    if code == 0:
        return ""
    lines = said.decode(errors="replace").strip().splitlines()
    return f"{INSTALLER} ended with {ending(code)}" + (f": {lines[-1]}" if lines else "")


def ending(code: int) -> str:
    """Return how a process has ended, from its return code."""
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _remove(folder: Path) -> None:
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        _open_up(folder)
        shutil.rmtree(folder)


def _open_up(folder: Path) -> None:
    """Let folders that a game has closed to everybody be removed."""
    for place, names, _ in os.walk(folder):
        for path in (Path(place, name) for name in names):
            if not path.is_symlink():
                with suppress(PermissionError):
                    path.chmod(0o700)


def _own(folder: Path, user: str) -> None:
    """Give a folder and all in it to the user that games run as."""
    if not user:
        return
    entry = pwd.getpwnam(user)
    for place, names, files in os.walk(folder):
        for name in ("", *names, *files):
            os.chown(Path(place, name), entry.pw_uid, entry.pw_gid, follow_symlinks=False)
