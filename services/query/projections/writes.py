"""What a batch adds beside the tickets' own rows: messages, spans, assignments, words to search for."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

import msgspec
import psycopg
from msgspec.structs import astuple
from psycopg.rows import DictRow

from services.query.languages import configuration
from services.query.projections import facets
from services.query.projections.intervals import fork_node
from services.query.projections.tables import Table, as_json, as_text
from shared.events import Event
from shared.events.tickets import Copied, MessagesSplit, SplitUndone

SEARCHED_BYTES_MAX: Final = 200_000
"""How much text of one ticket is searchable. A tsvector holds at most 1 MB, each word with its positions, so 200 kB
stay well below whatever the words are."""


class Span(msgspec.Struct, gc=False):
    """A field had a value from a moment on; `valid_to` is open while it still has."""

    ticket_id: UUID
    field: str
    version: int
    value: str | None
    valid_from: datetime
    valid_to: datetime | None = None


class Stint(msgspec.Struct, kw_only=True, gc=False):
    """An agent had a ticket."""

    ticket_id: UUID
    version: int
    agent_id: str
    agent_name: str | None
    group_id: str | None
    assigned_at: datetime
    ended_at: datetime | None = None
    end_reason: str | None = None
    mode: str
    strategy: str | None
    decision_id: UUID
    why: str
    load_before: float
    load_after: float
    capacity: float | None
    candidates_count: int
    rule: str | None
    rules_version: int | None
    waited_seconds: float
    actor_id: str


class Words(msgspec.Struct):
    """New text of one ticket, apart by who may find it. `language`: what the ticket says."""

    public: list[str]
    internal: list[str]
    language: str | None = None


_MESSAGES = Table(
    "messages",
    (
        "ticket_id", "version", "message_id", "kind", "is_automatic", "body", "sent_at",
        "author_kind", "author_id", "author_name", "via", "quotes", "courtesy", "copied",
    ),
    key=("ticket_id", "version"),
)  # fmt: skip
_TASKS = Table(
    "tasks",
    (
        "task_id", "ticket_id", "title", "checklist", "owner_id", "owner_name", "due_at", "is_done",
        "is_removed", "added_at", "done_at",
    ),
    key=("task_id",),
)  # fmt: skip
_SURVEYS = Table(
    "surveys",
    (
        "survey_id", "ticket_id", "resolution_count", "offered_at", "expires_at", "leaves_by", "group_id",
        "agent_id", "policy_group", "policy_version", "score", "first_score", "comment", "reason",
        "rated_at", "answers_count", "is_good_to_bad", "is_bad_to_good",
    ),
    key=("survey_id",),
)  # fmt: skip
_SPLITS = Table("split_messages", ("message_id", "ticket_id", "into_number"), key=("message_id",))
_SPANS = Table("spans", Span.__struct_fields__, key=("ticket_id", "field", "version"))
_SPAN_ENDS = Table(
    "spans", ("ticket_id", "field", "version", "valid_to"), key=("ticket_id", "field", "version")
)
_PERIODS = Table(
    "open_periods", ("ticket_id", "open_from", "open_to", "node"), key=("ticket_id", "open_from")
)
_FACETS = Table(
    "facets", ("ticket_id", "name", "value", "number"), key=("name", "value", "ticket_id")
)
_STINTS = Table("assignments", Stint.__struct_fields__, key=("ticket_id", "version"))
_STINT_ENDS = Table(
    "assignments", ("ticket_id", "version", "ended_at", "end_reason"), key=("ticket_id", "version")
)

# Reading words out of text is the dearest thing a projection does: once is enough (OFFSET keeps the planner from doing
# it in each place).
DOCUMENTS: Final[LiteralString] = """
SELECT ticket_id,
       CASE WHEN internal = '' THEN said.words ELSE said.words || to_tsvector(r.words::regconfig, internal) END
           AS everything,
       CASE WHEN internal <> '' THEN said.words END AS public,
       octet_length(public) + octet_length(internal) AS indexed_bytes
FROM json_to_recordset(%s::json) AS r (ticket_id uuid, public text, internal text, words text),
     LATERAL (SELECT to_tsvector(r.words::regconfig, public) AS words OFFSET 0) AS said
