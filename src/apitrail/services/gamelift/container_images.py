"""Copying the images of a container group definition, which here means looking at their names: no image is ever fetched.

A version is READY, with a digest for each image that is made from its URI, or FAILED when a URI cannot be that of an image;
then it is removed some minutes later. Source: API Reference, ContainerGroupDefinition. Inferred: which
URIs are possible, and the five minutes.
"""

import hashlib
import re

from apitrail.services.context import Context
from apitrail.services.gamelift.collections import FLEETS, GROUP_VERSIONS
from apitrail.services.gamelift.container_lookup import forget_version, put_version, version_id
from apitrail.services.gamelift.container_rules import containers_of
from apitrail.services.gamelift.states import GONE, GROUP_VERSION, delay
from apitrail.services.operation import timer
from apitrail.store.resources import Doc

COPIED = "gamelift/container-images-copied"
FORGET_FAILED = "gamelift/forget-failed-definition"
DEPLOY = "gamelift/deploy-definition"
FAILED_KEPT_S = 300.0

_PART = r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*"
_HOST = r"[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]+)?"
IMAGE = re.compile(rf"(?:{_HOST}/)?{_PART}(?:/{_PART})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]*)?(?:@sha256:[0-9a-f]{{64}})?")
"""[registry/]repository[:tag][@digest]."""


def start_copying(ctx: Context, version: Doc, source: str | None) -> None:
    """Store a new version, COPYING. source: ARN of the version that it was made from, whose fleets are to get it."""
    _step(version, "COPYING")
    put_version(ctx, version)
    timed = GROUP_VERSION.timed("COPYING")
    assert timed is not None and timed.delay_s is not None
    doc = {"Id": version_id(version["Name"], version["VersionNumber"]), "Source": source}
    ctx.schedule(COPIED, doc, delay(ctx, timed.delay_s))


@timer(COPIED)
def end_copying(ctx: Context, doc: Doc) -> None:
    """Make a version READY, and plan its deployment to the fleets that use its source; or FAILED."""
    version = GROUP_VERSIONS(ctx).get(doc["Id"])
    if version is None or version["Status"] != "COPYING":
        return
    wrong = [item["ImageUri"] for item in containers_of(version) if not IMAGE.fullmatch(item["ImageUri"])]
    if wrong:
        _step(version, "FAILED")
        version["StatusReason"] = f"ImageUri {wrong[0]} is not the URI of a container image."
        put_version(ctx, version)
        ctx.schedule(FORGET_FAILED, {"Id": doc["Id"]}, FAILED_KEPT_S)
        return
    for container in containers_of(version):
        container["ResolvedImageDigest"] = f"sha256:{hashlib.sha256(container['ImageUri'].encode()).hexdigest()}"
    _step(version, "READY")
    put_version(ctx, version)
    for fleet in FLEETS(ctx).find("definition", doc["Source"]) if doc["Source"] else ():
        arn = version["ContainerGroupDefinitionArn"]
        ctx.schedule(DEPLOY, {"FleetId": fleet.id, "Arn": arn, "Source": doc["Source"]}, 0)


@timer(FORGET_FAILED)
def forget_failed(ctx: Context, doc: Doc) -> None:
    """Remove a version that has failed."""
    version = GROUP_VERSIONS(ctx).get(doc["Id"])
    if version is not None and version["Status"] == "FAILED":
        forget_version(ctx, version)


def _step(version: Doc, target: str) -> None:
    version["Status"] = GROUP_VERSION.step(version.get("Status", GONE), target).target
