"""What can go wrong on the command line: one error type, its exit codes, and how it is written.

Source: the product's table of exit codes (docs/reference/commands.md).
"""

import errno
import json
from typing import TextIO

import click

from apitrail.cli.terminal import clean
from apitrail.errors import ApitrailError, SettingsError

OK, NO, USAGE, LOCAL, REMOTE, REFUSED, BUG, INTERRUPTED = 0, 1, 2, 3, 4, 5, 70, 130
EXIT_CODES = {
    OK: "done; the answer is yes",
    NO: "done; the answer is no: an expectation did not hold, nothing was found, doctor found a problem",
    USAGE: "the command line is wrong",
    LOCAL: "configuration or local environment is wrong (file, permission, port in use)",
    REMOTE: "the server could not be reached, timed out, or returned a failure",
    REFUSED: "no keys, signature refused, or access denied",
    BUG: "a bug in apitrail",
    INTERRUPTED: "interrupted by Ctrl-C",
}


class CliError(ApitrailError):
    """An end of a command that is not success.

    code: a stable word for programs (`port-in-use`). where: file and key, or host. hint: one next step.
    """

    def __init__(self, message: str, *, code: str, exit_code: int, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.exit_code = exit_code
        self.where = where
        self.hint = hint


def usage_error(message: str, *, hint: str = "") -> CliError:
    """Return the error of a wrong command line."""
    return CliError(message, code="usage", exit_code=USAGE, hint=hint)


def local_error(message: str, *, code: str, where: str = "", hint: str = "") -> CliError:
    """Return the error of a file, permission or setting of this machine."""
    return CliError(message, code=code, exit_code=LOCAL, where=where, hint=hint)


def describe(error: Exception) -> CliError:
    """Return any exception as an error of the command line; an unknown one is a bug of ours."""
    if isinstance(error, CliError):
        return error
    if isinstance(error, click.ClickException):
        return _click_error(error)
    if isinstance(error, SettingsError):
        return local_error(str(error), code="config-invalid", where=error.where, hint=error.hint)
    if isinstance(error, OSError):
        return _system_error(error)
    return CliError(
        f"unexpected {type(error).__name__}: {error}",
        code="bug",
        exit_code=BUG,
        hint="this is a bug in apitrail; run again with --debug and report the traceback",
    )


def _click_error(error: click.ClickException) -> CliError:
    hint = ""
    if isinstance(error, click.UsageError) and error.ctx is not None:
        hint = f"try: {error.ctx.command_path} --help"
    if isinstance(error, click.NoSuchOption | click.NoSuchCommand) and error.possibilities:
        hint = f"did you mean {' or '.join(error.possibilities)}?"
        return usage_error(error.message.rstrip("."), hint=hint)
    if isinstance(error, click.FileError):
        return local_error(error.format_message(), code="file", where=error.ui_filename)
    return usage_error(error.format_message().rstrip("."), hint=hint)


def _system_error(error: OSError) -> CliError:
    codes = {errno.EACCES: "permission", errno.ENOENT: "no-such-file", errno.ENOSPC: "disk-full"}
    where = str(error.filename or "")
    return local_error(error.strerror or str(error), code=codes.get(error.errno or 0, "system"), where=where)


def write_error(error: CliError, stream: TextIO, *, as_json: bool) -> None:
    """Write an error for people (`error:` and `hint:` lines) or for programs (one JSON object)."""
    if as_json:
        parts = {"code": error.code, "message": error.message, "where": error.where, "hint": error.hint}
        stream.write(json.dumps({"error": parts}) + "\n")
        return
    place = f"{error.where}: " if error.where and error.where not in error.message else ""
    stream.write(f"error: {clean(place + error.message)}\n")
    for line in error.hint.splitlines():
        stream.write(f"hint:  {clean(line)}\n")
