"""Builds: records of game server software, uploaded as a zip or taken from the user's bucket.

Source: GameLift API Reference, the operations on builds; their states are in states.py.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from apitrail.identity.principal import Principal
from apitrail.services.buckets import OBJECT_CREATED, is_service_bucket
from apitrail.services.context import Context
from apitrail.services.gamelift import collections, storage
from apitrail.services.gamelift.arns import arn_of, id_of
from apitrail.services.gamelift.errors import InvalidRequestException, NotFoundException
from apitrail.services.gamelift.pages import page_of
from apitrail.services.gamelift.states import BUILD, GONE, delay
from apitrail.services.gamelift.tagging import check_tags, drop_tags, tag_new
from apitrail.services.gamelift.zips import object_problem
from apitrail.services.operation import Deed, observer, operation, timer
from apitrail.services.runtime import Runtime
from apitrail.settings import Settings
from apitrail.store.resources import Doc
from apitrail.wire.call import Call

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import (
        CreateBuildInputTypeDef,
        DeleteBuildInputTypeDef,
        DescribeBuildInputTypeDef,
        ListBuildsInputTypeDef,
        RequestUploadCredentialsInputTypeDef,
        UpdateBuildInputTypeDef,
    )

DEFAULT_SDK_VERSION = "4.0.2"
LENIENT_SYSTEM = "AMAZON_LINUX_2023"
CHECKED = "gamelift/build-checked"
CHECK_S = 1.0
UPLOADED = re.compile(r"(?P<account>\d{12})/(?P<build>build-[0-9a-f-]{36})")


class _Arrival(NamedTuple):
    """An object that has arrived for a build. problem: why it cannot be unpacked, or an empty text."""

    build_id: str
    location: dict[str, str]
    problem: str
    size: int


async def prepare_build(runtime: Runtime, call: Call, principal: Principal) -> str:
    """Check the parameters; return why the object of StorageLocation cannot be read, if one is named."""
    location = call.params.get("StorageLocation")
    _check_params(call.params, runtime.settings)
    if location is None:
        return ""
    storage.check_location(location, principal.account)
    return await storage.look_at(runtime, call, principal, location)


@operation(prepare=prepare_build)
def create_build(ctx: Context, params: "CreateBuildInputTypeDef") -> dict[str, Any]:
    """Create a build in status INITIALIZED.

    Without StorageLocation the answer has credentials to upload a zip; its arrival makes the build READY or FAILED.
    With one, the object has been looked at, and the build is READY soon.
    Raises: InvalidRequestException (no operating system, unreadable object, bad role); TaggingFailedException.
    Inferred: the operating system must be given, unless the setting `gamelift.lenient` names one.
    """
    build = _new_build(ctx, params)
    answer: dict[str, Any] = {"Build": build}
    if "StorageLocation" in params:
        given = params["StorageLocation"]
        storage.require_readable(ctx, given, ctx.prepared, "build")
        build["_Storage"] = {**given}
        _settle_later(ctx, build["BuildId"], "READY", 0)
    else:
        build["_Storage"] = storage.service_location(ctx, storage.BUILDS, build["BuildId"])
        build["_Uploaded"] = True
        answer |= _upload(ctx, build)
    _put(ctx, build)
    tag_new(ctx, build["BuildArn"], params)
    return answer


@operation
def request_upload_credentials(ctx: Context, params: "RequestUploadCredentialsInputTypeDef") -> dict[str, Any]:
    """Return new credentials to upload the zip of a build, and where to.

    Raises: NotFoundException; InvalidRequestException (the build has its zip already, or lies in a bucket of the user).
    """
    build = _get(ctx, params["BuildId"])
    if "_Uploaded" not in build:
        raise InvalidRequestException(
            f"Build {build['BuildId']} was created from a storage location; nothing can be uploaded to it."
        )
    if build["Status"] != "INITIALIZED":
        raise InvalidRequestException(
            f"Build {build['BuildId']} is in status {build['Status']}; it must be INITIALIZED for an upload."
        )
    return _upload(ctx, build)


@operation
def describe_build(ctx: Context, params: "DescribeBuildInputTypeDef") -> dict[str, Any]:
    """Return a build. Raises: NotFoundException."""
    return {"Build": _get(ctx, params["BuildId"])}


@operation
def list_builds(ctx: Context, params: "ListBuildsInputTypeDef") -> dict[str, Any]:
    """Return the builds of the account and region, or those in one status. Raises: InvalidRequestException (token)."""
    where = ("Status", params["Status"]) if "Status" in params else None
    page, token = page_of(ctx, "ListBuilds", params, collections.BUILDS(ctx), where=where)
    return {"Builds": page, "NextToken": token}


@operation
def update_build(ctx: Context, params: "UpdateBuildInputTypeDef") -> dict[str, Any]:
    """Give a build another name or version. Raises: NotFoundException."""
    build = _get(ctx, params["BuildId"])
    build |= _named(params)
    _put(ctx, build)
    return {"Build": build}


@operation
def delete_build(ctx: Context, params: "DeleteBuildInputTypeDef") -> None:
    """Remove a build and what was uploaded for it; fleets made from it go on. Raises: NotFoundException."""
    build = _get(ctx, params["BuildId"])
    BUILD.step(build["Status"], GONE)
    collections.BUILDS(ctx).delete(build["BuildId"])
    drop_tags(ctx, build["BuildArn"])
    if "_Uploaded" in build:
        storage.remove_object(ctx, build["_Storage"])


@observer(OBJECT_CREATED)
async def build_uploaded(runtime: Runtime, deed: Deed) -> None:
    """See whether an object that has arrived is the zip of a build; if so, check it and settle the build's status."""
    name, key = deed.doc["Bucket"], deed.doc["Key"]
    parts = UPLOADED.fullmatch(key) if name.startswith(storage.BUILDS) else None
    if parts is None or not await runtime.database.read(lambda tx: is_service_bucket(tx, name)):
        return
    bucket = runtime.bucket(name)
    found = await bucket.head(key)
    if found is None:
        return
    problem = await object_problem(bucket, key, found.size)
    arrival = _Arrival(parts["build"], {"Bucket": name, "Key": key}, problem, found.size)
    await runtime.write(parts["account"], name.removeprefix(storage.BUILDS), lambda ctx: _arrived(ctx, arrival))


