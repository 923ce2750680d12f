"""Every setting of the product, with its default, unit and meaning; the reference page is made from this module.

Layers, later ones win: the defaults here, /etc/apitrail/apitrail.toml, ./apitrail.toml or the file of --config,
the environment (`APITRAIL_<SECTION>_<KEY>`), the command line.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from apitrail.errors import SettingsError

Port = Annotated[int, Meta(ge=0, le=65535)]
Positive = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(ge=0)]
Count = Annotated[int, Meta(ge=1)]


class Server(Struct, frozen=True, forbid_unknown_fields=True):
    """The door that clients knock at.

    host: address to listen on. port: 0 picks a free one. advertised_host: address that answers name to
    clients, such as game server addresses. body_bytes_max: largest request body outside S3.
    object_bytes_max: largest S3 object or part. staged_from_bytes: S3 bodies above go to a file while they arrive.
    connections_max: callers at a time. shutdown_timeout_s: how long a stop waits for calls and delivery.
    virtual_host_suffixes: host names under which `<bucket>.<suffix>` is a bucket. tls_certificate_file, tls_key_file: serve
    https with them (TLS 1.2 or newer).
    """

    host: str = "127.0.0.1"
    port: Port = 4580
    advertised_host: str = "127.0.0.1"
    body_bytes_max: Count = 8 * 1024 * 1024
    object_bytes_max: Count = 5 * 1024**3
    staged_from_bytes: Count = 1024 * 1024
    connections_max: Count = 1000
    shutdown_timeout_s: Positive = 20.0
    tls_certificate_file: str = ""
    tls_key_file: str = ""
    virtual_host_suffixes: tuple[str, ...] = ("localhost", "s3.localhost", "s3.amazonaws.com")


class Auth(Struct, frozen=True, forbid_unknown_fields=True):
    """How callers are checked.

    mode: `strict`, or `permissive` (default of `dev`): unknown keys act as root of the account that the key
    names, and clock skew is ignored; a known key's signature is checked in both. The first account of an empty store
    is first_account.
    """

    mode: Literal["strict", "permissive"] = "strict"
    first_account: str = "111122223333"


class Capture(Struct, frozen=True, forbid_unknown_fields=True):
    """How calls are recorded.

    mode: `blocking-strict` refuses a call that cannot be recorded; `blocking` lets pass, and counts, operations that
    neither change anything nor hand out credentials; `batch` answers before the commit and counts what it loses.
    wait_max_s: how long a call waits for a journal that cannot be written. show_game_data: write players' and games' free
    text in clear. event_version: `1.11`, or `1.04` for the fields of the older form.
    """

    mode: Literal["blocking-strict", "blocking", "batch"] = "blocking-strict"
    wait_max_s: Positive = 5.0
    show_game_data: bool = False
    event_version: Literal["1.11", "1.04"] = "1.11"


class Journal(Struct, frozen=True, forbid_unknown_fields=True):
    """The event history. retention_days: how long events can be looked up. prune_rows_max: rows removed at a time."""

    retention_days: Count = 90
    prune_rows_max: Count = 5000


class Delivery(Struct, frozen=True, forbid_unknown_fields=True):
    """Log files.

    period_s: a file is sealed at multiples of it. file_bytes_max: a file is sealed earlier when its content, before
    compression, reaches it. retry_max_s: longest pause between tries while a bucket is away.
    gzip: `libdeflate`, or `isal`, which is faster at less compression; `auto` takes isal when delivery is behind.
    s3_endpoint, s3_access_key, s3_secret_key_file, s3_region: an S3-compatible store for the buckets of trails;
    without an endpoint, buckets are folders below the data directory. require_bucket_policy: a trail's bucket must have a
    policy that lets CloudTrail in, as on AWS; without it, a bucket of the trail's own account may do without a policy.
    """

    period_s: Positive = 300.0
    file_bytes_max: Count = 50 * 1024 * 1024
    retry_max_s: Positive = 30.0
    gzip: Literal["auto", "libdeflate", "isal"] = "auto"
    s3_endpoint: str = ""
    s3_access_key: str = ""
    s3_secret_key_file: str = ""
    s3_region: str = "us-east-1"
    require_bucket_policy: bool = False


class Digest(Struct, frozen=True, forbid_unknown_fields=True):
    """Digest files, which prove log files (log file validation).

    period_s: one digest per trail, account and region at this distance. passphrase_file: a file with the passphrase that
    protects the private keys in the data directory's `keys`; without one their file mode does.
    """

    period_s: Count = 3600
    passphrase_file: str = ""


class Insights(Struct, frozen=True, forbid_unknown_fields=True):
    """When calls per minute are unusual, for trails with Insights.

    A minute is unusual above the highest of: average and sigma times the deviation, factor times the average, average and
    step_per_minute; three of five such minutes begin an insight. series_max: kinds of calls that are counted.
    """

    sigma: Positive = 6.0
    factor: Positive = 3.0
    step_per_minute: Positive = 5.0
    series_max: Count = 20_000


class Logs(Struct, frozen=True, forbid_unknown_fields=True):
    """Delivery of trails to CloudWatch Logs.

    endpoint: URL of a service with the API of CloudWatch Logs; empty: trails cannot name a log group. access_key,
    secret_key_file: its key. timeout_s: for one request.
    """

    endpoint: str = ""
    access_key: str = ""
    secret_key_file: str = ""
    timeout_s: Positive = 15.0


class Events(Struct, frozen=True, forbid_unknown_fields=True):
    """Delivery of what trails log to EventBridge.

    endpoint: URL of a service with the API of EventBridge; empty: none. access_key, secret_key_file: its key; the events of
    all accounts go to its default bus. timeout_s: for one request.
    """

    endpoint: str = ""
    access_key: str = ""
    secret_key_file: str = ""
    timeout_s: Positive = 15.0


class Kms(Struct, frozen=True, forbid_unknown_fields=True):
    """Keys for the log files of trails.

    endpoint: URL of a service with the API of KMS; empty: trails cannot name a key. access_key, secret_key_file: its key, which
    must allow kms:DescribeKey. The files are encrypted by the store of delivery.s3_endpoint. timeout_s: for one request.
    """

    endpoint: str = ""
    access_key: str = ""
    secret_key_file: str = ""
    timeout_s: Positive = 15.0


class GameLift(Struct, frozen=True, forbid_unknown_fields=True):
    """How GameLift behaves.

    delay_scale: factor on AWS's slow steps: 0 makes them immediate, 1 takes seconds for what takes AWS minutes.
    Deadlines always run in full. run_processes: start the game servers of builds, see
    hosting; without it nothing is executed, and virtual ones answer at once.
    instances_max: instances per type and location. lenient: give CreateBuild a default operating system.
    game_server_health_s: how long a FleetIQ game server may say nothing of its health before it is deregistered; 0: for ever.
    computes_max: registered computes per Anywhere fleet. sdk_connections_max: game servers connected at a time.
    sdk_tls_port: where they connect by wss, besides ws on the server's own port; 0 takes the port after the server's, or a free
    one when that is taken. sdk_scheme: what RegisterCompute tells them to use.
    """

    delay_scale: Share = 1.0
    run_processes: bool = False
    instances_max: Count = 20
    lenient: bool = False
    computes_max: Count = 1000
    sdk_connections_max: Count = 1000
    sdk_tls_port: Port = 0
    sdk_scheme: Literal["ws", "wss"] = "ws"
    game_server_health_s: Share = 0.0


class Hosting(Struct, frozen=True, forbid_unknown_fields=True):
    """How real game servers of managed fleets run, with `gamelift.run_processes`, which needs a loopback address for the server.

    folder: where builds and instances are; `hosts` in the data directory when it is empty. user: the account that they run as
    when the server is root; it must be able to reach the folder. instances_max, processes_max: on this machine.
    build_bytes_max, build_files_max: of a build, unpacked. install_timeout_s: for its install.sh. terminate_grace_s: how long
    a process may take to end when it is told to; stop_grace_s: when it is told because the server stops. log_bytes_max: of what
    a process prints, and of a session's log. open_files_max, file_bytes_max, memory_bytes_max (0: no limit): for each process.
    tasks_max: processes and threads of user, if there is one (0: no limit).
    """

    folder: str = ""
    user: str = ""
    instances_max: Count = 4
    processes_max: Count = 32
    build_bytes_max: Count = 4 * 1024**3
    build_files_max: Count = 20_000
    install_timeout_s: Positive = 300.0
    terminate_grace_s: Positive = 300.0
    stop_grace_s: Positive = 5.0
    log_bytes_max: Count = 8 * 1024 * 1024
    open_files_max: Count = 1024
    file_bytes_max: Count = 1024**3
    memory_bytes_max: Annotated[int, Meta(ge=0)] = 4 * 1024**3
    tasks_max: Annotated[int, Meta(ge=0)] = 1024


class Sns(Struct, frozen=True, forbid_unknown_fields=True):
    """Notifications by SNS, and the queues of SQS.

    endpoint_url: base of the URLs in messages (confirm, unsubscribe, certificate), when it is not the one that the
    subscriber called. http_timeout_s: for one request to a subscriber. ca_file: certificates that https subscribers
    may be signed by, besides the system's. files_folder: folder below which `file` subscriptions append; empty: none.
    in_flight_max: subscriptions served at a time. waiting_max: messages that wait for one subscription.
    subscriptions_max: per topic. queue_messages_max: per queue. sqs_endpoint, sqs_access_key, sqs_secret_key_file: an
    SQS-compatible service for the queues that are not here.
    """

    endpoint_url: str = ""
    http_timeout_s: Positive = 15.0
    ca_file: str = ""
    files_folder: str = ""
    in_flight_max: Count = 32
    waiting_max: Count = 100_000
    subscriptions_max: Count = 1000
    queue_messages_max: Count = 1_000_000
    sqs_endpoint: str = ""
    sqs_access_key: str = ""
    sqs_secret_key_file: str = ""


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """Limits that AWS has and that a self-hosted server may not want. lookup_per_s: LookupEvents calls, 0 for none."""

    lookup_per_s: Share = 0.0
    trails_per_region: Count = 5


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """All settings. data: the data directory; everything that must last is below it."""

    data: str = ""
    server: Server = field(default_factory=Server)
    auth: Auth = field(default_factory=Auth)
    capture: Capture = field(default_factory=Capture)
    journal: Journal = field(default_factory=Journal)
    delivery: Delivery = field(default_factory=Delivery)
    digest: Digest = field(default_factory=Digest)
    insights: Insights = field(default_factory=Insights)
    logs: Logs = field(default_factory=Logs)
    events: Events = field(default_factory=Events)
    kms: Kms = field(default_factory=Kms)
    gamelift: GameLift = field(default_factory=GameLift)
    hosting: Hosting = field(default_factory=Hosting)
    sns: Sns = field(default_factory=Sns)
    limits: Limits = field(default_factory=Limits)


SYSTEM_FILE = Path("/etc/apitrail/apitrail.toml")
LOCAL_FILE = Path("apitrail.toml")
PREFIX = "APITRAIL_"


def default_data_dir(environ: Mapping[str, str]) -> Path:
    """Return where data goes when nobody says: XDG_DATA_HOME/apitrail or ~/.local/share/apitrail."""
    base = environ.get("XDG_DATA_HOME") or str(Path(environ.get("HOME", ".")) / ".local" / "share")
    return Path(base) / "apitrail"


def load_settings(
    config: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
) -> Settings:
    """Return the settings from all layers.

    overrides: what the command line says, by section and key; the section "" holds top-level keys.
    Raises: SettingsError with file and key.
    """
    environ = os.environ if environ is None else environ
    tree: dict[str, Any] = {}
    for path in _files(config):
        _merge(tree, _checked(_read(path), str(path)))
    _merge(tree, _checked(_from_environment(environ), "environment"))
    for section, values in (overrides or {}).items():
        _merge(tree, dict(values) if section == "" else {section: dict(values)})
    tree.setdefault("data", str(default_data_dir(environ)))
    return _convert(tree, "settings")


def _files(config: Path | None) -> list[Path]:
    if config is not None and not config.is_file():
        raise SettingsError(f"no such file: {config}", where=str(config), hint="check the path given to --config")
    return [path for path in (SYSTEM_FILE, config or LOCAL_FILE) if path.is_file()]


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(str(error), where=str(path)) from error


def _checked(tree: dict[str, Any], where: str) -> dict[str, Any]:
    """Return the tree unchanged when it alone makes valid settings, so that an error names its layer."""
    _convert(tree, where)
    return tree


def _convert(tree: dict[str, Any], where: str) -> Settings:
    try:
        return msgspec.convert(tree, Settings, strict=where.endswith(".toml"))
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at ")
        key = path.strip("`").removeprefix("$.") or "top level"
        raise SettingsError(f"{key}: {message}", where=where, hint="docs/reference/settings.md lists all") from error


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for section in msgspec.structs.fields(Settings):
        if section.name == "data":
            if PREFIX + "DATA" in environ:
                tree["data"] = environ[PREFIX + "DATA"]
            continue
        for key in msgspec.structs.fields(section.type):
            name = f"{PREFIX}{section.name.upper()}_{key.name.upper()}"
            if name in environ:
                text = environ[name]
                value: Any = text.split(",") if str(key.type).startswith("tuple") else text
                tree.setdefault(section.name, {})[key.name] = value
    return tree


def _merge(tree: dict[str, Any], more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, Mapping) and isinstance(tree.get(key), dict):
            _merge(tree[key], value)
        else:
            tree[key] = dict(value) if isinstance(value, Mapping) else value
