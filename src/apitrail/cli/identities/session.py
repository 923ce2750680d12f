"""`apitrail identity session`: temporary credentials, and who the caller is."""

import json

import click

from apitrail.cli.arguments import read_json
from apitrail.cli.discovery import find_target
from apitrail.cli.identities.common import ask, form_option, profile_name_option, show_secret, tag_option, tags_of
from apitrail.cli.options import Invocation, pass_invocation
from apitrail.cli.output import emit
from apitrail.cli.verbs import Family


@click.group("session", cls=Family)
def session() -> None:
    """Temporary credentials, and who the caller is."""


@session.command("assume")
@click.argument("role_name", metavar="ROLE")
@click.option("--session-name", default="cli", metavar="NAME", help="Name of the session.")
@click.option(
    "--duration", type=click.IntRange(900, 43200), metavar="S", help="How long the keys are valid, in seconds."
)
@click.option("--external-id", metavar="ID", help="What the role's trust policy may ask for.")
@click.option("--source-identity", metavar="NAME", help="Who is behind the session.")
@click.option("--policy", metavar="FILE|JSON", help="Session policy that narrows what the role may do.")
@tag_option
@form_option
@profile_name_option
@pass_invocation
def session_assume(
    invocation: Invocation,
    role_name: str,
    session_name: str,
    duration: int | None,
    external_id: str | None,
    source_identity: str | None,
    policy: str | None,
    tags: tuple[str, ...],
    form: str,
    profile_name: str,
) -> None:
    """Assume a role and print its keys, once. ROLE: ARN, or name of a role of the caller's account."""
    params = {
        "RoleArn": role_arn(invocation, role_name),
        "RoleSessionName": session_name,
        "DurationSeconds": duration,
        "ExternalId": external_id,
        "SourceIdentity": source_identity,
        "Policy": json.dumps(read_json(policy)) if policy else None,
        "Tags": tags_of(tags),
    }
    answer = ask(invocation, "AssumeRole", params, "sts")
    target = find_target(invocation)
    show_secret(invocation, answer["Credentials"], form, profile_name, target.region, target.endpoint)


def role_arn(invocation: Invocation, name: str) -> str:
    """Return the ARN of a role given by ARN or name."""
    return name if name.startswith("arn:") else str(ask(invocation, "GetRole", {"RoleName": name})["Role"]["Arn"])


@session.command("show")
@pass_invocation
def session_show(invocation: Invocation) -> None:
    """Show who the caller is."""
    emit(invocation, ask(invocation, "GetCallerIdentity", {}, "sts"))
