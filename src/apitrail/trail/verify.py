"""Verification of an archive: every digest file, the log files that they list, and the time that nothing proves.

It finds what CloudTrail's own validator finds, in the same words, and what that one does not see: newest or all digests gone,
a digest that is not the one referred to, a cut gzip trailer, log files in no digest, hours without proof. Archives written by
AWS are read as well as ours. Memory does not grow with the archive: what must be remembered is in the ledger.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain, islice
from typing import NamedTuple, Never

from apitrail.trail.digest import Series, Window, parse_digest_key, utc_text
from apitrail.trail.verify_ahead import PLACES, Ahead, chains_of
from apitrail.trail.verify_archive import ARCHIVED, TOP, Archive, Entry, relative
from apitrail.trail.verify_chain import (
    ANOTHER,
    Expected,
    Judged,
    covers,
    expected_of,
    gaps,
    select,
    walk,
)
from apitrail.trail.verify_files import WRONG_SIGNATURE, Checked, Digest, Log, epoch
from apitrail.trail.verify_keys import KeySet
from apitrail.trail.verify_ledger import Ledger
from apitrail.trail.verify_pool import Workers
from apitrail.trail.verify_read import check_files
from apitrail.trail.verify_types import (
    SLACK_S,
    Finding,
    Kind,
    Proof,
    Request,
    Scope,
    Span,
    Tally,
    Verdict,
    find_scopes,
)

MOVED = "has been moved from its original location"
UNLISTED = "not listed in any digest file"
COPY = "its signature is not in this copy, only in the digest file after it"
CHUNK = 16
GROUP_MAX = 256
DAY_S = 86_400
PERIOD_S = 3600
PENDING_MAX = 1000
_LOG_NAME = re.compile(r".+_CloudTrail(?:-Insight)?_[\w\-]+_(\d{8}T\d{4})Z_\w+\.json\.gz")


class Batch(NamedTuple):
    """Log files of one digest that are looked at together. wanted: place in the digest, key, hash; proved: need no reading.

    is_start: the digest itself is reported with this batch.
    """

    judged: Judged
    series: Series
    is_backfill: bool
    wanted: list[tuple[int, str, str]]
    proved: list[str]
    foreign: list[str]
    is_start: bool


class Newest(NamedTuple):
    """The newest digest of a region. modified: when any of them last was, epoch seconds."""

    end: int
    period: int
    modified: float


class Verifier:
    """Verifies an archive. tally: what was found so far. progress: told how many files were checked, and of how many."""

    def __init__(
        self,
        archive: Archive,
        keys: KeySet,
        request: Request,
        ledger: Ledger,
        workers: Workers,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        self.tally = Tally()
        self._archive = archive
        self._keys = keys
        self._request = request
        self._ledger = ledger
        self._workers = workers
        self._ahead = Ahead(archive, request, workers)
        self._progress = progress
        self._done = self._total = 0
        self._newest: dict[str, Newest] = {}

    def run(self) -> Iterator[Finding]:
        """Yield what is found, account by account and region by region, each from the newest digest back."""
        proofs: list[Proof] = []
        scopes = find_scopes(self._archive, self._request)
        for at, scope in enumerate(scopes, 1):
            yield from map(self._count, self._scope(scope, scopes[at : at + PLACES], proofs))
            self._ahead.forget(scope)
            self._ledger.save()
        tails = {key for proof in proofs for key in proof.tails.values()}
        followed = {relative(before) for proof in proofs for _, before in proof.moved}
        for proof in proofs:
            yield from map(self._count, self._times(proof, tails, followed))
        yield from map(self._count, self._missing())

    def _count(self, finding: Finding) -> Finding:
        self.tally.add(finding)
        return finding

    # One account and region -----------------------------------------------------------------------------------

    def _scope(self, scope: Scope, following: Sequence[Scope], reported: list[Proof]) -> Iterator[Finding]:
        """Yield what is wrong with files; what chains prove is added to reported, since a gap may be explained elsewhere.

        following: the places that are verified next.
        """
        self._ledger.see(chain(self._ahead.entries(scope), *map(self._log_entries, scope.logs)))
        chains = self._ahead.chains(scope) or chains_of(self._ledger.seen(scope.digests), scope.account)
        self._total += sum(len(keys) for kinds in chains.values() for keys in kinds.values())
        proofs = []
        for series in sorted(chains):
            wanted = self._request.wants(series)
            proof = Proof(series, scope)
            proofs.append(proof)
            for is_backfill in (False, True):
                judged, newer = self._judge_chain(scope, series, chains[series][is_backfill])
                proof.newer += newer
                proof.take(judged, is_backfill)
                self._trust(judged)
                if wanted:
                    yield from self._report(scope, series, is_backfill, judged, following)
        mine = [proof for proof in proofs if self._request.wants(proof.series)]
        reported += mine
        self._note_newest(scope, [pair for proof in mine for pair in chains[proof.series][False]])
        yield from self._unlisted(scope, mine, proofs)

    def _log_entries(self, folder: str) -> Iterator[Entry]:
        """Yield the log files of the days that the range touches, a day more on both sides."""
        start, last = self._request.start, _day(self._request.end + DAY_S)
        after = "" if start is None else folder + _day(start - DAY_S)
        for entry in self._archive.entries(folder, after):
            if entry.key[len(folder) :][:10] > last:
                return
            self._total += 1
            yield entry

    def _judge_chain(
        self, scope: Scope, series: Series, digests: list[tuple[int, str]]
    ) -> tuple[list[Judged], list[str]]:
        """Read and judge the digests that the range needs; return them with the keys of newer ones."""
        start = self._request.start or 0
        chosen, newer = select(digests, start, self._request.end)
        self._read(scope, [*chosen, *newer[:1]])
        after = self._ledger.digest(newer[0]) if newer else None
        known = frozenset(key for _, key in digests)

        plain = not self._archive.keeps_metadata
        trusted = after is not None and (plain or not self._judge(after, None))
        following = expected_of(after) if after is not None and trusted else None
        return walk(chosen, known, self._ledger.digest, self._judge, start, following, plain=plain), newer

    def _read(self, scope: Scope, keys: Iterable[str]) -> None:
        """Read digests into the ledger, unless they were proved before and have not changed."""
        for results in self._ahead.read(scope, self._ledger.unread(keys)):
            self._ledger.put_digests(results)
            self._step(len(results))

    def _judge(self, digest: Digest, expected: Expected | None) -> str:
        """Return what is wrong with a digest, empty when it is right; what is right is proved from now on."""
        if digest.problem or (problem := self._misplaced(digest)):
            return digest.problem or problem
        problem = self._unsigned(digest, expected) if digest.refusal is None else digest.refusal
        if not problem and expected is not None:
            same = expected.sha256 in ("", digest.sha256) and expected.signature in (
                "",
                digest.signature or expected.signature,
            )
            return "" if same else ANOTHER
        return problem

    def _unsigned(self, digest: Digest, expected: Expected | None) -> str:
        """Return what is wrong with a digest with which no signature stands: in a plain copy, the one after it has it."""
        if self._ledger.is_proved(digest.key):
            return ""
        if self._archive.keeps_metadata:
            return WRONG_SIGNATURE
        signature = expected.signature if expected else ""
        if not signature:
            return COPY
        problem = self._keys.problem(digest, signature)
        if not problem:
            self._ledger.prove_digest(digest.key, signature)
        return problem

    def _misplaced(self, digest: Digest) -> str:
        """Return whether a digest does not lie where it says; a copy may have another bucket and prefix."""
        if self._request.exact:
            here = (self._archive.bucket, self._archive.prefix + digest.key)
            return "" if (digest.bucket, digest.object) == here else MOVED
        at = digest.object.find(TOP)
        return "" if at >= 0 and digest.object[at:] == digest.key else MOVED

    # Digests and their log files ------------------------------------------------------------------------------

    def _report(
        self, scope: Scope, series: Series, is_backfill: bool, judged: list[Judged], following: Sequence[Scope]
    ) -> Iterator[Finding]:
        names = (series.trail, f"arn:aws:cloudtrail:{series.home}:{series.account}:trail/{series.trail}")
        groups = ((group, _work_of(group, names)) for group in self._groups(judged, series, is_backfill))
        for group, result in self._workers.map(check_files, chain(groups, self._look_ahead(following))):
            checked = iter(result or ())
            for batch in group:
                if batch.is_start:
                    yield self._digest_finding(scope, batch)
                yield from self._log_findings(scope, batch, checked)
            self._step(sum(len(batch.proved) + len(batch.wanted) for batch in group))

    def _look_ahead(self, following: Sequence[Scope]) -> Iterator[Never]:
        """Let workers read digests of the next places, after what they were given before; yields nothing.

        With a lasting ledger it is known only in their turn which ones are needed.
        """
        if not self._ledger.lasts:
            self._ahead.begin(following)
        yield from ()

    def _groups(self, judged: list[Judged], series: Series, is_backfill: bool) -> Iterator[list[Batch]]:
        """Yield batches in groups that are worth a worker's while; one in whose files ends of logging are looked for is alone."""
        group: list[Batch] = []
        count = 0
        for batch in (batch for one in judged for batch in self._batches(one, series, is_backfill)):
            if group and (batch.judged.is_tail or group[0].judged.is_tail or count >= CHUNK or len(group) >= GROUP_MAX):
                yield group
                group, count = [], 0
            group.append(batch)
            count += len(batch.wanted)
        if group:
            yield group

    def _batches(self, judged: Judged, series: Series, is_backfill: bool) -> Iterator[Batch]:
        """Yield a digest's log files in parts; an invalid one has none, since it proves nothing."""
        logs = self._ledger.logs(judged.key) if judged.log_count and not judged.problem else []
        for at in range(0, max(1, len(logs)), CHUNK):
            batch = Batch(judged, series, is_backfill, [], [], [], at == 0)
            for place, log, mark in logs[at : at + CHUNK]:
                if log.place != judged.place:
                    self._outside(batch, place, log)
                elif mark and mark == self._ledger.mark_of(log.key) and not judged.is_tail:
                    batch.proved.append(log.key)
                else:
                    batch.wanted.append((place, log.key, log.sha256))
            yield batch

    def _outside(self, batch: Batch, place: int, log: Log) -> None:
        """Take in a log file under another prefix, as after a change of the trail: it can be read in the same bucket."""
        bucket, _, prefix = log.place.partition("/")
        if self._request.exact and bucket == self._archive.bucket:
            batch.wanted.append((place, f"/{prefix}{log.key}", log.sha256))
        else:
            batch.foreign.append(f"s3://{log.place}{log.key}")

    def _trust(self, judged: list[Judged]) -> None:
        self._ledger.trust(one.key for one in judged if one.log_count and not one.problem)

    def _digest_finding(self, scope: Scope, batch: Batch) -> Finding:
        judged = batch.judged
        if not judged.problem:
            start = max(judged.window.start, self._request.start or 0)
            self.tally.cover(Window(start, min(judged.window.end, self._request.end)))
        kind: Kind = "backfill" if batch.is_backfill else "digest"
        place = self._archive.label(judged.key)
        return Finding(kind, self._verdict(judged), place, judged.problem, _end_of(judged), scope.name)

    def _verdict(self, judged: Judged) -> Verdict:
        """Return a digest's verdict; the newest one of a plain copy is merely not provable yet while it is young."""
        if not judged.problem:
            return "valid"
        if judged.problem != COPY:
            return "unproven" if judged.problem == ARCHIVED else "invalid"
        length = judged.window.end - judged.window.start
        return "note" if judged.is_tail and self._request.now - judged.window.end <= 2 * length else "unproven"

    def _log_findings(self, scope: Scope, batch: Batch, results: Iterator[Checked]) -> Iterator[Finding]:
        at = batch.judged.window.end
        for key in batch.proved:
            self.tally.kept += 1
            yield Finding("log", "valid", self._archive.label(key), "", at, scope.name)
        for place, key, _ in batch.wanted:
            checked = next(results)
            if not checked.problem:
                self._ledger.prove_log(batch.judged.key, place, self._ledger.mark_of(key) or "")
                self._ledger.note_stops("/".join(batch.series[2:]), checked)
            verdict: Verdict = "invalid" if checked.problem else "valid"
            if checked.problem == ARCHIVED:
                verdict = "unproven"
            yield Finding("log", verdict, self._archive.label(key), checked.problem, at, scope.name)
        for place_name in batch.foreign:
            yield Finding("log", "unproven", place_name, "it lies outside this archive", at, scope.name)

    def _step(self, count: int) -> None:
        self._done += count
        self._progress(self._done, max(self._total, self._done))

    # Time without proof ---------------------------------------------------------------------------------------

    def _times(self, proof: Proof, tails: set[str], followed: set[str]) -> Iterator[Finding]:
        """Yield the times between and after a chain's valid digests, as far as they are in the range.

        tails: the last digests of all chains; followed: those that a chain in another folder goes on from.
        """
        low, high, scope = self._request.start or 0, self._request.end, proof.scope.name
        for gap in gaps(proof.windows, high) if proof.windows else ():
            start, end = max(gap.start, low), min(gap.end, high)
            is_last = gap.start == proof.windows[-1].end
            if end <= start or (is_last and end - start <= proof.patience) or proof.tails.get(gap.start) in followed:
                continue
            yield self._time(proof, gap, Window(start, end))
        for at, before in proof.moved:
            if relative(before) not in tails and at > low:
                text = f"What was before {utc_text(at)} lies in another place: s3://{before.partition(TOP)[0]}"
                yield Finding("time", "unproven", scope, text, at, scope)

    def _time(self, proof: Proof, gap: Window, shown: Window) -> Finding:
        """Return one gap: explained when a proved event says that logging stopped at its beginning."""
        scope, window = proof.scope.name, f"between {utc_text(shown.start)} and {utc_text(shown.end)}"
        if gap.start in proof.tails and self._has_stopped(proof, gap.start):
            text = f"No log files were delivered by CloudTrail {window}"
            return Finding("time", "note", scope, text, shown.start, scope)
        text = f"No valid digest file proves the time {window}"
        return Finding("time", "unproven", scope, text, shown.start, scope)

    def _has_stopped(self, proof: Proof, end: int) -> bool:
        """Return whether logging stopped shortly before a chain's end, by a proved event or by the server."""
        earliest, stopped = end - proof.patience - SLACK_S, self._request.stopped
        if stopped is not None and earliest <= stopped <= end:
            return True
        return self._ledger.stopped_between("/".join(proof.series[2:]), earliest, end)

    def _note_newest(self, scope: Scope, digests: list[tuple[int, str]]) -> None:
        """Remember a region's newest digest, whichever account's it is."""
        if digests:
            modified, (end, key) = self._ledger.modified(scope.digests), max(digests)
            digest, last = self._ledger.digest(key), max(modified[key] for _, key in digests)
            period = digest.end_at - digest.start_at if digest and digest.end_at else PERIOD_S
            found = Newest(end, period, last)
            self._newest[scope.region] = max(found, self._newest.get(scope.region, found))

    def _missing(self) -> Iterator[Finding]:
        """Yield that newest digests are gone, where the server says it delivered one that is not here."""
        for region, latest in sorted(self._request.latest.items()):
            newest = self._newest.get(region)
            late = newest is not None and (
                latest - newest.end < newest.period or latest - newest.modified < newest.period / 2
            )
            if not late and latest <= self._request.end + 1:
                text = f"The newest digest file is missing: the server delivered one at {utc_text(int(latest))}"
                yield Finding("time", "invalid", region, text, int(latest), region)

    # Log files in no digest -----------------------------------------------------------------------------------

    def _unlisted(self, scope: Scope, wanted: list[Proof], proofs: list[Proof]) -> Iterator[Finding]:
        """Yield log files of the range that no valid digest lists, and count those whose time nothing proves."""
        self._read_later(scope, proofs)
        waiting = Span()
        loose = Span()
        for key in self._unlisted_keys(scope):
            at = _log_time(key)
            if at is None or at >= self._request.end or at < (self._request.start or 0):
                continue
            if wanted and all(covers(proof.windows, at + 59, at + proof.patience + SLACK_S) for proof in wanted):
                yield Finding("log", "invalid", self._archive.label(key), UNLISTED, at, scope.name)
            elif wanted and all(self._waits(proof, at) for proof in wanted):
                waiting.add(at)
            elif wanted or self._expected_in(scope):
                loose.add(at)
        if waiting.count:
            text = f"{waiting.text('waits', 'wait')} for a digest file"
            yield Finding("time", "note", scope.name, text, waiting.first, scope.name)
        if loose.count:
            yield self._loose(scope, wanted, loose)

    def _unlisted_keys(self, scope: Scope) -> Iterator[str]:
        """Yield log files in no trusted digest; Insights files only where digests list any at all."""
        events, insights = scope.logs
        yield from self._ledger.unlisted(events)
        if self._ledger.lists_below(insights):
            yield from self._ledger.unlisted(insights)

    def _expected_in(self, scope: Scope) -> bool:
        """Return whether there should be digests of what is asked for, though there are none."""
        trail = self._request.trail
        return trail is None or scope.region == trail[1] or scope.region in self._request.latest

    def _loose(self, scope: Scope, wanted: list[Proof], loose: Span) -> Finding:
        """Return the log files that nothing proves; older than every digest they are a remark unless they were asked for."""
        begun = min((proof.windows[0].start for proof in wanted if proof.windows), default=None)
        early = begun is not None and loose.last < begun and self._request.start is None
        text = f"{loose.text('is', 'are')} in no valid digest file"
        return Finding("time", "note" if early else "unproven", scope.name, text, loose.first, scope.name)

    def _waits(self, proof: Proof, at: int) -> bool:
        """Return whether a log file of a moment may still be listed in a digest that is to come."""
        if not proof.windows:
            return False
        last = proof.windows[-1].end
        recent = self._request.now - last <= proof.patience
        return recent and at >= last - proof.patience - SLACK_S

    def _read_later(self, scope: Scope, proofs: list[Proof]) -> None:
        """Read digests after the range while log files of the range are not listed yet: they may have come late."""
        pending = list(islice(filter(self._in_range, self._unlisted_keys(scope)), PENDING_MAX))
        for proof in proofs:
            for key in proof.newer:
                if not pending:
                    return
                self._read(scope, [key])
                digest = self._ledger.digest(key)
                if digest is not None and not self._judge(digest, None):
                    self._ledger.trust([key])
                    proof.add(Window(digest.start_at, digest.end_at))
                    pending = [log for log in pending if not self._ledger.is_listed(log)]

    def _in_range(self, key: str) -> bool:
        at = _log_time(key)
        return at is not None and at < self._request.end and at >= (self._request.start or 0)


def _work_of(group: list[Batch], names: tuple[str, str]) -> tuple[list[tuple[str, str]], tuple[str, ...]] | None:
    """Return what a worker is to check, None for nothing. names: of the trail."""
    wanted = [item[1:] for batch in group for item in batch.wanted]
    return (wanted, names if group[0].judged.is_tail else ()) if wanted else None


def _end_of(judged: Judged) -> int:
    """Return the end of a digest's window; of one that could not be read, as its name says it."""
    if judged.window.end:
        return judged.window.end
    name = parse_digest_key(judged.key)
    return name.end_at if name else 0


def _day(at: int) -> str:
    return datetime.fromtimestamp(max(0, at), UTC).strftime("%Y/%m/%d")


def _log_time(key: str) -> int | None:
    """Return the minute in a log file's name in epoch seconds, None for another name."""
    found = _LOG_NAME.fullmatch(key.rpartition("/")[2])
    if found is None:
        return None
    stamp = found[1]
    try:
        return epoch(f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]}T{stamp[9:11]}:{stamp[11:13]}:00Z")
    except ValueError:
        return None
