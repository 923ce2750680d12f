"""The API models: which operations a service has, their shapes, errors and protocols.

They come with botocore and are read once per service. Source: botocore's `data` folder.
"""

from functools import cache
from typing import Any

import botocore.loaders
import botocore.model
from botocore import xform_name

ServiceModel = botocore.model.ServiceModel
OperationModel = botocore.model.OperationModel
Shape = botocore.model.Shape


@cache
def _loader() -> Any:
    return botocore.loaders.Loader(include_default_search_paths=True)


@cache
def service_model(name: str) -> ServiceModel:
    """Return the newest model of a service by botocore's name for it (`gamelift`, `cloudtrail-data`)."""
    return ServiceModel(_loader().load_service_model(name, "service-2"), name)


@cache
def snake_names(name: str) -> dict[str, str]:
    """Return the operations of a service by their name in snake case: `create_fleet` to `CreateFleet`."""
    return {xform_name(operation): operation for operation in service_model(name).operation_names}


@cache
def protocols_of(name: str) -> tuple[str, ...]:
    """Return the protocols that a service's model lists, as botocore names them, preferred first."""
    metadata = service_model(name).metadata
    return tuple(metadata.get("protocols") or (metadata["protocol"],))


@cache
def target_prefix(name: str) -> str:
    """Return the last dotted part of the service's X-Amz-Target prefix (`GameLift`), or an empty text."""
    prefix: str = service_model(name).metadata.get("targetPrefix", "")
    return prefix.rsplit(".", 1)[-1]


@cache
def server_faults(name: str) -> frozenset[str]:
    """Return the exceptions that the model marks as the service's own fault (status 500)."""
    shapes = _loader().load_service_model(name, "service-2")["shapes"]
    return frozenset(shape for shape, traits in shapes.items() if traits.get("fault"))
