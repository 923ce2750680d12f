"""`apitrail trail`: trails through CloudTrail's own operations, with their parameters in kebab case."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import click

from apitrail.cli.arguments import parse_tag, read_json
from apitrail.cli.asking import confirm, is_dry
from apitrail.cli.client import Client, ServiceFailure
from apitrail.cli.discovery import find_target
from apitrail.cli.errors import usage_error
from apitrail.cli.options import Invocation, pass_invocation
from apitrail.cli.output import emit, member, with_times
from apitrail.cli.verbs import Family

HINTS = {
    "S3BucketDoesNotExistException": "make it with: aws s3 mb s3://BUCKET",
    "InsufficientS3BucketPolicyException": "the bucket's policy must let cloudtrail.amazonaws.com put log files; see docs",
    "TrailNotFoundException": "list them with: apitrail trail ls",
    "InvalidHomeRegionException": "ask the trail's home region with --region",
}
CREATE_TEXTS = {
    "S3BucketName": "Bucket for log files.",
    "S3KeyPrefix": "Prefix of log files' keys.",
    "SnsTopicName": "Topic to notify of log files.",
    "KmsKeyId": "Key to encrypt log files with.",
    "CloudWatchLogsLogGroupArn": "Log group to deliver to.",
    "CloudWatchLogsRoleArn": "Role for that delivery.",
}
CREATE_FLAGS = {
    "IncludeGlobalServiceEvents": "Events of IAM, STS and sign-in.",
    "IsMultiRegionTrail": "Events of all regions.",
    "EnableLogFileValidation": "Write signed digest files.",
    "RecursiveLogging": "Also events that the trail's own delivery makes.",
}
COLUMNS = (
    member("name", "Name"),
    member("home_region", "HomeRegion"),
    member("logging", "IsLogging"),
    member("multi_region", "IsMultiRegionTrail"),
    member("digests", "LogFileValidationEnabled"),
    member("bucket", "S3BucketName"),
    member("prefix", "S3KeyPrefix"),
)


def kebab(name: str) -> str:
    """Return an API parameter's name as an option: S3BucketName is `s3-bucket-name`."""
    text = name[:1].lower()
    for before, letter in pairwise(name):
        text += f"-{letter.lower()}" if letter.isupper() and not before.isupper() else letter.lower()
    return text


def create_options() -> Iterator[click.Parameter]:
    """Yield the options of `trail create`: one for each parameter of CreateTrail."""
    for name, text in CREATE_TEXTS.items():
        required = name == "S3BucketName"
        yield click.Option([f"--{kebab(name)}", name], metavar="TEXT", help=text, required=required)
    for name, text in CREATE_FLAGS.items():
        yield click.Option([f"--{kebab(name)}/--no-{kebab(name)}", name], default=None, help=text)


@click.group("trail", cls=Family)
def trail() -> None:
    """Make, inspect and switch trails."""


@trail.command("create", params=list(create_options()))
@click.argument("name")
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="Tag of the trail. Repeatable.")
@click.option("--start", is_flag=True, help="Also start logging.")
@pass_invocation
def create(invocation: Invocation, /, name: str, tags: tuple[str, ...], start: bool, **given: Any) -> None:
    """Make a trail. It does not log until it is started."""
    params = {key: value for key, value in given.items() if value is not None}
    if tags:
        params["TagsList"] = [parse_tag(tag) for tag in tags]
    made = ask(invocation, "CreateTrail", {"Name": name, **params})
    if start:
        ask(invocation, "StartLogging", {"Name": made["TrailARN"]})
    else:
        invocation.say(f"made; start it with: apitrail trail start {name}")
    emit(invocation, with_times(made))


@trail.command("ls")
@click.option(
    "--include-shadow-trails/--no-include-shadow-trails", "shadows", default=True, help="Trails of other regions too."
)
@pass_invocation
def ls(invocation: Invocation, shadows: bool) -> None:
    """List the trails seen from this region, and whether they log."""
    listed = ask(invocation, "DescribeTrails", {"includeShadowTrails": shadows})["trailList"]
    for item in listed:
        item["IsLogging"] = ask(invocation, "GetTrailStatus", {"Name": item["TrailARN"]}).get("IsLogging")
    emit(invocation, {"trailList": with_times(listed)}, items="trailList", columns=COLUMNS)


