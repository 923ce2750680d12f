r"""The filter and sort expressions of SearchGameSessions: read, checked, and compiled to functions of a game session.

    filter := or
    or     := and {OR and}
    and    := unary {AND unary}
    unary  := NOT unary | "(" or ")" | operand comparator value
    sort   := operand (ASC | DESC)

Keywords in any case. Strings in single quotes with \' and \\; a property's key may be quoted alike. Something absent equals
nothing, so it is unequal to everything. Source: API Reference, SearchGameSessions. Inferred: case of keywords, escapes.
"""

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn

from apitrail.services.gamelift.errors import InvalidRequestException
from apitrail.services.gamelift.session_facts import OPERANDS, PROPERTIES, Operand, property_operand
from apitrail.store.resources import Doc

Predicate = Callable[[Doc], bool]

DEPTH_MAX = 40
"""How deep parentheses and NOTs may be nested. Inferred."""

TOKEN = re.compile(
    r"""\s*(?:(?P<string>'(?:[^'\\]|\\.)*')|(?P<comparator><>|<=|>=|=|<|>)|(?P<bracket>[()])|(?P<word>[^\s()'=<>]+))""",
    re.DOTALL,
)
NUMBER = re.compile(r"-?\d{1,18}(?:\.\d{1,6})?")
ESCAPED = re.compile(r"\\([\\'])")
COMPARATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
FLAGS = {"true": True, "false": False}
KEYWORDS = ("AND", "OR", "NOT")


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison of an operand with a value of its type."""

    operand: Operand
    comparator: str
    value: Any


@dataclass(frozen=True, slots=True)
class Filter:
    """A compiled filter.

    required: comparisons that hold in every session that it matches. is_exact: it matches every session in which they hold.
    """

    matches: Predicate
    required: tuple[Comparison, ...]
    is_exact: bool = False


@dataclass(frozen=True, slots=True)
class Sort:
    """An order of game sessions."""

    operand: Operand
    descending: bool


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of an expression. kind: string, comparator, bracket, word, or end. at: position, counted from 1."""

    kind: str
    text: str
    at: int
    end: int


@lru_cache(512)
def read_filter(text: str) -> Filter:
    """Return a compiled filter expression. Raises: InvalidRequestException naming the position."""
    reader = _Reader("FilterExpression", text)
    found = _read_or(reader, 0)
    reader.expect_end("AND, OR or the end")
    return found


@lru_cache(64)
def read_sort(text: str) -> Sort:
    """Return a sort expression. Raises: InvalidRequestException naming the position."""
    reader = _Reader("SortExpression", text)
    operand = _read_operand(reader)
    direction = reader.take()
    if direction.kind != "word" or direction.text.upper() not in ("ASC", "DESC"):
        reader.refuse(direction, "expected ASC or DESC")
    reader.expect_end("the end")
    return Sort(operand, direction.text.upper() == "DESC")


class _Reader:
    """The tokens of an expression, one after another."""

    def __init__(self, member: str, text: str) -> None:
        self._member = member
        self._tokens = self._split(text)
        self._at = 0

    def _split(self, text: str) -> list[Token]:
        tokens: list[Token] = []
        at, length = 0, len(text.rstrip())
        while at < length:
            match = TOKEN.match(text, at)
            if match is None or match.lastgroup is None:
                start = at + len(text[at:]) - len(text[at:].lstrip())
                self.refuse(Token("", "", start + 1, start + 1), "a string does not end")
            kind = match.lastgroup
            tokens.append(Token(kind, match[kind], match.start(kind) + 1, match.end(kind)))
            at = match.end()
        return [*tokens, Token("end", "", length + 1, length)]

    def peek(self) -> Token:
        """Return the next token."""
        return self._tokens[self._at]

    def take(self) -> Token:
        """Return the next token and go on; the end comes again and again."""
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def take_keyword(self, *keywords: str) -> bool:
        """Go on if the next token is one of the keywords; return whether it is."""
        token = self.peek()
        found = token.kind in ("word", "bracket") and token.text.upper() in keywords
        if found:
            self.take()
        return found

    def expect_end(self, expected: str) -> None:
        """Refuse anything that follows."""
        if self.peek().kind != "end":
            self.refuse(self.peek(), f"expected {expected}")

    def refuse(self, token: Token, problem: str) -> NoReturn:
        """Raise InvalidRequestException; the text itself may hold data of the game and is not repeated."""
        found = "" if token.kind != "end" else ", found the end"
        raise InvalidRequestException(f"{self._member} is not valid at position {token.at}: {problem}{found}.")


