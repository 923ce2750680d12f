"""Documents in collections: the state of the services.

A document is the structure that the API describes, kept as MessagePack, so that times stay times and blobs stay blobs;
private extras have names beginning with an underscore. A collection is regional, of an account, or global. Documents are
listed in the order of their creation, and found by id or by the fields that the collection indexes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, Literal, NamedTuple, Protocol

import msgspec
from msgspec import Struct

from apitrail.store.database import Seen, Tx

Doc = dict[str, Any]
Scope = Literal["regional", "account", "global"]
IndexOf = Callable[[Doc], Any]
encode_doc = msgspec.msgpack.Encoder().encode
decode_doc: Callable[[bytes], Any] = msgspec.msgpack.Decoder().decode
ONE_ROW = "scope = ? AND field = ? AND value = ? AND ord = ?"
ROWS_AT_ONCE = 50
"""Index rows written by one statement."""

REMEMBERED_BYTES_MAX = 4 * 1024
"""Larger documents are read again whenever they are asked for."""

SCOPES_MAX = 4096
SHARED_MAX = 2048
"""Contents of documents that are decoded once for all who only read them."""

Values = tuple[Any, ...]
"""What a document is indexed by, in the order of its collection's indexes: each None, one value, or a tuple of them."""


class Place(Protocol):
    """Where a piece of work stands: its transaction, account and region."""

    @property
    def tx(self) -> Tx: ...
    @property
    def account(self) -> str: ...
    @property
    def region(self) -> str: ...


class Entry(NamedTuple):
    """A listed document. ord: its place in the order of creation."""

    ord: int
    id: str
    doc: Doc


class Ranked(NamedTuple):
    """A document found by the range of an indexed value. value: the value it was found by."""

    value: Any
    entry: Entry


class Collection:
    """A kind of document.

    kind: unique name, `gamelift/fleet`. indexes: field names, or name to a function that takes the value out
    of a document (a text, a number or None; None is not indexed; a list indexes each of its values).
    """

    def __init__(
        self, kind: str, scope: Scope = "regional", indexes: Sequence[str] | Mapping[str, IndexOf] = ()
    ) -> None:
        self.kind = kind
        self.scope = scope
        if not isinstance(indexes, Mapping):
            indexes = {name: _member(name) for name in indexes}
        self.indexes: Mapping[str, IndexOf] = indexes

    def __call__(self, place: Place) -> "Documents":
        """Return the documents of this kind in the place's account and region."""
        return self.at(place.tx, place.account, place.region)

    def at(self, tx: Tx, account: str = "", region: str = "") -> "Documents":
        """Return the documents of this kind in a given account and region."""
        if self.scope == "global":
            account = region = ""
        elif self.scope == "account":
            region = ""
        return Documents(tx, _scope(self.kind, account, region), self.indexes)

    def in_account(self, tx: Tx, account: str) -> list[tuple[str, Entry]]:
        """Return (region, entry) of every document of this kind in an account; for small collections."""
        return [(region, entry) for owner, region, entry in self.everywhere(tx, account) if owner == account]

    def everywhere(self, tx: Tx, account: str = "") -> "Iterator[tuple[str, str, Entry]]":
        """Yield (account, region, entry) of every document of this kind, in the order of creation within a place."""
        rows = tx.all(
            "SELECT scope, ord, id, doc FROM resources WHERE scope >= ? AND scope < ? ORDER BY scope, ord",
            (f"{self.kind}|{account}", f"{self.kind}|{account}}}"),
        )
        for scope, ord_, id_, doc in rows:
            _, account, region = scope.split("|")
            yield account, region, Entry(ord_, id_, decode_doc(doc))


