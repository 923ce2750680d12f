"""What is read of a sidecar for its metadata alone is what the whole of it says."""

import os

import pytest

from apitrail.objects.bucket import Facts
from apitrail.objects.sidecar import Entry, Sidecar, decode_sidecar, metadata_of

NEW, OLD = (
    Entry(5, 1_000, Facts(metadata={"signature": "new"}, etag="e")),
    Entry(4, 900, Facts(metadata={"signature": "old"})),
)
BOTH = Sidecar("a/b", (NEW, OLD), number=7).encode()


def state(size: int, mtime_ns: int) -> os.stat_result:
    """Return the state of a file."""
    return os.stat_result(
        (0o100644, 1, 1, 1, 0, 0, size, 0, 0, 0),
        {"st_mtime_ns": mtime_ns, "st_atime_ns": 0, "st_ctime_ns": 0},
    )


@pytest.mark.parametrize(
    ("size", "mtime_ns", "said"),
    [(5, 1_000, "new"), (4, 900, "old"), (4, 1_000, "new"), (77, 5, "new")],
    ids=["the newest", "before a crash", "another time", "edited by hand"],
)
def test_the_metadata_is_that_of_the_entry_that_fits_else_the_newest(size: int, mtime_ns: int, said: str) -> None:
    file = state(size, mtime_ns)
    whole = decode_sidecar(BOTH, "a/b")
    fitting = whole.entry_of(file)
    facts = fitting.facts if fitting else whole.edited_facts()
    assert metadata_of(BOTH, "a/b", file) == facts.metadata == {"signature": said}


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (b"", "a/b"),
        (BOTH[:-9], "a/b"),
        (BOTH, "a/c"),
        (BOTH.replace(b'"version":1', b'"version":2'), "a/b"),
        (Sidecar("a/b", (), number=7).encode(), "a/b"),
        (b'{"key":"a/b","entries":[{"size":"5"}]}', "a/b"),
    ],
    ids=["missing", "cut", "of another key", "of another form", "of a deleted object", "no entry"],
)
def test_a_sidecar_that_says_nothing_gives_no_metadata(content: bytes, key: str) -> None:
    assert metadata_of(content, key, state(5, 1_000)) == {}
    assert decode_sidecar(content, key).entry_of(state(5, 1_000)) is None
    assert decode_sidecar(content, key).edited_facts().metadata == {}
