"""What was said to people on call, and what was not: list, show, replay, discard."""

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
_Deliveries = Annotated[
    list[UUID] | None, typer.Argument(help="Ids of deliveries; or --all with a sink.")
]
_All = Annotated[bool, typer.Option("--all", help="Everything that was given up, of --sink.")]
_Sink = Annotated[str | None, typer.Option(help="Only this sink.")]
_STATUSES = "waiting, claimed, grouped, covered, delivered, dead, discarded"


@app.command("list")
def list_deliveries(
    status: Annotated[str, typer.Option(help=f"{_STATUSES}; or any.")] = "dead",
    sink: _Sink = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    url: _Url = None,
    token: _Token = None,
) -> None:
    """Deliveries, newest first; without options those that were given up."""
    from rich.console import Console  # noqa: PLC0415 - keeps `--help` fast
    from rich.table import Table  # noqa: PLC0415

    table = Table("delivery", "sink", "action", "status", "ticket", "metric", "tries", "why")
    count = 0
    for found in _deliveries(None if status == "any" else status, sink, url, token):
        if count == limit:
            break
        count += 1
        table.add_row(
            str(found["delivery_id"]),
            found["sink"],
            found["action"],
            found["status"],
            f"#{found['number']}" if found["number"] is not None else "",
            found["metric"] or "",
            str(found["attempts"]),
            found["last_error"] or "",
        )
    Console().print(table if count else "There are none.")


@app.command()
def show(
    delivery: Annotated[UUID, typer.Argument(help="The delivery's id.")],
    url: _Url = None,
    token: _Token = None,
) -> None:
    """One delivery with each of its attempts, as JSON."""
    from rich.console import Console  # noqa: PLC0415 - keeps `--help` fast

    Console().print_json(data=_call("GET", f"/v1/oncall/deliveries/{delivery}", url, token))


@app.command()
def replay(
    delivery: _Deliveries = None,
    *,
    every: _All = False,
    sink: _Sink = None,
    url: _Url = None,
    token: _Token = None,
) -> None:
    """Send again what was given up; alerts that are over by now are passed over."""
    _decide("replay", delivery, every=every, sink=sink, url=url, token=token)


@app.command()
def discard(
    delivery: _Deliveries = None,
    *,
    every: _All = False,
    sink: _Sink = None,
    url: _Url = None,
    token: _Token = None,
) -> None:
    """Give up for good; it stays in the log with your name."""
    _decide("discard", delivery, every=every, sink=sink, url=url, token=token)


def _decide(
    verb: str,
    named: list[UUID] | None,
    *,
    every: bool,
    sink: str | None,
    url: str | None,
    token: str | None,
) -> None:
    if bool(named) == every or (every and sink is None):
        raise typer.BadParameter("name deliveries, or --all with --sink")
    ids = named or [found["delivery_id"] for found in _deliveries("dead", sink, url, token)]
    done = passed = 0
    for delivery_id in ids:
        refusal = _try(verb, str(delivery_id), url, token)
        if refusal is None:
            done += 1
        else:
            passed += 1
            typer.echo(f"{delivery_id}: {refusal}", err=True)
    typer.echo(f"{verb}: {done} done, {passed} passed over")
    raise typer.Exit(1 if passed and not every else 0)


def _try(verb: str, delivery_id: str, url: str | None, token: str | None) -> str | None:
    """Decide about one; returns why not, when the product refuses."""
    from deploy.local.problems import CannotStart  # noqa: PLC0415 - keeps `--help` fast

    try:
        _call("POST", f"/v1/oncall/deliveries/{delivery_id}/{verb}", url, token)
    except CannotStart as problem:
        return str(problem)
    return None


def _deliveries(
    status: str | None, sink: str | None, url: str | None, token: str | None
) -> Iterator[dict[str, Any]]:
    # A summary speaks for its members: they are decided with it.
    wanted = {"status": status, "sink": sink, "limit": 200, "cursor": None}
    while True:
        query = urlencode({name: value for name, value in wanted.items() if value is not None})
        page = _call("GET", f"/v1/oncall/deliveries?{query}", url, token)
        yield from (each for each in page["items"] if not (status == "dead" and each["summary_id"]))
        wanted["cursor"] = page["next_cursor"]
        if wanted["cursor"] is None:
            return


def _call(method: str, path: str, url: str | None, token: str | None) -> dict[str, Any]:
    import httpx2  # noqa: PLC0415 - keeps `--help` fast

    from deploy.front_door import RequestRefused  # noqa: PLC0415
    from deploy.local.door import open_door  # noqa: PLC0415
    from deploy.local.problems import CannotStart  # noqa: PLC0415
    from shared.security.principal import Role  # noqa: PLC0415

    try:
        with open_door("ticketing-alerts", Role.SUPERVISOR, url=url, token=token) as door:
            return door.call(method, path)
    except RequestRefused as refusal:
        raise CannotStart(str(refusal)) from None
    except httpx2.TransportError as error:
        raise CannotStart(f"the front door does not answer ({error}); is it running?") from None
