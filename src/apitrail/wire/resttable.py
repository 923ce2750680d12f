"""Which operation of a REST service a request asks for, from method, path, query string and headers.

Source: the http traits of the API models. Compiled once per service.
"""

from dataclasses import dataclass
from functools import cache

from apitrail.wire.form import parse_pairs
from apitrail.wire.http import HttpRequest
from apitrail.wire.models import OperationModel, service_model
from apitrail.wire.rest import Binding, binding_of
from apitrail.wire.uri import Template
from apitrail.wire.values import Malformed


@dataclass(frozen=True, slots=True)
class Entry:
    """One operation behind a path. query: required names in the query string; headers: required headers."""

    operation: OperationModel
    template: Template
    query: frozenset[str]
    headers: frozenset[str]
    known: frozenset[str]


@dataclass(frozen=True, slots=True)
class RestTable:
    """The operations of a service by method and path, the most specific one first.

    subresources: the query parts that tell operations apart: those of the templates (`lifecycle`, `acl`, ...) and
    the required ones (`uploadId`, ...).
    """

    paths: dict[str, list[tuple[Template, list[Entry]]]]
    subresources: frozenset[str]

    def find(self, request: HttpRequest, raw_path: bytes) -> OperationModel | None:
        """Return the operation of a request, or None. raw_path: in path style, undecoded."""
        for template, entries in self.paths.get(request.method, ()):
            if template.match(raw_path) is not None:
                return self._choose(entries, request)
        return None

    def _choose(self, entries: list[Entry], request: HttpRequest) -> OperationModel | None:
        try:
            query = dict(parse_pairs(request.raw_query)) if request.raw_query else {}
        except Malformed:
            return None
        entry = _best(entries, query, request)
        if entry is None or self._is_foreign(entry, query, request.method):
            return None
        return entry.operation

    def _is_foreign(self, entry: Entry, query: dict[str, str], method: str) -> bool:
        """Return whether the query names a subresource that the operation does not have.

        Otherwise `DELETE /bucket?newthing` would be taken for DeleteBucket: a name that no operation has counts as
        a subresource where it has no value, except for reads.
        """
        writes = method not in ("GET", "HEAD")
        return any(
            name not in entry.known and (name in self.subresources or (writes and not value))
            for name, value in query.items()
            if name[:2].lower() != "x-"
        )


def _best(entries: list[Entry], query: dict[str, str], request: HttpRequest) -> Entry | None:
    """Return the entry with most literal query parts; among equals, one whose required members are all there.

    Where some are missing, literal parts (or there being no other operation) still tell what was meant.
    """
    first: Entry | None = None
    for entry in entries:
        literals = entry.template.literals
        if first is not None and len(literals) < len(first.template.literals):
            break
        if all(name in query and value in (None, query[name]) for name, value in literals):
            if entry.query <= query.keys() and all(_has_header(request, query, name) for name in entry.headers):
                return entry
            if literals or len(entries) == 1:
                first = first or entry
    return first


def _has_header(request: HttpRequest, query: dict[str, str], name: str) -> bool:
    """Return whether a header is there, or in the query of a presigned URL in its place."""
    return request.header(name) is not None or any(wire.lower() == name for wire in query)


@cache
def rest_table(service: str) -> RestTable:
    """Return the compiled table of a service."""
    model = service_model(service)
    entries = [_entry(model.operation_model(name)) for name in model.operation_names]
    entries.sort(key=_rank)
    paths: dict[str, list[tuple[Template, list[Entry]]]] = {}
    for entry in sorted(entries, key=lambda entry: _path_rank(entry.template)):
        groups = paths.setdefault(entry.operation.http["method"], [])
        if not groups or groups[-1][0].path != entry.template.path:
            groups.append((entry.template, []))
        groups[-1][1].append(entry)
    literals = frozenset(name for entry in entries for name, _ in entry.template.literals)
    subresources = literals.union(*(entry.query for entry in entries))
    return RestTable(paths, subresources)


def _entry(operation: OperationModel) -> Entry:
    binding = binding_of(operation)
    shape = operation.input_shape
    required = set(shape.required_members) if shape is not None else set()
    query = frozenset(wire for wire, member in binding.query.items() if member[0] in required)
    headers = frozenset(wire for wire, member in binding.headers.items() if member[0] in required)
    return Entry(operation, binding.template, query, headers, _known(binding))


def _known(binding: Binding) -> frozenset[str]:
    return frozenset(binding.query) | {name for name, _ in binding.template.literals}


def _rank(entry: Entry) -> tuple[int, int, bool, str]:
    required = len(entry.query) + len(entry.headers)
    return -len(entry.template.literals), -required, entry.operation.deprecated, entry.operation.name


def _path_rank(template: Template) -> tuple[int, bool, str]:
    """Sort literal paths before labels, and short ones before greedy ones."""
    labels = sum(segment.startswith("{") for segment in template.segments)
    return labels, template.greedy, template.path
