"""Rules as files: the commands that a rule set has, whichever service it belongs to."""

from importlib import import_module
from pathlib import Path
from typing import Annotated, Literal

import typer

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


def add_file_commands(
    app: typer.Typer, kind_name: Literal["ROUTING", "INTAKE"], *, shown_by: str
) -> None:
    """Give `app` the commands apply, show, export and history.

    Args:
        app: of one service's rules.
        kind_name: the rule set, as `deploy.rules.kinds` calls it; read only when a command runs, so `--help` is fast.
        shown_by: the module whose `show` prints a document for reading.
    """

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
        from deploy.rules import kinds  # noqa: PLC0415 - keeps `--help` fast
        from deploy.rules.console import Rules  # noqa: PLC0415
        from deploy.rules.files import RuleFile  # noqa: PLC0415

        kind = getattr(kinds, kind_name)
        found = RuleFile.read(file, kind)
        with Rules(url, token, kind) as rules:
            raise typer.Exit(rules.apply(found, is_dry_run=dry_run, is_sure=yes))

    @app.command()
    def show(
        *, version: Version = None, as_json: AsJson = False, url: Url = None, token: Token = None
    ) -> None:
        """Print the rules in order, for reading."""
        import json  # noqa: PLC0415

        from deploy.rules import kinds  # noqa: PLC0415
        from deploy.rules.console import Rules  # noqa: PLC0415

        with Rules(url, token, getattr(kinds, kind_name)) as rules:
            document = rules.document(version)
        if as_json:
            typer.echo(json.dumps(document, ensure_ascii=False, indent=2))
        else:
            import_module(shown_by).show(document)

    @app.command()
    def export(
        *, version: Version = None, as_json: AsJson = False, url: Url = None, token: Token = None
    ) -> None:
        """Print the rules as a file that `apply` takes."""
        import json  # noqa: PLC0415

        from deploy.rules import kinds  # noqa: PLC0415
        from deploy.rules.console import Rules  # noqa: PLC0415
        from deploy.rules.files import as_yaml  # noqa: PLC0415

        with Rules(url, token, getattr(kinds, kind_name)) as rules:
            document = rules.document(version)
        typer.echo(
            json.dumps(document, ensure_ascii=False, indent=2) if as_json else as_yaml(document),
            nl=as_json,
        )

    @app.command()
    def history(*, as_json: AsJson = False, url: Url = None, token: Token = None) -> None:
        """Print who changed the rules when, newest first."""
        import json  # noqa: PLC0415

        from deploy.rules import kinds  # noqa: PLC0415
        from deploy.rules.console import Rules, show_history  # noqa: PLC0415

        with Rules(url, token, getattr(kinds, kind_name)) as rules:
            versions = rules.history()
        if as_json:
            typer.echo(json.dumps(versions, ensure_ascii=False))
        else:
            show_history(versions)
