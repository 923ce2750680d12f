"""Long texts of game sessions and placements, kept beside the document, which is written again at every step."""

from apitrail.store.resources import Doc, Documents

ASIDE_CHARS = 2048
TEXTS = ("GameSessionData", "MatchmakerData")


def put_aside(beside: Documents, id: str, doc: Doc) -> None:
    """Move the long texts of a document out of it; it is stored by whoever calls."""
    texts = {name: doc.pop(name) for name in TEXTS if len(doc.get(name, "")) > ASIDE_CHARS}
    if texts:
        beside.put(id, (beside.get(id) or {}) | texts)
        doc["_Aside"] = True


def together(beside: Documents, id: str, doc: Doc) -> Doc:
    """Return a document with the texts that are kept beside it; one that it has itself is newer."""
    return (beside.get(id) or {}) | doc if doc.get("_Aside") else doc
