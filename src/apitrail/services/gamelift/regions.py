"""Where GameLift is offered.

Source: the SDK's table of endpoints; service model (UnsupportedRegionException).
"""

from functools import lru_cache

from apitrail.errors import ServiceError
from apitrail.services.gamelift.arns import KNOWN_REGIONS, SERVICE
from apitrail.services.gamelift.errors import InvalidRequestException, UnsupportedRegionException
from apitrail.wire.call import Call
from apitrail.wire.models import service_model


def region_refusal(call: Call) -> ServiceError | None:
    """Return the error of a call to a Region in which GameLift is not offered, or None.

    It is UnsupportedRegionException where the model lists it, else InvalidRequestException (inferred).
    """
    if call.region in KNOWN_REGIONS:
        return None
    error = UnsupportedRegionException if _says_so(call.operation.name) else InvalidRequestException
    return error(f"Amazon GameLift is not available in Region {call.region}.")


@lru_cache(None)
def _says_so(operation: str) -> bool:
    shapes = service_model(SERVICE).operation_model(operation).error_shapes
    return any(shape.name == UnsupportedRegionException.code for shape in shapes)
