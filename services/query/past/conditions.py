"""What a list of the past asks of each ticket, as conditions in SQL: all that the list of the present can ask."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.sql import SQL, Composed

from services.query.facets import FIELD, OWN, TAG
from services.query.past import facets, people, promises, words
from services.query.past.backlog import ENDED, OPEN, STATES
from services.query.projections.intervals import nodes_of
from services.query.views import customer_state
from services.query.views.fields import FieldKind
from services.query.views.list_filter import NOBODY, TicketFilter
from services.query.views.text_query import TextQuery, query_of
from services.query.views.values import Values

CHANGED: Final[LiteralString] = """
CASE WHEN t.changed_at <= %(instant)s THEN t.changed_at ELSE (
    SELECT max(e.occurred_at) FROM timeline AS e WHERE e.stream_id = t.ticket_id
       AND e.topic IN ('tickets.v1', 'assignments.v1') AND e.occurred_at <= %(instant)s) END
"""
"""When the ticket `t` had changed last."""

# Tests of columns that never change, of a state, or of the newest change; %(…)s is the filter's attribute of that name.
_TESTS: Final[dict[str, tuple[LiteralString, str | None]]] = {
    "status": ("status.value = ANY(%(status)s)", None),
    "customer_state": ("status.value = ANY(%(customer_state)s)", None),
    "priority": ("priority.value = ANY(%(priority)s)", "priority"),
    "channel": ("t.via = ANY(%(channel)s)", None),
    "external_id": ("t.external_id = %(external_id)s", None),
    "created_from": ("t.opened_at >= %(created_from)s", None),
    "created_before": ("t.opened_at < %(created_before)s", None),
    "updated_from": (f"t.changed_at >= %(updated_from)s AND {CHANGED} >= %(updated_from)s", None),
    "updated_before": (f"{CHANGED} < %(updated_before)s", None),
    "due_within": (
        "due.due_at > %(instant)s AND due.due_at <= %(instant)s + make_interval(mins => %(due_within)s)",
        "due",
    ),
}
_ENDED: Final[LiteralString] = "status.value IN ('solved', 'closed')"
_JOINS: Final = {
    **STATES,
    "due": SQL("LEFT JOIN due ON due.ticket_id = t.ticket_id"),
}
"""What a condition or an order may need beside the ticket's own row."""

# Few had a ticket of these agents: the others' stints need not be looked at one by one.
_HAD: Final[LiteralString] = """
t.ticket_id IN (SELECT a.ticket_id FROM assignments AS a WHERE a.agent_id = ANY({})
                AND a.assigned_at <= %(instant)s AND (a.ended_at IS NULL OR a.ended_at > %(instant)s))
"""

SOURCES: Final = SQL("touched AS MATERIALIZED ({}), due AS MATERIALIZED ({})").format(
    SQL(facets.TOUCHED), promises.DUE
)
"""For the WITH of every statement with a question; what it does not refer to is not looked at."""


@dataclass(slots=True)
class Question:
    """A statement on its way: which tickets are looked at, what each must fulfil, and which joins that takes.

    It refers to `SOURCES`.

    Attributes:
        unread: the words, when too many tickets would have to be read again for them: those that fulfil
            `words.WRITTEN_SINCE` are then among the matching, and only their documents of the time can tell.
    """

    source: LiteralString
    values: Values
    conditions: list[SQL | Composed] = field(default_factory=list)
    joins: set[str] = field(default_factory=set)
    unread: TextQuery | None = None

    def ask(self, condition: SQL | Composed, join: str | None = None) -> None:
        self.conditions.append(condition)
        if join is not None:
            self.joins.add(join)

    def statement(self, columns: SQL | Composed, more: SQL | Composed) -> Composed:
        joins = [join for name, join in _JOINS.items() if name == "status" or name in self.joins]
        return SQL("SELECT {} FROM {} {} {} WHERE {}").format(
            columns,
            SQL(self.source),
            SQL(" ").join(joins),
            more,
            SQL(" AND ").join([SQL("t.version > 0"), *self.conditions]),
        )


async def question_of(
    connection: AsyncConnection[DictRow],
    wanted: TicketFilter,
    instant: datetime,
    kinds: dict[str, FieldKind],
) -> Question:
    """The filter's question about the instant.

    Args:
        connection: to the projections.
        wanted: the filter.
        instant: when.
        kinds: of the custom fields in it.

    Raises:
        Invalid: a value that a field cannot have.
    """
    is_about_open_ones = wanted.is_open is True or bool(
        wanted.status and not ENDED & set(wanted.status)
    )
    # What was open costs the backlog of the time, everything else all tickets opened until then.
    question = Question(
        f"({OPEN}) AS c JOIN tickets AS t USING (ticket_id)"
        if is_about_open_ones
        else "tickets AS t",
        Values(instant=instant, nodes=nodes_of(instant)),
        [SQL("t.opened_at <= %(instant)s")],
    )
    _ask_columns(question, wanted)
    await _ask_people(connection, question, wanted, instant)
    _ask_facets(question, wanted, kinds)
    if wanted.q:  # last: it looks at the tickets that the others leave
        await _ask_words(connection, question, await query_of(connection, wanted.q), instant)
    return question


