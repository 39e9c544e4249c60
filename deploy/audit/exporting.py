"""`ticketing audit export` and `verify --file`: one ticket's history, and what proves it, in one file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

from rich.console import Console

from deploy.audit.exported import FileVerdict, verify_file
from deploy.audit.places import trusted_keys
from deploy.audit.source import TABLES
from deploy.front_door import FrontDoor
from deploy.local.problems import CannotStart

_SHOWN_MAX: Final = 20


def export_of(door: FrontDoor, ticket: str) -> bytes:
    """The file's lines: the events, then what each service says to prove them.

    Raises:
        RequestRefused: there is no such ticket, or the token's role is not enough.
        httpx2.TransportError: nobody answered.
    """
    return door.fetch(f"/v1/audit/tickets/{quote(ticket)}?format=ndjson&proof=true")


def verify_export(file: Path, public_keys: Sequence[str]) -> int:
    """Check a file and tell; the exit status.

    Raises:
        CannotStart: the file cannot be read, or nobody says whose signatures count.
    """
    keys = trusted_keys(public_keys)
    if not any(keys.values()):
        raise CannotStart("whose signatures count? give --public-key SERVICE=KEY")
    try:
        verdict = verify_file(file, keys)
    except OSError as error:
        raise CannotStart(f"{file}: {error.strerror}") from None
    _tell(Console(highlight=False), verdict)
    return verdict.status


def _tell(console: Console, verdict: FileVerdict) -> None:
    for service in TABLES:
        proven, unproven = verdict.proven.get(service, 0), verdict.unproven.get(service, 0)
        if proven:
            console.print(
                f"{service}: {proven:,} events [green]proven[/], under the signed day {verdict.days[service]}",
                soft_wrap=True,
            )
        if unproven:
            console.print(
                f"{service}: {unproven:,} events [yellow]not under a signed day yet[/]",
                soft_wrap=True,
            )
    for place, (line, what) in enumerate(verdict.findings[:_SHOWN_MAX]):
        words = "first: " if place == 0 else "then:  "
        console.print(f"  {words}line {line}: {what}", markup=False, soft_wrap=True)
    if (more := len(verdict.findings) - _SHOWN_MAX) > 0:
        console.print(f"  and {more:,} more")
    if verdict.findings:
        console.print("[bold red]NOT AS SIGNED[/]")
