"""Times as people type and read them."""

from datetime import UTC, datetime

import pytest

from apitrail.cli.errors import USAGE, CliError
from apitrail.cli.times import find_zone, for_people, from_epoch, parse_time, rfc3339, span

NOW = datetime(2026, 3, 4, 9, 15, 2, tzinfo=UTC)
FORMS = {
    "now": NOW,
    "-15m": datetime(2026, 3, 4, 9, 0, 2, tzinfo=UTC),
    "-2h": datetime(2026, 3, 4, 7, 15, 2, tzinfo=UTC),
    "-7d": datetime(2026, 2, 25, 9, 15, 2, tzinfo=UTC),
    "-1w": datetime(2026, 2, 25, 9, 15, 2, tzinfo=UTC),
    "-30s": datetime(2026, 3, 4, 9, 14, 32, tzinfo=UTC),
    "2026-03-04": datetime(2026, 3, 4, tzinfo=UTC),
    "2026-03-04T09:15:02Z": NOW,
    "2026-03-04T10:15:02+01:00": NOW,
    "2026-03-04T09:15:02": NOW,
    "1772615702": NOW,
    "1772615702.5": NOW.replace(microsecond=500000),
}
WRONG = ("", "yesterday", "-15", "15m", "-15y", "2026-13-01", "-999999999w", "999999999999", "2026-03-04T25:00:00Z")


@pytest.mark.parametrize(("text", "moment"), FORMS.items())
def test_every_documented_form_of_time_is_read(text: str, moment: datetime) -> None:
    assert parse_time(text, NOW) == moment


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_time_is_a_wrong_command_line_with_the_forms_as_hint(text: str) -> None:
    with pytest.raises(CliError) as caught:
        parse_time(text, NOW)
    assert caught.value.exit_code == USAGE
    assert "-15m" in caught.value.hint


def test_machine_times_are_utc_with_milliseconds_only_where_there_are_some() -> None:
    assert rfc3339(NOW) == "2026-03-04T09:15:02Z"
    assert rfc3339(NOW.replace(microsecond=250000)) == "2026-03-04T09:15:02.250Z"
    assert from_epoch(1772615702.25) == "2026-03-04T09:15:02.250Z"


def test_tables_show_the_zone_that_was_asked_for() -> None:
    assert for_people("2026-03-04T09:15:02Z", UTC) == "2026-03-04 09:15:02Z"
    assert for_people("2026-03-04T09:15:02Z", find_zone("Europe/Berlin")) == "2026-03-04 10:15:02+0100"
    assert for_people("not a time", UTC) == "not a time"


@pytest.mark.parametrize("name", ["Nowhere/Town", "../../etc/passwd", ""])
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(CliError):
        find_zone(name)


def test_a_span_has_its_two_largest_units() -> None:
    assert [span(s) for s in (0, 45, 200, 7200, 187200)] == ["0s", "45s", "3m 20s", "2h", "2d 4h"]
