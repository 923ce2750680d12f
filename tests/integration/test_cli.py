"""The command line against a real server: every verb, every exit code, what is printed and what never is."""

import asyncio
import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from queue import Empty, Queue
from typing import IO, Any, ClassVar

import boto3
import pytest
from botocore.config import Config

from apitrail.objects.folder import FolderBucket
from apitrail.services.buckets import buckets
from apitrail.store.sqlite import SqliteDatabase

PROGRAM = str(Path(sys.executable).parent / "apitrail")
HOSTILE = "evil\x1b]0;owned\x07\u202e\x9b2J"


class Shell:
    """A user with a home of its own, who runs the program; keeps all that was printed."""

    def __init__(self, home: Path) -> None:
        self.home = home
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "APITRAIL_"))}
        self.environ = {**kept, "HOME": str(home), "COLUMNS": "200"}
        self.printed: list[str] = []

    def start(self, *words: str, **environ: str) -> subprocess.Popen[str]:
        """Start the program with pipes."""
        return subprocess.Popen(
            [PROGRAM, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**self.environ, **environ},
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # a background job is started without it
        )

    def __call__(self, *words: str, code: int = 0, **environ: str) -> str:
        """Run the program to its end and return what it wrote to stdout."""
        return self.both(*words, code=code, **environ)[0]

    def both(self, *words: str, code: int = 0, **environ: str) -> tuple[str, str]:
        """Run the program to its end and return stdout and stderr."""
        process = self.start(*words, **environ)
        out, err = process.communicate(timeout=60)
        assert process.returncode == code, f"apitrail {' '.join(words)} ended with {process.returncode}: {err}"
        if words[0] != "env" and "create" not in words and "assume" not in words:
            self.printed += [out, err]
        return out, err

    def json(self, *words: str, **environ: str) -> Any:
        """Run the program and return its JSON."""
        return json.loads(self(*words, "--output", "json", **environ))


class Server:
    """A server started by the program. facts: what it told when it was ready. made: every one, to end those left over."""

    made: ClassVar[list[subprocess.Popen[str]]] = []

    def __init__(self, shell: Shell, *words: str, **environ: str) -> None:
        self.process = shell.start(*words, "--output", "json", **environ)
        self.made.append(self.process)
        self.facts: dict[str, Any] = json.loads(line_of(self.process.stdout))

    def client(self, service: str) -> Any:
        """Return the SDK's client for the server, as root."""
        keys = Path(self.facts["credentials_file"]).read_text()
        found = dict(re.findall(r"^(\w+) = (\S+)$", keys, re.MULTILINE))
        return boto3.client(
            service,
            endpoint_url=self.facts["endpoint"],
            region_name=self.facts["region"],
            aws_access_key_id=found["aws_access_key_id"],
            aws_secret_access_key=found["aws_secret_access_key"],
            config=Config(retries={"total_max_attempts": 1}),
        )

    def stop(self) -> int:
        """End the server in order."""
        self.process.terminate()
        return self.process.wait(30)


def line_of(stream: IO[str] | None, seconds: float = 30) -> str:
    """Return the next line of a pipe, within a time."""
    assert stream is not None
    found: Queue[str] = Queue()
    threading.Thread(target=lambda: found.put(stream.readline()), daemon=True).start()
    try:
        return found.get(timeout=seconds)
    except Empty:
        raise AssertionError("nothing was printed in time") from None


