"""Results in the five forms: table, json, jsonl, csv, text; with --query applied to the JSON form first."""

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

from apitrail.cli.errors import usage_error
from apitrail.cli.options import Invocation
from apitrail.cli.terminal import Pen, clean, clean_json, table_lines, terminal_columns, wants_colour
from apitrail.cli.times import find_zone, for_people, from_epoch

UNBOUNDED = 1 << 30
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_TIME_NAME = re.compile(r".*(Time|Date|Timestamp|_at)$")
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table or CSV: its title and the cell of an item."""

    title: str
    cell: Callable[[Any], Any]


def member(title: str, *path: str) -> Column:
    """Return a column that shows the member of a document at a path of names."""

    def cell(item: Any) -> Any:
        for name in path:
            item = item.get(name, "") if isinstance(item, Mapping) else ""
        return item

    return Column(title, cell)


def choose_format(invocation: Invocation, *, stream: bool = False) -> str:
    """Return the format asked for, or the default: table on a terminal, else jsonl for streams and json for the rest."""
    if invocation.output:
        return invocation.output
    if invocation.stdout.isatty():
        return "table"
    return "jsonl" if stream else "json"


def make_pen(invocation: Invocation) -> Pen:
    """Return the pen for stdout."""
    return Pen(wants_colour(invocation.stdout, invocation.environ, invocation.no_color))


def compile_query(text: str) -> Callable[[Any], Any]:
    """Return a filter of documents from a JMESPath text. Raises: CliError (usage)."""
    try:
        compiled = jmespath.compile(text)
    except JMESPathError as error:
        raise usage_error(f"not a JMESPath expression: {text}: {_first_line(error)}") from error

    def search(document: Any) -> Any:
        try:
            return compiled.search(document)
        except JMESPathError as error:
            raise usage_error(f"the JMESPath expression fails: {text}: {_first_line(error)}") from error

    return search


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def with_times(value: Any, name: str = "") -> Any:
    """Return a document with the epoch seconds of its time members written in RFC 3339."""
    if isinstance(value, Mapping):
        return {key: with_times(part, key) for key, part in value.items()}
    if isinstance(value, list):
        return [with_times(part) for part in value]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return from_epoch(value) if is_number and _TIME_NAME.match(name) else value


def emit(
    invocation: Invocation,
    document: Any,
    *,
    items: str = "",
    columns: Sequence[Column] = (),
    table: Callable[[Pen, tzinfo | None], list[str]] | None = None,
) -> None:
    """Write a result to stdout.

    document: the JSON form. items: name of the member whose list makes the rows. columns: of table, csv and text; none
    means all members. table: writes the table form itself.
    """
    form = choose_format(invocation)
    if invocation.query:
        document, items, columns, table = compile_query(invocation.query)(document), "", (), None
    rows = document.get(items, []) if items and isinstance(document, dict) else document
    zone = find_zone(invocation.tz)
    if form == "table" and table is not None:
        text = "\n".join(table(make_pen(invocation), zone))
    elif form == "json":
        text = json_text(document, indent=2)
    else:
        text = _WRITERS[form](rows, columns, invocation, zone)
    if text:
        invocation.stdout.write(text + "\n")
    elif form == "table":
        invocation.say("nothing to show")


class Stream:
    """Writes results one at a time, each as soon as it is there."""

    def __init__(self, invocation: Invocation, columns: Sequence[Column], line: Callable[[Any, Pen], str]) -> None:
        self._invocation = invocation
        self._columns = columns
        self._line = line
        self._form = choose_format(invocation, stream=True)
        self._pen = make_pen(invocation)
        self._search = compile_query(invocation.query) if invocation.query else None
        self._zone = find_zone(invocation.tz)
        self._begun = False

    def write(self, item: Any) -> None:
        """Write one item and flush. With --query, an item that gives nothing is left out."""
        columns = self._columns
        if self._search is not None:
            item, columns = self._search(item), ()
            if item is None:
                return
        self._invocation.stdout.write(self._text(item, columns) + "\n")
        self._invocation.stdout.flush()

    def _text(self, item: Any, columns: Sequence[Column]) -> str:
        if self._form == "table" and self._search is None:
            return self._line(item, self._pen)
        if self._form == "json":
            return json_text(item, indent=2)
        if self._form == "csv" and columns:
            begun, self._begun = self._begun, True
            return csv_text([item], columns, raw=self._invocation.csv_raw, heading=not begun)
        form = "text" if self._form == "table" else self._form
        return _WRITERS[form](item if form == "text" else [item], columns, self._invocation, self._zone)


def json_text(document: Any, indent: int | None = None) -> str:
    """Return JSON, with what could steer a terminal escaped in the JSON way."""
    return clean_json(json.dumps(document, indent=indent, ensure_ascii=False))


def _jsonl(rows: Any, columns: Sequence[Column], invocation: Invocation, zone: tzinfo | None) -> str:
    return "\n".join(json_text(row) for row in (rows if isinstance(rows, list) else [rows]))


def _csv(rows: Any, columns: Sequence[Column], invocation: Invocation, zone: tzinfo | None) -> str:
    listed = rows if isinstance(rows, list) else [rows]
    return csv_text(listed, columns or _own_columns(listed), raw=invocation.csv_raw, heading=True)


def csv_text(items: Sequence[Any], columns: Sequence[Column], *, raw: bool, heading: bool) -> str:
    """Return CSV lines; unless raw, a cell that a spreadsheet would take for a formula gets a leading apostrophe."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    if heading and any(column.title for column in columns):
        writer.writerow([column.title for column in columns])
    for item in items:
        cells = [cell_text(column.cell(item)) for column in columns]
        writer.writerow(cells if raw else [guarded(cell) for cell in cells])
    return target.getvalue().removesuffix("\n")