@trail.command("show")
@click.argument("name")
@pass_invocation
def show(invocation: Invocation, name: str) -> None:
    """Show how a trail is set up."""
    emit(invocation, with_times(ask(invocation, "GetTrail", {"Name": name})["Trail"]))


@trail.command("status")
@click.argument("name")
@pass_invocation
def status(invocation: Invocation, name: str) -> None:
    """Show whether a trail logs, and its last deliveries and errors."""
    emit(invocation, with_times(ask(invocation, "GetTrailStatus", {"Name": name})))


@trail.command("start")
@click.argument("name")
@pass_invocation
def start(invocation: Invocation, name: str) -> None:
    """Start logging and delivery."""
    ask(invocation, "StartLogging", {"Name": name})
    invocation.say(f"{name} logs")


@trail.command("stop")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@pass_invocation
def stop(invocation: Invocation, name: str, yes: bool, dry_run: bool) -> None:
    """Stop logging and delivery; what was recorded before is delivered."""
    if is_dry(invocation, f"stop logging of trail {name}", dry_run):
        return
    confirm(invocation, f"stop logging of trail {name}", yes)
    ask(invocation, "StopLogging", {"Name": name})
    invocation.say(f"{name} no longer logs")


@trail.command("rm")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@pass_invocation
def rm(invocation: Invocation, name: str, yes: bool, dry_run: bool) -> None:
    """Delete a trail; its bucket and log files stay."""
    if is_dry(invocation, f"delete trail {name}", dry_run):
        return
    confirm(invocation, f"delete trail {name}", yes)
    ask(invocation, "DeleteTrail", {"Name": name})
    invocation.say(f"{name} is deleted; its log files stay")


@trail.group("selectors", cls=Family)
def selectors() -> None:
    """Choose the events that a trail logs."""


@selectors.command("get")
@click.argument("name")
@pass_invocation
def get_selectors(invocation: Invocation, name: str) -> None:
    """Show a trail's event selectors."""
    answer = ask(invocation, "GetEventSelectors", {"TrailName": name})
    given = [member for member in ("EventSelectors", "AdvancedEventSelectors") if answer.get(member)]
    emit(invocation, answer, items=given[0] if given else "")


@selectors.command("put")
@click.argument("name")
@click.argument("source", metavar="FILE|JSON")
@pass_invocation
def put_selectors(invocation: Invocation, name: str, source: str) -> None:
    """Replace a trail's event selectors.

    FILE|JSON: the list of selectors, or an object with EventSelectors or AdvancedEventSelectors; `-` reads stdin.
    """
    emit(invocation, ask(invocation, "PutEventSelectors", {"TrailName": name, **selectors_of(read_json(source))}))


def selectors_of(content: Any) -> dict[str, Any]:
    """Return selectors as PutEventSelectors takes them. Raises: CliError (usage)."""
    if isinstance(content, list):
        is_advanced = any(isinstance(item, dict) and "FieldSelectors" in item for item in content)
        return {"AdvancedEventSelectors" if is_advanced else "EventSelectors": content}
    kinds = ("EventSelectors", "AdvancedEventSelectors")
    chosen = {kind: content[kind] for kind in kinds if content.get(kind)} if isinstance(content, dict) else {}
    if len(chosen) != 1:
        raise usage_error("expected a list of selectors, or an object with one of " + " and ".join(kinds))
    return chosen


def ask(invocation: Invocation, operation: str, params: dict[str, Any]) -> dict[str, Any]:
    """Return the answer of a CloudTrail operation; a failure gets the hint that belongs to it."""
    try:
        return Client(find_target(invocation), invocation.clock).call(operation, params)
    except ServiceFailure as failure:
        failure.hint = failure.hint or HINTS.get(failure.api_code, "")
        raise
