"""Reading ahead: the digests of the next account and region, while log files of this one are still checked.

An archive of many accounts and regions has few digests in each; without it, worker processes would wait for every listing.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from apitrail.trail.digest import Series, parse_digest_key
from apitrail.trail.verify_archive import Archive, Entry
from apitrail.trail.verify_chain import select
from apitrail.trail.verify_files import Digest, Log
from apitrail.trail.verify_pool import Workers
from apitrail.trail.verify_read import read_digests
from apitrail.trail.verify_types import Request, Scope

CHUNK = 96
DIGESTS_MAX = 4000
"""Larger places are not read ahead: what is read is kept in memory until it is asked for."""

Chains = dict[Series, dict[bool, list[tuple[int, str]]]]
"""The digests of each chain, by whether they are backfill: end of the window, and key."""

Read = list[tuple[Digest, list[Log]]]


class Ahead:
    """What was listed and asked for before its turn. workers: those of the verifier."""

    def __init__(self, archive: Archive, request: Request, workers: Workers) -> None:
        self._archive = archive
        self._request = request
        self._workers = workers
        self._scope: Scope | None = None
        self._listed: list[Entry] = []
        self._following: dict[tuple[str, ...], Callable[[], Read]] = {}
        self._begun: dict[tuple[str, ...], Callable[[], Read]] = {}

    def begin(self, scope: Scope) -> None:
        """List the digests of the next place and let workers, if they run, read those that will be needed."""
        if not self._workers.are_running:
            return
        entries = list(islice(self._archive.entries(scope.digests), DIGESTS_MAX + 1))
        if len(entries) > DIGESTS_MAX:
            return
        self._scope, self._listed = scope, entries
        for chain in chains_of((entry.key for entry in entries), scope.account).values():
            for digests in chain.values():
                chosen, newer = select(digests, self._request.start or 0, self._request.end)
                for keys in chunks([*chosen, *newer[:1]]):
                    self._following[keys] = self._workers.begin(read_digests, keys)

    def entries(self, scope: Scope) -> Iterable[Entry]:
        """Return the listing of a place's digests, whose turn it is now."""
        self._begun, self._following = self._following, {}
        return self._listed if scope == self._scope else self._archive.entries(scope.digests)

    def read(self, keys: Iterable[str]) -> Iterator[Read]:
        """Yield digests in their order, a chunk at a time; those asked for already are waited for."""
        for _, results in self._workers.map(read_digests, ((None, self._task(some)) for some in chunks(keys))):
            yield results or []

    def _task(self, keys: tuple[str, ...]) -> tuple[tuple[str, ...]] | Callable[[], Read]:
        begun = self._begun.pop(keys, None)
        return (keys,) if begun is None else begun


def chains_of(keys: Iterable[str], account: str) -> Chains:
    """Return the chains of an account's digests."""
    chains: Chains = {}
    for key in keys:
        if (name := parse_digest_key(key)) is not None and name.series.account == account:
            chains.setdefault(name.series, {False: [], True: []})[name.is_backfill].append((name.end_at, key))
    return chains


def chunks(keys: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Yield keys in parts that are worth a worker's while."""
    rest = iter(keys)
    return iter(lambda: tuple(islice(rest, CHUNK)), ())
