"""Starting a host, as the server does it: a process of its own that is reached by a socket pair."""

import asyncio
import os
import socket
import subprocess
import sys
from typing import NamedTuple

from apitrail.host.messages import FRAME_BYTES_MAX, Order, Report, pack, read_message, reports

END_S = 10.0


class Host(NamedTuple):
    """A host that runs. process: its keeper, the parent of the process that supervises."""

    process: "subprocess.Popen[bytes]"
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def tell(self, order: Order) -> None:
        """Give an order. Raises: ConnectionError when the host is gone."""
        self.writer.write(pack(order))
        await self.writer.drain()

    async def hear(self) -> Report | None:
        """Return the next report, None when the host is gone. Raises: msgspec.DecodeError."""
        return await read_message(self.reader, reports)

    async def end(self) -> None:
        """Let the host kill what it runs and end; what does not end in time is killed."""
        self.writer.close()
        try:
            await asyncio.to_thread(self.process.wait, END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            await asyncio.to_thread(self.process.wait)


async def start_host(mark: str) -> Host:
    """Start a host that has nothing of the server but standard error, and wait for no word of it yet. Raises: OSError."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "apitrail.host", str(theirs.fileno()), mark],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={name: os.environ[name] for name in ("PATH", "VIRTUAL_ENV") if name in os.environ},
            pass_fds=(theirs.fileno(),),
            start_new_session=True,
        )
    ours.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=ours, limit=FRAME_BYTES_MAX * 2)
    return Host(process, reader, writer)
