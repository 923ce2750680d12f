"""Pages of listings against a plain rereading of the rules, and both trees of a folder against memory."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from apitrail.clock import VirtualClock
from apitrail.objects.bucket import Bucket
from apitrail.objects.folder import FolderBucket
from apitrail.objects.memory import MemoryBucket

KEYS = st.lists(st.text("ab/-.\u00e9\U0010ffff", min_size=1, max_size=7), max_size=12, unique=True)
TEXT = st.text("ab/-\u00e9", max_size=4)
DELIMITERS = st.sampled_from(["", "/", "a", "b/", "\u00e9"])
Listing = list[tuple[list[str], list[str], str | None]]


def expected(keys: list[str], prefix: str, after: str, delimiter: str) -> list[str]:
    """Return the names of a whole listing, by reading the rules."""
    names: list[str] = []
    for key in sorted(keys, key=str.encode):
        if not key.startswith(prefix) or key.encode() <= after.encode():
            continue
        at = key.find(delimiter, len(prefix)) if delimiter else -1
        name = key if at < 0 else key[: at + len(delimiter)]
        if name not in names and not (at >= 0 and name == after):
            names.append(name)
    return names


async def pages(bucket: Bucket, prefix: str, after: str, limit: int, delimiter: str) -> tuple[list[str], Listing]:
    names: list[str] = []
    seen: Listing = []
    position: str | None = after
    while position is not None:
        page = await bucket.list(prefix, position, limit, delimiter)
        keys = [info.key for info in page.objects]
        assert len(keys) + len(page.common_prefixes) <= limit
        names += sorted([*keys, *page.common_prefixes], key=str.encode)
        seen.append((keys, list(page.common_prefixes), page.next))
        position = page.next
    return names, seen


@settings(max_examples=60, deadline=None)
@given(KEYS, TEXT, TEXT, st.integers(1, 5), DELIMITERS)
def test_folder_and_memory_list_what_the_rules_say(
    keys: list[str], prefix: str, after: str, limit: int, delimiter: str
) -> None:
    async def main(root: Path) -> None:
        memory, folder = MemoryBucket(VirtualClock()), FolderBucket(root)
        await folder.create()
        for key in keys:
            await memory.put(key, b"", content_type="a/b")
            await folder.put(key, b"", content_type="a/b")
        names, seen = await pages(memory, prefix, after, limit, delimiter)
        assert names == expected(keys, prefix, after, delimiter)
        assert (names, seen) == await pages(folder, prefix, after, limit, delimiter)

    with TemporaryDirectory() as place:
        asyncio.run(main(Path(place) / "bucket"))
