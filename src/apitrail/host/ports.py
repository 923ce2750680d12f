"""Free ports for games that cannot pick one themselves."""

import socket
from collections.abc import Collection, Sequence
from contextlib import suppress
from itertools import chain, islice

LOOPBACK = "127.0.0.1"
TRIES_MAX = 2_000


def free_port(ranges: Sequence[tuple[int, int]], taken: Collection[int]) -> int | None:
    """Return the first port in the ranges that no process was given and nobody listens on, or None."""
    candidates = chain.from_iterable(range(first, last + 1) for first, last in ranges)
    wanted = (port for port in islice(candidates, TRIES_MAX) if port not in taken)
    return next((port for port in wanted if _is_free(port)), None)


def _is_free(port: int) -> bool:
    with suppress(OSError):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_INET, kind) as candidate:
                candidate.bind((LOOPBACK, port))
        return True
    return False
