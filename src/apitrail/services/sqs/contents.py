"""What a message may hold, and the MD5 sums by which SDKs check that it arrived whole.

Source: SQS Developer Guide, "Amazon SQS message attributes" and "Calculating the MD5 message digest".
"""

import hashlib
import re
import struct
from collections.abc import Mapping
from typing import Any

from apitrail.services.sqs.errors import InvalidMessageContents, InvalidParameterValue

Attributes = Mapping[str, Mapping[str, Any]]
ATTRIBUTES_MAX = 10
NAME_MAX, TYPE_MAX = 256, 256
NAME = re.compile(r"(?!(?:AWS|Amazon)\.)[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*", re.ASCII | re.IGNORECASE)
TYPE = re.compile(r"(?:String|Number|Binary)(?:\.[^\0]*)?")
NUMBER = re.compile(r"[+-]?[0-9]{1,38}(?:\.[0-9]{0,38})?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
STRING, BINARY = 1, 2


def check_contents(body: str, attributes: Attributes, limit: int) -> int:
    """Return a message's size in bytes, body and attributes. limit: largest size.

    Raises: InvalidMessageContents, InvalidParameterValue.
    """
    if not body:
        raise InvalidParameterValue("Message must contain a body: the request must contain the parameter MessageBody.")
    if FORBIDDEN.search(body):
        raise InvalidMessageContents(
            "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 and above."
        )
    if len(attributes) > ATTRIBUTES_MAX:
        raise InvalidParameterValue(
            f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum [10]."
        )
    for name, value in attributes.items():
        _check_attribute(name, value)
    size = len(body.encode()) + sum(_size(name, value) for name, value in attributes.items())
    if size > limit:
        raise InvalidParameterValue(
            f"One or more parameters are invalid. Reason: Message must be shorter than {limit} bytes."
        )
    return size


def md5_of_text(text: str) -> str:
    """Return the MD5 of a body, in hex."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def md5_of_attributes(attributes: Attributes) -> str:
    """Return the MD5 of message attributes, in hex: by name, each part with its length before it."""
    digest = hashlib.md5(usedforsecurity=False)
    for name in sorted(attributes):
        value = attributes[name]
        digest.update(_part(name.encode()) + _part(value["DataType"].encode()))
        is_binary = "BinaryValue" in value
        content = value["BinaryValue"] if is_binary else value["StringValue"].encode()
        digest.update(bytes([BINARY if is_binary else STRING]) + _part(content))
    return digest.hexdigest()


def select(attributes: Attributes, wanted: list[str]) -> dict[str, Any]:
    """Return the attributes that ReceiveMessage was asked for: by name, by prefix `x.*`, or `All`."""
    if "All" in wanted or ".*" in wanted:
        return dict(attributes)
    prefixes = tuple(name[:-1] for name in wanted if name.endswith(".*"))
    return {
        name: value for name, value in attributes.items() if name in wanted or (prefixes and name.startswith(prefixes))
    }


def _part(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


def _size(name: str, value: Mapping[str, Any]) -> int:
    content = value.get("BinaryValue", b"") or value.get("StringValue", "").encode()
    return len(name.encode()) + len(value["DataType"]) + len(content)


def _check_attribute(name: str, value: Mapping[str, Any]) -> None:
    kind = value["DataType"]
    if not NAME.fullmatch(name) or len(name) > NAME_MAX:
        raise InvalidParameterValue(f"Message (user) attribute name {name[:80]!r} is not valid.")
    if not TYPE.fullmatch(kind) or len(kind) > TYPE_MAX:
        raise InvalidParameterValue(
            f"The message attribute '{name}' has an invalid message attribute type {kind[:80]!r}."
        )
    member = "BinaryValue" if kind.startswith("Binary") else "StringValue"
    if not value.get(member):
        raise InvalidParameterValue(f"The message attribute '{name}' must contain a non-empty {member}.")
    if "StringValue" in value and "BinaryValue" in value:
        raise InvalidParameterValue(f"The message attribute '{name}' has both a StringValue and a BinaryValue.")
    if kind.startswith("Number") and not NUMBER.fullmatch(value["StringValue"]):
        raise InvalidParameterValue(f"Can't cast the value of message attribute '{name}' to a number.")
    if member == "StringValue" and FORBIDDEN.search(value["StringValue"]):
        raise InvalidMessageContents(f"Invalid characters found in the message attribute '{name}'.")
