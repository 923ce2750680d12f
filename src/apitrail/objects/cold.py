"""What lifecycle rules archived in a folder bucket, read without a server: for verification of the folder.

Only keys whose current object is archived count; the form of what lies there is in past.
"""

import lzma
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from apitrail.clock import SystemClock
from apitrail.objects.keys import CHUNK
from apitrail.objects.past import COLD, Past, Record, newest
from apitrail.objects.walk import Levels, Walk

AFTER_SLASH = b"0"


class ColdObjects:
    """The archived objects of the bucket in a folder."""

    def __init__(self, root: Path) -> None:
        self._past = Past(root)
        self._levels = Levels(root, SystemClock())

    def below(self, prefix: str) -> Iterator[Record]:
        """Yield the archived objects below a prefix in the order of their keys."""
        walk, bound = self._walk(prefix), prefix.encode()
        while (key := walk.find(bound)) is not None:
            record = self.find(key.decode())
            if record is not None:
                yield record
            bound = key + b"\0"

    def folders(self, prefix: str) -> Iterator[str]:
        """Yield the names of the folders directly below a prefix that is empty or ends in a slash."""
        begin = prefix.encode()
        walk, bound = self._walk(prefix), begin
        while (key := walk.find(bound)) is not None:
            name, slash, _ = key[len(begin) :].partition(b"/")
            if slash:
                yield name.decode()
            bound = begin + name + (AFTER_SLASH if slash else b"\0")

    def _walk(self, prefix: str) -> Walk:
        begin = prefix.encode()
        return Walk(partial(self._levels.odd, base=COLD), begin, begin[: max(len(begin) - 1, 0) // CHUNK * CHUNK])

    def find(self, key: str) -> Record | None:
        """Return an archived object, None where there is none."""
        encoded = key.encode()
        record = newest(self._past.records(encoded)) if self._past.is_cold(encoded) else None
        return record if record is not None and record.entry.facts.is_archived else None

    def read(self, record: Record, limit: int) -> bytes | None:
        """Return the content of an archived object, empty when that is too large or damaged; None where it is gone."""
        found = self._past.open_archived(record)
        if found is None:
            return None
        try:
            with os.fdopen(found, "rb") as packed, lzma.open(packed) as file:
                content = file.read(limit + 1)
        except (lzma.LZMAError, EOFError):
            return b""
        return content if len(content) <= limit else b""
