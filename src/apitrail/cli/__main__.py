"""Lets `python -m apitrail.cli` do what `apitrail` does."""

from apitrail.cli.main import run

run()
