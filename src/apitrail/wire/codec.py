"""The table of protocols. A codec turns requests into parameters, and results and errors into answers."""

from typing import Any, Protocol

from apitrail.errors import ServiceError
from apitrail.wire.cbor import CborCodec
from apitrail.wire.http import HttpRequest, HttpResponse
from apitrail.wire.json11 import JsonCodec
from apitrail.wire.models import OperationModel
from apitrail.wire.query import Ec2Codec, QueryCodec
from apitrail.wire.restjson import RestJsonCodec
from apitrail.wire.restxml import RestXmlCodec


class Codec(Protocol):
    """One protocol, both directions, as seen by a server. Codecs hold no state between calls."""

    @property
    def name(self) -> str:
        """Botocore's name of the protocol."""
        ...

    @property
    def media_type(self) -> str:
        """The content type of its answers."""
        ...

    def decode(self, request: HttpRequest, operation: OperationModel) -> dict[str, Any]:
        """Return the parameters of a request, by the model's member names; nulls and unknown members left out.

        Values: str, int, float, bool, bytes, UTC-aware datetime, list, dict. A streaming payload is left out when
        the body is staged in a file. Constraints are not checked here, see validate.
        Raises: ServiceError (SerializationException, 400) for whatever the protocol or a type forbids.
        """
        ...

    def encode(
        self, result: dict[str, Any], operation: OperationModel, request_id: str, host_id: str = ""
    ) -> HttpResponse:
        """Return the answer of a successful call.

        Keys that the output shape does not have and None values are left out; times may be datetime or epoch
        seconds. host_id: of x-amz-id-2, for S3; made from the request id when empty.
        """
        ...

    def encode_error(
        self, error: ServiceError, service: str | None, operation: OperationModel | None, request_id: str
    ) -> HttpResponse:
        """Return the answer of a refused call. service, operation: None where the request names none we know."""
        ...


CODECS: dict[str, Codec] = {
    "json": JsonCodec(),
    "smithy-rpc-v2-cbor": CborCodec(),
    "query": QueryCodec(),
    "ec2": Ec2Codec(),
    "rest-json": RestJsonCodec(),
    "rest-xml": RestXmlCodec(),
}
