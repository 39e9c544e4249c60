"""Routing rules as files: apply, show, export, history, try out."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)

File = Annotated[
    Path, typer.Argument(allow_dash=True, help="Rules as YAML or JSON; - is stdin.", metavar="FILE")
]
Url = Annotated[
    str | None, typer.Option(help="The front door's address; without it that of `.ticketing`.")
]
Token = Annotated[
    str | None,
    typer.Option(envvar="TICKETING_TOKEN", help="A token; without it one of the local issuer."),
]
Version = Annotated[int | None, typer.Option(min=1, help="As it was then; else the one in force.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]


@app.callback()
def rules() -> None:
    """Routing rules as files (docs/routing.md)."""


@app.command()
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

    found = RuleFile.read(file)
    raise typer.Exit(Rules(url, token).apply(found, is_dry_run=dry_run, is_sure=yes))


@app.command()
def show(
    *, version: Version = None, as_json: AsJson = False, url: Url = None, token: Token = None
) -> None:
    """Print the rules in order, for reading."""
    import json  # noqa: PLC0415

    from deploy.rules import console  # noqa: PLC0415

    document = console.Rules(url, token).document(version)
    if as_json:
        typer.echo(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        console.show(document)


@app.command()
def export(
    *, version: Version = None, as_json: AsJson = False, url: Url = None, token: Token = None
) -> None:
    """Print the rules as a file that `apply` takes."""
    import json  # noqa: PLC0415

    from deploy.rules import console  # noqa: PLC0415
    from deploy.rules.files import as_yaml  # noqa: PLC0415

    document = console.Rules(url, token).document(version)
    typer.echo(
        json.dumps(document, ensure_ascii=False, indent=2) if as_json else as_yaml(document),
        nl=as_json,
    )


@app.command()
def history(*, as_json: AsJson = False, url: Url = None, token: Token = None) -> None:
    """Print who changed the rules when, newest first."""
    import json  # noqa: PLC0415

    from deploy.rules import console  # noqa: PLC0415

    versions = console.Rules(url, token).history()
    if as_json:
        typer.echo(json.dumps(versions, ensure_ascii=False))
    else:
        console.show_history(versions)


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
    door = console.Rules(url, token)
    if sample is not None:
        console.show_trial(door.try_sample(found, console.read_sample(sample)), as_json=as_json)
    else:
        assert days is not None
        console.show_trial(door.try_days(found, days, limit), as_json=as_json)
