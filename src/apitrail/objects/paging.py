"""One page of a listing: which keys and common prefixes it has. Pure; the caller finds the keys.

Source: Amazon S3 API Reference, ListObjectsV2 (prefix, delimiter, common prefixes, order of keys).
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field

# Yields a lower bound, is sent the first key at or above it (None at the end), returns the names of the page.
Steps = Generator[bytes, bytes | None, "Names"]


@dataclass(slots=True)
class Names:
    """What one page lists. next: the last name of the page when more follow, else None."""

    keys: list[str] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    next: str | None = None


def group_of(key: bytes, prefix: bytes, delimiter: bytes) -> bytes:
    """Return the common prefix that a key is rolled up into, up to and with the delimiter, or nothing."""
    at = key.find(delimiter, len(prefix)) if delimiter else -1
    return b"" if at < 0 else key[: at + len(delimiter)]


def past(group: bytes) -> bytes:
    """Return the least text above all that begin with group (UTF-8 has no byte 0xFF to overflow)."""
    return group[:-1] + bytes([group[-1] + 1])


def first_bound(prefix: bytes, after: bytes, delimiter: bytes) -> bytes:
    """Return where a listing begins: at the prefix, after a key, or after a whole common prefix."""
    if after < prefix:
        return prefix
    group = group_of(after, prefix, delimiter) if after.startswith(prefix) else b""
    return past(after) if group and group == after else after + b"\0"


def paging(prefix: str, after: str, limit: int, delimiter: str) -> Steps:
    """Walk through the keys of one page; a common prefix is stepped over as a whole.

    Inferred: where `after` lies inside a common prefix, the prefix is listed if keys follow in it.
    """
    names, start, mark = Names(), prefix.encode(), delimiter.encode()
    bound, last, room = first_bound(start, after.encode(), mark), "", limit
    while limit > 0:
        key = yield bound
        if key is None or not key.startswith(start):
            break
        if not room:
            names.next = last
            break
        group = group_of(key, start, mark)
        bound, last, room = past(group) if group else key + b"\0", (group or key).decode(), room - 1
        (names.prefixes if group else names.keys).append(last)
    return names


def run(steps: Steps, find: Callable[[bytes], bytes | None]) -> Names:
    """Return the names of a page. find: the first key at or above a bound, which never goes down."""
    try:
        bound = next(steps)
        while True:
            bound = steps.send(find(bound))
    except StopIteration as stop:
        names: Names = stop.value
        return names
