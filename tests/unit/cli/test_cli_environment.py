"""The settings for clients, read back by the tools they are for where those are at hand."""

import json
import shutil
import subprocess

import pytest

from apitrail.cli.environment import client_variables, compose, dotenv, fish, powershell, sh, terraform

NASTY = "a'b\"c$d`e\\f ;g|h*~é"
VARIABLES = client_variables("http://127.0.0.1:4580", "AKIAEXAMPLE", NASTY, "", "us-west-2")


def shell_values(shell: str, script: str) -> dict[str, str]:
    """Return the AWS_* variables after a script ran in a real shell."""
    result = subprocess.run(
        [shell, "-c", f"{script}\nenv -0"],
        env={"PATH": "/usr/bin:/bin", "AWS_SESSION_TOKEN": "old"},
        capture_output=True,
        check=True,
    )
    pairs = (entry.partition("=") for entry in result.stdout.decode().split("\0"))
    return {name: value for name, _, value in pairs if name.startswith("AWS_")}


def test_a_posix_shell_reads_the_values_unchanged_and_forgets_an_old_token() -> None:
    assert shell_values("sh", sh(VARIABLES)) == VARIABLES


@pytest.mark.parametrize("shell", [name for name in ("bash", "dash", "zsh", "fish") if shutil.which(name)])
def test_every_shell_of_this_machine_reads_the_values_unchanged(shell: str) -> None:
    assert shell_values(shell, fish(VARIABLES) if shell == "fish" else sh(VARIABLES)) == VARIABLES


def test_both_region_variables_are_set_and_a_token_only_when_there_is_one() -> None:
    assert VARIABLES["AWS_REGION"] == VARIABLES["AWS_DEFAULT_REGION"] == "us-west-2"
    assert "AWS_SESSION_TOKEN" not in VARIABLES
    with_token = client_variables("http://h:1", "ASIA", "s", "tok", "r")
    assert with_token["AWS_SESSION_TOKEN"] == "tok"
    assert "unset" not in sh(with_token)


def test_fish_escapes_backslash_and_quote() -> None:
    assert "set -gx A 'x\\\\y\\'z'" in fish({"A": "x\\y'z"})


def test_powershell_doubles_quotes_also_the_curly_ones() -> None:
    assert "$Env:A = 'x''y\u2019\u2019z$w'" in powershell({"A": "x'y\u2019z$w"})


def test_dotenv_quotes_only_what_needs_it() -> None:
    lines = dotenv(VARIABLES).splitlines()
    assert "AWS_ENDPOINT_URL=http://127.0.0.1:4580" in lines
    assert 'AWS_SECRET_ACCESS_KEY="a\'b\\"c\\$d`e\\\\f ;g|h*~é"' in lines


def test_terraform_names_every_service_and_expands_nothing() -> None:
    text = terraform({**VARIABLES, "AWS_SECRET_ACCESS_KEY": "x${y}%{z}"})
    assert '"x$${y}%%{z}"' in text
    for service in ("gamelift", "cloudtrail", "sts", "iam", "s3", "sns"):
        assert any(line.split() == [service, "=", '"http://127.0.0.1:4580"'] for line in text.splitlines())


def test_compose_reaches_a_loopback_server_through_the_host_and_doubles_dollars() -> None:
    lines = compose(VARIABLES).splitlines()
    assert '  AWS_ENDPOINT_URL: "http://host.docker.internal:4580"' in lines
    secret = next(line for line in lines if "SECRET" in line)
    assert json.loads(secret.partition(": ")[2]) == NASTY.replace("$", "$$")
    assert "extra_hosts:" not in compose({**VARIABLES, "AWS_ENDPOINT_URL": "http://audit.example:4580"})
