"""Asking before something is destroyed."""

import sys

import click

from apitrail.cli.errors import USAGE, CliError
from apitrail.cli.options import Invocation


def confirm(invocation: Invocation, what: str, yes: bool) -> None:
    """Go on when --yes was given or a person says yes on the terminal. Raises: CliError otherwise."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise CliError(f"will not {what} without being asked to", code="needs-yes", exit_code=USAGE, hint="add --yes")
    if not click.confirm(f"{what}?", err=True):
        raise CliError(f"did not {what}", code="declined", exit_code=1)


def is_dry(invocation: Invocation, what: str, dry_run: bool) -> bool:
    """Return whether this is only a trial; then say what would happen."""
    if dry_run:
        invocation.say(f"would {what}")
    return dry_run
