"""The table of verbs and the command classes: verbs are imported when they are used, and all take global options."""

import importlib
from typing import Any

import click
from click.shell_completion import CompletionItem

from apitrail.cli.options import GLOBAL_NAMES, global_options

VERBS = {
    "dev": ("apitrail.cli.dev:dev", "Start a throw-away server, or run a command with one."),
    "serve": ("apitrail.cli.serve:serve", "Start the server."),
    "env": ("apitrail.cli.env:env", "Print the settings that point AWS clients at the server."),
    "status": ("apitrail.cli.status:status", "Show services, journal, trails and their lag."),
    "tail": ("apitrail.cli.tail:tail", "Show events as they are recorded."),
    "lookup": ("apitrail.cli.lookup:lookup", "Search the event history."),
    "show": ("apitrail.cli.show:show", "Show one event, or compare several field by field."),
    "verify": ("apitrail.cli.verify:verify", "Prove log files by their digest files."),
    "trail": ("apitrail.cli.trail:trail", "Make, inspect and switch trails."),
    "matchmaking": ("apitrail.cli.matchmaking:matchmaking", "Find out why a matchmaking ticket waits."),
    "identity": ("apitrail.cli.identity:identity", "Make and inspect accounts, users, roles, keys and policies."),
    "doctor": ("apitrail.cli.doctor:doctor", "Find out what is wrong with this machine and the server."),
    "completion": ("apitrail.cli.completion:completion", "Print a completion script for a shell."),
}


def load(target: str) -> Any:
    """Return `module:attribute`, importing the module when it is first needed."""
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def name_variables(command: click.Command, ctx: click.Context) -> None:
    """Give every option of a verb the environment name APITRAIL_<VERB>_<OPTION>, and let help show it."""
    for option in command.params:
        if isinstance(option, click.Option) and option.envvar is None and ctx.auto_envvar_prefix:
            word = max(option.opts, key=len).lstrip("-").replace("-", "_").upper()
            option.envvar = f"{ctx.auto_envvar_prefix}_{word}"
            option.show_envvar, option.allow_from_autoenv = True, False


class WithGlobals(click.Command):
    """A command that takes the global options as well; its help names them in one line."""

    def __init__(self, name: str | None, params: list[click.Parameter] | None = None, **keywords: Any) -> None:
        super().__init__(name, params=[*(params or []), *global_options()], **keywords)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Name the options' environment variables after the verb, then parse."""
        name_variables(self, ctx)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options, then one line on the global ones."""
        own = [option for option in self.get_params(ctx) if option.name not in GLOBAL_NAMES]
        records = [record for option in own if (record := option.get_help_record(ctx)) is not None]
        with formatter.section("Options"):
            formatter.write_dl([record for record in records if record[0].startswith("-")])
        formatter.write_paragraph()
        formatter.write_text("Global options (--output, --query, --data, --profile, ...) go here too: apitrail --help")


class Verb(WithGlobals):
    """A verb, or an action of a family."""


class Family(WithGlobals, click.Group):
    """A verb with actions: `apitrail trail start`."""

    command_class = Verb
    group_class = type

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write options, then the actions."""
        super().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)


class HostVerb(Verb):
    """A verb that starts a server; what follows `--` is a command to run with it, kept in `ctx.meta["command"]`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the command off, then parse the rest."""
        at = args.index("--") if "--" in args else len(args)
        ctx.meta["command"] = tuple(args[at + 1 :])
        if at == len(args) - 1:
            raise click.UsageError("a command is missing after --", ctx)
        return super().parse_args(ctx, args[:at])

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return the usage line's parts with the command."""
        return [*super().collect_usage_pieces(ctx), "[-- COMMAND ...]"]


class Verbs(click.Group):
    """The root: knows the verbs by the table, and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order of the table."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a verb, or None."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = load(VERBS[cmd_name][0])
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the verb. Raises: NoSuchCommand with the nearest spelling."""
        if args[0] not in VERBS and not args[0].startswith("-"):
            raise click.NoSuchCommand(args[0], possibilities=VERBS, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs without importing them."""
        with formatter.section("Verbs"):
            formatter.write_dl([(name, summary) for name, (_, summary) in VERBS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the verbs that begin so, without importing them, and the options."""
        items = [CompletionItem(name, help=VERBS[name][1]) for name in VERBS if name.startswith(incomplete)]
        return items + click.Command.shell_complete(self, ctx, incomplete)
