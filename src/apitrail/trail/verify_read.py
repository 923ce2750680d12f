"""What worker processes do: read digest files with the proof of their signatures, and check log files, a few at a time."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from apitrail.trail.verify_archive import Archive
from apitrail.trail.verify_files import Checked, Digest, Log, check_logs, read_digest
from apitrail.trail.verify_keys import KeySet


class Reader(NamedTuple):
    """An archive and the keys to prove it with."""

    archive: Archive
    keys: KeySet


def open_reader(open_archive: Callable[[], Archive], keys: Mapping[str, bytes]) -> Reader:
    """Open an archive in this process. keys: public keys (DER) by fingerprint."""
    return Reader(open_archive(), KeySet(keys))


def read_digests(reader: Reader, keys: Sequence[str]) -> list[tuple[Digest, list[Log]]]:
    """Return digest files and the log files that they list; where a signature stands with one, it is checked."""
    read = (read_digest(key, *found) for key, found in reader.archive.objects(keys))
    return [(_proved(digest, reader.keys), logs) for digest, logs in read]


def _proved(digest: Digest, keys: KeySet) -> Digest:
    if digest.problem or not digest.signature:
        return digest
    return digest._replace(refusal=keys.problem(digest, digest.signature))


def check_files(reader: Reader, wanted: Iterable[tuple[str, str]], look_for: tuple[str, ...] = ()) -> list[Checked]:
    """Return what became of log files; see check_logs."""
    return check_logs(reader.archive, wanted, look_for)
