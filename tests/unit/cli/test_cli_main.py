"""The entry: exit codes, error forms, lazy loading, options before and after the verb, the reference page."""

import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from apitrail.cli.errors import BUG, LOCAL, USAGE, CliError, describe, local_error, write_error
from apitrail.cli.filters import ATTRIBUTES
from apitrail.cli.host import cannot_listen, dev_lines, is_loopback, warn_of_open_door
from apitrail.cli.hosting import parse_assignment, settings_for
from apitrail.cli.identities.role import trust_policy
from apitrail.cli.known import operation_names
from apitrail.cli.main import main, root
from apitrail.cli.options import Invocation
from apitrail.cli.ports import owner_of_port
from apitrail.cli.reference import reference_text
from apitrail.cli.spelling import did_you_mean, nearest
from apitrail.cli.tail import is_true, parse_line
from apitrail.cli.trail import CREATE_FLAGS, CREATE_TEXTS, kebab, selectors_of
from apitrail.cli.verbs import VERBS
from apitrail.errors import SettingsError
from apitrail.gateway.serving import PortInUse, listen
from apitrail.run import ServerFacts
from apitrail.wire.models import service_model

ROOT = Path(__file__).parents[3]
HEAVY = {"botocore", "boto3", "duckdb", "starlette", "rich", "orjson", "msgspec", "uvicorn", "cryptography", "jmespath"}


