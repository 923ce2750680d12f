"""A bucket that is a directory: the files are the objects, so people can list and read them with their own tools.

Where a key lies is said in keys, what is kept beside the bytes in sidecar. Everything of ours is below
`.apitrail` in the root; the rest is the objects. Files put or edited by hand are objects as well, and answer with
their true bytes and ETag. Symbolic links and special files are not objects and never followed.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from apitrail.objects.bucket import (
    Facts,
    ObjectInfo,
    Page,
    VersionPage,
    check_key,
)
from apitrail.objects.files import FolderFiles
from apitrail.objects.folder_body import FolderBody
from apitrail.objects.state import BucketState


class FolderBucket(FolderFiles):
    """The bucket in one directory. Any number of instances, threads and processes may use it at once."""

    # What a Bucket does -------------------------------------------------------------------------------------

    async def put(
        self,
        key: str,
        body: bytes,
        *,
        content_type: str,
        content_encoding: str = "",
        metadata: Mapping[str, str] = {},
    ) -> None:
        """Store body under key, durably; see Bucket.put."""
        facts = Facts(content_type=content_type, content_encoding=content_encoding, metadata=dict(metadata))
        await self._call(lambda: self._put_bytes(key, body, facts))

    async def put_file(self, key: str, path: Path, facts: Facts) -> ObjectInfo:
        """Move a staged file in place, by rename where it lies on the same file system; see Bucket.put_file.

        Raises: SinkError NoSuchFile when the staged file is not there.
        """
        return await self._call(lambda: self._put_file(key, path, facts))

    async def get(
        self, key: str, start: int | None = None, end: int | None = None, *, version: str | None = None
    ) -> FolderBody:
        """Open an object or a range of it; see Bucket.get. version: its id, `null`, or None for the current one."""
        return await self._call(lambda: self._get(key, start, end, version))

    async def head(self, key: str, *, version: str | None = None) -> ObjectInfo | None:
        """Return what is known of an object; see Bucket.head. version: as in get; a delete marker is told as well."""
        return await self._call(lambda: self._head_version(check_key(key), version))

    async def list(self, prefix: str = "", after: str = "", limit: int = 1000, delimiter: str = "") -> Page:
        """Return a page of the listing; see Bucket.list."""
        return await self._call(lambda: self._list(prefix, after, limit, delimiter))

    async def delete(
        self, key: str, *, number: int = 0, remember: bool = False, only: ObjectInfo | None = None
    ) -> bool:
        """Remove an object; see Bucket.delete.

        number: the place of this delete in the order of writes (see Facts); an object with a higher one stays.
        remember: keep the number, as a write with a lower one may still come. only: as in mark.
        """
        return await self._call(lambda: self._delete(check_key(key), number, remember, only))

    async def check(self) -> None:
        """Write and remove a temporary file; see Bucket.check."""
        await self._call(self._check)

    # What only a folder does --------------------------------------------------------------------------------

    async def create(self) -> None:
        """Make the directory, durably; nothing happens when it is there."""
        await self._call(self._create)

    async def remove(self) -> None:
        """Remove the directory with all that is ours. Raises: SinkError BucketNotEmpty when it holds an object."""
        await self._call(self._remove)

    async def amend(
        self, key: str, change: Callable[[Facts], Facts], *, version: str | None = None
    ) -> ObjectInfo | None:
        """Change what is kept beside the bytes, atomically; None when there is no object. version: as in get."""
        return await self._call(lambda: self._amend(check_key(key), change, version))

    async def configure(self, state: BucketState) -> None:
        """Keep how new files of this bucket are to be stored, for all who write into it."""
        await self._call(lambda: self._configure(state))

    async def mark(self, key: str, facts: Facts, *, only: ObjectInfo | None = None) -> None:
        """Put a delete marker on top of a key's versions; facts have its version and number. Repeating it changes nothing.

        only: do nothing unless this is the current object.
        """
        await self._call(lambda: self._mark(check_key(key), facts, only))

    async def archive(self, info: ObjectInfo, storage_class: str) -> bool:
        """Compress a version into the archive, from which it must be restored; False when it is not as told any more."""
        return await self._call(lambda: self._archive(info, storage_class))

    async def restore(self, key: str, version: str, until: int) -> bool:
        """Make a readable copy of an archived version, until a time (epoch seconds), or remove it for 0; False without one."""
        return await self._call(lambda: self._restore(check_key(key), version, until))

    async def delete_version(self, key: str, version: str, *, bypass: bool = False) -> bool:
        """Remove one version for good; the newest that is left becomes current. False when there was none, or it is locked.

        version: its id, or `null`. bypass: see Facts.is_locked.
        """
        return await self._call(lambda: self._delete_version(check_key(key), version, bypass))

    async def list_versions(
        self, prefix: str = "", after: tuple[str, str] = ("", ""), limit: int = 1000, delimiter: str = ""
    ) -> VersionPage:
        """Return the versions after one (its key and id; without id: after all of the key), newest first for each key."""
        return await self._call(lambda: self._list_versions(prefix, after, limit, delimiter))
