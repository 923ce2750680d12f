"""Values made from the shapes of the API models, and what the SDK writes and reads of them."""

import math
import random
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import botocore.parsers
import botocore.serialize
from botocore.awsrequest import HeadersDict, create_request_object, prepare_request_dict

from apitrail.wire.http import HttpRequest, HttpResponse
from apitrail.wire.models import OperationModel, Shape
from apitrail.wire.pattern import matcher
from apitrail.wire.values import shorten

START = datetime(2026, 3, 4, 9, 15, 2, tzinfo=UTC)
RICH = "aZ09-_ äß漢😀&<>\"'/+%=?#,;:\n"
PLAIN = "abcXYZ019-_"
CANDIDATES = (
    "a", "abc", "A1", "1", "123456789012", "/", "/a/", "/a/b/", "us-east-1", "09:15", "v1", "application/json",
    "10.0.0.1", "10.0.0.0/16", "2001:db8::1/32", "https://example.com/path", "s3://bucket/key", "key/value",
    "123e4567-e89b-12d3-a456-426614174000", "1234567890123456", "ABCDEFGHIJKLMNOPQRST", "user@example.com",
    "arn:aws:gamelift:us-west-2:111122223333:fleet/fleet-123e4567-e89b-12d3-a456-426614174000",
    "arn:aws:iam::111122223333:role/worker", "arn:aws:sns:us-west-2:111122223333:topic.fifo",
    "arn:aws:kms:us-west-2:111122223333:key/123e4567-e89b-12d3-a456-426614174000",
    "arn:aws:s3:::bucket", "arn:aws:cloudtrail:us-west-2:111122223333:trail/main", "o-abcdefghij/r-abcd",
    "fleet-123e4567-e89b-12d3-a456-426614174000", "build-123e4567", "script-123e4567", "alias-123e4567",
    "containerfleet-123e4567", "custom-here", "psess-123e4567-e89b-12d3-a456-426614174000", "gsess-1",
    "matchmakingruleset-1", "fleet/f", "t1.micro", "fcap-0123456789abcdef0", "fcapassoc-0123456789abcdef0",
)  # fmt: skip


