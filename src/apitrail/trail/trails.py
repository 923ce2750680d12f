"""Trails as documents, and the spans of the journal in which they were logging.

A trail's document is the Trail structure of the API with private extras: `_Logging`, `_StartedAt`, `_StoppedAt`,
`_EventSelectors`, `_AdvancedEventSelectors`, `_InsightSelectors`; those of an organization's trail also `_Organization` (id) and
`_Accounts`. A span says from which event to which a trail was logging and by which selectors, so that what belongs into a log
file can be worked out again at any time, with the same result.
"""

from dataclasses import dataclass
from typing import Any

from apitrail.store import journal
from apitrail.store.database import Row, Tx
from apitrail.store.resources import Collection, Doc, decode_doc, encode_doc

TRAILS = Collection("cloudtrail/trail")
LEADER_REGION = "us-east-1"
EVENTS_FOLLOWER = "eventbridge"


@dataclass(frozen=True, slots=True)
class Span:
    """first: the first event's seq; last: the last one's, None while the span is open.

    region: the only region whose events are wanted, or empty for all. global_events: are events of global services wanted.
    basic, advanced: the selectors as put, None for the default. bucket, prefix: where its log files go.
    accounts: whose events are wanted. organization: the id that stands in the keys of an organization's trail, or empty.
    insights: (type, category) of the Insights that are on. log_group: ARN of the one in CloudWatch Logs, or empty.
    kms_key: ARN of the key that log files are put with, or empty.
    """

    trail: str
    accounts: frozenset[str]
    first: int
    last: int | None
    region: str
    bucket: str
    prefix: str
    global_events: bool
    basic: list[dict[str, Any]] | None
    advanced: list[dict[str, Any]] | None
    recursive: bool = False
    organization: str = ""
    insights: tuple[tuple[str, str], ...] = ()
    log_group: str = ""
    kms_key: str = ""

    def covers(self, seq: int) -> bool:
        """Return whether an event of this number is inside the span."""
        return self.first <= seq and (self.last is None or seq <= self.last)


def follower_name(trail_arn: str) -> str:
    """Return the name of a trail's cursor in the journal."""
    return f"trail/{trail_arn}"


def logs_follower(trail_arn: str) -> str:
    """Return the name of the cursor of a trail's log group."""
    return f"logs/{trail_arn}"


def open_span(tx: Tx, trail: Doc, account: str, from_seq: int) -> None:
    """Let a trail log from an event on, by its present settings. account: the one that it belongs to."""
    config = {
        "accounts": trail.get("_Accounts") or [account],
        "organization": trail.get("_Organization", ""),
        "region": "" if trail.get("IsMultiRegionTrail") else trail["HomeRegion"],
        "bucket": trail["S3BucketName"],
        "prefix": trail.get("S3KeyPrefix", ""),
        "global": bool(trail.get("IncludeGlobalServiceEvents", True)),
        "basic": trail.get("_EventSelectors"),
        "advanced": trail.get("_AdvancedEventSelectors"),
        "recursive": bool(trail.get("RecursiveLogging")),
        "insights": insight_types(trail),
        "log_group": trail.get("CloudWatchLogsLogGroupArn", ""),
        "kms_key": trail.get("KmsKeyId", ""),
    }
    if not spans_of(tx, trail["TrailARN"]):
        journal.move_cursor(tx, follower_name(trail["TrailARN"]), from_seq - 1)
    if config["log_group"] and not journal.cursor(tx, logs_follower(trail["TrailARN"])):
        journal.move_cursor(tx, logs_follower(trail["TrailARN"]), from_seq - 1)
    tx.insert(
        "INSERT INTO trail_spans (trail, from_seq, config) VALUES (?, ?, ?)",
        (trail["TrailARN"], from_seq, encode_doc(config)),
    )


def insight_types(trail: Doc) -> list[tuple[str, str]]:
    """Return (type, category) of a trail's insight selectors."""
    return [
        (selector["InsightType"], category)
        for selector in trail.get("_InsightSelectors") or ()
        for category in selector["EventCategories"]
    ]


def close_span(tx: Tx, trail_arn: str, last_seq: int) -> None:
    """Let a trail's logging end with an event."""
    tx.run("UPDATE trail_spans SET to_seq = ? WHERE trail = ? AND to_seq IS NULL", (last_seq, trail_arn))


def renew_span(tx: Tx, trail: Doc, account: str, from_seq: int) -> None:
    """Apply changed settings of a logging trail from an event on."""
    close_span(tx, trail["TrailARN"], from_seq - 1)
    open_span(tx, trail, account, from_seq)


def spans_of(tx: Tx, trail_arn: str | None = None) -> list[Span]:
    """Return the spans of one trail, or of all, oldest first."""
    where, params = ("WHERE trail = ?", (trail_arn,)) if trail_arn else ("", ())
    rows = tx.all(f"SELECT trail, from_seq, to_seq, config FROM trail_spans {where} ORDER BY trail, from_seq", params)
    return [_span(*row) for row in rows]


def key_at(tx: Tx, trail_arn: str, seq: int) -> str:
    """Return the key of KMS that a trail's log file with this event last is put with, empty for none."""
    spans = [span for span in spans_of(tx, trail_arn) if span.first <= seq]
    return spans[-1].kms_key if spans else ""


def spans_version(tx: Tx) -> list[Row]:
    """Return what differs whenever a span was added, changed or dropped: all rows as they are stored, which costs little."""
    return tx.all("SELECT trail, from_seq, to_seq, config FROM trail_spans ORDER BY trail, from_seq")


def drop_spans(tx: Tx, trail_arn: str, before_seq: int) -> None:
    """Forget spans that end before an event."""
    tx.run("DELETE FROM trail_spans WHERE trail = ? AND to_seq < ?", (trail_arn, before_seq))


def find_trail(tx: Tx, trail_arn: str) -> Doc | None:
    """Return a trail's document by its ARN."""
    parts = trail_arn.split(":")
    return TRAILS.at(tx, parts[4], parts[3]).get(parts[5].removeprefix("trail/"))


def _span(trail: str, first: int, last: int | None, config: bytes) -> Span:
    values = decode_doc(config)
    return Span(
        trail=trail,
        accounts=frozenset(values["accounts"]),
        first=first,
        last=last,
        region=values["region"],
        bucket=values["bucket"],
        prefix=values["prefix"],
        global_events=values["global"],
        basic=values["basic"],
        advanced=values["advanced"],
        recursive=values["recursive"],
        organization=values["organization"],
        insights=tuple((kind, category) for kind, category in values.get("insights", ())),
        log_group=values.get("log_group", ""),
        kms_key=values.get("kms_key", ""),
    )
