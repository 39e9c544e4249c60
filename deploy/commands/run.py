"""Start the product on this machine: servers, services, a small demo organisation and a gentle load."""

from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def run(
    *,
    demo: Annotated[
        bool, typer.Option(help="Seed a demo organisation and keep a gentle load going.")
    ] = True,
    log_replaced: Annotated[
        bool,
        typer.Option(
            "--log-replaced", help="Kafka's data was lost: publish everything again, read it again."
        ),
    ] = False,
) -> None:
    """Start the product on this machine, until Ctrl-C. Data stays in `.ticketing` (or TICKETING_HOME)."""
    from deploy.local.run import run as run_product  # noqa: PLC0415 - other commands need no servers

    raise typer.Exit(run_product(demo=demo, log_replaced=log_replaced))
