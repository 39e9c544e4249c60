"""Bring in the history of another desk."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)


@app.callback()
def import_() -> None:
    """Bring in the history of another desk."""


@app.command()
def servicenow(
    file: Annotated[Path, typer.Argument(help="The incident log: .csv, .csv.gz or .csv.xz.")],
    *,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only the first N incidents, each with all its rows.")
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(help="The front door's address; without it that of `.ticketing`."),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="TICKETING_TOKEN",
            help="A token with role service or admin; without it one of the local issuer. Give the same subject again"
            " when you repeat an import: whose command it was is part of knowing it again.",
        ),
    ] = None,
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds to wait at most until it can be read.")
    ] = 900,
) -> None:
    """Send a ServiceNow incident log through the front door. It may be interrupted and repeated at any time."""
    from deploy.imports.console import import_servicenow  # noqa: PLC0415 - keeps `--help` fast

    raise typer.Exit(
        import_servicenow(file, limit=limit, url=url, token=token, wait_seconds_max=wait)
    )