"""
"""Of `Writes.documents`: what is searched; `public` is null where nothing is internal."""

# Old words of a changed subject stay: whoever remembers the old subject finds the ticket too.
_SEARCH: Final[LiteralString] = (
    f"INSERT INTO search_documents AS d (ticket_id, everything, public, indexed_bytes) {DOCUMENTS}"
    """
ON CONFLICT (ticket_id) DO UPDATE
SET everything = d.everything || EXCLUDED.everything,
    public = CASE WHEN d.public IS NOT NULL OR EXCLUDED.public IS NOT NULL
        THEN coalesce(d.public, d.everything) || coalesce(EXCLUDED.public, EXCLUDED.everything) END,
    indexed_bytes = d.indexed_bytes + EXCLUDED.indexed_bytes
WHERE d.indexed_bytes + EXCLUDED.indexed_bytes <= %s
"""
)


class Writes:
    """Collects rows while a batch is folded and writes each table once."""

    def __init__(self) -> None:
        self._messages: list[tuple[Any, ...]] = []
        self._spans: dict[tuple[UUID, str, int], Span] = {}
        self._span_ends: dict[tuple[UUID, str, int], dict[str, Any]] = {}
        self._stints: dict[tuple[UUID, int], Stint] = {}
        self._stint_ends: dict[tuple[UUID, int], dict[str, Any]] = {}
        self._periods: list[tuple[Any, ...]] = []
        self._words: dict[UUID, Words] = {}
        self._tasks: dict[str, dict[str, Any]] = {}
        self._surveys: dict[str, dict[str, Any]] = {}
        self._splits: dict[UUID, dict[str, Any] | None] = {}
        self._facets: dict[UUID, list[facets.Row]] = {}
        self._refaceted: set[UUID] = set()

    def add_message(
        self,
        event: Event,
        message_id: UUID,
        kind: str,
        body: str,
        *,
        is_automatic: bool = False,
        quotes: UUID | None = None,
        courtesy: str | None = None,
        copied: Copied | None = None,
    ) -> None:
        """A message of the conversation; its words become searchable, a note's only for agents.

        `quotes`: the message it answers. `courtesy`: the words that made it a mere "thank you". `copied`: where a
        split took it from.
        """
        actor = event.actor if copied is None else copied.author
        self._messages.append(
            (
                event.stream_id, event.version, message_id, kind, is_automatic, as_text(body),
                event.occurred_at if copied is None else copied.sent_at,
                actor.kind.value, actor.id, actor.name, event.via.value,
                quotes, courtesy, None if copied is None else as_json(copied),
            )
        )  # fmt: skip
        self.add_words(event.stream_id, body, is_public=kind != "note")

    def put_task(self, row: dict[str, Any]) -> None:
        """A task as it is now."""
        self._tasks[row["task_id"]] = row

    def put_survey(self, row: dict[str, Any]) -> None:
        """A question to the customer as it is now."""
        self._surveys[row["survey_id"]] = row

    def split(self, event: MessagesSplit) -> None:
        """The messages became part of another ticket."""
        for message_id in event.message_ids:
            self._splits[message_id] = {
                "message_id": message_id,
                "ticket_id": event.ticket_id,
                "into_number": event.into_number,
            }

    def unsplit(self, event: SplitUndone) -> None:
        """The messages came back."""
        self._splits.update(dict.fromkeys(event.message_ids))

    def add_words(self, ticket_id: UUID, *texts: str | None, is_public: bool = True) -> None:
        """Text by which the ticket is to be found."""
        words = self._words.get(ticket_id)
        if words is None:
            words = self._words[ticket_id] = Words([], [])
        (words.public if is_public else words.internal).extend(filter(None, texts))

    def speak(self, ticket_id: UUID, language: str) -> None:
        """The language of the ticket's new text."""
        if words := self._words.get(ticket_id):
            words.language = language

    def set_facets(
        self,
        ticket_id: UUID,
        own: Mapping[str, str | None],
        tags: Sequence[str],
        fields: Mapping[str, Any],
        *,
        is_new: bool = False,
    ) -> None:
        """What it is listed by from now on, beside its columns. `is_new`: it had none before."""
        self._facets[ticket_id] = list(facets.rows_of(ticket_id, own, tags, fields))
        if not is_new:
            self._refaceted.add(ticket_id)

    def open_span(
        self, ticket_id: UUID, field: str, version: int, value: str | None, at: datetime
    ) -> None:
        """From `at` on the field has this value."""
        self._spans[ticket_id, field, version] = Span(ticket_id, field, version, value, at)

    def close_span(self, ticket_id: UUID, field: str, version: int, at: datetime) -> None:
        """The span that event `version` opened ends."""
        key = (ticket_id, field, version)
        if span := self._spans.get(key):
            span.valid_to = at
        else:
            self._span_ends[key] = dict(
                zip(("ticket_id", "field", "version", "valid_to"), (*key, at), strict=True)
            )

    def add_period(self, ticket_id: UUID, start: datetime, end: datetime) -> None:
        """The ticket was open for so long; a period of no length is none."""
        if end > start:
            self._periods.append((ticket_id, start, end, fork_node(start, end)))

    def open_stint(self, stint: Stint) -> None:
        """An agent has the ticket from now on."""
        self._stints[stint.ticket_id, stint.version] = stint

    def close_stint(self, ticket_id: UUID, version: int, at: datetime, reason: str) -> None:
        """The stint that event `version` opened ends."""
        key = (ticket_id, version)
        if stint := self._stints.get(key):
            stint.ended_at, stint.end_reason = at, reason
        else:
            self._stint_ends[key] = {
                "ticket_id": ticket_id, "version": version, "ended_at": at, "end_reason": reason,
            }  # fmt: skip

    def flush(self, cursor: psycopg.Cursor[DictRow]) -> None:
        """Write everything that was collected."""
        _MESSAGES.copy(cursor, self._messages)
        _TASKS.upsert(cursor, (self._tasks[task_id] for task_id in sorted(self._tasks)))
        _SURVEYS.upsert(cursor, (self._surveys[key] for key in sorted(self._surveys)))
        self._flush_splits(cursor)
        self._flush_facets(cursor)
        # An event opens a span or a stint once, and comes here once.
        _SPANS.copy(cursor, [astuple(span) for span in self._spans.values()])
        _SPAN_ENDS.update(cursor, self._span_ends.values())
        _PERIODS.copy(cursor, self._periods)
        _STINTS.copy(cursor, [astuple(stint) for stint in self._stints.values()])
        _STINT_ENDS.update(cursor, self._stint_ends.values())
        if self._words:
            cursor.execute(_SEARCH, (as_json(list(self.documents())), SEARCHED_BYTES_MAX))

    def _flush_splits(self, cursor: psycopg.Cursor[DictRow]) -> None:
        _SPLITS.upsert(
            cursor, [self._splits[key] for key in sorted(self._splits) if self._splits[key]]
        )
        if gone := [key for key, row in self._splits.items() if row is None]:
            cursor.execute("DELETE FROM split_messages WHERE message_id = ANY(%s)", (gone,))

    def _flush_facets(self, cursor: psycopg.Cursor[DictRow]) -> None:
        if self._refaceted:
            cursor.execute("DELETE FROM facets WHERE ticket_id = ANY(%s)", (list(self._refaceted),))
        _FACETS.copy(cursor, [row for rows in self._facets.values() for row in rows])

    def documents(self) -> Iterator[dict[str, Any]]:
        """The new words of each ticket, as rows for `DOCUMENTS`."""
        for ticket_id in sorted(self._words):
            words = self._words[ticket_id]
            public = cut("\n".join(words.public))
            # The public part first, so that a flood of notes never hides it.
            left = SEARCHED_BYTES_MAX - len(public.encode())
            internal = cut("\n".join(words.internal), bytes_max=left)
            yield {
                "ticket_id": ticket_id,
                "public": public,
                "internal": internal,
                "words": configuration(words.language, public or internal),
            }


def cut(text: str, *, bytes_max: int = SEARCHED_BYTES_MAX) -> str:
    """The beginning of `text` that fits into `bytes_max` bytes of UTF-8."""
    if len(text) * 4 <= bytes_max:
        return text
    return text.encode()[:bytes_max].decode(errors="ignore")
