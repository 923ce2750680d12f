"""The worker that follows lifecycle rules: it archives and removes what is due, daily and when rules change.

It looks at one page of versions at a time, and does nothing to an object that changed since, or that a call is still writing.
"""

import logging
from dataclasses import replace
from datetime import datetime
from functools import partial

from apitrail.errors import SinkError
from apitrail.objects.bucket import Facts, ObjectInfo, Version
from apitrail.objects.folder import FolderBucket
from apitrail.objects.past import NULL
from apitrail.services.buckets import buckets
from apitrail.services.runtime import Runtime
from apitrail.services.s3.claims import waiting
from apitrail.services.s3.facts import LIFECYCLE
from apitrail.services.s3.foreign import FOREIGN, follow
from apitrail.services.s3.lifecycle import WORKER
from apitrail.services.s3.multipart import UPLOADS, drop_upload
from apitrail.services.s3.rules import (
    COLD_CLASSES,
    Rule,
    after_days,
    class_of,
    expiry_of,
    is_marker_ended,
    is_old_ended,
    is_upload_ended,
    old_class_of,
)
from apitrail.services.s3.versions import ID_LENGTH, VERSIONING
from apitrail.store.resources import Doc

PAGE = 1000
AGAIN_S = 60.0
FOREIGN_MARK = "foreign:"
log = logging.getLogger("apitrail.lifecycle")


class LifecycleWorker:
    """Follows the lifecycle rules of all buckets once per day (UTC), and at once for rules that are new."""

    name = WORKER

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._followed: dict[str, tuple[datetime, list[Rule]]] = {}

    async def tick(self) -> float | None:
        """Follow the rules that were not followed today; return the seconds until midnight UTC."""
        now = self._runtime.clock.now()
        today = after_days(now, 0)
        entries = await self._runtime.database.read(lambda tx: buckets(tx).all())
        foreign = await self._runtime.database.read(lambda tx: FOREIGN.at(tx).all())
        works = {entry.doc["Name"]: (entry.doc[LIFECYCLE], entry.doc) for entry in entries if LIFECYCLE in entry.doc}
        works |= {f"{FOREIGN_MARK}{entry.id}": (entry.doc["Rules"], entry.doc) for entry in foreign}
        self._followed = {name: done for name, done in self._followed.items() if name in works}
        waits = [max(1.0, (today - now).total_seconds())] if works else []
        for name, (rules, doc) in works.items():
            if self._followed.get(name) == (today, rules):
                continue
            if not name.startswith(FOREIGN_MARK):
                await self._follow(doc, now)
            elif not await self._follow_foreign(doc, now):
                waits.append(AGAIN_S)
                continue
            self._followed[name] = (today, rules)
        return min(waits, default=None)

    async def _follow_foreign(self, doc: Doc, now: datetime) -> bool:
        """Follow the rules of a bucket at the foreign store; False when the store did not answer as it should."""
        try:
            await follow(self._runtime, doc, now)
        except SinkError as error:
            log.warning("cannot follow the rules of bucket %s: %s; again in %g s", doc["Bucket"], error, AGAIN_S)
            return False
        return True

    async def _follow(self, row: Doc, now: datetime) -> None:
        bucket = self._runtime.bucket(row["Name"])
        await self._abort(row, now)
        if not isinstance(bucket, FolderBucket):
            return
        busy = await self._runtime.database.read(
            lambda tx: {key for doc in waiting(tx, row["Name"]) for key in doc["Keys"]}
        )
        after: tuple[str, str] | None = ("", "")
        held: list[Version] = []
        while after is not None:
            page = await bucket.list_versions("", after, PAGE)
            for version in page.versions:
                if held and version.info.key != held[0].info.key:
                    await self._treat(bucket, row, held, busy, now)
                    held = []
                held.append(version)
            after = page.next
        if held:
            await self._treat(bucket, row, held, busy, now)

    async def _treat(self, bucket: FolderBucket, row: Doc, held: list[Version], busy: set[str], now: datetime) -> None:
        """Do what is due to the versions of one key, newest first."""
        infos = [version.info for version in held]
        if infos[0].key in busy:
            return
        rules: list[Rule] = row[LIFECYCLE]
        for newer in range(len(infos) - 1, 0, -1):
            await self._treat_old(bucket, rules, infos[newer], infos[newer - 1].modified, newer - 1, now)
        current = infos[0]
        if current.facts.is_marker:
            if len(infos) == 1 and is_marker_ended(rules, current.key):
                await bucket.delete_version(current.key, current.facts.version or NULL)
        else:
            await self._treat_current(bucket, row, current, now)

    async def _treat_current(self, bucket: FolderBucket, row: Doc, info: ObjectInfo, now: datetime) -> None:
        rules: list[Rule] = row[LIFECYCLE]
        expiry = expiry_of(rules, info)
        if expiry is not None and expiry[0] <= now:
            if VERSIONING not in row:
                await bucket.delete(info.key, only=info)
                return
            version = self._runtime.ids.token(ID_LENGTH) if row[VERSIONING] == "Enabled" else ""
            await bucket.mark(info.key, Facts(version=version), only=info)
            return
        await self._move(bucket, info, class_of(rules, info, now), now)

    async def _treat_old(
        self, bucket: FolderBucket, rules: list[Rule], info: ObjectInfo, since: datetime, newer: int, now: datetime
    ) -> None:
        if is_old_ended(rules, info, since, newer, now):
            await bucket.delete_version(info.key, info.facts.version or NULL)
        elif not info.facts.is_marker:
            await self._move(bucket, info, old_class_of(rules, info, since, newer, now), now)

    async def _move(self, bucket: FolderBucket, info: ObjectInfo, wanted: str, now: datetime) -> None:
        """Give a version its storage class, and take away the readable copy of an archived one when its time is over."""
        version = info.facts.version or NULL
        if 0 < info.facts.restored_until <= now.timestamp():
            await bucket.restore(info.key, version, 0)
        elif wanted == (info.facts.storage_class or "STANDARD"):
            return
        elif wanted in COLD_CLASSES and not info.facts.is_archived:
            await bucket.archive(info, wanted)
        else:
            await bucket.amend(info.key, partial(_in_class, wanted), version=version)

    async def _abort(self, row: Doc, now: datetime) -> None:
        """Give up the uploads of a bucket that are due."""
        entries = await self._runtime.database.read(lambda tx: UPLOADS.at(tx).find("Bucket", row["Name"]))
        for entry in entries:
            if is_upload_ended(row[LIFECYCLE], entry.doc["Key"], entry.doc["Initiated"], now):
                work = partial(drop_upload, upload=entry.doc)
                await self._runtime.write(row["OwnerAccount"], row["Region"], work)


def _in_class(storage_class: str, facts: Facts) -> Facts:
    return replace(facts, storage_class=storage_class)
