"""Intake's rules as files: apply, show, export, try on the past."""

from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from deploy.commands.rules import AsJson, File, Token, Url, Version

rules = typer.Typer(no_args_is_help=True)


@rules.callback()
def of_intake() -> None:
    """Rules on events and time as files (docs/rules-intake.md)."""


@rules.command()
def apply(
    file: File,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check and show; change nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Check a rule file, show what changes, and put it in force unless somebody was faster."""
    from deploy.rules.console import Rules  # noqa: PLC0415 - keeps `--help` fast
    from deploy.rules.files import RuleFile  # noqa: PLC0415
    from deploy.rules.kinds import INTAKE  # noqa: PLC0415

    found = RuleFile.read(file, INTAKE)
    with Rules(url, token, INTAKE) as rules_there:
        raise typer.Exit(rules_there.apply(found, is_dry_run=dry_run, is_sure=yes))


@rules.command()
def show(
    *, version: Version = None, as_json: AsJson = False, url: Url = None, token: Token = None
) -> None:
    """Print the rules in order, for reading."""
    import json  # noqa: PLC0415

    from deploy.rules import of_intake  # noqa: PLC0415
    from deploy.rules.console import Rules  # noqa: PLC0415
    from deploy.rules.kinds import INTAKE  # noqa: PLC0415

    with Rules(url, token, INTAKE) as rules_there:
        document = rules_there.document(version)
    if as_json:
        typer.echo(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        of_intake.show(document)


@rules.command()
def export(*, version: Version = None, url: Url = None, token: Token = None) -> None:
    """Print the rules as a file that `apply` takes."""
    from deploy.rules.console import Rules  # noqa: PLC0415
    from deploy.rules.files import as_yaml  # noqa: PLC0415
    from deploy.rules.kinds import INTAKE  # noqa: PLC0415

    with Rules(url, token, INTAKE) as rules_there:
        typer.echo(as_yaml(rules_there.document(version)), nl=False)


@rules.command()
def history(*, url: Url = None, token: Token = None) -> None:
    """Print who changed the rules when, newest first."""
    from deploy.rules.console import Rules, show_history  # noqa: PLC0415
    from deploy.rules.kinds import INTAKE  # noqa: PLC0415

    with Rules(url, token, INTAKE) as rules_there:
        show_history(rules_there.history())


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
