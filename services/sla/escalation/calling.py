"""The writing side of escalation: steps fire, people are told and paged level by level, somebody answers.

One object for one transaction of the judging; what it says goes into the same batch of alerts and the
same list of events (S25).
"""

from datetime import timedelta
from typing import Any, Final

from services.sla import engine
from services.sla.alerts.notice import Alert, Kind
from services.sla.alerts.outbox import AlertBatch
from services.sla.engine.state import LATENT, to_moment, to_us
from services.sla.escalation import climbing
from services.sla.escalation.state import Escalation, OpenPage
from services.sla.oncall.rotas import history_of
from services.sla.tickets.events import ACTOR, Cause
from services.sla.tickets.states import Row
from shared.errors import NotFound
from shared.events import assignments, sla, tickets
from shared.events.base import Actor, ActorKind, Channel, Event, Priority
from shared.eventstore import EventTransaction
from shared.identifiers import derived_id
from shared.observability import metrics

_BY_HAND: Final = frozenset({"manual", "pull"})
_RANKED: Final = tuple(Priority)

Answered = tuple[Row, str, int, Actor]
"""A clock of a ticket that somebody looks after, and who: their alerts are acknowledged as well."""


class Calling:
    """What one transaction has to say about ladders and pages.

    Args:
        tx: the transaction.
        rules: the rulebook in force.
        batch: where alerts are gathered.
        events: where events are gathered.
    """

    def __init__(
        self,
        tx: EventTransaction[Any],
        rules: engine.Rulebook,
        batch: AlertBatch,
        events: list[Event],
    ) -> None:
        self._tx = tx
        self._rules = rules
        self._batch = batch
        self._events = events
        self._on_call: dict[str, str | None] = {}
        self.answered: list[Answered] = []

    def hear(self, event: Event, row: Row) -> None:
        """An answer or an assignment may be an acknowledgement, as the ladder says."""
        if row.escalation is None or row.state is None:
            return
        cause = Cause(event.correlation_id, event.event_id, self._tx.now)
        match event:
            case tickets.AgentReplied() if not event.is_automatic:
                self._answer_all(row, "answered", event.actor, cause)
            case assignments.TicketAssigned() if event.mode in _BY_HAND:
                name = event.agent_name
                actor = Actor(kind=ActorKind.AGENT, id=event.agent_id, name=name)
                self._answer_all(row, "assigned", actor, cause)
            case _:
                pass

    def fire(self, row: Row, horizon_us: int, cause: Cause) -> None:
        """Let the steps and levels fire that are due before this instant."""
        state = row.state
        if state is None or not self._is_concerned(row):
            return
        escalation = row.escalation = row.escalation or Escalation()
        climbing.settled(escalation, state, self._rules)
        for due in climbing.due_steps(escalation, state, self._rules, horizon_us):
            due.climb.done, due.climb.last_us = due.number, due.planned_us
            if not row.is_imported:  # history calls nobody
                self._fire_step(row, due, cause)
        for page in escalation.pages:
            clock = state.clock(page.metric)
            ends_us = climbing.level_ends_us(page.escalates_us, clock)
            if page.state == "paged" and clock and ends_us is not None and ends_us < horizon_us:
                self._next_level(row, clock, page, cause)

    def settle(self, row: Row, cause: Cause) -> None:
        """Follow the clocks: end pages whose promise is over, and set the timer."""
        state = row.state
        if state is None or not self._is_concerned(row):
            row.escalation_due = None
            return
        escalation = row.escalation = row.escalation or Escalation()
        climbing.settled(escalation, state, self._rules)
        for page in list(escalation.pages):
            clock = state.clock(page.metric)
            reason = _why_over(page, clock, state)
            if reason is not None:
                escalation.pages.remove(page)
                self._end(row, page, clock, reason, cause)
        if not escalation.climbs:
            row.escalation = None
        next_us = climbing.next_us(escalation, state, self._rules)
        row.escalation_due = to_moment(next_us) if next_us is not None else None

    def acknowledge(
        self, row: Row, metric: str, cycle: int, actor: Actor, how: str, cause: Cause
    ) -> bool:
        """Somebody looks after this clock: its ladder stops. Whether that changed anything."""
        clock = row.state.clock(metric) if row.state else None
        if clock is None or clock.cycle != cycle or not clock.is_open:
            return False
        escalation = row.escalation or Escalation()
        climb, page = escalation.climb(metric), escalation.page(metric, cycle)
        is_news = page is not None and page.state != "acknowledged"
        if climb is not None and climb.cycle == cycle and climb.stopped is None:
            climb.stopped = how
            is_news = is_news or climb.done > 0
        if page is not None:
            page.state, page.escalates_us = "acknowledged", None
        if is_news or (climb is None and page is None):
            self._tell(
                sla.SlaPageAcknowledged,
                row,
                clock,
                cause,
                actor=actor,
                key=key_of(row, clock),
                step=page.step if page else climb.done if climb else 0,
                how=how,
            )
            metrics.SLA_PAGES.labels("acknowledged").inc()
        self.answered.append((row, metric, cycle, actor))
        return is_news

    # -- steps

    def _fire_step(self, row: Row, due: climbing.Due, cause: Cause) -> None:
        step, clock = due.step, due.clock
        targets = [] if due.is_silent else _resolved(step.notify, row)
        page = None if due.is_silent else step.page
        self._tell(
            sla.SlaEscalationStep,
            row,
            clock,
            cause,
            step=due.number,
            steps_count=due.steps_count,
            planned_at=to_moment(due.planned_us),
            raise_priority=_raised(step.raise_priority, row),
            move_to_group=step.move_to_group if step.move_to_group != row.group_id else None,
            notified=tuple(targets),
            pages=page is not None,
            is_silent=due.is_silent,
        )
        metrics.SLA_ESCALATION_STEPS.inc()
        if targets:
            self._alert(row, clock, targets, str(due.number))
        if page is not None:
            self._page(row, clock, page, due.number, cause)

    # -- pages

    def _page(
        self, row: Row, clock: engine.Clock, page: engine.Page, number: int, cause: Cause
    ) -> None:
        assert row.escalation is not None, "a step has fired"
        assert row.state is not None, "by a clock"
        before = row.escalation.page(clock.metric, clock.cycle)
        if before is not None:  # a higher step's page takes its place
            row.escalation.pages.remove(before)
        opened = OpenPage(
            metric=clock.metric,
            cycle=clock.cycle,
            step=number,
            level=0,
            round=1,
            count=0,
            attempt=climbing.attempt_of(clock, row.state),
        )
        row.escalation.pages.append(opened)
        self._climb_levels(row, clock, page, opened, cause)

    def _next_level(self, row: Row, clock: engine.Clock, page: OpenPage, cause: Cause) -> None:
        assert row.state is not None
        ladder = climbing.ladder_of(row.state, clock, self._rules)
        steps = ladder.steps if ladder is not None else ()
        asked = steps[page.step - 1].page if page.step <= len(steps) else None
        if asked is None:  # another policy holds now, without this page: its own steps go on
            self._unanswered(row, clock, page, cause)
        else:
            self._climb_levels(row, clock, asked, page, cause)

    def _climb_levels(
        self, row: Row, clock: engine.Clock, asked: engine.Page, page: OpenPage, cause: Cause
    ) -> None:
        """Page the next level where somebody is; levels without anybody are told and passed over."""
        for _ in range(len(asked.levels)):
            page.level += 1
            if page.level > len(asked.levels):
                if page.round > asked.repeats:
                    break
                page.level, page.round = 1, page.round + 1
            level = asked.levels[page.level - 1]
            person = level.agent or self._who(level.rota)
            ends_at = self._tx.now + timedelta(seconds=level.acknowledge_within_seconds)
            page.agent_id, page.rota_id = person, level.rota
            page.escalates_us = to_us(ends_at) if person else None
            self._tell(
                sla.SlaPaged,
                row,
                clock,
                cause,
                key=key_of(row, clock),
                step=page.step,
                level=page.level,
                levels_count=len(asked.levels),
                round=page.round,
                agent_id=person,
                rota_id=level.rota,
                escalates_at=ends_at if person else None,
            )
            metrics.SLA_PAGES.labels("paged" if person else "nobody_on_call").inc()
            if person is not None:
                page.count += 1
                name = f"{page.step}:{page.level}"
                self._alert(row, clock, [f"agent:{person}"], name, page.round)
                return
        self._unanswered(row, clock, page, cause)

    def _unanswered(self, row: Row, clock: engine.Clock, page: OpenPage, cause: Cause) -> None:
        """Nobody is left to page: everybody who listens to alerts is told."""
        page.state, page.escalates_us = "unanswered", None
        self._tell(
            sla.SlaPageUnanswered,
            row,
            clock,
            cause,
            key=key_of(row, clock),
            step=page.step,
            pages_count=page.count,
        )
        metrics.SLA_PAGES.labels("unanswered").inc()
        self._alert(row, clock, [], f"{page.step}:unanswered")

    def _who(self, rota_id: str | None) -> str | None:
        """Who is on call in this rota now; None: nobody, or the rota is not there."""
        if rota_id is None:
            return None
        if rota_id not in self._on_call:
            try:
                self._on_call[rota_id] = (
                    history_of(self._tx, rota_id).on_call(self._tx.now).agent_id
                )
            except NotFound:
                self._on_call[rota_id] = None
        return self._on_call[rota_id]

    def _end(
        self, row: Row, page: OpenPage, clock: engine.Clock | None, reason: str, cause: Cause
    ) -> None:
        if clock is not None:
            self._tell(
                sla.SlaPageEnded,
                row,
                clock,
                cause,
                cycle=page.cycle,
                key=key_of(row, clock, page.cycle),
                step=page.step,
                reason=reason,
            )

    def _answer_all(self, row: Row, how: str, actor: Actor, cause: Cause) -> None:
        assert row.state is not None
        assert row.escalation is not None
        for climb in row.escalation.climbs:
            clock = row.state.clock(climb.metric)
            if clock is None or clock.cycle != climb.cycle or not clock.is_open or not climb.done:
                continue
            ladder = climbing.ladder_of(row.state, clock, self._rules)
            if ladder is not None and how in ladder.acknowledged_by:
                self.acknowledge(row, clock.metric, clock.cycle, actor, how, cause)

    # -- writing

    def _is_concerned(self, row: Row) -> bool:
        if row.escalation is not None:
            return True
        state = row.state
        policy = self._rules.policy(state.policy_id, state.policy_version) if state else None
        return policy is not None and bool(policy.escalation)

    def _alert(
        self, row: Row, clock: engine.Clock, targets: list[str], step: str, round_: int = 1
    ) -> None:
        state = row.state
        assert state is not None
        attempt = climbing.attempt_of(clock, state)
        due_us = clock.due_us
        policy = state.policy_id or "", state.policy_version or 0
        identity = row.ticket_id, clock.metric, clock.cycle, attempt, *policy, step, round_
        self._batch.open(
            Alert(
                alert_id=derived_id("sla_escalation", *identity),
                dedupe_key=key_of(row, clock),
                kind=Kind.BREACH if clock.breached_us is not None else Kind.WARNING,
                ticket_id=row.ticket_id,
                number=row.number,
                metric=clock.metric,
                cycle=clock.cycle,
                priority=state.priority,
                policy_id=policy[0],
                policy_version=policy[1],
                group_id=row.group_id,
                agent_id=row.agent_id,
                due_at=to_moment(due_us) if due_us is not None else self._tx.now,
                breached_at=to_moment(clock.breached_us) if clock.breached_us else None,
                detected_at=self._tx.now,
                targets=targets,
                step=step,
            )
        )

    def _tell(
        self,
        kind: type[Event],
        row: Row,
        clock: engine.Clock,
        cause: Cause,
        actor: Actor = ACTOR,
        **more: Any,
    ) -> None:
        assert row.state is not None
        row.stream_version += 1
        fields: dict[str, Any] = {
            "version": row.stream_version,
            "occurred_at": self._tx.now,
            "recorded_at": self._tx.now,
            "actor": actor,
            "via": Channel.SYSTEM,
            "correlation_id": cause.correlation_id,
            "causation_id": cause.causation_id,
            "ticket_id": row.ticket_id,
            "metric": clock.metric,
            "cycle": clock.cycle,
            "policy_id": row.state.policy_id or "",
            "policy_version": row.state.policy_version or 0,
            "calendar_id": clock.calendar_id,
            "calendar_version": clock.calendar_version,
            "priority": Priority(row.state.priority),
            "target_seconds": clock.target_us / 1_000_000,
        }
        self._events.append(kind(**fields | more))


