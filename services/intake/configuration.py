"""The configuration: documents with versions in the event store, and the whole of them in memory."""

from collections.abc import Collection, Mapping
from typing import Any, Final, Literal, TypeVar

import msgspec
import structlog

from services.intake.domain.actions import Answer
from services.intake.domain.definitions import Definitions, FieldDefinition, TypeDefinition
from services.intake.domain.forms import FormDefinition
from services.intake.domain.house import EMPTY, House
from services.intake.domain.life_policy import LifePolicy
from services.intake.domain.rules import RuleBook, RuleSet
from services.intake.domain.survey_policy import SurveyPolicy
from shared.calendar import Calendar, InvalidCalendar, parse_calendar
from shared.database import Transaction
from shared.errors import Conflict, NotFound
from shared.events import Stamp
from shared.events.configuration import ConfigurationDefined, configuration_stream
from shared.eventstore import EventTransaction

log = structlog.get_logger(__name__)

Kind = Literal[
    "life", "field", "ticket_type", "form", "macro", "answer", "survey", "view", "rules", "article"
]
RULES: Final = "rules"
"""Kind and name of the one document with all rules."""

CALENDAR: Final = "calendar"
"""The kind under which calendars of sla are kept; no event of ours makes them."""

T = TypeVar("T")


class Document(msgspec.Struct, frozen=True):
    """One document with its version."""

    name: str
    version: int
    definition: dict[str, Any]


class Configuration:
    """Gives the rules of the house without asking the database.

    Attributes:
        house: the whole, replaced at once. Behind another process's change until `refresh` is called again.
    """

    def __init__(self) -> None:
        self.house: House = EMPTY
        self._revision = -1

    def refresh(self, tx: Transaction) -> None:
        """Read everything anew when something has changed: a sum of versions over a few hundred rows tells."""
        tx.cursor.execute("SELECT coalesce(sum(version), 0)::bigint AS revision FROM configuration")
        row = tx.cursor.fetchone()
        assert row is not None, "an aggregate has a row"
        if row["revision"] != self._revision:
            self.house = read_house(tx)
            self._revision = row["revision"]

    def rules(self, tx: Transaction) -> RuleBook | None:
        """The rules in force. Read here when nothing was read yet: right after a start they count as well."""
        if self._revision < 0:
            self.refresh(tx)
        return self.house.rules

    def define(
        self,
        tx: EventTransaction[Any],
        kind: Kind,
        name: str,
        definition: dict[str, Any] | None,
        stamp: Stamp,
        *,
        expected: int | None = None,
    ) -> Document:
        """Store a new version of a document; the same again changes nothing. `None` takes it away.

        Raises:
            Conflict: the document has moved on from the expected version.
            NotFound: it is to be taken away and is not there.
        """
        if definition is not None:  # as the table gives it back: a tuple is not equal to a list
            definition = msgspec.json.decode(msgspec.json.encode(definition))
        tx.cursor.execute(
            "SELECT version, definition FROM configuration WHERE kind = %s AND name = %s FOR UPDATE",
            (kind, name),
        )
        row = tx.cursor.fetchone()
        version, before = (row["version"], row["definition"]) if row else (0, None)
        if expected not in {None, version}:
            raise Conflict(f"{kind} {name} is at version {version}, not {expected}")
        if definition is None and before is None:
            raise NotFound(f"there is no {kind} {name}")
        if definition == before:
            return Document(name, version, definition or {})
        event = ConfigurationDefined(
            **(stamp | {"version": version + 1}),
            kind=kind,
            name=name,
            definition=definition,
            previous=before,
        )
        assert event.stream_id == configuration_stream(kind, name)
        tx.append(event)
        put(tx, kind, name, version + 1, definition)
        return Document(name, version + 1, definition or {})


