"""`apitrail identity`: accounts, users, roles, keys, policies and role sessions, through IAM and STS.

A secret is printed once, when it is made.
"""

import click

from apitrail.cli.identities.account import account
from apitrail.cli.identities.key import key
from apitrail.cli.identities.policy import policy
from apitrail.cli.identities.role import role
from apitrail.cli.identities.session import session
from apitrail.cli.identities.user import user
from apitrail.cli.verbs import Family


@click.group("identity", cls=Family)
def identity() -> None:
    """Make and inspect accounts, users, roles, keys and policies."""


for kind in (account, user, role, key, policy, session):
    identity.add_command(kind)
