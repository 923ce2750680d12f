"""The only module that asks the system for chance."""

import hashlib
import os
from collections.abc import Callable

ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
HEX = "0123456789abcdef"
VARIANT = dict(zip(HEX, "89ab" * 4, strict=True))
"""The digit of a UUID that says its variant, by the random one that stands there."""


ByteSource = Callable[[int], bytes]
"""Where random bytes come from: a number of them at a time."""


class Ids:
    """Makes identifiers and secrets from a source of bytes.

    The source is read in blocks, since one call for many bytes is several times as fast as many calls.
    """

    BLOCK_BYTES = 4096

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._block = b""
        self._at = 0
        self._last: int | None = None

    def raw(self, count: int) -> bytes:
        """Return count random bytes."""
        if self._at + count > len(self._block):
            self._block, self._at = self._source(max(self.BLOCK_BYTES, count)), 0
        self._at += count
        return self._block[self._at - count : self._at]

    def uuid(self) -> str:
        """Return a version 4 UUID in lower case."""
        text = self.raw(16).hex()
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{VARIANT[text[16]]}{text[17:20]}-{text[20:]}"

    def next_uuid(self) -> str:
        """Return a UUID whose first eight digits are one more than those of the last one, from a random beginning on.

        What is made together lies together in an index: less is written at each commit. The other digits are random.
        """
        self._last = (int.from_bytes(self.raw(4)) if self._last is None else self._last + 1) % 2**32
        return f"{self._last:08x}{self.uuid()[8:]}"

    def new(self, kind: str) -> str:
        """Return `<kind>-<uuid>`, the form of GameLift's ids; see next_uuid."""
        return f"{kind}-{self.next_uuid()}"

    def token(self, length: int, alphabet: str = ALPHANUMERIC) -> str:
        """Return length characters, each one equally likely of the alphabet (at most 256 characters)."""
        size, limit = len(alphabet), 256 - 256 % len(alphabet)
        text = ""
        while len(text) < length:
            text += "".join(alphabet[byte % size] for byte in self.raw(2 * length) if byte < limit)
        return text[:length]

    def hex(self, length: int) -> str:
        """Return length lower-case hexadecimal digits."""
        return self.token(length, HEX)

    def aws(self, prefix: str) -> str:
        """Return an identifier like those of IAM: a four-letter prefix (AIDA, AROA, AKIA, ASIA) and 16 more."""
        return prefix + self.token(16, BASE32)


def system_ids() -> Ids:
    """Return ids from the operating system's random source."""
    return Ids(os.urandom)


def seeded_ids(seed: int | str) -> Ids:
    """Return ids that are the same for the same seed; for tests, never for a server with real secrets."""
    state = {"count": 0}

    def source(count: int) -> bytes:
        state["count"] += 1
        return hashlib.shake_256(f"{seed}/{state['count']}".encode()).digest(count)

    return Ids(source)
