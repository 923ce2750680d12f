"""The entry of the command line: runs a verb, and turns every end into an exit code."""

import contextlib
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from itertools import pairwise
from typing import NoReturn

import click
from click.shell_completion import shell_complete

from apitrail import __version__
from apitrail.cli.errors import BUG, INTERRUPTED, OK, describe, write_error
from apitrail.cli.options import Invocation, global_options
from apitrail.cli.verbs import Verbs

PROGRAM = "apitrail"
COMPLETE_VARIABLE = "_APITRAIL_COMPLETE"


@click.group(
    cls=Verbs,
    params=global_options(),
    context_settings={"auto_envvar_prefix": "APITRAIL", "help_option_names": ["-h", "--help"], "show_default": True},
)
@click.version_option(__version__, prog_name=PROGRAM)
def root() -> None:
    """A self-hosted audit trail for AWS-style APIs, compatible with CloudTrail, with Amazon GameLift built in.

    Every option of a verb may be set by APITRAIL_<VERB>_<OPTION>, every global option by APITRAIL_<OPTION>.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code. arguments: without the program's name."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if instruction := os.environ.get(COMPLETE_VARIABLE):
        return shell_complete(root, {"obj": Invocation()}, PROGRAM, COMPLETE_VARIABLE, instruction)
    _make_streams_safe()
    try:
        return _run(words)
    except BrokenPipeError:
        _drop_output()
        return OK


def run() -> NoReturn:
    """Run the command line and end the process with its exit code, without taking the interpreter down piece by piece.

    The object store's threads may still finish a request then, and would abort the process when they ask for the
    interpreter that has gone.
    """
    code = main()
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _run(words: list[str]) -> int:
    invocation = Invocation()
    try:
        with root.make_context(PROGRAM, words, obj=invocation) as context:
            result = root.invoke(context)
        sys.stdout.flush()
        return result if isinstance(result, int) else OK
    except click.exceptions.Exit as end:
        sys.stdout.flush()
        return end.exit_code
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:  # the one place where every failure becomes a message and an exit code
        return _report(error, invocation, words)


def _report(error: Exception, invocation: Invocation, words: list[str]) -> int:
    described = describe(error)
    sys.stdout.flush()
    if invocation.debug or (described.exit_code == BUG and "--debug" in words):
        traceback.print_exception(error)
    write_error(described, sys.stderr, as_json=_wants_json(invocation, words))
    return described.exit_code


def _wants_json(invocation: Invocation, words: list[str]) -> bool:
    """Return whether errors are JSON; looks at the words too, since a wrong option may hide a later --output."""
    asked = invocation.output or next((b for a, b in pairwise(words) if a == "--output"), "")
    return asked in ("json", "jsonl") or not {"--output=json", "--output=jsonl"}.isdisjoint(words)


def _make_streams_safe() -> None:
    """Let text that the stream's encoding lacks come out escaped."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _drop_output() -> None:
    """Point stdout at nothing, so that the interpreter's last flush does not complain about the closed pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