def guarded(cell: str) -> str:
    """Return a CSV cell that no spreadsheet runs and no terminal obeys; its line breaks stay."""
    safe = "".join(part if part in ("\n", "\r", "\t") else clean(part) for part in re.split(r"([\n\r\t])", cell))
    return "'" + safe if cell.startswith(_FORMULA) else safe


def _text(rows: Any, columns: Sequence[Column], invocation: Invocation, zone: tzinfo | None) -> str:
    """Return tab-separated lines, as the AWS CLI's text form; a list of lists is one line each."""
    if isinstance(rows, list) and not columns and not any(isinstance(row, list | dict) for row in rows):
        return "\t".join(clean(cell_text(row, none="None")) for row in rows)
    listed = rows if isinstance(rows, list) else [rows]
    made = columns or _own_columns(listed)
    return "\n".join("\t".join(clean(cell_text(column.cell(row), none="None")) for column in made) for row in listed)


def _table(rows: Any, columns: Sequence[Column], invocation: Invocation, zone: tzinfo | None) -> str:
    if isinstance(rows, Mapping):
        rows, columns = (
            list(rows.items()),
            (Column("name", lambda pair: pair[0]), Column("value", lambda pair: pair[1])),
        )
    listed = rows if isinstance(rows, list) else [rows]
    if not listed:
        return ""
    made = columns or _own_columns(listed)
    cells = [[people_text(column.cell(row), zone) for column in made] for row in listed]
    width = terminal_columns() if invocation.stdout.isatty() else UNBOUNDED
    lines = table_lines([column.title for column in made], cells, width, make_pen(invocation))
    return "\n".join(lines if any(column.title for column in made) else lines[1:])


def _own_columns(rows: Sequence[Any]) -> list[Column]:
    """Return the columns that rows of unknown form have: members of documents, places of lists, or the value itself."""
    if rows and all(isinstance(row, Mapping) for row in rows):
        return [member(name, name) for name in dict.fromkeys(name for row in rows for name in row)]
    if rows and all(isinstance(row, list) for row in rows):
        return [_place(number) for number in range(max(map(len, rows)))]
    return [Column("", lambda row: row)]


def _place(number: int) -> Column:
    return Column("", lambda row: row[number] if number < len(row) else "")


def cell_text(value: Any, none: str = "") -> str:
    """Return a value as one cell: text as it is, true and false as in JSON, documents as JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return none
    return json.dumps(value, ensure_ascii=False)


def people_text(value: Any, zone: tzinfo | None) -> str:
    """Return a cell of a table: like cell_text, times in the zone of --tz."""
    text = cell_text(value)
    return for_people(text, zone) if _RFC3339.fullmatch(text) else text


_WRITERS: dict[str, Callable[[Any, Sequence[Column], Invocation, tzinfo | None], str]] = {
    "table": _table,
    "jsonl": _jsonl,
    "csv": _csv,
    "text": _text,
}
