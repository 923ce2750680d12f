"""What several services need: pages with opaque tokens, and tags."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import orjson

from apitrail.services.context import Context

T = TypeVar("T")
MAC_BYTES = 12


def make_token(ctx: Context, bound_to: Any, position: Any) -> str:
    """Return an opaque page token: a position (JSON), authenticated and bound to operation, account and parameters."""
    body = orjson.dumps(position)
    return base64.urlsafe_b64encode(_mac(ctx, bound_to, body) + body).decode().rstrip("=")


def read_token(ctx: Context, bound_to: Any, token: str, refuse: Callable[[str], Exception]) -> Any:
    """Return the position of a token. Raises: what refuse makes, for a token that is foreign or damaged."""
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (binascii.Error, ValueError) as error:
        raise refuse("The NextToken is not valid.") from error
    mac, body = text[:MAC_BYTES], text[MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(ctx, bound_to, body)):
        raise refuse("The NextToken is not valid for this request.")
    return orjson.loads(body)


def take_page(rows: Sequence[T], limit: int) -> tuple[Sequence[T], bool]:
    """Return the first limit rows, and whether there are more; ask the store for limit + 1."""
    return rows[:limit], len(rows) > limit


def _mac(ctx: Context, bound_to: Any, body: bytes) -> bytes:
    bound = orjson.dumps([ctx.account, ctx.region, bound_to], option=orjson.OPT_SORT_KEYS)
    return hmac.digest(ctx.key, hashlib.sha256(bound).digest() + body, "sha256")[:MAC_BYTES]