class Sampler:
    """Makes values of shapes. full: every member is set. loose: a pattern could not be met in what was made."""

    def __init__(self, seed: str, full: bool) -> None:
        self._random = random.Random(seed)
        self._full = full
        self.loose = False

    def value(self, shape: Shape, where: str = "", above: tuple[str, ...] = ()) -> Any:
        """Return a value. where: the location of the member, since headers hold less than bodies."""
        if shape.type_name == "structure":
            return self._structure(shape, above)
        if shape.type_name == "list":
            count = self._count(shape)
            return [self.value(shape.member, where, (*above, shape.name)) for _ in range(count)]
        if shape.type_name == "map":
            keys = dict.fromkeys(self.value(shape.key, where) for _ in range(self._count(shape)))
            return {key: self.value(shape.value, where, (*above, shape.name)) for key in keys}
        return getattr(self, f"_{shape.type_name}")(shape, where)

    def _structure(self, shape: Shape, above: tuple[str, ...]) -> dict[str, Any]:
        names = [
            name
            for name, member in shape.members.items()
            if name in shape.required_members
            or (member.name not in above and (self._full or self._random.random() < 0.7))
        ]
        if shape.metadata.get("union"):
            names = [self._random.choice([name for name in shape.members if shape.members[name].name not in above])]
        inside = (*above, shape.name)
        # Event and Events of S3 share an element, so only one of them can be told.
        members = {name: shape.members[name] for name in names if name != "Event" or "Events" not in shape.members}
        return {
            name: self.member(shape, name, inside)
            for name, member in members.items()
            if not member.serialization.get("eventstream")
        }

    def member(self, owner: Shape, name: str, above: tuple[str, ...]) -> Any:
        """Return the value of a member of a structure."""
        shape = owner.members[name]
        return self.value(shape, shape.serialization.get("location", ""), above)

    def _count(self, shape: Shape) -> int:
        low, high = shape.metadata.get("min", 0), shape.metadata.get("max", 2)
        return max(low, min(self._random.randint(1, 2), high))

    def _string(self, shape: Shape, where: str) -> str:
        if shape.serialization.get("hostLabel"):
            return f"route-{self._random.randint(1, 99)}"
        if shape.metadata.get("enum"):
            return str(self._random.choice(shape.metadata["enum"]))
        low, high = max(1, shape.metadata.get("min", 1)), shape.metadata.get("max", 12)
        if shape.metadata.get("pattern"):
            return self._patterned(shape, low, shape.metadata.get("max", math.inf))
        alphabet = {"header": PLAIN, "headers": PLAIN.lower()}.get(where, RICH)  # names of headers have no case
        count = max(low, min(high, self._random.randint(1, 12)))
        return "".join(self._random.choice(alphabet) for _ in range(count))

    def _patterned(self, shape: Shape, low: int, high: float) -> str:
        matches = matcher(shape.metadata["pattern"])
        texts = [text * times for text in CANDIDATES for times in (1, low)]
        fitting = [text for text in texts if low <= len(text) <= high and matches(text)]
        if not fitting:
            self.loose = True
            return "a" * low
        return self._random.choice(fitting)

    _character = _string

    def _integer(self, shape: Shape, where: str, bits: int = 31) -> int:
        low, high = shape.metadata.get("min", -(2**bits)), shape.metadata.get("max", 2**bits - 1)
        return self._random.choice([low, high, self._random.randint(low, high)])

    def _long(self, shape: Shape, where: str) -> int:
        return self._integer(shape, where, 63)

    def _double(self, shape: Shape, where: str) -> float:
        low, high = shape.metadata.get("min", -1e9), shape.metadata.get("max", 1e9)
        return self._random.choice([self._random.uniform(low, high), float(low), float(high)])

    def _float(self, shape: Shape, where: str) -> float:
        return shorten(self._double(shape, where))

    def _boolean(self, shape: Shape, where: str) -> bool:
        return self._random.random() < 0.5

    def _blob(self, shape: Shape, where: str) -> bytes:
        return self._random.randbytes(max(1, shape.metadata.get("min", 0), self._random.randint(1, 9)))

    def _timestamp(self, shape: Shape, where: str) -> datetime:
        whole = where == "header" or shape.serialization.get("timestampFormat", "").lower() == "rfc822"
        milliseconds = 0 if whole else self._random.choice([0, 1, 500, 678, 999])
        return START + timedelta(seconds=self._random.randint(-(10**9), 10**9), milliseconds=milliseconds)


def serialised(params: dict[str, Any], operation: OperationModel, protocol: str) -> HttpRequest:
    """Return the bytes that the SDK sends."""
    serializer = botocore.serialize.create_serializer(protocol, include_validation=False)
    request_dict = serializer.serialize_to_request(params, operation)
    prepare_request_dict(request_dict, endpoint_url="http://localhost:4566", context={})
    prepared = create_request_object(request_dict).prepare()
    url = urlsplit(prepared.url)
    headers = [(name.lower().encode(), as_bytes(value)) for name, value in prepared.headers.items()]
    body = prepared.body or b""
    return HttpRequest(
        prepared.method,
        url.path.encode(),
        url.query.encode(),
        tuple(headers),
        body.encode() if isinstance(body, str) else bytes(body),
    )


def as_bytes(value: Any) -> bytes:
    """Return a header's value as it goes over the wire."""
    return value if isinstance(value, bytes) else str(value).encode("latin-1")


def parsed(response: HttpResponse, shape: Shape | None, protocol: str) -> dict[str, Any]:
    """Return what the SDK makes of an answer."""
    headers = HeadersDict({name.decode(): value.decode("latin-1") for name, value in response.headers})
    payload = shape.serialization.get("payload") if shape is not None and response.status < 300 else None
    streams = payload is not None and shape.members[payload].type_name == "blob"
    body = BytesIO(response.body) if streams else response.body
    answer = {"status_code": response.status, "headers": headers, "body": body}
    result: dict[str, Any] = botocore.parsers.create_parser(protocol).parse(answer, shape)
    if streams:
        result[payload] = response.body
    return result
