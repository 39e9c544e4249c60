"""Look into what comes in: how an e-mail is read; bring e-mails in."""

import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from deploy.commands._intake_rules import rules

app = typer.Typer(no_args_is_help=True)
app.add_typer(rules, name="rules")


@app.callback()
def intake() -> None:
    """Look into what comes in: how an e-mail is read; bring e-mails in."""


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


@app.command("send-email")
def send_email(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", help="Raw messages (.eml); `-` reads one from standard input."
        ),
    ],
    mailbox: Annotated[
        str | None, typer.Option(help="The name of our mailbox that it is for.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="The front door; without it the one of `make run`.")
    ] = None,
    token: Annotated[
        str | None, typer.Option(envvar="TICKETING_TOKEN", help="A token of an agent elsewhere.")
    ] = None,
) -> None:
    """Bring mails in through the front door, as a mail server would; one JSON line a mail says what it has come to.

    A mail that was brought before gets the first answer, and `"replayed": true`. Ends with 1 if one was not taken.
    """
    import httpx2  # noqa: PLC0415 - keeps `--help` fast
    import msgspec  # noqa: PLC0415

    from deploy.front_door import RequestRefused  # noqa: PLC0415
    from deploy.local.door import open_door  # noqa: PLC0415
    from deploy.local.problems import CannotStart  # noqa: PLC0415
    from shared.security.principal import Role  # noqa: PLC0415

    path = "/v1/channels/email" + (f"?{urlencode({'mailbox': mailbox})}" if mailbox else "")
    failed = False
    with open_door("ticketing-intake", Role.AGENT, url=url, token=token) as door:
        for file in files:
            line: dict[str, Any] = {"file": str(file)}
            try:
                raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
                answer, is_replayed = door.send(path, raw, "message/rfc822")
                line |= answer | ({"replayed": True} if is_replayed else {})
            except RequestRefused as refusal:
                line["refused"], failed = str(refusal), True
            except OSError as error:
                line["refused"], failed = f"cannot be opened: {error.strerror or error}", True
            except httpx2.TransportError as error:
                raise CannotStart(
                    f"the front door does not answer ({error}); is it running?"
                ) from None
            sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
            sys.stdout.buffer.flush()
    raise typer.Exit(1 if failed else 0)
