"""Projections of the reading side: list, build anew beside the live ones, drop what was replaced."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)

_Database = Annotated[
    str | None,
    typer.Option(
        envvar="TICKETING_DATABASE_URL",
        help="PostgreSQL URL of query's role; default: the one of `make run`.",
    ),
]
_Kafka = Annotated[
    str | None,
    typer.Option(envvar="TICKETING_KAFKA_BOOTSTRAP_SERVERS", help="host:port of Kafka."),
]
_Prefix = Annotated[
    str | None,
    typer.Option(envvar="TICKETING_TOPIC_PREFIX", help="Begins the topics' names."),
]
_Name = Annotated[str, typer.Argument(help="A group of tables, as `list` names them.")]


@app.command("list")
def list_groups(database: _Database = None) -> None:
    """The groups of tables, their generations and sizes."""
    from deploy.projections.console import print_list  # noqa: PLC0415 - keeps `--help` fast

    print_list(database)


@app.command()
def status(database: _Database = None) -> None:
    """How far a generation is that is being built; exit status 1 when none is."""
    from deploy.projections.console import print_status  # noqa: PLC0415

    raise typer.Exit(print_status(database))


@app.command()
def rebuild(
    name: _Name,
    *,
    accept_differences: Annotated[
        bool,
        typer.Option(help="Switch also when rows or figures differ: the live ones were wrong."),
    ] = False,
    database: _Database = None,
    kafka: _Kafka = None,
    topic_prefix: _Prefix = None,
) -> None:
    """Build the tables anew from the first event, beside the live ones; check, switch, keep the old.

    Killed, it goes on where it was when it is called again.
    """
    from deploy.projections.console import run_rebuild  # noqa: PLC0415

    raise typer.Exit(
        run_rebuild(
            name,
            accept_differences=accept_differences,
            database=database,
            kafka=kafka,
            prefix=topic_prefix,
        )
    )


@app.command("drop-old")
def drop_old(name: _Name, database: _Database = None) -> None:
    """Drop the tables that the last switch has replaced."""
    from deploy.projections.console import run_drop_old  # noqa: PLC0415

    run_drop_old(name, database)
