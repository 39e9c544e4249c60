"""`ticketing audit` on a terminal: progress while it checks, one line a service, and the first bad event."""

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import psycopg
from aiokafka.errors import KafkaError
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from deploy.audit.copies import KafkaCopy, compare_query, compare_readings
from deploy.audit.findings import Verdict
from deploy.audit.places import Places
from deploy.audit.source import opened
from deploy.audit.verification import Verification
from deploy.local.problems import CannotStart

_SHOWN_MAX: Final = 20


class _Bars:
    """Shows each part of the check as a bar."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def begin(self, what: str, total: int) -> None:
        self.end()
        self._task = self._progress.add_task(what, total=total)

    def advance(self, count: int) -> None:
        if self._task is not None:
            self._progress.advance(self._task, count)

    def end(self) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None


def verify(
    places: Places,
    services: Sequence[str],
    *,
    from_kafka: bool,
    with_query: str | None,
    witness: Path | None,
    sealing_since: datetime | None = None,
) -> int:
    """Check these services and tell; the exit status: 0 all is as it was sealed, 1 something is not.

    Raises:
        CannotStart: a server does not answer, or the witness's file cannot be read.
    """
    if from_kafka and places.kafka is None:
        raise CannotStart("where is Kafka? give --kafka host:port")
    roots = witnessed_roots(witness) if witness else {}
    seals = witnessed_seals(witness) if witness else {}
    console = Console(highlight=False)
    verdicts: list[Verdict] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    try:
        with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
            bars = _Bars(progress)
            for service in services:
                with opened(service, places.urls[service]) as source:
                    check = Verification(
                        source,
                        places.keys[service],
                        witnessed=roots.get(service),
                        witnessed_seals=seals.get(service),
                        sealing_since=sealing_since,
                        progress=bars,
                    )
                    verdict = check.run()
                    verdicts.append(verdict)
                    if service == "query":
                        compare_readings(source, verdict)
                        continue  # its readings of sensitive tickets are published nowhere
                    if from_kafka and places.kafka is not None:
                        copy = KafkaCopy(
                            source, bootstrap_servers=places.kafka, prefix=places.prefix
                        )
                        count = copy.compare(verdict, bars)
                        verdict.notes.append(f"compared with {count:,} records in Kafka")
                    if with_query is not None:
                        count = compare_query(source, with_query, verdict, bars)
                        verdict.notes.append(f"compared with {count:,} events in query's copy")
                bars.end()
    except psycopg.errors.UndefinedTable as error:
        raise CannotStart(
            f"this database has no sealed log: {error.diag.message_primary}"
        ) from None
    except (psycopg.Error, KafkaError, OSError) as error:
        raise CannotStart(str(error).partition("\n")[0]) from None
    for verdict in verdicts:
        _tell(console, verdict)
    return 0 if all(verdict.is_good for verdict in verdicts) else 1


def witnessed_roots(file: Path) -> dict[str, dict[str, str]]:
    """Service → day → root, from what `ticketing audit roots` printed.

    Raises:
        CannotStart: the file cannot be read, or a line is something else.
    """
    roots: dict[str, dict[str, str]] = {}
    for said in _lines(file):
        if "day" in said:
            roots.setdefault(said["service"], {})[said["day"]] = said["hash"]
    return roots


def witnessed_seals(file: Path) -> dict[str, dict[int, str]]:
    """Service → number → hash of the seals that were the newest when `ticketing audit roots` printed them.

    Raises:
        CannotStart: the file cannot be read, or a line is something else.
    """
    seals: dict[str, dict[int, str]] = {}
    for said in _lines(file):
        if "day" not in said:
            seals.setdefault(said["service"], {})[said["seal_number"]] = said["hash"]
    return seals


def _lines(file: Path) -> list[dict[str, Any]]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        found: list[dict[str, Any]] = [json.loads(line) for line in lines if line.strip()]
        for one in found:
            _ = one["service"], one["hash"], one["day" if "day" in one else "seal_number"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CannotStart(f"{file}: not what `ticketing audit roots` prints ({error})") from None
    return found


def print_roots(answers: Sequence[dict[str, Any]]) -> None:
    """One JSON line a day, and one for each newest seal: to be kept by somebody else."""
    for answer in answers:
        common = {name: answer[name] for name in ("service", "public_key")}
        for day in answer["days"]:
            sys.stdout.write(json.dumps({**common, **day}) + "\n")
        if answer["newest_seal"]:
            sys.stdout.write(json.dumps({**common, **answer["newest_seal"]}) + "\n")


def _tell(console: Console, verdict: Verdict) -> None:
    speed = verdict.events / verdict.seconds if verdict.seconds else 0
    word, style = ("proven", "green") if verdict.is_signed else ("consistent, not proven", "yellow")
    if not verdict.is_good:
        word, style = "NOT AS SEALED", "bold red"
    console.print(
        f"{verdict.service}: [{style}]{word}[/] {verdict.events:,} events of {verdict.streams:,} streams,"
        f" {verdict.seals:,} seals, {verdict.days:,} signed days, {speed:,.0f} events/s",
        soft_wrap=True,
    )
    if verdict.unsealed:
        console.print(f"  {verdict.unsealed:,} events at the end are not sealed yet")
    for note in verdict.notes:
        console.print(f"  {note}", soft_wrap=True)
    if verdict.first is not None:
        console.print(f"  first: {verdict.first}", style="red", markup=False, soft_wrap=True)
        others = [finding for finding in verdict.findings if finding is not verdict.first]
        for finding in others[: _SHOWN_MAX - 1]:
            console.print(f"  then:  {finding}", markup=False, soft_wrap=True)
        if (more := verdict.findings_count - _SHOWN_MAX) > 0:
            console.print(f"  and {more:,} more")
