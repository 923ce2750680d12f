"""The options that every verb takes, before or after its name, and the state of one run of the command line."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import click
from click.core import ParameterSource

from apitrail.clock import Clock, SystemClock

FORMATS = ("table", "json", "jsonl", "csv", "text")


@dataclass
class Invocation:
    """One run of the command line: global options, environment, streams, clock.

    output: empty means by the terminal. region, profile, endpoint_url, data: as given, empty when not.
    """

    config: str = ""
    data: str = ""
    endpoint_url: str = ""
    profile: str = ""
    region: str = ""
    output: str = ""
    query: str = ""
    tz: str = "UTC"
    csv_raw: bool = False
    no_color: bool = False
    quiet: bool = False
    verbose: int = 0
    debug: bool = False
    given: set[str] = field(default_factory=set)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    clock: Clock = field(default_factory=SystemClock)

    @property
    def stdout(self) -> TextIO:
        """Where results go."""
        return sys.stdout

    def say(self, text: str) -> None:
        """Write a remark for people to stderr, unless --quiet."""
        if not self.quiet:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()

    def detail(self, text: str) -> None:
        """Write a remark to stderr that only --verbose shows."""
        if self.verbose:
            self.say(text)

    def config_path(self) -> Path | None:
        """Return the path of --config, if given."""
        return Path(self.config) if self.config else None


pass_invocation = click.make_pass_decorator(Invocation)


def _keep(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """Keep a global option that was given; the command line wins over the environment, the later place over the earlier."""
    invocation = context.find_root().obj
    name = parameter.name or ""
    source = context.get_parameter_source(name)
    if source is ParameterSource.COMMANDLINE or (
        source is ParameterSource.ENVIRONMENT and name not in invocation.given
    ):
        setattr(invocation, name, value)
        invocation.given.add(name)
    return value


@dataclass(frozen=True)
class _Global:
    name: str
    help: str
    keywords: dict[str, Any] = field(default_factory=dict)


_GLOBALS = (
    _Global("config", "Settings file.", {"metavar": "FILE"}),
    _Global("data", "Data directory of the server.", {"metavar": "DIR"}),
    _Global("endpoint_url", "Address of the server, instead of looking for a running one.", {"metavar": "URL"}),
    _Global("profile", "Profile of the AWS configuration files to take keys from.", {"metavar": "NAME"}),
    _Global("region", "AWS region to ask.", {"metavar": "REGION"}),
    _Global("output", "Form of the result. [default: table on a terminal, else jsonl for streams and json]",
            {"type": click.Choice(FORMATS)}),
    _Global("query", "JMESPath filter on the JSON form of the result.", {"metavar": "JMESPATH"}),
    _Global("tz", "Time zone of tables: local, UTC or Area/City. [default: UTC]", {"metavar": "ZONE"}),
    _Global("csv_raw", "Do not guard CSV cells against formulas.", {"is_flag": True}),
    _Global("no_color", "No colours.", {"is_flag": True}),
    _Global("quiet", "No remarks on stderr, only errors.", {"is_flag": True}),
    _Global("verbose", "More remarks on stderr; may be repeated.", {"count": True, "show_default": False}),
    _Global("debug", "Show tracebacks.", {"is_flag": True}),
)  # fmt: skip
GLOBAL_NAMES = frozenset(option.name for option in _GLOBALS)


def global_options() -> list[click.Parameter]:
    """Return fresh Click options for one command."""
    return [
        click.Option(
            [f"--{option.name.replace('_', '-')}"],
            help=option.help,
            envvar=f"APITRAIL_{option.name.upper()}",
            show_envvar=True,
            allow_from_autoenv=False,
            expose_value=False,
            callback=_keep,
            **option.keywords,
        )
        for option in _GLOBALS
    ]
