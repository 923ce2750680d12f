"""Single values between bytes and Python: numbers, times, blobs, text; and the error for malformed input.

Sources: Smithy 2.0, protocol traits and simple types; RFC 9110 for HTTP dates.
"""

import base64
import binascii
import math
import re
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from apitrail.errors import ServiceError
from apitrail.wire.models import Shape

DEPTH_MAX = 64
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_MIN, EPOCH_MAX = -62135596800, 253402300799  # years 1 to 9999, the span of datetime
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
RANGES = {"integer": (-(2**31), 2**31 - 1), "long": (-(2**63), 2**63 - 1)}
SPECIAL_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):?(\d\d))", re.ASCII
)
_HTTP_DATE = re.compile(
    r"[A-Z][a-z]{2}, (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d)(?:\.\d{1,9})? GMT", re.ASCII
)
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,4})?", re.ASCII)

Reader = Callable[[Any], Any]
Writer = Callable[[Any], Any]


class Malformed(ServiceError):
    """Input that the protocol or the type of a member forbids. expected: what would be right (`a string`).

    The path of the member is put together while the error rises; the refused value is never in the message.
    """

    code = "SerializationException"

    def __init__(self, expected: str) -> None:
        self.expected = expected
        self.path = ""
        super().__init__(f"The request could not be read: expected {expected}.")

    def inside(self, name: str) -> "Malformed":
        """Return the same error, one member further out."""
        self.path = f"{name}.{self.path}" if self.path else name
        self.message = f"The request could not be read: '{self.path[:200]}' must be {self.expected}."
        self.args = (self.message,)
        return self


def shorten(value: float) -> float:
    """Return the shortest decimal that reads back as the same 32-bit float; values beyond its range unchanged."""
    if not math.isfinite(value) or abs(value) > 3.4028235e38:
        return value
    packed = struct.pack(">f", value)
    exact: float = struct.unpack(">f", packed)[0]
    for digits in range(1, 9):
        short = float(f"{exact:.{digits}g}")
        if abs(short) <= 3.4028235e38 and struct.pack(">f", short) == packed:
            return short
    return float(f"{exact:.9g}")


def time_of(seconds: float) -> datetime:
    """Return the UTC time of epoch seconds, exact to the microsecond. Raises: Malformed outside years 1 to 9999."""
    if not EPOCH_MIN <= seconds <= EPOCH_MAX:
        raise Malformed("a time between the years 1 and 9999, in epoch seconds")
    return EPOCH + timedelta(microseconds=round(seconds * 1_000_000))


def milliseconds_of(value: Any) -> int:
    """Return a time (datetime, UTC where it says no zone, or epoch seconds) as epoch milliseconds, rounded down."""
    if isinstance(value, datetime):
        since = (value if value.tzinfo else value.replace(tzinfo=UTC)) - EPOCH
        return (86_400 * since.days + since.seconds) * 1000 + since.microseconds // 1000
    return math.floor(round(float(value) * 1000, 3))


def epoch_of(value: Any) -> int | float:
    """Return a time as epoch seconds: an integer when whole, else with milliseconds."""
    milliseconds = milliseconds_of(value)
    return milliseconds / 1000 if milliseconds % 1000 else milliseconds // 1000


def read_epoch(value: Any) -> datetime:
    """Return the time of a JSON or CBOR number of epoch seconds."""
    if type(value) is not int and type(value) is not float:
        raise Malformed("a number of epoch seconds")
    return time_of(value)


def read_iso(text: Any) -> datetime:
    """Return the time of `2026-03-04T09:15:02Z`, with any fraction and offset; digits past microseconds are cut."""
    match = _ISO.fullmatch(text) if type(text) is str else None
    if match is None:
        raise Malformed("a time like 2026-03-04T09:15:02Z")
    year, month, day, hour, minute, second, fraction, sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes)) if sign else timedelta()
    micros = int((fraction or "0").ljust(6, "0")[:6])
    try:
        local = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), micros, tzinfo=UTC)
        return local - offset if sign == "+" else local + offset
    except (ValueError, OverflowError):
        raise Malformed("a time like 2026-03-04T09:15:02Z") from None


def read_http_date(text: Any) -> datetime:
    """Return the time of `Wed, 04 Mar 2026 09:15:02 GMT`; a fraction, which Smithy allows, is cut."""
    match = _HTTP_DATE.fullmatch(text) if type(text) is str else None
    if match is None or match[2] not in MONTHS:
        raise Malformed("a date like Wed, 04 Mar 2026 09:15:02 GMT")
    day, _, year, hour, minute, second = match.groups()
    try:
        return datetime(
            int(year), MONTHS.index(match[2]) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC
        )
    except ValueError:
        raise Malformed("a date like Wed, 04 Mar 2026 09:15:02 GMT") from None


def write_iso(value: Any) -> str:
    """Return a time as `2026-03-04T09:15:02Z`, with `.mmm` when it is not whole."""
    milliseconds = milliseconds_of(value)
    at = EPOCH + timedelta(milliseconds=milliseconds)
    text = at.isoformat(timespec="milliseconds" if milliseconds % 1000 else "seconds")
    return text.removesuffix("+00:00") + "Z"


