"""Finding servers and keys, AWS profiles, and notes of dev servers."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from apitrail.cli.discovery import Keys, find_target, read_notes, running_servers
from apitrail.cli.errors import LOCAL, REFUSED, REMOTE, CliError
from apitrail.cli.hosting import forget_dev_server, note_dev_server
from apitrail.cli.options import Invocation
from apitrail.cli.profiles import check_name, masked, profile_text, read_profile, without_section, write_section


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment whose home is empty."""
    return {
        "HOME": str(tmp_path),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "cred"),
        "AWS_CONFIG_FILE": str(tmp_path / "conf"),
    }


def home(environ: dict[str, str]) -> Path:
    """The default data directory in it."""
    directory = Path(environ["HOME"]) / ".local" / "share" / "apitrail"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def note(directory: Path, name: str = "server.json", **facts: Any) -> Path:
    """Write a server's note with a credentials file beside it."""
    directory.mkdir(parents=True, exist_ok=True)
    keys = directory / "credentials"
    keys.write_text("[default]\naws_access_key_id = AKIASERVER\naws_secret_access_key = s3cret\n")
    content = {"endpoint": "http://127.0.0.1:4580", "pid": os.getpid(), "data": str(directory), "mode": "serve"}
    path = directory / name
    path.write_text(json.dumps({**content, "region": "us-west-2", "credentials": str(keys), **facts}))
    return path


def target(environ: dict[str, str], **options: Any) -> Any:
    """Find the target with this environment and these global options."""
    return find_target(Invocation(environ=environ, **options))


def test_a_running_server_of_the_default_directory_is_found_with_its_keys_and_region(environ: dict[str, str]) -> None:
    note(home(environ))
    found = target(environ)
    assert (found.endpoint, found.keys.access_key, found.region) == ("http://127.0.0.1:4580", "AKIASERVER", "us-west-2")


def test_a_dead_server_is_not_found(environ: dict[str, str]) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    note(home(environ), pid=ended.pid)
    with pytest.raises(CliError) as caught:
        target(environ)
    assert (caught.value.exit_code, caught.value.code) == (REMOTE, "no-server")


def test_the_newest_of_several_servers_wins(environ: dict[str, str], tmp_path: Path) -> None:
    old = note(home(environ))
    new = note(tmp_path / "throwaway", endpoint="http://127.0.0.1:5000", mode="dev")
    os.utime(old, (1000, 1000))
    note_dev_server(environ, new)
    assert target(environ).endpoint == "http://127.0.0.1:5000"
    os.utime(new, (500, 500))
    assert target(environ).endpoint == "http://127.0.0.1:4580"


def test_a_dev_server_is_forgotten_at_its_end(environ: dict[str, str], tmp_path: Path) -> None:
    note_dev_server(environ, note(tmp_path / "throwaway"))
    path = home(environ) / "dev.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(running_servers(Invocation(environ=environ))) == 1
    forget_dev_server(environ)
    assert not path.exists()


