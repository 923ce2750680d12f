"""Members of REST operations that are not in the body: labels of the path, query string, headers.

Source: Smithy, HTTP bindings; RFC 9110 for lists in headers; spec wire.md section 1 for aws-chunked uploads.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

from apitrail.wire.form import parse_pairs
from apitrail.wire.http import HttpRequest
from apitrail.wire.models import OperationModel, Shape
from apitrail.wire.tree import ListShape, StructureShape
from apitrail.wire.uri import Template, decode_label, parse_template
from apitrail.wire.values import Malformed, Reader, text_reader, text_writer

LOCATIONS = ("uri", "querystring", "header", "headers", "statusCode")
HEADERS_MAX = 1_000
Header = tuple[bytes, bytes]

_LIST_ITEM = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^,]*))\s*(?:,|$)')
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(slots=True)
class Binding:
    """Where the members of an input are: name of the member and its reader, by name on the wire."""

    template: Template
    labels: dict[str, tuple[str, Reader]] = field(default_factory=dict)
    query: dict[str, tuple[str, Reader, bool]] = field(default_factory=dict)
    query_rest: str = ""
    headers: dict[str, tuple[str, Reader]] = field(default_factory=dict)
    prefixes: list[tuple[str, str]] = field(default_factory=list)
    payload: str = ""
    body: frozenset[str] = frozenset()


@cache
def binding_of(operation: OperationModel) -> Binding:
    """Return the compiled binding of an operation's input."""
    binding = Binding(parse_template(operation.http["requestUri"]))
    shape = operation.input_shape
    if shape is None:
        return binding
    for name, member in shape.members.items():
        _bind(binding, name, member)
    binding.payload = shape.serialization.get("payload", "")
    binding.body = body_members(shape)
    return binding


def body_members(shape: Shape) -> frozenset[str]:
    """Return the members of a structure that are in the body."""
    members = cast(StructureShape, shape).members.items()
    return frozenset(name for name, member in members if member.serialization.get("location") not in LOCATIONS)


def _bind(binding: Binding, name: str, member: Shape) -> None:
    wire: str = member.serialization.get("name", name)
    location = member.serialization.get("location")
    if location == "uri":
        binding.labels[wire] = (name, text_reader(member))
    elif location == "querystring" and member.type_name == "map":
        binding.query_rest = name
    elif location == "querystring":
        several = member.type_name == "list"
        item = cast(ListShape, member).member if several else member
        binding.query[wire] = (name, text_reader(item), several)
    elif location == "header":
        binding.headers[wire.lower()] = (name, _header_reader(member))
    elif location == "headers":
        binding.prefixes.append((name, wire.lower()))


def read_bound(binding: Binding, request: HttpRequest, raw_path: bytes) -> dict[str, Any]:
    """Return the parameters outside the body. raw_path: as the template expects it, undecoded.

    Raises: Malformed where a text does not fit its member.
    """
    params: dict[str, Any] = {}
    for label, raw in (binding.template.match(raw_path) or {}).items():
        _read(params, binding.labels.get(label), decode_label(raw))
    pairs = parse_pairs(request.raw_query) if request.raw_query else []
    _read_query(params, binding, pairs)
    headers = header_values(request, pairs)
    for wire, member in binding.headers.items():
        if wire in headers:
            _read(params, member, headers[wire])
    for name, prefix in binding.prefixes:
        found = {key[len(prefix) :]: value for key, value in headers.items() if key.startswith(prefix)}
        if found:
            params[name] = found
    return params


def _read(params: dict[str, Any], member: tuple[str, Reader] | None, text: str) -> None:
    if member is None:
        return
    name, read = member
    try:
        params[name] = read(text)
    except Malformed as error:
        raise error.inside(name) from None


def _read_query(params: dict[str, Any], binding: Binding, pairs: list[tuple[str, str]]) -> None:
    literals = {name for name, _ in binding.template.literals}
    for wire, text in pairs:
        member = binding.query.get(wire)
        if member is None:
            if binding.query_rest and wire not in literals:
                params.setdefault(binding.query_rest, {})[wire] = text
            continue
        name, read, several = member
        before = params.get(name, [])
        _read(params, (name, read), text)
        if several:
            params[name] = [*before, params[name]]


