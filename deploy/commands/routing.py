"""What would routing decide, and why? Try out settings on scenarios of your own, and rules on the past."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)


@app.callback()
def routing() -> None:
    """What would routing decide, and why? Try out settings on scenarios of your own, and rules on the past."""


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


@app.command()
def backtest(
    *,
    rules: Annotated[Path, typer.Option(metavar="FILE", help="Rules on trial, YAML or JSON.")],
    days: Annotated[int, typer.Option(min=1, max=366, help="How far back.")] = 30,
    history: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Replay this, saved before; fetch nothing.")
    ] = None,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep what is fetched, to replay it again.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    url: Annotated[
        str | None,
        typer.Option(help="The front door's address; without it that of `.ticketing`."),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(envvar="TICKETING_TOKEN", help="A token; without it one of the local issuer."),
    ] = None,
) -> None:
    """Replay the last days under other rules with the code that decides; computed here, not in the service."""
    from deploy.rules.backtesting import run  # noqa: PLC0415 - keeps `--help` fast
    from deploy.rules.files import RuleFile  # noqa: PLC0415

    file = RuleFile.read(rules)
    run(file, days=days, history=history, save=save, as_json=as_json, url=url, token=token)
