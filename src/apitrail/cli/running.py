"""A command that runs while a server does: started when the server is ready, its end ends the server."""

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence

from apitrail.cli.errors import local_error

PATIENCE_S = 10.0
SIGNAL_BASE = 128


class Companion:
    """Runs a command beside the server of this process, and stops the server when the command has ended."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)
        self._child: subprocess.Popen[bytes] | None = None
        self._failure: OSError | None = None

    def start(self, variables: Mapping[str, str]) -> None:
        """Start the command with these variables in its environment, and without a session token of before."""
        environ = {name: value for name, value in os.environ.items() if name != "AWS_SESSION_TOKEN"}
        try:
            self._child = subprocess.Popen(self._command, env={**environ, **variables})
        except OSError as error:
            self._failure = error
            os.kill(os.getpid(), signal.SIGTERM)
            return
        threading.Thread(target=self._stop_server_after, args=(self._child,), daemon=True).start()

    def _stop_server_after(self, child: subprocess.Popen[bytes]) -> None:
        child.wait()
        os.kill(os.getpid(), signal.SIGTERM)

    def finish(self) -> int | None:
        """Return the command's exit code, None when it never began; one that still runs is asked to end, then made to.

        A command that a signal ended has 128 plus its number, as in shells. Raises: CliError when it could not be started.
        """
        if self._failure is not None:
            raise local_error(
                f"cannot run {self._command[0]}: {self._failure.strerror}",
                code="no-command",
                hint="give the command's words after --",
            )
        if self._child is None:
            return None
        code = self._end(self._child)
        return SIGNAL_BASE - code if code < 0 else code

    def _end(self, child: subprocess.Popen[bytes]) -> int:
        if child.poll() is None:
            child.terminate()
        try:
            return child.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            return child.wait()