def header_values(request: HttpRequest, pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Return the headers of a request by lower-case name, repeats joined by a comma, bytes as latin-1.

    A presigned URL may carry `x-amz-` headers in its query: those count where the header itself is absent.
    The frame of an aws-chunked upload is taken away: `content-encoding` loses that word, and `content-length`
    is the length of the content. Raises: Malformed for more than 1,000 headers.
    """
    if len(request.headers) > HEADERS_MAX:
        raise Malformed(f"at most {HEADERS_MAX} headers")
    headers: dict[str, str] = {}
    for key, value in request.headers:
        name, text = key.decode("latin-1"), value.decode("latin-1").strip()
        headers[name] = f"{headers[name]},{text}" if name in headers else text
    for wire, text in pairs:
        if wire[:6].lower() == "x-amz-":
            headers.setdefault(wire.lower(), text)
    _unchunk(headers)
    return headers


def _unchunk(headers: dict[str, str]) -> None:
    if "x-amz-decoded-content-length" in headers:
        headers["content-length"] = headers["x-amz-decoded-content-length"]
    codings = [coding.strip() for coding in headers.get("content-encoding", "").split(",")]
    if "aws-chunked" in codings:
        rest = ",".join(coding for coding in codings if coding != "aws-chunked")
        del headers["content-encoding"]
        if rest:
            headers["content-encoding"] = rest


def _header_reader(shape: Shape) -> Reader:
    if shape.type_name != "list":
        return text_reader(shape, times="rfc822")
    read = text_reader(cast(ListShape, shape).member, times="rfc822")
    return lambda text: [read(item) for item in split_list(text)]


def split_list(text: str) -> list[str]:
    """Return the items of a comma-separated header; an item in quotes may hold commas, and `\\"` for a quote."""
    items: list[str] = []
    at = 0
    while at < len(text):
        match = _LIST_ITEM.match(text, at)
        if match is None:
            raise Malformed("a comma-separated list")
        quoted, plain = match.groups()
        items.append(plain.strip() if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
        at = match.end()
    return items


def _join_list(write: Callable[[Any], str]) -> Callable[[Any], str]:
    def join(value: Any) -> str:
        texts = [write(item) for item in value if item is not None]
        return ",".join('"' + text.replace('"', '\\"') + '"' if set(text) & {'"', ","} else text for text in texts)

    return join


@dataclass(frozen=True, slots=True)
class OutputBinding:
    """Where the members of an output go. headers: member, name on the wire, writer; prefixes: maps of headers."""

    headers: tuple[tuple[str, bytes, Callable[[Any], str]], ...]
    prefixes: tuple[tuple[str, str], ...]
    status: str
    payload: str
    body: frozenset[str]


@cache
def output_binding_of(operation: OperationModel) -> OutputBinding:
    """Return the compiled binding of an operation's output."""
    shape = operation.output_shape
    if shape is None:
        return OutputBinding((), (), "", "", frozenset())
    located = [(name, member, member.serialization.get("location")) for name, member in shape.members.items()]
    headers = tuple(
        (name, member.serialization.get("name", name).lower().encode(), _header_writer(member))
        for name, member, location in located
        if location == "header"
    )
    prefixes = tuple(
        (name, member.serialization.get("name", "").lower())
        for name, member, location in located
        if location == "headers"
    )
    status = next((name for name, _, location in located if location == "statusCode"), "")
    return OutputBinding(headers, prefixes, status, shape.serialization.get("payload", ""), body_members(shape))


def _header_writer(shape: Shape) -> Callable[[Any], str]:
    if shape.type_name == "list":
        return _join_list(text_writer(cast(ListShape, shape).member, times="rfc822"))
    return text_writer(shape, times="rfc822")


def write_headers(binding: OutputBinding, result: dict[str, Any]) -> list[Header]:
    """Return the headers of an answer. Control characters become spaces, so a value cannot make a new line."""
    headers = [
        (wire, header_bytes(write(result[name])))
        for name, wire, write in binding.headers
        if result.get(name) is not None
    ]
    for name, prefix in binding.prefixes:
        for key, value in (result.get(name) or {}).items():
            headers.append((header_bytes(prefix + key), header_bytes(value)))
    return headers


def header_bytes(text: str) -> bytes:
    """Return a header's text as bytes: latin-1, as it was read, or UTF-8 where that cannot hold it."""
    plain = _CONTROL.sub(" ", text)
    try:
        return plain.encode("latin-1")
    except UnicodeEncodeError:
        return plain.encode("utf-8", "replace")


def status_of(operation: OperationModel, binding: OutputBinding, result: dict[str, Any]) -> int:
    """Return the HTTP status of an answer: a member bound to it, or the model's, or 200."""
    if binding.status and result.get(binding.status) is not None:
        return int(result[binding.status])
    return int(operation.http.get("responseCode", 200))
