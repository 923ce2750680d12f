"""What happens to files after the commit: an object is placed, removed or amended, staged files are discarded.

Each may be repeated at any time, also long after newer writes: every write carries the number that its event has in the
journal, and the bucket drops what comes later than a newer one (see objects.folder).
"""

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from apitrail.errors import SinkError
from apitrail.objects.bucket import Bucket, Facts, ObjectInfo
from apitrail.objects.folder import FolderBucket
from apitrail.objects.past import NULL
from apitrail.services.buckets import OBJECT_CREATED, buckets
from apitrail.services.context import Context
from apitrail.services.operation import Deed, announce, effect
from apitrail.services.runtime import Runtime
from apitrail.services.s3.claims import AMEND, DROP, MARK, PLACE, REMOVE, waiting
from apitrail.services.s3.facts import facts_doc, read_facts
from apitrail.services.s3.retention import bucket_state
from apitrail.services.s3.rules import COLD_CLASSES

DISCARD, REMOVE_BUCKET, CONFIGURE = "s3/discard", "s3/remove-bucket", "s3/configure"
UPLOADS_FOLDER = "uploads"


def uploads_folder(runtime: Runtime) -> Path:
    """Return where the parts of unfinished uploads lie."""
    return runtime.data_dir / UPLOADS_FOLDER


def ask_place(ctx: Context, bucket: str, key: str, staged: str, facts: Facts) -> None:
    """Ask for a staged file to become an object, after the commit."""
    numbered = replace(facts, number=ctx.next_seq())
    ctx.effect(PLACE, {"Bucket": bucket, "Keys": [key], "Staged": staged, "Facts": facts_doc(numbered)})


def ask_remove(ctx: Context, bucket: str, keys: list[str]) -> None:
    """Ask for objects to be removed, after the commit."""
    ctx.effect(REMOVE, {"Bucket": bucket, "Keys": keys, "Number": ctx.next_seq()})


def ask_mark(ctx: Context, bucket: str, versions: dict[str, str]) -> None:
    """Ask for delete markers, after the commit. versions: their ids by key."""
    doc = {"Bucket": bucket, "Keys": list(versions), "Versions": list(versions.values()), "Number": ctx.next_seq()}
    ctx.effect(MARK, doc)


def ask_drop(ctx: Context, bucket: str, chosen: list[tuple[str, str]], bypass: bool) -> None:
    """Ask for versions to be removed for good, after the commit.

    chosen: pairs of key and id, or `null`. bypass: also those that are locked in governance mode.
    """
    doc = {"Bucket": bucket, "Keys": [key for key, _ in chosen], "Versions": [version for _, version in chosen]}
    ctx.effect(DROP, {**doc, "Bypass": bypass})


def ask_amend(ctx: Context, bucket: str, info: ObjectInfo, **facts: Any) -> None:
    """Ask for facts of a version of an object to be replaced, after the commit."""
    version = info.facts.version or NULL
    doc = {"Bucket": bucket, "Keys": [info.key], "Version": version, "Facts": facts, "Number": ctx.next_seq()}
    ctx.effect(AMEND, doc)


@effect(PLACE)
async def place(runtime: Runtime, deed: Deed) -> None:
    """Move a staged file into its bucket and tell who waits for it; a file that is gone was placed before."""
    name, key, path = deed.doc["Bucket"], deed.doc["Keys"][0], runtime.staging_dir / deed.doc["Staged"]
    if not await runtime.database.read(lambda tx: buckets(tx).has(name)):
        await asyncio.to_thread(path.unlink, missing_ok=True)
        return
    bucket, facts = runtime.bucket(name), read_facts(deed.doc["Facts"])
    try:
        await _put(bucket, key, path, facts)
    except SinkError as error:
        if error.code != "NoSuchFile":
            raise
    if facts.storage_class in COLD_CLASSES and isinstance(bucket, FolderBucket):
        await _archive(bucket, key, facts)
    await announce(runtime, Deed(OBJECT_CREATED, deed.account, deed.region, {"Bucket": name, "Key": key}))


async def _put(bucket: Bucket, key: str, path: Path, facts: Facts) -> None:
    """Place a file; the folder of a bucket that exists is made if it is missing."""
    try:
        await bucket.put_file(key, path, facts)
    except SinkError as error:
        if error.code != "NoSuchBucket" or not isinstance(bucket, FolderBucket):
            raise
        await bucket.create()
        await bucket.put_file(key, path, facts)


