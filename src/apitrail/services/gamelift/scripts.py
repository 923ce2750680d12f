"""Scripts of Realtime servers: records with a zip, given in the call or in the user's bucket. They have no status.

Source: GameLift API Reference, the operations on scripts.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from apitrail.identity.principal import Principal
from apitrail.services.context import Context
from apitrail.services.gamelift import collections, storage
from apitrail.services.gamelift.arns import arn_of, id_of
from apitrail.services.gamelift.errors import InvalidRequestException, NotFoundException
from apitrail.services.gamelift.fleet_events import add_event
from apitrail.services.gamelift.pages import page_of
from apitrail.services.gamelift.tagging import check_tags, drop_tags, tag_new
from apitrail.services.gamelift.zips import bytes_problem
from apitrail.services.operation import Deed, effect, operation
from apitrail.services.runtime import Runtime
from apitrail.store.resources import Doc
from apitrail.wire.call import Call

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import (
        CreateScriptInputTypeDef,
        DeleteScriptInputTypeDef,
        DescribeScriptInputTypeDef,
        ListScriptsInputTypeDef,
        UpdateScriptInputTypeDef,
    )

NODE_VERSIONS = ("10.x", "24.x")
ZIP_TYPE = "application/zip"
STORE = "gamelift/store-script"
VERSION_LENGTH = 8


async def prepare_create(runtime: Runtime, call: Call, principal: Principal) -> str:
    """Check tags and content; return why the object of StorageLocation cannot be read, if one is named."""
    check_tags(call.params)
    _check_content(call.params, needed=True)
    return await _look_at_content(runtime, call, principal)


async def prepare_update(runtime: Runtime, call: Call, principal: Principal) -> str:
    """Check the content, if there is any; return why the object of StorageLocation cannot be read."""
    _check_content(call.params, needed=False)
    return await _look_at_content(runtime, call, principal)


@operation(prepare=prepare_create)
def create_script(ctx: Context, params: "CreateScriptInputTypeDef") -> dict[str, Any]:
    """Create a script from a zip in the call or an object in a bucket; it can be used at once.

    Raises: InvalidRequestException (not exactly one content, no zip, unreadable object, unknown Node.js version);
    TaggingFailedException. Inferred: exactly one of ZipFile and StorageLocation.
    """
    script_id = ctx.ids.new("script")
    script: Doc = {
        "ScriptId": script_id,
        "ScriptArn": arn_of(ctx, "script", script_id),
        **_named(params),
        "CreationTime": ctx.now,
        "NodeJsVersion": params.get("NodeJsVersion", NODE_VERSIONS[0]),
    }
    _set_content(ctx, script, params)
    _put(ctx, script)
    tag_new(ctx, script["ScriptArn"], params)
    return {"Script": script}


@operation
def describe_script(ctx: Context, params: "DescribeScriptInputTypeDef") -> dict[str, Any]:
    """Return a script. Raises: NotFoundException."""
    return {"Script": _get(ctx, params["ScriptId"])}


@operation
def list_scripts(ctx: Context, params: "ListScriptsInputTypeDef") -> dict[str, Any]:
    """Return the scripts of the account and region. Raises: InvalidRequestException (token)."""
    page, token = page_of(ctx, "ListScripts", params, collections.SCRIPTS(ctx))
    return {"Scripts": page, "NextToken": token}


@operation(prepare=prepare_update)
def update_script(ctx: Context, params: "UpdateScriptInputTypeDef") -> dict[str, Any]:
    """Give a script another name, version or content; the content may come either way, whatever the first one did.

    Raises: InvalidRequestException (both contents, no zip, unreadable object); NotFoundException.
    """
    script = _get(ctx, params["ScriptId"])
    script |= _named(params)
    if "ZipFile" in params or "StorageLocation" in params:
        _drop_content(ctx, script)
        _set_content(ctx, script, params)
    _put(ctx, script)
    return {"Script": script}


@operation
def delete_script(ctx: Context, params: "DeleteScriptInputTypeDef") -> None:
    """Remove a script and its uploaded zip. Raises: NotFoundException.

    Fleets that run it go on. Inferred: AWS's notice it later and go to ERROR; ours get an event in their log.
    """
    script = _get(ctx, params["ScriptId"])
    script_id = script["ScriptId"]
    collections.SCRIPTS(ctx).delete(script_id)
    drop_tags(ctx, script["ScriptArn"])
    _drop_content(ctx, script)
    for fleet in collections.FLEETS(ctx).find("ScriptId", script_id):
        add_event(ctx, fleet.id, "GENERIC_EVENT", f"Script {script_id} of fleet {fleet.id} was deleted")


@effect(STORE)
async def store_script(runtime: Runtime, deed: Deed) -> None:
    """Put the zip of a script into the service's bucket, unless the script is gone or has another one by now."""
    location = {"Bucket": deed.doc["Bucket"], "Key": deed.doc["Key"]}
    scripts = collections.SCRIPTS
    script = await runtime.database.read(lambda tx: scripts.at(tx, deed.account, deed.region).get(deed.doc["ScriptId"]))
    if script is not None and script["StorageLocation"] == location:
        bucket = runtime.bucket(location["Bucket"])
        await bucket.put(location["Key"], deed.doc["ZipFile"], content_type=ZIP_TYPE)


