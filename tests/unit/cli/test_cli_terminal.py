"""Escaping, widths and tables of the terminal."""

import io
import json

import pytest

from apitrail.cli.terminal import Pen, clean, clean_json, cut, pad, table_lines, wants_colour, width_of

HOSTILE = {
    "\x1b[31mred": "\\x1b[31mred",
    "a\nb\tc\rd": "a\\x0ab\\x09c\\x0dd",
    "\x9b2J": "\\x9b2J",
    "abc\u202edcba": "abc\\u202edcba",
    "zero\u200bwidth": "zero\\u200bwidth",
    "\ud800": "\\ud800",
    "\U000e0041": "\\U000e0041",
    "plain äöü 日本": "plain äöü 日本",
}


@pytest.mark.parametrize(("text", "shown"), HOSTILE.items())
def test_characters_that_steer_a_terminal_are_shown_escaped(text: str, shown: str) -> None:
    assert clean(text) == shown


@pytest.mark.parametrize("text", HOSTILE)
def test_cleaned_json_reads_back_as_the_same_text(text: str) -> None:
    written = clean_json(json.dumps({"a": text}, ensure_ascii=False, indent=2))
    assert json.loads(written) == {"a": text}
    assert not set(written) & set("\x1b\x9b\u202e\u200b\ud800\U000e0041")


def test_wide_characters_count_twice_and_marks_not_at_all() -> None:
    assert width_of("日本") == 4
    assert width_of("e\u0301") == 1
    assert pad("日", 4) == "日  "


def test_cut_text_ends_in_an_ellipsis_and_fits() -> None:
    assert cut("abcdef", 4) == "abc…"
    assert cut("日本語", 4) == "日…"
    assert cut("abc", 3) == "abc"


def test_a_table_is_aligned_and_its_cells_are_cleaned() -> None:
    lines = table_lines(("a", "b"), [("1", "x\x1b[2J"), ("22", "y")], 80, Pen(False))
    assert lines == ["a   b", "1   x\\x1b[2J", "22  y"]


@pytest.mark.parametrize(
    ("environ", "no_color", "coloured"),
    [({"FORCE_COLOR": "1"}, False, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
     ({"FORCE_COLOR": "1"}, True, False), ({}, False, False)],
)  # fmt: skip
def test_colour_follows_the_conventions(environ: dict[str, str], no_color: bool, coloured: bool) -> None:
    assert wants_colour(io.StringIO(), environ, no_color) is coloured
    assert Pen(coloured).paint("red", "x") == ("\x1b[31mx\x1b[0m" if coloured else "x")
