"""Pages of lists: `Limit` and `NextToken`.

A token says behind which document the next page begins, so pages are stable while documents come and go, and no token
is handed out twice. It is bound to the operation, the account, the region and the other parameters. Source: service model.
"""

from collections.abc import Callable, Mapping
from typing import Any

from apitrail.services.common import make_token, read_token, take_page
from apitrail.services.context import Context
from apitrail.services.gamelift.errors import InvalidRequestException
from apitrail.store.resources import Doc, Documents, Entry

PAGE_COUNT = 100
"""Documents per page where the call has no Limit and the API names no other size. Inferred."""

PAGE_COUNT_MAX = 1000
"""Documents per page, whatever the Limit; whoever wants more follows the token."""

SCAN_COUNT = 250

Where = tuple[str, Any]
Keep = Callable[[Doc], bool]


def page_of(
    ctx: Context,
    operation: str,
    params: Mapping[str, Any],
    documents: Documents,
    *,
    default: int = PAGE_COUNT,
    cap: int | None = None,
    where: Where | None = None,
    keep: Keep | None = None,
    newest_first: bool = False,
) -> tuple[list[Doc], str | None]:
    """Return the documents of the page that the call asks for, and the token of the next page or None.

    operation: its name. default: the page's size without a Limit. cap: the largest size. where: an indexed field
    and its value. keep: whether a document belongs into the list, for what no index can say. Documents come in the
    order of creation. Raises: InvalidRequestException for a token that is damaged or of another list.
    """
    limit = page_limit(params, default, cap)
    bound = bound_to(operation, params)
    after = position_of(ctx, bound, params) or 0
    rows = _read(documents, limit + 1, after, where, keep, newest_first)
    page, more = take_page(rows, limit)
    return [row.doc for row in page], make_token(ctx, bound, page[-1].ord) if more else None


def page_limit(params: Mapping[str, Any], default: int = PAGE_COUNT, cap: int | None = None) -> int:
    """Return how many documents the page may hold."""
    asked: int = params.get("Limit", default)
    return min(asked, cap or PAGE_COUNT_MAX, PAGE_COUNT_MAX)


def bound_to(operation: str, params: Mapping[str, Any]) -> list[Any]:
    """Return what a token of this call is bound to: the operation and every parameter that picks documents."""
    return [operation, {name: value for name, value in params.items() if name not in ("Limit", "NextToken")}]


def position_of(ctx: Context, bound: list[Any], params: Mapping[str, Any]) -> Any:
    """Return the position in the call's NextToken, or None without one. Raises: InvalidRequestException."""
    token = params.get("NextToken")
    return None if token is None else read_token(ctx, bound, token, InvalidRequestException)


def _read(
    documents: Documents, count: int, after: int, where: Where | None, keep: Keep | None, newest_first: bool
) -> list[Entry]:
    """Return up to count documents that belong into the list, reading on while some do not."""
    if keep is None:
        return _rows(documents, count, after, where, newest_first)
    kept: list[Entry] = []
    while len(kept) < count:
        rows = _rows(documents, SCAN_COUNT, after, where, newest_first)
        kept += (row for row in rows if keep(row.doc))
        if len(rows) < SCAN_COUNT:
            break
        after = rows[-1].ord
    return kept[:count]


def _rows(documents: Documents, count: int, after: int, where: Where | None, newest_first: bool) -> list[Entry]:
    if where is None:
        return documents.page(count, after, newest_first=newest_first)
    return documents.find(*where, count, after, newest_first=newest_first)
