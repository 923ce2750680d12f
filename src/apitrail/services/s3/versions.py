"""The version that a write makes: what it is called, and how answers show it."""

from typing import Any

from apitrail.objects.past import NULL
from apitrail.objects.state import ENABLED
from apitrail.services.context import Context
from apitrail.store.resources import Doc

VERSIONING = "_Versioning"
ID_LENGTH = 32


def new_version(ctx: Context, row: Doc) -> str:
    """Return the id of a version that is written now; empty for the null version."""
    return ctx.ids.token(ID_LENGTH) if row.get(VERSIONING) == ENABLED else ""


def shown_version(row: Doc, version: str) -> dict[str, Any]:
    """Return the member VersionId of an answer; none where a bucket never kept versions."""
    return {"VersionId": version or NULL} if VERSIONING in row else {}
