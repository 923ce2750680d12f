"""Container group definitions: what containers run on the instances of container fleets, in numbered versions.

Each version is a document; what they have in common, among it the newest number ever given, is another one. A new version is
COPYING until its images would have been fetched; see container_images.py.
Source: GameLift API Reference, the operations on container group definitions.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from apitrail.services.context import Context
from apitrail.services.gamelift.arns import arn_of
from apitrail.services.gamelift.collections import GROUP_DEFINITIONS, GROUP_VERSIONS
from apitrail.services.gamelift.container_images import start_copying
from apitrail.services.gamelift.container_lookup import (
    DEFINITION,
    Named,
    find_version,
    forget_version,
    parse_name,
    used_versions,
    version_id,
)
from apitrail.services.gamelift.container_rules import GAME_SERVER, check_definition, with_vcpu
from apitrail.services.gamelift.errors import ConflictException, InvalidRequestException, NotFoundException
from apitrail.services.gamelift.pages import page_of
from apitrail.services.gamelift.tagging import check_tags, tag_new
from apitrail.services.operation import operation
from apitrail.store.resources import Doc

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import (
        CreateContainerGroupDefinitionInputTypeDef,
        DeleteContainerGroupDefinitionInputTypeDef,
        DescribeContainerGroupDefinitionInputTypeDef,
        ListContainerGroupDefinitionsInputTypeDef,
        ListContainerGroupDefinitionVersionsInputTypeDef,
        UpdateContainerGroupDefinitionInputTypeDef,
    )

Params = Mapping[str, Any]

PAGE_COUNT = 100
CHANGED = (
    "GameServerContainerDefinition",
    "SupportContainerDefinitions",
    "TotalMemoryLimitMebibytes",
    "TotalVcpuLimit",
    "VersionDescription",
    "OperatingSystem",
)
LIMIT_REMOVED = "TOTAL_VCPU_LIMIT"


@operation
def create_container_group_definition(
    ctx: Context, params: "CreateContainerGroupDefinitionInputTypeDef"
) -> dict[str, Any]:
    """Create version 1 of a definition, COPYING; it is READY or FAILED when its images would have been copied.

    Raises: InvalidRequestException (see container_rules.py); TaggingFailedException; ConflictException (the name is taken).
    """
    given = {name: value for name, value in params.items() if name in CHANGED}
    definition = with_vcpu(_without_empty({"ContainerGroupType": GAME_SERVER, **_typed(params), **given}))
    check_definition(definition)
    check_tags(params)
    name = params["Name"]
    if GROUP_DEFINITIONS(ctx).has(name):
        raise ConflictException(f"Container group definition {name} exists already in {ctx.region}.")
    tag_new(ctx, arn_of(ctx, DEFINITION, name), params)
    return {"ContainerGroupDefinition": _new_version(ctx, name, definition, 1)}


@operation
def describe_container_group_definition(
    ctx: Context, params: "DescribeContainerGroupDefinitionInputTypeDef"
) -> dict[str, Any]:
    """Return the newest version of a definition, or the one asked for.

    Raises: NotFoundException; InvalidRequestException (an ARN with another version than VersionNumber).
    """
    named = _named(ctx, params["Name"], params.get("VersionNumber"))
    return {"ContainerGroupDefinition": _get(ctx, named, params["Name"])}


@operation
def list_container_group_definitions(
    ctx: Context, params: "ListContainerGroupDefinitionsInputTypeDef"
) -> dict[str, Any]:
    """Return the newest version of every definition, or of those of a type. Raises: InvalidRequestException (token)."""
    type_ = params.get("ContainerGroupType")
    where = None if type_ is None else ("ContainerGroupType", type_)
    page, token = page_of(
        ctx, "ListContainerGroupDefinitions", params, GROUP_DEFINITIONS(ctx), cap=PAGE_COUNT, where=where
    )
    found = [find_version(ctx, Named(doc["Name"], None)) for doc in page]
    return {"ContainerGroupDefinitions": found, "NextToken": token}


@operation
def list_container_group_definition_versions(
    ctx: Context, params: "ListContainerGroupDefinitionVersionsInputTypeDef"
) -> dict[str, Any]:
    """Return all versions of a definition, highest first; a version in the ARN does not matter.

    Raises: NotFoundException; InvalidRequestException (token).
    """
    named = parse_name(ctx, params["Name"])
    if named is None or not GROUP_DEFINITIONS(ctx).has(named.name):
        raise _unknown(params["Name"])
    page, token = page_of(
        ctx,
        "ListContainerGroupDefinitionVersions",
        params,
        GROUP_VERSIONS(ctx),
        cap=PAGE_COUNT,
        where=("Name", named.name),
        newest_first=True,
    )
    return {"ContainerGroupDefinitions": page, "NextToken": token}


@operation
def update_container_group_definition(
    ctx: Context, params: "UpdateContainerGroupDefinitionInputTypeDef"
) -> dict[str, Any]:
    """Make a new version from the newest or a given one; what is not given stays, a list of containers replaces the old one.

    Fleets that use the version it comes from get the new one deployed when it is READY.
    Raises: InvalidRequestException (see container_rules.py; removing a limit that is given or needed); NotFoundException.
    """
    removed = params.get("RemoveAttributes", ())
    if removed and "TotalVcpuLimit" in params:
        raise InvalidRequestException(f"TotalVcpuLimit cannot be given while RemoveAttributes has {LIMIT_REMOVED}.")
    named = _named(ctx, params["Name"], params.get("SourceVersionNumber"))
    source = _get(ctx, named, params["Name"])
    definition = _merged(source, params)
    if removed:
        if definition["ContainerGroupType"] != GAME_SERVER:
            raise InvalidRequestException("The total vCPU limit of a PER_INSTANCE container group cannot be removed.")
        definition.pop("TotalVcpuLimit", None)
    definition = with_vcpu(_without_empty(definition))
    check_definition(definition)
    common = GROUP_DEFINITIONS(ctx).get(source["Name"])
    assert common is not None, "a definition with versions is there"
    return {"ContainerGroupDefinition": _new_version(ctx, source["Name"], definition, common["_Last"] + 1, source)}


@operation
def delete_container_group_definition(
    ctx: Context, params: "DeleteContainerGroupDefinitionInputTypeDef"
) -> dict[str, Any]:
    """Delete a definition, one version of it, or all but the newest ones.

    Raises: NotFoundException; InvalidRequestException (VersionNumber and VersionCountToRetain together, inferred; a version
    that a fleet uses, that is being deployed, or that a deployment may roll back to).
    """
    retained = params.get("VersionCountToRetain")
    named = _named(ctx, params["Name"], params.get("VersionNumber"))
    if retained is not None and named.version is not None:
        raise InvalidRequestException("VersionNumber and VersionCountToRetain cannot be given together.")
    _get(ctx, named, params["Name"])
    found = [entry.doc for entry in GROUP_VERSIONS(ctx).find("Name", named.name, newest_first=True)]
    doomed = [doc for doc in found[retained or 0 :] if named.version in (None, doc["VersionNumber"])]
    used = used_versions(ctx, doomed)
    if used:
        raise InvalidRequestException(f"Container group definition version {used[0]} is in use by a fleet.")
    for version in doomed:
        forget_version(ctx, version)
    id = named.name if named.version is None else version_id(named.name, named.version)
    return {"_ResourceArn": arn_of(ctx, DEFINITION, id)}


def _typed(params: Params) -> dict[str, Any]:
    return {"ContainerGroupType": params["ContainerGroupType"]} if "ContainerGroupType" in params else {}


def _without_empty(definition: Doc) -> Doc:
    """Return a definition without an empty list of support containers, which the API does not show."""
    return {name: value for name, value in definition.items() if value != []}


def _merged(source: Doc, params: Params) -> Doc:
    """Return what a new version is to be, from its source and the changes."""
    kept = {name: source[name] for name in ("ContainerGroupType", *CHANGED) if name in source}
    kept.pop("VersionDescription", None)
    game_server = kept.get("GameServerContainerDefinition", {})
    if game_server.get("_VcpuLeft") and not params.get("RemoveAttributes"):
        left_out = ("Vcpu", "_VcpuLeft")
        kept["GameServerContainerDefinition"] = {k: v for k, v in game_server.items() if k not in left_out}
    return {**kept, **{name: value for name, value in params.items() if name in CHANGED}}


def _new_version(ctx: Context, name: str, definition: Doc, number: int, source: Doc | None = None) -> Doc:
    """Store a version, newest of its definition, and begin to copy its images."""
    version = {
        "ContainerGroupDefinitionArn": arn_of(ctx, DEFINITION, version_id(name, number)),
        "CreationTime": ctx.now,
        "Name": name,
        **definition,
        "VersionNumber": number,
    }
    common = {"Name": name, "ContainerGroupType": definition["ContainerGroupType"], "_Last": number}
    GROUP_DEFINITIONS(ctx).put(name, common)
    start_copying(ctx, version, None if source is None else source["ContainerGroupDefinitionArn"])
    return version


def _named(ctx: Context, text: str, number: int | None) -> Named:
    """Return which version a call means. Raises: NotFoundException; InvalidRequestException."""
    named = parse_name(ctx, text)
    if named is None:
        raise _unknown(text)
    if number is not None and named.version not in (None, number):
        raise InvalidRequestException(f"{text} names another version than {number}.")
    return named if number is None else Named(named.name, number)


def _get(ctx: Context, named: Named, text: str) -> Doc:
    version = find_version(ctx, named)
    if version is None:
        raise _unknown(text if named.version is None else version_id(named.name, named.version))
    return version


def _unknown(text: str) -> NotFoundException:
    return NotFoundException(f"Container group definition {text} was not found.")
