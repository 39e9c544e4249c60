"""Mails out that did not arrive: list, show, retry, discard."""

from collections.abc import Iterator
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

import typer

app = typer.Typer(no_args_is_help=True)

_Url = Annotated[str | None, typer.Option(help="The front door; without it the one of `make run`.")]
_Token = Annotated[
    str | None, typer.Option(envvar="TICKETING_TOKEN", help="A token of a supervisor elsewhere.")
]
_Mails = Annotated[list[UUID] | None, typer.Argument(help="Ids of mails; or --all.")]
_All = Annotated[bool, typer.Option("--all", help="Every mail that is dead.")]
_STATES = ("waiting", "claimed", "sent", "dead", "discarded")
_PAGE = 200


@app.command("list")
def list_mails(
    state: Annotated[str, typer.Option(help=f"{', '.join(_STATES)}; or any.")] = "dead",
    ticket: Annotated[UUID | None, typer.Option(help="Only this ticket's.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    url: _Url = None,
    token: _Token = None,
) -> None:
    """Mails out, newest first; without options those that somebody did not get."""
    from rich.console import Console  # noqa: PLC0415 - keeps `--help` fast
    from rich.table import Table  # noqa: PLC0415

    if state != "any" and state not in _STATES:
        raise typer.BadParameter(f"expected any, {', '.join(_STATES)}", param_hint="--state")
    table = Table("mail", "ticket", "kind", "state", "to", "tries", "not delivered to", "why")
    count = 0
    for found in _mails(_STATES if state == "any" else (state,), ticket, url, token):
        if count == limit:
            break
        count += 1
        table.add_row(
            found["id"],
            f"#{found['number']}",
            found["kind"],
            found["state"],
            found["recipient"],
            str(found["attempts"]),
            ", ".join(found["failed"]),
            found["last_error"] or "",
        )
    Console().print(table if count else "There are none.")


@app.command()
def show(
    mail: Annotated[UUID, typer.Argument(help="The mail's id.")],
    url: _Url = None,
    token: _Token = None,
) -> None:
    """One mail out, as JSON: to whom, how often tried, who has it, who has not, the server's last words."""
    from rich.console import Console  # noqa: PLC0415 - keeps `--help` fast

    Console().print_json(data=_call("GET", f"/v1/channels/email/outbox/{mail}", url, token))


@app.command()
def retry(
    mail: _Mails = None, *, every: _All = False, url: _Url = None, token: _Token = None
) -> None:
    """Send dead mails again, to those who have not got them."""
    _decide("retry", mail, every=every, url=url, token=token)


@app.command()
def discard(
    mail: _Mails = None, *, every: _All = False, url: _Url = None, token: _Token = None
) -> None:
    """Give mails up for good, waiting ones too; they stay in the list with your name."""
    _decide("discard", mail, every=every, url=url, token=token)


def _decide(
    verb: str, named: list[UUID] | None, *, every: bool, url: str | None, token: str | None
) -> None:
    from deploy.local.problems import CannotStart  # noqa: PLC0415 - keeps `--help` fast

    if bool(named) == every:
        raise typer.BadParameter("name mails, or --all")
    # All of them before the first: a decision moves a mail out of the list that is being read.
    ids = [str(one) for one in named or ()] or [
        one["id"] for one in list(_mails(("dead",), None, url, token))
    ]
    done = passed = 0
    for mail_id in ids:
        try:
            _call("POST", f"/v1/channels/email/outbox/{mail_id}/{verb}", url, token)
            done += 1
        except CannotStart as problem:
            passed += 1
            typer.echo(f"{mail_id}: {problem}", err=True)
    typer.echo(f"{verb}: {done} done, {passed} passed over")
    raise typer.Exit(1 if passed else 0)


def _mails(
    states: tuple[str, ...], ticket: UUID | None, url: str | None, token: str | None
) -> Iterator[dict[str, Any]]:
    before: str | None = None
    while True:
        wanted = [("state", state) for state in states] + [("limit", str(_PAGE))]
        if ticket is not None:
            wanted.append(("ticket_id", str(ticket)))
        if before is not None:
            wanted.append(("before", before))
        page = _call("GET", f"/v1/channels/email/outbox?{urlencode(wanted)}", url, token)
        yield from page["mails"]
        before = page["next"]
        if before is None:
            return


def _call(method: str, path: str, url: str | None, token: str | None) -> dict[str, Any]:
    import httpx2  # noqa: PLC0415 - keeps `--help` fast

    from deploy.front_door import RequestRefused  # noqa: PLC0415
    from deploy.local.door import open_door  # noqa: PLC0415
    from deploy.local.problems import CannotStart  # noqa: PLC0415
    from shared.security.principal import Role  # noqa: PLC0415

    try:
        with open_door("ticketing-mail", Role.SUPERVISOR, url=url, token=token) as door:
            return door.call(method, path)
    except RequestRefused as refusal:
        raise CannotStart(str(refusal)) from None
    except httpx2.TransportError as error:
        raise CannotStart(f"the front door does not answer ({error}); is it running?") from None
