"""A bucket behind any S3-compatible endpoint, through obstore.

Keys are those that obstore can name: no empty, `.` or `..` segment. A put is one request up to PART_BYTES, above it a
multipart upload, which the store makes visible as a whole. Repeats of one call are left to whoever calls.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Self, TypeVar

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from apitrail.errors import SinkError
from apitrail.objects.bucket import OCTETS, Facts, ObjectInfo, Page, check_key, check_range, no_such_key
from apitrail.objects.paging import group_of

PART_BYTES = 16 * 1024 * 1024
CHECK_KEY = "apitrail-check"
CONTENT_TYPE, CONTENT_ENCODING = "Content-Type", "Content-Encoding"
HEADERS = {
    "cache-control": "Cache-Control",
    "content-disposition": "Content-Disposition",
    "content-language": "Content-Language",
}
FIRST, LAST = "\x01", "\U0010ffff"
LASTING = {"NoSuchKey", "AccessDenied", "InvalidArgument"}
AGAIN = {
    "SlowDown",
    "RequestTimeout",
    "RequestTimeTooSkewed",
    "ServiceUnavailable",
    "ThrottlingException",
    "OperationAborted",
}
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class S3Config:
    """How an endpoint is reached.

    endpoint: with scheme, empty for AWS itself. path_style: bucket in the path rather than the host name.
    allow_http: accept an endpoint without TLS. timeout_s: of one request.
    kms_key: ARN of the key that new objects are encrypted with by the endpoint (SSE-KMS), empty for its default.
    """

    bucket: str
    endpoint: str
    region: str
    access_key: str
    secret_key: str
    token: str = ""
    path_style: bool = True
    allow_http: bool = False
    timeout_s: float = 60.0
    kms_key: str = ""

    def __repr__(self) -> str:
        return f"S3Config({self.bucket!r}, {self.endpoint!r}, {self.access_key[:4]}...)"


class S3Body:
    """An object that is being read from the endpoint."""

    def __init__(self, result: Any, info: ObjectInfo) -> None:
        self._result = result
        self.info = info
        self.start, self.end = result.range

    async def read(self) -> bytes:
        """Return all bytes of the range."""
        return bytes(await _translated(lambda: self._result.bytes_async(), self.info.key))

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the bytes of the range as they arrive, in blocks of about 1 MiB."""
        try:
            async for block in self._result.stream(min_chunk_size=1024 * 1024):
                yield bytes(block)
        except BaseError as error:
            raise _sink_error(error, self.info.key) from error

    async def close(self) -> None:
        """Do nothing; the connection goes back when the body is dropped."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class S3Bucket:
    """One bucket of one endpoint."""

    def __init__(self, config: S3Config) -> None:
        self.config = config
        options: dict[str, Any] = {
            "endpoint": config.endpoint,
            "region": config.region,
            "access_key_id": config.access_key,
            "secret_access_key": config.secret_key,
            "session_token": config.token,
            "server_side_encryption": "aws:kms" if config.kms_key else "",
            "sse_kms_key_id": config.kms_key,
            "virtual_hosted_style_request": not config.path_style,
            "client_options": {"allow_http": config.allow_http, "timeout": timedelta(seconds=config.timeout_s)},
            "retry_config": {"max_retries": 0},
        }
        self._store = S3Store(config.bucket, **{name: value for name, value in options.items() if value != ""})

    async def put(
        self,
        key: str,
        body: bytes,
        *,
        content_type: str,
        content_encoding: str = "",
        metadata: Mapping[str, str] = {},
    ) -> None:
        """Store body under key; see Bucket.put."""
        facts = Facts(content_type=content_type, content_encoding=content_encoding, metadata=dict(metadata))
        await self._put(key, body, facts)

    async def put_file(self, key: str, path: Path, facts: Facts) -> ObjectInfo:
        """Upload a staged file and remove it; see Bucket.put_file. The etag is the endpoint's."""
        if not await asyncio.to_thread(path.is_file):
            raise SinkError("The staged file is gone.", code="NoSuchFile", temporary=False)
        await self._put(key, path, facts)
        info = await self.head(key)
        if info is None:
            raise SinkError(f"{key!r} is not there after its put.", code="NoSuchKey", temporary=True)
        await asyncio.to_thread(path.unlink)
        return info

    async def get(self, key: str, start: int | None = None, end: int | None = None) -> S3Body:
        """Open an object or a range of it; see Bucket.get."""
        _check_name(key)
        if start is None and end is None:
            result = await _translated(lambda: obstore.get_async(self._store, key), key)
            return S3Body(result, _info(result.meta, result.attributes))
        info = await self.head(key)
        if info is None:
            raise no_such_key(key)
        first, last = check_range(info.size, start, end)
        result = await _translated(lambda: obstore.get_async(self._store, key, options={"range": (first, last)}), key)
        return S3Body(result, info)

    async def head(self, key: str) -> ObjectInfo | None:
        """Return what is known of an object; see Bucket.head."""
        _check_name(key)
        try:
            result = await _translated(lambda: obstore.get_async(self._store, key, options={"head": True}), key)
        except SinkError as error:
            if error.code == "NoSuchKey":
                return None
            raise
        return _info(result.meta, result.attributes)

    async def list(self, prefix: str = "", after: str = "", limit: int = 1000, delimiter: str = "") -> Page:
        """Return a page of the listing, without facts, in the endpoint's own order; see Bucket.list.

        SeaweedFS, for one, lists `a/b` before `a-b`; S3 the other way round. Paging follows either.
        """
        objects: list[ObjectInfo] = []
        prefixes: list[str] = []
        last, offset = "", _offset(prefix, after, delimiter)
        stream = self._stream(prefix, offset)
        while limit > 0 and (info := await _next(stream, prefix)):
            if len(objects) + len(prefixes) == limit:
                return Page(objects, prefixes, last)
            group = group_of(info.key.encode(), prefix.encode(), delimiter.encode()).decode()
            if group:
                prefixes.append(group)
                stream = self._stream(prefix, group + LAST)
            else:
                objects.append(info)
            last = group or info.key
        return Page(objects, prefixes, None)

    async def _stream(self, prefix: str, offset: str | None) -> AsyncIterator[ObjectInfo]:
        folder = prefix[: prefix.rfind("/") + 1]
        try:
            stream = obstore.list(self._store, folder or None, offset=offset, chunk_size=1000)
        except ValueError as error:
            raise _sink_error(error, prefix) from error
        while block := await _translated(lambda: _anext(stream), folder):
            for meta in block:
                yield _info(meta, {})

    async def delete(self, key: str) -> bool:
        """Remove an object; see Bucket.delete."""
        if await self.head(key) is None:
            return False
        await _translated(lambda: obstore.delete_async(self._store, key), key)
        return True

    async def check(self) -> None:
        """Write a small object and remove it again, if that is allowed; see Bucket.check."""
        await self._put(CHECK_KEY, b"apitrail", Facts(content_type="text/plain"))
        try:
            await _translated(lambda: obstore.delete_async(self._store, CHECK_KEY), CHECK_KEY)
        except SinkError as error:
            if error.code != "AccessDenied":
                raise

    async def _put(self, key: str, body: bytes | Path, facts: Facts) -> None:
        _check_name(key)
        options: dict[str, Any] = {"attributes": _attributes(facts), "chunk_size": PART_BYTES}
        if facts.tags:
            options["tags"] = facts.tags
        await _translated(lambda: obstore.put_async(self._store, key, body, **options), key)


