"""Who listens on a port of this machine, as far as Linux tells."""

import re
import socket
from pathlib import Path

_LISTENING = "0A"


def owner_of_port(port: int) -> int | None:
    """Return the process that listens on a TCP port, or None when it cannot be told. Source: proc(5), /proc/net/tcp."""
    inodes = {f"socket:[{inode}]" for table in ("tcp", "tcp6") for inode in _inodes(Path("/proc/net") / table, port)}
    return next((pid for pid in _processes() if inodes and _holds(pid, inodes)), None)


def is_taken(host: str, port: int) -> bool:
    """Return whether something answers on an address."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


def _inodes(table: Path, port: int) -> list[str]:
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return []
    fields = [line.split() for line in lines]
    return [f[9] for f in fields if f[3] == _LISTENING and int(f[1].rpartition(":")[2], 16) == port]


def _processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if path.name.isdigit()]


def _holds(pid: int, inodes: set[str]) -> bool:
    try:
        return any(str(link.readlink()) in inodes for link in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def command_of(pid: int) -> str:
    """Return the name of a process, empty when it cannot be told."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    names = [Path(word.decode("utf-8", "replace")).name for word in words if word]
    interpreters = re.compile(r"(python[\d.]*|sh|bash|node)")
    return next((name for name in names if not interpreters.fullmatch(name) and not name.startswith("-")), "")
