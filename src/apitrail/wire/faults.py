"""An error against the model: its code on the wire, its status and its modelled shape.

Source: the `error` and `exception` traits of the API models; gamelift.md Q21 for the qualified name.
"""

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Any

from apitrail.errors import ServiceError
from apitrail.wire.models import OperationModel, Shape, server_faults, service_model

NAMESPACES = {"gamelift": "com.amazonaws.gamelift"}


@dataclass(frozen=True, slots=True)
class Fault:
    """An error as it goes out.

    name: of the exception's shape; code: as query and XML write it; both are the error's own code where it is
    not modelled. status: HTTP. shape: the exception, or None. members: further ones, by model name.
    """

    name: str
    code: str
    status: int
    message: str
    shape: Shape | None
    members: dict[str, Any]

    @property
    def sender(self) -> bool:
        """Return whether the caller is at fault, not the service."""
        return self.status < 500


def find_fault(error: ServiceError, service: str | None, operation: OperationModel | None) -> Fault:
    """Return the fault of an error. Its shape is looked for by name and by query code, the operation's first.

    The model's HTTP status counts where the error has the default one (400).
    """
    shape = None
    if operation is not None:
        shape = _of_operation(operation).get(error.error_code)
    elif service is not None:
        shape = _of_service(service).get(error.error_code)
    name, code, status = error.error_code, error.error_code, error.error_status
    if shape is not None:
        name, code = shape.name, str(shape.metadata.get("error", {}).get("code", shape.name))
        if status == ServiceError.status:
            status = _modelled_status(shape, service_of(service, operation))
    return Fault(name, code, status, error.message, shape, error.members)


def qualified(name: str, service: str | None) -> str:
    """Return the `__type` of an error: with the namespace where the service's clients see one."""
    namespace = NAMESPACES.get(service or "")
    return f"{namespace}#{name}" if namespace else name


def host_id_of(request_id: str) -> str:
    """Return an x-amz-id-2 value for a request: 64 bytes in base64, the same for the same request id."""
    return base64.b64encode(hashlib.sha512(request_id.encode()).digest()).decode()


def service_of(service: str | None, operation: OperationModel | None) -> str | None:
    """Return botocore's name of the service that an answer speaks for."""
    return str(operation.service_model.service_name) if operation is not None else service


def _modelled_status(shape: Shape, service: str | None) -> int:
    status = shape.metadata.get("error", {}).get("httpStatusCode")
    if status:
        return int(status)
    return 500 if service is not None and shape.name in server_faults(service) else ServiceError.status


def _by_code(shapes: list[Shape]) -> dict[str, Shape]:
    codes = {str(shape.metadata.get("error", {}).get("code", shape.name)): shape for shape in shapes}
    return codes | {shape.name: shape for shape in shapes}


@cache
def _of_service(service: str) -> dict[str, Shape]:
    return _by_code(service_model(service).error_shapes)


@cache
def _of_operation(operation: OperationModel) -> dict[str, Shape]:
    model = operation.service_model
    return _by_code(model.error_shapes) | _by_code(operation.error_shapes)