def _ask_columns(question: Question, wanted: TicketFilter) -> None:
    for name, (test, join) in _TESTS.items():
        if (value := getattr(wanted, name)) in (None, ()):
            continue
        question.ask(SQL(test), join)
        if name == "customer_state":
            value = [each for state in value for each in customer_state.CATEGORIES[state]]
        question.values[name] = list(map(str, value)) if isinstance(value, tuple | list) else value
    if wanted.is_open is not None:
        question.ask(SQL("NOT {}" if wanted.is_open else "{}").format(SQL(_ENDED)))
    for wish, is_so in ((wanted.breached, promises.BREACHED), (wanted.at_risk, promises.AT_RISK)):
        if wish is not None:
            question.ask(SQL("{}" if wish else "NOT {}").format(is_so))


async def _ask_people(
    connection: AsyncConnection[DictRow],
    question: Question,
    wanted: TicketFilter,
    instant: datetime,
) -> None:
    groups = list(wanted.group)
    if wanted.group_of is not None:
        groups += await people.groups_of(connection, wanted.group_of, instant)
    if wanted.group or wanted.group_of is not None:
        question.ask(_one_of("grouped", groups, question.values), "grouped")
    if wanted.assignee:
        question.ask(_one_of("assigned", list(wanted.assignee), question.values), "assigned")
        if NOBODY not in wanted.assignee:
            question.ask(SQL(_HAD).format(question.values.put(list(wanted.assignee))))
    if wanted.requester is not None:
        ids = await people.ids_of(connection, wanted.requester, instant)
        question.ask(SQL("t.requester_id = ANY({})").format(question.values.put(ids)))


def _one_of(name: LiteralString, ids: list[str], values: Values) -> Composed:
    given = values.put([value for value in ids if value != NOBODY])
    condition = SQL("{}.value = ANY({})").format(SQL(name), given)
    if NOBODY in ids:
        condition = SQL("({} OR {}.value IS NULL)").format(condition, SQL(name))
    return condition


def _ask_facets(question: Question, wanted: TicketFilter, kinds: dict[str, FieldKind]) -> None:
    values = question.values
    for tag in wanted.tag:
        question.ask(facets.having(TAG, SQL("f.value = {}").format(values.put(tag)), values))
    for name in OWN:
        if given := getattr(wanted, name):
            test = SQL("f.value = ANY({})").format(values.put(list(given)))
            question.ask(facets.having(name, test, values))
    for wish in wanted.fields:
        test = kinds[wish.name].test(wish.wanted, values)
        question.ask(facets.having(FIELD + wish.name, test, values))


async def _ask_words(
    connection: AsyncConnection[DictRow], question: Question, asked: TextQuery, instant: datetime
) -> None:
    """Words that a ticket once had stay in its document: what never had them is not looked at."""
    whole, wanted = question.values.put(asked.whole), question.values.put(asked.wanted)
    document = SQL(
        "SELECT d.ticket_id FROM search_documents AS d WHERE d.everything @@ {}::tsquery OFFSET 0"
    )
    since = Question(question.source, question.values, list(question.conditions), question.joins)
    since.ask(SQL(words.WRITTEN_SINCE))
    if asked.wanted:
        since.ask(SQL("t.ticket_id IN ({})").format(document.format(wanted)))
    statement = SQL("WITH {} {} LIMIT {}").format(
        SOURCES, since.statement(SQL("t.ticket_id"), SQL("")), words.COUNTED_MAX + 1
    )
    found = await connection.execute(statement, question.values)
    ids = [row["ticket_id"] for row in await found.fetchall()]
    if len(ids) > words.COUNTED_MAX:
        question.unread = asked
        had: SQL | Composed = SQL(words.WRITTEN_SINCE)
        if asked.wanted:
            had += SQL(" AND t.ticket_id IN ({})").format(document.format(wanted))
    else:
        given = question.values.put(await words.having(connection, ids, asked, instant))
        had = SQL("t.ticket_id = ANY({})").format(given)
    question.ask(
        SQL("({had} OR t.ticket_id IN ({document}) AND NOT ({since}))").format(
            had=had, document=document.format(whole), since=SQL(words.WRITTEN_SINCE)
        )
    )
