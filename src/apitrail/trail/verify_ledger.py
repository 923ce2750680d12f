"""What verification keeps beside memory: a SQLite file with the digests read, the log files they list, and what was proved.

With a path it lasts: a digest or log file that was proved and has not changed since is not read again. The file is
trusted as it is; keep it where only the verifier can write. Without a path it is a temporary file.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from apitrail.trail.verify_archive import Entry
from apitrail.trail.verify_files import Checked, Digest, Log

VERSION = 2
CACHE_KIB = 16_000
BATCH = 1000
RECENT_MAX = 2000
"""Digests that are kept in memory before they are written: each is asked for soon after it was read, and seldom again."""
LAST = "\U0010ffff"
TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS digests (key TEXT PRIMARY KEY, mark TEXT NOT NULL, proved INTEGER NOT NULL DEFAULT 0,
  problem TEXT, sha256 TEXT, bucket TEXT, object TEXT, fingerprint TEXT, start_at INTEGER, end_at INTEGER, end_text TEXT,
  previous_bucket TEXT, previous_key TEXT, previous_sha256 TEXT, previous_signature TEXT, signature TEXT, generated TEXT,
  log_count INTEGER, refusal TEXT);
CREATE TABLE IF NOT EXISTS listed (digest TEXT NOT NULL, place INTEGER NOT NULL, origin TEXT NOT NULL, key TEXT NOT NULL,
  sha256 TEXT NOT NULL, proved TEXT NOT NULL DEFAULT '', PRIMARY KEY (digest, place)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS listed_by_key ON listed (key);
CREATE TABLE IF NOT EXISTS stops (trail TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (trail, at)) WITHOUT ROWID;
CREATE TEMP TABLE seen (key TEXT PRIMARY KEY, size INTEGER NOT NULL, mark TEXT NOT NULL, modified REAL NOT NULL)
  WITHOUT ROWID;
CREATE TEMP TABLE judged (digest TEXT PRIMARY KEY) WITHOUT ROWID;
"""
DIGEST_COLUMNS = ", ".join(Digest._fields)
PUT_DIGEST = (
    f"INSERT OR REPLACE INTO digests (mark, proved, {DIGEST_COLUMNS}) VALUES (coalesce((SELECT mark FROM seen WHERE key = ?),"
    f" ''), ?, {', '.join('?' * len(Digest._fields))})"
)
IS_PROVED = "SELECT 1 FROM digests JOIN seen USING (key) WHERE key = ? AND proved = 1 AND digests.mark = seen.mark"


class LedgerError(Exception):
    """The state file is none of ours, damaged, or of another archive."""


