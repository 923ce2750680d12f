"""`apitrail env`: what an AWS client needs to know to use the server."""

import click

from apitrail.cli.asking import confirm
from apitrail.cli.discovery import Target, find_target
from apitrail.cli.environment import WRITERS, variables_of
from apitrail.cli.options import Invocation, pass_invocation
from apitrail.cli.output import emit
from apitrail.cli.profiles import check_name, config_path, credentials_path, read_ini, write_section
from apitrail.cli.verbs import Verb


@click.command("env", cls=Verb)
@click.option("--format", "form", type=click.Choice(tuple(WRITERS)), default="sh", help="Language to write.")
@click.option("--write-profile", metavar="NAME", help="Write a profile into the AWS configuration files instead.")
@click.option("--yes", is_flag=True, help="Replace a profile of that name without asking.")
@pass_invocation
def env(invocation: Invocation, form: str, write_profile: str | None, yes: bool) -> None:
    """Print the settings that point AWS clients at the server.

    In a shell: eval "$(apitrail env)"
    """
    target = find_target(invocation)
    if write_profile is not None:
        put_profile(invocation, target, check_name(write_profile), yes)
    elif invocation.output in ("json", "jsonl", "csv"):
        emit(invocation, variables_of(target))
    else:
        invocation.stdout.write(WRITERS[form](variables_of(target)) + "\n")


def put_profile(invocation: Invocation, target: Target, name: str, yes: bool) -> None:
    """Write keys into the credentials file, region and address into the config file; asks before replacing a profile."""
    credentials, config = credentials_path(invocation.environ), config_path(invocation.environ)
    head = name if name == "default" else f"profile {name}"
    if name in read_ini(credentials) or head in read_ini(config):
        confirm(invocation, f"replace profile {name} in {credentials} and {config}", yes)
    keys = target.keys
    secrets = {
        "aws_access_key_id": keys.access_key,
        "aws_secret_access_key": keys.secret_key,
        "aws_session_token": keys.token,
    }
    write_section(credentials, name, secrets)
    write_section(config, head, {"region": target.region, "endpoint_url": target.endpoint})
    invocation.say(f"wrote profile {name} to {credentials} and {config}; use it with: aws --profile {name} ...")
