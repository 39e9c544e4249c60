"""A million open tickets as the projections would have written them, in a minute or two."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

import psycopg

from services.query.word_pairs import PAIRS

GROUPS: Final = 50
AGENTS: Final = 2_000
CUSTOMERS: Final = 200_000
WORDS: Final = 20_000
"""Words of the vocabulary; the n-th is used in proportion to 1/n (Zipf), as in real text."""

Connect = Callable[[], AbstractContextManager[psycopg.Connection[Any]]]

_STEP: Final = 20_000
_WRITERS: Final = 2
_TABLES: Final = ["tickets", "search_documents", "facets"]

# Ids begin with the time, as the product's do. The first words are in nearly every ticket, the last in a handful; a
# message has some 40 of them. One group has half of all tickets, the smallest of fifty a third of a percent; one
# requester, a machine that watches others, has a tenth.
_FILL: Final = """
WITH made AS (
INSERT INTO query.tickets (ticket_id, version, number, subject, ticket_type, language, via, requester_id,
    requester_name, requester_email, organization, priority, priority_rank, initial_priority, category, category_since,
    is_open, open_since, tags,
    fields, opened_at, updated_at, customer_message_count, waiting_since, routing_version, group_id, group_ids,
    assignee_id, assignee_name, assigned_at, routed_at, sla_version, policy_id, policy_version, due_at, due_metric,
    is_at_risk, is_breached, breached_metrics, clocks)
SELECT uuidv7(o - now()), 5, n, 'Ticket ' || n || ' about things',
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
RETURNING *), said AS (
    INSERT INTO query.search_documents (ticket_id, everything, public, indexed_bytes)
    SELECT t.ticket_id,
           to_tsvector('simple', concat_ws(' ', t.number, t.subject, t.requester_name, t.requester_email,
                                           t.organization, words)), NULL, 300
    FROM made AS t CROSS JOIN LATERAL (
        SELECT string_agg('word' || floor(%(words)s ^ random())::int, ' ') AS words
        FROM generate_series(1, 40) AS k WHERE t.number > 0) AS text
)
INSERT INTO query.facets (ticket_id, name, value, number)
SELECT t.ticket_id, v.* FROM made AS t CROSS JOIN LATERAL (
    SELECT 'tag', tag, NULL::double precision FROM unnest(t.tags) AS tag
    UNION ALL
    SELECT name, value, NULL
    FROM (VALUES ('type', t.ticket_type), ('language', t.language), ('organization', t.organization)) AS o (name, value)
    WHERE value <> ''
    UNION ALL
    SELECT 'field.' || key, value #>> '{}',
           CASE jsonb_typeof(value) WHEN 'number' THEN (value #>> '{}')::double precision END FROM jsonb_each(t.fields)
) AS v (name, value, number)
"""

# As the reader leaves them when it has caught up.
_PAIRS: Final = PAIRS.format(
    which="d.ticket_id IN (SELECT ticket_id FROM tickets WHERE number >= %(first)s AND number < %(last)s)"
)
_ALL_READ: Final = """
INSERT INTO query.search_pairs_progress (documents, change_tx)
SELECT 'query.search_documents'::regclass::oid, pg_snapshot_xmax(pg_current_snapshot())::text::bigint
"""

_PEOPLE: Final = """
INSERT INTO query.contacts (contact_id, version, name, organization_id, definition, document, changed_at)
SELECT uuidv7(), 1, 'Customer ' || n, 'org' || n %% 900,
       jsonb_build_object('name', 'Customer ' || n, 'emails', jsonb_build_array('c' || n || '@example.org')),
       to_tsvector('simple', concat_ws(' ', 'Customer', n, 'c' || n, 'example', 'org')), now()
FROM generate_series(0, %s - 1) AS n
"""

_INDEXES: Final = """
SELECT format('DROP INDEX %%s', indexrelid::regclass) AS gone, pg_get_indexdef(indexrelid) AS made
FROM pg_index WHERE indrelid = %(table)s::regclass
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
UNION ALL
SELECT format('ALTER TABLE %%s DROP CONSTRAINT %%I', conrelid::regclass, conname),
       format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', conrelid::regclass, conname, pg_get_constraintdef(oid))
FROM pg_constraint WHERE conrelid = %(table)s::regclass AND contype = 'p'
"""


def fill(connect: Connect, tickets: int) -> None:
    """The tickets, their search documents with the pairs of words in them, people; and the planner's statistics."""
    steps = [(first, min(first + _STEP, tickets)) for first in range(0, tickets, _STEP)]
    with ThreadPoolExecutor(_WRITERS) as writers:
        with _without_indexes(connect, writers):
            list(writers.map(lambda step: _fill(connect, *step), steps))
        with connect() as connection:
            connection.execute("ANALYZE query.tickets (number)")
            ((index,),) = connection.execute(
                "SELECT pg_get_indexdef('query.search_pairs_pairs'::regclass)"
            ).fetchall()
            connection.execute("DROP INDEX query.search_pairs_pairs")
        list(writers.map(lambda step: _pair(connect, *step), steps))
    _make(connect, index)
    with connect() as connection:
        connection.execute(
            "INSERT INTO query.groups (group_id, version, name, changed_at)"
            " SELECT 'group' || n, 1, 'Group ' || n, now() FROM generate_series(0, %s) AS n",
            (GROUPS,),
        )
        connection.execute(
            "INSERT INTO query.agents (agent_id, version, name, groups, changed_at)"
            " SELECT 'agent' || n, 1, 'Agent ' || n, ARRAY['group' || n %% %s, 'group' || (n + 1) %% %s], now()"
            " FROM generate_series(0, %s) AS n",
            (GROUPS, GROUPS, AGENTS),
        )
        connection.execute(_ALL_READ)
        connection.execute(_PEOPLE, (min(tickets, CUSTOMERS),))
        connection.execute("VACUUM ANALYZE")


def _fill(connect: Connect, first: int, last: int) -> None:
    values = {"groups": GROUPS, "agents": AGENTS, "customers": CUSTOMERS, "words": WORDS}
    with connect() as connection:
        connection.execute("SELECT setseed(%s)", (first % 1_000_003 / 1_000_003,))
        connection.execute(_FILL, {**values, "first": first, "last": last})


def _pair(connect: Connect, first: int, last: int) -> None:
    with connect() as connection:
        connection.execute("SET search_path = query; SET work_mem = '32MB'")
        connection.execute(_PAIRS, {"first": first, "last": last})


@contextmanager
def _without_indexes(connect: Connect, writers: ThreadPoolExecutor) -> Iterator[None]:
    """Rows come in any order of every key: making each index once costs a fraction of keeping all up to date."""
    with connect() as connection:
        indexes = [
            index
            for table in _TABLES
            for index in connection.execute(_INDEXES, {"table": f"query.{table}"}).fetchall()
        ]
        for gone, _ in indexes:
            connection.execute(gone)
    yield
    # Keys first: each locks its table.
    indexes.sort(key=lambda index: not index[1].startswith("ALTER TABLE"))
    list(writers.map(lambda index: _make(connect, index[1]), indexes))


def _make(connect: Connect, definition: str) -> None:
    with connect() as connection:
        connection.execute("SET maintenance_work_mem = '256MB'")
        connection.execute(definition)
