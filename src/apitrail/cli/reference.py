"""The reference page of the commands, made from the commands themselves.

`python -m apitrail.cli.reference > docs/reference/commands.md` writes it; a test compares.
"""

import sys
from collections.abc import Iterator

import click

from apitrail.cli.errors import EXIT_CODES
from apitrail.cli.main import PROGRAM, root
from apitrail.cli.options import GLOBAL_NAMES
from apitrail.cli.verbs import VERBS, name_variables

HEAD = """# Commands

This page is made from the program (`python -m apitrail.cli.reference`); do not edit it.

`apitrail [GLOBAL OPTIONS] VERB [OPTIONS] [ARGUMENTS]`. Global options may also stand after the verb.
Results go to stdout; remarks, warnings and errors to stderr. `--` ends the options of `dev` and `serve`; what follows is a
command that runs with the client variables set, and whose exit code is returned.

Times are RFC 3339, a date, epoch seconds, `-15m`, `-2h`, `-7d`, or `now`; without a zone they are UTC.

The server is found by `--endpoint-url`, `--data`, `AWS_ENDPOINT_URL`, the profile's `endpoint_url`, or as the newest one
that runs on this machine. Keys come from `--profile`, `AWS_ACCESS_KEY_ID`, `AWS_PROFILE`, or the credentials file of the
server that was found.
"""


def reference_text() -> str:
    """Return the page as CommonMark."""
    context = click.Context(root, info_name=PROGRAM, auto_envvar_prefix="APITRAIL", show_default=True)
    lines = [
        HEAD,
        "## Global options\n",
        *_options(root, context),
        "",
        "## Exit codes\n",
        "| code | meaning |",
        "|---|---|",
    ]
    lines += [f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items()]
    for name in VERBS:
        command = root.get_command(context, name)
        assert command is not None
        lines += _command(command, click.Context(command, info_name=name, parent=context), 2)
    return "\n".join(lines) + "\n"


def _command(command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    """Yield a command's section, then those of its actions."""
    name_variables(command, context)
    yield f"\n{'#' * level} {context.command_path}\n"
    pieces = " ".join(command.collect_usage_pieces(context)).replace("COMMAND [ARGS]...", "ACTION ...")
    yield f"`{context.command_path} {pieces}`\n"
    yield _paragraphs(command.help or "")
    own = list(_options(command, context))
    if own:
        yield from ["", *own]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            action = command.get_command(context, name)
            assert action is not None
            yield from _command(action, click.Context(action, info_name=name, parent=context), level + 1)


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    """Yield the rows of a table of options; global ones only for the root."""
    rows = []
    for option in command.params:
        if isinstance(option, click.Option) and (command is root or option.name not in GLOBAL_NAMES):
            record = option.get_help_record(context)
            if record is not None and option.name != "version":
                name = record[0].replace("|", "\\|")
                rows.append(f"| `{name}` | {_cell(record[1])} |".replace("[env var:", "[environment:"))
    if rows:
        yield from ["| option | meaning |", "|---|---|", *rows]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;")


def _paragraphs(text: str) -> str:
    """Return help text with its lines joined, so that paragraphs stay paragraphs."""
    blocks = text.replace("\b", "").strip().split("\n\n")
    return "\n\n".join(" ".join(block.split()) for block in blocks)


if __name__ == "__main__":
    sys.stdout.write(reference_text())
