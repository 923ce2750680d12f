"""Text that is safe and readable on a terminal: escaping, widths, colours, aligned tables."""

import re
import shutil
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TextIO

# C0, DEL, C1, invisible and direction-changing characters, line separators, lone surrogates, tags.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
_COLOURS = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "dim": "2", "bold": "1"}


def escape(character: str) -> str:
    """Return one character as `\\x1b`, `\\u202e` or `\\U000e0001`."""
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def clean(text: str) -> str:
    """Return text on one line, with every character that could steer a terminal or hide itself escaped."""
    return _UNSAFE.sub(lambda found: escape(found.group()), text)


def clean_json(text: str) -> str:
    """Return JSON text with the same characters as JSON escapes; line breaks of the layout stay."""

    def as_json(found: re.Match[str]) -> str:
        code = ord(found.group())
        if found.group() in "\n\t":
            return found.group()
        if code < 0x10000:
            return f"\\u{code:04x}"
        code -= 0x10000
        return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"

    return _UNSAFE.sub(as_json, text)


def width_of(text: str) -> int:
    """Return the columns that a cleaned text takes on a terminal."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    marks = sum(unicodedata.combining(character) != 0 for character in text)
    return len(text) + wide - marks


def cut(text: str, columns: int) -> str:
    """Return text cut to a number of columns, with `…` where something is missing."""
    if width_of(text) <= columns:
        return text
    kept = ""
    for character in text:
        if width_of(kept + character) > columns - 1:
            break
        kept += character
    return kept + "…"


def pad(text: str, columns: int) -> str:
    """Return text filled up with spaces to a number of columns."""
    return text + " " * (columns - width_of(text))


class Pen:
    """Colours for a terminal, or none at all."""

    def __init__(self, coloured: bool) -> None:
        self.coloured = coloured

    def paint(self, colour: str, text: str) -> str:
        """Return text in a colour of the table above; the empty colour changes nothing."""
        if not self.coloured or not colour:
            return text
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"


def wants_colour(stream: TextIO, environ: Mapping[str, str], no_color: bool) -> bool:
    """Return whether to colour: never with --no-color or NO_COLOR, always with FORCE_COLOR, else on terminals."""
    if no_color or environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and environ.get("TERM") != "dumb"


def terminal_columns() -> int:
    """Return the width of the terminal; COLUMNS decides when it is set."""
    return max(20, shutil.get_terminal_size((120, 24)).columns)


def table_lines(titles: Sequence[str], rows: Sequence[Sequence[str]], columns: int, pen: Pen) -> list[str]:
    """Return an aligned table with its heading; lines end at the given width. Cells are cleaned here."""
    cleaned = [[clean(cell) for cell in row] for row in rows]
    widths = [max(map(width_of, column)) for column in zip(titles, *cleaned, strict=True)]
    lines = ["  ".join(map(pad, row, widths)).rstrip() for row in [list(titles), *cleaned]]
    return [pen.paint("bold", cut(lines[0], columns)), *(cut(line, columns) for line in lines[1:])]