async def _archive(bucket: FolderBucket, key: str, facts: Facts) -> None:
    """Archive a version that was placed, unless another one has taken its place or it is archived already."""
    info = await bucket.head(key, version=facts.version or NULL)
    if info is not None and (info.facts.number, info.facts.is_archived) == (facts.number, False):
        await bucket.archive(info, facts.storage_class)


@effect(REMOVE)
async def remove(runtime: Runtime, deed: Deed) -> None:
    """Remove objects, unless they were written again since; numbers are remembered while older writes wait."""
    name, number = deed.doc["Bucket"], deed.doc["Number"]
    older = await runtime.database.read(lambda tx: _older_keys(tx, name, number))
    bucket = runtime.bucket(name)
    for key in deed.doc["Keys"]:
        try:
            await _delete(bucket, key, number, key in older)
        except SinkError as error:
            if error.code != "NoSuchBucket":
                raise


def _older_keys(tx: Any, bucket: str, number: int) -> set[str]:
    docs = [doc for doc in waiting(tx, bucket) if "Staged" in doc and doc["Facts"]["number"] < number]
    return {key for doc in docs for key in doc["Keys"]}


async def _delete(bucket: Bucket, key: str, number: int, remember: bool) -> None:
    if isinstance(bucket, FolderBucket):
        await bucket.delete(key, number=number, remember=remember)
    else:
        await bucket.delete(key)


@effect(AMEND)
async def amend(runtime: Runtime, deed: Deed) -> None:
    """Replace facts of a version of an object, unless it was written again since."""
    bucket, number = runtime.bucket(deed.doc["Bucket"]), deed.doc["Number"]

    def change(facts: Facts) -> Facts:
        return facts if facts.number > number else replace(facts, **deed.doc["Facts"])

    if isinstance(bucket, FolderBucket):
        await bucket.amend(deed.doc["Keys"][0], change, version=deed.doc["Version"])


@effect(MARK)
async def mark(runtime: Runtime, deed: Deed) -> None:
    """Put delete markers on top of keys."""
    bucket = runtime.bucket(deed.doc["Bucket"])
    assert isinstance(bucket, FolderBucket)
    for key, version in zip(deed.doc["Keys"], deed.doc["Versions"], strict=True):
        await bucket.mark(key, Facts(version=version, number=deed.doc["Number"]))


@effect(DROP)
async def drop(runtime: Runtime, deed: Deed) -> None:
    """Remove versions for good, but none that was locked meanwhile."""
    bucket = runtime.bucket(deed.doc["Bucket"])
    assert isinstance(bucket, FolderBucket)
    for key, version in zip(deed.doc["Keys"], deed.doc["Versions"], strict=True):
        await bucket.delete_version(key, version, bypass=deed.doc.get("Bypass", False))


@effect(CONFIGURE)
async def configure(runtime: Runtime, deed: Deed) -> None:
    """Tell the folder of a bucket how new files are to be stored, as it is set now."""
    name = deed.doc["Bucket"]
    bucket, row = runtime.bucket(name), await runtime.database.read(lambda tx: buckets(tx).get(name))
    if row is not None and isinstance(bucket, FolderBucket):
        await bucket.configure(bucket_state(row))


@effect(DISCARD)
async def discard(runtime: Runtime, deed: Deed) -> None:
    """Remove staged files (Staged0, ...) and parts or whole uploads (Upload0, ...: names below the uploads' folder)."""
    for member, name in deed.doc.items():
        base = uploads_folder(runtime) if member.startswith("Upload") else runtime.staging_dir
        await asyncio.to_thread(_drop, base / name)


def _drop(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@effect(REMOVE_BUCKET)
async def remove_bucket(runtime: Runtime, deed: Deed) -> None:
    """Remove the folder of a bucket that is no more, unless it was made again since."""
    name = deed.doc["Bucket"]
    bucket = runtime.bucket(name)
    if not isinstance(bucket, FolderBucket) or await runtime.database.read(lambda tx: buckets(tx).has(name)):
        return
    try:
        await bucket.remove()
    except SinkError as error:
        if error.code not in ("NoSuchBucket", "BucketNotEmpty"):
            raise
