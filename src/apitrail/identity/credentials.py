"""What an access key stands for, and where keys are found."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from apitrail.identity.principal import Principal


@dataclass(frozen=True, slots=True)
class Credential:
    """A key with its secret. token: the session token that must come along, empty for long-term keys.

    expires_at: None for long-term keys. active: False for keys switched off.
    """

    access_key: str
    secret_key: str
    principal: Principal
    token: str = ""
    expires_at: datetime | None = None
    active: bool = True

    def __repr__(self) -> str:
        return f"Credential({self.access_key[:4]}...{self.access_key[-4:]})"


class Credentials(Protocol):
    """A store of keys, answering from memory: it is asked for every request."""

    def find(self, access_key: str) -> Credential | None: ...
