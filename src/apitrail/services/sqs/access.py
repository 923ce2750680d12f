"""Which queue a call means, and whether the caller may do this to it: its own policies and the queue's decide together."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from apitrail.arn import make_arn
from apitrail.identity.policy import denied_message
from apitrail.services.addresses import base_url
from apitrail.services.context import Context
from apitrail.services.queues import QUEUES
from apitrail.services.resource_policies import decide
from apitrail.services.sqs.errors import AccessDeniedException, InvalidAddress, QueueDoesNotExist
from apitrail.services.sqs.records import queue_name
from apitrail.store.resources import Doc

Params = Mapping[str, Any]
Result = dict[str, Any]

ACCOUNT = re.compile(r"[0-9]{12}", re.ASCII)


def queue_of(ctx: Context, params: Params, action: str) -> Doc:
    """Return the queue of a call's QueueUrl, of which only the path counts.

    action: what is done, `SendMessage`. Raises: InvalidAddress, AccessDeniedException, QueueDoesNotExist.
    """
    account, name = queue_name(params["QueueUrl"])
    if not ACCOUNT.fullmatch(account) or len(urlsplit(params["QueueUrl"]).path) > 200:
        raise InvalidAddress(f"The address {params['QueueUrl'][:200]} is not valid for this endpoint.")
    return queue_named(ctx, account, name, action)


def queue_named(ctx: Context, account: str, name: str, action: str) -> Doc:
    """Return a queue of an account. Raises: AccessDeniedException, QueueDoesNotExist."""
    queue = QUEUES.at(ctx.tx, account, ctx.region).get(name)
    arn = make_arn("sqs", ctx.region, account, name)
    policy = queue["Attributes"].get("Policy", "") if queue is not None else ""
    decision = decide(ctx, f"sqs:{action}", arn, account, policy)
    if not decision.allowed:
        assert ctx.principal is not None
        raise AccessDeniedException(denied_message(ctx.principal, f"sqs:{action.lower()}", arn, decision))
    if queue is None:
        raise QueueDoesNotExist("The specified queue does not exist.")
    return queue


def put_queue(ctx: Context, queue: Doc) -> None:
    """Store a queue of the call's region."""
    queue["_ModifiedAt"] = ctx.now.timestamp()
    QUEUES.at(ctx.tx, queue["Owner"], ctx.region).put(queue["QueueName"], queue)


def queue_url(ctx: Context, queue: Doc) -> str:
    """Return a queue's URL, at the host that the caller has used."""
    return f"{base_url(ctx)}/{queue['Owner']}/{queue['QueueName']}"
