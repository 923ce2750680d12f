"""The frames of the server SDK's WebSocket: reading requests, writing answers. Pure.

A request is one JSON object with Action and RequestId; its answer repeats both and adds StatusCode, and ErrorMessage
when it is not 200. A push of the service has neither RequestId nor StatusCode. Source: server SDK 5.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

import msgspec
import orjson

from apitrail.services.gamelift.errors import InvalidRequestException
from apitrail.services.gamelift.sdk_shapes import Head

FRAME_BYTES_MAX = 512 * 1024
"""The largest request: a backfill with 200 players."""

OK = 200
ECHO_MAX = 128
T = TypeVar("T")
_heads = msgspec.json.Decoder(Head)


class Frame(NamedTuple):
    """A request, or what can be told of it when it is malformed. problem: what is wrong, empty when nothing is."""

    action: str
    request_id: str
    raw: str
    problem: str = ""


def read_frame(raw: str | bytes) -> Frame:
    """Return what a message says; one that is no request has a problem."""
    if isinstance(raw, bytes):
        return Frame("", "", "", "Requests must be text, not binary.")
    try:
        head = _heads.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        return Frame(*_echo(raw), raw, f"The request is malformed: {error}.")
    return Frame(head.Action, head.RequestId, raw)


def read_members(frame: Frame, shape: type[T]) -> T:
    """Return the members of a request. Raises: InvalidRequestException that names the member."""
    try:
        return msgspec.json.decode(frame.raw, type=shape)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidRequestException(f"{frame.action} is malformed: {error}.") from error


def answer(frame: Frame, members: Mapping[str, Any]) -> str:
    """Return the answer to a request that succeeded."""
    return orjson.dumps({"Action": frame.action, "RequestId": frame.request_id, "StatusCode": OK, **members}).decode()


def failure(frame: Frame, status: int, message: str) -> str:
    """Return the answer to a request that failed; what was not readable of its head is left out."""
    head = {name: text for name, text in (("Action", frame.action), ("RequestId", frame.request_id)) if text}
    return orjson.dumps({**head, "StatusCode": status, "ErrorMessage": message}).decode()


def _echo(raw: str) -> tuple[str, str]:
    """Return the Action and RequestId of a malformed request as far as they can be read."""
    try:
        said = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return "", ""
    if not isinstance(said, dict):
        return "", ""
    texts = (said.get("Action"), said.get("RequestId"))
    action, request_id = (text if isinstance(text, str) and len(text) <= ECHO_MAX else "" for text in texts)
    return action, request_id
