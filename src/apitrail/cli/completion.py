"""`apitrail completion`: scripts that let a shell complete verbs and options."""

import click
from click.shell_completion import get_completion_class

from apitrail.cli.errors import local_error
from apitrail.cli.options import Invocation, pass_invocation
from apitrail.cli.verbs import Verb

SHELLS = ("bash", "zsh", "fish", "powershell")


@click.command("completion", cls=Verb)
@click.argument("shell", type=click.Choice(SHELLS))
@pass_invocation
def completion(invocation: Invocation, shell: str) -> None:
    """Print a completion script for a shell.

    For bash: eval "$(apitrail completion bash)"
    """
    invocation.stdout.write(script(shell) + "\n")


def script(shell: str) -> str:
    """Return the completion script of one shell."""
    found = get_completion_class(shell)
    if found is None:
        raise local_error(f"no completion for {shell}", code="no-completion")
    root = click.get_current_context().find_root().command
    return found(root, {}, "apitrail", "_APITRAIL_COMPLETE").source()
