"""Reading ahead: the digests of the next account and region, while log files of this one are still checked.

An archive of many accounts and regions has few digests in each; without it, worker processes would wait for every listing.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from apitrail.trail.digest import Series, parse_digest_key
from apitrail.trail.verify_archive import Archive, Entry
from apitrail.trail.verify_chain import select
from apitrail.trail.verify_files import Digest, Log
from apitrail.trail.verify_pool import Task, Workers
from apitrail.trail.verify_read import read_digests
from apitrail.trail.verify_types import Request, Scope

CHUNK = 96
PLACES = 2
"""How many places to be ahead: with one, workers would wait while the verifier judges the digests of the next."""
DIGESTS_MAX = 4000
"""Larger places are not read ahead: what is read is kept in memory until it is asked for."""

Chains = dict[Series, dict[bool, list[tuple[int, str]]]]
"""The digests of each chain, by whether they are backfill: end of the window, and key."""

Read = list[tuple[Digest, list[Log]]]


class _Begun(NamedTuple):
    """What was listed of a place, and asked for already. parts: what waits for digests, by their keys."""

    entries: list[Entry]
    chains: Chains
    parts: dict[tuple[str, ...], Task[Read]]


class Ahead:
    """What was listed and asked for before its turn. workers: those of the verifier."""

    def __init__(self, archive: Archive, request: Request, workers: Workers) -> None:
        self._archive = archive
        self._request = request
        self._workers = workers
        self._begun: dict[Scope, _Begun | None] = {}

    def begin(self, scopes: Iterable[Scope]) -> None:
        """List the digests of places to come and let workers, if they run, read those that will be needed."""
        for scope in scopes if self._workers.are_running else ():
            if scope not in self._begun:
                self._begun[scope] = self._begin(scope)

    def _begin(self, scope: Scope) -> _Begun | None:
        entries = list(islice(self._archive.entries(scope.digests), DIGESTS_MAX + 1))
        if len(entries) > DIGESTS_MAX:
            return None
        begun = _Begun(entries, chains_of((entry.key for entry in entries), scope.account), {})
        for chain in begun.chains.values():
            for digests in chain.values():
                chosen, newer = select(digests, self._request.start or 0, self._request.end)
                for keys in chunks([*chosen, *newer[:1]]):
                    begun.parts[keys] = self._workers.begin(read_digests, keys)
        return begun

    def entries(self, scope: Scope) -> Iterable[Entry]:
        """Return the listing of a place's digests."""
        begun = self._begun.get(scope)
        return self._archive.entries(scope.digests) if begun is None else begun.entries

    def chains(self, scope: Scope) -> Chains | None:
        """Return the chains of a place that was listed before its turn, None of another one."""
        begun = self._begun.get(scope)
        return None if begun is None else begun.chains

    def forget(self, scope: Scope) -> None:
        """Drop what was kept of a place whose turn is over."""
        self._begun.pop(scope, None)

    def read(self, scope: Scope, keys: Iterable[str]) -> Iterator[Read]:
        """Yield digests of a place in their order, a chunk at a time; those asked for already are waited for."""
        begun = self._begun.get(scope)
        parts = {} if begun is None else begun.parts
        for _, results in self._workers.map(read_digests, ((None, _task(some, parts)) for some in chunks(keys))):
            yield results or []


def _task(keys: tuple[str, ...], parts: dict[tuple[str, ...], Task[Read]]) -> tuple[tuple[str, ...]] | Task[Read]:
    begun = parts.pop(keys, None)
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
