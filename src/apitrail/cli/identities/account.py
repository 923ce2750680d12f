"""`apitrail identity account`: accounts; making one works on the data directory of a stopped server."""

from typing import Any

import click

from apitrail.cli.discovery import running_servers
from apitrail.cli.errors import local_error, usage_error
from apitrail.cli.identities.common import ask, form_option, profile_name_option, show_secret
from apitrail.cli.options import Invocation, pass_invocation
from apitrail.cli.output import emit
from apitrail.cli.query_wire import listed
from apitrail.cli.verbs import Family, load
from apitrail.settings import load_settings


@click.group("account", cls=Family)
def account() -> None:
    """Accounts: each has a root key, users, roles and trails of its own."""


@account.command("create")
@click.option("--account-id", metavar="ID", help="12 digits; made up when not given.")
@click.option("--alias", metavar="NAME", help="Name of the account.")
@form_option
@profile_name_option
@pass_invocation
def account_create(
    invocation: Invocation, account_id: str | None, alias: str | None, form: str, profile_name: str
) -> None:
    """Make an account with a root key in the data directory of a server that is not running."""
    if account_id is not None and not (len(account_id) == 12 and account_id.isascii() and account_id.isdigit()):
        raise usage_error(f"not an account id: {account_id!r}", hint="use 12 digits")
    overrides = {"": {"data": invocation.data}} if invocation.data else {}
    settings = load_settings(invocation.config_path(), invocation.environ, overrides)
    running = [note for note in running_servers(invocation) if note.data == settings.data]
    if running:
        raise local_error(
            f"a server with pid {running[0].pid} uses the data directory",
            code="server-running",
            where=settings.data,
            hint="stop it first; only a stopped server's accounts can be changed",
        )
    made, access_key, secret_key = load("apitrail.run:create_account")(settings, account_id, alias)
    document = {"Account": made, "Alias": alias or "", "AccessKeyId": access_key, "SecretAccessKey": secret_key}
    endpoint = f"http://{settings.server.advertised_host}:{settings.server.port}"
    show_secret(invocation, document, form, profile_name, invocation.region or "us-east-1", endpoint)


@account.command("ls")
@pass_invocation
def account_ls(invocation: Invocation) -> None:
    """List the accounts that the caller's keys belong to, with alias and number of users and roles."""
    emit(invocation, {"Accounts": [_account(invocation)]}, items="Accounts")


@account.command("show")
@pass_invocation
def account_show(invocation: Invocation) -> None:
    """Show the account that the caller's keys belong to."""
    emit(invocation, _account(invocation))


def _account(invocation: Invocation) -> dict[str, Any]:
    caller = ask(invocation, "GetCallerIdentity", {}, "sts")
    aliases = listed(ask(invocation, "ListAccountAliases", {}).get("AccountAliases"))
    figures = ask(invocation, "GetAccountSummary", {}).get("SummaryMap") or {}
    counts = {name: int(figures[name]) for name in ("Users", "Roles", "Policies") if name in figures}
    return {"Account": caller["Account"], "Alias": aliases[0] if aliases else "", **counts}
