"""`apitrail identity key`: access keys."""

import click

from apitrail.cli.discovery import find_target
from apitrail.cli.identities.common import (
    ask,
    client_of,
    dry_option,
    form_option,
    profile_name_option,
    remove,
    show_secret,
    yes_option,
)
from apitrail.cli.options import Invocation, pass_invocation
from apitrail.cli.output import emit, member
from apitrail.cli.verbs import Family


@click.group("key", cls=Family)
def key() -> None:
    """Access keys of users, and of root."""


@key.command("create")
@click.option("--user", "user_name", metavar="NAME", help="Whose key; the caller's own when not given.")
@form_option
@profile_name_option
@pass_invocation
def key_create(invocation: Invocation, user_name: str | None, form: str, profile_name: str) -> None:
    """Make an access key and print its secret, once."""
    made = ask(invocation, "CreateAccessKey", {"UserName": user_name})["AccessKey"]
    target = find_target(invocation)
    show_secret(invocation, made, form, profile_name, target.region, target.endpoint)


@key.command("ls")
@click.option("--user", "user_name", metavar="NAME", help="Whose keys; the caller's own when not given.")
@pass_invocation
def key_ls(invocation: Invocation, user_name: str | None) -> None:
    """List access keys with their state."""
    keys = client_of(invocation).query_all("ListAccessKeys", "AccessKeyMetadata", {"UserName": user_name})
    columns = (
        member("key", "AccessKeyId"),
        member("user", "UserName"),
        member("status", "Status"),
        member("created", "CreateDate"),
    )
    emit(invocation, {"AccessKeys": keys}, items="AccessKeys", columns=columns)


@key.command("show")
@click.argument("access_key_id")
@pass_invocation
def key_show(invocation: Invocation, access_key_id: str) -> None:
    """Show when and where an access key was last used."""
    found = ask(invocation, "GetAccessKeyLastUsed", {"AccessKeyId": access_key_id})
    emit(invocation, {"AccessKeyId": access_key_id, **found})


@key.command("rm")
@click.argument("access_key_id")
@click.option("--user", "user_name", metavar="NAME", help="Whose key; the caller's own when not given.")
@yes_option
@dry_option
@pass_invocation
def key_rm(invocation: Invocation, access_key_id: str, user_name: str | None, yes: bool, dry_run: bool) -> None:
    """Delete an access key."""
    params = {"AccessKeyId": access_key_id, "UserName": user_name}
    remove(invocation, f"access key {access_key_id}", "DeleteAccessKey", params, yes, dry_run)
