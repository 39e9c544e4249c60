"""A million open tickets: every shape of list, search, count and board, each asked many times with other values."""

import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import psycopg
from pydantic import SecretStr

from services.query.settings import Settings
from services.query.views.board import board
from services.query.views.fields import FieldWish
from services.query.views.list_filter import TicketFilter
from services.query.views.lists import FieldSort, Order, Sort, list_tickets
from services.query.views.pools import Pool
from services.query.views.scope import Scope
from shared.database import Database
from shared.events import Channel, Priority, StatusCategory
from tests.bench.figures import Figure, Goal, Report
from tests.bench.product import Product, run
from tests.bench.scale import Scale

SECTION: Final = "lists"
_DATABASE: Final = "bench_lists"
_P95_MS_MAX: Final = 50.0
_STEP: Final = 20_000
GROUPS: Final = 50
AGENTS: Final = 2_000
CUSTOMERS: Final = 200_000
WORDS: Final = 20_000
"""Words of the vocabulary; the n-th is used in proportion to 1/n (Zipf), as in real text."""

# The first words are in nearly every ticket, the last in a handful; a message has some 40 of them. One group has half
# of all tickets, the smallest of fifty a third of a percent; one requester, a machine that watches others, has a tenth.
_TICKETS: Final = """
INSERT INTO query.tickets (ticket_id, version, number, subject, ticket_type, language, via, requester_id,
    requester_name, requester_email, organization, priority, priority_rank, initial_priority, category, category_since,
    is_open, open_since, tags,
    fields, opened_at, updated_at, customer_message_count, waiting_since, routing_version, group_id, group_ids,
    assignee_id, assignee_name, assigned_at, routed_at, sla_version, policy_id, policy_version, due_at, due_metric,
    is_at_risk, is_breached, breached_metrics, clocks)
SELECT gen_random_uuid(), 5, n, 'Ticket ' || n || ' about things',
       (ARRAY['incident', 'question', 'problem', 'task'])[1 + n %% 4],
       (ARRAY['en', 'de', 'fr', NULL])[1 + n %% 4], (ARRAY['email', 'form', 'chat', 'api'])[1 + n / 3 %% 4],
       'customer' || c, 'Customer ' || c, 'c' || c || '@example.org', 'org' || c %% 900,
       (ARRAY['low', 'normal', 'normal', 'normal', 'high', 'urgent'])[p], (ARRAY[0, 1, 1, 1, 2, 3])[p], 'normal',
       s, o, true, o, CASE WHEN n %% 3 = 0 THEN ARRAY['tag' || n %% 200, 'vip'] ELSE '{}' END,
       jsonb_build_object('product', 'product ' || n %% 40, 'amount', n %% 1000, 'seat', 'seat ' || c), o, u, 1, o, 2,
       g, ARRAY[g], a, 'Agent ' || a, CASE WHEN a IS NOT NULL THEN o END, u, 3, 'gold', 1,
       CASE WHEN n %% 10 < 8 THEN u + (n %% 10000 - 200) * interval '1 minute' END, 'resolution',
       n %% 100 = 1, n %% 50 = 0, CASE WHEN n %% 50 = 0 THEN ARRAY['resolution'] ELSE '{}' END,
       jsonb_build_array(jsonb_build_object('metric', 'resolution', 'cycle', 1, 'state', 'running'))
FROM generate_series(%(first)s::bigint, %(last)s::bigint - 1) AS n
CROSS JOIN LATERAL (SELECT now() - interval '300 days' + n * interval '25 s' AS o,
    CASE WHEN n %% 10 = 7 THEN 0 ELSE (random() ^ 2 * %(customers)s)::int END AS c,
    1 + (random() * 5.98)::int %% 6 AS p,
    'group' || floor(random() ^ 6 * %(groups)s) AS g,
    (ARRAY['new', 'open', 'open', 'open', 'pending', 'hold', 'answered'])[1 + (random() * 6.98)::int %% 7] AS s,
    CASE WHEN random() < 0.8 THEN 'agent' || (random() * %(agents)s)::int END AS a) AS chance
CROSS JOIN LATERAL (SELECT o + random() * (now() - o) AS u) AS later
"""

_DOCUMENTS: Final = """
INSERT INTO query.search_documents (ticket_id, everything, public, indexed_bytes)
SELECT t.ticket_id, d, NULL, 300 FROM query.tickets AS t
CROSS JOIN LATERAL (
    SELECT string_agg('word' || floor(%(words)s ^ random())::int, ' ') AS said
    FROM generate_series(1, 40) AS k WHERE t.number > 0) AS text
CROSS JOIN LATERAL (
    SELECT to_tsvector('simple', concat_ws(' ', t.number, t.subject, t.requester_name, t.requester_email,
                                           t.organization, said)) AS d) AS made
WHERE t.number >= %(first)s AND t.number < %(last)s
"""