class Ledger:
    """The rows. path: None for a temporary file, which does not last. archive: what it belongs to. Raises: LedgerError."""

    def __init__(self, path: Path | None, archive: str) -> None:
        try:
            self.lasts = path is not None
            self._db = sqlite3.connect(str(path) if path else "", isolation_level=None)
            self._db.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
            self._db.execute("PRAGMA temp_store=FILE")
            self._db.execute("PRAGMA synchronous=NORMAL" if path else "PRAGMA synchronous=OFF")
            self._db.executescript(TABLES)
            self._own(archive)
        except sqlite3.Error as error:
            raise LedgerError(f"cannot use the state file: {error}") from error
        self._db.execute("BEGIN")
        self._recent: dict[str, Digest] = {}

    def _own(self, archive: str) -> None:
        for name, value in (("version", str(VERSION)), ("archive", archive)):
            self._db.execute("INSERT INTO facts VALUES (?, ?) ON CONFLICT DO NOTHING", (name, value))
            (found,) = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
            if found != value:
                raise LedgerError(f"the state file is for {name} {found}, not {value}")

    def save(self) -> None:
        """Make what was learned last."""
        if self.lasts:
            self._write_recent()
        self._db.execute("COMMIT")
        self._db.execute("BEGIN")

    def close(self) -> None:
        """Make what was learned last, and close the file."""
        self.save()
        self._db.execute("COMMIT")
        self._db.close()

    # What the archive lists ---------------------------------------------------------------------------------

    def see(self, entries: Iterable[Entry]) -> None:
        """Keep a listing in place of the last one; what was read of its digests stays only in a ledger that lasts."""
        if self.lasts:
            self._write_recent()
        else:
            self._recent.clear()
            self._db.execute("DELETE FROM digests")
            self._db.execute("DELETE FROM listed")
        self._db.execute("DELETE FROM seen")
        self._db.execute("DELETE FROM judged")
        self._db.executemany("INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?)", entries)

    def seen(self, prefix: str) -> list[str]:
        """Return the seen files below a prefix, in order."""
        rows = self._db.execute("SELECT key FROM seen WHERE key >= ? AND key < ? ORDER BY key", (prefix, prefix + LAST))
        return [row[0] for row in rows]

    def mark_of(self, key: str) -> str | None:
        """Return the mark of a seen file."""
        row = self._db.execute("SELECT mark FROM seen WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def modified(self, prefix: str) -> dict[str, float]:
        """Return when the seen files below a prefix were modified."""
        sql = "SELECT key, modified FROM seen WHERE key >= ? AND key < ?"
        return dict(self._db.execute(sql, (prefix, prefix + LAST)).fetchall())

    # Digests ------------------------------------------------------------------------------------------------

    def unread(self, keys: Iterable[str]) -> Iterator[str]:
        """Return the digests that must be read: not proved yet, or changed since."""
        return (key for key in keys if not (self.lasts and self.is_proved(key)))

    def put_digests(self, read: Iterable[tuple[Digest, list[Log]]]) -> None:
        """Keep digests that were read, with what they list; log files proved before stay proved while their hash is the same."""
        listed = []
        for digest, logs in read:
            known = self._forget(digest.key) if self.lasts else {}
            self._recent[digest.key] = digest
            for place, log in enumerate(logs):
                listed.append((digest.key, place, *log, known.get((log.key, log.sha256), "")))
        self._db.executemany("INSERT OR REPLACE INTO listed VALUES (?, ?, ?, ?, ?, ?)", listed)
        if len(self._recent) > RECENT_MAX:
            self._write_recent()

    def _write_recent(self) -> None:
        rows = ((one.key, one.refusal == "" and not one.problem, *one) for one in self._recent.values())
        self._db.executemany(PUT_DIGEST, rows)
        self._recent.clear()

    def _forget(self, key: str) -> dict[tuple[str, str], str]:
        """Forget what a digest listed; return with what mark each log file was proved, by key and hash."""
        rows = self._db.execute("SELECT key, sha256, proved FROM listed WHERE digest = ?", (key,)).fetchall()
        self._db.execute("DELETE FROM listed WHERE digest = ?", (key,))
        return {(row[0], row[1]): row[2] for row in rows}

    def digest(self, key: str) -> Digest | None:
        """Return a digest that was read."""
        if (recent := self._recent.get(key)) is not None:
            return recent
        row = self._db.execute(f"SELECT {DIGEST_COLUMNS} FROM digests WHERE key = ?", (key,)).fetchone()
        return Digest(*row) if row else None

    def prove_digest(self, key: str, signature: str) -> None:
        """Say that a digest's signature, which does not stand with it, is right."""
        self._write_recent()
        self._db.execute("UPDATE digests SET proved = 1, signature = ? WHERE key = ?", (signature, key))

    def trust(self, keys: Iterable[str]) -> None:
        """Let what digests list count as listed."""
        self._db.executemany("INSERT OR IGNORE INTO judged VALUES (?)", ((key,) for key in keys))

    def is_proved(self, key: str) -> bool:
        """Return whether a digest was proved, in this run or an earlier one, and has not changed since."""
        self._write_recent()
        return self._db.execute(IS_PROVED, (key,)).fetchone() is not None

    # Log files ----------------------------------------------------------------------------------------------

    def logs(self, digest: str) -> list[tuple[int, Log, str]]:
        """Return what a digest lists: place, log file, and the mark that it had when it was proved (empty: never)."""
        rows = self._db.execute(
            "SELECT place, origin, key, sha256, proved FROM listed WHERE digest = ? ORDER BY place", (digest,)
        )
        return [(row[0], Log(row[1], row[2], row[3]), row[4]) for row in rows]

    def prove_log(self, digest: str, place: int, mark: str) -> None:
        """Say that a log file has the content that its digest says."""
        self._db.execute("UPDATE listed SET proved = ? WHERE digest = ? AND place = ?", (mark, digest, place))

    def unlisted(self, prefix: str) -> Iterator[str]:
        """Yield the seen files below a prefix that no trusted digest lists."""
        cursor = self._db.execute(
            "SELECT key FROM seen WHERE key >= ? AND key < ? AND NOT EXISTS (SELECT 1 FROM listed JOIN judged"
            " USING (digest) WHERE listed.key = seen.key) ORDER BY key",
            (prefix, prefix + LAST),
        )
        while rows := cursor.fetchmany(BATCH):
            yield from (row[0] for row in rows)

    def lists_below(self, prefix: str) -> bool:
        """Return whether a trusted digest lists any file below a prefix."""
        sql = "SELECT 1 FROM listed JOIN judged USING (digest) WHERE listed.key >= ? AND listed.key < ? LIMIT 1"
        return self._db.execute(sql, (prefix, prefix + LAST)).fetchone() is not None

    def is_listed(self, key: str) -> bool:
        """Return whether a trusted digest lists a log file."""
        sql = "SELECT 1 FROM listed JOIN judged USING (digest) WHERE listed.key = ?"
        return self._db.execute(sql, (key,)).fetchone() is not None

    # Ends of logging ----------------------------------------------------------------------------------------

    def note_stops(self, trail: str, checked: Checked) -> None:
        """Keep when a trail was stopped."""
        self._db.executemany("INSERT OR IGNORE INTO stops VALUES (?, ?)", ((trail, at) for at in checked.stops))

    def stopped_between(self, trail: str, start: int, end: int) -> bool:
        """Return whether a trail was stopped at some time of a range, both ends included."""
        sql = "SELECT 1 FROM stops WHERE trail = ? AND at >= ? AND at <= ?"
        return self._db.execute(sql, (trail, start, end)).fetchone() is not None
