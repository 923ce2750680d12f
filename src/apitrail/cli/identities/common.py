"""Asking IAM and STS, options that several kinds share, and printing a secret, once."""

import json
from typing import Any
from urllib.parse import unquote

import click

from apitrail.cli.arguments import parse_tag
from apitrail.cli.asking import confirm, is_dry
from apitrail.cli.client import Client, ServiceFailure
from apitrail.cli.discovery import find_target
from apitrail.cli.options import Invocation
from apitrail.cli.output import emit
from apitrail.cli.profiles import check_name, profile_text

HINTS = {
    "DeleteConflict": "take away its keys and policies first: apitrail identity key ls, apitrail identity policy detach",
    "NoSuchEntity": "see what there is with: apitrail identity user ls (role ls, policy ls)",
    "EntityAlreadyExists": "see it with: apitrail identity user show NAME (role show, policy show)",
}
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
dry_option = click.option("--dry-run", is_flag=True, help="Only say what would happen.")
path_option = click.option("--path", default="/", metavar="PATH", help="Path of the name, like /ops/.")
tag_option = click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="Tag. Repeatable.")
form_option = click.option("--format", "form", type=click.Choice(("plain", "profile")), default="plain",
                           help="`profile` prints a section for the AWS credentials file.")  # fmt: skip
profile_name_option = click.option("--profile-name", default="apitrail", metavar="NAME", help="Name of that section.")


def client_of(invocation: Invocation) -> Client:
    """Return a client of the server that was found."""
    return Client(find_target(invocation), invocation.clock)


def ask(invocation: Invocation, operation: str, params: dict[str, Any], service: str = "iam") -> dict[str, Any]:
    """Return the answer of an operation; a failure gets the hint that belongs to it."""
    try:
        return client_of(invocation).query(service, operation, params)
    except ServiceFailure as failure:
        failure.hint = failure.hint or HINTS.get(failure.api_code, "")
        raise


def tags_of(tags: tuple[str, ...]) -> list[dict[str, str]] | None:
    """Return tags as IAM takes them, None for none."""
    return [parse_tag(tag) for tag in tags] or None


def remove(invocation: Invocation, what: str, operation: str, params: dict[str, Any], yes: bool, dry_run: bool) -> None:
    """Delete something after asking."""
    if is_dry(invocation, f"delete {what}", dry_run):
        return
    confirm(invocation, f"delete {what}", yes)
    ask(invocation, operation, params)
    invocation.say(f"{what} is deleted")


def show_secret(
    invocation: Invocation, document: dict[str, Any], form: str, name: str, region: str, endpoint: str
) -> None:
    """Print new keys, once: all members, or a section for the AWS credentials file that reaches this server."""
    invocation.say("the secret is shown only now")
    if form == "plain":
        emit(invocation, document)
        return
    section = {
        "aws_access_key_id": document["AccessKeyId"],
        "aws_secret_access_key": document["SecretAccessKey"],
        "aws_session_token": document.get("SessionToken", ""),
        "region": region,
        "endpoint_url": endpoint,
    }
    invocation.stdout.write(profile_text(check_name(name), section))


def decoded_document(text: str) -> Any:
    """Return a policy document as JSON; IAM answers it percent-encoded. Source: IAM API Reference, PolicyVersion."""
    plain = unquote(text)
    try:
        return json.loads(plain)
    except ValueError:
        return plain