# As the projection writes them.
_FACETS: Final = """
INSERT INTO query.facets (ticket_id, name, value, number)
SELECT t.ticket_id, v.* FROM query.tickets AS t CROSS JOIN LATERAL (
    SELECT 'tag', tag, NULL::double precision FROM unnest(t.tags) AS tag
    UNION ALL
    SELECT name, value, NULL
    FROM (VALUES ('type', t.ticket_type), ('language', t.language), ('organization', t.organization)) AS o (name, value)
    WHERE value <> ''
    UNION ALL
    SELECT 'field.' || key, value #>> '{}',
           CASE jsonb_typeof(value) WHEN 'number' THEN (value #>> '{}')::double precision END FROM jsonb_each(t.fields)
) AS v (name, value, number)
WHERE t.number >= %(first)s AND t.number < %(last)s
"""


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
    Shape(
        "created within a day, -updated",
        lambda c: _created_within_a_day(datetime.now(UTC) - timedelta(days=c.randrange(2, 290))),
    ),
    Shape("of a machine, due", lambda _: TicketFilter(requester="customer0", **_OPEN), Sort.DUE),
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
    Shape("a phrase of common words", lambda c: TicketFilter(q=f'"{_word(c, 1, 6)} {_word(c, 1, 6)}"')),
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
        with product.connect(_DATABASE) as connection:
            fill(connection, scale.listed_tickets)
        for name, taken in run(lambda: _ask(store, scale.list_rounds)).items():
            report.add(_figure(name, taken))


def fill(connection: psycopg.Connection[Any], tickets: int) -> None:
    """The tickets, their search documents, people; and the planner's statistics."""
    connection.execute("SELECT setseed(0.5)")
    values = {"groups": GROUPS, "agents": AGENTS, "customers": CUSTOMERS, "words": WORDS}
    for statement in (_TICKETS, _DOCUMENTS, _FACETS):
        for first in range(0, tickets, _STEP):
            span = {"first": first, "last": min(first + _STEP, tickets)}
            connection.execute(statement, {**values, **span})
    connection.execute(
        "INSERT INTO query.groups (group_id, version, name, changed_at)"
        " SELECT 'group' || n, 1, 'Group ' || n, now() FROM generate_series(0, %s) AS n",
        (GROUPS,),
    )
    connection.execute(
        "INSERT INTO query.agents (agent_id, version, name, groups, changed_at) SELECT 'agent' || n, 1, 'Agent ' || n,"
        " ARRAY['group' || n %% %s, 'group' || (n + 1) %% %s], now() FROM generate_series(0, %s) AS n",
        (GROUPS, GROUPS, AGENTS),
    )
    connection.execute("VACUUM ANALYZE")


async def _ask(store: Database, rounds: int) -> dict[str, list[float]]:
    pool = await store.pool()
    taken: dict[str, list[float]] = {}
    try:
        for shape in SHAPES:
            taken[shape.name], _ = await timed(pool, shape, rounds)
        taken["the board"] = [await _seconds(lambda: board(pool)) for _ in range(min(rounds, 10))]
    finally:
        await store.close()
    return taken


async def timed(pool: Pool, shape: Shape, rounds: int) -> tuple[list[float], str | None]:
    """Seconds of each of `rounds` first pages, and of as many second ones; and the last cursor."""
    chance = random.Random(shape.name)
    taken: list[float] = []
    following: str | None = None
    for turn in range(rounds + 1):
        wanted, scope = shape.make(chance), shape.scope(chance)
        began = time.perf_counter()
        page = await list_tickets(pool, wanted, scope, sort=shape.sort)
        first = time.perf_counter() - began
        began = time.perf_counter()
        if page.next:
            following = page.next
            await list_tickets(pool, wanted, scope, sort=shape.sort, after=page.next)
        if turn:  # the first one warms up: plans, connections, caches
            taken += [first, time.perf_counter() - began]
    return taken, following


async def _seconds(ask: Callable[[], Awaitable[Any]]) -> float:
    began = time.perf_counter()
    await ask()
    return time.perf_counter() - began


def p95(taken: list[float]) -> float:
    """Milliseconds that 19 of 20 stay below."""
    return 1_000 * sorted(taken)[min(len(taken) - 1, int(len(taken) * 0.95))]


def _figure(name: str, taken: list[float]) -> Figure:
    return Figure(
        section=SECTION,
        name=f"{name}, p95",
        value=p95(taken),
        unit="ms",
        goal=Goal(at_most=_P95_MS_MAX),
        details={"median_ms": 1_000 * sorted(taken)[len(taken) // 2], "asked": len(taken)},
    )
