"""The protocol rest-xml, as Amazon S3 speaks it.

Source: Smithy, AWS restXml protocol and Amazon S3 customizations (GetBucketLocation's unwrapped answer);
Amazon S3 API Reference for the names of root elements and for error documents; spec wire.md section 2.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any
from xml.etree.ElementTree import Element

from apitrail.errors import ServiceError
from apitrail.wire.faults import Fault, find_fault, host_id_of
from apitrail.wire.http import BodyStream, HttpRequest, HttpResponse
from apitrail.wire.models import OperationModel, ServiceModel, Shape
from apitrail.wire.rest import (
    Header,
    OutputBinding,
    binding_of,
    output_binding_of,
    read_bound,
    status_of,
    write_headers,
)
from apitrail.wire.restjson import raw_bytes, read_raw_body
from apitrail.wire.values import Malformed, Reader, Writer
from apitrail.wire.xml import (
    DECLARATION,
    XmlReaders,
    XmlWriter,
    XmlWriters,
    escape,
    escape_attribute,
    local_name,
    parse_xml,
)

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"

# Root elements of answers, where they are not the payload member's name.
ROOTS = {
    "CompleteMultipartUpload": "CompleteMultipartUploadResult",
    "CreateMultipartUpload": "InitiateMultipartUploadResult",
    "CreateSession": "CreateSessionResult",
    "DeleteObjects": "DeleteResult",
    "GetBucketAccelerateConfiguration": "AccelerateConfiguration",
    "GetBucketAcl": "AccessControlPolicy",
    "GetBucketCors": "CORSConfiguration",
    "GetBucketLifecycle": "LifecycleConfiguration",
    "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
    "GetBucketLocation": "LocationConstraint",
    "GetBucketLogging": "BucketLoggingStatus",
    "GetBucketNotification": "NotificationConfiguration",
    "GetBucketNotificationConfiguration": "NotificationConfiguration",
    "GetBucketRequestPayment": "RequestPaymentConfiguration",
    "GetBucketTagging": "Tagging",
    "GetBucketVersioning": "VersioningConfiguration",
    "GetBucketWebsite": "WebsiteConfiguration",
    "GetObjectAcl": "AccessControlPolicy",
    "GetObjectAttributes": "GetObjectAttributesResponse",
    "GetObjectTagging": "Tagging",
    "ListBucketAnalyticsConfigurations": "ListBucketAnalyticsConfigurationResult",
    "ListBucketIntelligentTieringConfigurations": "ListBucketIntelligentTieringConfigurationsOutput",
    "ListBucketInventoryConfigurations": "ListInventoryConfigurationsResult",
    "ListBucketMetricsConfigurations": "ListMetricsConfigurationsResult",
    "ListBuckets": "ListAllMyBucketsResult",
    "ListDirectoryBuckets": "ListAllMyDirectoryBucketsResult",
    "ListMultipartUploads": "ListMultipartUploadsResult",
    "ListObjectVersions": "ListVersionsResult",
    "ListObjects": "ListBucketResult",
    "ListObjectsV2": "ListBucketResult",
    "ListParts": "ListPartsResult",
}
# Answers whose single member is the text of the root element itself.
UNWRAPPED = {"GetBucketLocation": "LocationConstraint"}


@dataclass(frozen=True, slots=True)
class RestXmlCodec:
    """restXml for one request. bucket: from the Host header (virtual-host style), it then stands before the path.

    resource: the path as error documents name it. head: the request is a HEAD, whose answer has no body.
    """

    bucket: str = ""
    resource: str = ""
    head: bool = False

    @property
    def name(self) -> str:
        """Return `rest-xml`."""
        return "rest-xml"

    @property
    def media_type(self) -> str:
        """Return the content type of answers that are XML."""
        return "application/xml"

    def decode(self, request: HttpRequest, operation: OperationModel) -> dict[str, Any]:
        """Return the parameters of a request; a staged body is left out. Raises: Malformed (SerializationException)."""
        params = read_bound(binding_of(operation), request, full_path(self.bucket, request.raw_path))
        params.update(_body_reader(operation)(request))
        return params

    def encode(
        self, result: dict[str, Any], operation: OperationModel, request_id: str, host_id: str = ""
    ) -> HttpResponse:
        """Return the answer of a call: XML, the payload member as it stands, or nothing where all is in headers.

        A result with ContentRange is answered with 206, one with `_Status` with that. `content-length` is written only where
        it is a member.
        """
        binding = output_binding_of(operation)
        headers = write_headers(binding, result)
        body, media_type = _body_writer(operation)(result)
        if body and not any(name == b"content-type" for name, _ in headers):
            headers.append((b"content-type", media_type.encode()))
        headers += _id_headers(request_id, host_id)
        status = 206 if result.get("ContentRange") else result.get("_Status") or status_of(operation, binding, result)
        if operation.http.get("method") == "HEAD":
            return HttpResponse(status, tuple(headers))
        stream = result.get(binding.payload) if binding.payload else None
        return HttpResponse(status, tuple(headers), body, stream if isinstance(stream, BodyStream) else None)

    def encode_error(
        self, error: ServiceError, service: str | None, operation: OperationModel | None, request_id: str
    ) -> HttpResponse:
        """Return the answer of a refused call; further members of the error become elements of their own name."""
        fault = find_fault(error, service, operation)
        headers = _id_headers(request_id, "")
        if self.head or fault.status == 304 or (operation is not None and operation.http.get("method") == "HEAD"):
            return HttpResponse(fault.status, tuple(headers))
        out = [f"<Error><Code>{escape(fault.code)}</Code><Message>{escape(fault.message)}</Message>"]
        _write_members(out, fault, operation)
        if "Resource" not in fault.members and self.resource:
            out.append(f"<Resource>{escape(self.resource)}</Resource>")
        out.append(f"<RequestId>{escape(request_id)}</RequestId><HostId>{host_id_of(request_id)}</HostId></Error>")
        headers.append((b"content-type", b"application/xml"))
        return HttpResponse(fault.status, tuple(headers), (DECLARATION + "".join(out)).encode())


def full_path(bucket: str, raw_path: bytes) -> bytes:
    """Return the path in path style, undecoded: a bucket that was in the host goes first."""
    return b"/" + bucket.encode() + raw_path if bucket else raw_path


def _id_headers(request_id: str, host_id: str) -> list[Header]:
    return [
        (b"x-amz-request-id", request_id.encode()),
        (b"x-amz-id-2", (host_id or host_id_of(request_id)).encode()),
    ]


def _write_members(out: list[str], fault: Fault, operation: OperationModel | None) -> None:
    modelled = set(getattr(fault.shape, "members", {}))
    if fault.shape is not None and operation is not None:
        known = {name: item for name, item in fault.members.items() if name not in ("Code", "Message")}
        _writers(operation.service_model).members_writer(fault.shape)(out, known)
    for name, item in fault.members.items():
        if name not in modelled and isinstance(item, str) and name.isalnum() and name.isascii():
            out.append(f"<{name}>{escape(item)}</{name}>")


@cache
def _writers(model: ServiceModel) -> XmlWriters:
    return XmlWriters()


@cache
def _readers(model: ServiceModel) -> XmlReaders:
    return XmlReaders()


@cache
def _body_reader(operation: OperationModel) -> Reader:
    shape, binding = operation.input_shape, binding_of(operation)
    if shape is None or (not binding.payload and not binding.body):
        return lambda request: {}
    readers = _readers(operation.service_model)
    if not binding.payload:
        root = shape.serialization.get("name", "")
        return _xml_reader(readers.structure_reader(shape, binding.body), root, "")
    member = shape.members[binding.payload]
    if member.type_name in ("blob", "string"):
        text, payload = member.type_name == "string", binding.payload
        return lambda request: read_raw_body(request, payload, text)
    return _xml_reader(readers.reader(member), member.serialization.get("name", binding.payload), binding.payload)


def _xml_reader(read: Reader, root: str, payload: str) -> Reader:
    def read_xml(request: HttpRequest) -> dict[str, Any]:
        if request.staged is not None:
            raise Malformed("an XML document that is small enough to be held in memory")
        if not request.body.strip():
            return {}
        node = parse_xml(request.body)
        _check_root(node, root)
        params: dict[str, Any] = {payload: read(node)} if payload else read(node)
        return params

    return read_xml


def _check_root(node: Element, root: str) -> None:
    if root and local_name(node.tag) != root:
        raise Malformed(f"an XML document with the root element {root}")


@cache
def _body_writer(operation: OperationModel) -> Writer:
    """Return the writer of a body and its content type; a body is empty where all members are in headers."""
    shape, binding = operation.output_shape, output_binding_of(operation)
    if shape is None or (not binding.payload and not binding.body):
        return lambda result: (b"", "")
    writers = _writers(operation.service_model)
    if operation.name in UNWRAPPED:
        return _unwrapped_writer(operation.name)
    if not binding.payload:
        root = ROOTS.get(operation.name, shape.serialization.get("name", shape.name))
        return _xml_writer(writers.members_writer(shape, binding.body), root)
    return _payload_writer(writers, shape.members[binding.payload], binding)


def _payload_writer(writers: XmlWriters, member: Shape, binding: OutputBinding) -> Writer:
    payload = binding.payload
    if member.type_name == "string":
        return lambda result: (raw_bytes(result.get(payload)), "application/json")
    if member.type_name == "blob":
        return lambda result: (_held_bytes(result.get(payload)), "binary/octet-stream")
    write = _xml_writer(writers.members_writer(member), member.serialization.get("name", payload))
    return lambda result: write(result.get(payload) or {})


def _held_bytes(value: Any) -> bytes:
    """Return the bytes of a payload that is in memory; those of a stream are sent as they come."""
    return b"" if isinstance(value, BodyStream) else raw_bytes(value)


def _xml_writer(write: XmlWriter, root: str) -> Writer:
    start, end = f'{DECLARATION}<{root} xmlns="{escape_attribute(NAMESPACE)}">', f"</{root}>"

    def write_document(result: Any) -> tuple[bytes, str]:
        out = [start]
        write(out, result)
        out.append(end)
        return "".join(out).encode(), "application/xml"

    return write_document


def _unwrapped_writer(operation: str) -> Writer:
    root, member = ROOTS[operation], UNWRAPPED[operation]
    start, end = f'{DECLARATION}<{root} xmlns="{escape_attribute(NAMESPACE)}">', f"</{root}>"
    return lambda result: (f"{start}{escape(result.get(member) or '')}{end}".encode(), "application/xml")
