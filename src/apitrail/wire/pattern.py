"""Patterns of the models (Java regular expressions) as Python ones.

What is translated, all else is the same in both languages:
- `\\p{L}`, `\\P{Nd}`, ... general categories of Unicode, and the POSIX names (`\\p{Alnum}`): to explicit ranges.
- surrogate pairs in a class (`\\uD800\\uDC00-\\uDBFF\\uDFFF`): to the code points above U+FFFF that they stand for.
- `\\u10000-\\u10FFFF`, which Java reads as U+1000, a range and FF: to what its authors meant, the same code points.
- `\\w`, `\\d`, `\\s` are ASCII only, as in Java. `$` and `\\z` are the very end, so no line feed may follow.
Source: java.util.regex.Pattern; Smithy, pattern trait.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import cache

SCAN_END = 0x32000  # no assigned letters, numbers or separators of the planes above
MAX_CODE_POINT = 0x10FFFF
POSIX = {
    "Lower": "a-z",
    "Upper": "A-Z",
    "ASCII": "\\x00-\\x7f",
    "Alpha": "a-zA-Z",
    "Digit": "0-9",
    "Alnum": "a-zA-Z0-9",
    "Punct": "!-/:-@\\[-`{-~",
    "Graph": "!-~",
    "Print": " -~",
    "Blank": " \\t",
    "Cntrl": "\\x00-\\x1f\\x7f",
    "XDigit": "0-9a-fA-F",
    "Space": "\\x09-\\x0d ",
}

_TOKEN = re.compile(
    r"""
    \\(?P<sign>[pP])(?:\{(?P<category>\^?\w+)\}|(?P<letter>[A-Z]))
    | \\u(?P<high>[dD][89abAB][0-9a-fA-F]{2})\\u(?P<low>[dD][c-fC-F][0-9a-fA-F]{2})
    | (?P<meant>\\u10000-\\u10FFFF)
    | (?P<end>\\[zZ])
    | \\.
    | (?P<open>\[\^?)
    | (?P<close>\])
    | (?P<dollar>\$)
    | .
    """,
    re.VERBOSE | re.DOTALL,
)


@cache
def matcher(pattern: str) -> Callable[[str], bool]:
    """Return a test for a model's pattern.

    A pattern is searched for, as Smithy says, unless it is anchored. Inferred: one without any anchor (`[\\w+=]*`)
    describes the whole value; the services refuse `a b` for such names, and searching it would accept everything.
    """
    compiled = re.compile(to_python(pattern), re.ASCII)
    whole = not pattern.startswith("^") and not pattern.endswith("$")
    find = compiled.fullmatch if whole else compiled.search
    return lambda text: find(text) is not None


@cache
def to_python(pattern: str) -> str:
    """Return a Java pattern as text for `re` with re.ASCII."""
    parts: list[str] = []
    inside = False
    for token in _TOKEN.finditer(pattern):
        if token["open"] and not inside:
            inside = True
        elif token["close"] and inside:
            inside = False
        parts.append(_translate(token, inside))
    return "".join(parts)


def _translate(token: "re.Match[str]", inside: bool) -> str:
    if token["sign"]:
        return _category(token["category"] or token["letter"], token["sign"] == "P", inside)
    if token["high"]:
        code = 0x10000 + (int(token["high"], 16) - 0xD800 << 10) + int(token["low"], 16) - 0xDC00
        return f"\\U{code:08x}"
    if token["meant"] and inside:
        return "\\U00010000-\\U0010ffff"
    if token["end"] or (token["dollar"] and not inside):
        return r"\Z"
    return token[0]


def _category(name: str, negated: bool, inside: bool) -> str:
    if name.startswith("^"):
        name, negated = name[1:], not negated
    ranges = POSIX.get(name) or category_ranges(name.removeprefix("Is"))
    if not negated:
        return ranges if inside else f"[{ranges}]"
    return _complement(ranges) if inside else f"[^{ranges}]"


@cache
def category_ranges(category: str) -> str:
    """Return the code points of a general category (`L`, `Nd`) as the inside of a character class.

    Raises: ValueError for a name that is none.
    """
    text: list[str] = []
    start = -1
    for code in range(SCAN_END + 1):
        belongs = code < SCAN_END and unicodedata.category(chr(code)).startswith(category)
        if belongs and start < 0:
            start = code
        elif not belongs and start >= 0:
            text.append(_range(start, code - 1))
            start = -1
    if not text:
        raise ValueError(f"unknown category {category}")
    return "".join(text)


def _complement(ranges: str) -> str:
    member = re.compile(f"[{ranges}]")
    outside = [_range(code, code) for code in range(SCAN_END) if not member.match(chr(code))]
    return "".join([*outside, _range(SCAN_END, MAX_CODE_POINT)])


def _range(first: int, last: int) -> str:
    return f"\\U{first:08x}" if first == last else f"\\U{first:08x}-\\U{last:08x}"
