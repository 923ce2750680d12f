"""URI templates of REST operations: which paths they match, and the labels in a path.

Source: Smithy, http trait (`/{Bucket}/{Key+}?uploads`); a greedy label takes the rest of the path.
"""

from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from apitrail.wire.form import parse_pairs
from apitrail.wire.values import Malformed


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled requestUri. segments: literal text, or `{label}`; greedy: the last label may hold slashes.

    literals: query parts that must be there, with their value, or None where any value will do.
    """

    path: str
    segments: tuple[str, ...]
    greedy: bool
    literals: tuple[tuple[str, str | None], ...]

    def match(self, raw_path: bytes) -> dict[str, bytes] | None:
        """Return the labels of a path, still percent-encoded, or None where the template does not fit.

        Segments are cut before decoding, so `%2F` separates nothing. One slash at the end is ignored, unless the
        last label is greedy; labels are never empty.
        """
        if not raw_path.startswith(b"/"):
            return None
        parts = raw_path[1:].split(b"/", len(self.segments) - 1 if self.greedy else -1)
        if not self.greedy and parts[-1] == b"":
            parts.pop()
        if len(parts) != len(self.segments):
            return None
        labels = {}
        for segment, part in zip(self.segments, parts, strict=True):
            if segment.startswith("{"):
                if not part:
                    return None
                labels[segment[1:-1]] = part
            elif segment.encode() != part:
                return None
        return labels


def parse_template(uri: str) -> Template:
    """Return the compiled form of a model's requestUri."""
    path, _, query = uri.partition("?")
    names = [name for name in path[1:].split("/") if name]
    greedy = bool(names) and names[-1].endswith("+}")
    literals = tuple(
        (name, value if "=" in part else None)
        for part in query.split("&")
        if part
        for name, value in parse_pairs(part.encode())
    )
    return Template(path, tuple(name.replace("+}", "}") for name in names), greedy, literals)


def decode_label(raw: bytes) -> str:
    """Return a label percent-decoded once (`+` stays `+`). Raises: Malformed unless it is UTF-8."""
    try:
        return unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        raise Malformed("a path in UTF-8") from None
