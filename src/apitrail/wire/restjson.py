"""The protocol rest-json (restJson1): JSON in the body, the rest in path, query string and headers.

Source: Smithy, AWS restJson1 protocol.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson

from apitrail.errors import ServiceError
from apitrail.wire.faults import find_fault, service_of
from apitrail.wire.http import HttpRequest, HttpResponse
from apitrail.wire.json11 import error_tree, json_compiler, json_fault_writer, parse_json
from apitrail.wire.models import OperationModel
from apitrail.wire.rest import (
    Header,
    binding_of,
    body_members,
    output_binding_of,
    read_bound,
    status_of,
    write_headers,
)
from apitrail.wire.values import Malformed, Reader, Writer


@dataclass(frozen=True, slots=True)
class RestJsonCodec:
    """restJson1."""

    @property
    def name(self) -> str:
        """Return `rest-json`."""
        return "rest-json"

    @property
    def media_type(self) -> str:
        """Return the content type of answers."""
        return "application/json"

    def decode(self, request: HttpRequest, operation: OperationModel) -> dict[str, Any]:
        """Return the parameters of a request. Raises: Malformed (SerializationException)."""
        params = read_bound(binding_of(operation), request, request.raw_path)
        params.update(_body_reader(operation)(request))
        return params

    def encode(
        self, result: dict[str, Any], operation: OperationModel, request_id: str, host_id: str = ""
    ) -> HttpResponse:
        """Return the answer of a call; without members in the body it is `{}`."""
        binding = output_binding_of(operation)
        headers = write_headers(binding, result)
        if not any(name == b"content-type" for name, _ in headers):
            headers.append((b"content-type", b"application/json"))
        headers.append((b"x-amzn-requestid", request_id.encode()))
        return HttpResponse(status_of(operation, binding, result), tuple(headers), _body_writer(operation)(result))

    def encode_error(
        self, error: ServiceError, service: str | None, operation: OperationModel | None, request_id: str
    ) -> HttpResponse:
        """Return the answer of a refused call."""
        fault = find_fault(error, service, operation)
        write = json_fault_writer(operation, fault.shape) if operation is not None else None
        headers: list[Header] = [
            (b"content-type", b"application/json"),
            (b"x-amzn-requestid", request_id.encode()),
        ]
        body = orjson.dumps(error_tree(fault, service_of(service, operation), write))
        return HttpResponse(fault.status, tuple(headers), body)


@cache
def _body_reader(operation: OperationModel) -> Reader:
    shape, payload = operation.input_shape, binding_of(operation).payload
    if shape is None:
        return lambda request: {}
    compiler = json_compiler(operation.service_model)
    if not payload:
        read_members = compiler.structure_reader(shape, binding_of(operation).body)
        return lambda request: read_members(parse_json(request.body))
    member = shape.members[payload]
    if member.type_name in ("blob", "string"):
        return _raw_reader(payload, member.type_name == "string")
    read = compiler.reader(member)
    return lambda request: {payload: read(parse_json(request.body))} if request.body else {}


def _raw_reader(payload: str, text: bool) -> Reader:
    def read_raw(request: HttpRequest) -> dict[str, Any]:
        return read_raw_body(request, payload, text)

    return read_raw


def read_raw_body(request: HttpRequest, payload: str, text: bool) -> dict[str, Any]:
    """Return a body that is one member as it stands; nothing when it is staged in a file. text: str, not bytes."""
    if request.staged is not None:
        return {}
    if not text:
        return {payload: request.body}
    try:
        return {payload: request.body.decode()}
    except UnicodeDecodeError:
        raise Malformed("a body in UTF-8") from None


@cache
def _body_writer(operation: OperationModel) -> Writer:
    shape, payload = operation.output_shape, output_binding_of(operation).payload
    if shape is None:
        return lambda result: b"{}"
    compiler = json_compiler(operation.service_model)
    if not payload:
        write_members = compiler.structure_writer(shape, body_members(shape))
        return lambda result: orjson.dumps(write_members(result))
    member = shape.members[payload]
    if member.type_name in ("blob", "string"):
        return lambda result: raw_bytes(result.get(payload))
    write = compiler.writer(member)
    return lambda result: orjson.dumps(write(result.get(payload) or {}) if write else result.get(payload))


def raw_bytes(value: Any) -> bytes:
    """Return a payload member as the whole body: bytes as they are, a text in UTF-8, nothing when absent."""
    if value is None:
        return b""
    return value.encode() if isinstance(value, str) else bytes(value)