def _read_or(reader: _Reader, depth: int) -> Filter:
    parts = [_read_and(reader, depth)]
    while reader.take_keyword("OR"):
        parts.append(_read_and(reader, depth))
    return parts[0] if len(parts) == 1 else Filter(_any_of([part.matches for part in parts]), ())


def _read_and(reader: _Reader, depth: int) -> Filter:
    parts = [_read_unary(reader, depth)]
    while reader.take_keyword("AND"):
        parts.append(_read_unary(reader, depth))
    if len(parts) == 1:
        return parts[0]
    required = tuple(comparison for part in parts for comparison in part.required)
    return Filter(_all_of([part.matches for part in parts]), required, all(part.is_exact for part in parts))


def _read_unary(reader: _Reader, depth: int) -> Filter:
    token = reader.peek()
    if depth > DEPTH_MAX:
        reader.refuse(token, f"nested deeper than {DEPTH_MAX}")
    if reader.take_keyword("NOT"):
        return Filter(_not(_read_unary(reader, depth + 1).matches), ())
    if reader.take_keyword("("):
        inner = _read_or(reader, depth + 1)
        if not reader.take_keyword(")"):
            reader.refuse(reader.peek(), "expected AND, OR or a closing parenthesis")
        return inner
    return _read_comparison(reader)


def _read_comparison(reader: _Reader) -> Filter:
    operand = _read_operand(reader)
    token = reader.take()
    if token.kind != "comparator":
        reader.refuse(token, "expected one of = <> < > <= >=")
    if operand.kind != "number" and token.text not in ("=", "<>"):
        reader.refuse(token, f"{token.text} compares numbers; a {operand.kind} can be compared with = and <>")
    value = _read_value(reader, operand)
    return Filter(_comparing(operand, token.text, value), (Comparison(operand, token.text, value),), is_exact=True)


def _read_operand(reader: _Reader) -> Operand:
    token = reader.take()
    if token.kind != "word" or token.text.upper() in KEYWORDS:
        reader.refuse(token, "expected an operand")
    name, dot, key = token.text.partition(".")
    if name == PROPERTIES and dot:
        return property_operand(_read_key(reader, token, key))
    if token.text not in OPERANDS:
        reader.refuse(token, f"unknown operand, known are {', '.join(OPERANDS)} and {PROPERTIES}.<key>")
    return OPERANDS[token.text]


def _read_key(reader: _Reader, token: Token, key: str) -> str:
    follows = reader.peek()
    if not key and follows.kind == "string" and follows.at == token.end + 1:
        key = _unquoted(reader.take().text)
    if not key:
        reader.refuse(token, f"expected the key of a game property after {PROPERTIES}.")
    if "." in key:
        reader.refuse(token, "a game property whose key has a period cannot be searched")
    return key


def _read_value(reader: _Reader, operand: Operand) -> Any:
    token = reader.take()
    if operand.kind == "string":
        if token.kind != "string":
            reader.refuse(token, "expected a string in single quotes")
        return _unquoted(token.text)
    if operand.kind == "flag":
        if token.kind != "word" or token.text.lower() not in FLAGS:
            reader.refuse(token, "expected true or false")
        return FLAGS[token.text.lower()]
    if token.kind != "word" or not NUMBER.fullmatch(token.text):
        reader.refuse(token, "expected a number")
    return float(token.text) if "." in token.text else int(token.text)


def _unquoted(text: str) -> str:
    return ESCAPED.sub(r"\1", text[1:-1])


def _comparing(operand: Operand, comparator: str, value: Any) -> Predicate:
    compare, value_of = COMPARATORS[comparator], operand.value_of
    return lambda doc: compare(value_of(doc), value)


def _all_of(parts: Sequence[Predicate]) -> Predicate:
    return lambda doc: all(part(doc) for part in parts)


def _any_of(parts: Sequence[Predicate]) -> Predicate:
    return lambda doc: any(part(doc) for part in parts)


def _not(part: Predicate) -> Predicate:
    return lambda doc: not part(doc)
