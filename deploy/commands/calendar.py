"""Business hours: arithmetic for anyone, holidays and iCal feeds to approve."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)


@app.callback()
def calendar() -> None:
    """Business hours: arithmetic for anyone, holidays and iCal feeds to approve."""


@app.command()
def evaluate(
    file: Annotated[
        Path, typer.Argument(allow_dash=True, help="Questions, one JSON a line; - is stdin.")
    ] = Path("-"),
) -> None:
    """Add open seconds, or count them between two moments: NDJSON in, NDJSON out (docs/calendar-evaluate.md)."""
    from deploy.commands._ndjson import filter_lines  # noqa: PLC0415 - keeps `--help` fast
    from services.sla.evaluation import (  # noqa: PLC0415
        CalendarQuestion,
        answer_calendar,
        answer_line,
        refused_line,
    )

    filter_lines(
        file,
        lambda raw, index: answer_line(raw, index, CalendarQuestion, answer_calendar),
        lambda index, refusal: refused_line(b"", index, refusal),
    )


_Into = Annotated[
    Path | None,
    typer.Option(help="A calendar document (JSON) to add the entries to; printed with them."),
]
_Approve = Annotated[
    bool,
    typer.Option(
        "--approve-all",
        help="You vouch for every entry. Else each is printed as not approved, and a calendar with such an entry is"
        " refused until you have set it to true or taken it out.",
    ),
]


@app.command()
def holidays(
    place: Annotated[str, typer.Argument(help="Country or region: DE, DE-BE, US-CA.")],
    years: Annotated[list[int], typer.Argument(help="One or more years.")],
    *,
    category: Annotated[
        list[str] | None, typer.Option(help="A set of days: public (default), bank, …; repeatable.")
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="Of the names, such as en_US; else the country's own.")
    ] = None,
    into: _Into = None,
    approve_all: _Approve = False,
) -> None:
    """Print the public holidays of a country or region with their names, for you to approve one by one."""
    from deploy.commands._calendar_documents import (  # noqa: PLC0415 - keeps `--help` fast
        print_document,
        read_document,
    )
    from deploy.local.problems import CannotStart  # noqa: PLC0415
    from shared.calendar.entries import proposal  # noqa: PLC0415
    from shared.calendar.holiday_sets import (  # noqa: PLC0415
        DEFAULT_CATEGORIES,
        UnknownHolidays,
        public_holidays,
    )

    try:
        days = public_holidays(
            place, years, categories=category or DEFAULT_CATEGORIES, language=language
        )
    except UnknownHolidays as error:
        raise CannotStart(str(error)) from None
    document = read_document(into) if into is not None else None
    print_document(proposal(days, into=document, is_approved=approve_all))


@app.command()
def from_ical(
    file: Annotated[
        Path, typer.Argument(allow_dash=True, help="The feed (.ics); - is standard input.")
    ],
    *,
    year: Annotated[
        list[int] | None,
        typer.Option(min=1, max=9998, help="Repeatable; else this year and the next."),
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(help="The calendar's IANA zone; else that of --into or the feed.")
    ] = None,
    into: _Into = None,
    approve_all: _Approve = False,
) -> None:
    """Print a feed's events as holidays and breaks of a calendar, for you to approve one by one."""
    from deploy.commands._calendar_documents import (  # noqa: PLC0415 - keeps `--help` fast
        print_document,
        read_bytes,
        read_document,
    )
    from deploy.local.problems import CannotStart  # noqa: PLC0415
    from shared.calendar.entries import proposal  # noqa: PLC0415
    from shared.calendar.ical import UnreadableFeed, read_feed  # noqa: PLC0415

    this_year = datetime.now(UTC).year
    years = year or [this_year, this_year + 1]
    document = read_document(into) if into is not None else {}
    zone = timezone or document.get("timezone")
    try:
        feed = read_feed(
            read_bytes(file),
            first=date(min(years), 1, 1),
            last=date(max(years), 12, 31),
            timezone=zone,
        )
    except UnreadableFeed as error:
        raise CannotStart(f"{file}: {error}") from None
    if not document:
        found = {"name": feed.name, "timezone": zone or feed.timezone}
        document = {name: value for name, value in found.items() if value is not None}
    wanted = set(years)
    print_document(
        proposal(
            [day for day in feed.days if day.date.year in wanted],
            [part for part in feed.hours if part.date.year in wanted],
            into=document,
            is_approved=approve_all,
        )
    )
