"""How an attempt to deliver ended."""

from typing import Literal, NamedTuple

Outcome = Literal["SUCCESS", "RETRY", "DEAD_LETTER", "FAILURE"]
SERVER_ERROR = 500
THROTTLED = 429


class Verdict(NamedTuple):
    """delivered: it is done. lasting: it would fail again. status: of HTTP, else 200 or 0. reason: for people.

    outcome: what came of it; RETRY until it is settled.
    """

    delivered: bool
    lasting: bool = False
    status: int = 0
    reason: str = ""
    outcome: Outcome = "RETRY"


def of_status(status: int) -> Verdict:
    """Return the verdict on an HTTP status: 429 and 500 upward are tried again; redirects are not followed.

    Source: SNS Developer Guide, message delivery retries (client-side errors are not retried, server-side errors are).
    """
    if 200 <= status < 300:
        return Verdict(True, status=status)
    lasting = status < SERVER_ERROR and status != THROTTLED
    return Verdict(False, lasting, status, "redirects are not followed" if 300 <= status < 400 else f"HTTP {status}")