class Documents(Struct):
    """The documents of one kind in one account and region, seen through a transaction."""

    tx: Tx
    scope: str
    indexes: Mapping[str, IndexOf]

    def get(self, id: str) -> Doc | None:
        """Return a document, or None."""
        seen = self._find(id)
        return decode_doc(seen.body) if seen else None

    def has(self, id: str) -> bool:
        """Return whether there is a document of this id."""
        return self._find(id) is not None

    def put(self, id: str, doc: Doc) -> None:
        """Store a document under its id, new or in place of the old one."""
        seen = self._find(id)
        if seen is None:
            self.add(id, doc)
            return
        body = encode_doc(doc)
        if body != seen.body:
            before = self._values_of(seen)
            self.tx.run("UPDATE resources SET doc = ? WHERE ord = ?", (body, seen.ord))
            self._keep(id, Seen(seen.ord, body, self._change(seen.ord, before, self._values(doc))))

    def add(self, id: str, doc: Doc) -> None:
        """Store a new document, of an id that no other one has."""
        body, values = encode_doc(doc), self._values(doc)
        ord_ = self.tx.insert("INSERT INTO resources (scope, id, doc) VALUES (?, ?, ?)", (self.scope, id, body))
        self._keep(id, Seen(ord_, body, values))
        fields = zip(self.indexes, values, strict=True)
        self._insert([(self.scope, field, value, ord_) for field, found in fields for value in _each(found)])

    def delete(self, id: str) -> bool:
        """Remove a document; return whether there was one."""
        seen = self._find(id)
        if seen is None:
            return False
        before = self._values_of(seen)
        self._change(seen.ord, before, (None,) * len(before))
        self.tx.run("DELETE FROM resources WHERE ord = ?", (seen.ord,))
        self.tx.seen.pop((self.scope, id), None)
        return True

    def _find(self, id: str) -> Seen | None:
        """Return a document that is there."""
        seen = self.tx.seen.get((self.scope, id))
        if seen is None:
            row = self.tx.one("SELECT ord, doc FROM resources WHERE scope = ? AND id = ?", (self.scope, id))
            if row is None:
                return None
            seen = Seen(row[0], row[1])
            self._keep(id, seen)
        return seen

    def _keep(self, id: str, seen: Seen) -> None:
        """Remember how a document is now, unless it is large."""
        if len(seen.body) <= REMEMBERED_BYTES_MAX:
            self.tx.seen[self.scope, id] = seen
        else:
            self.tx.seen.pop((self.scope, id), None)

    def _note(self, ord_: int, id: str, body: bytes) -> None:
        """Remember a document that was found alone, since whoever looks for one mostly changes it."""
        if (self.scope, id) not in self.tx.seen:
            self._keep(id, Seen(ord_, body))

    def _values_of(self, seen: Seen) -> Values:
        return self._values(decode_doc(seen.body)) if seen.values is None else seen.values

    def _values(self, doc: Doc) -> Values:
        return tuple([_kept(value_of(doc)) for value_of in self.indexes.values()])

    def page(self, limit: int, after: int = 0, *, newest_first: bool = False) -> list[Entry]:
        """Return up to limit documents after (or, newest first, before) a place in the order; after 0: from the start."""
        where, order = _direction(after, newest_first)
        rows = self.tx.all(
            f"SELECT ord, id, doc FROM resources WHERE scope = ? AND {where} ORDER BY {order} LIMIT ?",
            (self.scope, after, limit),
        )
        return [Entry(ord_, id_, decode_doc(doc)) for ord_, id_, doc in rows]

    def find(
        self,
        field: str,
        value: Any,
        limit: int = -1,
        after: int = 0,
        *,
        newest_first: bool = False,
        shared: bool = False,
    ) -> list[Entry]:
        """Return the documents whose indexed field has the value, in order; limit -1: all. shared: they must not be changed."""
        where, order = _direction(after, newest_first)
        rows = self.tx.all(
            "SELECT r.ord, r.id, r.doc FROM resource_index i JOIN resources r ON r.ord = i.ord"
            f" WHERE i.scope = ? AND i.field = ? AND i.value = ? AND i.{where} ORDER BY i.{order} LIMIT ?",
            (self.scope, field, value, after, limit),
        )
        if limit == 1 and rows:
            self._note(*rows[0])
        decode = decode_shared if shared else decode_doc
        return [Entry(ord_, id_, decode(doc)) for ord_, id_, doc in rows]

    def count(self, field: str | None = None, value: Any = None) -> int:
        """Return how many documents there are, or how many have the value in an indexed field."""
        if field is None:
            row = self.tx.one("SELECT count(*) FROM resources WHERE scope = ?", (self.scope,))
        else:
            row = self.tx.one(
                "SELECT count(*) FROM resource_index WHERE scope = ? AND field = ? AND value = ?",
                (self.scope, field, value),
            )
        return row[0] if row else 0

    def between(
        self,
        field: str,
        low: Any,
        high: Any,
        limit: int = -1,
        after: tuple[Any, int] | None = None,
        *,
        descending: bool = False,
        shared: bool = False,
    ) -> list[Ranked]:
        """Return the documents with low <= value < high in an indexed field, ordered by value, then by creation.

        descending: the other way round in both. after: value and ord of the last one seen. limit -1: all. shared: the
        documents must not be changed.
        """
        where, params = "i.value >= ? AND i.value < ?", [self.scope, field, low, high]
        if after is not None:
            where += f" AND (i.value, i.ord) {'<' if descending else '>'} (?, ?)"
            params += after
        order = "i.value DESC, i.ord DESC" if descending else "i.value, i.ord"
        rows = self.tx.all(
            "SELECT i.value, r.ord, r.id, r.doc FROM resource_index i JOIN resources r ON r.ord = i.ord"
            f" WHERE i.scope = ? AND i.field = ? AND {where} ORDER BY {order} LIMIT ?",
            (*params, limit),
        )
        decode = decode_shared if shared else decode_doc
        return [Ranked(value, Entry(ord_, id_, decode(doc))) for value, ord_, id_, doc in rows]

    def count_between(self, field: str, low: Any, high: Any, limit: int = -1) -> int:
        """Return how many documents have low <= value < high in an indexed field; stops counting at limit."""
        row = self.tx.one(
            "SELECT count(*) FROM (SELECT 1 FROM resource_index"
            " WHERE scope = ? AND field = ? AND value >= ? AND value < ? LIMIT ?) counted",
            (self.scope, field, low, high, limit),
        )
        return row[0] if row else 0

    def all(self) -> list[Entry]:
        """Return every document, in the order of creation; for small collections."""
        return self.page(-1)

    def _change(self, ord_: int, old: Values, new: Values) -> Values:
        """Bring the index rows of a document from its old values to its new ones, and return these."""
        if old == new:
            return new
        added: list[tuple[str, str, Any, int]] = []
        for field, before, after in zip(self.indexes, old, new, strict=True):
            if before == after:
                continue
            if type(before) is not tuple and type(after) is not tuple:
                self._change_one(ord_, field, before, after)
                continue
            left, now = _each(before), _each(after)
            gone, come = [value for value in left if value not in now], [value for value in now if value not in left]
            for value, other in zip(gone, come, strict=False):
                self._change_one(ord_, field, value, other)
            for value in gone[len(come) :]:
                self._change_one(ord_, field, value, None)
            added += [(self.scope, field, value, ord_) for value in come[len(gone) :]]
        self._insert(added)
        return new

    def _change_one(self, ord_: int, field: str, old: Any, new: Any) -> None:
        """Bring one index row from its old value to its new one; None: there is no row."""
        if old is None:
            self._insert([(self.scope, field, new, ord_)])
        elif new is None:
            self.tx.run(f"DELETE FROM resource_index WHERE {ONE_ROW}", (self.scope, field, old, ord_))
        else:
            self.tx.run(f"UPDATE resource_index SET value = ? WHERE {ONE_ROW}", (new, self.scope, field, old, ord_))

    def _insert(self, rows: list[tuple[str, str, Any, int]]) -> None:
        for start in range(0, len(rows), ROWS_AT_ONCE):
            part = rows[start : start + ROWS_AT_ONCE]
            self.tx.run(_insert(len(part)), [value for row in part for value in row])


