"""`python -m apitrail.host SOCKET MARK`: started by the server, never by hand."""

import sys

from apitrail.host.keeper import main

sys.exit(main(sys.argv[1:]))
