"""The small program that becomes a game server: it gives up what it must not have, then runs the game in its own place.

Run as a script without any packages. Its orders are JSON on standard input, so that no list of processes shows a token:
{path, arguments, environment, folder, user, parent, failure, limits}. When the game cannot be run it writes why to the
pipe `failure`, which is closed by the system when the game runs.
"""

import ctypes
import json
import os
import pwd
import resource
import signal
import sys
from typing import Any

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
UMASK = 0o027
FAILED = 127
RESTORED = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT)
"""Signals that Python ignores or catches; a game shall find them as they are."""


def become_user(name: str) -> None:
    """Run as another user from now on, with its groups; an empty name changes nothing."""
    if name:
        user = pwd.getpwnam(name)
        os.initgroups(name, user.pw_gid)
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)


def set_limits(limits: dict[str, int]) -> None:
    """Set limits by the names of the resource module, never above what is allowed already."""
    for name, wanted in limits.items():
        number = getattr(resource, name)
        _, hard = resource.getrlimit(number)
        allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(number, (allowed, allowed))


def die_with_parent(parent: int) -> None:
    """Be killed when the host ends, and gain no rights by what is run. It must follow any change of the user."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(FAILED)


def run(order: dict[str, Any]) -> None:
    """Run the game in this process. Raises: OSError, KeyError (unknown user), ValueError."""
    os.set_inheritable(order["failure"], False)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.umask(UMASK)
    for number in RESTORED:
        signal.signal(number, signal.SIG_DFL)
    set_limits(order["limits"])
    become_user(order["user"])
    die_with_parent(order["parent"])
    os.chdir(order["folder"])
    os.execve(order["path"], [order["path"], *order["arguments"]], order["environment"])


def main() -> None:
    """Do what standard input says."""
    order = json.loads(sys.stdin.buffer.read())
    try:
        run(order)
    except (OSError, KeyError, ValueError) as error:
        os.write(order["failure"], str(error).encode(errors="replace")[:1000])
    os._exit(FAILED)


if __name__ == "__main__":
    main()