async def _next(stream: AsyncIterator[ObjectInfo], prefix: str) -> ObjectInfo | None:
    """Return the next object of a stream with the prefix; those with the same prefix stand together."""
    async for info in stream:
        if info.key.startswith(prefix):
            return info
        if info.key > prefix:
            break
    return None


async def _anext(stream: Any) -> Any:
    return await anext(stream, None)


def _offset(prefix: str, after: str, delimiter: str) -> str | None:
    """Return the name after which a listing begins, None for the beginning of the prefix's folder."""
    if after < prefix:
        return _below(prefix)
    group = group_of(after.encode(), prefix.encode(), delimiter.encode()) if after.startswith(prefix) else b""
    if group and group.decode() == after:
        return after + LAST
    return after + FIRST if after.endswith("/") else after or None


def _below(prefix: str) -> str | None:
    """Return a name just below all that begin with a prefix that ends within a name."""
    if not prefix or prefix[-1] in "/\0":
        return None
    before = ord(prefix[-1]) - 1
    before = {0x2F: 0x2E, 0xDFFF: 0xD7FF}.get(before, before)  # no slash, no surrogate
    return prefix[:-1] + chr(before) + LAST


def _info(meta: Any, attributes: Mapping[str, str]) -> ObjectInfo:
    etag = (meta["e_tag"] or "").strip('"')
    named = {CONTENT_TYPE, CONTENT_ENCODING, *HEADERS.values()}
    facts = Facts(
        content_type=attributes.get(CONTENT_TYPE, OCTETS),
        content_encoding=attributes.get(CONTENT_ENCODING, ""),
        etag=etag,
        metadata={name.lower(): value for name, value in attributes.items() if name not in named},
        headers={ours: attributes[theirs] for ours, theirs in HEADERS.items() if theirs in attributes},
    )
    return ObjectInfo(meta["path"], meta["size"], etag, meta["last_modified"], facts)


def _attributes(facts: Facts) -> dict[str, str]:
    found = {CONTENT_TYPE: facts.content_type, **facts.metadata}
    if facts.content_encoding:
        found[CONTENT_ENCODING] = facts.content_encoding
    found.update({HEADERS[name]: value for name, value in facts.headers.items() if name in HEADERS})
    return found


def _check_name(key: str) -> None:
    """Return if obstore can name the key and would not alter it. Raises: SinkError InvalidArgument."""
    check_key(key)
    if any(segment in ("", ".", "..") for segment in key.split("/")):
        message = f"{key!r} has an empty, '.' or '..' segment, which this client cannot name."
        raise SinkError(message, code="InvalidArgument", temporary=False)


async def _translated(work: Callable[[], Awaitable[Result]], where: str) -> Result:
    try:
        return await work()
    except (BaseError, FileNotFoundError, ValueError) as error:
        raise _sink_error(error, where) from error


def _sink_error(error: Exception, where: str) -> SinkError:
    """Return the error of the endpoint in the words of a bucket: its own code, if it sent one."""
    text = str(error).partition("\n\nDebug source")[0]
    found = re.search(r"<Code>(\w{1,64})</Code>", text)
    code = found[1] if found else next((name for kind, name in CODES if isinstance(error, kind)), "ServiceUnavailable")
    status = re.search(r"status code: (\d{3})", text)
    refused = status is not None and status[1].startswith("4") and code not in AGAIN
    message = f"{where}: {_MESSAGE.sub('', text)[:300]}"
    return SinkError(message, code=code, temporary=not refused and code not in LASTING)


CODES: tuple[tuple[type[Exception], str], ...] = (
    (FileNotFoundError, "NoSuchKey"),
    (PermissionDeniedError, "AccessDenied"),
    (UnauthenticatedError, "AccessDenied"),
    (ValueError, "InvalidArgument"),
)
_MESSAGE = re.compile(r"<\?xml[^>]*>\s*")
