"""Keys, regions and endpoints from the AWS configuration files, and writing a profile into them.

Only keys that stand in the files are read; role_arn, sso and credential_process are not.
Source: AWS CLI User Guide, configuration and credential file settings.
"""

import configparser
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from apitrail.cli.errors import local_error, usage_error

_NAME = re.compile(r"[A-Za-z0-9_.@+-]{1,128}")


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """An access key as a client uses it. origin: where it was found, for messages."""

    access_key: str
    secret_key: str
    token: str = ""
    origin: str = ""

    def __repr__(self) -> str:
        return f"Keys({masked(self.access_key)})"


@dataclass(frozen=True, slots=True)
class Profile:
    """What one profile says; empty where it says nothing."""

    keys: Keys | None
    region: str = ""
    endpoint_url: str = ""


def masked(access_key: str) -> str:
    """Return a key id for messages: its first and last four characters."""
    return access_key if len(access_key) <= 8 else f"{access_key[:4]}...{access_key[-4:]}"


def credentials_path(environ: Mapping[str, str]) -> Path:
    """Return the AWS credentials file."""
    return Path(environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials").expanduser()


def config_path(environ: Mapping[str, str]) -> Path:
    """Return the AWS config file."""
    return Path(environ.get("AWS_CONFIG_FILE") or "~/.aws/config").expanduser()


def read_ini(path: Path) -> dict[str, dict[str, str]]:
    """Return the sections of an INI file, {} when there is no such file. Raises: CliError."""
    parser = configparser.RawConfigParser(default_section="\0", strict=False)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        raise local_error(str(error).splitlines()[0], code="profile-file", where=str(path)) from error
    return {name: dict(parser.items(name)) for name in parser.sections()}


def keys_of(section: Mapping[str, str], origin: str) -> Keys | None:
    """Return the keys in one section, or None when it has none."""
    access_key, secret_key = section.get("aws_access_key_id", ""), section.get("aws_secret_access_key", "")
    if not access_key or not secret_key:
        return None
    return Keys(access_key, secret_key, section.get("aws_session_token", ""), origin)


def read_profile(name: str, environ: Mapping[str, str]) -> Profile:
    """Return a profile. Raises: CliError when there is none of that name."""
    config, credentials = read_ini(config_path(environ)), read_ini(credentials_path(environ))
    head = name if name == "default" else f"profile {name}"
    found = [sections[title] for sections, title in ((config, head), (credentials, name)) if title in sections]
    if not found:
        raise local_error(
            f"no such profile: {name}",
            code="no-profile",
            where=str(credentials_path(environ)),
            hint="make it with: apitrail env --write-profile NAME",
        )
    section = {key: value for part in found for key, value in part.items()}
    return Profile(keys_of(section, f"profile {name}"), section.get("region", ""), section.get("endpoint_url", ""))


def read_credentials_file(path: Path) -> Keys | None:
    """Return the keys of the default profile of one credentials file, such as the server's own."""
    return keys_of(read_ini(path).get("default", {}), str(path))


def check_name(name: str) -> str:
    """Return a profile's name unchanged. Raises: CliError (usage) when it could break the file."""
    if not _NAME.fullmatch(name):
        raise usage_error(f"not a profile name: {name!r}", hint="use letters, digits and _ . @ + -")
    return name


def profile_text(name: str, values: Mapping[str, str]) -> str:
    """Return one section of an INI file."""
    return "\n".join([f"[{name}]", *(f"{key} = {value}" for key, value in values.items() if value)]) + "\n"


def write_section(path: Path, name: str, values: Mapping[str, str]) -> None:
    """Put a section into an INI file, in place of one of that name; everything else stays as it is. Mode 0600."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    kept = without_section(text, name).rstrip("\n")
    text = (kept + "\n\n" if kept else "") + profile_text(name, values)
    beside = path.with_name(f"{path.name}.apitrail-new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    beside.replace(path.resolve())


def without_section(text: str, name: str) -> str:
    """Return an INI text without the section of a name."""
    kept, inside = [], False
    for line in text.splitlines(keepends=True):
        if line.startswith("["):
            inside = line.strip().strip("[]").strip() == name
        if not inside:
            kept.append(line)
    return "".join(kept)
