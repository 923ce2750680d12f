"""Multipart uploads: documents of uploads and parts in the store, the parts' bytes in files below `uploads/<upload id>`.

Source: Amazon S3 API Reference and User Guide, multipart upload limits and checksums.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from apitrail.errors import ServiceError
from apitrail.identity.principal import Principal
from apitrail.objects.bucket import check_key
from apitrail.services.context import Context
from apitrail.services.operation import operation
from apitrail.services.runtime import Runtime
from apitrail.services.s3 import bodies, checksums
from apitrail.services.s3.access import Params, open_bucket, own_bucket, prepare_step
from apitrail.services.s3.bodies import Body, sync_folder
from apitrail.services.s3.claims import check_conditions
from apitrail.services.s3.conditions import read_range
from apitrail.services.s3.effects import DISCARD, uploads_folder
from apitrail.services.s3.errors import refuse
from apitrail.services.s3.facts import facts_doc, facts_of, read_facts, with_body
from apitrail.services.s3.reading import get_version
from apitrail.services.s3.retention import check_lock
from apitrail.services.s3.writing import Staged, copied, find_source, settle_write, supported
from apitrail.store.database import Tx
from apitrail.store.resources import Collection, Doc
from apitrail.wire.call import Call

PART_NUMBER_MAX = 10_000
PART_BYTES_MIN = 5 * 1024 * 1024

UPLOADS = Collection("s3/upload", "global", indexes=("Bucket",))
PARTS = Collection("s3/part", "global", indexes=("UploadId",))


@dataclass(frozen=True, slots=True)
class StagedPart:
    """A part whose file is in its place. file: its name in the upload's folder."""

    upload: Doc
    body: Body
    file: str


def find_upload(tx: Tx, params: Params) -> Doc:
    """Return the document of an upload. Raises: NoSuchUpload."""
    upload = UPLOADS.at(tx).get(params["UploadId"])
    if upload is None or (upload["Bucket"], upload["Key"]) != (params["Bucket"], params["Key"]):
        raise refuse("NoSuchUpload", UploadId=params["UploadId"])
    return upload


def parts_of(tx: Tx, upload_id: str) -> dict[int, Doc]:
    """Return the documents of the parts that have arrived, by number, in order."""
    docs = [entry.doc for entry in PARTS.at(tx).find("UploadId", upload_id)]
    return {doc["PartNumber"]: doc for doc in sorted(docs, key=lambda doc: doc["PartNumber"])}


def drop_upload(ctx: Context, upload: Doc) -> None:
    """Remove an upload and its parts, and ask for their files to be removed."""
    for entry in PARTS(ctx).find("UploadId", upload["UploadId"]):
        PARTS(ctx).delete(entry.id)
    UPLOADS(ctx).delete(upload["UploadId"])
    ctx.effect(DISCARD, {"Upload0": upload["UploadId"]})


def drop_uploads(ctx: Context, bucket: str) -> None:
    """Remove all unfinished uploads of a bucket."""
    for entry in UPLOADS(ctx).find("Bucket", bucket):
        drop_upload(ctx, entry.doc)


@prepare_step
async def before_upload(runtime: Runtime, call: Call, principal: Principal) -> None:
    """Check what can be told before an upload begins."""
    check_key(call.params["Key"])
    row, _ = await open_bucket(runtime, call, principal)
    check_lock(row, call, runtime.clock.now())


@operation(prepare=before_upload)
def create_multipart_upload(ctx: Context, params: Params) -> dict[str, Any]:
    """Begin an upload in parts. Raises: NoSuchBucket, KeyTooLongError, MetadataTooLarge, InvalidTag, InvalidRequest."""
    assert ctx.principal is not None
    row = own_bucket(ctx, params)
    algorithm, kind = _checksum(params)
    upload: Doc = {
        "UploadId": ctx.ids.token(64),
        "Bucket": row["Name"],
        "Key": params["Key"],
        "Initiated": ctx.now.replace(microsecond=0),
        "Initiator": {"ID": ctx.principal.arn, "DisplayName": ctx.principal.user_name or ctx.principal.principal_id},
        "Facts": facts_doc(facts_of(params)),
        "ChecksumAlgorithm": algorithm,
        "ChecksumType": kind,
    }
    UPLOADS(ctx).put(upload["UploadId"], upload)
    shown = ("UploadId", "Bucket", "Key", "ChecksumAlgorithm", "ChecksumType")
    return {**{name: upload[name] for name in shown}, "_Owner": row["OwnerAccount"]}