@lru_cache(SHARED_MAX)
def decode_shared(body: bytes) -> Doc:
    """Return the document of this content: the same object for whoever asks, so nobody may change it."""
    doc: Doc = decode_doc(body)
    return doc


@cache
def _insert(rows: int) -> str:
    """Return the statement for so many rows. OR FAIL: SQLite need not be able to take back a part of them by itself."""
    return f"INSERT OR FAIL INTO resource_index VALUES {', '.join(['(?, ?, ?, ?)'] * rows)}"


@lru_cache(SCOPES_MAX)
def _scope(kind: str, account: str, region: str) -> str:
    return f"{kind}|{account}|{region}"


def _member(name: str) -> IndexOf:
    return lambda doc: doc.get(name)


def _kept(value: Any) -> Any:
    """Return an indexed value as it is remembered: what a document may still change is copied."""
    return tuple(value) if isinstance(value, list | set) else value


def _each(value: Any) -> dict[Any, None]:
    """Return the values that an indexed value stands for, each once."""
    if value is None:
        return {}
    return {item: None for item in value if item is not None} if isinstance(value, tuple) else {value: None}


def _direction(after: int, newest_first: bool) -> tuple[str, str]:
    if not newest_first:
        return "ord > ?", "ord"
    return ("ord < ?" if after else "ord > ?"), "ord DESC"
