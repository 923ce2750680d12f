"""What the server orders, what the host reports, and the frames that carry both: four bytes of length, then MessagePack.

`place` is the server's own (account and region); the host repeats it. Fleets, instances and processes are named by their ids.
"""

import asyncio
from typing import TypeVar

import msgspec
from msgspec import Struct

FRAME_BYTES_MAX = 1024 * 1024
LENGTH_BYTES = 4
PATH_PROBLEM = "path"
START_PROBLEM = "start"
T = TypeVar("T")


class Limits(Struct):
    """What games may use. Sizes are in bytes; memory, tasks (processes and threads): 0 for no limit.

    build_bytes, build_files: of an unpacked build. install_s: for its install script. log_bytes: of what one process prints.
    """

    build_bytes: int
    build_files: int
    install_s: float
    log_bytes: int
    open_files: int
    file_bytes: int
    memory_bytes: int
    tasks: int


class Begin(Struct, tag=True):
    """The first order. root: the folder of all hosts. user: the account that games run as, empty for the host's own.

    keep: fleets whose folders are still wanted, each with its instances; all others are removed.
    """

    root: str
    user: str
    limits: Limits
    keep: dict[str, list[str]]


class Prepare(Struct, tag=True):
    """Unpack a fleet's build, install it, and look for its launch paths."""

    place: str
    fleet: str
    archive: str
    launch_paths: list[str]


class SetUp(Struct, tag=True):
    """Make the folder of an instance, a copy of its fleet's build."""

    place: str
    fleet: str
    instance: str


class Start(Struct, tag=True):
    """Start a game server. ports: ranges for `{port}` in its parameters. environment: what the server SDK reads."""

    place: str
    fleet: str
    instance: str
    process: str
    path: str
    parameters: str
    environment: dict[str, str]
    ports: list[tuple[int, int]]


class Kill(Struct, tag=True):
    """Kill a game server and all that it has started."""

    process: str


class RemoveInstance(Struct, tag=True):
    """Remove the folder of an instance that has no processes any more."""

    fleet: str
    instance: str


class RemoveFleet(Struct, tag=True):
    """Remove all folders of a fleet."""

    fleet: str


class Began(Struct, tag=True):
    """The host takes orders. pid: of the process that supervises."""

    pid: int


class Installing(Struct, tag=True):
    """The build is unpacked, and its install script runs."""

    place: str
    fleet: str


class Prepared(Struct, tag=True):
    """A build is ready, or not. code: of the fleet event that says why not, or empty. installed: it has an install script."""

    place: str
    fleet: str
    code: str = ""
    text: str = ""
    installed: bool = False


class WasSetUp(Struct, tag=True):
    """The folder of an instance is there. problem: why not, or empty."""

    place: str
    fleet: str
    instance: str
    problem: str = ""


class Started(Struct, tag=True):
    """A game server runs. pid: also of its process group."""

    place: str
    process: str
    pid: int


class Exited(Struct, tag=True):
    """A game server runs no more, or never did. problem: PATH_PROBLEM or START_PROBLEM when it could not be started."""

    place: str
    process: str
    text: str
    problem: str = ""


Order = Begin | Prepare | SetUp | Start | Kill | RemoveInstance | RemoveFleet
Report = Began | Installing | Prepared | WasSetUp | Started | Exited


def pack(message: Order | Report) -> bytes:
    """Return the frame of a message."""
    body = msgspec.msgpack.encode(message)
    assert len(body) <= FRAME_BYTES_MAX, f"{type(message).__name__} is too long for a frame"
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


async def read_message(reader: asyncio.StreamReader, decoder: "msgspec.msgpack.Decoder[T]") -> T | None:
    """Return the next message, None at the end. Raises: msgspec.DecodeError for what is none."""
    try:
        length = int.from_bytes(await reader.readexactly(LENGTH_BYTES), "big")
        if length > FRAME_BYTES_MAX:
            raise msgspec.DecodeError(f"a frame of {length} bytes")
        return decoder.decode(await reader.readexactly(length))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


orders = msgspec.msgpack.Decoder(Order)
reports = msgspec.msgpack.Decoder(Report)
