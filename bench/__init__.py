"""Measures the product: `python -m bench [A1 ...]`. Each figure is a module; docs/evidence/bench.md shows the last run.

loader.py     a process that makes calls on bare sockets, with requests signed beforehand
requests.py   the bytes of requests, as the stock SDK signs them
processes.py  processes, their CPU time and memory
server.py     our server, and the game sessions that calls go to
bare.py unrecorded.py   what it is compared with: a bare server; the same server without its journal
peers.py      other emulators, each in an environment of its own
growth.py plot.py   calls on a store that grows, without sockets, and their picture
events.py     synthetic events and journals full of them
archive.py    a month of log files and digest files
archive.py    a month of log files and digest files
results.py    rows, tables, files
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / ".bench"
"""Environments, data and results; nothing in it is needed by the next run."""

REGION = "us-west-2"
ACCOUNT = "111122223333"
