"""`ticketing report` on a terminal: the figures of query's report as a table, or as JSON."""

import asyncio
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from rich.console import Console
from rich.table import Table

from deploy.imports.access import address, bearer, open_door
from deploy.imports.door import DoorIsClosed
from deploy.imports.servicenow_file import Log, UnusableFile, read_log
from deploy.imports.verdicts import Agreement, agreements, fetch_ours, verdicts_of
from deploy.local.problems import CannotStart
from shared.security.principal import Role

_SUBJECT: Final = "report"
_HOUR_SECONDS: Final = 3600

_PATIENCE_SECONDS: Final = 10.0
"""Somebody waits at the terminal; a service that restarts needs a few seconds."""


def print_report(
    *,
    as_json: bool,
    channel: str | None,
    compare: Path | None,
    url: str | None,
    token: str | None,
) -> int:
    """Fetch the report and print it; returns the exit status, always 0.

    Raises:
        CannotStart: file, address, token or product cannot be used; the message says what to do.
    """
    door_url = address(url)
    bearer_token = bearer(token, subject=_SUBJECT, role=Role.AGENT)
    log = None if compare is None else _read(compare)
    try:
        report, found = asyncio.run(_fetch(door_url, bearer_token, channel, log))
    except DoorIsClosed as error:
        raise CannotStart(str(error)) from None
    if as_json:
        comparison = [{**msgspec.structs.asdict(one), "share": one.share} for one in found]
        content = report if log is None else {**report, "comparison": comparison}
        sys.stdout.write(json.dumps(content, indent=2) + "\n")
    else:
        _print(Console(highlight=False), report, found)
    return 0


async def _fetch(
    url: str, token: str, channel: str | None, log: Log | None
) -> tuple[dict[str, Any], list[Agreement]]:
    async with open_door(url, token, patience_seconds=_PATIENCE_SECONDS) as door:
        query = f"?{urlencode({'channel': channel})}" if channel else ""
        report: dict[str, Any] = await door.ask("GET", f"/v1/report{query}")
        if log is None:
            return report, []
        return report, agreements(verdicts_of(log), await fetch_ours(door))


def _read(file: Path) -> Log:
    try:
        return read_log(file)
    except UnusableFile as error:
        raise CannotStart(str(error)) from None


def _print(console: Console, report: dict[str, Any], found: list[Agreement]) -> None:
    console.print(_figures(report["tickets"], report["definitions"]))
    if report["attainment"]["by_metric_and_priority"]:
        console.print(_promises(report))
    if found:
        console.print(_comparison(found))
    console.print(_freshness(report["as_of"]))


def _figures(tickets: dict[str, Any], meanings: dict[str, str]) -> Table:
    table = Table("figure", "value", "meaning", title="Tickets", title_justify="left")
    table.columns[1].justify = "right"
    table.columns[1].no_wrap = True
    rows = (
        ("tickets", f"{tickets['tickets']:,}", "tickets"),
        ("reopened", _counted(tickets, "reopened"), "reopened"),
        ("handed to another group", _counted(tickets, "handed_over"), "handed_over"),
        ("handovers, mean", _number(tickets["group_handoffs_mean"], 3), "group_handoffs"),
        ("handovers, most", _number(tickets["group_handoffs_max"], 0), "group_handoffs"),
        (
            "opened → closed, median",
            f"{_hours(tickets['opened_to_closed_median_seconds'])} over {tickets['closed']:,}",
            "opened_to_closed",
        ),
        (
            "opened → resolved, median",
            f"{_hours(tickets['opened_to_resolved_median_seconds'])} over {tickets['resolved']:,}",
            "opened_to_resolved",
        ),
        (
            "first reply, median",
            f"{_hours(tickets['first_reply_median_seconds'])} over {tickets['replied']:,}",
            "first_reply",
        ),
    )
    for name, value, meaning in rows:
        table.add_row(name, value, meanings.get(meaning, ""))
    return table


def _promises(report: dict[str, Any]) -> Table:
    table = Table(
        "clock", "priority", "decided", "kept", "broken", "share kept",
        title="Promises", title_justify="left", caption=report["definitions"].get("attainment"),
        caption_justify="left",
    )  # fmt: skip
    for row in report["attainment"]["by_metric_and_priority"]:
        counts = (f"{row[name]:,}" for name in ("decided", "attained", "breached"))
        table.add_row(row["metric"], row["priority"], *counts, _percent(row["attained_share"]))
    return table


def _comparison(found: list[Agreement]) -> Table:
    table = Table(
        "priority", "compared", "agree", "share", "only we: broken", "only the file: broken", "undecided", "missing",
        title="Promise kept? Our clock and the file's made_sla", title_justify="left",
        caption="By the last priority. Undecided ones do not agree; missing: not in query.", caption_justify="left",
    )  # fmt: skip
    for one in found:
        counts = (one.only_ours_broken, one.only_theirs_broken, one.undecided, one.missing)
        table.add_row(
            one.priority,
            f"{one.compared:,}",
            f"{one.agreeing:,}",
            _percent(one.share),
            *(f"{count:,}" for count in counts),
        )
    return table


def _freshness(as_of: str | None) -> str:
    if as_of is None:
        return "How fresh this is, is not known: query could not ask Kafka yet."
    moment = datetime.fromisoformat(as_of)
    age = max((datetime.now(moment.tzinfo) - moment).total_seconds(), 0.0)
    return f"As of {moment:%Y-%m-%d %H:%M:%S %Z}, {age:,.0f} s ago."


def _counted(tickets: dict[str, Any], name: str) -> str:
    return f"{tickets[name]:,} ({_percent(tickets[f'{name}_share'])})"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.2%}"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _hours(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds / _HOUR_SECONDS:,.2f} h"
