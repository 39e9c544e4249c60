"""One change of many tickets: a list or a view chosen by query, done by intake as a job; look, stop, undo."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

import typer

if TYPE_CHECKING:
    from deploy.front_door import FrontDoor

app = typer.Typer(no_args_is_help=True)

_Url = Annotated[str | None, typer.Option(help="The front door; without it the one of `make run`.")]
_Token = Annotated[
    str | None, typer.Option(envvar="TICKETING_TOKEN", help="A token of an agent elsewhere.")
]
_Job = Annotated[UUID, typer.Argument(help="The job.")]
_PAGE = 200
_TOGETHER = 10_000
_TOLD_MAX = 20


@app.callback()
def bulk() -> None:
    """One change of many tickets, each with its own result; taken back as a whole."""


@app.command()
def run(
    *,
    list_: Annotated[
        str | None,
        typer.Option(
            "--list", metavar="FILTER", help="As in the list's address: `status=open&tag=x`."
        ),
    ] = None,
    view: Annotated[str | None, typer.Option(help="A saved view by name.")] = None,
    macro: Annotated[str | None, typer.Option(help="What is done: a macro by name.")] = None,
    actions: Annotated[
        str | None, typer.Option(metavar="JSON", help='Or what it says: {"add_tags": ["x"]}.')
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    url: _Url = None,
    token: _Token = None,
) -> None:
    """Ask query for the tickets, hand them to intake page by page, and wait until all are done."""
    import json  # noqa: PLC0415 - keeps `--help` fast
    import time  # noqa: PLC0415

    if (list_ is None) == (view is None):
        raise typer.BadParameter("either --list or --view")
    if (macro is None) == (actions is None):
        raise typer.BadParameter("either --macro or --actions")
    try:
        said = {"macro": macro} if actions is None else {"actions": json.loads(actions)}
    except json.JSONDecodeError as error:
        raise typer.BadParameter(f"is no JSON: {error}", param_hint="--actions") from None
    with _door(url, token) as door:
        wanted = parse_qsl(list_ or "") if view is None else _filter_of(door, view)
        # All of them before the first: a change moves a ticket out of the list that is being read.
        ids = list(_ids(door, wanted))
        typer.echo(f"{len(ids)} tickets")
        if not ids or not (yes or typer.confirm("Change them?")):
            return
        job = door.call("POST", "/v1/bulk", {**said, "ticket_ids": ids[:_TOGETHER]})
        path = f"/v1/bulk/{job['job_id']}"
        typer.echo(f"job {job['job_id']}")
        for start in range(_TOGETHER, len(ids), _TOGETHER):
            more = {"ticket_ids": ids[start : start + _TOGETHER]}
            job = door.call("POST", f"{path}/tickets", more)
        while job["waiting"]:
            time.sleep(0.5)
            job = door.call("GET", f"{path}?state=refused")["job"]
        _tell(door, path)


@app.command()
def show(job: _Job, *, url: _Url = None, token: _Token = None) -> None:
    """How far a job is, and what was refused."""
    with _door(url, token) as door:
        _tell(door, f"/v1/bulk/{job}")


@app.command()
def stop(job: _Job, *, url: _Url = None, token: _Token = None) -> None:
    """What waits is not begun; what was done stays."""
    with _door(url, token) as door:
        door.call("POST", f"/v1/bulk/{job}/stop")
        _tell(door, f"/v1/bulk/{job}")


@app.command()
def undo(job: _Job, *, url: _Url = None, token: _Token = None) -> None:
    """Take back what a job has done, as a job of its own."""
    with _door(url, token) as door:
        back = door.call("POST", f"/v1/bulk/{job}/undo")
        typer.echo(f"job {back['job_id']} takes back {back['total']}")


@contextmanager
def _door(url: str | None, token: str | None) -> "Iterator[FrontDoor]":
    import httpx2  # noqa: PLC0415 - keeps `--help` fast

    from deploy.front_door import RequestRefused  # noqa: PLC0415
    from deploy.local.door import open_door  # noqa: PLC0415
    from deploy.local.problems import CannotStart  # noqa: PLC0415
    from shared.security.principal import Role  # noqa: PLC0415

    try:
        with open_door("ticketing-bulk", Role.SUPERVISOR, url=url, token=token) as door:
            yield door
    except RequestRefused as refusal:
        raise CannotStart(str(refusal)) from None
    except httpx2.TransportError as error:
        raise CannotStart(f"the front door does not answer ({error}); is it running?") from None


def _filter_of(door: "FrontDoor", name: str) -> list[tuple[str, str]]:
    from deploy.local.problems import CannotStart  # noqa: PLC0415 - keeps `--help` fast

    for view in door.call("GET", "/v1/views")["views"]:
        if view["name"] == name:
            return [*view["filter"].items()]
    raise CannotStart(f"there is no view {name!r} for you")


def _ids(door: "FrontDoor", wanted: list[tuple[str, str]]) -> Iterator[str]:
    after: str | None = None
    while True:
        asked = [*wanted, ("limit", str(_PAGE)), *([("cursor", after)] if after else [])]
        page = door.call("GET", f"/v1/tickets?{urlencode(asked)}")
        yield from (ticket["ticket_id"] for ticket in page["tickets"])
        after = page["next"]
        if after is None:
            return


def _tell(door: "FrontDoor", path: str) -> None:
    told = door.call("GET", f"{path}?state=refused")
    job = told["job"]
    typer.echo(
        f"{job['title']}: {job['done']} done, {job['unchanged']} unchanged, {job['refused']} refused,"
        f" {job['waiting']} waiting of {job['total']}"
    )
    for item in told["items"][:_TOLD_MAX]:
        typer.echo(f"  {item['ticket_id']}: {item['reason']}")
    if job["refused"] > _TOLD_MAX:
        typer.echo(f"  … and {job['refused'] - _TOLD_MAX} more: GET {path}?state=refused")
