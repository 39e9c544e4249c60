"""What would routing decide, and why? Try out settings on scenarios of your own."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)


@app.callback()
def routing() -> None:
    """What would routing decide, and why? Try out settings on scenarios of your own."""


@app.command()
def simulate(
    file: Annotated[
        Path, typer.Argument(allow_dash=True, help="Scenarios, one JSON a line; - is stdin.")
    ] = Path("-"),
) -> None:
    """Play scenarios with the code that decides in the service: NDJSON in, NDJSON out (docs/routing-simulation.md)."""
    import msgspec  # noqa: PLC0415 - keeps `--help` fast

    from deploy.commands._ndjson import filter_lines  # noqa: PLC0415
    from services.routing.api.simulate import answer_line, refused_line  # noqa: PLC0415

    filter_lines(
        file,
        lambda raw, index: msgspec.to_builtins(answer_line(raw, index)),
        lambda index, refusal: msgspec.to_builtins(refused_line(b"", index, refusal)),
    )
