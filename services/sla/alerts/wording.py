"""What every sink says alike: severities, one-line titles, the facts beside them, links, lengths."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from services.sla.alerts.notice import (
    Action,
    Alert,
    AlertNotice,
    Kind,
    Notice,
    SummaryEndNotice,
    SummaryNotice,
)

SEVERITY: Final[Mapping[str, str]] = {
    "urgent": "critical",
    "high": "error",
    "normal": "warning",
    "low": "info",
}
"""A ticket's priority as PagerDuty and Alertmanager name severities."""

_RANK: Final = ("info", "warning", "error", "critical")
_DONE: Final = {
    Action.TRIGGER: "",
    Action.ACKNOWLEDGE: "taken on: ",
    Action.RESOLVE: "over: ",
}
GROUPS_NAMED_MAX: Final = 5
"""Groups named in a summary's title; the rest is counted."""

LISTED_MAX: Final = 10
"""Alerts listed in a message that people read; the whole list is behind the link."""


def severity(notice: Notice) -> str:
    """`critical`, `error`, `warning` or `info`; a warning is never more than `info`, a summary its worst."""
    match notice:
        case AlertNotice():
            return _severity_of(notice.alert)
        case SummaryNotice():
            found = [_severity_of(alert) for _, alert in notice.first]
            return max(found, key=_RANK.index, default="warning")
        case SummaryEndNotice():
            return "info"


def title(notice: Notice) -> str:
    """One line for people."""
    match notice:
        case AlertNotice():
            return f"{_DONE[notice.action]}{notice.alert.headline}"
        case SummaryNotice():
            return _summary_title(notice)
        case SummaryEndNotice():
            return f"over: all {notice.count} alerts of the summary"


def facts(notice: Notice) -> list[tuple[str, str]]:
    """Names and values beside the title; ids and numbers, never a customer's words."""
    match notice:
        case AlertNotice():
            return _alert_facts(notice)
        case SummaryNotice():
            return [
                ("Begun", str(notice.triggered_count)),
                ("Taken on", str(notice.acknowledged_count)),
                ("Over", str(notice.resolved_count)),
                ("By metric", _counts(notice.counts_by_metric)),
                ("By priority", _counts(notice.counts_by_priority)),
            ]
        case SummaryEndNotice():
            return [("Over", str(notice.count))]


def listed(notice: SummaryNotice) -> list[str]:
    """The most urgent alerts of a summary, one line each, and how many more there are."""
    lines = [f"{_DONE[action]}{alert.headline}" for action, alert in notice.first[:LISTED_MAX]]
    if notice.count > len(lines):
        lines.append(f"… and {notice.count - len(lines)} more")
    return lines


def link(notice: Notice, public_url: str | None) -> str | None:
    """Where to look: the ticket, or the list of a summary's alerts; None without a public address."""
    if public_url is None:
        return None
    door = public_url.rstrip("/")
    match notice:
        case AlertNotice():
            return f"{door}/tickets/{notice.alert.ticket_id}"
        case SummaryNotice():
            return summary_link(notice.delivery_id, door)
        case SummaryEndNotice():
            return summary_link(notice.summary_id, door)


def summary_link(summary_id: UUID, public_url: str) -> str:
    """The alerts that a summary spoke for."""
    return f"{public_url.rstrip('/')}/v1/oncall/alerts?summary_id={summary_id}"


def summary_key(summary_id: UUID) -> str:
    """What receivers with state know a summary by."""
    return f"sla:summary:{summary_id}"


def dedupe_key(notice: Notice) -> str:
    """What receivers with state know the thing by, the same from its beginning to its end."""
    match notice:
        case AlertNotice():
            return notice.alert.dedupe_key
        case SummaryNotice():
            return summary_key(notice.delivery_id)
        case SummaryEndNotice():
            return summary_key(notice.summary_id)


def cut(text: str, length_max: int) -> str:
    """`text`, or as much of it as `length_max` characters hold, the last one an ellipsis."""
    return text if len(text) <= length_max else f"{text[: length_max - 1]}…"


def _severity_of(alert: Alert) -> str:
    return SEVERITY.get(alert.priority, "warning") if alert.kind is Kind.BREACH else "info"


def _summary_title(notice: SummaryNotice) -> str:
    parts = [
        f"{count} {what}"
        for count, what in (
            (notice.triggered_count, "more breaches"),
            (notice.acknowledged_count, "taken on"),
            (notice.resolved_count, "over"),
        )
        if count
    ]
    groups = sorted(notice.counts_by_group.items(), key=lambda each: (-each[1], each[0]))
    if len(groups) == 1:
        where = f"in group {groups[0][0]}" if groups[0][0] else "without a group"
    else:
        named = ", ".join(
            f"{name or 'no group'} {count}" for name, count in groups[:GROUPS_NAMED_MAX]
        )
        rest = len(groups) - GROUPS_NAMED_MAX
        where = f"in {len(groups)} groups: {named}{f' and {rest} more' if rest > 0 else ''}"
    return f"{', '.join(parts)} {where}"


def _alert_facts(notice: AlertNotice) -> list[tuple[str, str]]:
    alert = notice.alert
    found: list[tuple[str, str | None]] = [
        ("Ticket", f"#{alert.number}" if alert.number is not None else str(alert.ticket_id)),
        ("Metric", f"{alert.metric.replace('_', ' ')}, cycle {alert.cycle}"),
        ("Priority", alert.priority),
        ("Due", alert.due_at.isoformat()),
        ("Group", alert.group_id),
        ("Agent", alert.agent_id),
        ("For", ", ".join(alert.targets)),
        ("Step", alert.step),
        ("Policy", f"{alert.policy_id}, version {alert.policy_version}"),
        ("Taken on by", alert.acknowledged_by),
        ("Ended by", alert.resolution if notice.action is Action.RESOLVE else None),
    ]
    return [(name, value) for name, value in found if value]


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in sorted(counts.items()))
