"""One HTTP request to somebody else's server: a POST of which only the status counts.

Bounded in time and in what is read; redirects are never followed, and no connection is kept. Source: RFC 9112.
"""

import asyncio
import base64
import ssl
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

HEAD_BYTES_MAX = 64 * 1024
INTERIM_MAX = 10


class NoAnswer(Exception):
    """The server could not be reached, or its answer is none; the text says why."""


async def post(url: str, headers: Mapping[str, str], body: bytes, *, timeout_s: float, tls: ssl.SSLContext) -> int:
    """Send a body and return the status of the answer.

    url: http or https; a user and password in it are sent as basic authentication. Raises: NoAnswer.
    """
    split = urlsplit(url)
    try:
        async with asyncio.timeout(timeout_s):
            return await _exchange(url, _head(url, headers, body) + body, tls if split.scheme == "https" else None)
    except TimeoutError as error:
        raise NoAnswer(f"no answer within {timeout_s:g} s") from error
    except ssl.SSLCertVerificationError as error:
        raise NoAnswer(f"the certificate cannot be trusted: {error.verify_message}") from error
    except (OSError, ValueError, EOFError, asyncio.LimitOverrunError) as error:
        raise NoAnswer(f"{type(error).__name__}: {error}") from error


async def _exchange(url: str, request: bytes, tls: ssl.SSLContext | None) -> int:
    split = urlsplit(url)
    port = split.port or (443 if tls else 80)
    reader, writer = await asyncio.open_connection(split.hostname, port, ssl=tls, limit=HEAD_BYTES_MAX)
    try:
        writer.write(request)
        await writer.drain()
        return await _status(reader)
    finally:
        writer.transport.abort()


async def _status(reader: asyncio.StreamReader) -> int:
    """Return the status of the final answer; interim ones (100 to 199) are passed over."""
    for _ in range(INTERIM_MAX):
        line = (await reader.readuntil(b"\r\n")).split(b" ", 2)
        if len(line) < 2 or not line[0].startswith(b"HTTP/1.") or len(line[1].strip()) != 3:
            raise ValueError("the answer is not HTTP/1.1")
        status = int(line[1])
        if not 100 <= status < 200:
            return status
        while await reader.readuntil(b"\r\n") != b"\r\n":
            pass
    raise ValueError("too many interim answers")


def _head(url: str, headers: Mapping[str, str], body: bytes) -> bytes:
    split = urlsplit(url)
    target = (split.path or "/") + (f"?{split.query}" if split.query else "")
    host = split.netloc.rpartition("@")[2]
    sent = {"host": host, **headers, "content-length": str(len(body)), "connection": "close"}
    if split.username is not None:
        pair = f"{unquote(split.username)}:{unquote(split.password or '')}".encode()
        sent["authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    lines = [f"POST {target} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a header holds a line break")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
