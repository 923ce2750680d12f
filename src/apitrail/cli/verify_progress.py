"""How far a long command is: a bar on a terminal, otherwise a line every ten seconds."""

import sys

from apitrail.cli.options import Invocation

WIDTH = 30
BAR_EVERY_S = 0.1
LINE_EVERY_S = 10.0


class Progress:
    """Writes to stderr, nothing with --quiet."""

    def __init__(self, invocation: Invocation) -> None:
        self._clock = invocation.clock
        self._is_bar = sys.stderr.isatty()
        self._quiet = invocation.quiet
        self._begun = self._last = self._clock.monotonic()
        self._shown = False

    def show(self, done: int, total: int) -> None:
        """Say how many files of how many are done, if it is time to."""
        now = self._clock.monotonic()
        if self._quiet or now - self._last < (BAR_EVERY_S if self._is_bar else LINE_EVERY_S):
            return
        self._last = now
        rate = done / max(0.001, now - self._begun)
        text = f"{done}/{total} files, {rate:.0f}/s"
        if self._is_bar:
            filled = WIDTH * done // max(1, total)
            text = f"\r[{'#' * filled}{' ' * (WIDTH - filled)}] {text}\x1b[K"
        sys.stderr.write(text if self._is_bar else text + "\n")
        sys.stderr.flush()
        self._shown = self._is_bar

    def clear(self) -> None:
        """Remove the bar, so that a line can be written in its place."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._shown = False
