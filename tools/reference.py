"""Makes the generated pages of docs/reference: settings, coverage, and errors of CloudTrail. `--check` compares them."""

import inspect
import runpy
import sys
from pathlib import Path
from typing import Any

import msgspec

from apitrail.services.registry import SERVICES
from apitrail.settings import PREFIX, Settings
from apitrail.wire.models import service_model

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "reference"
CASES = ROOT / "tests" / "conformance" / "cloudtrail_cases.py"
MADE = "<!-- made by `make docs`; change the source instead -->\n"


def settings_page() -> str:
    """Return the page of all settings, from the classes in settings.py."""
    lines = [
        MADE,
        "# Settings",
        "",
        "Layers, later ones win: the defaults, `/etc/apitrail/apitrail.toml`, `./apitrail.toml` or the file of `--config`, the",
        "environment, `--set section.key=value`. `data` stands at the top level: the data directory (`--data`,",
        f"`{PREFIX}DATA`).",
    ]
    for section in msgspec.structs.fields(Settings):
        if section.name != "data":
            lines += section_lines(section.name, section.type)
    return "\n".join(lines) + "\n"


def section_lines(name: str, kind: Any) -> list[str]:
    """Return one section: what it is for, and its keys as a table."""
    lines = [
        "",
        f"## [{name}]",
        "",
        inspect.cleandoc(kind.__doc__),
        "",
        "| key | default | environment |",
        "|---|---|---|",
    ]
    for key in msgspec.structs.fields(kind):
        default = msgspec.json.encode(key.default).decode()
        lines.append(f"| `{key.name}` | `{default}` | `{PREFIX}{name.upper()}_{key.name.upper()}` |")
    return lines


def coverage_page() -> str:
    """Return the page of operations: served or not yet, per service."""
    lines = [
        MADE,
        "# Coverage",
        "",
        "An operation that is not served yet answers `UnsupportedOperationException` (HTTP 400), and is recorded.",
        "",
        "| service | served | of |",
        "|---|---|---|",
    ]
    for name, service in sorted(SERVICES.items()):
        lines.append(f"| [{name}](#{name}) | {len(service.operations)} | {len(service_model(name).operation_names)} |")
    for name, service in sorted(SERVICES.items()):
        lines += ["", f"## {name}", "", "| operation | served | recorded as |", "|---|---|---|"]
        for operation in sorted(service_model(name).operation_names):
            served = "yes" if operation in service.operations else "not yet"
            lines.append(f"| {operation} | {served} | {recorded_as(service, operation)} |")
    return "\n".join(lines) + "\n"


def recorded_as(service: Any, operation: str) -> str:
    """Return category and kind of an operation's event."""
    category = "data" if operation in service.rules.data_operations else "management"
    return f"{category}, {'read' if service.rules.reads_only(operation) else 'write'}"


def cloudtrail_errors_page() -> str:
    """Return the page of CloudTrail's operations and their errors, from the table that a test plays."""
    cases = runpy.run_path(str(CASES))
    lines = [
        MADE,
        "# Errors of CloudTrail's operations",
        "",
        "For each operation that is served: every error that the API model lists for it, and when it happens here. A test",
        "makes each of them happen and looks at the record. Those in italics cannot happen, for the reason given. Beside them",
        "every operation answers `AccessDeniedException` when policies refuse a call, and `InvalidParameterException` for",
        "parameters that break the model, where no other error is given for that.",
    ]
    for operation, calls in sorted(cases["FAILURES"].items()):
        lines += ["", f"## {operation}", "", "| error | when |", "|---|---|"]
        for error in sorted(
            shape.name for shape in service_model("cloudtrail").operation_model(operation).error_shapes
        ):
            when = cases["WHEN"][error] if error in calls else f"*never: {cases['NEVER'][error]}*"
            lines.append(f"| {error} | {when} |")
    return "\n".join(lines) + "\n"


def gamelift_errors_page() -> str:
    """Return the page of GameLift's operations and their errors, from the tables that a test plays."""
    failures = runpy.run_path(str(CASES.parent / "gamelift_cases.py"))["FAILURES"]
    words = runpy.run_path(str(CASES.parent / "gamelift_words.py"))
    lines = [
        MADE,
        "# Errors of GameLift's operations",
        "",
        "For each operation: every error that the API model lists for it, and when it happens here. A test makes each of them",
        "happen and looks at the record. Those in italics cannot happen, for the reason given. Beside them every operation",
        "answers `AccessDeniedException` when policies refuse a call.",
    ]
    for operation, calls in sorted(failures.items()):
        lines += ["", f"## {operation}", "", "| error | when |", "|---|---|"]
        for error in sorted(shape.name for shape in service_model("gamelift").operation_model(operation).error_shapes):
            kind, mark = ("WHEN", "") if error in calls else ("NEVER", "*")
            text = words[f"{kind}_OF"].get((operation, error)) or words[kind][error]
            lines.append(f"| {error} | {mark}{'never: ' if mark else ''}{text}{mark} |")
    return "\n".join(lines) + "\n"


PAGE_MAKERS = {
    "settings.md": settings_page,
    "coverage.md": coverage_page,
    "cloudtrail-errors.md": cloudtrail_errors_page,
    "gamelift-errors.md": gamelift_errors_page,
}


def main() -> int:
    """Write the pages, or with --check compare them."""
    stale = [name for name, make in PAGE_MAKERS.items() if not is_current(PAGES / name, make())]
    if "--check" in sys.argv:
        print("\n".join(f"{name} is stale: run make docs" for name in stale))
        return 1 if stale else 0
    for name in stale:
        (PAGES / name).write_text(PAGE_MAKERS[name]())
    return 0


def is_current(path: Path, text: str) -> bool:
    """Return whether a page is as it should be."""
    return path.is_file() and path.read_text() == text


if __name__ == "__main__":
    sys.exit(main())
