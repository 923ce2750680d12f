"""Launch paths and parameters: which file they mean in an instance's folder, and whether it can be run on this machine.

Source: API Reference, ServerProcess (launch paths begin with /local/game/ or C:\\game\\).
"""

import platform
import shlex
from pathlib import Path

ROOTS = ("/local/game/", "c:/game/")
PORT = "{port}"
HEAD_BYTES = 256
ELF = b"\x7fELF"
WINDOWS = b"MZ"
MACHINES = {62: "x86_64", 183: "aarch64", 3: "i686", 40: "armv7l"}
"""The machine of an ELF file, by its number."""

RUN_TOO = {"x86_64": ("i686",), "aarch64": ("armv7l",)}
"""What else a machine may run."""


class ProgramError(Exception):
    """A launch path that leads to nothing that can be run. found: whether there is a file."""

    def __init__(self, text: str, *, found: bool) -> None:
        super().__init__(text)
        self.found = found


def map_path(game: Path, path: str) -> Path:
    """Return the file that a path on an instance means. Raises: ProgramError for one outside of the build's folder."""
    text = path.replace("\\", "/")
    root = next((root for root in ROOTS if text.lower().startswith(root)), None)
    parts = [] if root is None else [part for part in text[len(root) :].split("/") if part not in ("", ".")]
    if not parts or ".." in parts or "\0" in text:
        raise ProgramError(f"{path} is not below /local/game/", found=False)
    return game.joinpath(*parts)


def find_program(game: Path, path: str) -> Path:
    """Return the program of a launch path. Raises: ProgramError. Blocks."""
    mapped = map_path(game, path)
    if not mapped.is_file():
        raise ProgramError(f"{path} does not exist", found=False)
    if not mapped.resolve().is_relative_to(game.resolve()):
        raise ProgramError(f"{path} is a link that leads out of the build", found=False)
    if problem := program_problem(mapped):
        raise ProgramError(f"{path} {problem}", found=True)
    return mapped


def program_problem(path: Path) -> str:
    """Return why a file cannot be run here, or an empty text."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if head.startswith(WINDOWS):
        return f"is a Windows program, and this host runs {platform.system()}"
    if not path.stat().st_mode & 0o111:
        return "is not executable; set its mode before it is zipped, or in install.sh"
    if head.startswith(ELF):
        return _machine_problem(head)
    if not head.startswith(b"#!"):
        return "is neither a program nor a script that begins with #!"
    interpreter = head[2:].split(b"\n")[0].split()
    if not interpreter or not Path(interpreter[0].decode(errors="replace")).exists():
        return "names an interpreter that is not on this host"
    return ""


def arguments(parameters: str, port: int | None) -> list[str]:
    """Return the arguments that a shell would make of parameters, without its other powers. port: put in for `{port}`.

    Quotes without an end are taken as they are.
    """
    try:
        words = shlex.split(parameters)
    except ValueError:
        words = parameters.split()
    return words if port is None else [word.replace(PORT, str(port)) for word in words]


def _machine_problem(head: bytes) -> str:
    number = int.from_bytes(head[18:20], "little" if head[5:6] == b"\x01" else "big")
    machine, here = MACHINES.get(number, f"machine {number}"), platform.machine()
    if machine == here or machine in RUN_TOO.get(here, ()):
        return ""
    return f"is a program for {machine}, and this host is {here}"
