"""A JUnit report of `apitrail verify`: a suite per account and region, in it a case per kind of file and day."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from apitrail.cli.terminal import clean
from apitrail.cli.verify_report import line_of
from apitrail.trail.verify_types import Finding

PROBLEMS_MAX = 1000


@dataclass
class _Case:
    count: int = 0
    problems: list[str] = field(default_factory=list)


class JunitReport:
    """Gathers findings; write makes the file."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._suites: dict[str, dict[str, _Case]] = {}

    def add(self, finding: Finding) -> None:
        """Take a finding in."""
        day = datetime.fromtimestamp(finding.at, UTC).strftime("%Y-%m-%d")
        case = self._suites.setdefault(finding.scope, {}).setdefault(f"{finding.kind} {day}", _Case())
        case.count += 1
        if finding.verdict in ("invalid", "unproven") and len(case.problems) < PROBLEMS_MAX:
            case.problems.append(line_of(finding))

    def write(self, path: Path) -> None:
        """Write the file beside and rename it. Raises: OSError."""
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        with beside.open("w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in self._lines())
        beside.replace(path)

    def _lines(self) -> Iterator[str]:
        yield '<?xml version="1.0" encoding="UTF-8"?>'
        yield '<testsuites name="apitrail verify">'
        for scope, cases in sorted(self._suites.items()):
            failed = sum(bool(case.problems) for case in cases.values())
            head = f'tests="{len(cases)}" failures="{failed}" timestamp="{self._now:%Y-%m-%dT%H:%M:%S}"'
            yield f'  <testsuite name="{escape(clean(scope))}" {head}>'
            for name, case in sorted(cases.items()):
                yield from _case(clean(scope), name, case)
            yield "  </testsuite>"
        yield "</testsuites>"


def _case(scope: str, name: str, case: _Case) -> Iterator[str]:
    yield f'    <testcase classname="{escape(scope)}" name="{escape(name)}" assertions="{case.count}">'
    if case.problems:
        text = escape("\n".join(case.problems))
        yield f'      <failure message="{len(case.problems)} of {case.count}">{text}</failure>'
    yield "    </testcase>"
