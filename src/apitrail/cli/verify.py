"""`apitrail verify`: proves digest files and log files, on a server, in a bucket or in a copy, in the words of the AWS CLI."""

import gc
import os
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

import click

from apitrail.arn import parse_arn
from apitrail.cli.errors import NO, OK, REMOTE, CliError, local_error, usage_error
from apitrail.cli.options import Invocation, pass_invocation
from apitrail.cli.times import FORMS, parse_time
from apitrail.cli.verbs import Verb
from apitrail.cli.verify_junit import JunitReport
from apitrail.cli.verify_places import Place, find_keys, open_place, open_trail
from apitrail.cli.verify_progress import Progress
from apitrail.cli.verify_report import Heading, make_report
from apitrail.errors import SinkError
from apitrail.trail.verify import Verifier
from apitrail.trail.verify_keys import KeySet
from apitrail.trail.verify_ledger import Ledger, LedgerError
from apitrail.trail.verify_pool import Workers
from apitrail.trail.verify_read import Reader, open_reader
from apitrail.trail.verify_types import Request

JOBS_MAX = 64
YOUNG_OBJECTS = 50_000
JOBS_DEFAULT_MAX = 8
EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("verify", cls=Verb)
@click.option("--trail-arn", metavar="ARN", help="Trail of the server; with --archive, the only one to verify there.")
@click.option("--archive", metavar="PLACE", help="s3://BUCKET/PREFIX or a directory, instead of a trail's bucket.")
@click.option("--start", metavar="TIME", help=f"From this moment on: {FORMS}. [default: the first digest]")
@click.option("--end", metavar="TIME", help="Up to this moment. [default: now]")
@click.option(
    "--public-keys", metavar="FILE", type=EXISTING, help="Answers of ListPublicKeys, or PEM; no server is asked."
)
@click.option(
    "--state", metavar="FILE", type=FILE, help="Remember what was proved; unchanged files are not read again."
)
@click.option("--junit", metavar="FILE", type=FILE, help="Also write a JUnit report.")
@click.option(
    "--jobs", metavar="N", type=click.IntRange(1, JOBS_MAX), help="Processes. [default: processors, at most 8]"
)
@pass_invocation
def verify(
    invocation: Invocation,
    trail_arn: str | None,
    archive: str | None,
    start: str | None,
    end: str | None,
    public_keys: Path | None,
    state: Path | None,
    junit: Path | None,
    jobs: int | None,
) -> int:
    """Prove that log files are what was delivered, and that none is missing.

    Exits with 0 when everything in the range is proved, with 1 when something is invalid, missing or without proof. Valid files
    are listed with --verbose. --region takes one region only.
    """
    if not trail_arn and not archive:
        raise usage_error("nothing to verify", hint="give --trail-arn ARN, or --archive s3://BUCKET/PREFIX or DIR")
    request = make_request(invocation, trail_arn, start, end, invocation.clock.now())
    heading = Heading(trail_arn or "", archive or "", None if start is None else request.start, request.end)
    try:
        place = open_place(invocation, archive) if archive else open_trail(invocation, trail_arn or "", request)
        keys = find_keys(invocation, place, request, public_keys)
        request = replace(request, exact=place.exact, latest=place.latest, stopped=place.stopped)
        return _run(invocation, place, keys, request, heading, state, junit, jobs or default_jobs())
    except SinkError as error:
        raise CliError(
            f"cannot read the archive: {error}", code=error.code or "unreachable", exit_code=REMOTE
        ) from error


def make_request(
    invocation: Invocation, trail_arn: str | None, start: str | None, end: str | None, now: datetime
) -> Request:
    """Return what the options ask for. Raises: CliError (usage)."""
    first = int(parse_time(start, now).timestamp()) if start else None
    last = min(parse_time(end, now), now) if end else now
    if first is not None and first >= int(last.timestamp()):
        raise usage_error("--start must be before --end and before now")
    regions = frozenset((invocation.region,)) if invocation.region else frozenset[str]()
    return Request(first, int(last.timestamp()), int(now.timestamp()), _trail(trail_arn), regions)


def _trail(text: str | None) -> tuple[str, str, str] | None:
    """Return a trail's name, home region and account."""
    if not text:
        return None
    arn = parse_arn(text)
    if arn is None or arn.service != "cloudtrail" or not arn.resource.startswith("trail/"):
        raise usage_error(
            f"not the ARN of a trail: {text!r}",
            hint="use a form like arn:aws:cloudtrail:us-west-2:111122223333:trail/main",
        )
    return arn.resource.removeprefix("trail/"), arn.region, arn.account


def default_jobs() -> int:
    """Return how many processes to use when nobody says."""
    return min(JOBS_DEFAULT_MAX, os.cpu_count() or 1)


def _run(
    invocation: Invocation,
    place: Place,
    keys: KeySet,
    request: Request,
    heading: Heading,
    state: Path | None,
    junit: Path | None,
    jobs: int,
) -> int:
    gc.freeze()  # what is loaded stays: collections, also those of worker processes, need not look at it
    gc.set_threshold(YOUNG_OBJECTS)
    report = make_report(invocation, heading)
    suite = JunitReport(invocation.clock.now()) if junit else None
    progress = Progress(invocation)
    reader = Reader(place.archive, keys)
    workers = Workers(jobs, partial(open_reader, place.open, keys.values), reader, place.method)
    try:
        ledger = Ledger(state, place.name)
    except LedgerError as error:
        hint = "remove the file, or name another one with --state"
        raise local_error(str(error), code="state-file", where=str(state or ""), hint=hint) from error
    try:
        verifier = Verifier(place.archive, keys, request, ledger, workers, progress.show)
        for finding in verifier.run():
            progress.clear()
            report.add(finding)
            if suite is not None:
                suite.add(finding)
    finally:
        progress.clear()
        workers.close()
        ledger.close()
    report.finish(verifier.tally)
    if suite is not None and junit is not None:
        suite.write(junit)
    return OK if verifier.tally.is_proved else NO
