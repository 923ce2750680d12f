"""The keys of all accounts, answering from memory: what authentication asks for every request.

A key is read from the store when it is first asked for, with the policies its owner has at that time, and forgotten when
something of its account changes. Policies of a session are those its role or user has now, so a change binds sessions that
exist; a session whose role or user is gone is no credential any more.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol, TypeVar

from apitrail.clock import Clock
from apitrail.identity.credentials import Credential
from apitrail.identity.principal import Principal
from apitrail.ids import Ids
from apitrail.services.context import Context
from apitrail.services.iam.records import READ_ONLY
from apitrail.services.identities import (
    ACCESS_KEYS,
    ACCOUNTS,
    KEY_USES,
    ROLES,
    USERS,
    boundary_of,
    new_access_key,
    policies_of,
    root_principal,
    tags_of,
    user_principal,
)
from apitrail.services.sessions import SESSIONS, credential_of
from apitrail.store.database import Tx
from apitrail.store.resources import Doc

T = TypeVar("T")
CACHED_KEYS = 20_000
FLUSH_S = 30.0
USES_MAX = 10_000
_ACCOUNT = re.compile(r"[0-9]{12}")
_ALIAS = re.compile(r"(?=.{3,63}\Z)[a-z0-9]+(?:-[a-z0-9]+)*")


class Store(Protocol):
    """What is needed of the database: reads that answer on the calling thread at once."""

    def read_now(self, work: Callable[[Tx], T]) -> T: ...

    async def write(self, work: Callable[[Tx], T], *, durable: bool = True) -> T: ...


class StoredCredentials:
    """Finds keys in the store.

    It has to be told of every commit (`committed`), so that a change binds the next request. As a worker it writes down
    every half minute when keys were last used.
    """

    name = "credentials"

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, Credential] = {}
        self._uses: dict[str, tuple[datetime, str, str]] = {}

    def find(self, access_key: str) -> Credential | None:
        """Return what a key stands for now, or None."""
        known = self._known.get(access_key)
        if known is None:
            known = self._store.read_now(lambda tx: load_credential(tx, access_key))
            if known is not None:
                self._remember(known)
        return known

    def committed(self, ctx: Context | None) -> None:
        """Take note of a call that was committed: forget what it may have changed, and when its key was used."""
        if ctx is None or ctx.call is None:
            return
        if ctx.call.service == "iam" and ctx.call.operation.name not in READ_ONLY:
            self.changed(ctx.account)
        if ctx.principal is not None and ctx.principal.access_key and not ctx.principal.invoked_by:
            self._used(ctx.principal.access_key, ctx.now, ctx.call.service, ctx.region)

    def changed(self, account: str) -> None:
        """Forget the keys of an account, since something of it has changed."""
        self._known = {key: known for key, known in self._known.items() if known.principal.account != account}

    async def tick(self) -> float:
        """Write down when keys were last used, and forget sessions that are over."""
        now = self._clock.now()
        self._known = {key: known for key, known in self._known.items() if not _is_over(known, now)}
        uses, self._uses = self._uses, {}
        if uses:
            await self._store.write(lambda tx: _write_uses(tx, uses), durable=False)
        return FLUSH_S

    def _remember(self, credential: Credential) -> None:
        while len(self._known) >= CACHED_KEYS:
            del self._known[next(iter(self._known))]
        self._known[credential.access_key] = credential

    def _used(self, access_key: str, at: datetime, service: str, region: str) -> None:
        if access_key in self._uses or len(self._uses) < USES_MAX:
            self._uses[access_key] = (at, service, region)


def _is_over(credential: Credential, now: datetime) -> bool:
    return credential.expires_at is not None and credential.expires_at <= now


def _write_uses(tx: Tx, uses: dict[str, tuple[datetime, str, str]]) -> None:
    keys, written = ACCESS_KEYS.at(tx), KEY_USES.at(tx)
    for access_key, (at, service, region) in uses.items():
        if keys.has(access_key):
            written.put(access_key, {"LastUsedDate": at, "ServiceName": service, "Region": region})


def load_credential(tx: Tx, access_key: str) -> Credential | None:
    """Return what a key stands for, read from the store, or None."""
    key = ACCESS_KEYS.at(tx).get(access_key)
    if key is not None:
        return _long_term(tx, key)
    session = SESSIONS.at(tx).get(access_key)
    return _temporary(tx, session) if session is not None else None


def _long_term(tx: Tx, key: Doc) -> Credential | None:
    account, name = key["_account"], key.get("UserName")
    if name is None:
        principal = root_principal(tx, account, key["AccessKeyId"])
    else:
        user = USERS.at(tx, account).get(name.lower())
        if user is None or user["UserId"] != key["_user_id"]:
            return None
        principal = user_principal(tx, account, user, key["AccessKeyId"])
    return Credential(key["AccessKeyId"], key["_secret"], principal, active=key["Status"] == "Active")


def _temporary(tx: Tx, session: Doc) -> Credential | None:
    credential = credential_of(session)
    principal = _with_policies(tx, credential.principal)
    return replace(credential, principal=principal) if principal is not None else None


def _with_policies(tx: Tx, principal: Principal) -> Principal | None:
    """Return the principal of a session with the policies of its role or user; None when that is gone.

    Sessions that services make for themselves bring their policies along.
    """
    if principal.policies or principal.kind == "Root":
        return principal
    issuer = principal.session.issuer if principal.session is not None else None
    kind, wanted = (issuer.kind, issuer.principal_id) if issuer is not None else ("IAMUser", principal.principal_id)
    if kind == "Root":
        return principal
    collection, field = (ROLES, "RoleId") if kind == "Role" else (USERS, "UserId")
    found = collection.at(tx, principal.account).find(field, wanted, limit=1)
    if not found:
        return None
    identity: dict[str, Any] = found[0].doc
    return replace(
        principal,
        policies=policies_of(tx, principal.account, identity),
        boundary=boundary_of(tx, principal.account, identity),
        tags=tags_of(identity),
    )


def ensure_account(tx: Tx, ids: Ids, now: datetime, account: str, alias: str = "") -> Credential | None:
    """Make an account with a root key unless it exists; return the key that was made, whose secret is seen this once.

    account: 12 digits. alias: shown as root's userName. Raises: ValueError for a number or alias that cannot be used.
    """
    if not _ACCOUNT.fullmatch(account):
        raise ValueError(f"an account number has 12 digits, not {account!r}")
    accounts = ACCOUNTS.at(tx)
    if accounts.has(account):
        return None
    if alias and not _ALIAS.fullmatch(alias):
        raise ValueError(f"an alias has 3 to 63 lower-case letters, digits and single hyphens, not {alias!r}")
    if alias and accounts.find("Alias", alias, limit=1):
        raise ValueError(f"the alias {alias!r} is taken")
    made_at = now.replace(microsecond=0)
    accounts.put(account, {"Account": account, "CreateDate": made_at} | ({"Alias": alias} if alias else {}))
    key = new_access_key(tx, ids, account, made_at)
    return load_credential(tx, key["AccessKeyId"])
