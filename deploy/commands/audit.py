"""Prove the event logs: verify every row, print the signed roots for a witness."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)

_Service = Annotated[
    list[str] | None, typer.Option(help="Only this service; may be repeated. Default: all.")
]
_Token = Annotated[str | None, typer.Option(envvar="TICKETING_TOKEN", help="A token of an agent.")]


@app.command()
def verify(
    *,
    service: _Service = None,
    from_kafka: Annotated[
        bool, typer.Option("--from-kafka", help="Also hold Kafka's topics against the logs.")
    ] = False,
    with_query: Annotated[
        bool, typer.Option("--with-query", help="Also hold query's copy against the logs.")
    ] = False,
    witness: Annotated[
        Path | None,
        typer.Option(help="Roots kept elsewhere (`ticketing audit roots`): they must still hold."),
    ] = None,
    public_key: Annotated[
        list[str] | None,
        typer.Option(
            help="Only signatures of these keys count, `sla=…` for sla's log alone, `…@2026-11-01` for nothing later"
            " than that day; default: this installation's."
        ),
    ] = None,
    unsigned: Annotated[
        bool, typer.Option("--unsigned", help="Without keys: hashes only, which proves little.")
    ] = False,
    sealing_since: Annotated[
        datetime | None,
        typer.Option(help="What was recorded before (UTC) may have been sealed late."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            help="One ticket's history (`ticketing audit export`), checked without the database: exit status 0 all is"
            " proven, 1 something is not as it was signed, 3 some is not under a signed day yet."
        ),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            envvar="TICKETING_AUDIT_DATABASE_URL",
            help="PostgreSQL URL of a role that may read all schemas; default: the one of `make run`.",
        ),
    ] = None,
    kafka: Annotated[str | None, typer.Option(help="host:port of Kafka.")] = None,
    topic_prefix: Annotated[str | None, typer.Option(help="Begins the topics' names.")] = None,
) -> None:
    """Check that no event was changed, removed, inserted or moved; exit status 1 and the first bad one if so."""
    from deploy.audit.console import verify as run  # noqa: PLC0415 - keeps `--help` fast
    from deploy.audit.places import places  # noqa: PLC0415
    from deploy.audit.source import TABLES  # noqa: PLC0415
    from deploy.local.problems import CannotStart  # noqa: PLC0415

    if file is not None:
        from deploy.audit.exporting import verify_export  # noqa: PLC0415

        raise typer.Exit(verify_export(file, public_key or ()))
    services = service or list(TABLES)
    for name in services:
        if name not in TABLES:
            raise typer.BadParameter(f"one of {', '.join(TABLES)}", param_hint="--service")
    wanted = sorted({*services, "query"}) if with_query else services
    found = places(
        wanted,
        database=database,
        public_keys=public_key or (),
        kafka=kafka,
        prefix=topic_prefix,
    )
    keyless = [name for name in services if not found.keys[name]]
    if keyless and not unsigned:
        raise CannotStart(
            f"whose signatures count for {', '.join(keyless)}? give --public-key (from `ticketing audit roots`,"
            " kept outside), or --unsigned"
        )
    raise typer.Exit(
        run(
            found,
            services,
            from_kafka=from_kafka,
            with_query=found.urls["query"] if with_query else None,
            witness=witness,
            sealing_since=sealing_since.replace(tzinfo=UTC) if sealing_since else None,
        )
    )


@app.command()
def roots(
    *,
    service: _Service = None,
    since: Annotated[str, typer.Option(help="First day, such as 2026-01-31.")] = "1970-01-01",
    url: Annotated[str | None, typer.Option(help="The front door; default: `make run`'s.")] = None,
    token: _Token = None,
) -> None:
    """Print the signed daily roots, one JSON line each; keep them where this installation cannot reach."""
    import httpx2  # noqa: PLC0415 - keeps `--help` fast

    from deploy.audit.console import print_roots  # noqa: PLC0415
    from deploy.audit.source import TABLES  # noqa: PLC0415
    from deploy.front_door import RequestRefused  # noqa: PLC0415
    from deploy.local.door import open_door  # noqa: PLC0415
    from deploy.local.problems import CannotStart  # noqa: PLC0415
    from shared.security.principal import Role  # noqa: PLC0415

    try:
        with open_door("ticketing-audit", Role.SERVICE, url=url, token=token) as door:
            print_roots(
                [
                    door.call("GET", f"/v1/audit/roots/{name}?since={since}")
                    for name in service or list(TABLES)
                ]
            )
    except RequestRefused as refusal:
        raise CannotStart(str(refusal)) from None
    except httpx2.TransportError as error:
        raise CannotStart(f"the front door does not answer ({error}); is it running?") from None


@app.command()
def export(
    ticket: Annotated[str, typer.Argument(help="Id or number.")],
    *,
    to: Annotated[Path | None, typer.Option(help="A file; default: what is printed.")] = None,
    url: Annotated[str | None, typer.Option(help="The front door; default: `make run`'s.")] = None,
    token: Annotated[
        str | None, typer.Option(envvar="TICKETING_TOKEN", help="A token of a supervisor.")
    ] = None,
) -> None:
    """One ticket's whole history as NDJSON, with the proofs that `verify --file` needs and nothing else."""
    import httpx2  # noqa: PLC0415 - keeps `--help` fast

    from deploy.audit.exporting import export_of  # noqa: PLC0415
    from deploy.front_door import RequestRefused  # noqa: PLC0415
    from deploy.local.door import open_door  # noqa: PLC0415
    from deploy.local.problems import CannotStart  # noqa: PLC0415
    from shared.security.principal import Role  # noqa: PLC0415

    try:
        with open_door("ticketing-audit", Role.SERVICE, url=url, token=token) as door:
            content = export_of(door, ticket)
    except RequestRefused as refusal:
        raise CannotStart(str(refusal)) from None
    except httpx2.TransportError as error:
        raise CannotStart(f"the front door does not answer ({error}); is it running?") from None
    if to is None:
        typer.echo(content, nl=False)
    else:
        to.write_bytes(content)
