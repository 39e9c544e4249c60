"""A reply on a ticket with a long history beside one on a new ticket: state in memory, and after a restart."""

import json
from statistics import median
from time import perf_counter
from typing import Any, Final

import httpx2

from shared.eventstore.snapshots import EVERY
from tests.bench.figures import Figure, Goal, Missed, Report
from tests.bench.openings import TEXT
from tests.bench.product import Product
from tests.bench.scale import Scale

SECTION: Final = "replies"
EVENTS: Final = 200
"""What the requirement names; a busy ticket has some 60."""

_SINCE_SNAPSHOT: Final = EVERY - 1
"""Events on top, so that as many as ever can be stand behind the newest snapshot."""

RATIO_MAX: Final = 1.5
_OPENING: Final[dict[str, Any]] = {
    "subject": "Printer prints every page twice",
    "body": TEXT,
    "requester": {"id": "carla"},
}


def measure(product: Product, scale: Scale, report: Report) -> None:
    """Replies one after the other, old and new tickets in turn, so that a busier machine harms both alike."""
    for is_cold in (False, True):
        product.start_services("intake")  # stopped below: the next section wants it so
        tickets = scale.reply_tickets
        with _door(product) as door:
            new = [_opened(door) for _ in range(tickets)]
            old = [_with_history(door) for _ in range(tickets)]
        if is_cold:
            product.stop("intake")
            product.start_services("intake")
        with _door(product) as door:
            _opened(door)  # the connection and the caller's token are known now
            times = [(_timed(door, a), _timed(door, b)) for a, b in zip(new, old, strict=True)]
        length = EVENTS + _SINCE_SNAPSHOT
        on_new, on_old = (median(column) for column in zip(*times, strict=True))
        report.add(
            Figure(
                section=SECTION,
                name=f"reply at {length} events / on a new ticket, {'after a restart' if is_cold else 'in memory'}",
                value=on_old / on_new,
                unit="x",
                goal=Goal(at_most=RATIO_MAX),
                details={"new_ms": on_new * 1_000, "old_ms": on_old * 1_000, "tickets": tickets},
            )
        )
    product.stop("intake")


def _opened(door: httpx2.Client) -> str:
    return str(_checked(door.post("/v1/tickets", json=_OPENING)).json()["ticket_id"])


def _with_history(door: httpx2.Client) -> str:
    """A ticket with notes up to `EVENTS` events, and then some, through two batches."""
    ticket = _opened(door)
    for notes, events in ((EVENTS - 1, EVENTS), (_SINCE_SNAPSHOT, EVENTS + _SINCE_SNAPSHOT)):
        _write_notes(door, ticket, notes, version=events)
    return ticket


def _write_notes(door: httpx2.Client, ticket: str, count: int, *, version: int) -> None:
    line = json.dumps({"op": "note", "ticket": {"id": ticket}, "body": TEXT})
    answer = door.post(
        "/v1/tickets/batch",
        content="\n".join([line] * count),
        headers={"Content-Type": "application/x-ndjson"},
    )
    reached = json.loads(answer.text.splitlines()[-1]).get("version")
    if reached != version:
        raise Missed(f"the history has {reached} events, not {version}")


def _timed(door: httpx2.Client, ticket: str) -> float:
    begun = perf_counter()
    _checked(door.post(f"/v1/tickets/{ticket}/replies", json={"body": TEXT}))
    return perf_counter() - begun


def _door(product: Product) -> httpx2.Client:
    return httpx2.Client(
        base_url=product.service_url("intake"),
        headers={"Authorization": f"Bearer {product.token()}"},
        trust_env=False,
        timeout=30,
    )


def _checked(answer: httpx2.Response) -> httpx2.Response:
    if answer.is_error:
        raise Missed(f"{answer.status_code}: {answer.text}")
    return answer
