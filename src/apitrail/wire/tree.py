"""Parameters to and from a tree of maps, lists and scalars, as JSON and CBOR have it.

Each shape is compiled once into closures; a call then walks its own values only, never the shapes. Unknown
members and nulls are dropped in both directions. What the two formats write differently is a Dialect.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import botocore.model
from cbor2 import undefined

from apitrail.wire.models import Shape
from apitrail.wire.values import (
    Malformed,
    Reader,
    Writer,
    integer_reader,
    read_boolean,
    read_number,
    read_number32,
    read_text,
    write_number,
    write_number32,
)

StructureShape = botocore.model.StructureShape
ListShape = botocore.model.ListShape
MapShape = botocore.model.MapShape

PLAIN: dict[str, type] = {"string": str, "character": str, "boolean": bool}


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a format does its own way. times, write_time: by timestampFormat's effect on the shape.

    read_blob, write_blob: bytes. write_float: after rounding, for formats with no NaN of their own.
    """

    read_time: Callable[[Shape], Reader]
    write_time: Callable[[Shape], Writer]
    read_blob: Reader
    write_blob: Writer | None
    write_float: Callable[[float], Any]


class TreeCompiler:
    """Compiles the shapes of one service for one dialect. Recursive shapes are bound late, by their memo key."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._readers: dict[str, Reader] = {}
        self._writers: dict[str, Writer | None] = {}

    def reader(self, shape: Shape) -> Reader:
        """Return a function from a tree to parameters; it raises Malformed where a type is wrong."""
        key = _key(shape)
        if key not in self._readers:
            self._readers[key] = lambda value: self._readers[key](value)
            self._readers[key] = self._compile_reader(shape)
        return self._readers[key]

    def writer(self, shape: Shape) -> Writer | None:
        """Return a function from a result to a tree, or None when the value is written as it is."""
        key = _key(shape)
        if key not in self._writers:
            self._writers[key] = lambda value: cast(Writer, self._writers[key])(value)
            self._writers[key] = self._compile_writer(shape)
        return self._writers[key]

    def structure_reader(self, shape: Shape, only: frozenset[str] | None = None) -> Reader:
        """Return the reader of a structure; only: the members that may come, all when None."""
        members: dict[Any, tuple[str, type | None, Reader]] = {
            member.serialization.get("name", name): (name, PLAIN.get(member.type_name), self.reader(member))
            for name, member in cast(StructureShape, shape).members.items()
            if only is None or name in only
        }

        def read_structure(value: Any) -> dict[str, Any]:
            if type(value) is not dict:
                raise Malformed("a map of members")
            params = {}
            name = ""
            try:
                for wire, item in value.items():
                    member = members.get(wire)
                    if member is None or item is None or item is undefined:
                        continue
                    name, plain, read = member
                    params[name] = item if type(item) is plain else read(item)
            except Malformed as error:
                raise error.inside(name) from None
            return params

        return read_structure

    def structure_writer(self, shape: Shape, only: frozenset[str] | None = None) -> Callable[[Any], dict[str, Any]]:
        """Return the writer of a structure; only: the members to be written, all when None."""
        members = {
            name: (member.serialization.get("name", name), self.writer(member))
            for name, member in cast(StructureShape, shape).members.items()
            if only is None or name in only
        }
        as_they_are = frozenset(name for name, (wire, write) in members.items() if wire == name and write is None)
        others = [(name, *member) for name, member in members.items() if name not in as_they_are]

        def write_plain(value: Any) -> dict[str, Any]:
            return {name: item for name, item in value.items() if item is not None and name in as_they_are}

        def write_structure(value: Any) -> dict[str, Any]:
            tree = {name: item for name, item in value.items() if item is not None and name in as_they_are}
            for name, wire, write in others:
                if name in value and (item := value[name]) is not None:
                    tree[wire] = item if write is None else write(item)
            return tree

        return write_structure if others else write_plain

    def _compile_reader(self, shape: Shape) -> Reader:
        kind = shape.type_name
        if kind == "structure":
            return _unchanged if shape.metadata.get("document") else self.structure_reader(shape)
        if kind == "list":
            return _list_reader(self.reader(cast(ListShape, shape).member))
        if kind == "map":
            mapping = cast(MapShape, shape)
            return _map_reader(self.reader(mapping.key), self.reader(mapping.value))
        if kind == "timestamp":
            return self._dialect.read_time(shape)
        return self._dialect.read_blob if kind == "blob" else SCALAR_READERS[kind]

    def _compile_writer(self, shape: Shape) -> Writer | None:
        kind = shape.type_name
        if kind == "structure":
            return None if shape.metadata.get("document") else self.structure_writer(shape)
        if kind == "list":
            return _list_writer(self.writer(cast(ListShape, shape).member))
        if kind == "map":
            return _map_writer(self.writer(cast(MapShape, shape).value))
        if kind == "timestamp":
            return self._dialect.write_time(shape)
        if kind in ("float", "double"):
            return _float_writer(write_number32 if kind == "float" else write_number, self._dialect.write_float)
        return self._dialect.write_blob if kind == "blob" else None


SCALAR_READERS: dict[str, Reader] = {
    "string": read_text,
    "character": read_text,
    "integer": integer_reader("integer"),
    "long": integer_reader("long"),
    "double": read_number,
    "float": read_number32,
    "boolean": read_boolean,
}


def _key(shape: Shape) -> str:
    return f"{shape.name}/{shape.serialization.get('timestampFormat', '')}"


def _unchanged(value: Any) -> Any:
    return value


def _list_reader(read: Reader) -> Reader:
    def read_list(value: Any) -> list[Any]:
        if type(value) is not list:
            raise Malformed("a list")
        return [read(item) for item in value if item is not None and item is not undefined]

    return read_list


def _map_reader(read_key: Reader, read: Reader) -> Reader:
    def read_map(value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise Malformed("a map")
        return {read_key(key): read(item) for key, item in value.items() if item is not None and item is not undefined}

    return read_map


def _list_writer(write: Writer | None) -> Writer:
    if write is None:
        return lambda value: [item for item in value if item is not None]
    return lambda value: [write(item) for item in value if item is not None]


def _map_writer(write: Writer | None) -> Writer:
    if write is None:
        return lambda value: {key: item for key, item in value.items() if item is not None}
    return lambda value: {key: write(item) for key, item in value.items() if item is not None}


def _float_writer(number: Callable[[Any], float], write: Callable[[float], Any]) -> Writer:
    return lambda value: write(number(value))


def check_depth(tree: Any, limit: int) -> None:
    """Refuse a tree that is nested deeper than limit; walks level by level, so it needs no stack of its own."""
    level = [tree] if type(tree) is dict or type(tree) is list else []
    for _ in range(limit):
        if not level:
            return
        level = [
            item
            for node in level
            for item in (node.values() if type(node) is dict else node)
            if type(item) is dict or type(item) is list
        ]
    if level:
        raise Malformed(f"at most {limit} levels of nesting")
