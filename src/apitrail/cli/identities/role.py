"""`apitrail identity role`: roles of the account."""

import json
from typing import Any

import click

from apitrail.cli.arguments import read_json
from apitrail.cli.errors import usage_error
from apitrail.cli.identities.common import (
    ask,
    client_of,
    decoded_document,
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


@click.group("role", cls=Family)
def role() -> None:
    """Roles of the account."""


@role.command("create")
@click.argument("name")
@click.option("--trust", metavar="FILE|JSON", help="Trust policy: who may assume the role.")
@click.option("--trust-account", metavar="ID", help="Trust the identities of an account, as far as their policies say.")
@click.option("--trust-service", metavar="NAME", help="Trust a service, like gamelift.amazonaws.com.")
@click.option(
    "--max-session-duration", type=click.IntRange(3600, 43200), metavar="S", help="Longest session in seconds."
)
@path_option
@tag_option
@pass_invocation
def role_create(
    invocation: Invocation,
    name: str,
    trust: str | None,
    trust_account: str | None,
    trust_service: str | None,
    max_session_duration: int | None,
    path: str,
    tags: tuple[str, ...],
) -> None:
    """Make a role. Give exactly one of --trust, --trust-account and --trust-service."""
    params = {
        "RoleName": name,
        "AssumeRolePolicyDocument": json.dumps(trust_policy(trust, trust_account, trust_service)),
        "MaxSessionDuration": max_session_duration,
        "Path": path,
        "Tags": tags_of(tags),
    }
    emit(invocation, readable(ask(invocation, "CreateRole", params)["Role"]))


def readable(role: dict[str, Any]) -> dict[str, Any]:
    """Return a role with its trust policy as a document."""
    return {**role, "AssumeRolePolicyDocument": decoded_document(role["AssumeRolePolicyDocument"])}


def trust_policy(source: str | None, account_id: str | None, service: str | None) -> Any:
    """Return the trust policy that one of three options asks for. Raises: CliError (usage) unless exactly one is given."""
    if sum(given is not None for given in (source, account_id, service)) != 1:
        raise usage_error("give exactly one of --trust, --trust-account and --trust-service")
    if source is not None:
        return read_json(source)
    principal = {"AWS": f"arn:aws:iam::{account_id}:root"} if account_id else {"Service": service}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


@role.command("ls")
@pass_invocation
def role_ls(invocation: Invocation) -> None:
    """List roles."""
    roles = client_of(invocation).query_all("ListRoles", "Roles")
    columns = (
        member("name", "RoleName"),
        member("id", "RoleId"),
        member("created", "CreateDate"),
        member("arn", "Arn"),
    )
    emit(invocation, {"Roles": roles}, items="Roles", columns=columns)


@role.command("show")
@click.argument("name")
@pass_invocation
def role_show(invocation: Invocation, name: str) -> None:
    """Show a role with its policies."""
    found = readable(ask(invocation, "GetRole", {"RoleName": name})["Role"])
    client, params = client_of(invocation), {"RoleName": name}
    found["AttachedPolicies"] = client.query_all("ListAttachedRolePolicies", "AttachedPolicies", params)
    found["InlinePolicies"] = client.query_all("ListRolePolicies", "PolicyNames", params)
    emit(invocation, found)


@role.command("rm")
@click.argument("name")
@yes_option
@dry_option
@pass_invocation
def role_rm(invocation: Invocation, name: str, yes: bool, dry_run: bool) -> None:
    """Delete a role that has no policies any more."""
    remove(invocation, f"role {name}", "DeleteRole", {"RoleName": name}, yes, dry_run)
