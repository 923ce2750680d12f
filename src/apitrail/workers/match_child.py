"""The process of the matching engine: jobs come in frames on its input, answers go out in frames on its output.

A frame is its length in four bytes, highest first, and MessagePack. The process ends when its input does, which is when the
server ends, however that happens; interrupts are the server's business.
"""

import signal
import sys
from typing import BinaryIO

import msgspec

from apitrail.clock import SystemClock
from apitrail.workers.match_pools import Job, Pools

LENGTH_BYTES = 4
FRAME_BYTES_MAX = 256 * 1024 * 1024


def main() -> None:
    """Do jobs until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(sys.stdin.buffer, sys.stdout.buffer, Pools(SystemClock().monotonic))


def serve(source: BinaryIO, target: BinaryIO, pools: Pools) -> None:
    """Answer every frame of a source, until it ends."""
    decode, encode = msgspec.msgpack.Decoder(Job).decode, msgspec.msgpack.Encoder().encode
    while len(head := source.read(LENGTH_BYTES)) == LENGTH_BYTES:
        body = encode(pools.do(decode(source.read(int.from_bytes(head)))))
        try:
            target.write(len(body).to_bytes(LENGTH_BYTES) + body)
            target.flush()
        except BrokenPipeError:
            return


if __name__ == "__main__":
    main()
