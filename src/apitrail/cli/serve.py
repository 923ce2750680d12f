"""`apitrail serve`: the server, with its data kept."""

from pathlib import Path

import click

from apitrail.cli.hosting import set_option, settings_for
from apitrail.cli.options import Invocation
from apitrail.cli.verbs import HostVerb, load


@click.command("serve", cls=HostVerb)
@click.option("--host", metavar="ADDRESS", help="Address to listen on. [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one. [default: 4580]")
@click.option("--auth", type=click.Choice(("strict", "permissive")), help="How callers are checked. [default: strict]")
@set_option
@click.pass_context
def serve(
    context: click.Context, host: str | None, port: int | None, auth: str | None, assignments: tuple[str, ...]
) -> int:
    """Start the server; with a command after `--`, run that and stop when it has ended.

    On an empty data directory it makes the first account and prints its root key, once.
    """
    invocation = context.find_object(Invocation)
    assert invocation is not None
    options = {"server.host": host, "server.port": port, "auth.mode": auth}
    data = Path(invocation.data) if invocation.data else None
    settings = settings_for(invocation, data, assignments, options)
    code: int = load("apitrail.cli.host:run")(
        invocation, settings, load("apitrail.cli.host:serve_lines"), context.meta["command"], dev=False
    )
    return code
