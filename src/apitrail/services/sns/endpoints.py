"""Which endpoints can be subscribed, by protocol, and which have to confirm first."""

import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from apitrail.arn import parse_arn
from apitrail.services.context import Context
from apitrail.services.queues import queue_at
from apitrail.services.sns.errors import invalid

LENGTH_MAX = 2048
PRINTABLE = re.compile(r"[!-~]+")
FILE = re.compile(r"file://(/?(?:[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}/){0,3}[A-Za-z0-9_-][A-Za-z0-9._-]{0,99})", re.ASCII)


def check_endpoint(ctx: Context, protocol: str, endpoint: str) -> None:
    """Raise InvalidParameter unless an endpoint can be subscribed with this protocol."""
    check = PROTOCOLS.get(protocol)
    if check is None:
        served = ", ".join(PROTOCOLS)
        raise invalid("Protocol", f"Amazon SNS protocol {protocol[:40]} is not served here; these are: {served}")
    if not endpoint or len(endpoint) > LENGTH_MAX:
        raise invalid("Endpoint", f"1 to {LENGTH_MAX} characters")
    check(ctx, protocol, endpoint)


def confirms_itself(ctx: Context, protocol: str, endpoint: str) -> bool:
    """Return whether a subscription counts at once: queues of the caller's own account, and files."""
    if protocol == "sqs":
        arn = parse_arn(endpoint)
        return arn is not None and arn.account == ctx.account
    return protocol == "file"


def file_path(endpoint: str) -> str:
    """Return the path of a file endpoint, below the configured folder."""
    match = FILE.fullmatch(endpoint)
    assert match is not None, endpoint
    return match[1].lstrip("/")


def _check_url(ctx: Context, protocol: str, endpoint: str) -> None:
    try:
        url = urlsplit(endpoint)
        good = url.scheme == protocol and bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        good = False
    if not good or not PRINTABLE.fullmatch(endpoint):
        raise invalid("Endpoint", f"it must be a URL that begins with {protocol}://")


def _check_queue(ctx: Context, protocol: str, endpoint: str) -> None:
    arn = parse_arn(endpoint)
    if arn is None or arn.service != "sqs" or not arn.resource or not arn.account.isdigit():
        raise invalid("Endpoint", "SQS endpoint ARN")
    if arn.resource.endswith(".fifo"):
        raise invalid("Endpoint", "FIFO queues can be subscribed to FIFO topics only")
    if queue_at(ctx.tx, endpoint) is None and not ctx.settings.sns.sqs_endpoint:
        raise invalid(
            "Endpoint", f"there is no queue {endpoint} here, and no other service is set with sns.sqs_endpoint"
        )


def _check_file(ctx: Context, protocol: str, endpoint: str) -> None:
    if not ctx.settings.sns.files_folder:
        raise invalid("Endpoint", "files need a folder to be in, which sns.files_folder sets")
    if not FILE.fullmatch(endpoint):
        raise invalid("Endpoint", "it must be file:// and a path of up to four names, which do not begin with a dot")


PROTOCOLS: Mapping[str, Callable[[Context, str, str], None]] = {
    "http": _check_url,
    "https": _check_url,
    "sqs": _check_queue,
    "file": _check_file,
}
