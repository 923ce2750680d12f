"""`apitrail doctor`: checks of this machine and of the server, each with what to do."""

import platform
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import tzinfo
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import click

from apitrail import __version__
from apitrail.cli.client import SKEW_S, Answer, Client, fetch_open, parse_endpoint
from apitrail.cli.discovery import ServerNote, data_dir, find_target, running_servers
from apitrail.cli.errors import NO, OK, CliError
from apitrail.cli.options import Invocation, pass_invocation
from apitrail.cli.output import emit, member
from apitrail.cli.ports import command_of, is_taken, owner_of_port
from apitrail.cli.status import size
from apitrail.cli.terminal import Pen, clean, pad
from apitrail.cli.verbs import Verb
from apitrail.errors import SettingsError
from apitrail.settings import load_settings

Verdict = Literal["ok", "warning", "problem"]
FREE_BYTES_MIN = 1024**3
ANSWER_S = 5.0
PARTS = ("botocore", "click", "cryptography", "msgspec", "uvicorn")
COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. hint: one next step, empty when all is well."""

    check: str
    verdict: Verdict
    text: str
    hint: str = ""


@click.command("doctor", cls=Verb)
@click.option("--quick", is_flag=True, help="Only whether the server is there and ready.")
@pass_invocation
def doctor(invocation: Invocation, quick: bool) -> int:
    """Find out what is wrong with this machine and the server. Exits with 1 when something is."""
    checks = QUICK if quick else ALL
    findings = [finding for check in checks for finding in check(invocation)]
    emit(
        invocation,
        {"Findings": [asdict(finding) for finding in findings]},
        items="Findings",
        columns=(
            member("check", "check"),
            member("verdict", "verdict"),
            member("text", "text"),
            member("hint", "hint"),
        ),
        table=partial(_lines, findings),
    )
    return NO if any(finding.verdict == "problem" for finding in findings) else OK


def _lines(findings: list[Finding], pen: Pen, zone: tzinfo | None) -> list[str]:
    lines = []
    for finding in findings:
        lines.append(
            f"{pen.paint(COLOURS[finding.verdict], pad(finding.verdict, 7))}  {pad(finding.check, 11)}  {clean(finding.text)}"
        )
        if finding.hint:
            lines.append(f"{'':22}{clean(finding.hint)}")
    return lines


def check_versions(invocation: Invocation) -> Iterator[Finding]:
    """Yield the versions of the product, of Python and of the main parts."""
    yield Finding("versions", "ok", f"apitrail {__version__}, Python {platform.python_version()}, {platform.system()}")
    for name in PARTS:
        try:
            yield Finding("versions", "ok", f"{name} {version(name)}")
        except PackageNotFoundError:
            yield Finding("versions", "problem", f"{name} is not installed", "install apitrail again")


def check_settings(invocation: Invocation) -> Iterator[Finding]:
    """Yield whether the settings can be read. Raises: SettingsError through the check of the port."""
    load_settings(invocation.config_path(), invocation.environ)
    yield Finding("settings", "ok", "the settings can be read")


def check_port(invocation: Invocation) -> Iterator[Finding]:
    """Yield whether the port of the settings is free, or taken by a server of ours."""
    server = load_settings(invocation.config_path(), invocation.environ).server
    if server.port == 0 or not is_taken(server.host, server.port):
        yield Finding("port", "ok", f"{server.host}:{server.port} is free")
        return
    own = [note for note in running_servers(invocation) if parse_endpoint(note.endpoint)[2] == server.port]
    if own:
        yield Finding("port", "ok", f"{server.host}:{server.port} is used by apitrail, pid {own[0].pid}")
        return
    pid = owner_of_port(server.port)
    whose = f"pid {pid} ({command_of(pid)})" if pid else "another program"
    text = f"{server.host}:{server.port} is used by {whose}"
    yield Finding("port", "warning", text, "use --port 0 or another port")


def check_data_dir(invocation: Invocation) -> Iterator[Finding]:
    """Yield whether the data directory can be written, is private, and has space."""
    directory = data_dir(invocation)
    existing = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    if not existing.is_dir() or not _is_writable(existing):
        yield Finding("data", "problem", f"{directory} cannot be written", "choose another one with --data")
        return
    yield Finding("data", "ok", f"{directory} can be written")
    free = shutil.disk_usage(existing).free
    if free < FREE_BYTES_MIN:
        yield Finding(
            "disk", "problem", f"only {size(free)} free at {existing}", "make space; a full disk stops recording"
        )
    else:
        yield Finding("disk", "ok", f"{size(free)} free at {existing}")


def _is_writable(directory: Path) -> bool:
    probe = directory / ".apitrail-doctor"
    try:
        probe.touch(0o600)
        probe.unlink()
    except OSError:
        return False
    return True


def check_server(invocation: Invocation) -> Iterator[Finding]:
    """Yield whether the server answers and is ready, and how its clock differs."""
    endpoint = _endpoint(invocation)
    answer = fetch_open(endpoint, "ready", ANSWER_S)
    if answer.status == 200:
        yield Finding("server", "ok", f"{endpoint} is ready")
    else:
        failing = answer.json().get("failing", [])
        yield Finding("server", "problem", f"{endpoint} is not ready: {'; '.join(map(str, failing)) or answer.status}")
    yield from _clock_finding(invocation, answer)


def _endpoint(invocation: Invocation) -> str:
    """Return the server's address; to knock at it needs no keys."""
    if invocation.endpoint_url:
        return invocation.endpoint_url
    running = running_servers(invocation)
    return (
        running[0].endpoint
        if running and "AWS_ENDPOINT_URL" not in invocation.environ
        else find_target(invocation).endpoint
    )


