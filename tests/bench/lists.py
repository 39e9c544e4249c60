"""A million open tickets: every shape of list, search, count and board, each asked many times with other values."""

import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from pydantic import SecretStr

from services.query.api.tickets import IDS_MAX
from services.query.settings import Settings
from services.query.view_counts import COUNTED_MAX
from services.query.views.board import board
from services.query.views.contacts import find_contacts
from services.query.views.counting import count_tickets
from services.query.views.fields import FieldWish
from services.query.views.list_filter import TicketFilter
from services.query.views.lists import FieldSort, Order, Sort, ids_of, list_tickets
from services.query.views.pools import Pool
from services.query.views.scope import Scope
from shared.database import Database
from shared.events import Channel, Priority, StatusCategory
from tests.bench.figures import Figure, Goal, Report
from tests.bench.listed import AGENTS, CUSTOMERS, GROUPS, fill
from tests.bench.product import Product, run
from tests.bench.scale import Scale

SECTION: Final = "lists"
_DATABASE: Final = "bench_lists"
_P95_MS_MAX: Final = 50.0
_SHAPE_SECONDS_MAX: Final = 2.0
_ROUNDS_MIN: Final = 5
_COUNT_SECONDS_MAX: Final = 60.0


class Shape(msgspec.Struct, frozen=True):
    """A kind of list; `make` gives a filter with values drawn anew."""

    name: str
    make: Callable[[random.Random], TicketFilter]
    sort: Order = Sort.UPDATED_DESC
    scope: Callable[[random.Random], Scope] = lambda _chance: Scope()


def _group(chance: random.Random) -> str:
    return f"group{int(chance.random() ** 2 * GROUPS)}"


def _agent(chance: random.Random) -> str:
    return f"agent{chance.randrange(AGENTS)}"


def _customer(chance: random.Random) -> str:
    return f"customer{int(chance.random() ** 2 * CUSTOMERS)}"


def _word(chance: random.Random, low: int, high: int) -> str:
    return f"word{chance.randrange(low, high)}"


def _created_within_a_day(at: datetime) -> TicketFilter:
    return TicketFilter(created_from=at, created_before=at + timedelta(days=1))


_OPEN: Final[dict[str, Any]] = {"is_open": True}

