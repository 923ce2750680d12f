"""The settings that point AWS clients at the server, in the languages of shells and tools."""

import json
import re
from collections.abc import Callable, Mapping

from apitrail.cli.discovery import Target

_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+=,-]+")
SERVED = ("gamelift", "cloudtrail", "sts", "iam", "s3", "sns")


def client_variables(endpoint: str, access_key: str, secret_key: str, token: str, region: str) -> dict[str, str]:
    """Return the environment that makes AWS clients use a server. token: empty for long-term keys."""
    variables = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": secret_key,
        "AWS_SESSION_TOKEN": token,
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
    }
    return {name: value for name, value in variables.items() if value}


def variables_of(target: Target) -> dict[str, str]:
    """Return the environment for a server that was found."""
    keys = target.keys
    return client_variables(target.endpoint, keys.access_key, keys.secret_key, keys.token, target.region)


def sh(variables: Mapping[str, str]) -> str:
    """Return lines for `eval` in a POSIX shell; a session token of before is taken away."""
    lines = [f"export {name}={_sh_quoted(value)}" for name, value in variables.items()]
    return "\n".join(_without_token(variables, "unset AWS_SESSION_TOKEN") + lines)


def _sh_quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    return "'" + value.replace("'", "'\"'\"'") + "'"


def _without_token(variables: Mapping[str, str], line: str) -> list[str]:
    return [] if "AWS_SESSION_TOKEN" in variables else [line]


def fish(variables: Mapping[str, str]) -> str:
    """Return lines for `| source` in fish."""
    lines = []
    for name, value in variables.items():
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        lines.append(f"set -gx {name} '{escaped}'")
    return "\n".join(_without_token(variables, "set -e AWS_SESSION_TOKEN") + lines)


def powershell(variables: Mapping[str, str]) -> str:
    """Return lines for `| Invoke-Expression` in PowerShell."""
    lines = []
    for name, value in variables.items():
        escaped = re.sub("(['\u2018\u2019\u201a\u201b])", r"\1\1", value)
        lines.append(f"$Env:{name} = '{escaped}'")
    return "\n".join(_without_token(variables, "Remove-Item Env:AWS_SESSION_TOKEN -ErrorAction Ignore") + lines)


def dotenv(variables: Mapping[str, str]) -> str:
    """Return a .env file; values that need no quotes have none, since some readers keep quotes."""
    return "\n".join(f"{name}={_dotenv_value(value)}" for name, value in variables.items())


def _dotenv_value(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("\n", "\\n")
    return f'"{escaped}"'


def terraform(variables: Mapping[str, str]) -> str:
    """Return a provider block with path-style S3."""
    endpoint = _hcl(variables["AWS_ENDPOINT_URL"])
    members = {
        "region": _hcl(variables["AWS_REGION"]),
        "access_key": _hcl(variables["AWS_ACCESS_KEY_ID"]),
        "secret_key": _hcl(variables["AWS_SECRET_ACCESS_KEY"]),
    }
    if token := variables.get("AWS_SESSION_TOKEN"):
        members["token"] = _hcl(token)
    switches = ("s3_use_path_style", "skip_metadata_api_check", "skip_region_validation")
    members |= dict.fromkeys(switches, "true")
    width = max(map(len, members))
    lines = [f"  {name:<{width}} = {value}" for name, value in members.items()]
    endpoints = [f"    {name:<{max(map(len, SERVED))}} = {endpoint}" for name in SERVED]
    return "\n".join(['provider "aws" {', *lines, "", "  endpoints {", *endpoints, "  }", "}"])


def _hcl(value: str) -> str:
    return json.dumps(value).replace("${", "$${").replace("%{", "%%{")


def compose(variables: Mapping[str, str]) -> str:
    """Return an `environment:` block for a compose file; a loopback address becomes that of the container's host."""
    local = re.sub(
        r"//(127\.[\d.]+|localhost|\[::1\])(?=[:/]|$)", "//host.docker.internal", variables["AWS_ENDPOINT_URL"]
    )
    values = {**variables, "AWS_ENDPOINT_URL": local}
    lines = [f"  {name}: {json.dumps(value.replace('$', '$$'))}" for name, value in values.items()]
    if local == variables["AWS_ENDPOINT_URL"]:
        return "\n".join(["environment:", *lines])
    remark = "# the server must listen where containers reach it: apitrail serve --host 0.0.0.0"
    return "\n".join([remark, "environment:", *lines, "extra_hosts:", '  - "host.docker.internal:host-gateway"'])


WRITERS: dict[str, Callable[[Mapping[str, str]], str]] = {
    "sh": sh,
    "fish": fish,
    "powershell": powershell,
    "dotenv": dotenv,
    "terraform": terraform,
    "compose": compose,
}
