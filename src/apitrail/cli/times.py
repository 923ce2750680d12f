"""Times as people type and read them."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from apitrail.cli.errors import usage_error

_RELATIVE = re.compile(r"-(\d{1,9})([smhdw])")
_EPOCH = re.compile(r"\d{1,12}(\.\d{1,9})?")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
FORMS = "RFC 3339, a date, epoch seconds, -15m, -2h, -7d, or now"


def parse_time(text: str, now: datetime) -> datetime:
    """Return the moment that a time argument means; a time without a zone is UTC.

    Forms: RFC 3339, a date, epoch seconds, `-15m` (s, m, h, d, w), `now`. Raises: CliError (usage).
    """
    try:
        return _moment(text.strip(), now)
    except (ValueError, OverflowError) as error:
        raise usage_error(f"not a time: {text!r}", hint=f"use {FORMS}") from error


def _moment(text: str, now: datetime) -> datetime:
    if text == "now":
        return now
    if relative := _RELATIVE.fullmatch(text):
        return now - timedelta(seconds=int(relative[1]) * _UNITS[relative[2]])
    if _EPOCH.fullmatch(text):
        return datetime.fromtimestamp(float(text), UTC)
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def rfc3339(moment: datetime) -> str:
    """Return a moment as `2026-03-04T09:15:02Z`; a fraction of a second is kept to the millisecond."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
    return text.removesuffix(".000") + "Z"


def from_epoch(seconds: float) -> str:
    """Return epoch seconds, as APIs write them, in RFC 3339."""
    return rfc3339(datetime.fromtimestamp(seconds, UTC))


def find_zone(name: str) -> tzinfo | None:
    """Return the zone of --tz: `UTC`, `local` (None), or a name such as Europe/Berlin. Raises: CliError (usage)."""
    if name.lower() == "local":
        return None
    if name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise usage_error(
            f"no such time zone: {name!r}", hint="use local, UTC, or a name like Europe/Berlin"
        ) from error


def for_people(text: str, zone: tzinfo | None) -> str:
    """Return an RFC 3339 time for tables: `2026-03-04 09:15:02Z`, or with the offset of another zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    if moment.tzinfo is None:
        return text
    if zone is UTC:
        return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S%z}"


def span(seconds: float) -> str:
    """Return a length of time in its two largest units: `45s`, `3m 20s`, `2d 4h`."""
    left, parts = int(seconds), []
    for name, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if left >= size:
            parts.append(f"{left // size}{name}")
            left %= size
    return " ".join(parts[:2]) or "0s"
