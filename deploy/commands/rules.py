"""Routing rules as files: apply, show, export, history, try out."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.commands._rule_files import AsJson, File, Token, Url, add_file_commands

app = typer.Typer(no_args_is_help=True)


@app.callback()
def rules() -> None:
    """Routing rules as files (docs/routing.md)."""


add_file_commands(app, "ROUTING", shown_by="deploy.rules.console")


@app.command(name="try")
def try_(
    file: File,
    *,
    sample: Annotated[
        Path | None, typer.Option(metavar="TICKETS", help="Tickets, one JSON object a line.")
    ] = None,
    days: Annotated[
        int | None, typer.Option(min=1, max=366, help="Tickets that came in the last days.")
    ] = None,
    limit: Annotated[
        int, typer.Option(min=0, max=2000, help="With --days: changed tickets to print.")
    ] = 20,
    as_json: AsJson = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """What would these rules do? For each ticket the rule that takes it, and what changes. Nothing is stored."""
    from deploy.rules import console  # noqa: PLC0415
    from deploy.rules.files import RuleFile  # noqa: PLC0415

    if (sample is None) == (days is None):
        raise typer.BadParameter("either --sample or --days")
    found = RuleFile.read(file)
    with console.Rules(url, token) as rules_there:
        if sample is not None:
            trial = rules_there.try_sample(found, console.read_sample(sample))
        else:
            assert days is not None
            trial = rules_there.try_days(found, days, limit)
    console.show_trial(trial, as_json=as_json)
