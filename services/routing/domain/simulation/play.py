"""A scenario is played: each action goes to a desk, time goes by in between, and everything decided is told."""

from collections import Counter
from datetime import datetime

import msgspec

from services.routing.domain import timing
from services.routing.domain.simulation.actions import Acted, Actions
from services.routing.domain.simulation.faults import check
from services.routing.domain.simulation.rehearsal import Rehearsal
from services.routing.domain.simulation.scenario import Action, Scenario, TicketName
from services.routing.domain.simulation.setting import (
    home_group,
    moments,
    roster_of,
    start_of,
)
from services.routing.domain.simulation.telling import (
    Decided,
    Done,
    Outcome,
    Waiting,
    last_about,
    tell,
)
from services.routing.domain.simulation.tickets import Tickets
from shared.errors import Refused
from shared.events.base import Event


def simulate(scenario: Scenario) -> Outcome:
    """Play it to the end of its actions; equal scenarios have equal outcomes.

    Raises:
        Invalid: naming every field at fault; what an action asks in vain is a `refused` result instead.
    """
    check(scenario)
    return _Play(scenario).run()


class _Play:
    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._moments = moments(scenario)
        self._rehearsal = Rehearsal(roster_of(scenario), start_of(scenario))
        self._tickets = Tickets()
        self._actions = Actions(self._rehearsal, self._tickets, home_group(scenario))
        self._results: list[Done] = []
        self._assigned: Counter[str] = Counter()

    def run(self) -> Outcome:
        self._rehearsal.at_desk(timing.review_everybody)
        for place, (action, moment) in enumerate(
            zip(self._scenario.actions, self._moments, strict=True)
        ):
            self._pass_until(moment)
            self._rehearsal.now = moment
            self._do(place, action)
        loads = self._loads()
        return Outcome(
            id=self._scenario.id,
            results=self._results,
            loads=loads,
            assigned_counts={agent: self._assigned[agent] for agent in loads},
            queue=self._queue(),
        )

    def _pass_until(self, moment: datetime) -> None:
        """Time speaks: what a rate limit lets go on, and what has a moment of its own, happens at its own moment."""
        while (at := self._rehearsal.next_moment()) is not None and at <= moment:
            self._rehearsal.now = max(at, self._rehearsal.now)
            room_at = self._rehearsal.next_room_at()
            decisions = self._tell(self._rehearsal.pass_time())
            if not decisions and at != room_at:
                continue  # a shift or a grace time ends, and nothing hangs on it
            self._note(None, "time", None, "done", None, "time", "Time went by.", decisions)

    def _do(self, place: int, action: Action) -> None:
        kind = str(action.__struct_config__.tag)
        ticket: TicketName | None = getattr(action, "ticket", None)
        try:
            acted = self._actions.do(action)
        except Refused as refusal:
            why = f"{refusal.detail[:1].upper()}{refusal.detail[1:].rstrip('.')}."
            field = f"actions[{place}].{_field_of(refusal, action)}"
            self._note(place, kind, ticket, "refused", None, refusal.code, why, [], field)
            return
        decisions = self._tell(acted.events)
        outcome, agent, code, why = _summed_up(acted, last_about(decisions, acted.ticket))
        self._note(place, kind, acted.ticket, outcome, agent, code, why, decisions)

    def _tell(self, events: list[Event]) -> list[Decided]:
        decisions = tell(events, self._tickets.name_of)
        self._assigned.update(
            one.agent for one in decisions if one.outcome == "assigned" and one.agent is not None
        )
        return decisions

    def _note(
        self,
        place: int | None,
        kind: str,
        ticket: TicketName | None,
        outcome: str,
        agent: str | None,
        code: str,
        why: str,
        decisions: list[Decided],
        field: str | msgspec.UnsetType = msgspec.UNSET,
    ) -> None:
        self._results.append(
            Done(
                action=place,
                type=kind,
                at=self._rehearsal.now,
                ticket=ticket,
                outcome=outcome,
                agent=agent,
                code=code,
                why=why,
                decisions=decisions,
                loads=self._loads(),
                field=field,
            )
        )

    def _loads(self) -> dict[str, float]:
        return {one.agent_id: one.load for one in self._rehearsal.roster.agents.values()}

    def _queue(self) -> list[Waiting]:
        found = []
        for ticket in self._rehearsal.queue():
            assert ticket.queued_at is not None
            found.append(
                Waiting(
                    ticket=self._tickets.name_of(ticket.ticket_id),
                    group=ticket.group_id,
                    priority=ticket.priority.value,
                    queued_at=ticket.queued_at,
                    due_at=ticket.due_at,
                    reasons=ticket.refusals.split(",") if ticket.refusals else [],
                )
            )
        return found


def _field_of(refusal: Refused, action: Action) -> str:
    """Verbs name the fields of the service's entrances (`agent_id`); what names none is about the action's subject."""
    named = (refusal.field or "").removesuffix("_id")
    subject = "ticket" if "ticket" in action.__struct_fields__ else "agent"
    return named if named in action.__struct_fields__ else subject


def _summed_up(acted: Acted, last: Decided | None) -> tuple[str, str | None, str, str]:
    """Outcome, agent, code and sentence of an action: those of the last decision about its ticket, if there is one."""
    if last is not None:
        return last.outcome, last.agent, last.code, last.why
    return acted.outcome, acted.agent, acted.code, acted.why