def put(
    tx: Transaction, kind: str, name: str, version: int, definition: Mapping[str, Any] | None
) -> None:
    """Keep a version of a document, unless a later one is kept already."""
    tx.cursor.execute(
        "INSERT INTO configuration (kind, name, version, definition) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (kind, name) DO UPDATE"
        " SET version = excluded.version, definition = excluded.definition"
        " WHERE configuration.version < excluded.version",
        (
            kind,
            name,
            version,
            None if definition is None else msgspec.json.encode(definition).decode(),
        ),
    )


def documents(tx: Transaction, kind: Kind) -> list[Document]:
    """All documents of a kind, by name."""
    tx.cursor.execute(
        "SELECT name, version, definition FROM configuration"
        " WHERE kind = %s AND definition IS NOT NULL ORDER BY name",
        (kind,),
    )
    return [
        Document(row["name"], row["version"], row["definition"]) for row in tx.cursor.fetchall()
    ]


def document(tx: Transaction, kind: Kind, name: str) -> Document:
    """One document as it is now, by primary key. Raises NotFound."""
    tx.cursor.execute(
        "SELECT name, version, definition FROM configuration"
        " WHERE kind = %s AND name = %s AND definition IS NOT NULL",
        (kind, name),
    )
    row = tx.cursor.fetchone()
    if row is None:
        raise NotFound(f"there is no {kind.replace('_', ' ')} {name}")
    return Document(row["name"], row["version"], row["definition"])


def read_house(tx: Transaction) -> House:
    """Everything that is configured."""
    tx.cursor.execute(
        "SELECT kind, name, version, definition FROM configuration WHERE definition IS NOT NULL"
        " AND kind NOT IN ('macro', 'answer', 'view', 'article') ORDER BY kind, name"
    )
    rows = tx.cursor.fetchall()

    def all_of(kind: str, type_: type[T]) -> dict[str, T]:
        return {
            row["name"]: msgspec.convert(row["definition"], type_)
            for row in rows
            if row["kind"] == kind
        }

    def versioned(kind: str, type_: type[T]) -> dict[str, tuple[T, int]]:
        versions = {row["name"]: row["version"] for row in rows if row["kind"] == kind}
        return {name: (one, versions[name]) for name, one in all_of(kind, type_).items()}

    calendars = _calendars({r["name"]: r["definition"] for r in rows if r["kind"] == CALENDAR})
    return House(
        definitions=Definitions(
            all_of("field", FieldDefinition), all_of("ticket_type", TypeDefinition)
        ),
        forms=all_of("form", FormDefinition),
        life=versioned("life", LifePolicy),
        surveys=versioned("survey", SurveyPolicy),
        calendars=calendars,
        calendars_version=sum(row["version"] for row in rows if row["kind"] == CALENDAR),
        rules=next((_rules(tx, row, calendars) for row in rows if row["kind"] == RULES), None),
    )


def _rules(
    tx: Transaction, row: Mapping[str, Any], calendars: Mapping[str, Calendar]
) -> RuleBook | None:
    try:
        rules = msgspec.convert(row["definition"], RuleSet)
    except msgspec.ValidationError as error:  # another process took it, a version apart
        log.warning("rules_not_understood", version=row["version"], error=str(error))
        return None
    texts = {one.name: msgspec.convert(one.definition, Answer) for one in _texts(tx, rules.answers)}
    book = RuleBook(rules, row["version"], calendars, texts)
    for rule in book.unusable:
        log.warning("rule_left_out", rule=rule, reason="its prepared text is gone")
    return book


def _texts(tx: Transaction, names: Collection[str]) -> list[Document]:
    return [one for one in documents(tx, "answer") if one.name in names] if names else []


def _calendars(definitions: Mapping[str, Any]) -> dict[str, Calendar]:
    calendars = {}
    for name, definition in definitions.items():
        try:
            calendars[name] = parse_calendar({**definition, "id": name, "version": 1})
        except InvalidCalendar as error:  # sla took it: a version of the product apart
            log.warning("calendar_not_understood", calendar_id=name, error=str(error))
    return calendars
