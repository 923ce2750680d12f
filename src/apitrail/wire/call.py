"""A call: one operation with its parameters, freed of its protocol."""

from typing import Any

from msgspec import Struct

from apitrail.wire.http import StagedBody, TlsFacts
from apitrail.wire.models import OperationModel


class Call(Struct, frozen=True):
    """What was asked, wherever it came from.

    service: botocore's name (`gamelift`). operation: its model. params: by the model's member names; timestamps are
    UTC-aware datetime, blobs bytes, numbers int or float. region: from the signature's scope.
    request_id: made by us, one per attempt. host: the Host header as sent. staged: a large body kept in a file.
    signed_at: epoch seconds of x-amz-date. invocation_id: amz-sdk-invocation-id, the same for all attempts.
    """

    service: str
    operation: OperationModel
    params: dict[str, Any]
    region: str
    request_id: str
    source_ip: str
    user_agent: str
    host: str = ""
    tls: TlsFacts | None = None
    staged: StagedBody | None = None
    invocation_id: str = ""
