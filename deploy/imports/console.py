"""`ticketing import servicenow` on a terminal: progress while it runs, a summary and a list of refusals at the end."""

import asyncio
import csv
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from deploy.imports.access import address, bearer, imports_folder, open_door
from deploy.imports.bars import Bars
from deploy.imports.commands import History
from deploy.imports.door import DoorIsClosed, DoorRefused
from deploy.imports.journal import Journal
from deploy.imports.run import Result, run_import
from deploy.imports.sender import RefusedLine
from deploy.imports.servicenow import history
from deploy.imports.servicenow_file import Log, RefusedRow, UnusableFile, first, read_log
from deploy.local.problems import CannotStart, disk_errors_in_words
from shared.security.principal import Role
from shared.spreadsheets import harmless

SUBJECT: Final = "servicenow-import"
"""Who imports. A command is known again by its key and its sender, so this never changes."""

_SHOWN_MAX: Final = 10
_INTERRUPTED: Final = 130
"""What a shell reports for Ctrl-C."""


def import_servicenow(
    file: Path, *, limit: int | None, url: str | None, token: str | None, wait_seconds_max: float
) -> int:
    """Import the file and tell what came of it.

    Returns:
        The exit status: 0 when everything arrived and nothing was refused but rows known as senseless.

    Raises:
        CannotStart: file, address, token or product cannot be used; the message says what to do.
    """
    console = Console(highlight=False)
    door_url = address(url)
    bearer_token = bearer(token, subject=SUBJECT, role=Role.SERVICE)
    with console.status(f"reading {file}"):
        log, histories = _read(file, limit)
    name = blake2b(door_url.encode(), digest_size=8).hexdigest()
    try:
        with disk_errors_in_words(imports_folder()):
            result = _send(
                console,
                door_url,
                bearer_token,
                histories,
                f"servicenow-{name}.journal",
                wait_seconds_max,
            )
    except DoorRefused as error:
        raise CannotStart(str(error)) from None
    except DoorIsClosed as error:
        raise CannotStart(
            f"{str(error).rstrip('.')}. What was sent stays; run the same command again to go on"
        ) from None
    except KeyboardInterrupt:
        console.print("interrupted; what was sent stays, the same command goes on")
        return _INTERRUPTED
    return _tell(console, log, histories, result)


def _read(file: Path, limit: int | None) -> tuple[Log, list[History]]:
    try:
        log = read_log(file)
    except UnusableFile as error:
        raise CannotStart(str(error)) from None
    return log, [history(number, rows) for number, rows in first(log, limit)]


def _send(
    console: Console,
    url: str,
    token: str,
    histories: Sequence[History],
    journal_name: str,
    wait_seconds_max: float,
) -> Result:
    async def work() -> Result:
        with Journal(imports_folder() / journal_name) as journal, Bars(console, histories) as bars:
            if len(journal):
                bars.note("going on with an interrupted import")
            async with open_door(url, token) as door:
                return await run_import(
                    door, histories, journal, bars, wait_seconds_max=wait_seconds_max
                )

    return asyncio.run(work())


def _tell(console: Console, log: Log, histories: Sequence[History], result: Result) -> int:
    sent = result.sent
    table = Table("service", "sent", "accepted", "replayed", "skipped", "refused", box=None)
    # Routing does not say which lines it had done before; it counts them as accepted.
    for name, count in (("intake", sent.intake), ("routing", sent.routing)):
        numbers = (count.sent, count.accepted, count.replayed, count.skipped, len(count.refused))
        table.add_row(name, *(f"{number:,}" for number in numbers))
    console.print(table)
    console.print(
        f"{len(histories):,} incidents of {log.row_count:,} rows; {result.retry_count} requests tried again",
    )
    unreadable = [row for row in log.refused if not row.is_senseless]
    if log.refused or sent.refused:
        path = imports_folder() / "servicenow-refused.csv"
        _write_refused(path, log.refused, sent.refused)
        console.print(
            f"refused: {len(log.refused) - len(unreadable)} rows known as senseless, {len(unreadable)} unreadable rows,"
            f" {len(sent.refused)} commands; listed in {path}",
            soft_wrap=True,
        )
        for row in log.refused[:_SHOWN_MAX]:
            console.print(
                f"  line {row.line} {row.number}: {row.column} {row.value!r} {row.reason}",
                markup=False,
            )
        for line in sent.refused[:_SHOWN_MAX]:
            console.print(f"  {line.key}: {line.status} {line.reason}", markup=False)
    if not result.has_arrived:
        console.print(
            "[red]query has not caught up in time[/]; `ticketing report` says how far it is"
        )
    is_clean = not unreadable and not sent.refused
    return 0 if is_clean and result.has_arrived else 1


def _write_refused(path: Path, rows: Sequence[RefusedRow], lines: Sequence[RefusedLine]) -> None:
    """One list for both kinds: rows that were never sent, and commands that a service would not do."""
    with disk_errors_in_words(path), path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("line", "incident", "column_or_key", "value_or_status", "reason"))
        for row in rows:
            # What stands in the file was written by anybody, and this list is opened in a spreadsheet.
            said = (row.number, row.column, row.value, row.reason)
            writer.writerow((row.line, *(harmless(str(text)) for text in said)))
        for line in lines:
            number = line.key.split(":")[1]
            writer.writerow(
                ("", harmless(number), harmless(line.key), line.status, harmless(line.reason))
            )
