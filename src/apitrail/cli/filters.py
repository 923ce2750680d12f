"""Filters of events, the same for `tail` and `lookup`; the look-up asks the server for one of them and keeps to all."""

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

import click

from apitrail.cli.errors import usage_error
from apitrail.cli.records import resource_names, resource_types, service_of, text_of, user_name
from apitrail.cli.spelling import did_you_mean

Event = Mapping[str, Any]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
ANY_ERROR = "*"
ATTRIBUTES = (
    "EventId", "AccessKeyId", "ResourceName", "Username", "EventName", "ResourceType", "EventSource", "ReadOnly",
)  # fmt: skip


_ATTRIBUTE_VALUES: dict[str, Callable[[Event], set[str]]] = {
    "EventId": lambda event: {text_of(event, "eventID")},
    "AccessKeyId": lambda event: {text_of(event, "userIdentity", "accessKeyId")},
    "ResourceName": resource_names,
    "Username": lambda event: {user_name(event)},
    "EventName": lambda event: {text_of(event, "eventName")},
    "ResourceType": resource_types,
    "EventSource": lambda event: {text_of(event, "eventSource")},
    "ReadOnly": lambda event: {"true" if event.get("readOnly") is True else "false"},
}


@dataclass(frozen=True)
class EventFilter:
    """What events to show; everything given must hold, of several values of one kind any.

    services, names, users: exact, or a pattern with `*` and `?`. error: a code, `*` for any error, empty for all events.
    attributes: pairs of LookupEvents. start, end: both inclusive.
    """

    services: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    account: str = ""
    network: Network | None = None
    resource: str = ""
    error: str = ""
    read_only: bool | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    start: datetime | None = None
    end: datetime | None = None

    def matches(self, event: Event, resources: frozenset[str] = frozenset()) -> bool:
        """Return whether an event is wanted. resources: further names that the server found in it."""
        return (
            _any(self.services, service_of(event))
            and _any(self.names, text_of(event, "eventName"))
            and self._user(event)
            and self.account in ("", text_of(event, "userIdentity", "accountId"))
            and self._address(event)
            and self._resource(event, resources)
            and self._error(event)
            and self.read_only in (None, event.get("readOnly") is True)
            and all(value in _ATTRIBUTE_VALUES[name](event) | resources for name, value in self.attributes)
            and self._time(event)
        )

    def lookup_attribute(self) -> dict[str, str] | None:
        """Return the one attribute that the server filters by, the most selective one, or None."""
        asked = {**self._own_attributes(), **dict(self.attributes)}
        found = next((name for name in ATTRIBUTES if name in asked), None)
        return {"AttributeKey": found, "AttributeValue": asked[found]} if found else None

    def _own_attributes(self) -> dict[str, str]:
        asked = {}
        if self.resource:
            asked["ResourceName"] = self.resource
        for name, values, suffix in (
            ("Username", self.users, ""),
            ("EventName", self.names, ""),
            ("EventSource", self.services, ".amazonaws.com"),
        ):
            if len(values) == 1 and not _is_pattern(values[0]) and not values[0].startswith("arn:"):
                asked[name] = values[0] + suffix
        if self.read_only is not None:
            asked["ReadOnly"] = "true" if self.read_only else "false"
        return asked

    def _user(self, event: Event) -> bool:
        arns = (
            text_of(event, "userIdentity", "arn"),
            text_of(event, "userIdentity", "sessionContext", "sessionIssuer", "arn"),
        )
        return _any(self.users, user_name(event), *arns)

    def _address(self, event: Event) -> bool:
        if self.network is None:
            return True
        try:
            return ipaddress.ip_address(text_of(event, "sourceIPAddress")) in self.network
        except ValueError:
            return False

    def _resource(self, event: Event, resources: frozenset[str]) -> bool:
        wanted = self.resource
        return not wanted or wanted in resources or wanted in resource_names(event)

    def _error(self, event: Event) -> bool:
        code = text_of(event, "errorCode")
        return not self.error or (bool(code) if self.error == ANY_ERROR else code == self.error)

    def _time(self, event: Event) -> bool:
        time = text_of(event, "eventTime")
        return (self.start is None or time >= _second(self.start)) and (self.end is None or time <= _second(self.end))


def _second(moment: datetime) -> str:
    """Return a moment as eventTime is written: whole seconds."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _is_pattern(text: str) -> bool:
    return "*" in text or "?" in text


def _any(wanted: Sequence[str], *values: str) -> bool:
    return not wanted or any(fnmatchcase(v, w) if _is_pattern(w) else v == w for w in wanted for v in values)


class AttributeType(click.ParamType[Any]):
    """`Name=value` with a name that LookupEvents knows."""

    name = "K=V"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Return name and value. Raises: CliError (usage) with the nearest spelling."""
        if isinstance(value, tuple):
            return value
        name, sign, text = str(value).partition("=")
        if name not in ATTRIBUTES or not sign or not text:
            hint = did_you_mean(name, ATTRIBUTES) if name not in ATTRIBUTES else "give it a value: NAME=VALUE"
            raise usage_error(f"not a look-up attribute: {value!r}", hint=hint or f"one of {', '.join(ATTRIBUTES)}")
        return name, text


class NetworkType(click.ParamType[Any]):
    """An IP address or network."""

    name = "CIDR"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Network:
        """Return the network; an address alone is a network of one. Raises: CliError (usage)."""
        try:
            return ipaddress.ip_network(value, strict=False)
        except ValueError as error:
            raise usage_error(f"not an address or network: {value!r}", hint="use 192.0.2.7 or 192.0.2.0/24") from error


def _flag_pair() -> click.Option:
    return click.Option(["--read/--write", "read_only"], default=None, help="Only read-only calls, or only the others.")


def filter_options() -> list[click.Parameter]:
    """Return the options that filter events."""
    repeatable = "Repeatable; * and ? are wildcards."
    return [
        click.Option(["--service", "services"], multiple=True, metavar="NAME", help=f"Service, like gamelift. {repeatable}"),
        click.Option(["--name", "names"], multiple=True, metavar="EVENT", help=f"Event name, like CreateFleet. {repeatable}"),
        click.Option(["--user", "users"], multiple=True, metavar="NAME",
                     help=f"User, session name, or ARN of user or role. {repeatable}"),
        click.Option(["--account"], default="", show_default=False, metavar="ID", help="Account of the caller."),
        click.Option(["--ip", "network"], type=NetworkType(), help="Source address or network."),
        click.Option(["--resource"], default="", show_default=False, metavar="NAME", help="Name, id or ARN of a resource."),
        click.Option(["--error"], is_flag=False, flag_value=ANY_ERROR, default="", show_default=False, metavar="[CODE]",
                     help="Only failures; with CODE, only this one."),
        _flag_pair(),
    ]  # fmt: skip


def make_filter(services: tuple[str, ...], attributes: tuple[tuple[str, str], ...] = (), **given: Any) -> EventFilter:
    """Return the filter of a verb's options. services: short names or full event sources."""
    short = tuple(name.removesuffix(".amazonaws.com") for name in services)
    if len({name for name, _ in attributes}) < len(attributes):
        raise usage_error("an attribute was given twice; both cannot hold")
    return EventFilter(services=short, attributes=attributes, **given)
