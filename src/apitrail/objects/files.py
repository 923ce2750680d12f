"""The work of a folder bucket on its files. All of it blocks, and is called in threads by the bucket (see folder).

A put is: write the bytes beside and sync them; under the key's lock write and sync the sidecar with the entries of
the new and the old file; rename the file into place and sync its folder. A crash before the rename leaves the
old object with its old entry, after it the new one with its new entry. Temporary files lie in `.apitrail/tmp` and
are swept when a bucket is first written to and nobody else writes. Needs a local file system that tells letter
case apart, renames atomically and has flock. Names that are not UTF-8 are not seen.
"""

import asyncio
import hashlib
import itertools
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from apitrail.clock import Clock, SystemClock
from apitrail.errors import SinkError
from apitrail.objects import keys, tree
from apitrail.objects.bucket import (
    Facts,
    ObjectInfo,
    Page,
    Version,
    VersionPage,
    check_key,
    check_range,
    no_such_bucket,
    no_such_key,
    no_such_version,
)
from apitrail.objects.content import (
    blocks,
    md5_of,
    open_staged,
    remove_folders,
    told_apart,
    write_all,
)
from apitrail.objects.folder_body import FolderBody
from apitrail.objects.paging import paging, run
from apitrail.objects.past import COLD, NULL, PAST, Past, Record, newest, order_of
from apitrail.objects.sidecar import SIDECAR_BYTES_MAX, Entry, Sidecar, decode_sidecar
from apitrail.objects.state import STATE, BucketState, decode_state
from apitrail.objects.versions import check_restored, cut_page, later_than, ranked, record_info
from apitrail.objects.walk import BucketWalk, Levels

ETAGS_REMEMBERED = 16_384
READ_ATTEMPTS = 50
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WRITERS = (keys.OWN, b"writers")
Result = TypeVar("Result")
_temporary_names = itertools.count(1)


