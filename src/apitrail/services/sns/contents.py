"""What a published message may hold. Source: SNS API Reference, Publish; SNS Developer Guide, message attributes."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from apitrail.services.sns.errors import ParameterValueInvalid, invalid

BYTES_MAX = 256 * 1024
SUBJECT_MAX = 100
NAME_MAX = 256
NAME = re.compile(r"(?!(?:aws|amazon)\.)[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*", re.ASCII | re.IGNORECASE)
TYPE = re.compile(r"String\.Array|(?:String|Number|Binary)(?:\.[A-Za-z0-9_.-]{1,240})?", re.ASCII)
NUMBER = re.compile(r"[+-]?[0-9]{1,38}(?:\.[0-9]{0,38})?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
SUBJECT = re.compile(r"[!-~][ -~]*")


def checked_contents(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return text and what else a message has: Message, Subject, Attributes, Texts (by protocol).

    params: of Publish, or an entry of PublishBatch. Raises: InvalidParameter, ParameterValueInvalid.
    """
    text, attributes = params.get("Message", ""), params.get("MessageAttributes") or {}
    if not text:
        raise invalid("Empty message")
    if message_size(params) > BYTES_MAX:
        raise invalid("Message too long")
    if "MessageDeduplicationId" in params:
        said = "The request includes MessageDeduplicationId parameter that is not valid for this topic type"
        raise invalid("MessageDeduplicationId", said)
    for name, value in attributes.items():
        _check_attribute(name, value)
    found = {"Message": text, "Subject": _subject(params), "Attributes": dict(attributes), "Texts": {}}
    if "MessageStructure" in params:
        found |= _texts(params["MessageStructure"], text)
    return found


def message_size(params: Mapping[str, Any]) -> int:
    """Return the bytes of a message that count against the limit: its text and attributes."""
    size = len(params.get("Message", "").encode())
    for name, value in (params.get("MessageAttributes") or {}).items():
        content = value.get("BinaryValue") or value.get("StringValue", "").encode()
        size += len(name.encode()) + len(value["DataType"]) + len(content)
    return size


def _subject(params: Mapping[str, Any]) -> str:
    subject: str = params.get("Subject", "")
    if "Subject" in params and (len(subject) > SUBJECT_MAX or not SUBJECT.fullmatch(subject)):
        raise invalid("Subject", f"1 to {SUBJECT_MAX} ASCII characters in one line, the first of them no space")
    return subject


def _texts(structure: str, text: str) -> dict[str, Any]:
    """Return the texts by protocol of a message with MessageStructure `json`."""
    if structure != "json":
        raise invalid("MessageStructure", "the only structure is json")
    try:
        tree = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise invalid("Message Structure - JSON message body failed to parse") from error
    if not isinstance(tree, dict) or not isinstance(tree.get("default"), str) or not tree["default"]:
        raise invalid("Message Structure - No default entry in JSON message body")
    texts = {protocol: item for protocol, item in tree.items() if isinstance(item, str) and protocol != "default"}
    return {"Message": tree["default"], "Texts": texts}


def _check_attribute(name: str, value: Mapping[str, Any]) -> None:
    kind = value["DataType"]
    if not NAME.fullmatch(name) or len(name) > NAME_MAX:
        raise ParameterValueInvalid(f"The message attribute name {name[:80]!r} is not valid.")
    if not TYPE.fullmatch(kind):
        said = "The supported type prefixes are Binary, Number, and String."
        raise ParameterValueInvalid(f"The message attribute '{name}' has an invalid message attribute type. {said}")
    member = "BinaryValue" if kind.startswith("Binary") else "StringValue"
    if not value.get(member) or len(value) != 2:
        raise ParameterValueInvalid(
            f"The message attribute '{name}' must contain exactly one value, a non-empty {member}."
        )
    if kind.startswith("Number") and not NUMBER.fullmatch(value["StringValue"]):
        raise ParameterValueInvalid(f"Could not cast message attribute '{name}' value to number.")
    if kind == "String.Array":
        _check_array(name, value["StringValue"])


def _check_array(name: str, text: str) -> None:
    try:
        items = orjson.loads(text)
    except orjson.JSONDecodeError:
        items = None
    if not isinstance(items, list) or any(isinstance(item, list | dict) for item in items):
        raise ParameterValueInvalid(f"The message attribute '{name}' must be a JSON array of plain values.")