SHAPES: Final = (
    *(Shape(f"all open, {sort}", lambda _: TicketFilter(**_OPEN), sort) for sort in Sort),
    *(
        Shape(f"one group, {sort}", lambda c: TicketFilter(group=(_group(c),), **_OPEN), sort)
        for sort in Sort
    ),
    *(
        Shape(f"one agent, {sort}", lambda c: TicketFilter(assignee=(_agent(c),), **_OPEN), sort)
        for sort in Sort
    ),
    Shape("everything, -updated", lambda _: TicketFilter()),
    Shape("unassigned, due", lambda _: TicketFilter(assignee=("none",), **_OPEN), Sort.DUE),
    Shape(
        "unassigned of a group, -priority",
        lambda c: TicketFilter(group=(_group(c),), assignee=("none",), **_OPEN),
        Sort.PRIORITY_DESC,
    ),
    Shape(
        "three groups, -updated",
        lambda c: TicketFilter(group=tuple({_group(c) for _ in range(3)}), **_OPEN),
    ),
    Shape("breached, due", lambda _: TicketFilter(breached=True, **_OPEN), Sort.DUE),
    Shape("breached, -created", lambda _: TicketFilter(breached=True, **_OPEN), Sort.CREATED_DESC),
    Shape("at risk, due", lambda _: TicketFilter(at_risk=True, **_OPEN), Sort.DUE),
    Shape(
        "at risk of a group, due",
        lambda c: TicketFilter(at_risk=True, group=(_group(c),), **_OPEN),
        Sort.DUE,
    ),
    Shape("on hold, -updated", lambda _: TicketFilter(status=(StatusCategory.HOLD,))),
    Shape("solved (none), -updated", lambda _: TicketFilter(status=(StatusCategory.SOLVED,))),
    Shape("urgent, due", lambda _: TicketFilter(priority=(Priority.URGENT,), **_OPEN), Sort.DUE),
    Shape(
        "urgent of a group, due",
        lambda c: TicketFilter(priority=(Priority.URGENT,), group=(_group(c),), **_OPEN),
        Sort.DUE,
    ),
    Shape("by channel, -created", lambda _: TicketFilter(channel=(Channel.CHAT,)), Sort.CREATED_DESC),
    Shape("a tag, -updated", lambda c: TicketFilter(tag=(f"tag{3 * c.randrange(66)}",))),
    Shape("a common tag, due", lambda _: TicketFilter(tag=("vip",)), Sort.DUE),
    Shape(
        "a tag of a group, due",
        lambda c: TicketFilter(tag=(f"tag{3 * c.randrange(66)}",), group=(_group(c),)),
        Sort.DUE,
    ),
    Shape(
        "a field's value, -updated",
        lambda c: TicketFilter(fields=(FieldWish("product", (f"product {c.randrange(40)}",)),)),
    ),
    Shape(
        "a field's rare value, due",
        lambda c: TicketFilter(fields=(FieldWish("seat", (f"seat {c.randrange(CUSTOMERS)}",)),)),
        Sort.DUE,
    ),
    *(
        Shape(
            f"a field's {name} of {where}, {sort}",
            lambda c, r=reach, g=group: TicketFilter(
                fields=(FieldWish("amount", (r,)),), group=(g or _group(c),), **_OPEN
            ),
            sort,
        )
        for name, reach in (
            ("value", "7"), ("range", "100..150"), ("wide range", "100..199"), ("whole range", "0.."),
        )
        for where, group in (("a group", None), ("half of all", "group0"))
        for sort in (Sort.UPDATED_DESC, Sort.PRIORITY)
    ),
    Shape(
        "a range, a priority and a tag of a group, due",
        lambda c: TicketFilter(
            fields=(FieldWish("amount", ("100..199",)),), group=(_group(c),), tag=("vip",),
            priority=(Priority.HIGH,), **_OPEN,
        ),
        Sort.DUE,
    ),
    Shape(
        "a seldom value beside a common word, -due",
        lambda c: TicketFilter(
            fields=(FieldWish("seat", (f"seat {c.randrange(CUSTOMERS)}",)),), q=_word(c, 1, 20)
        ),
        Sort.DUE_DESC,
    ),
    Shape(
        "two values that exclude each other, -updated",
        lambda _: TicketFilter(type=("incident",), language=("de",), **_OPEN),
    ),
    *(
        Shape(
            f"due within {minutes} min{' of a group' if is_group else ''}, {sort}",
            lambda c, m=minutes, g=is_group: TicketFilter(
                due_within=m, group=(_group(c),) if g else (), **_OPEN
            ),
            sort,
        )
        for minutes, is_group, sort in (
            (60, False, Sort.UPDATED_DESC), (10_080, False, Sort.PRIORITY), (10_080, True, Sort.CREATED),
        )
    ),
    Shape(
        "created within a day, -updated",
        lambda c: _created_within_a_day(datetime.now(UTC) - timedelta(days=c.randrange(2, 290))),
    ),
    Shape("of a machine, due", lambda _: TicketFilter(requester="customer0", **_OPEN), Sort.DUE),
    *(
        Shape(
            f"of a machine{name}", lambda c, f=narrowed: TicketFilter(requester="customer0", **f(c), **_OPEN), sort
        )
        for name, narrowed, sort in (
            (", priority", lambda _: {}, Sort.PRIORITY),
            (" and a group, priority", lambda c: {"group": (_group(c),)}, Sort.PRIORITY),
            (" and a tag, -updated", lambda c: {"tag": (f"tag{3 * c.randrange(66)}",)}, Sort.UPDATED_DESC),
        )
    ),
    Shape("in a field's order", lambda _: TicketFilter(**_OPEN), FieldSort("amount", is_descending=True)),
    Shape("a type, -updated", lambda _: TicketFilter(type=("incident",), **_OPEN)),
    Shape(
        "an organisation, due", lambda c: TicketFilter(organization=(f"org{c.randrange(900)}",)), Sort.DUE
    ),
    Shape("a requester, -updated", lambda c: TicketFilter(requester=_customer(c))),
    Shape(
        "a customer's own, -updated", lambda _: TicketFilter(), scope=lambda c: Scope(_customer(c))
    ),
    *(
        Shape(
            f"a {name} word, {sort}", lambda c, r=reach: TicketFilter(q=_word(c, *r), **_OPEN), sort
        )
        for name, reach in (
            ("common", (1, 20)), ("middling", (100, 400)), ("seldom", (4_000, 20_000)),
        )
        for sort in (Sort.UPDATED_DESC, Sort.DUE)
    ),
    Shape(
        "two middling words", lambda c: TicketFilter(q=f"{_word(c, 50, 200)} {_word(c, 50, 200)}")
    ),
    *(
        Shape(
            f"a phrase of {name} words{where}",
            lambda c, r=reach, f=narrowed: TicketFilter(q=f'"{_word(c, *r)} {_word(c, *r)}"', **f(c)),
            sort,
        )
        for name, reach, where, narrowed, sort in (
            ("the commonest", (1, 6), "", lambda _: {}, Sort.UPDATED_DESC),
            ("common", (1, 20), ", due", lambda _: _OPEN, Sort.DUE),
            ("common", (1, 20), " of a group", lambda c: {"group": (_group(c),), **_OPEN}, Sort.UPDATED_DESC),
            ("common", (1, 20), " of a group, due", lambda c: {"group": (_group(c),), **_OPEN}, Sort.DUE),
            ("common", (1, 20), " of an agent", lambda c: {"assignee": (_agent(c),), **_OPEN}, Sort.UPDATED_DESC),
            ("common", (1, 20), " with a tag", lambda c: {"tag": (f"tag{3 * c.randrange(66)}",)}, Sort.UPDATED_DESC),
            ("common", (1, 20), " with a common tag", lambda _: {"tag": ("vip",)}, Sort.UPDATED_DESC),
            ("less common", (20, 60), "", lambda _: {}, Sort.UPDATED_DESC),
            ("less common", (20, 60), " of a group", lambda c: {"group": (_group(c),), **_OPEN}, Sort.UPDATED_DESC),
            ("less common", (20, 60), " with a common tag", lambda _: {"tag": ("vip",)}, Sort.UPDATED_DESC),
            ("middling", (100, 400), "", lambda _: {}, Sort.UPDATED_DESC),
        )
    ),
    Shape(
        "a phrase of three common words with a common tag",
        lambda c: TicketFilter(q=f'"{_word(c, 1, 12)} {_word(c, 1, 12)} {_word(c, 1, 12)}"', tag=("vip",)),
    ),
    Shape(
        "a middling word of a group",
        lambda c: TicketFilter(q=_word(c, 100, 400), group=(_group(c),), **_OPEN),
    ),
    Shape("of my two groups, due", lambda c: TicketFilter(group_of=_agent(c), **_OPEN), Sort.DUE),
    Shape("of my groups, of which there are none", lambda _: TicketFilter(group_of="nobody", **_OPEN)),
    Shape("a word that is nowhere", lambda _: TicketFilter(q="nowhereatall")),
    Shape("a number as word", lambda c: TicketFilter(q=str(c.randrange(1_000_000)))),
    Shape(
        "a customer searches",
        lambda c: TicketFilter(q=_word(c, 1, 20)),
        scope=lambda c: Scope(_customer(c)),
    ),
    Shape(
        "a customer with a tenth of all searches", lambda c: TicketFilter(q=_word(c, 100, 400)),
        scope=lambda _: Scope("customer0"),
    ),
)  # fmt: skip

