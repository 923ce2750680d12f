"""The five forms of results."""

import csv
import io
import json
from typing import Any

import pytest

from apitrail.cli.errors import CliError
from apitrail.cli.options import Invocation
from apitrail.cli.output import Column, Stream, csv_text, emit, guarded, member, with_times

ROWS = [{"name": "a", "n": 1, "time": "2026-03-04T09:15:02Z"}, {"name": "b\x1b[2J", "n": None, "time": ""}]
DOCUMENT = {"Rows": ROWS}
COLUMNS = (member("name", "name"), member("count", "n"), member("time", "time"))


def shown(capsys: pytest.CaptureFixture[str], document: Any = DOCUMENT, **options: Any) -> str:
    """Return what emit writes for rows in columns, with the given global options."""
    emit(Invocation(**options), document, items="Rows", columns=COLUMNS)
    return capsys.readouterr().out


def test_without_a_terminal_a_result_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(shown(capsys)) == DOCUMENT


def test_jsonl_has_one_item_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert [json.loads(line) for line in shown(capsys, output="jsonl").splitlines()] == ROWS


def test_a_table_has_titles_escapes_and_times_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, output="table").splitlines()
    assert lines[0].split() == ["name", "count", "time"]
    assert lines[1].endswith("2026-03-04 09:15:02Z")
    assert lines[2].startswith("b\\x1b[2J")


def test_text_is_separated_by_tabs(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, output="text").splitlines()[0] == "a\t1\t2026-03-04T09:15:02Z"


def test_csv_reads_back_with_a_heading(capsys: pytest.CaptureFixture[str]) -> None:
    rows = list(csv.reader(io.StringIO(shown(capsys, output="csv"))))
    assert rows[0] == ["name", "count", "time"]
    assert rows[1] == ["a", "1", "2026-03-04T09:15:02Z"]


QUERIES = {
    ("Rows[].[name,n]", "text"): "a\t1\nb\\x1b[2J\tNone\n",
    ("Rows[].name", "text"): "a\tb\\x1b[2J\n",
    ("Rows[0].name", "text"): "a\n",
    ("Rows[].[name,n]", "jsonl"): '["a", 1]\n["b\\u001b[2J", null]\n',
    ("Rows[0].{x: name}", "csv"): "x\na\n",
    ("length(Rows)", "json"): "2\n",
    ("Rows[].[name]", "csv"): "a\nb\\x1b[2J\n",
    ("nothing", "json"): "null\n",
}


@pytest.mark.parametrize(("asked", "expected"), QUERIES.items())
def test_a_query_filters_the_json_form_before_it_is_written(
    capsys: pytest.CaptureFixture[str], asked: tuple[str, str], expected: str
) -> None:
    assert shown(capsys, query=asked[0], output=asked[1]) == expected


@pytest.mark.parametrize("query", ["Rows[", "length(`1`)", "nosuch(@)"])
def test_a_wrong_query_is_a_wrong_command_line(capsys: pytest.CaptureFixture[str], query: str) -> None:
    with pytest.raises(CliError) as caught:
        shown(capsys, query=query)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_cell_that_a_spreadsheet_would_run_is_guarded(cell: str) -> None:
    assert guarded(cell).startswith("'")
    assert csv_text([cell], [Column("", lambda item: item)], raw=True, heading=False) != guarded(cell)


def test_csv_cells_keep_their_line_breaks_and_lose_control_characters() -> None:
    assert guarded("a\nb\x1b[2J") == "a\nb\\x1b[2J"


def test_raw_csv_is_left_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    document = {"Rows": [{"name": "=1+1", "n": 1, "time": ""}]}
    assert shown(capsys, document, output="csv", csv_raw=True).splitlines()[1] == "=1+1,1,"
    assert shown(capsys, document, output="csv").splitlines()[1] == "'=1+1,1,"


def test_epoch_seconds_of_time_members_are_written_as_rfc3339() -> None:
    document = {"EventTime": 1772615702.0, "Size": 5, "IsLogging": True, "In": [{"StartTime": 1772615702}]}
    assert with_times(document) == {
        "EventTime": "2026-03-04T09:15:02Z", "Size": 5, "IsLogging": True, "In": [{"StartTime": "2026-03-04T09:15:02Z"}],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("form", "expected"),
    [("jsonl", '{"name": "a"}\n{"name": "b"}\n'), ("csv", "name\na\nb\n"), ("text", "a\nb\n"), ("table", "<a>\n<b>\n")],
)
def test_a_stream_writes_each_item_at_once(capsys: pytest.CaptureFixture[str], form: str, expected: str) -> None:
    stream = Stream(Invocation(output=form), (member("name", "name"),), lambda item, pen: f"<{item['name']}>")
    for name in "ab":
        stream.write({"name": name})
    assert capsys.readouterr().out == expected


def test_a_stream_leaves_out_items_for_which_the_query_gives_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    stream = Stream(Invocation(output="text", query="code"), (), lambda item, pen: "")
    for item in ({"code": "AccessDenied"}, {"other": 1}):
        stream.write(item)
    assert capsys.readouterr().out == "AccessDenied\n"
