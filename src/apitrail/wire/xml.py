"""Parameters and results to and from XML, compiled from the shapes: for rest-xml, query and ec2.

Source: Smithy, XML bindings (names, attributes, flattened lists and maps, namespaces).
"""

import re
from collections.abc import Callable
from typing import Any, cast
from xml.etree import ElementTree

from apitrail.wire.models import Shape
from apitrail.wire.tree import ListShape, MapShape, StructureShape
from apitrail.wire.values import Malformed, Reader, text_reader, text_writer

XML_DEPTH_MAX = 100
XML_BYTES_MAX = 8 * 1024 * 1024
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'

Element = ElementTree.Element
XmlWriter = Callable[[list[str], Any], None]

# What a text may not hold as it is. Characters that XML 1.0 cannot carry at all become U+FFFD.
_SPECIAL = re.compile('[&<>"\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]')
_SPECIAL_ATTRIBUTE = re.compile('[&<>"\t\n\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]')
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}


def escape(text: str) -> str:
    """Return a text as XML character data."""
    return _SPECIAL.sub(lambda match: _ESCAPES.get(match[0], "\ufffd"), text)


def escape_attribute(text: str) -> str:
    """Return a text as the inside of a quoted XML attribute."""
    return _SPECIAL_ATTRIBUTE.sub(lambda match: _ESCAPES.get(match[0], "\ufffd"), text)


def parse_xml(body: bytes) -> Element:
    """Return the root element of a UTF-8 document.

    Bounds: 8 MiB, 100 levels. Document type declarations, and with them all entities, are refused.
    Raises: Malformed.
    """
    if len(body) > XML_BYTES_MAX:
        raise Malformed(f"an XML document of at most {XML_BYTES_MAX} bytes")
    if b"<!DOCTYPE" in body or b"\0" in body:
        raise Malformed("an XML document in UTF-8 without a document type declaration")
    try:
        root = ElementTree.XML(body, parser=ElementTree.XMLParser(encoding="utf-8"))
    except (ElementTree.ParseError, ValueError, LookupError):
        raise Malformed("a well-formed XML document in UTF-8") from None
    _check_depth(root)
    return root


def _check_depth(root: Element) -> None:
    level = [root]
    for _ in range(XML_DEPTH_MAX):
        level = [child for node in level for child in node]
        if not level:
            return
    raise Malformed(f"at most {XML_DEPTH_MAX} levels of XML elements")


def local_name(tag: str) -> str:
    """Return a tag without its namespace."""
    return tag.rpartition("}")[2]


def element_name(shape: Shape, name: str) -> str:
    """Return the tag of a member: a flattened list may take it from its items."""
    own: str = shape.serialization.get("name", name)
    if shape.type_name == "list" and shape.serialization.get("flattened"):
        item: str = cast(ListShape, shape).member.serialization.get("name", own)
        return item
    return own


class XmlReaders:
    """Compiles the shapes of one service into functions from an element to parameters."""

    def __init__(self) -> None:
        self._readers: dict[str, Reader] = {}

    def reader(self, shape: Shape) -> Reader:
        """Return the reader of an element; of a flattened list or map: the reader of one of its elements."""
        key = f"{shape.name}/{sorted(shape.serialization.items())}"
        if key not in self._readers:
            self._readers[key] = lambda node: self._readers[key](node)
            self._readers[key] = self._compile(shape)
        return self._readers[key]

    def structure_reader(self, shape: Shape, only: frozenset[str] | None = None) -> Reader:
        """Return the reader of a structure; only: the members that may come, all when None."""
        # Where a list and a single value share an element (Event and Events of S3), the list takes it.
        ordered = sorted(cast(StructureShape, shape).members.items(), key=lambda item: item[1].type_name == "list")
        shapes = {name: member for name, member in ordered if only is None or name in only}
        attributes = {
            local_name(member.serialization["name"].replace(":", "}")): name
            for name, member in shapes.items()
            if member.serialization.get("xmlAttribute")
        }
        members = {
            element_name(member, name): (name, _gather(member), self.reader(member))
            for name, member in shapes.items()
            if not member.serialization.get("xmlAttribute")
        }

        def read_structure(node: Element) -> dict[str, Any]:
            params: dict[str, Any] = {}
            for child in node:
                member = members.get(local_name(child.tag))
                if member is not None:
                    _read_member(params, child, *member)
            for key, value in node.attrib.items() if attributes else ():
                if local_name(key) in attributes:
                    params[attributes[local_name(key)]] = value
            return params

        return read_structure

    def _compile(self, shape: Shape) -> Reader:
        kind = shape.type_name
        flattened = bool(shape.serialization.get("flattened"))
        if kind == "structure":
            return self.structure_reader(shape)
        if kind == "list":
            read = self.reader(cast(ListShape, shape).member)
            return read if flattened else lambda node: [read(child) for child in node]
        if kind == "map":
            read_entry = self._entry_reader(cast(MapShape, shape))
            return read_entry if flattened else lambda node: dict(pair for child in node for pair in read_entry(child))
        read_scalar = text_reader(shape)
        return lambda node: read_scalar(node.text or "")

    def _entry_reader(self, shape: MapShape) -> Reader:
        key_tag = shape.key.serialization.get("name", "key")
        value_tag = shape.value.serialization.get("name", "value")
        read_key, read_value = self.reader(shape.key), self.reader(shape.value)

        def read_entry(node: Element) -> list[tuple[str, Any]]:
            parts = {local_name(child.tag): child for child in node}
            if key_tag not in parts or value_tag not in parts:
                raise Malformed(f"a map of entries with {key_tag} and {value_tag}")
            return [(read_key(parts[key_tag]), read_value(parts[value_tag]))]

        return read_entry


