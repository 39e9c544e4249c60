"""Intake's rules as files: apply, show, export, try on the past."""

from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from deploy.commands._rule_files import AsJson, Token, Url, add_file_commands

rules = typer.Typer(no_args_is_help=True)


@rules.callback()
def of_intake() -> None:
    """Rules on events and time as files (docs/rules-intake.md)."""


add_file_commands(rules, "INTAKE", shown_by="deploy.rules.of_intake")


@rules.command(name="try")
def try_(
    file: Annotated[
        Path | None,
        typer.Argument(allow_dash=True, metavar="[FILE]", help="Without it the rules in force."),
    ] = None,
    *,
    ticket: Annotated[UUID | None, typer.Option(help="On this ticket.")] = None,
    recent: Annotated[
        int, typer.Option(min=1, max=500, help="On so many of the newest tickets.")
    ] = 100,
    as_json: AsJson = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """What would the rules have done? Plays them over what has happened to tickets. Nothing is stored."""
    from deploy.rules import of_intake  # noqa: PLC0415
    from deploy.rules.console import Rules  # noqa: PLC0415
    from deploy.rules.files import RuleFile  # noqa: PLC0415
    from deploy.rules.kinds import INTAKE  # noqa: PLC0415

    found = None if file is None else RuleFile.read(file, INTAKE)
    asked: dict[str, Any] = {"recent": recent} if ticket is None else {"ticket_id": str(ticket)}
    with Rules(url, token, INTAKE) as rules_there:
        told = rules_there.try_past(found, asked)
    of_intake.show_tried(told, as_json=as_json)
