"""`apitrail dev`: a throw-away server: temporary data, permissive auth, log files every two seconds."""

import shutil
import signal
import tempfile
from functools import partial
from pathlib import Path

import click

from apitrail.cli.hosting import set_option, settings_for
from apitrail.cli.options import Invocation
from apitrail.cli.verbs import HostVerb, load

DEFAULTS = {"auth.mode": "permissive", "delivery.period_s": 2.0, "digest.period_s": 60}


@click.command("dev", cls=HostVerb)
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one. [default: 4580]")
@click.option("--fast", is_flag=True, help="AWS's slow steps take no time: a fleet is active at once.")
@click.option("--seed", type=int, metavar="N", help="Make the same ids in every run with the same number.")
@click.option("--keep", is_flag=True, help="Keep the data at the end.")
@set_option
@click.pass_context
def dev(
    context: click.Context, port: int | None, fast: bool, seed: int | None, keep: bool, assignments: tuple[str, ...]
) -> int:
    """Start a throw-away server; with a command after `--`, run that with the client variables set.

    For example: apitrail dev --port 0 --fast -- pytest -q
    """
    invocation = context.find_object(Invocation)
    assert invocation is not None
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # until the server listens to it: clean up, then end
    made = None if invocation.data else Path(tempfile.mkdtemp(prefix="apitrail-dev-"))
    temporary = made is not None and not keep
    try:
        options = {"server.port": port, "gamelift.delay_scale": 0.0 if fast else None}
        settings = settings_for(invocation, made or Path(invocation.data), assignments, options, DEFAULTS)
        lines = partial(load("apitrail.cli.host:dev_lines"), temporary=temporary)
        code: int = load("apitrail.cli.host:run")(
            invocation, settings, lines, context.meta["command"], dev=True, seed=seed
        )
        return code
    finally:
        if temporary and made is not None:
            shutil.rmtree(made, ignore_errors=True)
