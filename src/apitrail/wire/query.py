"""The protocols query and ec2: a form in the body (or the query string), XML in the answer.

Source: Smithy, AWS query and EC2 query protocols; spec wire.md section 2 for what clients need in answers.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

from apitrail.errors import ServiceError
from apitrail.wire.faults import Fault, find_fault
from apitrail.wire.form import FormReaders, ec2_name, nest, parse_pairs, query_name
from apitrail.wire.http import HttpRequest, HttpResponse
from apitrail.wire.models import OperationModel, ServiceModel, service_model
from apitrail.wire.values import Reader
from apitrail.wire.xml import DECLARATION, XmlWriter, XmlWriters, escape, escape_attribute


@dataclass(frozen=True, slots=True)
class QueryCodec:
    """The AWS query protocol."""

    @property
    def name(self) -> str:
        """Return `query`."""
        return "query"

    @property
    def media_type(self) -> str:
        """Return the content type of answers."""
        return "text/xml"

    def decode(self, request: HttpRequest, operation: OperationModel) -> dict[str, Any]:
        """Return the parameters of a request. Raises: Malformed (SerializationException)."""
        return _decode(request, operation, query_reader(operation))

    def encode(
        self, result: dict[str, Any], operation: OperationModel, request_id: str, host_id: str = ""
    ) -> HttpResponse:
        """Return the answer of a call: `<OpResponse><OpResult>...`; without output there is no OpResult."""
        out = [f"<{operation.name}Response{_namespace(operation)}>"]
        write = output_writer(operation)
        if operation.output_shape is not None and write is not None:
            wrapper = operation.output_shape.serialization.get("resultWrapper", f"{operation.name}Result")
            out.append(f"<{wrapper}>")
            write(out, result)
            out.append(f"</{wrapper}>")
        out.append(f"<ResponseMetadata><RequestId>{escape(request_id)}</RequestId></ResponseMetadata>")
        out.append(f"</{operation.name}Response>")
        return _response(200, out, request_id, self.media_type)

    def encode_error(
        self, error: ServiceError, service: str | None, operation: OperationModel | None, request_id: str
    ) -> HttpResponse:
        """Return the answer of a refused call, with the model's query code."""
        fault = find_fault(error, service, operation)
        namespace = _namespace(operation) if operation else _service_namespace(service)
        out = [f"<ErrorResponse{namespace}><Error><Type>{'Sender' if fault.sender else 'Receiver'}</Type>"]
        _write_fault(out, fault, operation)
        out.append(f"</Error><RequestId>{escape(request_id)}</RequestId></ErrorResponse>")
        return _response(fault.status, out, request_id, self.media_type)


@dataclass(frozen=True, slots=True)
class Ec2Codec:
    """The EC2 query protocol."""

    @property
    def name(self) -> str:
        """Return `ec2`."""
        return "ec2"

    @property
    def media_type(self) -> str:
        """Return the content type of answers."""
        return "text/xml"

    def decode(self, request: HttpRequest, operation: OperationModel) -> dict[str, Any]:
        """Return the parameters of a request. Raises: Malformed (SerializationException)."""
        return _decode(request, operation, ec2_reader(operation))

    def encode(
        self, result: dict[str, Any], operation: OperationModel, request_id: str, host_id: str = ""
    ) -> HttpResponse:
        """Return the answer of a call; the members stand directly in `<OpResponse>`."""
        out = [f"<{operation.name}Response{_namespace(operation)}><requestId>{escape(request_id)}</requestId>"]
        write = output_writer(operation)
        if write is not None:
            write(out, result)
        out.append(f"</{operation.name}Response>")
        return _response(200, out, request_id, self.media_type)

    def encode_error(
        self, error: ServiceError, service: str | None, operation: OperationModel | None, request_id: str
    ) -> HttpResponse:
        """Return the answer of a refused call."""
        fault = find_fault(error, service, operation)
        out = ["<Response><Errors><Error>"]
        _write_fault(out, fault, operation)
        out.append(f"</Error></Errors><RequestID>{escape(request_id)}</RequestID></Response>")
        return _response(fault.status, out, request_id, self.media_type)


def _decode(request: HttpRequest, operation: OperationModel, read: Reader | None) -> dict[str, Any]:
    if read is None:
        return {}
    pairs = parse_pairs(request.raw_query) + parse_pairs(request.body)
    params: dict[str, Any] = read(nest(pairs))
    return params


def _write_fault(out: list[str], fault: Fault, operation: OperationModel | None) -> None:
    out.append(f"<Code>{escape(fault.code)}</Code><Message>{escape(fault.message)}</Message>")
    if fault.shape is not None and operation is not None:
        known = {name: item for name, item in fault.members.items() if name not in ("Code", "Message")}
        _writers(operation.service_model).members_writer(fault.shape)(out, known)


def _response(status: int, parts: list[str], request_id: str, media_type: str) -> HttpResponse:
    headers = ((b"content-type", media_type.encode()), (b"x-amzn-requestid", request_id.encode()))
    return HttpResponse(status, headers, (DECLARATION + "".join(parts)).encode())


def _namespace(operation: OperationModel) -> str:
    uri: str = operation.metadata.get("xmlNamespace", "")
    return f' xmlns="{escape_attribute(uri)}"' if uri else ""


def _service_namespace(service: str | None) -> str:
    uri: str = service_model(service).metadata.get("xmlNamespace", "") if service else ""
    return f' xmlns="{escape_attribute(uri)}"' if uri else ""


@cache
def _writers(model: ServiceModel) -> XmlWriters:
    return XmlWriters()


@cache
def _query_readers(model: ServiceModel) -> FormReaders:
    return FormReaders(query_name, list_names=True)


@cache
def _ec2_readers(model: ServiceModel) -> FormReaders:
    return FormReaders(ec2_name, list_names=False)


@cache
def query_reader(operation: OperationModel) -> Reader | None:
    """Return the compiled reader of a query operation's input, or None when it has none."""
    shape = operation.input_shape
    return None if shape is None else _query_readers(operation.service_model).reader(shape)


@cache
def ec2_reader(operation: OperationModel) -> Reader | None:
    """Return the compiled reader of an ec2 operation's input, or None when it has none."""
    shape = operation.input_shape
    return None if shape is None else _ec2_readers(operation.service_model).reader(shape)


@cache
def output_writer(operation: OperationModel) -> XmlWriter | None:
    """Return the compiled writer of an operation's output members, or None when it has no output."""
    shape = operation.output_shape
    return None if shape is None else _writers(operation.service_model).members_writer(shape)