def wait_for(ask: Callable[[], Any], seconds: float = 20) -> Any:
    """Return what ask finds, as soon as it finds something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := ask():
            return found
        time.sleep(0.1)
    raise AssertionError("it did not happen in time")


@pytest.fixture(scope="module", autouse=True)
def leftovers() -> Iterator[None]:
    """End the servers that failed tests left running."""
    yield
    for process in Server.made:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """One user for all tests."""
    return Shell(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def server(shell: Shell) -> Iterator[Server]:
    """One throw-away server, with a few calls made by users with and without rights."""
    running = Server(shell, "dev", "--port", "0", "--fast", "--seed", "7")
    shell("identity", "user", "create", "dana")
    shell("identity", "policy", "attach", "ReadOnlyAccess", "--user", "dana")
    section = shell("identity", "key", "create", "--user", "dana", "--format", "profile", "--profile-name", "dana")
    (shell.home / ".aws").mkdir()
    (shell.home / ".aws" / "credentials").write_text(section)
    gamelift = running.client("gamelift")
    gamelift.create_alias(Name="live", RoutingStrategy={"Type": "TERMINAL", "Message": HOSTILE})
    gamelift.list_builds()
    yield running
    running.stop()


def test_dev_is_ready_within_seconds_and_leaves_nothing_behind(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    began = time.monotonic()
    running = Server(shell, "dev", "--port", "0")
    assert time.monotonic() - began < 10
    data = Path(running.facts["data"])
    assert (data / "server.json").stat().st_mode & 0o777 == 0o600
    assert json.loads((tmp_path / ".local/share/apitrail/dev.json").read_text())[0]["pid"] == running.process.pid
    assert running.stop() == 0
    assert not data.exists()
    assert not (tmp_path / ".local/share/apitrail/dev.json").exists()


def test_a_command_after_two_dashes_has_the_variables_and_gives_its_exit_code(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    code = "import boto3; print(boto3.client('gamelift').list_builds()['Builds']); raise SystemExit(7)"
    out, err = shell.both("dev", "--port", "0", "--", sys.executable, "-c", code, code=7, AWS_SESSION_TOKEN="of-before")
    assert out == "[]\n"
    assert "is ready at http://127.0.0.1:" in err


def test_a_command_that_does_not_exist_ends_the_server(tmp_path: Path) -> None:
    _, err = Shell(tmp_path).both("dev", "--port", "0", "--", "no-such-command-here", code=3)
    assert "cannot run no-such-command-here" in err


def test_a_command_that_a_signal_ends_gives_128_and_its_number(tmp_path: Path) -> None:
    Shell(tmp_path)("dev", "--port", "0", "--quiet", "--", "sh", "-c", "kill -9 $$", code=137)


def test_the_same_seed_makes_the_same_ids(tmp_path: Path) -> None:
    code = "import boto3; print(boto3.client('gamelift').create_alias(Name='a', RoutingStrategy={'Type': 'TERMINAL', "
    code += "'Message': 'm'})['Alias']['AliasId'])"
    words = ("dev", "--port", "0", "--seed", "3", "--", sys.executable, "-c", code)
    assert Shell(tmp_path)(*words) == Shell(tmp_path)(*words)


def test_env_makes_an_unchanged_client_reach_the_server(shell: Shell, server: Server) -> None:
    code = "import boto3; print(boto3.client('gamelift').list_aliases()['Aliases'][0]['Name'])"
    script = f'eval "$({PROGRAM} env)" && {sys.executable} -c "{code}"'
    done = subprocess.run(["sh", "-c", script], env=shell.environ, capture_output=True, text=True, timeout=60)
    assert done.stdout == "live\n", done.stderr


@pytest.mark.parametrize("form", ["fish", "powershell", "dotenv", "terraform", "compose"])
def test_env_speaks_every_language(shell: Shell, server: Server, form: str) -> None:
    text = shell("env", "--format", form)
    assert str(server.facts["endpoint"]).rpartition(":")[2] in text
    assert "us-west-2" in text


def test_env_writes_a_profile_and_asks_before_replacing_it(shell: Shell, server: Server) -> None:
    shell("env", "--write-profile", "trailed")
    assert "Arn" in shell.json("identity", "session", "show", "--profile", "trailed")
    _, err = shell.both("env", "--write-profile", "trailed", code=2)
    assert "--yes" in err
    shell("env", "--write-profile", "trailed", "--yes")
    assert (shell.home / ".aws" / "credentials").read_text().count("[trailed]") == 1


def test_status_shows_services_and_journal(shell: Shell, server: Server) -> None:
    facts = shell.json("status")
    assert facts["journal"]["events"] > 0
    assert "gamelift" in facts["services"]
    screen = shell("status", "--output", "table")
    assert "gamelift (" in screen
    assert "nothing dropped" in screen


def test_lookup_filters_by_everything_at_once(shell: Shell, server: Server) -> None:
    words = "--service gamelift --name CreateAl* --user root --write --ip 127.0.0.0/8 --start -1d --end now"
    alias = server.client("gamelift").list_aliases()["Aliases"][0]["AliasId"]
    more = ("--account", "111122223333", "--resource", alias)
    found = shell.json("lookup", *words.split(), *more)["Events"]
    assert [event["EventName"] for event in found] == ["CreateAlias"]
    assert json.loads(found[0]["CloudTrailEvent"])["eventID"] == found[0]["EventId"]
    assert found[0]["EventTime"].endswith("Z")


def test_the_documented_lookup_example_works_as_it_is_written(shell: Shell, server: Server) -> None:
    out = shell("lookup", "--service", "gamelift", "--name", "CreateAlias", "--start", "-1d", "--query",
                "Events[].[EventTime,Username,SourceIPAddress]", "--output", "text")  # fmt: skip
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\troot\t127\.0\.0\.1\n", out)


def test_lookup_in_csv_and_as_raw_records(shell: Shell, server: Server) -> None:
    rows = list(csv.DictReader(io.StringIO(shell("lookup", "--name", "CreateAlias", "--output", "csv"))))
    assert rows[0]["event"] == "gamelift:CreateAlias"
    records = shell("lookup", "--raw", "--name", "CreateAlias", "--output", "jsonl").splitlines()
    assert json.loads(records[0])["eventName"] == "CreateAlias"


def test_a_search_that_finds_nothing_says_so_with_the_nearest_spelling(shell: Shell, server: Server) -> None:
    _, err = shell.both("lookup", "--name", "CreatAlias", "--fail-if-empty", code=1)
    assert "did you mean CreateAlias" in err
    shell("lookup", "--name", "CreatAlias")


def test_a_limited_search_says_that_there_is_more(shell: Shell, server: Server) -> None:
    out, err = shell.both("lookup", "--limit", "1", "--output", "json")
    assert len(json.loads(out)["Events"]) == 1
    assert "--limit" in err


def test_show_prints_compares_and_relates(shell: Shell, server: Server) -> None:
    entries = shell.json("lookup", "--service", "gamelift")["Events"]
    ids = {entry["EventName"]: entry["EventId"] for entry in entries}
    assert shell.json("show", ids["CreateAlias"])["eventName"] == "CreateAlias"
    assert "root called gamelift:CreateAlias in us-west-2" in shell("show", ids["CreateAlias"], "--output", "table")
    compared = shell.json("show", ids["CreateAlias"], ids["ListBuilds"])
    names = {row["Field"]: row["Values"] for row in compared["Differences"]}
    assert names["eventName"] == ["CreateAlias", "ListBuilds"]
    assert "eventSource" in compared["EqualFields"]
    alias = server.client("gamelift").list_aliases()["Aliases"][0]["AliasId"]
    server.client("gamelift").describe_alias(AliasId=alias)
    related = shell.json("show", ids["CreateAlias"], "--related")["Events"]
    assert ["DescribeAlias", ["resource"]] in [[event["EventName"], event["Relations"]] for event in related]
    shell("show", "5d1f2f0c-7d0e-4c1e-9a1b-0c2f5d6e7f80", code=1)


def test_tail_shows_a_call_within_a_second_and_ends_with_130(shell: Shell, server: Server) -> None:
    tail = shell.start("tail", "-n", "0", "--name", "CreateScript", "--error", "--verbose")
    time.sleep(1.5)
    began = time.monotonic()
    with pytest.raises(Exception, match="InvalidRequest"):
        server.client("gamelift").create_script(Name="s")
    record = json.loads(line_of(tail.stdout))
    assert time.monotonic() - began < 2
    assert record["errorCode"] == "InvalidRequestException"
    tail.send_signal(signal.SIGINT)
    assert tail.wait(10) == 130


def test_tail_on_a_terminal_is_one_line_an_event_and_obeys_no_record(shell: Shell, server: Server) -> None:
    out = shell("tail", "-n", "1000", "--timeout", "1", "--output", "table", "--name", "CreateAlias", "--no-color")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ  root +127\.0\.0\.1 +gamelift:CreateAlias +ok\n", out)
    for words in (
        ("--output", "json"),
        ("--output", "jsonl"),
        ("--output", "csv"),
        ("--output", "text", "--query", "requestParameters"),
    ):
        out = shell("tail", "-n", "1000", "--timeout", "1", "--name", "CreateAlias", *words)
        assert not set(out) & set("\x1b\x07\x9b\u202e")


def test_a_terminal_gets_aligned_coloured_lines_without_being_asked(shell: Shell, server: Server) -> None:
    ours, theirs = os.openpty()
    words = [PROGRAM, "tail", "-n", "1000", "--timeout", "1", "--name", "CreateAlias"]
    tail = subprocess.Popen(words, stdout=theirs, stderr=subprocess.DEVNULL, env={**shell.environ, "TERM": "xterm"})
    assert tail.wait(30) == 0
    line = os.read(ours, 10_000).decode()
    os.close(theirs)
    os.close(ours)
    assert "\x1b[33mgamelift:CreateAlias" in line
    assert "\x1b[32mok\x1b[0m" in line


def test_tail_fails_on_what_it_is_told_to(shell: Shell, server: Server) -> None:
    _, err = shell.both("tail", "-n", "100", "--fail-on", "eventName == 'CreateAlias'", "--timeout", "20", code=1)
    assert "CreateAlias" in err
    shell("tail", "-n", "100", "--fail-on", "eventName == 'Never'", "--timeout", "1")
    shell("tail", "--fail-on", "eventName ==", code=2)


def test_tail_since_a_time_begins_with_the_history(shell: Shell, server: Server) -> None:
    lines = shell("tail", "--since", "-1h", "--timeout", "1", "--service", "gamelift").splitlines()
    records = [json.loads(line) for line in lines]
    assert {"CreateAlias", "ListBuilds"} <= {record["eventName"] for record in records}
    assert [r["eventTime"] for r in records] == sorted(r["eventTime"] for r in records)
    ids = [record["eventID"] for record in records]
    assert len(ids) == len(set(ids))


def test_a_closed_pipe_ends_quietly(shell: Shell, server: Server) -> None:
    script = f"{PROGRAM} tail -n 1000 | head -n 1; {PROGRAM} lookup --output jsonl | head -n 1 | wc -l"
    tail = subprocess.Popen(["bash", "-c", f"set -o pipefail; {script}"], env=shell.environ, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)  # fmt: skip
    server.client("gamelift").list_builds()
    wait_for(lambda: tail.poll() is not None or server.client("gamelift").list_builds() is None, 20)
    out, err = tail.communicate(timeout=20)
    assert len(out.splitlines()) == 2
    assert "Error" not in err and "Traceback" not in err
    assert tail.returncode == 0


def test_a_user_may_do_what_its_policy_says_and_no_more(shell: Shell, server: Server) -> None:
    assert shell.json("identity", "session", "show", "--profile", "dana")["Arn"].endswith(":user/dana")
    _, err = shell.both("identity", "user", "create", "kim", "--profile", "dana", code=5)
    assert "AccessDenied" not in err
    assert "iam:CreateUser" in err
    error = json.loads(
        shell.both("identity", "user", "create", "kim", "--profile", "dana", "--output", "json", code=5)[1]
    )
    assert error["error"]["code"] == "access-denied"


def test_identities_are_made_shown_and_removed(shell: Shell, server: Server) -> None:
    shell("identity", "user", "create", "rob", "--path", "/ops/", "--tag", "team=audit")
    document = json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:*", "Resource": "*"}]}
    )
    shell("identity", "policy", "create", "may-assume", document)
    shell("identity", "policy", "attach", "may-assume", "--user", "rob")
    key = json.loads(shell("identity", "key", "create", "--user", "rob"))
    keys = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    shell("identity", "role", "create", "deploy", "--trust-account", "111122223333")
    shell("identity", "policy", "attach", "may-assume", "--role", "deploy")
    arn = shell.json("identity", "role", "show", "deploy")
    assert arn["AssumeRolePolicyDocument"]["Statement"][0]["Action"] == "sts:AssumeRole"
    session = json.loads(shell("identity", "session", "assume", arn["Arn"], "--session-name", "ci", **keys))
    assert session["AccessKeyId"].startswith("ASIA")
    temporary = {
        "AWS_ACCESS_KEY_ID": session["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
        "AWS_SESSION_TOKEN": session["SessionToken"],
    }
    assert shell.json("identity", "session", "show", **temporary)["Arn"].endswith("assumed-role/deploy/ci")
    assert "rob" in shell("identity", "user", "ls", "--output", "table")
    assert shell.json("identity", "policy", "show", "may-assume")["Document"]["Statement"][0]["Action"] == "sts:*"
    assert shell.json("identity", "account", "show")["Account"] == "111122223333"
    shell("identity", "user", "rm", "rob", code=2)
    _, err = shell.both("identity", "user", "rm", "rob", "--yes", code=4)
    assert "identity key ls" in err
    shell("identity", "key", "rm", key["AccessKeyId"], "--user", "rob", "--yes")
    shell("identity", "policy", "detach", "may-assume", "--user", "rob")
    shell("identity", "policy", "detach", "may-assume", "--role", "deploy")
    for words in (("policy", "rm", "may-assume"), ("role", "rm", "deploy"), ("user", "rm", "rob")):
        shell("identity", *words, "--dry-run")
        shell("identity", *words, "--yes")
    assert "rob" not in shell("identity", "user", "ls")


def test_a_missing_bucket_is_told_with_the_way_to_make_it(shell: Shell, server: Server) -> None:
    _, err = shell.both("trail", "create", "audit", "--s3-bucket-name", "no-such-bucket-here", code=4)
    assert "aws s3 mb" in err
    _, err = shell.both("trail", "show", "nothing", code=4)
    assert "apitrail trail ls" in err


def make_bucket(data: Path, name: str) -> None:
    """Put a bucket into the store of a server that does not run."""
    (data / "buckets").mkdir(parents=True)
    database = SqliteDatabase(data / "journal.db")
    row = {"Name": name, "OwnerAccount": "111122223333", "Region": "us-west-2", "CreationDate": datetime.now(UTC)}
    database.write_now(lambda tx: buckets(tx).put(name, row))

    async def finish() -> None:
        await FolderBucket(data / "buckets" / name).create()
        await database.close()

    asyncio.run(finish())


def test_a_trail_is_made_started_inspected_and_removed(tmp_path: Path) -> None:
    shell, data = Shell(tmp_path), tmp_path / "data"
    make_bucket(data, "audit-files")
    server = Server(shell, "dev", "--port", "0", "--data", str(data))
    shell("trail", "create", "audit", "--s3-bucket-name", "audit-files", "--is-multi-region-trail", "--start", "--tag", "a=b",
          "--s3-key-prefix", "logs")  # fmt: skip
    assert shell.json("trail", "show", "audit")["S3KeyPrefix"] == "logs"
    server.client("gamelift").list_builds()
    wait_for(lambda: shell.json("status")["trails"][0]["delivered"] > 0)
    assert shell.json("trail", "status", "audit")["LatestDeliveryTime"].endswith("Z")
    assert shell.json("trail", "ls")["trailList"][0]["IsLogging"] is True
    selectors = [{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}]
    shell("trail", "selectors", "put", "audit", json.dumps(selectors))
    assert shell.json("trail", "selectors", "get", "audit")["AdvancedEventSelectors"][0]["FieldSelectors"]
    assert "audit " in shell("status", "--output", "table")
    shell("trail", "stop", "audit", code=2)
    shell("trail", "stop", "audit", "--yes")
    shell("trail", "rm", "audit", "--dry-run")
    shell("trail", "rm", "audit", "--yes")
    assert shell.json("trail", "ls")["trailList"] == []
    server.stop()
    assert data.exists()


def test_doctor_finds_a_healthy_server_well_and_a_missing_one_not(shell: Shell, server: Server, tmp_path: Path) -> None:
    findings = shell.json("doctor")["Findings"]
    assert {finding["check"] for finding in findings} >= {
        "versions",
        "port",
        "data",
        "server",
        "clock",
        "credentials",
        "journal",
    }
    assert "ready" in shell("doctor", "--quick", "--output", "text")
    out, _ = Shell(tmp_path).both("doctor", "--output", "table", code=1)
    assert "no running server found" in out
    Path(server.facts["credentials_file"]).chmod(0o644)
    try:
        assert "chmod 600" in shell("doctor", "--output", "text", code=1)
    finally:
        Path(server.facts["credentials_file"]).chmod(0o600)


def test_a_wrong_secret_is_refused_and_not_shown(shell: Shell, server: Server) -> None:
    wrong = {
        **dict.fromkeys(("AWS_ACCESS_KEY_ID",), server.facts["access_key"]),
        "AWS_SECRET_ACCESS_KEY": "wrong-secret-value",
    }
    out, err = shell.both("lookup", code=5, **wrong)
    assert "wrong-secret-value" not in out + err
    assert server.facts["access_key"] not in err
    assert server.facts["access_key"][:4] + "..." in err


def test_a_server_that_is_not_there_gives_4(shell: Shell, server: Server, tmp_path: Path) -> None:
    _, err = Shell(tmp_path).both("status", code=4)
    assert "apitrail dev" in err
    shell("status", "--endpoint-url", "http://127.0.0.1:1", "--profile", "dana", code=4)


def test_a_port_in_use_names_the_server_that_has_it(shell: Shell, server: Server) -> None:
    port = str(server.facts["endpoint"]).rpartition(":")[2]
    _, err = shell.both("dev", "--port", port, code=3)
    assert f"already in use by pid {server.process.pid} (apitrail, data {server.facts['data']})" in err
    assert f"kill {server.process.pid}" in err


def test_no_secret_was_printed_by_any_of_these(shell: Shell, server: Server) -> None:
    secrets = re.findall(r"secret_access_key = (\S+)", Path(server.facts["credentials_file"]).read_text())
    secrets += re.findall(r"secret_access_key = (\S+)", (shell.home / ".aws" / "credentials").read_text())
    assert len(secrets) >= 2
    assert len(shell.printed) > 20
    for text in shell.printed:
        assert not any(secret in text for secret in secrets)


def test_serve_keeps_its_data_and_tail_goes_on_after_a_restart(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    data = str(tmp_path / "data")
    first = Server(shell, "serve", "--port", "0", "--data", data)
    assert len(first.facts["secret_key"]) == 40
    port = str(first.facts["endpoint"]).rpartition(":")[2]
    tail = shell.start("tail", "-n", "0", "--service", "gamelift", "--data", data)
    lines: Queue[str] = Queue()
    threading.Thread(target=lambda: [lines.put(line) for line in tail.stdout or ()], daemon=True).start()
    time.sleep(1.5)
    first.client("gamelift").list_builds()
    seen = [json.loads(lines.get(timeout=10))["eventName"]]
    assert first.stop() == 0
    again = Server(shell, "serve", "--port", port, "--data", data)
    assert "secret_key" not in again.facts
    again.client("gamelift").list_scripts()
    again.client("gamelift").list_fleets()
    seen += [json.loads(lines.get(timeout=20))["eventName"] for _ in range(2)]
    assert seen == ["ListBuilds", "ListScripts", "ListFleets"]
    tail.send_signal(signal.SIGINT)
    assert tail.wait(10) == 130
    _, err = shell.both("identity", "account", "create", "--data", data, code=3)
    assert "stop it first" in err
    again.stop()


def test_an_account_made_while_the_server_is_stopped_works_afterwards(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    data = str(tmp_path / "data")
    made = json.loads(
        shell("identity", "account", "create", "--account-id", "444455556666", "--alias", "games", "--data", data)
    )
    assert made["Account"] == "444455556666"
    running = Server(shell, "serve", "--port", "0", "--data", data)
    keys = {"AWS_ACCESS_KEY_ID": made["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"]}
    shown = shell.json("identity", "account", "show", "--data", data, **keys)
    assert (shown["Account"], shown["Alias"]) == ("444455556666", "games")
    running.stop()
    shell("identity", "account", "create", "--account-id", "12", "--data", data, code=2)


def test_serve_warns_when_anybody_may_come_in(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    words = ("serve", "--host", "0.0.0.0", "--auth", "permissive", "--port", "0", "--data", str(tmp_path / "d"))
    _, err = shell.both(*words, "--", "true")
    assert err.startswith("warning: 0.0.0.0 is reachable from other machines")
