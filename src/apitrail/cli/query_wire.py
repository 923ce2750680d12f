"""The query protocol as far as IAM and STS need it: form-encoded requests, XML answers.

Source: AWS query protocol; lists are `Name.member.N`, maps are not used by the operations called here.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

VERSIONS = {"iam": "2010-05-08", "sts": "2011-06-15"}


def encode(service: str, operation: str, params: Mapping[str, Any]) -> bytes:
    """Return the body of a request. params: by API name; None is left out."""
    pairs = [("Action", operation), ("Version", VERSIONS[service])]
    for name, value in params.items():
        pairs.extend(_flat(name, value))
    return urlencode(pairs).encode()


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _flat(f"{name}.{key}", part)
    elif isinstance(value, list | tuple):
        for number, part in enumerate(value, 1):
            yield from _flat(f"{name}.member.{number}", part)
    elif isinstance(value, bool):
        yield name, "true" if value else "false"
    elif value is not None:
        yield name, str(value)


def decode(body: bytes) -> dict[str, Any]:
    """Return the members of an answer's result, all leaves as text; {} when it has none. Raises: ValueError."""
    root = _parse(body)
    result = next((child for child in root if _name(child).endswith("Result")), None)
    value = _value(result) if result is not None else {}
    return value if isinstance(value, dict) else {}


def decode_error(body: bytes) -> tuple[str, str]:
    """Return code and message of an error answer. Raises: ValueError when it is not one."""
    found = {
        _name(element): element.text or "" for element in _parse(body).iter() if _name(element) in ("Code", "Message")
    }
    if "Code" not in found:
        raise ValueError("no error code in the answer")
    return found["Code"], found.get("Message", "")


def listed(value: Any) -> list[Any]:
    """Return a list member; an empty one looks like an empty text in XML."""
    return value if isinstance(value, list) else []


def _parse(body: bytes) -> ElementTree.Element:
    if b"<!DOCTYPE" in body[:1000]:
        raise ValueError("the answer has a document type, which no AWS answer has")
    try:
        return ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        raise ValueError(f"the answer is not XML: {error}") from error


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _value(element: ElementTree.Element) -> Any:
    children = list(element)
    if not children:
        return element.text or ""
    names = {_name(child) for child in children}
    if names == {"member"}:
        return [_value(child) for child in children]
    if names == {"entry"}:
        return dict(_entry(child) for child in children)
    return {_name(child): _value(child) for child in children}


def _entry(element: ElementTree.Element) -> tuple[str, Any]:
    parts = {_name(child): _value(child) for child in element}
    return str(parts.get("key", "")), parts.get("value", "")
