"""Look into what comes in: how an e-mail is read."""

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)


@app.callback()
def intake() -> None:
    """Look into what comes in: how an e-mail is read."""


@app.command("parse-email")
def parse_email(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", help="Raw messages (.eml); `-` reads one from standard input."
        ),
    ],
) -> None:
    """Print one JSON line a message: its fields, text, attachments without their bytes, and what is wrong with it.

    A message that is broken is a line like any other; a file that cannot be opened is a line with `defects` only.
    """
    import msgspec  # noqa: PLC0415 - keeps `--help` fast

    from services.intake.channels.email_message import parse  # noqa: PLC0415

    for file in files:
        try:
            raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        except OSError as error:
            line = {"file": str(file), "defects": [f"cannot be opened: {error.strerror or error}"]}
        else:
            line = {"file": str(file), **parse(raw).without_contents()}
        sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.buffer.flush()
