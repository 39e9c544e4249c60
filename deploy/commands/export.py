"""Write what schema `bi` says as a lake of Parquet files, and bring it up to date."""

from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def export(
    to: Annotated[
        str, typer.Option(metavar="DIR|s3://…", help="Where the lake is or is to be made.")
    ],
    *,
    entities: Annotated[
        str | None,
        typer.Option(help="Only these, separated by commas; the others stay as they are."),
    ] = None,
    since_last: Annotated[
        bool,
        typer.Option(
            "--since-last/--anew",
            help="Read only what changed since the last run, or everything again.",
        ),
    ] = True,
    iceberg: Annotated[
        bool,
        typer.Option(help="Also keep an Apache Iceberg catalogue of it (extra `iceberg`)."),
    ] = False,
    database: Annotated[
        str | None,
        typer.Option(
            envvar="TICKETING_BI_DATABASE_URL",
            help="The database as role bi_reader; without it that of `.ticketing`.",
        ),
    ] = None,
) -> None:
    """Write the lake: exact as of one moment, committed at once, resumable."""
    from deploy.lake.console import run_export  # noqa: PLC0415 - keeps `--help` fast

    names = [name for name in (entities or "").split(",") if name]
    run_export(to, names, since_last=since_last, iceberg=iceberg, database=database)
