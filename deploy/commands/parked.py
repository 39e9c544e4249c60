"""Events that could not be handled: list, show, retry, discard."""

from typing import Annotated, Any
from uuid import UUID

import typer

app = typer.Typer(no_args_is_help=True)

_SERVICES = ("routing", "sla", "query")
_Url = Annotated[str | None, typer.Option(help="The front door; without it the one of `make run`.")]
_Token = Annotated[
    str | None, typer.Option(envvar="TICKETING_TOKEN", help="A token of an admin elsewhere.")
]
_Service = Annotated[str, typer.Argument(help="routing, sla or query.")]
_Stream = Annotated[UUID, typer.Argument(help="The ticket's (or other stream's) id.")]


@app.command("list")
def list_parked(url: _Url = None, token: _Token = None) -> None:
    """Every parked stream of every service, oldest first."""
    from rich.console import Console  # noqa: PLC0415 - keeps `--help` fast
    from rich.table import Table  # noqa: PLC0415

    table = Table("service", "stream", "version", "type", "behind it", "since", "why")
    count = 0
    for service in _SERVICES:
        answer = _call("GET", f"/services/{service}/parked", url, token)
        for parked in answer["parked"]:
            count += 1
            table.add_row(
                service,
                str(parked["stream_id"]),
                str(parked["version"]),
                parked["wire_type"],
                str(parked["waiting_count"]),
                parked["parked_at"],
                parked["error"],
            )
    console = Console()
    console.print(table if count else "Nothing is parked.")


@app.command()
def show(service: _Service, stream: _Stream, url: _Url = None, token: _Token = None) -> None:
    """The parked events of one stream, with their contents."""
    from rich.console import Console  # noqa: PLC0415 - keeps `--help` fast

    console = Console()
    for event in _call("GET", f"/services/{_known(service)}/parked/{stream}", url, token)["events"]:
        console.print(f"[bold]{event['type']}[/] version {event['version']}")
        console.print(f"  {event['error'] or 'waits behind the one before'}", markup=False)
        console.print_json(event["payload"])


@app.command()
def retry(service: _Service, stream: _Stream, url: _Url = None, token: _Token = None) -> None:
    """Handle a stream's events again, in order, until one fails."""
    _decide("retry", service, stream, url, token)


@app.command()
def discard(service: _Service, stream: _Stream, url: _Url = None, token: _Token = None) -> None:
    """Give up the event that failed (it stays in its owner's log) and handle those behind it."""
    _decide("discard", service, stream, url, token)


def _decide(verb: str, service: str, stream: UUID, url: str | None, token: str | None) -> None:
    answer = _call("POST", f"/services/{_known(service)}/parked/{stream}/{verb}", url, token)
    left = answer["still_parked"]
    typer.echo("handled; nothing of it is parked any more" if not left else f"{left} still parked")
    raise typer.Exit(1 if left else 0)


def _known(service: str) -> str:
    if service not in _SERVICES:
        raise typer.BadParameter(f"one of {', '.join(_SERVICES)}", param_hint="SERVICE")
    return service


def _call(method: str, path: str, url: str | None, token: str | None) -> dict[str, Any]:
    import httpx2  # noqa: PLC0415 - keeps `--help` fast

    from deploy.front_door import RequestRefused  # noqa: PLC0415
    from deploy.local.door import open_door  # noqa: PLC0415
    from deploy.local.problems import CannotStart  # noqa: PLC0415
    from shared.security.principal import Role  # noqa: PLC0415

    try:
        with open_door("ticketing-parked", Role.ADMIN, url=url, token=token) as door:
            return door.call(method, path)
    except RequestRefused as refusal:
        raise CannotStart(str(refusal)) from None
    except httpx2.TransportError as error:
        raise CannotStart(f"the front door does not answer ({error}); is it running?") from None
