"""Texts of policies with wildcards (`*`, `?`) and policy variables (`${aws:username}`), compiled to matchers.

A matcher tells whether a text fits, given the facts of the call. What a variable stands for is taken literally, wildcards in it
match only themselves; a variable without a value makes the whole pattern match nothing.
Source: IAM User Guide, "IAM policy elements: Variables and tags".
"""

import re
from collections.abc import Callable
from functools import lru_cache

from apitrail.identity.facts import Facts

Matcher = Callable[[str, Facts], bool]

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_LITERAL_VARIABLES = {"*": "*", "?": "?", "$": "$"}
_DEFAULT = re.compile(r"([^,\s]+)\s*,\s*'([^']*)'")

# one piece of a pattern: literal text, a wildcard, or a variable with its default
Piece = tuple[str, str, str | None]


@lru_cache(maxsize=8192)
def glob(pattern: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    """Return a compiled pattern with `*` (any text, also none) and `?` (one character), to be used with fullmatch."""
    return _compile((("glob", pattern, None),), ignore_case)


@lru_cache(maxsize=8192)
def _compile(pieces: tuple[Piece, ...], ignore_case: bool) -> re.Pattern[str]:
    # each stretch between two stars is looked for from the left, without a way back, so the time is bounded by
    # length of text times length of pattern; only the last stretch is bound to the end
    stretches = [""]
    for kind, text, _ in pieces:
        if kind == "text":
            stretches[-1] += re.escape(text)
            continue
        first, *rest = (re.escape(part).replace(r"\?", ".") for part in text.split("*"))
        stretches[-1] += first
        stretches += rest
    first, *middle = stretches
    if middle:
        *middle, last = middle
        first += "".join(f"(?>.*?{stretch})" for stretch in middle if stretch) + f".*{last}"
    return re.compile(first, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


@lru_cache(maxsize=8192)
def pieces_of(pattern: str) -> tuple[Piece, ...]:
    """Return the pieces of a pattern; `${*}`, `${?}` and `${$}` are literal text."""
    pieces: list[Piece] = []
    at = 0
    for match in _VARIABLE.finditer(pattern):
        if match.start() > at:
            pieces.append(("glob", pattern[at : match.start()], None))
        pieces.append(_variable(match.group(1).strip()))
        at = match.end()
    if at < len(pattern) or not pieces:
        pieces.append(("glob", pattern[at:], None))
    return tuple(pieces)


def _variable(name: str) -> Piece:
    if name in _LITERAL_VARIABLES:
        return ("text", _LITERAL_VARIABLES[name], None)
    with_default = _DEFAULT.fullmatch(name)
    if with_default:
        return ("variable", with_default.group(1).lower(), with_default.group(2))
    return ("variable", name.lower(), None)


def fill(pieces: tuple[Piece, ...], facts: Facts) -> tuple[Piece, ...] | None:
    """Return the pieces with variables replaced, or None when one has no single value."""
    filled: list[Piece] = []
    for kind, text, default in pieces:
        if kind != "variable":
            filled.append((kind, text, default))
            continue
        values = facts.get(text)
        value = values[0] if values is not None and len(values) == 1 else default
        if value is None:
            return None
        filled.append(("text", value, None))
    return tuple(filled)


def matcher(pattern: str, *, variables: bool = True, ignore_case: bool = False) -> Matcher:
    """Return a matcher of a pattern. variables: False for policies of version 2008-10-17, where `${` is plain text."""
    pieces = pieces_of(pattern) if variables and "${" in pattern else None
    if pieces is None:
        if pattern == "*":
            return lambda text, facts: True
        fits = glob(pattern, ignore_case=ignore_case).fullmatch
        return lambda text, facts: fits(text) is not None

    def match(text: str, facts: Facts) -> bool:
        filled = fill(pieces, facts)
        return filled is not None and _compile(filled, ignore_case).fullmatch(text) is not None

    return match


def filled_text(pattern: str, facts: Facts, *, variables: bool) -> str | None:
    """Return a text with its variables replaced and wildcards as plain characters, for comparisons that know none."""
    if not variables or "${" not in pattern:
        return pattern
    filled = fill(pieces_of(pattern), facts)
    return None if filled is None else "".join(text for _, text, _ in filled)