def write_http_date(value: Any) -> str:
    """Return a time as `Wed, 04 Mar 2026 09:15:02 GMT`, cut to the second."""
    at = EPOCH + timedelta(seconds=milliseconds_of(value) // 1000)
    return f"{DAYS[at.weekday()]}, {at.day:02} {MONTHS[at.month - 1]} {at.year:04} {at:%H:%M:%S} GMT"


def read_base64(text: Any) -> bytes:
    """Return the bytes of a padded base64 text."""
    if type(text) is not str:
        raise Malformed("a base64 string")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("a base64 string") from None


def write_base64(value: Any) -> str:
    """Return bytes (or a text, as UTF-8) as base64."""
    return base64.b64encode(value.encode() if isinstance(value, str) else value).decode("ascii")


def read_text(value: Any) -> str:
    """Return a string unchanged."""
    if type(value) is not str:
        raise Malformed("a string")
    return value


def integer_reader(type_name: str) -> Reader:
    """Return a reader of JSON or CBOR integers within the range of `integer` (32 bits) or `long` (64 bits)."""
    low, high = RANGES[type_name]

    def read_integer(value: Any) -> int:
        if type(value) is not int or not low <= value <= high:
            raise Malformed(f"an integer from {low} to {high}")
        return value

    return read_integer


def read_number(value: Any) -> float:
    """Return a JSON or CBOR number as float; `NaN` and the infinities may come as strings, as Smithy writes them."""
    kind = type(value)
    if kind is float:
        return float(value)
    if kind is int and abs(value) < 2**1023:
        return float(value)
    if kind is str and value in SPECIAL_FLOATS:
        return SPECIAL_FLOATS[value]
    raise Malformed("a number")


def read_number32(value: Any) -> float:
    """Return a number of a 32-bit float member by its shortest decimal."""
    return shorten(read_number(value))


def read_boolean(value: Any) -> bool:
    """Return true or false unchanged."""
    if type(value) is not bool:
        raise Malformed("true or false")
    return value


def write_number(value: Any) -> float:
    """Return a number as float."""
    return float(value)


def write_number32(value: Any) -> float:
    """Return a number of a 32-bit float member by its shortest decimal."""
    return shorten(float(value))


def special_name(value: float) -> float | str:
    """Return a float, or the word that Smithy writes for NaN and the infinities."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def _text_integer(type_name: str) -> Reader:
    low, high = RANGES[type_name]

    def read_integer_text(text: str) -> int:
        match = _INTEGER.fullmatch(text.strip())
        if match is None or not low <= int(match[0]) <= high:
            raise Malformed(f"an integer from {low} to {high}")
        return int(match[0])

    return read_integer_text


def _text_number(text: str) -> float:
    plain = text.strip()
    if plain in SPECIAL_FLOATS:
        return SPECIAL_FLOATS[plain]
    if _DECIMAL.fullmatch(plain) is None:
        raise Malformed("a number")
    return float(plain)


def _text_boolean(text: str) -> bool:
    word = text.strip().lower()
    if word not in ("true", "false"):
        raise Malformed("true or false")
    return word == "true"


def _text_epoch(text: str) -> datetime:
    seconds = _text_number(text)
    return time_of(seconds)


def _write_boolean(value: Any) -> str:
    return "true" if value else "false"


def _write_float_text(value: Any) -> str:
    return str(special_name(float(value)))


READ_TIME: dict[str, Reader] = {"iso8601": read_iso, "rfc822": read_http_date, "unixtimestamp": _text_epoch}
WRITE_TIME: dict[str, Callable[[Any], str]] = {
    "iso8601": write_iso,
    "rfc822": write_http_date,
    "unixtimestamp": lambda value: str(epoch_of(value)),
}
READ_TEXT: dict[str, Reader] = {
    "string": read_text,
    "character": read_text,
    "integer": _text_integer("integer"),
    "long": _text_integer("long"),
    "double": _text_number,
    "float": lambda text: shorten(_text_number(text)),
    "boolean": _text_boolean,
    "blob": lambda text: read_base64("".join(text.split())),
}
WRITE_TEXT: dict[str, Callable[[Any], str]] = {
    "string": str,
    "character": str,
    "integer": lambda value: str(int(value)),
    "long": lambda value: str(int(value)),
    "double": _write_float_text,
    "float": lambda value: _write_float_text(shorten(float(value))),
    "boolean": _write_boolean,
    "blob": write_base64,
}


def time_format(shape: Shape, default: str) -> str:
    """Return how a timestamp is written: its trait, or the protocol's default (iso8601, rfc822, unixtimestamp)."""
    return str(shape.serialization.get("timestampFormat", default)).lower()


def text_reader(shape: Shape, times: str = "iso8601") -> Reader:
    """Return the reader of a scalar from text (XML, forms, headers). times: how timestamps look by default."""
    if shape.type_name == "timestamp":
        return READ_TIME[time_format(shape, times)]
    return READ_TEXT[shape.type_name]


def text_writer(shape: Shape, times: str = "iso8601") -> Callable[[Any], str]:
    """Return the writer of a scalar as text, the way back of text_reader."""
    if shape.type_name == "timestamp":
        return WRITE_TIME[time_format(shape, times)]
    return WRITE_TEXT[shape.type_name]