def _checksum(params: Params) -> tuple[str | None, str | None]:
    """Return algorithm and type of the whole object's checksum, None for none. Raises: InvalidRequest, NotImplemented."""
    algorithm = params.get("ChecksumAlgorithm")
    if not supported(algorithm):
        return None, None
    possible = [checksums.COMPOSITE] if algorithm != "CRC64NVME" else []
    possible += [checksums.FULL_OBJECT] if algorithm in checksums.WHOLE else []
    kind = params.get("ChecksumType") or possible[0]
    if kind not in possible:
        raise refuse(
            "InvalidRequest", f"The {kind} checksum type cannot be used with the {algorithm} checksum algorithm."
        )
    return algorithm, kind


async def _upload_of(runtime: Runtime, call: Call, principal: Principal) -> Doc:
    """Return the upload of a call, after checking bucket and part number."""
    if not 1 <= call.params.get("PartNumber", 1) <= PART_NUMBER_MAX:
        raise refuse("InvalidArgument", f"Part number must be an integer between 1 and {PART_NUMBER_MAX}, inclusive")
    await open_bucket(runtime, call, principal)
    return await runtime.database.read(lambda tx: find_upload(tx, call.params))


async def _keep(runtime: Runtime, call: Call, upload: Doc, body: Body) -> StagedPart:
    """Move a staged body to the files of its upload, durably."""
    file = f"{call.params['PartNumber']:05}-{body.name}"
    await asyncio.to_thread(_move, runtime.staging_dir / body.name, uploads_folder(runtime) / upload["UploadId"], file)
    return StagedPart(upload, body, file)


def _move(source: Path, folder: Path, name: str) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    source.rename(folder / name)
    for one in (folder, folder.parent, folder.parent.parent):
        sync_folder(one)


@prepare_step
async def stage_part(runtime: Runtime, call: Call, principal: Principal) -> StagedPart:
    """Stage the body of an UploadPart."""
    upload = await _upload_of(runtime, call, principal)
    body = await bodies.take_body(runtime, call, supported(upload["ChecksumAlgorithm"]))
    return await _keep(runtime, call, upload, body)


@prepare_step
async def stage_part_copy(runtime: Runtime, call: Call, principal: Principal) -> StagedPart:
    """Stage a copy of an object or of a range of it."""
    upload = await _upload_of(runtime, call, principal)
    bucket, info, _ = await find_source(runtime, call, principal)
    text = call.params.get("CopySourceRange")
    span = read_range(text, info.size)
    if text and span is None:
        raise refuse("InvalidArgument", "The x-amz-copy-source-range value must be of the form bytes=first-last.")
    source = await get_version(bucket, info, *(span or ()))
    body = await bodies.copy_body(runtime, source, supported(upload["ChecksumAlgorithm"]))
    return await _keep(runtime, call, upload, body)


def _note_part(ctx: Context, params: Params) -> StagedPart:
    """Note a part that has arrived; the file of an older one with its number goes."""
    staged: StagedPart = ctx.prepared
    upload_id = staged.upload["UploadId"]
    try:
        own_bucket(ctx, params)
        find_upload(ctx.tx, params)
    except ServiceError as error:
        error.effect = lambda again: again.effect(DISCARD, {"Upload0": f"{upload_id}/{staged.file}"})
        raise
    name = f"{upload_id}/{params['PartNumber']:05}"
    older = PARTS(ctx).get(name)
    if older is not None:
        ctx.effect(DISCARD, {"Upload0": f"{upload_id}/{older['File']}"})
    PARTS(ctx).put(
        name,
        {
            "UploadId": upload_id,
            "PartNumber": params["PartNumber"],
            "ETag": staged.body.md5,
            "Size": staged.body.size,
            "LastModified": staged.body.modified,
            "Checksums": staged.body.checksums,
            "File": staged.file,
        },
    )
    ctx.additional = {"bytesTransferredIn": staged.body.size, "bytesTransferredOut": 0}
    return staged


@operation(prepare=stage_part)
def upload_part(ctx: Context, params: Params) -> dict[str, Any]:
    """Take in a part of an upload. Raises: NoSuchUpload, NoSuchBucket, BadDigest, InvalidDigest, InvalidArgument."""
    body = _note_part(ctx, params).body
    sums = {name: value for name, value in checksums.members(body.checksums).items() if name != "ChecksumType"}
    return {"ETag": f'"{body.md5}"', **sums}


@operation(prepare=stage_part_copy)
def upload_part_copy(ctx: Context, params: Params) -> dict[str, Any]:
    """Take a part of an upload from an object. Raises: NoSuchUpload, NoSuchKey, InvalidRange, PreconditionFailed."""
    body = _note_part(ctx, params).body
    result = copied(Staged(body, with_body(read_facts(ctx.prepared.upload["Facts"]), body.md5, body.checksums)))
    return {"CopyPartResult": {name: value for name, value in result.items() if name != "ChecksumType"}}


