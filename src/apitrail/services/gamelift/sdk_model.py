"""The API's own constraints on what game servers ask for, when an operation of the API does it for them."""

from collections.abc import Mapping
from typing import Any

from apitrail.services.gamelift.errors import InvalidRequestException
from apitrail.wire.models import service_model
from apitrail.wire.validate import validation_message, validator


def checked(operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members that are given, if the operation's model allows them. Raises: InvalidRequestException."""
    given = {name: value for name, value in params.items() if value not in (None, "")}
    if problems := validator(service_model("gamelift").operation_model(operation))(given):
        raise InvalidRequestException(validation_message(problems))
    return given
