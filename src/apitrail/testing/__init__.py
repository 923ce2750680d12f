"""For tests, ours and our users': a stage on which calls are made inside the process, on a clock that is moved by hand."""

from apitrail.testing.stage import Stage

__all__ = ["Stage"]
