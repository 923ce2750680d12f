"""How new files of a folder bucket are stored: the one file `.apitrail/bucket.json`, for whoever writes into the bucket."""

import hashlib
import os
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from apitrail.objects import keys
from apitrail.objects.bucket import Facts

STATE = (keys.OWN, b"bucket.json")
ENABLED, SUSPENDED = "Enabled", "Suspended"
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class BucketState:
    """versioning: Enabled, Suspended, or empty where it never was on.

    lock_mode, lock_days: the retention of new objects that bring none; empty and 0 for none.
    """

    versioning: str = ""
    lock_mode: str = ""
    lock_days: int = 0

    def retained(self, facts: Facts, now: datetime) -> Facts:
        """Return the facts of a new object with the retention that it gets here."""
        if facts.lock_mode or not self.lock_mode:
            return facts
        return replace(facts, lock_mode=self.lock_mode, lock_until=int(now.timestamp()) + self.lock_days * DAY_S)

    def version_for(self, key: bytes, descriptor: int) -> str:
        """Return the version id of a new file that brings none: made from key, bytes' place and time, empty without versions."""
        if self.versioning != ENABLED:
            return ""
        state = os.fstat(descriptor)
        told = f"{state.st_ino}/{state.st_size}/{state.st_mtime_ns}".encode()
        return hashlib.sha256(key + b"\0" + told).hexdigest()[:32]

    def encode(self) -> bytes:
        """Return the bytes of the file."""
        return msgspec.json.encode(self)


def decode_state(content: bytes | None) -> BucketState:
    """Return the state in these bytes, the usual one where they are missing or damaged."""
    try:
        return msgspec.json.decode(content or b"{}", type=BucketState)
    except msgspec.DecodeError:
        return BucketState()
