"""The console command `ticketing`: finds its sub-commands in `deploy/commands`, imports only the one that is called.

A sub-command is a module there that defines `app`, a `typer.Typer`. Its name is the module's, with `_` as `-`
and a trailing `_` dropped (`import_.py` → `ticketing import`). The first line of its docstring is the help.
"""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Final

import typer
from typer.core import TyperGroup
from typer.main import get_command

from deploy.local.problems import CannotStart

_FOLDER: Final = Path(__file__).with_name("commands")


class CommandsOfTheFolder(TyperGroup):
    """Looks a sub-command up by its file, so that the others cost nothing."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """Names of all sub-commands, sorted."""
        del ctx
        return sorted(_command_name(path) for path in _modules())

    def get_command(self, ctx: typer.Context, cmd_name: str):  # type: ignore[no-untyped-def,override]  # noqa: ANN201
        """The sub-command of this name, or None."""
        del ctx
        for path in _modules():
            if _command_name(path) == cmd_name:
                module = import_module(f"deploy.commands.{path.stem}")
                found = get_command(module.app)
                found.name = cmd_name
                found.help = found.help or (module.__doc__ or "").partition("\n")[0]
                return found
        return None


app = typer.Typer(cls=CommandsOfTheFolder, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def ticketing() -> None:
    """Event-sourced ticketing: run it, make tokens, import, inspect."""


def main() -> None:
    """Run the command line; a problem that a person can solve is one line, not a stack trace."""
    try:
        app()
    except CannotStart as problem:
        sys.stderr.write(f"ticketing: {problem}\n")
        sys.exit(1)


def _modules() -> Iterator[Path]:
    return (path for path in _FOLDER.glob("*.py") if not path.stem.startswith("_"))


def _command_name(path: Path) -> str:
    return path.stem.rstrip("_").replace("_", "-")


if __name__ == "__main__":
    main()
