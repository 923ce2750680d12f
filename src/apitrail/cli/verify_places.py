"""Where `apitrail verify` finds an archive and the keys to prove it.

What reaches S3 buckets is loaded only for one: it takes as long to load as all the rest.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from apitrail.cli.client import Client
from apitrail.cli.discovery import Target, find_target
from apitrail.cli.errors import CliError, local_error
from apitrail.cli.options import Invocation
from apitrail.cli.verbs import load
from apitrail.objects.keys import OWN
from apitrail.trail.verify_archive import TOP, Archive, FolderArchive, find_top
from apitrail.trail.verify_keys import KeySet, keys_of, read_keys
from apitrail.trail.verify_types import Request, find_scopes

S3 = "s3://"
KEYS_HINT = (
    "save them, for each region, with: aws cloudtrail list-public-keys --start-time 0 > keys.json; "
    "then use --public-keys keys.json"
)


@dataclass(frozen=True, slots=True)
class Place:
    """An archive. open: opens it again, in another process, which is started by a method of multiprocessing.

    name: for the state file. exact, latest, stopped: see Request.
    """

    archive: Archive
    open: Callable[[], Archive]
    name: str
    exact: bool = False
    latest: Mapping[str, float] = field(default_factory=dict)
    stopped: float | None = None
    target: Target | None = None
    method: str = "spawn"


def open_place(invocation: Invocation, text: str) -> Place:
    """Return the archive that --archive names. Raises: CliError, SinkError."""
    if text.startswith(S3):
        place: Place = load("apitrail.cli.verify_bucket:open_bucket")(invocation, text)
        return place
    path = Path(text).expanduser()
    if not path.is_dir():
        raise local_error(f"no such directory: {text}", code="no-archive", where=text)
    root = path.absolute().parent if path.absolute().name == TOP[:-1] else path.absolute()
    top = find_top(FolderArchive(root))
    if top is None:
        raise no_archive(text)
    make = partial(FolderArchive, root / top)
    return Place(make(), make, str(root / top), method="fork")


def no_archive(text: str) -> CliError:
    """Return the error for a place without an archive."""
    hint = "name the place that holds the folder AWSLogs"
    return local_error(f"no {TOP} in {text}", code="no-archive", where=text, hint=hint)


def open_trail(invocation: Invocation, arn: str, request: Request) -> Place:
    """Return the bucket of a trail of the server, with what the server knows of its newest digests."""
    assert request.trail is not None
    home = request.trail[1]
    target = find_target(invocation)
    client = Client(replace(target, region=home), invocation.clock)
    trails = client.call("DescribeTrails", {"trailNameList": [arn]})["trailList"]
    trail = next((trail for trail in trails if trail["TrailARN"] == arn), None)
    if trail is None:
        raise CliError(
            f"A trail could not be found for {arn}", code="trail-not-found", exit_code=4, where=target.endpoint,
            hint="list them with: apitrail trail ls",
        )  # fmt: skip
    if not trail.get("LogFileValidationEnabled"):
        invocation.say("this trail writes no digest files; enable them with: aws cloudtrail update-trail"
                       f" --name {arn} --enable-log-file-validation")  # fmt: skip
    bucket = trail["S3BucketName"]
    prefix = f"{trail['S3KeyPrefix']}/" if trail.get("S3KeyPrefix") else ""
    folder = _own_folder(invocation, target, bucket)
    make: Callable[[], Archive] = (
        partial(FolderArchive, folder / prefix, bucket, prefix)
        if folder
        else load("apitrail.cli.verify_bucket:opener")(invocation, bucket, prefix)
    )
    archive = make()
    regions = {scope.region for scope in find_scopes(archive, request)}
    latest: dict[str, float] = {}
    stopped = None
    for region in regions:
        status = Client(replace(target, region=region), invocation.clock).call("GetTrailStatus", {"Name": arn})
        if "LatestDigestDeliveryTime" in status:
            latest[region] = float(status["LatestDigestDeliveryTime"])
        stopped = None if status["IsLogging"] else status.get("StopLoggingTime")
    name, method = f"{S3}{bucket}/{prefix}", "fork" if folder else "spawn"
    return Place(archive, make, name, True, latest, stopped, target, method)


def _own_folder(invocation: Invocation, target: Target, bucket: str) -> Path | None:
    """Return the folder of a bucket of a server of this machine, if it can be read: many times as fast as the server's S3."""
    if target.note is None or not target.note.data or invocation.environ.get("AWS_ENDPOINT_URL_S3"):
        return None
    folder = Path(target.note.data) / "buckets" / bucket
    return folder if os.access(folder / OWN.decode(), os.R_OK | os.X_OK) else None


def find_keys(invocation: Invocation, place: Place, request: Request, file: Path | None) -> KeySet:
    """Return the keys of a file, or of the server for each region of the archive. Raises: CliError when there are none."""
    if file is not None:
        try:
            return KeySet(read_keys(file))
        except ValueError as error:
            raise local_error(
                f"cannot read public keys: {error}", code="bad-keys", where=str(file), hint=KEYS_HINT
            ) from error
    try:
        target = place.target or find_target(invocation)
    except CliError as error:
        raise local_error(
            "no public keys to verify with, and no server to ask", code="no-keys", hint=KEYS_HINT
        ) from error
    found: dict[str, bytes] = {}
    for region in {scope.region for scope in find_scopes(place.archive, request)}:
        client = Client(replace(target, region=region), invocation.clock)
        found |= keys_of(client.call("ListPublicKeys", {"StartTime": 0}))
    return KeySet(found)
