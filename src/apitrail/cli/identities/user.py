"""`apitrail identity user`: users of the account."""

import click

from apitrail.cli.identities.common import (
    ask,
    client_of,
    dry_option,
    path_option,
    remove,
    tag_option,
    tags_of,
    yes_option,
)
from apitrail.cli.options import Invocation, pass_invocation
from apitrail.cli.output import emit, member
from apitrail.cli.verbs import Family


@click.group("user", cls=Family)
def user() -> None:
    """Users of the account."""


@user.command("create")
@click.argument("name")
@path_option
@tag_option
@pass_invocation
def user_create(invocation: Invocation, name: str, path: str, tags: tuple[str, ...]) -> None:
    """Make a user; it may do nothing until a policy is attached."""
    emit(invocation, ask(invocation, "CreateUser", {"UserName": name, "Path": path, "Tags": tags_of(tags)})["User"])


@user.command("ls")
@pass_invocation
def user_ls(invocation: Invocation) -> None:
    """List users."""
    users = client_of(invocation).query_all("ListUsers", "Users")
    columns = (
        member("name", "UserName"),
        member("id", "UserId"),
        member("created", "CreateDate"),
        member("arn", "Arn"),
    )
    emit(invocation, {"Users": users}, items="Users", columns=columns)


@user.command("show")
@click.argument("name")
@pass_invocation
def user_show(invocation: Invocation, name: str) -> None:
    """Show a user with its keys and policies."""
    found = ask(invocation, "GetUser", {"UserName": name})["User"]
    client, params = client_of(invocation), {"UserName": name}
    found["AccessKeys"] = client.query_all("ListAccessKeys", "AccessKeyMetadata", params)
    found["AttachedPolicies"] = client.query_all("ListAttachedUserPolicies", "AttachedPolicies", params)
    found["InlinePolicies"] = client.query_all("ListUserPolicies", "PolicyNames", params)
    emit(invocation, found)


@user.command("rm")
@click.argument("name")
@yes_option
@dry_option
@pass_invocation
def user_rm(invocation: Invocation, name: str, yes: bool, dry_run: bool) -> None:
    """Delete a user that has no keys and policies any more."""
    remove(invocation, f"user {name}", "DeleteUser", {"UserName": name}, yes, dry_run)
