"""Form bodies and query strings: pairs, and pairs to nested parameters for the protocols query and ec2.

Source: AWS query protocol and EC2 query protocol as Smithy describes them (`Tags.member.1.Key=...`).
"""

from collections.abc import Callable
from typing import Any, cast
from urllib.parse import unquote_plus

from apitrail.wire.models import Shape
from apitrail.wire.tree import ListShape, MapShape, StructureShape
from apitrail.wire.values import DEPTH_MAX, Malformed, Reader, text_reader

PAIRS_MAX = 10_000
INDEX_DIGITS_MAX = 9


def parse_pairs(text: bytes) -> list[tuple[str, str]]:
    """Return names and values of `a=1&b=2`, `+` read as a space, a name without `=` with an empty value.

    Bounds: 10,000 pairs. Raises: Malformed for more, and for text that is not UTF-8 after decoding.
    """
    parts = text.split(b"&") if text else []
    if len(parts) > PAIRS_MAX:
        raise Malformed(f"at most {PAIRS_MAX} parameters")
    pairs = []
    try:
        for part in parts:
            name, _, value = part.decode().partition("=")
            if name:
                pairs.append((unquote_plus(name, errors="strict"), unquote_plus(value, errors="strict")))
    except UnicodeDecodeError:
        raise Malformed("parameters in UTF-8") from None
    return pairs


def nest(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Return dotted names as nested maps: `a.1.b=x` as {"a": {"1": {"b": "x"}}}. A repeated name: the last counts.

    Bounds: 64 levels. Raises: Malformed where a name is both a value and a prefix.
    """
    root: dict[str, Any] = {}
    for name, value in pairs:
        parts = name.split(".")
        if len(parts) > DEPTH_MAX:
            raise Malformed(f"at most {DEPTH_MAX} levels of names")
        node = root
        for part in parts[:-1]:
            node = node.setdefault(part, {})
            if type(node) is not dict:
                raise Malformed("parameters that are either a value or a group")
        if type(node.get(parts[-1])) is dict:
            raise Malformed("parameters that are either a value or a group")
        node[parts[-1]] = value
    return root


def query_name(shape: Shape, name: str) -> str:
    """Return the name of a member in a query request; a flattened list may take it from its items."""
    if shape.type_name == "list" and shape.serialization.get("flattened"):
        item: str | None = cast(ListShape, shape).member.serialization.get("name")
        if item:
            return item
    own: str = shape.serialization.get("name", name)
    return own


def ec2_name(shape: Shape, name: str) -> str:
    """Return the name of a member in an ec2 request: queryName, or the locationName with a capital letter."""
    traits = shape.serialization
    if "queryName" in traits:
        return str(traits["queryName"])
    own: str = traits.get("name", "")
    return own[:1].upper() + own[1:] if own else name


class FormReaders:
    """Compiles the shapes of one service into functions from nested texts to parameters.

    member_name: how a member is called on the wire. list_names: whether lists have a level for their items' name
    (query: yes, unless flattened; ec2: never).
    """

    def __init__(self, member_name: Callable[[Shape, str], str], list_names: bool) -> None:
        self._member_name = member_name
        self._list_names = list_names
        self._readers: dict[str, Reader] = {}

    def reader(self, shape: Shape) -> Reader:
        """Return the reader of a shape; it raises Malformed where a text does not fit."""
        key = f"{shape.name}/{sorted(shape.serialization.items())}"
        if key not in self._readers:
            self._readers[key] = lambda node: self._readers[key](node)
            self._readers[key] = self._compile(shape)
        return self._readers[key]

    def _compile(self, shape: Shape) -> Reader:
        flattened = bool(shape.serialization.get("flattened"))
        if shape.type_name == "structure":
            return self._structure(cast(StructureShape, shape))
        if shape.type_name == "list":
            member = cast(ListShape, shape).member
            level = member.serialization.get("name", "member") if self._list_names and not flattened else ""
            return _list_reader(self.reader(member), level)
        if shape.type_name == "map":
            return self._map(cast(MapShape, shape), "" if flattened else "entry")
        return _scalar_reader(text_reader(shape))

    def _structure(self, shape: StructureShape) -> Reader:
        members = {
            self._member_name(member, name): (name, self.reader(member)) for name, member in shape.members.items()
        }

        def read_structure(node: Any) -> dict[str, Any]:
            if type(node) is not dict:
                raise Malformed("a group of parameters")
            params = {}
            for wire, item in node.items():
                member = members.get(wire)
                if member is not None:
                    try:
                        params[member[0]] = member[1](item)
                    except Malformed as error:
                        raise error.inside(member[0]) from None
            return params

        return read_structure

    def _map(self, shape: MapShape, level: str) -> Reader:
        key_name = shape.key.serialization.get("name", "key")
        value_name = shape.value.serialization.get("name", "value")
        read_key, read_value = self.reader(shape.key), self.reader(shape.value)

        def read_map(node: Any) -> dict[str, Any]:
            params = {}
            for entry in _numbered(node, level):
                if type(entry) is not dict or key_name not in entry or value_name not in entry:
                    raise Malformed(f"a map of entries with {key_name} and {value_name}")
                params[read_key(entry[key_name])] = read_value(entry[value_name])
            return params

        return read_map


def _scalar_reader(read: Reader) -> Reader:
    def read_scalar(node: Any) -> Any:
        if type(node) is not str:
            raise Malformed("a single value")
        return read(node)

    return read_scalar


def _list_reader(read: Reader, level: str) -> Reader:
    return lambda node: [read(item) for item in _numbered(node, level)]


def _numbered(node: Any, level: str) -> list[Any]:
    """Return the items below `<level>.1`, `<level>.2`, ... in the order of their numbers; gaps are allowed.

    An empty text is how SDKs write an empty list.
    """
    if node == "":
        return []
    items = node.get(level, {}) if level and type(node) is dict else node
    if items == "":
        return []
    if type(items) is not dict or not all(
        key.isascii() and key.isdigit() and len(key) <= INDEX_DIGITS_MAX for key in items
    ):
        raise Malformed("a numbered list of parameters")
    return [items[key] for key in sorted(items, key=int)]
