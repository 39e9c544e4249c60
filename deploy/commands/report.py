"""Print what became of the tickets: volume, reopening, handovers, durations, promises kept."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.local.problems import CannotStart

app = typer.Typer()


@app.command()
def report(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False,
    channel: Annotated[
        str | None, typer.Option(help="Only tickets of this channel, such as import.")
    ] = None,
    compare: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A ServiceNow log that was imported: compare its `made_sla` ticket by ticket.",
        ),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(help="The front door's address; without it that of `.ticketing`."),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(envvar="TICKETING_TOKEN", help="A token; without it one of the local issuer."),
    ] = None,
    sql: Annotated[
        str | None,
        typer.Option(
            metavar="SELECT…", help="Ask a lake of `ticketing export` instead (DuckDB's SQL)."
        ),
    ] = None,
    lake: Annotated[
        str, typer.Option(metavar="DIR|s3://…", help="With --sql: where the lake is.")
    ] = "lake",
    as_csv: Annotated[bool, typer.Option("--csv", help="With --sql: the answer as CSV.")] = False,
) -> None:
    """Print what became of the tickets, each figure with its meaning, and how fresh it is."""
    if sql is not None:
        from deploy.lake.console import Output, print_answer  # noqa: PLC0415 - keeps `--help` fast

        output = Output.JSON if as_json else Output.CSV if as_csv else Output.TABLE
        print_answer(sql, lake, output)
        return
    if as_csv:
        raise CannotStart("--csv needs --sql; the report itself prints a table or --json")
    from deploy.imports.report import print_report  # noqa: PLC0415 - keeps `--help` fast

    raise typer.Exit(
        print_report(as_json=as_json, channel=channel, compare=compare, url=url, token=token)
    )
