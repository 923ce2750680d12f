"""What `apitrail verify` writes: text in the words of the AWS CLI's validator, or JSON, JSON lines, CSV."""

import json
from dataclasses import dataclass
from typing import Any, Protocol

from apitrail.cli.options import Invocation
from apitrail.cli.output import Column, Stream, emit, member
from apitrail.cli.terminal import Pen, clean
from apitrail.trail.digest import utc_text
from apitrail.trail.verify_types import Finding, Kind, Tally

FINDINGS_MAX = 10_000
TITLES = {"digest": "Digest file", "backfill": "(backfill) Digest file", "log": "Log file"}
WORDS = {"valid": "valid", "invalid": "INVALID: ", "unproven": "UNPROVEN: ", "note": ""}
RATIOS: tuple[tuple[Kind, str], ...] = (("digest", "digest"), ("backfill", "backfill digest"), ("log", "log"))


@dataclass(frozen=True, slots=True)
class Heading:
    """What was asked for. start: None when from the first digest on."""

    trail_arn: str
    archive: str
    start: int | None
    end: int

    def range(self, word: str) -> str:
        """Return the range as text."""
        if self.start is None:
            return f"up to {utc_text(self.end)}"
        return f"{word} {utc_text(self.start)} {'and' if word == 'between' else 'to'} {utc_text(self.end)}".strip()


class Report(Protocol):
    """Takes findings as they come, and ends with the tally."""

    def add(self, finding: Finding) -> None: ...

    def finish(self, tally: Tally) -> None: ...


def make_report(invocation: Invocation, heading: Heading) -> Report:
    """Return the report in the form that --output names; text unless it says otherwise."""
    if invocation.output in ("", "text", "table") and not invocation.query:
        return TextReport(invocation, heading)
    if invocation.output in ("jsonl", "csv"):
        return LineReport(invocation, heading)
    return JsonReport(invocation, heading)


class TextReport:
    """Lines as those of `aws cloudtrail validate-logs`; valid files only with --verbose."""

    def __init__(self, invocation: Invocation, heading: Heading) -> None:
        self._out = invocation.stdout
        self._verbose = invocation.verbose > 0
        self._heading = heading
        self._apart = True
        what = f"for trail {heading.trail_arn}" if heading.trail_arn else f"in {heading.archive}"
        self._out.write(f"Validating log files {clean(what)} {heading.range('between')}\n\n")

    def add(self, finding: Finding) -> None:
        """Write a finding's line; problems stand between empty lines."""
        if finding.verdict == "valid":
            if self._verbose:
                self._out.write(line_of(finding) + "\n")
                self._apart = False
            return
        self._out.write(("" if self._apart else "\n") + line_of(finding) + "\n\n")
        self._out.flush()
        self._apart = True

    def finish(self, tally: Tally) -> None:
        """Write the summary."""
        self._out.write("" if self._apart else "\n")
        self._out.write(f"Results requested {self._heading.range('for')}\n")
        kinds: tuple[Kind, ...] = ("digest", "backfill")
        digests = sum(tally.count(kind, "valid") + tally.count(kind, "invalid") for kind in kinds)
        if not digests:
            self._out.write("No digests found\n")
        elif tally.found is None:
            self._out.write("No valid digests found in range\n")
        else:
            self._out.write(f"Results found for {utc_text(tally.found.start)} to {utc_text(tally.found.end)}:\n")
        for line in ratios(tally):
            self._out.write("\n" + line)
        self._out.write("\n")


def ratios(tally: Tally) -> list[str]:
    """Return the lines of the summary that count."""
    lines = []
    for kind, name in RATIOS:
        valid, invalid = tally.count(kind, "valid"), tally.count(kind, "invalid")
        total = valid + invalid
        if total:
            lines.append(f"{valid}/{total} {name} files valid")
            lines[-1] += f", {invalid}/{total} {name} files INVALID" if invalid else ""
    if tally.kept:
        lines.append(f"{tally.kept} of the log files were proved before and have not changed")
    unproven = sum(count for (_, verdict), count in tally.counts.items() if verdict == "unproven")
    if unproven + tally.count("time", "invalid"):
        lines.append(f"{unproven + tally.count('time', 'invalid')} remarks on time or files without proof")
    return lines


def line_of(finding: Finding) -> str:
    """Return a finding as one line, its parts separated by tabs, safe for a terminal."""
    if finding.kind == "time":
        return clean(f"{WORDS[finding.verdict]}{finding.text} ({finding.scope})")
    return f"{TITLES[finding.kind]}\t{clean(finding.place)}\t{WORDS[finding.verdict]}{clean(finding.text)}"


def entry_of(finding: Finding) -> dict[str, Any]:
    """Return a finding as a document."""
    return {
        "Kind": finding.kind,
        "Verdict": finding.verdict,
        "Place": finding.place,
        "Text": finding.text,
        "Time": utc_text(finding.at),
        "Scope": finding.scope,
    }


def summary_of(heading: Heading, tally: Tally) -> dict[str, Any]:
    """Return the tally as a document."""
    names = {"digest": "DigestFiles", "backfill": "BackfillDigestFiles", "log": "LogFiles", "time": "Time"}
    counts: dict[str, dict[str, int]] = {name: {} for name in names.values()}
    for (kind, verdict), count in sorted(tally.counts.items()):
        counts[names[kind]][verdict.capitalize()] = count
    return {
        "Proved": tally.is_proved,
        "TrailARN": heading.trail_arn or None,
        "Archive": heading.archive or None,
        "Start": utc_text(heading.start) if heading.start is not None else None,
        "End": utc_text(heading.end),
        "FoundStart": utc_text(tally.found.start) if tally.found else None,
        "FoundEnd": utc_text(tally.found.end) if tally.found else None,
        **counts,
        "ProvedBefore": tally.kept,
    }


class JsonReport:
    """One document at the end: the summary and the findings; valid ones only with --verbose, all of them bounded."""

    def __init__(self, invocation: Invocation, heading: Heading) -> None:
        self._invocation = invocation
        self._heading = heading
        self._findings: list[dict[str, Any]] = []
        self._dropped = 0

    def add(self, finding: Finding) -> None:
        """Keep a finding."""
        if finding.verdict == "valid" and not self._invocation.verbose:
            return
        if len(self._findings) < FINDINGS_MAX:
            self._findings.append(entry_of(finding))
        else:
            self._dropped += 1

    def finish(self, tally: Tally) -> None:
        """Write the document."""
        document = {**summary_of(self._heading, tally), "Findings": self._findings, "FindingsLeftOut": self._dropped}
        emit(self._invocation, document)


class LineReport:
    """One line per finding as it comes; JSON lines end with the summary."""

    def __init__(self, invocation: Invocation, heading: Heading) -> None:
        names = ("Kind", "Verdict", "Place", "Text", "Time", "Scope")
        columns: list[Column] = [member(name.lower(), name) for name in names]
        self._invocation = invocation
        self._heading = heading
        self._stream = Stream(invocation, columns, _as_json)

    def add(self, finding: Finding) -> None:
        """Write a finding; valid ones only with --verbose."""
        if finding.verdict != "valid" or self._invocation.verbose:
            self._stream.write(entry_of(finding))

    def finish(self, tally: Tally) -> None:
        """Write the summary."""
        if self._invocation.output == "jsonl":
            self._stream.write(summary_of(self._heading, tally))


def _as_json(item: Any, pen: Pen) -> str:
    return json.dumps(item)
