"""The two processes of a host: one that supervises, and its parent, which only clears up when that one is killed.

The supervisor ends when its parent does, and what it leaves behind comes to the parent, which kills it. So nothing is left
whichever of the two, or the server, is killed; what is left when both are is found by the next host.
"""

import asyncio
import logging
import os
import signal
import socket
import sys

import msgspec

from apitrail.host.messages import FRAME_BYTES_MAX, Begin, orders, read_message
from apitrail.host.strays import adopt_orphans, end_with_parent, kill_children, kill_marked
from apitrail.host.supervisor import Supervisor

log = logging.getLogger("apitrail.host")
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def main(words: list[str]) -> int:
    """Be a host on an open socket (its number) with a mark. Returns the exit code."""
    number, mark = int(words[0]), words[1]
    logging.basicConfig(format=FORMAT, level=logging.INFO)
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # at the end, children are reaped before it sees them end
    adopt_orphans()
    keeper = os.getpid()
    pid = os.fork()
    if pid:
        os.close(number)
        return _keep(pid, mark)
    end_with_parent(keeper)
    adopt_orphans()
    _watch_children()
    asyncio.run(_supervise(socket.socket(fileno=number), mark))
    return 0


def _watch_children() -> None:
    """Let asyncio see the end of a child by itself, without a thread for each, which is what Python does since 3.12."""
    if sys.version_info < (3, 12):
        asyncio.set_child_watcher(asyncio.PidfdChildWatcher())


def _keep(pid: int, mark: str) -> int:
    """Wait for the supervisor's end and kill what it has left."""
    signal.signal(signal.SIGTERM, lambda *_: os.kill(pid, signal.SIGTERM))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _, status = os.waitpid(pid, 0)
    kill_children()
    kill_marked(mark)
    return abs(os.waitstatus_to_exitcode(status))


async def _supervise(channel: socket.socket, mark: str) -> None:
    channel.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=channel, limit=FRAME_BYTES_MAX * 2)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, reader.feed_eof)
    try:
        begin = await read_message(reader, orders)
        if isinstance(begin, Begin):
            await Supervisor(begin, mark, os.getpid(), writer).serve(reader)
    except msgspec.DecodeError as error:
        log.error("the server's orders cannot be read: %s", error)
    finally:
        writer.close()