class FolderFiles:
    """The files of one bucket: current ones, and through Past those behind them."""

    def __init__(self, root: Path, clock: Clock | None = None) -> None:
        self.root = root
        self._clock = clock or SystemClock()
        self._levels = Levels(root, self._clock)
        self._opened = False
        self._opening = threading.Lock()
        self._etags: dict[tuple[int, int, int, int], str] = {}
        self._past = Past(root)

    async def _call(self, work: Callable[[], Result]) -> Result:
        return await asyncio.to_thread(self._translated, work)

    def _translated(self, work: Callable[[], Result]) -> Result:
        try:
            return work()
        except OSError as error:
            if not self.root.is_dir():
                raise no_such_bucket(self.root.name) from error
            raise tree.sink_error(error, self.root) from error

    def _create(self) -> None:
        for missing in reversed([folder for folder in (self.root, *self.root.parents) if not folder.exists()]):
            missing.mkdir(exist_ok=True)
            with tree.folder(missing.parent, ()) as above:
                os.fsync(above)

    def _remove(self) -> None:
        self._open()
        with tree.locked(self.root, WRITERS):
            if (
                self._list("", "", 1, "").objects
                or not self._past.is_empty()
                or not all(map(remove_folders, self._foreign()))
            ):
                message = f"The bucket {self.root.name} is not empty."
                raise SinkError(message, code="BucketNotEmpty", temporary=False)
            shutil.rmtree(self.root / ".apitrail")
            self.root.rmdir()
            self._opened = False
        with tree.folder(self.root.parent, ()) as above:
            os.fsync(above)

    def _foreign(self) -> Sequence[Path]:
        return [child for child in self.root.iterdir() if child.name != ".apitrail"]

    def _open(self) -> None:
        """Make our own folders and sweep what a crash left, once per instance and as long as the folder stands."""
        with self._opening:
            if self._opened and (self.root / ".apitrail" / "tmp").is_dir():
                return
            for names in (keys.STAGING, keys.LOCKS, keys.FACTS):
                with tree.folder(self.root, names, make=True):
                    continue
            with tree.locked_alone(self.root, WRITERS) as alone:
                if alone:
                    self._sweep()
            self._opened = True

    def _sweep(self) -> None:
        with tree.folder(self.root, keys.STAGING) as staging, os.scandir(staging) as found:
            for entry in found:
                os.unlink(entry.name, dir_fd=staging)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Say that somebody writes, so that nobody sweeps or removes the bucket."""
        self._open()
        with tree.locked(self.root, WRITERS, shared=True):
            yield

    @contextmanager
    def _temporary(self) -> Iterator[tuple[Path, int]]:
        """Give a new file beside the objects, to be renamed or else removed at the end."""
        path = self.root / ".apitrail" / "tmp" / f"{os.getpid()}-{next(_temporary_names)}"
        path.unlink(missing_ok=True)
        descriptor = os.open(path, tree.CREATE_FLAGS, 0o644)
        try:
            yield path, descriptor
        finally:
            os.close(descriptor)
            path.unlink(missing_ok=True)

    def _put_bytes(self, key: str, body: bytes, facts: Facts) -> ObjectInfo:
        encoded = check_key(key)
        with self._writing(), self._temporary() as (path, descriptor):
            write_all(descriptor, body)
            etag = facts.etag or hashlib.md5(body, usedforsecurity=False).hexdigest()
            state = self._state_of_bucket()
            version = state.version_for(encoded, descriptor)
            if version and (there := self._head(encoded)) is not None and _is_same(there, replace(facts, etag=etag)):
                return there  # a put that is repeated makes no second version
            facts = state.retained(replace(facts, etag=etag, version=version), self._clock.now())
            return self._install(encoded, path, descriptor, facts)

    def _put_file(self, key: str, path: Path, facts: Facts) -> ObjectInfo:
        encoded = check_key(key)
        with self._writing(), open_staged(path) as descriptor:
            facts = facts if facts.etag else replace(facts, etag=md5_of(descriptor))
            if os.fstat(descriptor).st_dev == self.root.stat().st_dev:
                return self._install(encoded, path, descriptor, facts)
            info = self._copy_in(encoded, descriptor, facts)
            path.unlink()
            return info

    def _copy_in(self, key: bytes, source: int, facts: Facts) -> ObjectInfo:
        with self._temporary() as (path, descriptor):
            for block in blocks(source):
                write_all(descriptor, block)
            return self._install(key, path, descriptor, facts)

    def _install(self, key: bytes, path: Path, descriptor: int, facts: Facts) -> ObjectInfo:
        now_ns = int(self._clock.now().timestamp() * 1_000_000) * 1000
        os.utime(descriptor, ns=(now_ns, now_ns))
        os.fsync(descriptor)
        with self._locked(key):
            old, sidecar = self._state(key), self._sidecar(key)
            if 0 < facts.number < sidecar.number:
                return self._superseded(key, path, descriptor, facts)
            state = told_apart(descriptor, old)
            self._push(key, sidecar, facts.version)
            kept = sidecar.entry_of(old) if old else None
            entry = Entry(state.st_size, state.st_mtime_ns, facts)
            entries = (entry, kept) if kept else (entry,)
            self._write_sidecar(Sidecar(key.decode(), entries, max(facts.number, sidecar.number)))
            self._place(key, path)
            return _info(key, state, facts)

    def _superseded(self, key: bytes, path: Path, descriptor: int, facts: Facts) -> ObjectInfo:
        """Drop the bytes of a write that comes late, or keep them as an older version; a newer write or delete has happened."""
        state = os.fstat(descriptor)
        if facts.version:
            self._add_record(key, facts.number, Entry(state.st_size, state.st_mtime_ns, facts), path)
        path.unlink(missing_ok=True)
        return _info(key, state, facts)

    def _add_record(self, key: bytes, number: int, entry: Entry, source: Path | None = None) -> None:
        """Keep a version among the records; source: a file to be moved there."""
        record = Record(key.decode(), order_of(number, entry.mtime_ns), entry)
        if source is not None:
            self._past.take(record, source)
        with self._temporary() as temporary:
            self._past.write(record, temporary)

    def _push(self, key: bytes, sidecar: Sidecar, version: str) -> None:
        """Make room for a new current version: the old one becomes a record, unless both are null versions."""
        current = self._current(key, sidecar)
        if current is not None and not version and not current.facts.version:
            self._check_unlocked(key, current.facts)
        elif current is not None:
            plain, odd = keys.plain_path(key), keys.odd_path(key)
            source = plain if plain and tree.stat_file(self.root, plain) else odd
            record = Record(key.decode(), order_of(sidecar.number, current.mtime_ns), current)
            self._past.link(record, source)
            with self._temporary() as temporary:
                self._past.write(record, temporary)
        if not version:
            self._drop_nulls(key)
        self._past.note_cold(key, is_cold=False)

    def _drop_nulls(self, key: bytes) -> None:
        for record in self._past.records(key):
            if not record.version:
                self._check_unlocked(key, record.entry.facts)
                self._past.drop(record)

    def _check_unlocked(self, key: bytes, facts: Facts) -> None:
        """Raise SinkError AccessDenied for a version that is locked; the write may be repeated when it is not any more."""
        if facts.is_locked(self._clock.now()):
            raise SinkError(f"{key.decode()!r} is protected by object lock.", code="AccessDenied", temporary=True)

    def _current(self, key: bytes, sidecar: Sidecar) -> Entry | None:
        """Return the entry of the current file, None where there is none; one that was edited has what still holds."""
        state = self._state(key)
        if state is None:
            return None
        return sidecar.entry_of(state) or Entry(state.st_size, state.st_mtime_ns, sidecar.edited_facts())

    def _place(self, key: bytes, path: Path) -> None:
        plain, odd = keys.plain_path(key), keys.odd_path(key)
        if plain and tree.place(self.root, path, plain):
            tree.remove(self.root, odd, keep=1)
        elif not tree.place(self.root, path, odd):
            raise SinkError(f"{key.decode()!r} cannot be placed.", code="InternalError", temporary=False)

    def _locked(self, key: bytes) -> AbstractContextManager[None]:
        return tree.locked(self.root, (*keys.LOCKS, keys.lock_name(key)))

    def _sidecar(self, key: bytes) -> Sidecar:
        content = tree.read_small(self.root, keys.facts_path(key), SIDECAR_BYTES_MAX)
        return decode_sidecar(content, key.decode())

    def _write_sidecar(self, sidecar: Sidecar) -> None:
        content = sidecar.encode()
        if len(content) > SIDECAR_BYTES_MAX:
            raise SinkError("The metadata is too large.", code="MetadataTooLarge", temporary=False)
        with self._temporary() as (path, descriptor):
            write_all(descriptor, content)
            os.fsync(descriptor)
            tree.place(self.root, path, keys.facts_path(sidecar.key.encode()))

    def _state(self, key: bytes) -> os.stat_result | None:
        plain = keys.plain_path(key)
        found = tree.stat_file(self.root, plain) if plain else None
        return found or tree.stat_file(self.root, keys.odd_path(key))

    def _open_object(self, key: bytes) -> int | None:
        plain = keys.plain_path(key)
        found = tree.open_file(self.root, plain) if plain else None
        return found if found is not None else tree.open_file(self.root, keys.odd_path(key))

    def _head(self, key: bytes) -> ObjectInfo | None:
        state = self._state(key)
        entry = self._sidecar(key).entry_of(state) if state else None
        if state is None:
            self._stand()
            record = self._cold(key)
            return None if record is None else record_info(record)
        if entry:
            return _info(key, state, entry.facts)
        found = self._open_known(key)
        if found is None:
            return None
        os.close(found[0])
        return found[1]

    def _cold(self, key: bytes) -> Record | None:
        """Return the record of a key whose current object is archived."""
        record = newest(self._past.records(key)) if self._past.is_cold(key) else None
        return record if record is not None and record.entry.facts.is_archived else None

    def _archive(self, info: ObjectInfo, storage_class: str) -> bool:
        key = info.key.encode()
        with self._writing(), self._locked(key):
            if self._head_version(key, info.facts.version or NULL) != info or info.facts.is_archived:
                return False
            found = self._open_version(key, info.facts.version or NULL)
            if found is None:
                return False
            try:
                self._pack(key, found[0], replace(info.facts, storage_class=storage_class, archived_size=info.size))
            finally:
                os.close(found[0])
            return True

    def _pack(self, key: bytes, descriptor: int, facts: Facts) -> None:
        """Write the archived bytes, then the record that says so, then remove what was readable."""
        state, sidecar = os.fstat(descriptor), self._sidecar(key)
        record = self._record(key, facts.version or NULL)
        is_current = _identity(self._state(key)) == _identity(state)
        order = order_of(sidecar.number, state.st_mtime_ns) if record is None or is_current else record.order
        packed = Record(key.decode(), order, Entry(state.st_size, state.st_mtime_ns, facts))
        with self._temporary() as temporary:
            self._past.pack(packed, descriptor, temporary)
        with self._temporary() as temporary:
            self._past.write(packed, temporary)
        if is_current:
            self._past.note_cold(key, is_cold=True)
            self._write_sidecar(Sidecar(key.decode(), (), sidecar.number))
            self._unplace(key)
        self._past.drop_copy(packed)

    def _restore(self, key: bytes, version: str, until: int) -> bool:
        with self._writing(), self._locked(key):
            record = self._record(key, version)
            if record is None or not record.entry.facts.is_archived:
                return False
            if until:
                with self._temporary() as temporary:
                    self._past.unpack(record, temporary)
            facts = replace(record.entry.facts, restoring=False, restored_until=until)
            with self._temporary() as temporary:
                self._past.write(replace(record, entry=replace(record.entry, facts=facts)), temporary)
            if not until:
                self._past.drop_copy(record)
            return True

    def _stand(self) -> None:
        """Return if the directory is there. Raises: SinkError NoSuchBucket."""
        if not self.root.is_dir():
            raise no_such_bucket(self.root.name)

    def _open_known(self, key: bytes) -> tuple[int, ObjectInfo] | None:
        """Open an object and return its descriptor and what is known of it, None where there is none.

        A file that fits no entry of the sidecar read after it was opened was edited by hand, if it is still in place.
        If it is not, a put or delete came between, and all is looked at again.
        """
        for _ in range(READ_ATTEMPTS):
            descriptor = self._open_object(key)
            if descriptor is None:
                return None
            try:
                info = self._info_of(key, descriptor)
            except BaseException:
                os.close(descriptor)
                raise
            if info:
                return descriptor, info
            os.close(descriptor)
        raise SinkError(f"{key.decode()!r} changes too fast to be read.", code="SlowDown", temporary=True)

    def _info_of(self, key: bytes, descriptor: int) -> ObjectInfo | None:
        """Return what is known of an open file, None if it is one of ours that was replaced meanwhile."""
        state, sidecar = os.fstat(descriptor), self._sidecar(key)
        entry = sidecar.entry_of(state)
        if entry:
            return _info(key, state, entry.facts)
        if _identity(self._state(key)) != _identity(state):
            return None
        return _info(key, state, replace(sidecar.edited_facts(), etag=self._etag(descriptor, state)))

    def _etag(self, descriptor: int, state: os.stat_result) -> str:
        """Return the MD5 of an open file, remembered while the file stays as it is."""
        file = (state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
        found = self._etags.get(file)
        if found is None:
            found = md5_of(descriptor)
            if len(self._etags) >= ETAGS_REMEMBERED:
                self._etags.clear()
            self._etags[file] = found
        return found

    def _get(self, key: str, start: int | None, end: int | None, version: str | None) -> FolderBody:
        found = self._open_version(check_key(key), version)
        if found is None:
            self._stand()
            raise no_such_key(key) if version is None else no_such_version(key, version)
        descriptor, info = found
        try:
            return FolderBody(descriptor, info, *check_range(info.size, start, end))
        except SinkError:
            os.close(descriptor)
            raise

    def _list(self, prefix: str, after: str, limit: int, delimiter: str) -> Page:
        self._stand()
        walk = BucketWalk(self._levels, prefix.encode(), COLD)
        names = run(paging(prefix, after, limit, delimiter), walk.find)
        return Page(self._heads([key.encode() for key in names.keys]), names.prefixes, names.next)

    def _heads(self, found: Sequence[bytes]) -> Sequence[ObjectInfo]:
        """Return what is known of many objects; sidecars are read in the order of their folders."""
        with tree.Reach(self.root) as reach:
            plain = {key: reach.stat(path) for key in found if (path := keys.plain_path(key))}
        with tree.Reach(self.root) as reach:
            places = sorted((keys.facts_path(key), key) for key in found)
            contents = {key: reach.read(place, SIDECAR_BYTES_MAX) for place, key in places}
        infos = []
        for key in found:
            state, sidecar = plain.get(key), decode_sidecar(contents[key], key.decode())
            entry = sidecar.entry_of(state) if state else None
            info = _info(key, state, entry.facts) if state and entry else self._head(key)
            if info:
                infos.append(info)
        return infos

    def _open_version(self, key: bytes, version: str | None) -> tuple[int, ObjectInfo] | None:
        found = self._open_known(key)
        if found is not None and version in (None, found[1].facts.version or NULL):
            return found
        if found is not None:
            os.close(found[0])
        record = self._cold(key) if version is None else self._record(key, version)
        if record is not None and record.entry.facts.is_archived:
            check_restored(record, self._clock.now())
        descriptor = self._past.open(record) if record is not None and not record.is_marker else None
        return None if record is None or descriptor is None else (descriptor, record_info(record))

    def _record(self, key: bytes, version: str) -> Record | None:
        return next((one for one in self._past.records(key) if (one.version or NULL) == version), None)

    def _head_version(self, key: bytes, version: str | None) -> ObjectInfo | None:
        info = self._head(key)
        if version is None or (info is not None and (info.facts.version or NULL) == version):
            return info
        record = self._record(key, version)
        return None if record is None else record_info(record)

    def _configure(self, state: BucketState) -> None:
        self._create()
        with self._writing(), self._temporary() as (path, descriptor):
            write_all(descriptor, state.encode())
            os.fsync(descriptor)
            tree.place(self.root, path, STATE)

    def _state_of_bucket(self) -> BucketState:
        return decode_state(tree.read_small(self.root, STATE, SIDECAR_BYTES_MAX))

    def _mark(self, key: bytes, facts: Facts, only: ObjectInfo | None) -> None:
        self._stand()
        with self._writing(), self._locked(key):
            sidecar = self._sidecar(key)
            number = facts.number or sidecar.number
            is_newest = not facts.number or number > sidecar.number
            if only is not None and self._head(key) != only:
                return
            if not is_newest and self._record(key, facts.version or NULL) is not None:
                return
            if is_newest:
                self._push(key, sidecar, facts.version)
            if is_newest or facts.version:
                now_ns = int(self._clock.now().timestamp() * 1e9)
                self._add_record(key, number, Entry(0, now_ns, replace(facts, is_marker=True)))
            if is_newest:
                self._write_sidecar(Sidecar(key.decode(), (), number))
                self._unplace(key)

    def _unplace(self, key: bytes) -> bool:
        plain = keys.plain_path(key)
        odd = tree.remove(self.root, keys.odd_path(key), keep=1)
        return bool(plain and tree.remove(self.root, plain)) or odd

    def _delete_version(self, key: bytes, version: str, bypass: bool) -> bool:
        self._stand()
        with self._writing(), self._locked(key):
            sidecar = self._sidecar(key)
            current = self._current(key, sidecar)
            gone = [record for record in self._past.records(key) if (record.version or NULL) == version]
            is_current = current is not None and (current.facts.version or NULL) == version
            entries = [*(record.entry for record in gone), *([current] if current is not None and is_current else [])]
            if any(entry.facts.is_locked(self._clock.now(), bypass=bypass) for entry in entries):
                return False
            for record in gone:
                self._past.drop(record)
            if is_current:
                self._unplace(key)
            if is_current or current is None:
                self._promote(key, sidecar.number)
            return is_current or bool(gone)

    def _promote(self, key: bytes, number: int) -> None:
        """Make the newest record the current file, unless it is a delete marker."""
        record = newest(self._past.records(key))
        is_cold = record is not None and record.entry.facts.is_archived
        self._past.note_cold(key, is_cold=is_cold)
        if record is None:
            tree.remove(self.root, keys.facts_path(key), keep=2)
        elif not record.is_marker and not is_cold:
            self._write_sidecar(Sidecar(key.decode(), (record.entry,), number))
            self._place(key, self._past.data_path(record))
            self._past.drop(record)

    def _list_versions(self, prefix: str, after: tuple[str, str], limit: int, delimiter: str) -> VersionPage:
        self._stand()
        walk = BucketWalk(self._levels, prefix.encode(), PAST)
        names = run(paging(prefix, after[0], limit + 1, delimiter), walk.find)
        begun = later_than(self._versions(after[0].encode()), after[1]) if after[1] else ()
        return cut_page(begun, names, self._versions, limit)

    def _versions(self, key: bytes) -> Sequence[Version]:
        """Return all versions of a key, newest first."""
        info = self._head(key)
        records = (record_info(record) for record in self._past.records(key))
        return ranked([*([info] if info else []), *records])

    def _delete(self, key: bytes, number: int, remember: bool, only: ObjectInfo | None = None) -> bool:
        self._stand()
        if self._state(key) is None and not remember and not self._past.is_cold(key):
            return False
        with self._writing(), self._locked(key):
            if 0 < number < self._sidecar(key).number or (only is not None and self._head(key) != only):
                return False
            gone = self._cold(key) is not None
            current = self._current(key, self._sidecar(key))
            if current is not None:
                self._check_unlocked(key, current.facts)
            self._drop_nulls(key)
            self._past.note_cold(key, is_cold=False)
            gone = self._unplace(key) or gone
            if remember:
                self._write_sidecar(Sidecar(key.decode(), (), number))
            else:
                tree.remove(self.root, keys.facts_path(key), keep=2)
        return gone

    def _amend(self, key: bytes, change: Callable[[Facts], Facts], version: str | None) -> ObjectInfo | None:
        self._stand()
        with self._writing(), self._locked(key):
            found = self._open_known(key)
            if found is None or version not in (None, found[1].facts.version or NULL):
                if found is not None:
                    os.close(found[0])
                return self._amend_record(key, change, version or "")
            descriptor, info = found
            state = os.fstat(descriptor)
            os.close(descriptor)
            facts = change(info.facts)
            entry = Entry(state.st_size, state.st_mtime_ns, facts)
            self._write_sidecar(Sidecar(key.decode(), (entry,), self._sidecar(key).number))
            return _info(key, state, facts)

    def _amend_record(self, key: bytes, change: Callable[[Facts], Facts], version: str) -> ObjectInfo | None:
        record = self._record(key, version)
        if record is None or record.is_marker:
            return None
        changed = replace(record, entry=replace(record.entry, facts=change(record.entry.facts)))
        with self._temporary() as temporary:
            self._past.write(changed, temporary)
        return record_info(changed)

    def _check(self) -> None:
        self._stand()
        with self._writing(), self._temporary() as (_, descriptor):
            write_all(descriptor, b"apitrail")
            os.fsync(descriptor)


def _is_same(there: ObjectInfo, facts: Facts) -> bool:
    """Return whether a version has the bytes and the headers of one that is about to be put."""
    kept = there.facts
    return bool(kept.version) and (there.etag, kept.content_type, kept.content_encoding, kept.metadata) == (
        facts.etag,
        facts.content_type,
        facts.content_encoding,
        facts.metadata,
    )


def _identity(state: os.stat_result | None) -> tuple[int, int, int] | None:
    return (state.st_ino, state.st_size, state.st_mtime_ns) if state else None


def _info(key: bytes, state: os.stat_result, facts: Facts) -> ObjectInfo:
    modified = EPOCH + timedelta(microseconds=state.st_mtime_ns // 1000)
    return ObjectInfo(key.decode(), state.st_size, facts.etag, modified, facts)