def _check_content(params: Mapping[str, Any], *, needed: bool) -> None:
    count = ("ZipFile" in params) + ("StorageLocation" in params)
    if count > 1 or (needed and not count):
        raise InvalidRequestException("Exactly one of ZipFile and StorageLocation must be given.")
    if params.get("NodeJsVersion", NODE_VERSIONS[0]) not in NODE_VERSIONS:
        raise InvalidRequestException(
            f"NodeJsVersion {params['NodeJsVersion']} is not offered, only {' and '.join(NODE_VERSIONS)} are."
        )


async def _look_at_content(runtime: Runtime, call: Call, principal: Principal) -> str:
    """Look at a zip in the call, or at an object in a bucket; return why the object cannot be read.

    Raises: InvalidRequestException (no zip; a location that cannot be used).
    """
    params = call.params
    if "ZipFile" in params and (problem := await bytes_problem(params["ZipFile"])):
        raise InvalidRequestException(f"ZipFile cannot be used: {problem}.")
    if "StorageLocation" not in params:
        return ""
    storage.check_location(params["StorageLocation"], principal.account)
    return await storage.look_at(runtime, call, principal, params["StorageLocation"])


def _set_content(ctx: Context, script: Doc, params: Mapping[str, Any]) -> None:
    """Set where the content lies and its size, which is 0 for an object of the user's."""
    if "StorageLocation" in params:
        storage.require_readable(ctx, params["StorageLocation"], ctx.prepared, "script")
        script |= {"SizeOnDisk": 0, "StorageLocation": {**params["StorageLocation"]}}
        return
    body = params["ZipFile"]
    name = f"{script['ScriptId']}/{ctx.ids.hex(VERSION_LENGTH)}.zip"
    location = storage.service_location(ctx, storage.SCRIPTS, name)
    script |= {"SizeOnDisk": len(body), "StorageLocation": location}
    ctx.effect(STORE, {**location, "ScriptId": script["ScriptId"], "ZipFile": body})


def _drop_content(ctx: Context, script: Doc) -> None:
    location = script["StorageLocation"]
    if location["Bucket"] == storage.SCRIPTS + ctx.region and "RoleArn" not in location:
        storage.remove_object(ctx, location)


def _named(params: Mapping[str, Any]) -> Doc:
    return {name: params[name] for name in ("Name", "Version") if name in params}


def _get(ctx: Context, text: str) -> Doc:
    script = collections.SCRIPTS(ctx).get(id_of(ctx, text, "script"))
    if script is None:
        raise NotFoundException(f"Script {text} was not found in {ctx.region}.")
    return script


def _put(ctx: Context, script: Doc) -> None:
    collections.SCRIPTS(ctx).put(script["ScriptId"], script)