def _clock_finding(invocation: Invocation, answer: Answer) -> Iterator[Finding]:
    if answer.date is None:
        return
    skew = (answer.date - invocation.clock.now()).total_seconds()
    if abs(skew) > SKEW_S:
        yield Finding("clock", "problem", f"the server's clock differs by {skew:+.0f} s", "set the clocks")
    else:
        yield Finding("clock", "ok", f"the server's clock differs by {round(skew):+d} s")


def check_credentials(invocation: Invocation) -> Iterator[Finding]:
    """Yield whether the files with secrets are private."""
    for note in running_servers(invocation):
        yield from _private(note)


def _private(note: ServerNote) -> Iterator[Finding]:
    path = Path(note.credentials)
    if not note.credentials or not path.is_file():
        yield Finding("credentials", "warning", f"no credentials file for {note.endpoint}", "set AWS_ACCESS_KEY_ID")
    elif path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Finding("credentials", "problem", f"{path} can be read by others", f"chmod 600 {path}")
    else:
        yield Finding("credentials", "ok", f"{path} is private")


def check_journal(invocation: Invocation) -> Iterator[Finding]:
    """Yield what the server says of its journal, of calls without a record, and of its trails."""
    facts = Client(find_target(invocation), invocation.clock, ANSWER_S).own("status")
    journal = facts.get("journal", {})
    if journal.get("problem"):
        yield Finding("journal", "problem", str(journal["problem"]), "calls are refused until it can be written")
    else:
        yield Finding("journal", "ok", f"{journal.get('events', 0)} events, {size(journal.get('bytes', 0))}")
    if facts.get("dropped"):
        yield Finding("journal", "problem", f"{facts['dropped']} calls were answered without a record")
    for trail in facts.get("trails", []):
        if trail.get("error"):
            yield Finding(
                "trail", "problem", f"{trail.get('arn')}: {trail['error']}", "see: apitrail trail status NAME"
            )


Check = Callable[[Invocation], Iterator[Finding]]


def guarded(name: str, check: Check) -> Check:
    """Return a check whose failure is a finding."""

    def run(invocation: Invocation) -> Iterator[Finding]:
        try:
            yield from check(invocation)
        except CliError as error:
            yield Finding(name, "problem", error.message, error.hint)
        except SettingsError as error:
            yield Finding(name, "problem", f"{error.where}: {error}", error.hint)

    return run


QUICK = (guarded("server", check_server),)
ALL = (
    guarded("versions", check_versions),
    guarded("settings", check_settings),
    guarded("port", check_port),
    guarded("data", check_data_dir),
    *QUICK,
    guarded("credentials", check_credentials),
    guarded("journal", check_journal),
)
