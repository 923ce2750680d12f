"""Pages of versions: pure, from names of keys and what each has."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from apitrail.errors import SinkError
from apitrail.objects.bucket import ObjectInfo, Version, VersionPage
from apitrail.objects.paging import Names
from apitrail.objects.past import NULL, Record

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def record_info(record: Record) -> ObjectInfo:
    """Return a record as an object."""
    entry = record.entry
    modified = EPOCH + timedelta(microseconds=entry.mtime_ns // 1000)
    size = entry.facts.archived_size if entry.facts.is_archived else entry.size
    return ObjectInfo(record.key, size, entry.facts.etag, modified, entry.facts)


def check_restored(record: Record, now: datetime) -> None:
    """Refuse to open an archived version without a restored copy. Raises: SinkError InvalidObjectState."""
    if record.entry.facts.restored_until <= now.timestamp():
        message = f"{record.key!r} is archived and must be restored first."
        raise SinkError(message, code="InvalidObjectState", temporary=False)


def ranked(infos: Sequence[ObjectInfo]) -> Sequence[Version]:
    """Return the versions of a key, newest first, each id once."""
    known: dict[str, ObjectInfo] = {}
    for info in infos:
        known.setdefault(info.facts.version, info)
    return [Version(info, place == 0) for place, info in enumerate(known.values())]


def later_than(versions: Sequence[Version], mark: str) -> Sequence[Version]:
    """Return the versions of a key that come after one in a listing; none when that one is gone."""
    places = [place for place, one in enumerate(versions) if (one.info.facts.version or NULL) == mark]
    return versions[places[0] + 1 :] if places else ()


def cut_page(
    begun: Sequence[Version],
    names: Names,
    versions_of: Callable[[bytes], Sequence[Version]],
    limit: int,
) -> VersionPage:
    """Return a page of at most limit versions and common prefixes.

    begun: those that are left of the key where the last page ended. names: keys and common prefixes that follow.
    """
    prefixes = set(names.prefixes)
    versions, last = list(begun[:limit]), _mark_of(begun[:limit])
    rolled: list[str] = []
    more = len(begun) > limit
    for name in sorted([*names.keys, *names.prefixes], key=str.encode):
        room = limit - len(versions) - len(rolled)
        found = [] if name in prefixes else list(versions_of(name.encode()))
        if not room and (name in prefixes or found):
            more = True
        if more:
            break
        if name in prefixes:
            rolled.append(name)
            last = (name, "")
            continue
        versions += found[:room]
        last = _mark_of(found[:room]) or last
        more = len(found) > room
    return VersionPage(versions, rolled, last if more else None)


def _mark_of(versions: Sequence[Version]) -> tuple[str, str] | None:
    if not versions:
        return None
    info = versions[-1].info
    return info.key, info.facts.version or NULL