_WHOLE_NAMES: Final = (
    "one group, due",
    "a type, -updated",
    "two values that exclude each other, -updated",
    "a common word, due",
    "a middling word of a group",
    "a phrase of common words of a group",
)
WHOLE: Final = tuple(shape for shape in SHAPES if shape.name in _WHOLE_NAMES)
"""Of these it is measured too how long a view's count takes, and the ids of all for a job."""


def measure(product: Product, scale: Scale, report: Report) -> None:
    """Fill a database and ask."""
    with product.fresh_database(_DATABASE):
        settings = Settings(
            database_url=SecretStr(product.database_url("query", _DATABASE)),
            kafka_bootstrap_servers=product.kafka,
        )
        store = Database(settings, schema="query")
        store.open()
        store.migrate("shared.messaging", "shared.audit", "services.query")
        fill(lambda: product.connect(_DATABASE), scale.listed_tickets)
        for figure in run(lambda: _ask(store, scale.list_rounds)):
            report.add(figure)


async def _ask(store: Database, rounds: int) -> list[Figure]:
    pool = await store.pool()
    try:
        found = [
            _figure(shape.name, await _timed(pool, shape, rounds), _P95_MS_MAX) for shape in SHAPES
        ]
        few = range(min(rounds, 10))
        found.append(_figure("the board", [await _seconds(board(pool)) for _ in few], _P95_MS_MAX))
        for typed in ("c", "customer 12", "c1234", "nobody"):
            people = [await _seconds(find_contacts(pool, typed, limit=20)) for _ in few]
            found.append(_figure(f"people as one types, {typed}", people, _P95_MS_MAX))
        for shape in WHOLE:
            chance = random.Random(shape.name)
            asked = [(shape.make(chance), shape.scope(chance)) for _ in few]
            counts = [
                await _seconds(
                    count_tickets(
                        pool, *each, at_most=COUNTED_MAX + 1, seconds_max=_COUNT_SECONDS_MAX
                    )
                )
                for each in asked
            ]
            found.append(_figure(f"count of {shape.name}", counts))
            ids = [
                await _seconds(ids_of(pool, *each, sort=shape.sort, limit=IDS_MAX + 1))
                for each in asked
            ]
            found.append(_figure(f"ids for a job, {shape.name}", ids))
    finally:
        await store.close()
    return found


