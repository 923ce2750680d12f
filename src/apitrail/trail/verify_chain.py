"""Chains of digest files: which ones a range needs, how they hang together, and which time they prove. Reads nothing itself."""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from sys import intern
from typing import NamedTuple

from apitrail.trail.digest import Window
from apitrail.trail.verify_archive import NOT_FOUND, place_of, relative
from apitrail.trail.verify_files import Digest

FOLDER = "CloudTrail-Digest/"
NOWHEN = Window(0, 0)
ANOTHER = "is not the file that the next digest file refers to"


class Expected(NamedTuple):
    """What the next digest says of the one before it. sha256, signature: hex."""

    key: str
    sha256: str
    signature: str


class Judged(NamedTuple):
    """A digest with its verdict, without its content. problem: empty when it is valid. window: empty for a missing one.

    place: bucket and prefix where it says it lies. before: the place and key of the digest before it, where that is in another
    folder.
    is_tail: nothing in the range follows it in its chain. log_count: how many log files it lists.
    """

    key: str
    problem: str
    window: Window = NOWHEN
    place: str = ""
    before: str = ""
    is_tail: bool = False
    log_count: int = 0


Judge = Callable[[Digest, Expected | None], str]


def select(digests: Iterable[tuple[int, str]], start: int, end: int) -> tuple[list[str], list[str]]:
    """Return the digests whose windows reach into a range, newest first, and those after them, oldest first.

    digests: end of the window and key. The one that ends at or after the end of the range still belongs to it.
    """
    inside: list[str] = []
    newer: list[str] = []
    covered = False
    for end_at, key in sorted(digests):
        if covered:
            newer.append(key)
        elif end_at > start:
            inside.append(key)
            covered = end_at >= end
    return inside[::-1], newer


def walk(
    chosen: Sequence[str],
    known: frozenset[str],
    lookup: Callable[[str], Digest | None],
    judge: Judge,
    start: int,
    after: Expected | None = None,
    *,
    plain: bool = False,
) -> list[Judged]:
    """Follow chains from the newest digest back, and return every digest met with its verdict, in that order.

    known: all digests that are there, also outside the range. after: what the digest after the range says of the newest.
    plain: in a copy without metadata a signature stands only in the next digest, so chains are followed through invalid ones.
    """
    found: list[Judged] = []
    wanted, visited = frozenset(chosen), set[str]()
    for newest in chosen:
        key, expected = newest, after if after is not None and after.key == newest else None
        is_tail = expected is None
        while key and key not in visited:
            visited.add(key)
            if key not in known:
                found.append(Judged(key, NOT_FOUND))
                break
            digest = lookup(key) if key in wanted else None
            if digest is None:
                break
            problem = judge(digest, expected)
            found.append(judged := _judged(digest, problem, is_tail))
            blind = bool(problem) and not (plain and digest.end_text)
            if blind or not digest.previous_key or digest.start_at <= start or judged.before:
                break
            key, is_tail = relative(digest.previous_key), False
            expected = expected_of(digest)
    return found


def expected_of(digest: Digest) -> Expected | None:
    """Return what a digest says of the one before it, None when it begins a chain."""
    if not digest.previous_key:
        return None
    return Expected(relative(digest.previous_key), digest.previous_sha256, digest.previous_signature)


def _judged(digest: Digest, problem: str, is_tail: bool) -> Judged:
    window, place = Window(digest.start_at, digest.end_at), intern(place_of(digest.bucket, digest.object))
    return Judged(digest.key, problem, window, place, _elsewhere(digest), is_tail, digest.log_count)


def _elsewhere(digest: Digest) -> str:
    """Return where the chain comes from, empty when it is the digest's own folder."""
    here = digest.bucket, digest.object.partition(FOLDER)[0]
    if not digest.previous_key or here == (digest.previous_bucket, digest.previous_key.partition(FOLDER)[0]):
        return ""
    return f"{digest.previous_bucket}/{digest.previous_key}"


def merge(windows: Iterable[Window]) -> list[Window]:
    """Return windows in order of time, those that touch or overlap as one."""
    merged: list[Window] = []
    for window in sorted(windows):
        if merged and window.start <= merged[-1].end:
            merged[-1] = Window(merged[-1].start, max(merged[-1].end, window.end))
        else:
            merged.append(window)
    return merged


def covers(windows: Iterable[Window], start: int, end: int) -> bool:
    """Return whether one of merged windows contains a range."""
    return any(window.start <= start and end <= window.end for window in windows)


def gaps(windows: Sequence[Window], until: int) -> list[Window]:
    """Return the times between merged windows, and from the last one until a moment."""
    edges = [*windows, Window(until, until)]
    return [Window(before.end, after.start) for before, after in pairwise(edges) if after.start > before.end]
