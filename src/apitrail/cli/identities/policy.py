"""`apitrail identity policy`: managed policies, and to whom they are attached."""

import json

import click

from apitrail.cli.arguments import read_json
from apitrail.cli.errors import local_error, usage_error
from apitrail.cli.identities.common import ask, client_of, decoded_document, dry_option, path_option, remove, yes_option
from apitrail.cli.options import Invocation, pass_invocation
from apitrail.cli.output import emit, member
from apitrail.cli.verbs import Family

KINDS = {"user": "UserName", "role": "RoleName", "group": "GroupName"}


@click.group("policy", cls=Family)
def policy() -> None:
    """Managed policies, and to whom they are attached."""


@policy.command("create")
@click.argument("name")
@click.argument("document", metavar="FILE|JSON")
@click.option("--description", metavar="TEXT", help="What it is for.")
@path_option
@pass_invocation
def policy_create(invocation: Invocation, name: str, document: str, description: str | None, path: str) -> None:
    """Make a managed policy from a document; `-` reads stdin."""
    params = {
        "PolicyName": name,
        "PolicyDocument": json.dumps(read_json(document)),
        "Description": description,
        "Path": path,
    }
    emit(invocation, ask(invocation, "CreatePolicy", params)["Policy"])


@policy.command("ls")
@click.option(
    "--scope", type=click.Choice(("All", "AWS", "Local")), default="All", help="Built-in ones, own ones, or both."
)
@pass_invocation
def policy_ls(invocation: Invocation, scope: str) -> None:
    """List managed policies."""
    policies = client_of(invocation).query_all("ListPolicies", "Policies", {"Scope": scope})
    columns = (member("name", "PolicyName"), member("attached", "AttachmentCount"), member("arn", "Arn"))
    emit(invocation, {"Policies": policies}, items="Policies", columns=columns)


@policy.command("show")
@click.argument("name")
@pass_invocation
def policy_show(invocation: Invocation, name: str) -> None:
    """Show a managed policy with its document. NAME: name or ARN."""
    arn = policy_arn(invocation, name)
    found = ask(invocation, "GetPolicy", {"PolicyArn": arn})["Policy"]
    params = {"PolicyArn": arn, "VersionId": found["DefaultVersionId"]}
    version = ask(invocation, "GetPolicyVersion", params)["PolicyVersion"]
    emit(invocation, {**found, "Document": decoded_document(version["Document"])})


@policy.command("rm")
@click.argument("name")
@yes_option
@dry_option
@pass_invocation
def policy_rm(invocation: Invocation, name: str, yes: bool, dry_run: bool) -> None:
    """Delete a managed policy that is attached nowhere. NAME: name or ARN."""
    arn = policy_arn(invocation, name)
    remove(invocation, f"policy {arn}", "DeletePolicy", {"PolicyArn": arn}, yes, dry_run)


@policy.command("attach")
@click.argument("name")
@click.option("--user", metavar="NAME", help="User to attach it to.")
@click.option("--role", metavar="NAME", help="Role to attach it to.")
@click.option("--group", metavar="NAME", help="Group to attach it to.")
@pass_invocation
def policy_attach(invocation: Invocation, /, name: str, **given: str | None) -> None:
    """Attach a managed policy. NAME: name or ARN."""
    _attachment(invocation, "Attach", name, given)


@policy.command("detach")
@click.argument("name")
@click.option("--user", metavar="NAME", help="User to take it from.")
@click.option("--role", metavar="NAME", help="Role to take it from.")
@click.option("--group", metavar="NAME", help="Group to take it from.")
@pass_invocation
def policy_detach(invocation: Invocation, /, name: str, **given: str | None) -> None:
    """Take a managed policy away. NAME: name or ARN."""
    _attachment(invocation, "Detach", name, given)


def _attachment(invocation: Invocation, verb: str, name: str, given: dict[str, str | None]) -> None:
    chosen = [(kind, whom) for kind, whom in given.items() if whom is not None]
    if len(chosen) != 1:
        raise usage_error("give exactly one of --user, --role and --group")
    kind, whom = chosen[0]
    arn = policy_arn(invocation, name)
    ask(invocation, f"{verb}{kind.capitalize()}Policy", {KINDS[kind]: whom, "PolicyArn": arn})
    invocation.say(f"{arn} is {verb.lower()}ed: {kind} {whom}")


def policy_arn(invocation: Invocation, name: str) -> str:
    """Return the ARN of a managed policy given by ARN or name; the account's own go before built-in ones."""
    if name.startswith("arn:"):
        return name
    policies = client_of(invocation).query_all("ListPolicies", "Policies", {"Scope": "All"})
    found = sorted(item["Arn"] for item in policies if item["PolicyName"] == name)
    own = [arn for arn in found if ":iam::aws:" not in arn]
    if not found:
        raise local_error(f"no policy named {name}", code="no-such-policy", hint="see: apitrail identity policy ls")
    return str((own or found)[0])