def run(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the program in a process of its own, with an empty home."""
    env = {"PATH": os.environ["PATH"], "HOME": os.devnull, **environ}
    command = [sys.executable, "-m", "apitrail.cli", *words]
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, check=False)


def modules_after(code: str, **environ: str) -> tuple[set[str], float]:
    """Return the top-level modules loaded after some code, and the CPU seconds that the process used."""
    tail = "\nimport resource, sys\nu = resource.getrusage(resource.RUSAGE_SELF)\n"
    tail += (
        "print('\\n' + ' '.join(sorted({n.partition('.')[0] for n in sys.modules})))\nprint(u.ru_utime + u.ru_stime)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code + tail], capture_output=True, text=True, env={**os.environ, **environ}, check=True
    )
    *_, names, seconds = result.stdout.splitlines()
    return set(names.split()), float(seconds)


COMPLETING = {"_APITRAIL_COMPLETE": "bash_complete", "COMP_WORDS": "apitrail ta", "COMP_CWORD": "1"}


@pytest.mark.parametrize(
    ("words", "environ"), [(["--version"], {}), ([], COMPLETING), (["--help"], {}), (["completion", "zsh"], {})]
)
def test_the_version_and_completion_load_nothing_heavy(words: list[str], environ: dict[str, str]) -> None:
    loaded, _ = modules_after(f"from apitrail.cli.main import main\nmain({words!r})", **environ)
    assert not loaded & HEAVY


def test_the_version_costs_less_than_150_ms_of_cpu_over_a_bare_interpreter() -> None:
    bare = min(modules_after("")[1] for _ in range(3))
    ours = min(modules_after("from apitrail.cli.main import main\nmain(['--version'])")[1] for _ in range(3))
    assert ours - bare < 0.150


def test_completion_offers_verbs_and_options() -> None:
    assert run(**COMPLETING).stdout == "plain,tail\n"
    words = {**COMPLETING, "COMP_WORDS": "apitrail dev --f", "COMP_CWORD": "2"}
    assert run(**words).stdout == "plain,--fast\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_each_shell_has_a_completion_script(shell: str) -> None:
    script = run("completion", shell).stdout
    assert "_APITRAIL_COMPLETE" in script
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


WRONG = {
    ("stats",): "did you mean status?",
    ("tail", "--sevice", "x"): "did you mean --service",
    ("trail", "crate"): "did you mean create?",
    ("lookup", "--start", "soon"): "RFC 3339",
    ("lookup", "--attribute", "UserName=x"): "Username",
    ("serve", "--set", "server.prot=1"): "server.port",
    ("serve", "--port", "99999"): "serve --help",
    ("dev", "--"): "dev --help",
    ("dev", "extra"): "dev --help",
    ("identity", "role", "create", "r"): "",
    ("show",): "show --help",
    ("env", "--write-profile", "a]b", "--endpoint-url", "http://127.0.0.1:1"): "letters",
}


@pytest.mark.parametrize(("words", "hint"), WRONG.items())
def test_a_wrong_command_line_ends_with_2_and_a_hint(
    words: tuple[str, ...], hint: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    assert main(words) == USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert hint in captured.err


@pytest.mark.parametrize(
    "words",
    [["--output", "json", "tail", "--bad"], ["tail", "--bad", "--output=json"], ["tail", "--output", "jsonl", "--bad"]],
)
def test_with_json_output_an_error_is_one_json_object(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == USAGE
    error = json.loads(capsys.readouterr().err)["error"]
    assert set(error) == {"code", "message", "where", "hint"}
    assert error["code"] == "usage"


ENDS: list[tuple[Exception, int, str]] = [
    (SettingsError("server.port: too big", where="a.toml", hint="h"), LOCAL, "config-invalid"),
    (PermissionError(errno.EACCES, "Permission denied", "/x"), LOCAL, "permission"),
    (OSError(errno.ENOSPC, "No space left on device"), LOCAL, "disk-full"),
    (RuntimeError("oops"), BUG, "bug"),
    (click.BadParameter("no"), USAGE, "usage"),
    (CliError("m", code="c", exit_code=5), 5, "c"),
]


@pytest.mark.parametrize(("error", "exit_code", "code"), ENDS)
def test_every_failure_has_an_exit_code_and_a_stable_word(error: Exception, exit_code: int, code: str) -> None:
    described = describe(error)
    assert (described.exit_code, described.code) == (exit_code, code)


def test_an_error_names_what_where_and_the_next_step() -> None:
    stream = io.StringIO()
    write_error(
        describe(SettingsError("server.port: no\x1b[2J", where="a.toml", hint="one\ntwo")), stream, as_json=False
    )
    assert stream.getvalue() == "error: a.toml: server.port: no\\x1b[2J\nhint:  one\nhint:  two\n"


def test_the_configuration_file_is_named_when_it_is_wrong(tmp_path: Path) -> None:
    config = tmp_path / "apitrail.toml"
    config.write_text("[server]\nport = 99999\n")
    result = run("serve", "--config", str(config), HOME=str(tmp_path))
    assert result.returncode == LOCAL
    assert str(config) in result.stderr
    assert "server.port" in result.stderr


@pytest.mark.parametrize(
    ("words", "environ", "chosen"),
    [
        (["--region", "a", "status"], {}, "a"),
        (["status", "--region", "b"], {}, "b"),
        (["--region", "a", "status", "--region", "b"], {}, "b"),
        (["--region", "a", "status"], {"APITRAIL_REGION": "c"}, "a"),
        (["status"], {"APITRAIL_REGION": "c"}, "c"),
    ],
)
def test_global_options_go_before_and_after_the_verb(
    words: list[str], environ: dict[str, str], chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    invocation = Invocation()
    status = root.get_command(click.Context(root), "status")
    assert status is not None
    monkeypatch.setattr(status, "callback", lambda **_: None)
    with root.make_context("apitrail", words, obj=invocation) as context:
        root.invoke(context)
    assert invocation.region == chosen


def test_a_verbs_summary_and_help_begin_alike() -> None:
    context = click.Context(root)
    for name, (_, summary) in VERBS.items():
        command = root.get_command(context, name)
        assert command is not None
        assert (command.help or "").split()[0] == summary.split()[0]


def test_the_reference_page_is_the_one_the_program_makes() -> None:
    assert (ROOT / "docs/reference/commands.md").read_text() == reference_text()


def test_assignments_are_typed_by_the_setting() -> None:
    assert parse_assignment("server.port=0") == ("server.port", 0)
    assert parse_assignment("auth.first_account=111122223333") == ("auth.first_account", "111122223333")
    assert parse_assignment("gamelift.lenient=true") == ("gamelift.lenient", True)
    assert parse_assignment("server.virtual_host_suffixes=a,b") == ("server.virtual_host_suffixes", ("a", "b"))
    for text in ("server.port=x", "server.port=-1", "capture.mode=never", "port=1", "server.port"):
        with pytest.raises(CliError):
            parse_assignment(text)


def test_options_win_over_assignments_and_the_environment_over_defaults(tmp_path: Path) -> None:
    invocation = Invocation(environ={"HOME": str(tmp_path), "APITRAIL_AUTH_MODE": "strict"})
    settings = settings_for(
        invocation, tmp_path, ("server.port=1", "capture.mode=batch"), {"server.port": 2, "server.host": None},
        {"auth.mode": "permissive", "journal.retention_days": 7},
    )  # fmt: skip
    assert (settings.server.port, settings.capture.mode, settings.auth.mode) == (2, "batch", "strict")
    assert (settings.journal.retention_days, settings.data) == (7, str(tmp_path))


def test_a_port_in_use_names_the_process_that_has_it() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert owner_of_port(port) == os.getpid()
        invocation = Invocation(environ={"HOME": os.devnull})
        settings = settings_for(invocation, None, (), {"server.port": port})
        with pytest.raises(PortInUse) as caught:
            listen("127.0.0.1", port)
        error = cannot_listen(invocation, settings, caught.value)
    assert error.message.startswith(f"cannot listen on 127.0.0.1:{port}: already in use by pid {os.getpid()}")
    assert (error.code, error.exit_code) == ("port-in-use", LOCAL)


def test_a_permissive_server_that_others_reach_is_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    invocation = Invocation(environ={}, quiet=True)
    for host, mode, warned in (
        ("0.0.0.0", "permissive", True),
        ("0.0.0.0", "strict", False),
        ("127.0.0.1", "permissive", False),
    ):
        settings = settings_for(invocation, None, (), {"server.host": host, "auth.mode": mode})
        warn_of_open_door(invocation, settings)
        assert ("warning:" in capsys.readouterr().err) is warned
    assert [is_loopback(host) for host in ("localhost", "::1", "127.9.9.9", "example.com", "10.0.0.1")] == [
        True
    ] * 3 + [False] * 2


def test_the_ready_lines_of_dev_say_how_to_use_and_stop_it() -> None:
    facts = ServerFacts(
        "http://127.0.0.1:1", Path("/d"), "111122223333", "AKIA", "s3cret", "us-west-2", Path("/d/credentials")
    )
    text = "\n".join(dev_lines(facts, temporary=True))
    for part in (
        "http://127.0.0.1:1",
        'eval "$(apitrail env)"',
        "aws gamelift list-builds",
        "apitrail tail",
        "/d",
        "Ctrl-C",
    ):
        assert part in text
    assert "s3cret" not in text


def test_trail_options_are_parameters_of_create_trail() -> None:
    members = service_model("cloudtrail").operation_model("CreateTrail").input_shape.members
    assert set(CREATE_TEXTS) | set(CREATE_FLAGS) == set(members) - {"Name", "TagsList", "IsOrganizationTrail"}
    assert kebab("S3BucketName") == "s3-bucket-name"
    assert kebab("IsMultiRegionTrail") == "is-multi-region-trail"
    assert kebab("KmsKeyId") == "kms-key-id"


def test_look_up_attributes_are_those_of_the_model() -> None:
    shape = service_model("cloudtrail").shape_for("LookupAttributeKey")
    assert set(ATTRIBUTES) == set(shape.enum)


def test_selectors_are_recognised_by_their_form() -> None:
    advanced = [{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}]
    assert selectors_of(advanced) == {"AdvancedEventSelectors": advanced}
    assert selectors_of([{"ReadWriteType": "All"}]) == {"EventSelectors": [{"ReadWriteType": "All"}]}
    assert selectors_of({"TrailARN": "x", "EventSelectors": [{}]}) == {"EventSelectors": [{}]}
    for wrong in ({}, "x", {"EventSelectors": [{}], "AdvancedEventSelectors": advanced}):
        with pytest.raises(CliError):
            selectors_of(wrong)


def test_a_role_needs_exactly_one_kind_of_trust() -> None:
    assert trust_policy(None, "111122223333", None)["Statement"][0]["Principal"] == {
        "AWS": "arn:aws:iam::111122223333:root"
    }
    assert trust_policy(None, None, "gamelift.amazonaws.com")["Statement"][0]["Principal"] == {
        "Service": "gamelift.amazonaws.com"
    }
    for given in ((None, None, None), ("{}", "1", None)):
        with pytest.raises(CliError):
            trust_policy(*given)


def test_operations_are_known_without_the_sdk() -> None:
    assert "CreateFleet" in operation_names("gamelift")
    assert operation_names("../../etc") == ()
    assert nearest("creatfleet", operation_names("gamelift"))[0] == "CreateFleet"
    assert did_you_mean("zzz", ["status"]) == ""


TRUTH: list[tuple[Any, bool]] = [
    (None, False),
    (False, False),
    ("", False),
    ([], False),
    ({}, False),
    (True, True),
    (0, True),
    ("x", True),
    ([0], True),
]


@pytest.mark.parametrize(("value", "is_so"), TRUTH)
def test_truth_is_that_of_jmespath(value: Any, is_so: bool) -> None:
    assert is_true(value) is is_so


def test_a_line_of_the_stream_has_a_number_and_an_event() -> None:
    assert parse_line(b'{"seq": 7, "event": {"a": 1}}') == (7, {"a": 1})
    for line in (b"x", b"[]", b'{"seq": "x", "event": {}}', b'{"event": {}}'):
        with pytest.raises(CliError):
            parse_line(line)


def test_a_local_error_keeps_its_place() -> None:
    assert local_error("m", code="c", where="w").where == "w"
