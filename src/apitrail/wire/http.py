"""An HTTP request and response as plain values; nothing here opens a socket."""

from dataclasses import dataclass, field
from pathlib import Path


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

    def header(self, name: str) -> str | None:
        """Return the first value of a header (name in lower case), or None."""
        wanted = name.encode()
        for key, value in self.headers:
            if key == wanted:
                return value.decode("latin-1")
        return None


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """One answer. body: bytes, or a file (with offset and length) to be sent as it is."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""
    file: Path | None = None
    file_offset: int = 0
    file_length: int = 0