def key_of(row: Row, clock: engine.Clock, cycle: int | None = None) -> str:
    """`sla:<ticket>:<metric>:<cycle>`: what a page is acknowledged by and receivers group by."""
    return f"sla:{row.ticket_id}:{clock.metric}:{clock.cycle if cycle is None else cycle}"


def _why_over(page: OpenPage, clock: engine.Clock | None, state: engine.State) -> str | None:
    """Why nobody is needed any more; None: somebody still is."""
    if clock is None or clock.cycle != page.cycle:
        return "met"
    if not clock.is_open:
        return "cancelled" if clock.status == LATENT else clock.status
    return "retracted" if page.attempt < climbing.attempt_of(clock, state) else None


def _resolved(wanted: tuple[str, ...], row: Row) -> list[str]:
    """Whom these words mean for this ticket; who is nobody now is left out."""
    meant = {
        "assignee": f"agent:{row.agent_id}" if row.agent_id else None,
        "lead": f"lead:{row.group_id}" if row.group_id else None,
        "group": f"group:{row.group_id}" if row.group_id else None,
    }
    found = [meant.get(word, word) for word in wanted]
    return list(dict.fromkeys(target for target in found if target is not None))


def _raised(wanted: str | None, row: Row) -> Priority | None:
    """What the priority is raised to; None: it is there already."""
    assert row.state is not None
    if wanted is None:
        return None
    now = _RANKED.index(Priority(row.state.priority))
    goal = now + 1 if wanted == "next" else _RANKED.index(Priority(wanted))
    return _RANKED[goal] if now < goal < len(_RANKED) else None
