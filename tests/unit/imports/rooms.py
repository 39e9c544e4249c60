"""The pure rooms of the real services, one after the other: what they make of an import."""

from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from deploy.imports import promises
from deploy.imports.commands import History, IntakeLine
from services.intake.api import batch, translate
from services.intake.api.lines import BatchLine, OpenLine
from services.intake.domain import Context, Ticket, decide, evolve, open_ticket
from services.query.projections.tickets import TicketFacts, fold
from services.query.projections.writes import Writes
from services.sla import engine
from services.sla.tickets.facts import fact_of
from services.sla.tickets.states import Row
from shared.calendar import parse_calendar
from shared.events import Actor, ActorKind, Channel, Event
from shared.events.tickets import TicketEvent
from shared.http.bodies import decode_json
from shared.security import Principal, Role

IMPORTER = Principal(id="servicenow-import", role=Role.SERVICE)
NOW = datetime(2030, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Judged:
    """A ticket at the end of its past. `is_kept`: the promise, None where none was made or it is undecided."""

    ticket: Ticket
    events: list[Event]
    facts: TicketFacts
    is_kept: bool | None


def the_rules() -> engine.Rulebook:
    """The import's own calendar and policy, read as the service reads them."""
    calendar = parse_calendar({**promises.CALENDAR, "id": promises.CALENDAR_ID, "version": 1})
    policy = engine.parse_policy({**promises.POLICY, "id": promises.POLICY_ID, "version": 1})
    return engine.Rulebook([policy], [calendar])


def judge(history: History, rules: engine.Rulebook) -> Judged:
    """Intake decides, query folds, sla judges; a refused command raises."""
    ticket, events = _through_intake(history)
    facts, writes = TicketFacts(ticket_id=ticket.id), Writes()
    for event in events:
        fold(facts, event, writes)
    return Judged(ticket, list(events), facts, _verdict(events, rules))


def _through_intake(history: History) -> tuple[Ticket, list[TicketEvent]]:
    ticket: Ticket | None = None
    events: list[TicketEvent] = []
    for line in history.intake:
        said = _as_read(line)
        actor = Actor(kind=ActorKind(said.actor.kind), id=said.actor.id) if said.actor else None
        context = Context(
            actor=actor or IMPORTER.actor,
            via=said.via or Channel.API,
            correlation_id="c",
            recorded_at=NOW,
        )
        assert said.occurred_at is not None
        if ticket is None:
            assert isinstance(said, OpenLine)
            command = translate.opening(said, IMPORTER)
            new = [open_ticket(command, number=1, context=context, at=said.occurred_at)]
        else:
            new = decide(
                ticket, batch._command(said, IMPORTER), context=context, at=said.occurred_at
            )
            assert new, f"{line.key} changes nothing"
        for event in new:
            ticket = evolve(ticket, event)
        events += new
    assert ticket is not None
    return ticket, events


def _as_read(line: IntakeLine) -> BatchLine:
    return decode_json(msgspec.json.encode(line), BatchLine)


def _verdict(events: list[TicketEvent], rules: engine.Rulebook) -> bool | None:
    row = Row(ticket_id=events[0].ticket_id)
    facts: list[engine.Fact] = []
    for event in events:
        fact = fact_of(event, row, with_assignments=False)
        if fact is not None:
            row.state, _ = engine.fold(row.state, fact, rules)
            facts.append(fact)
    found = [
        one for one in engine.evaluate(rules, facts, NOW).verdicts if one.metric == "resolution"
    ]
    if not found:
        return None
    return all(one.status == "met" for one in found)