def test_the_data_option_names_one_server(environ: dict[str, str], tmp_path: Path) -> None:
    note(home(environ))
    note(tmp_path / "other", endpoint="http://127.0.0.1:7000")
    found = target({**environ, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, data=str(tmp_path / "other"))
    assert found.endpoint == "http://127.0.0.1:7000"


def test_endpoints_are_taken_in_order(environ: dict[str, str]) -> None:
    note(home(environ))
    with_url = {
        **environ,
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9/",
        "AWS_ACCESS_KEY_ID": "AKIAENV",
        "AWS_SECRET_ACCESS_KEY": "x",
    }
    assert target(with_url).endpoint == "http://127.0.0.1:9"
    assert target(with_url, endpoint_url="http://127.0.0.1:10").endpoint == "http://127.0.0.1:10"


def test_keys_of_the_environment_go_before_the_servers_and_a_profile_before_both(environ: dict[str, str]) -> None:
    note(home(environ))
    Path(environ["AWS_SHARED_CREDENTIALS_FILE"]).write_text("[p]\naws_access_key_id=AKIAP\naws_secret_access_key=y\n")
    with_keys = {**environ, "AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "x", "AWS_SESSION_TOKEN": "t"}
    assert target(with_keys).keys == Keys("AKIAENV", "x", "t", "AWS_ACCESS_KEY_ID")
    assert target(with_keys, profile="p").keys.access_key == "AKIAP"
    assert target({**with_keys, "AWS_PROFILE": "p"}).keys.access_key == "AKIAENV"
    assert target({**environ, "AWS_PROFILE": "p"}).keys.access_key == "AKIAP"


def test_without_any_keys_the_caller_is_not_signed_in(environ: dict[str, str]) -> None:
    with pytest.raises(CliError) as caught:
        target(environ, endpoint_url="http://127.0.0.1:9")
    assert caught.value.exit_code == REFUSED


def test_a_missing_profile_is_a_local_mistake(environ: dict[str, str]) -> None:
    with pytest.raises(CliError) as caught:
        target(environ, profile="nobody")
    assert caught.value.exit_code == LOCAL


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "3", '{"endpoint": 4}', '{"endpoint": "http://h", "pid": "x"}', "\x00"]
)
def test_a_broken_note_is_no_server(environ: dict[str, str], content: str) -> None:
    (home(environ) / "server.json").write_text(content)
    assert running_servers(Invocation(environ=environ)) == []


def test_a_note_may_be_a_list(tmp_path: Path) -> None:
    path = tmp_path / "dev.json"
    path.write_text('[{"endpoint": "http://a", "pid": 1}, {"endpoint": "http://b", "pid": 2}]')
    assert [found.endpoint for found in read_notes(path)] == ["http://a", "http://b"]


def test_a_written_profile_is_what_the_sdk_reads(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    credentials, config = Path(environ["AWS_SHARED_CREDENTIALS_FILE"]), Path(environ["AWS_CONFIG_FILE"])
    write_section(credentials, "trail", {"aws_access_key_id": "AKIAX", "aws_secret_access_key": "a/b+c=", "none": ""})
    write_section(config, "profile trail", {"region": "eu-west-1", "endpoint_url": "http://127.0.0.1:4580"})
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, environ[name])
    session = botocore.session.Session(profile="trail")
    keys = session.get_credentials()
    assert keys is not None
    assert (keys.access_key, keys.secret_key) == ("AKIAX", "a/b+c=")
    assert session.create_client("gamelift").meta.endpoint_url == "http://127.0.0.1:4580"
    assert read_profile("trail", environ).region == "eu-west-1"
    assert credentials.stat().st_mode & 0o777 == 0o600


def test_writing_a_profile_again_replaces_it_and_keeps_everything_else(tmp_path: Path) -> None:
    path = tmp_path / "credentials"
    path.write_text("# mine\n[a]\nx = 1\n\n[b]\n; note\ny = 2\n")
    write_section(path, "a", {"x": "3"})
    write_section(path, "a", {"x": "4"})
    assert path.read_text() == "# mine\n[b]\n; note\ny = 2\n\n[a]\nx = 4\n"
    assert without_section("[a]\n[b]\n[a]\n", "a") == "[b]\n"


@pytest.mark.parametrize("name", ["", "a]\n[default", "a b", "x" * 129, "a\n"])
def test_a_name_that_could_break_the_file_is_refused(name: str) -> None:
    with pytest.raises(CliError):
        check_name(name)


def test_keys_are_masked_in_messages_and_never_shown_by_repr() -> None:
    assert masked("AKIAIOSFODNN7EXAMPLE") == "AKIA...MPLE"
    assert "s3cret" not in repr(Keys("AKIAIOSFODNN7EXAMPLE", "s3cret"))
    assert profile_text("p", {"a": "1", "b": ""}) == "[p]\na = 1\n"
