"""What verification is asked, what it finds, and how it remembers what chains of digests prove."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from msgspec import Struct

from apitrail.trail.digest import Series, Window, utc_text
from apitrail.trail.logfile import EVENT_FILES, INSIGHT_FILES
from apitrail.trail.verify_archive import TOP, Archive
from apitrail.trail.verify_chain import Judged, merge

Kind = Literal["digest", "backfill", "log", "time"]
Verdict = Literal["valid", "invalid", "unproven", "note"]
SLACK_S = 900


class Finding(Struct, frozen=True):
    """One result. place: what it is about. text: what is wrong, or a sentence of its own for kind `time`.

    at: epoch seconds to which it belongs. scope: account and region.
    """

    kind: Kind
    verdict: Verdict
    place: str
    text: str
    at: int
    scope: str


@dataclass(frozen=True, slots=True)
class Request:
    """What to verify. start: epoch seconds, None for the beginning. end: not after now. now: epoch seconds.

    series: a trail's name, home and account; None for all trails. regions: empty for all. exact: files must lie where their
    digests say, bucket and prefix included; otherwise the archive may be a copy. latest: when the server delivered a region's
    newest digest, where it said so. stopped: since when the server does not log, None while it does.
    """

    start: int | None
    end: int
    now: int
    trail: tuple[str, str, str] | None = None
    regions: frozenset[str] = frozenset()
    exact: bool = False
    latest: Mapping[str, float] = field(default_factory=dict)
    stopped: float | None = None

    def wants(self, series: Series) -> bool:
        """Return whether a chain belongs to what is asked for."""
        return self.trail is None or (series.trail, series.home) == self.trail[:2]


@dataclass
class Tally:
    """Counts by kind and verdict, and the time that valid digests were found for. kept: log files proved in an earlier run."""

    counts: dict[tuple[Kind, Verdict], int] = field(default_factory=dict)
    found: Window | None = None
    kept: int = 0

    def add(self, finding: Finding) -> None:
        """Count a finding."""
        key = (finding.kind, finding.verdict)
        self.counts[key] = self.counts.get(key, 0) + 1

    def count(self, kind: Kind, verdict: Verdict) -> int:
        """Return how many findings of a kind have a verdict."""
        return self.counts.get((kind, verdict), 0)

    def cover(self, window: Window) -> None:
        """Take a valid digest's window in."""
        if window.end > window.start:
            old = self.found or window
            self.found = Window(min(old.start, window.start), max(old.end, window.end))

    @property
    def is_proved(self) -> bool:
        """Whether everything asked for is there and right."""
        bad = sum(count for (_, verdict), count in self.counts.items() if verdict in ("invalid", "unproven"))
        return bad == 0 and self.found is not None


class Scope(NamedTuple):
    """An account and region of the archive. base: key prefix of the account's folder."""

    base: str
    account: str
    region: str

    @property
    def name(self) -> str:
        """How reports call it."""
        return f"{self.account} {self.region}"

    @property
    def digests(self) -> str:
        """Key prefix of its digest files."""
        return f"{self.base}CloudTrail-Digest/{self.region}/"

    @property
    def logs(self) -> tuple[str, ...]:
        """Key prefixes of its log files: of events, and of Insights events."""
        return tuple(f"{self.base}{kind}/{self.region}/" for kind in (EVENT_FILES, INSIGHT_FILES))


class Proof:
    """What a trail's valid digests of one account and region cover.

    windows: merged. tails: the digests that end a chain, by their time. patience: how long after the last one the next may be
    awaited. newer: digests after the range, not read. moved: since when, and from which object on, a chain lies elsewhere.
    """

    def __init__(self, series: Series, scope: Scope) -> None:
        self.series = series
        self.scope = scope
        self.windows: list[Window] = []
        self.tails: dict[int, str] = {}
        self.newer: list[str] = []
        self.moved: list[tuple[int, str]] = []
        self._longest = 0

    @property
    def patience(self) -> int:
        """Two periods and a little, in seconds."""
        return 2 * self._longest + min(SLACK_S, 2 + self._longest)

    def take(self, judged: list[Judged], is_backfill: bool) -> None:
        """Take the verdicts of a chain in; backfill digests prove no time, only files."""
        if is_backfill:
            return
        valid = [one for one in judged if not one.problem]
        self._longest = max((one.window.end - one.window.start for one in valid[:3]), default=0)
        self.windows = merge(one.window for one in valid)
        self.tails = {one.window.end: one.key for one in valid if one.is_tail}
        self.moved = [(one.window.start, one.before) for one in valid if one.before]

    def add(self, window: Window) -> None:
        """Take one more valid digest in."""
        self.windows = merge([*self.windows, window])


class Span:
    """How many log files, from when to when."""

    def __init__(self) -> None:
        self.count = self.first = self.last = 0

    def add(self, at: int) -> None:
        """Count one; they come in order of time."""
        self.first = self.first if self.count else at
        self.count, self.last = self.count + 1, at

    def text(self, one: str, many: str) -> str:
        """Return the beginning of a sentence, with a verb for one and for many."""
        files, verb = ("file", one) if self.count == 1 else ("files", many)
        when = utc_text(self.first)[:-4] + (f" to {utc_text(self.last)[:-4]}" if self.last != self.first else "")
        return f"{self.count} log {files} of {when}Z {verb}"


def find_scopes(archive: Archive, request: Request) -> list[Scope]:
    """Return the accounts and regions to verify; the home of a trail that is asked for always belongs to them."""
    found: set[Scope] = set()
    for base in _bases(archive):
        account = base.rstrip("/").rpartition("/")[2]
        if request.trail is None or account == request.trail[2] or "/o-" in base:
            folders = (f"{base}CloudTrail-Digest/", f"{base}CloudTrail/")
            found |= {Scope(base, account, name) for folder in folders for name in archive.folders(folder)}
    name, home, account = request.trail or ("", "", "")
    if name and not any((scope.account, scope.region) == (account, home) for scope in found):
        found.add(Scope(f"{TOP}{account}/", account, home))
    return sorted(scope for scope in found if not request.regions or scope.region in request.regions)


def _bases(archive: Archive) -> Iterator[str]:
    """Yield the folders of accounts, those below an organization's folder as well."""
    for name in archive.folders(TOP):
        if name.startswith("o-"):
            yield from (f"{TOP}{name}/{account}/" for account in archive.folders(f"{TOP}{name}/"))
        elif name.isdigit():
            yield f"{TOP}{name}/"
