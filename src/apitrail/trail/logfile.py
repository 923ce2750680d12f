"""Log files: their names and their bytes.

Source: CloudTrail User Guide, log file name format and log file examples.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

import deflate
from isal import isal_zlib

from apitrail.trail.vectors import clear_vectors

Gzip = Literal["libdeflate", "isal"]
LIBDEFLATE_LEVEL = 6
ISAL_LEVEL = 2
GZIP_WINDOW = 31
HEAD, TAIL = b'{"Records":[', b"]}"
EVENT_FILES, INSIGHT_FILES = "CloudTrail", "CloudTrail-Insight"
CONTENT_TYPE = "application/json"
CONTENT_ENCODING = "gzip"


def account_folder(account: str, prefix: str = "", organization: str = "") -> str:
    """Return what the keys of an account's log and digest files begin with, with a slash at its end.

    organization: its id, for files of an organization's trail.
    """
    parts = (prefix, "AWSLogs", organization, account)
    return "".join(f"{part}/" for part in parts if part)


def logfile_name(
    account: str,
    region: str,
    at: datetime,
    suffix: str,
    prefix: str = "",
    kind: str = EVENT_FILES,
    organization: str = "",
) -> str:
    """Return the object key of a log file.

    Form: [prefix/]AWSLogs/[organization/]<account>/<kind>/<region>/<yyyy>/<mm>/<dd>/<file>, with file
    <account>_<kind>_<region>_<yyyymmdd>T<hhmm>Z_<suffix>.json.gz
    at: UTC, cut to the minute. suffix: 16 letters or digits, unique within trail and minute. kind: EVENT_FILES, or
    INSIGHT_FILES for Insights events.
    """
    folder = f"{account_folder(account, prefix, organization)}{kind}/{region}/{at:%Y/%m/%d}"
    return f"{folder}/{account}_{kind}_{region}_{at:%Y%m%dT%H%M}Z_{suffix}.json.gz"


def render(events: Iterable[bytes]) -> bytearray:
    """Return the content of a log file: one JSON object whose only key is `Records`.

    events: JSON, each one event or several with commas between them; at least one.
    """
    content = bytearray(HEAD)
    for event in events:
        content += event
        content += b","
    assert len(content) > len(HEAD), "an empty log file is never written"
    content[-1:] = TAIL
    return content


def compress(content: bytes | bytearray, method: Gzip) -> bytes:
    """Return the content as exactly one gzip member; CloudTrail's validator refuses several."""
    if method == "isal":
        packer = isal_zlib.compressobj(ISAL_LEVEL, isal_zlib.DEFLATED, GZIP_WINDOW)
        packed: bytes = packer.compress(content) + packer.flush()
        clear_vectors()
        return packed
    return bytes(deflate.gzip_compress(content, LIBDEFLATE_LEVEL))
