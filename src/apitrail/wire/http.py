"""An HTTP request and response as plain values; nothing here opens a socket."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from msgspec import Struct


@dataclass(frozen=True, slots=True)
class TlsFacts:
    """What is known of the caller's TLS connection. Names as OpenSSL writes them (`TLSv1.3`)."""

    version: str
    cipher_suite: str


@dataclass(frozen=True, slots=True)
class StagedBody:
    """A large body that was written to a file while it arrived, already freed of its aws-chunked frame.

    path: the staging file. size: bytes of content. sha256, md5: lower-case hex of the content.
    checksums: x-amz-checksum-* values found in the trailer, by lower-case name, base64.
    """

    path: Path
    size: int
    sha256: str
    md5: str
    checksums: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request as received.

    raw_path, raw_query: exactly the bytes of the request line, undecoded (signatures need them so).
    headers: names in lower case, in the order received, repeats kept. body: whole, unless staged.
    peer: address of the caller, without port.
    """

    method: str
    raw_path: bytes
    raw_query: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes = b""
    peer: str = "127.0.0.1"
    tls: TlsFacts | None = None
    staged: StagedBody | None = None
    _first: dict[bytes, bytes] = field(default_factory=dict, init=False, repr=False, compare=False)

    def header(self, name: str) -> str | None:
        """Return the first value of a header (name in lower case), or None."""
        if not self._first:
            self._first.update(reversed(self.headers))
        value = self._first.get(name.encode())
        return None if value is None else value.decode("latin-1")


@runtime_checkable
class BodyStream(Protocol):
    """A large body that is still in a file or at another server: the bytes from start up to but without end."""

    @property
    def start(self) -> int: ...

    @property
    def end(self) -> int: ...

    def chunks(self) -> AsyncIterator[bytes]:
        """Give the bytes in blocks, and close."""
        ...

    async def close(self) -> None:
        """Let go of what is open; harmless when repeated."""
        ...


class HttpResponse(Struct, frozen=True):
    """One answer. stream: the body, where it is too large to be in memory; whoever sends the answer closes it."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""
    stream: BodyStream | None = None