async def _timed(pool: Pool, shape: Shape, rounds: int) -> list[float]:
    """Seconds of `rounds` first pages, and of the second ones where there are any."""
    chance = random.Random(shape.name)
    taken: list[float] = []
    for turn in range(rounds + 1):
        if turn > _ROUNDS_MIN and sum(taken) > _SHAPE_SECONDS_MAX:
            break  # what takes long is known by then
        wanted, scope = shape.make(chance), shape.scope(chance)
        began = time.perf_counter()
        page = await list_tickets(pool, wanted, scope, sort=shape.sort)
        pages = [time.perf_counter() - began]
        if page.next:
            following = list_tickets(pool, wanted, scope, sort=shape.sort, after=page.next)
            pages.append(await _seconds(following))
        if turn:  # the first one warms up: connections, caches
            taken += pages
    return taken


async def _seconds(asked: Awaitable[Any]) -> float:
    began = time.perf_counter()
    await asked
    return time.perf_counter() - began


def p95(taken: list[float]) -> float:
    """Milliseconds that 19 of 20 stay below."""
    return 1_000 * sorted(taken)[min(len(taken) - 1, int(len(taken) * 0.95))]


def _figure(name: str, taken: list[float], ms_max: float | None = None) -> Figure:
    return Figure(
        section=SECTION,
        name=f"{name}, p95",
        value=p95(taken),
        unit="ms",
        goal=None if ms_max is None else Goal(at_most=ms_max),
        details={"median_ms": 1_000 * sorted(taken)[len(taken) // 2], "asked": len(taken)},
    )
