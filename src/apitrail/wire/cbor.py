"""The protocol Smithy RPC v2 CBOR: one CBOR map in the body, service and operation in the path.

Source: Smithy, RPC v2 CBOR protocol; RFC 8949; spec wire.md sections 1 and 2.
"""

from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import Any, NoReturn

import cbor2

from apitrail.errors import ServiceError
from apitrail.wire.faults import find_fault, service_of
from apitrail.wire.http import HttpRequest, HttpResponse
from apitrail.wire.json11 import error_tree
from apitrail.wire.models import OperationModel, ServiceModel, Shape
from apitrail.wire.tree import Dialect, TreeCompiler
from apitrail.wire.values import DEPTH_MAX, Malformed, Reader, Writer, epoch_of, read_epoch

# Tags that cbor2 would decode by itself: dates, bignums, regular expressions, shared (cyclic) values, ...
FOREIGN_TAGS = (0, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000, 55799)


class _Time:
    """A tagged time before it is known that a time is wanted."""

    __slots__ = ("seconds",)

    def __init__(self, seconds: Any) -> None:
        self.seconds = seconds


def _refuse(*_: object) -> NoReturn:
    raise ValueError("tag")


DECODERS: dict[int, Any] = dict.fromkeys(FOREIGN_TAGS, _refuse) | {1: lambda value, immutable: _Time(value)}


def _read_time(value: Any) -> Any:
    if type(value) is not _Time:
        raise Malformed("a time with CBOR tag 1")
    return read_epoch(value.seconds)


def _read_blob(value: Any) -> bytes:
    if type(value) is not bytes:
        raise Malformed("a byte string")
    return value


def _write_time(value: Any) -> cbor2.CBORTag:
    return cbor2.CBORTag(1, epoch_of(value))


CBOR_DIALECT = Dialect(
    read_time=lambda shape: _read_time,
    write_time=lambda shape: _write_time,
    read_blob=_read_blob,
    write_blob=None,
    write_float=lambda value: value,
)


def parse_cbor(body: bytes) -> Any:
    """Return the value of a CBOR body; an empty body is an empty map. Bounds: 64 levels of nesting.

    Raises: Malformed for anything else than exactly one well-formed item; of the tags only 1 is allowed.
    """
    if not body:
        return {}
    stream = BytesIO(body)
    try:
        tree = cbor2.CBORDecoder(stream, semantic_decoders=DECODERS, tag_hook=_refuse, max_depth=DEPTH_MAX).decode()
    except (cbor2.CBORDecodeError, ValueError, TypeError, OverflowError, MemoryError, RecursionError):
        raise Malformed("one CBOR map") from None
    if stream.tell() != len(body):
        raise Malformed("one CBOR map and nothing after it")
    return tree


@cache
def _compiler(model: ServiceModel) -> TreeCompiler:
    return TreeCompiler(CBOR_DIALECT)


@dataclass(frozen=True, slots=True)
class CborCodec:
    """Smithy RPC v2 CBOR."""

    @property
    def name(self) -> str:
        """Return `smithy-rpc-v2-cbor`."""
        return "smithy-rpc-v2-cbor"

    @property
    def media_type(self) -> str:
        """Return the content type of requests and answers."""
        return "application/cbor"

    def decode(self, request: HttpRequest, operation: OperationModel) -> dict[str, Any]:
        """Return the parameters of a request. Raises: Malformed (SerializationException)."""
        params: dict[str, Any] = _input_reader(operation)(parse_cbor(request.body))
        return params

    def encode(
        self, result: dict[str, Any], operation: OperationModel, request_id: str, host_id: str = ""
    ) -> HttpResponse:
        """Return the answer of a call; an operation without output is answered with an empty map, byte a0."""
        write = _output_writer(operation)
        return _response(200, {} if write is None else write(result), request_id)

    def encode_error(
        self, error: ServiceError, service: str | None, operation: OperationModel | None, request_id: str
    ) -> HttpResponse:
        """Return the answer of a refused call."""
        fault = find_fault(error, service, operation)
        write = None if operation is None or fault.shape is None else _fault_writer(operation, fault.shape)
        return _response(fault.status, error_tree(fault, service_of(service, operation), write), request_id)


def _response(status: int, tree: dict[str, Any], request_id: str) -> HttpResponse:
    headers = (
        (b"content-type", b"application/cbor"),
        (b"smithy-protocol", b"rpc-v2-cbor"),
        (b"x-amzn-requestid", request_id.encode()),
    )
    return HttpResponse(status, headers, cbor2.dumps(tree))


def _fault_writer(operation: OperationModel, shape: Shape) -> Writer | None:
    return _compiler(operation.service_model).writer(shape)


@cache
def _input_reader(operation: OperationModel) -> Reader:
    shape = operation.input_shape
    return (lambda tree: {}) if shape is None else _compiler(operation.service_model).reader(shape)


@cache
def _output_writer(operation: OperationModel) -> Writer | None:
    shape = operation.output_shape
    return None if shape is None else _compiler(operation.service_model).writer(shape)
