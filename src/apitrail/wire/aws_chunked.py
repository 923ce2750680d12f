"""Uploads in the aws-chunked frame: chunks of content with a length line each, then trailing headers.

    <hex length>[;chunk-signature=<64 hex digits>]\\r\\n <content> \\r\\n  ...  0[;chunk-signature=...]\\r\\n
    [<trailer>:<value>\\r\\n ...] \\r\\n

Source: Amazon S3 API Reference, chunked uploads with SigV4, signed and unsigned, with and without trailers.
"""

import hashlib
import re
from collections.abc import Callable
from typing import NoReturn

from apitrail.errors import ServiceError

LINE_MAX = 4_096
TRAILERS_MAX = 32
CHUNK_BYTES_MAX = 5 * 1024**3

_SIZE = re.compile(rb"([0-9a-fA-F]{1,16})(?:;chunk-signature=([0-9a-f]{64}))?")
_TRAILER = re.compile(r"([a-z0-9!#$%&'*+.^_|~-]{1,128})[ \t]*:[ \t]*(.*?)[ \t]*", re.IGNORECASE | re.ASCII)

OnChunk = Callable[[str, str], None]


class ChunkedDecoder:
    """Takes the frame away from content that arrives in pieces of any size; keeps no content.

    on_chunk: called at the end of every chunk, the empty last one included, with its signature (empty where the
    frame has none) and the SHA-256 of its content in hex; what it raises goes to the caller of feed. signed: every
    chunk must have a signature. size: the length of the content, if the caller announced one.

    trailers: by lower-case name, complete once `finished`. received: bytes of content so far.
    """

    def __init__(self, on_chunk: OnChunk | None = None, *, signed: bool = False, size: int | None = None) -> None:
        self.trailers: dict[str, str] = {}
        self.finished = False
        self.received = 0
        self._on_chunk = on_chunk
        self._signed = signed
        self._size = size
        self._buffer = bytearray()
        self._left = 0
        self._signature = ""
        self._hash = hashlib.sha256()
        self._step: Callable[[list[bytes]], bool] = self._read_size

    def feed(self, piece: bytes) -> bytes:
        """Return the content in a piece of the body, possibly none.

        Raises: ServiceError InvalidRequest (400) where the frame is broken, IncompleteBody (400) for more content
        than was announced.
        """
        self._buffer += piece
        content: list[bytes] = []
        while self._step(content):
            pass
        return b"".join(content)

    def finish(self) -> None:
        """Check that the body has ended where the frame does. Raises: ServiceError IncompleteBody (400)."""
        if not self.finished or (self._size is not None and self.received != self._size):
            raise _incomplete()

    def _read_size(self, content: list[bytes]) -> bool:
        line = self._line()
        if line is None:
            return False
        match = _SIZE.fullmatch(line)
        if match is None or (self._signed and match[2] is None):
            _broken("a chunk must begin with its length in hexadecimal digits, and its signature where it has one")
        self._left = int(match[1], 16)
        if self._left > CHUNK_BYTES_MAX:
            _broken(f"a chunk may have at most {CHUNK_BYTES_MAX} bytes")
        if self._size is not None and self.received + self._left > self._size:
            raise _incomplete()
        self._signature = match[2].decode() if match[2] else ""
        self._step = self._read_content if self._left else self._end_last
        return True

    def _read_content(self, content: list[bytes]) -> bool:
        taken = bytes(self._buffer[: self._left])
        del self._buffer[: len(taken)]
        if taken:
            content.append(taken)
            self.received += len(taken)
            self._left -= len(taken)
            if self._on_chunk is not None:
                self._hash.update(taken)
        if self._left:
            return False
        self._step = self._end_chunk
        return True

    def _end_chunk(self, content: list[bytes]) -> bool:
        if len(self._buffer) < 2:
            return False
        if self._buffer[:2] != b"\r\n":
            _broken("a chunk must end with a line break")
        del self._buffer[:2]
        self._report()
        self._step = self._read_size
        return True

    def _end_last(self, content: list[bytes]) -> bool:
        self._report()
        self._step = self._read_trailer
        return True

    def _report(self) -> None:
        if self._on_chunk is not None:
            self._on_chunk(self._signature, self._hash.hexdigest())
            self._hash = hashlib.sha256()

    def _read_trailer(self, content: list[bytes]) -> bool:
        line = self._line()
        if line is None:
            return False
        if not line:
            self.finished = True
            self._step = self._refuse_more
            return True
        match = _TRAILER.fullmatch(line.decode("latin-1"))
        if match is None or match[1].lower() in self.trailers or len(self.trailers) >= TRAILERS_MAX:
            _broken(f"trailing headers must be `name:value`, each name once, at most {TRAILERS_MAX}")
        self.trailers[match[1].lower()] = match[2]
        return True

    def _refuse_more(self, content: list[bytes]) -> bool:
        if self._buffer:
            _broken("nothing may follow the last chunk")
        return False

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n", 0, LINE_MAX + 2)
        if end < 0:
            if len(self._buffer) > LINE_MAX:
                _broken(f"a line may have at most {LINE_MAX} bytes")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line


def _broken(rule: str) -> NoReturn:
    raise ServiceError(f"The aws-chunked body is malformed: {rule}.", code="InvalidRequest", status=400)


def _incomplete() -> ServiceError:
    message = "The content does not have the number of bytes that was announced, or its last chunk is missing."
    return ServiceError(message, code="IncompleteBody", status=400)