@prepare_step
async def stage_whole(runtime: Runtime, call: Call, principal: Principal) -> tuple[Staged, list[str]]:
    """Put the chosen parts together; return the whole, and the files of its parts."""
    params = call.params
    _, bucket = await open_bucket(runtime, call, principal)
    upload, parts = await runtime.database.read(lambda tx: (find_upload(tx, params), parts_of(tx, params["UploadId"])))
    chosen = _choose((params.get("MultipartUpload") or {}).get("Parts") or [], parts)
    await check_conditions(runtime, call, principal, bucket)
    files = [doc["File"] for doc in chosen]
    paths = [uploads_folder(runtime) / upload["UploadId"] / file for file in files]
    body = await bodies.join_bodies(runtime, bodies.read_files(paths), _whole_algorithms(upload))
    try:
        sums = body.checksums or _composite(upload, chosen)
        _check_whole(params, body, sums)
    except ServiceError:
        await asyncio.to_thread((runtime.staging_dir / body.name).unlink, missing_ok=True)
        raise
    sizes = tuple(doc["Size"] for doc in chosen)
    etag = checksums.etag_of_parts(doc["ETag"] for doc in chosen)
    return Staged(body, with_body(read_facts(upload["Facts"]), etag, sums, sizes)), files


def _choose(asked: Sequence[Mapping[str, Any]], parts: Mapping[int, Doc]) -> list[Doc]:
    """Return the parts that a CompleteMultipartUpload names.

    Raises: MalformedXML, InvalidPart, InvalidPartOrder, EntityTooSmall.
    """
    if not asked:
        raise refuse("MalformedXML")
    chosen = []
    for one in asked:
        doc = parts.get(one.get("PartNumber", 0))
        sums = checksums.given(one)
        if doc is None or one.get("ETag", "").strip('"') != doc["ETag"] or not sums.items() <= doc["Checksums"].items():
            raise refuse("InvalidPart", PartNumber=str(one.get("PartNumber", "")), ETag=one.get("ETag", ""))
        chosen.append(doc)
    if any(before["PartNumber"] >= after["PartNumber"] for before, after in pairwise(chosen)):
        raise refuse("InvalidPartOrder")
    for doc in chosen[:-1]:
        if doc["Size"] < PART_BYTES_MIN:
            raise refuse(
                "EntityTooSmall",
                PartNumber=str(doc["PartNumber"]),
                ProposedSize=str(doc["Size"]),
                MinSizeAllowed=str(PART_BYTES_MIN),
            )
    return chosen


def _whole_algorithms(upload: Doc) -> list[str]:
    return [upload["ChecksumAlgorithm"]] if upload["ChecksumType"] == "FULL_OBJECT" else []


def _composite(upload: Doc, chosen: Sequence[Doc]) -> dict[str, str]:
    name = upload["ChecksumAlgorithm"]
    return {name: checksums.sum_of_sums(name, [doc["Checksums"][name] for doc in chosen])} if name else {}


def _check_whole(params: Params, body: Body, sums: Mapping[str, str]) -> None:
    """Compare what the caller says of the whole object with what it is."""
    expected = checksums.given(params)
    if params.get("MpuObjectSize", body.size) != body.size:
        raise refuse("InvalidRequest", "The provided x-amz-mp-object-size header does not match the size of the parts.")
    if not expected.keys() <= sums.keys():
        raise refuse("InvalidRequest", "The upload was not created with this checksum algorithm.")
    checksums.check(expected, sums)


@operation(prepare=stage_whole)
def complete_multipart_upload(ctx: Context, params: Params) -> dict[str, Any]:
    """Make an object of the parts of an upload.

    Raises: NoSuchUpload, InvalidPart, InvalidPartOrder, EntityTooSmall, MalformedXML, BadDigest, PreconditionFailed.
    """
    assert ctx.call is not None
    staged, files = ctx.prepared
    written = settle_write(ctx, params, staged)
    try:
        upload = find_upload(ctx.tx, params)
        if not set(files) <= {doc["File"] for doc in parts_of(ctx.tx, upload["UploadId"]).values()}:
            raise refuse("InvalidPart")
    except ServiceError as error:
        error.effect = lambda again: again.effect(DISCARD, {"Staged0": staged.body.name})
        raise
    drop_upload(ctx, upload)
    return {
        "Location": f"http://{ctx.call.host}/{params['Bucket']}/{params['Key']}",
        "Bucket": params["Bucket"],
        "Key": params["Key"],
        "ETag": f'"{staged.facts.etag}"',
        **checksums.members(staged.facts.checksums),
        **written,
    }


@operation(prepare=before_upload)
def abort_multipart_upload(ctx: Context, params: Params) -> dict[str, Any]:
    """Give up an upload. Raises: NoSuchUpload, NoSuchBucket."""
    row = own_bucket(ctx, params)
    drop_upload(ctx, find_upload(ctx.tx, params))
    return {"_Owner": row["OwnerAccount"]}
