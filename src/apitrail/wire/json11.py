"""The protocols awsJson 1.0 and 1.1: one JSON object in the body, the operation in X-Amz-Target.

Source: Smithy, AWS JSON 1.0 and 1.1 protocols; spec wire.md section 2 for what clients need in answers.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson

from apitrail.errors import ServiceError
from apitrail.wire.faults import Fault, find_fault, qualified, service_of
from apitrail.wire.http import HttpRequest, HttpResponse
from apitrail.wire.models import OperationModel, ServiceModel, Shape
from apitrail.wire.tree import Dialect, TreeCompiler, check_depth
from apitrail.wire.values import (
    DEPTH_MAX,
    READ_TIME,
    WRITE_TIME,
    Malformed,
    Reader,
    Writer,
    epoch_of,
    read_base64,
    read_epoch,
    special_name,
    time_format,
    write_base64,
)


def _read_time(shape: Shape) -> Reader:
    style = time_format(shape, "unixtimestamp")
    return read_epoch if style == "unixtimestamp" else READ_TIME[style]


def _write_time(shape: Shape) -> Writer:
    style = time_format(shape, "unixtimestamp")
    return epoch_of if style == "unixtimestamp" else WRITE_TIME[style]


JSON_DIALECT = Dialect(_read_time, _write_time, read_base64, write_base64, special_name)


@cache
def json_compiler(model: ServiceModel) -> TreeCompiler:
    """Return the compiler of a service's shapes for JSON; one per service, so that shapes are compiled once."""
    return TreeCompiler(JSON_DIALECT)


def parse_json(body: bytes) -> Any:
    """Return the value of a JSON body; an empty body is an empty map. Bounds: 64 levels of nesting.

    Raises: Malformed for anything that is not JSON in UTF-8, NaN and infinities included.
    """
    if not body:
        return {}
    try:
        tree = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Malformed("a JSON object in UTF-8") from None
    if body.count(b"{") + body.count(b"[") > DEPTH_MAX:
        check_depth(tree, DEPTH_MAX)
    return tree


def error_tree(fault: Fault, service: str | None, write: Writer | None) -> dict[str, Any]:
    """Return the body of an error: `__type`, the message under both spellings, and the modelled members."""
    members = write(fault.members) if write is not None else {}
    return {
        **members,
        "__type": qualified(fault.name, service),
        "message": fault.message,
        "Message": fault.message,
    }


@dataclass(frozen=True, slots=True)
class JsonCodec:
    """awsJson. version: `1.0` or `1.1` as the caller asked, or empty for the one of the service's model."""

    version: str = ""

    @property
    def name(self) -> str:
        """Return `json`."""
        return "json"

    @property
    def media_type(self) -> str:
        """Return the content type of requests and answers."""
        return f"application/x-amz-json-{self.version or '1.1'}"

    def decode(self, request: HttpRequest, operation: OperationModel) -> dict[str, Any]:
        """Return the parameters of a request. Raises: Malformed (SerializationException)."""
        params: dict[str, Any] = _input_reader(operation)(parse_json(request.body))
        return params

    def encode(
        self, result: dict[str, Any], operation: OperationModel, request_id: str, host_id: str = ""
    ) -> HttpResponse:
        """Return the answer of a call; an operation without output is answered with `{}`."""
        write = _output_writer(operation)
        body = orjson.dumps(write(result)) if write is not None else b"{}"
        return self._response(200, body, request_id, operation)

    def encode_error(
        self, error: ServiceError, service: str | None, operation: OperationModel | None, request_id: str
    ) -> HttpResponse:
        """Return the answer of a refused call."""
        fault = find_fault(error, service, operation)
        write = json_fault_writer(operation, fault.shape) if operation is not None else None
        body = orjson.dumps(error_tree(fault, service_of(service, operation), write))
        return self._response(fault.status, body, request_id, operation)

    def _response(self, status: int, body: bytes, request_id: str, operation: OperationModel | None) -> HttpResponse:
        version = self.version or _version(operation)
        return HttpResponse(
            status,
            (
                (b"content-type", b"application/x-amz-json-" + version.encode()),
                (b"x-amzn-requestid", request_id.encode()),
            ),
            body,
        )


def json_fault_writer(operation: OperationModel, shape: Shape | None) -> Writer | None:
    """Return the writer of an exception's members, or None for an exception that is not modelled."""
    return None if shape is None else json_compiler(operation.service_model).writer(shape)


def _version(operation: OperationModel | None) -> str:
    return str(operation.metadata.get("jsonVersion", "1.1")) if operation is not None else "1.1"


@cache
def _input_reader(operation: OperationModel) -> Reader:
    shape = operation.input_shape
    return (lambda tree: {}) if shape is None else json_compiler(operation.service_model).reader(shape)


@cache
def _output_writer(operation: OperationModel) -> Writer | None:
    shape = operation.output_shape
    return None if shape is None else json_compiler(operation.service_model).writer(shape)
