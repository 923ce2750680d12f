"""Finding versions of container group definitions, by name or ARN, and forgetting them.

A name means the newest version, an ARN may say which one. Source: API Reference, ContainerGroupDefinition.
"""

from collections.abc import Sequence
from typing import NamedTuple

from apitrail.services.context import Context
from apitrail.services.gamelift.arns import arn_of, find_id
from apitrail.services.gamelift.collections import DEPLOYMENTS, FLEETS, GROUP_DEFINITIONS, GROUP_VERSIONS
from apitrail.services.gamelift.tagging import drop_tags
from apitrail.store.resources import Doc

DEFINITION = "containergroupdefinition"
"""The word in the ARNs."""


class Named(NamedTuple):
    """A definition as a call names it. version: None for the newest."""

    name: str
    version: int | None


def parse_name(ctx: Context, text: str) -> Named | None:
    """Return what a name or ARN means, or None for an ARN of something else."""
    id = find_id(ctx, text, DEFINITION)
    if id is None:
        return None
    name, _, number = id.partition(":")
    return Named(name, int(number) if number else None)


def version_id(name: str, number: int) -> str:
    """Return the id under which a version is kept, which is also the end of its ARN."""
    return f"{name}:{number}"


def find_version(ctx: Context, named: Named) -> Doc | None:
    """Return a version of a definition, or None."""
    if named.version is not None:
        return GROUP_VERSIONS(ctx).get(version_id(named.name, named.version))
    found = GROUP_VERSIONS(ctx).find("Name", named.name, 1, newest_first=True)
    return found[0].doc if found else None


def get_version(ctx: Context, arn: str) -> Doc | None:
    """Return the version of an ARN that is kept with a fleet or deployment, or None when it was deleted."""
    named = parse_name(ctx, arn)
    return None if named is None else find_version(ctx, named)


def put_version(ctx: Context, version: Doc) -> None:
    """Store a version."""
    GROUP_VERSIONS(ctx).put(version_id(version["Name"], version["VersionNumber"]), version)


def used_versions(ctx: Context, versions: Sequence[Doc]) -> list[str]:
    """Return the ARNs of those versions that a fleet uses, or a deployment in progress deploys or rolls back to."""
    arns = [version["ContainerGroupDefinitionArn"] for version in versions]
    return [arn for arn in arns if FLEETS(ctx).count("definition", arn) or DEPLOYMENTS(ctx).count("open", arn)]


def forget_version(ctx: Context, version: Doc) -> None:
    """Remove a version, and with the last one its definition and tags."""
    name = version["Name"]
    GROUP_VERSIONS(ctx).delete(version_id(name, version["VersionNumber"]))
    if not GROUP_VERSIONS(ctx).count("Name", name):
        GROUP_DEFINITIONS(ctx).delete(name)
        drop_tags(ctx, arn_of(ctx, DEFINITION, name))
