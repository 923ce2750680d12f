"""Lets `python -m apitrail.cli` do what `apitrail` does."""

import sys

from apitrail.cli.main import main

sys.exit(main())