@timer(CHECKED)
def settle_build(ctx: Context, doc: Doc) -> None:
    """Give a build the status that the check of its object has found, unless it is gone or has one."""
    build = collections.BUILDS(ctx).get(doc["BuildId"])
    if build is None or build["Status"] != "INITIALIZED":
        return
    build["Status"] = BUILD.step(build["Status"], doc["Status"]).target
    build["SizeOnDisk"] = doc["SizeOnDisk"]
    _put(ctx, build)


def _check_params(params: Mapping[str, Any], settings: Settings) -> None:
    if "OperatingSystem" not in params and not settings.gamelift.lenient:
        raise InvalidRequestException("OperatingSystem must be given: the system that the build's server runs on.")
    check_tags(params)


def _new_build(ctx: Context, params: "CreateBuildInputTypeDef") -> Doc:
    build_id = ctx.ids.new("build")
    return {
        "BuildId": build_id,
        "BuildArn": arn_of(ctx, "build", build_id),
        **_named(params),
        "Status": BUILD.step(GONE, "INITIALIZED").target,
        "SizeOnDisk": 0,
        "OperatingSystem": params.get("OperatingSystem", LENIENT_SYSTEM),
        "CreationTime": ctx.now,
        "ServerSdkVersion": params.get("ServerSdkVersion", DEFAULT_SDK_VERSION),
    }


def _named(params: Mapping[str, Any]) -> Doc:
    return {name: params[name] for name in ("Name", "Version") if name in params}


def _upload(ctx: Context, build: Doc) -> dict[str, Any]:
    location = build["_Storage"]
    credentials = storage.upload_credentials(ctx, location, build["BuildId"])
    return {"UploadCredentials": credentials, "StorageLocation": location}


def _arrived(ctx: Context, arrival: _Arrival) -> None:
    """Settle a build whose object was checked; remove the object of a build that is gone."""
    if not collections.BUILDS(ctx).has(arrival.build_id):
        storage.remove_object(ctx, arrival.location)
    elif arrival.problem:
        _settle_later(ctx, arrival.build_id, "FAILED", 0)
    else:
        _settle_later(ctx, arrival.build_id, "READY", arrival.size)


def _settle_later(ctx: Context, build_id: str, status: str, size: int) -> None:
    doc = {"BuildId": build_id, "Status": status, "SizeOnDisk": size}
    ctx.schedule(CHECKED, doc, delay(ctx, CHECK_S))


def _get(ctx: Context, text: str) -> Doc:
    build = collections.BUILDS(ctx).get(id_of(ctx, text, "build"))
    if build is None:
        raise NotFoundException(f"Build {text} was not found in {ctx.region}.")
    return build


def _put(ctx: Context, build: Doc) -> None:
    collections.BUILDS(ctx).put(build["BuildId"], build)