def _gather(shape: Shape) -> str:
    return shape.type_name if shape.serialization.get("flattened") else ""


def _read_member(params: dict[str, Any], child: Element, name: str, gather: str, read: Reader) -> None:
    try:
        value = read(child)
    except Malformed as error:
        raise error.inside(name) from None
    if gather == "list":
        params.setdefault(name, []).append(value)
    elif gather == "map":
        params.setdefault(name, {}).update(value)
    else:
        params[name] = value


class XmlWriters:
    """Compiles the shapes of one service into functions that append the XML of a value to a list of texts."""

    def __init__(self) -> None:
        self._writers: dict[str, XmlWriter] = {}

    def writer(self, shape: Shape, tag: str) -> XmlWriter:
        """Return the writer of a value as an element of that tag (several elements for a flattened list or map)."""
        key = f"{shape.name}/{tag}/{sorted(shape.serialization.items())}"
        if key not in self._writers:
            self._writers[key] = lambda out, value: self._writers[key](out, value)
            self._writers[key] = self._compile(shape, tag)
        return self._writers[key]

    def members_writer(self, shape: Shape, only: frozenset[str] | None = None) -> XmlWriter:
        """Return the writer of a structure's members without an element around them. only: as for readers."""
        members = {
            name: self.writer(member, element_name(member, name))
            for name, member in cast(StructureShape, shape).members.items()
            if (only is None or name in only) and not member.serialization.get("xmlAttribute")
        }

        def write_members(out: list[str], value: Any) -> None:
            for name, item in value.items():
                write = members.get(name)
                if write is not None and item is not None:
                    write(out, item)

        return write_members

    def _compile(self, shape: Shape, tag: str) -> XmlWriter:
        kind = shape.type_name
        flattened = bool(shape.serialization.get("flattened"))
        if kind == "structure":
            return self._structure(shape, tag)
        if kind == "list":
            member = cast(ListShape, shape).member
            name = tag if flattened else member.serialization.get("name", "member")
            return _wrapped(_each(self.writer(member, name)), "" if flattened else tag)
        if kind == "map":
            entry = self._entries(cast(MapShape, shape), tag if flattened else "entry")
            return _wrapped(entry, "" if flattened else tag)
        text = text_writer(shape)
        start, end = f"<{tag}>", f"</{tag}>"
        return lambda out, value: out.append(f"{start}{escape(text(value))}{end}")

    def _structure(self, shape: Shape, tag: str) -> XmlWriter:
        write_members = self.members_writer(shape)
        start, end = f"<{tag}{namespace_of(shape)}", f"</{tag}>"
        attributes = [
            (name, member.serialization["name"])
            for name, member in cast(StructureShape, shape).members.items()
            if member.serialization.get("xmlAttribute")
        ]

        def write_structure(out: list[str], value: Any) -> None:
            out.append(start)
            for name, attribute in attributes:
                if value.get(name) is not None:
                    out.append(f' {attribute}="{escape_attribute(value[name])}"')
            out.append(">")
            write_members(out, value)
            out.append(end)

        return write_structure

    def _entries(self, shape: MapShape, tag: str) -> XmlWriter:
        write_key = self.writer(shape.key, shape.key.serialization.get("name", "key"))
        write_value = self.writer(shape.value, shape.value.serialization.get("name", "value"))

        def write_entries(out: list[str], value: Any) -> None:
            for key, item in value.items():
                if item is not None:
                    out.append(f"<{tag}>")
                    write_key(out, key)
                    write_value(out, item)
                    out.append(f"</{tag}>")

        return write_entries


def namespace_of(shape: Shape) -> str:
    """Return the xmlns attribute of a shape, with a leading space, or an empty text."""
    namespace = shape.serialization.get("xmlNamespace")
    if not namespace:
        return ""
    parts = {"uri": namespace} if isinstance(namespace, str) else namespace
    prefix = f":{parts['prefix']}" if parts.get("prefix") else ""
    return f' xmlns{prefix}="{escape_attribute(parts["uri"])}"'


def _each(write: XmlWriter) -> XmlWriter:
    def write_each(out: list[str], value: Any) -> None:
        for item in value:
            if item is not None:
                write(out, item)

    return write_each


def _wrapped(write: XmlWriter, tag: str) -> XmlWriter:
    if not tag:
        return write

    def write_wrapped(out: list[str], value: Any) -> None:
        out.append(f"<{tag}>")
        write(out, value)
        out.append(f"</{tag}>")

    return write_wrapped
