"""The life as a machine: any moves at any moments; illegal ones are refused with a reason, and nothing breaks."""

from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.intake.domain import Ticket, decide, evolve, open_ticket
from services.intake.domain import commands as c
from services.intake.domain.conversation import is_follow_up
from services.intake.domain.definitions import Definitions, FieldDefinition
from services.intake.domain.life_policy import LifePolicy, Span, Terms
from shared.errors import Invalid, Refused
from shared.events import StatusCategory as C
from shared.events import codec
from shared.events.tickets import CustomerReplied, TicketEvent
from tests.unit.intake.givens import LATER, MESSAGE, NOW, OTHER, circumstances, to_open

POLICY = LifePolicy(reopen_within=Span(hours=48), close_after=Span(hours=96))
TERMS = Terms(POLICY, "desk", 3)
DEFINITIONS = Definitions(
    {
        "cause": FieldDefinition(
            label="Cause", type="choice", options=("a", "b"), required_on="solve"
        )
    }
)
OPEN = (C.OPEN, C.ANSWERED, C.PENDING, C.HOLD)
THANKS = ("Thanks!", "Vielen Dank", "👍")
NO_THANKS = ("Thanks, but it still fails", "It burns", "Danke, geht nicht")


class Life(RuleBasedStateMachine):
    """One ticket; time only moves forward."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        first = open_ticket(to_open(), number=7, context=circumstances(), at=NOW)
        self.ticket: Ticket = evolve(None, first)
        self.history: list[TicketEvent] = [first]
        self.children: tuple[int, ...] = ()
        self.solved_at = None

    def ask(self, command: c.Command) -> list[TicketEvent] | Refused:
        waits = self.ticket.waits_for_children
        context = circumstances(recorded_at=LATER + timedelta(days=999))
        context = type(context)(
            **{name: getattr(context, name) for name in context.__struct_fields__}
            | {
                "terms": TERMS,
                "definitions": DEFINITIONS,
                "open_children": self.children if waits else (),
            }
        )
        self.context = context
        before = self.ticket
        try:
            events = decide(before, command, context=context, at=self.now)
        except Refused as error:
            refusal = error
        else:
            return self.happened(before, events)
        assert refusal.detail, "a refusal says why"
        assert refusal.code != "refused", "and is named"
        return refusal

    def happened(self, before: Ticket, events: list[TicketEvent]) -> list[TicketEvent]:
        for event in events:
            assert event.version == self.ticket.version + 1
            self.ticket = evolve(self.ticket, event)
            self.history.append(event)
        if before.category is not C.SOLVED and self.ticket.category is C.SOLVED:
            self.solved_at = self.now
        return events

    @rule(hours=st.integers(1, 60))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule(category=st.sampled_from(list(C)), days=st.sampled_from([None, -1, 2, 400]))
    def somebody_moves_it(self, category: C, days: int | None) -> None:
        until = None if days is None else self.now + timedelta(days=days)
        before = self.ticket
        answer = self.ask(c.ChangeStatus(category=category, until=until))
        if isinstance(answer, Refused):
            return
        if category in {C.SOLVED, C.CLOSED}:
            assert answer == []
        assert before.category is not C.CLOSED
        assert category is not C.NEW or before.category is C.NEW

    @rule(body=st.sampled_from(THANKS))
    def the_customer_says_thanks(self, body: str) -> None:
        before = self.ticket
        answer = self.ask(c.AddCustomerReply(message_id=MESSAGE, body=body))
        if before.merged_into is not None:
            assert isinstance(answer, Refused)
        elif before.category in {C.SOLVED, C.CLOSED}:
            assert [type(event) for event in answer] == [CustomerReplied]
            assert answer[0].courtesy is not None
            assert self.ticket.category is before.category

    @rule(body=st.sampled_from(NO_THANKS))
    def the_customer_writes(self, body: str) -> None:
        before, command = self.ticket, c.AddCustomerReply(message_id=MESSAGE, body=body)
        answer = self.ask(command)
        follows = is_follow_up(before, command, self.now, self.context)
        if before.merged_into is not None or follows:
            assert isinstance(answer, Refused)
            return
        assert not isinstance(answer, Refused)
        assert answer[0].courtesy is None
        assert self.ticket.category in {C.NEW, C.OPEN}
        if before.category is C.SOLVED:
            assert self.now <= self.solved_at + timedelta(hours=48)

    @rule(then=st.sampled_from([None, C.PENDING, C.HOLD, C.NEW]), is_automatic=st.booleans())
    def an_agent_writes(self, then: C | None, is_automatic: bool) -> None:
        moved = None if then is None else c.ChangeStatus(category=then)
        command = c.AddAgentReply(
            message_id=MESSAGE, body="Hello", then=moved, is_automatic=is_automatic
        )
        before = self.ticket
        answer = self.ask(command)
        if before.category is C.CLOSED:
            assert isinstance(answer, Refused)

    @rule(value=st.sampled_from(["a", "b", "z", 3, None]))
    def a_field_is_set(self, value: object) -> None:
        before = self.ticket
        answer = self.ask(c.ChangeFields(fields={"cause": value}))
        if value not in {"a", "b", None} and before.category is not C.CLOSED:
            assert isinstance(answer, Invalid)
            assert answer.errors[0].field == "fields.cause"

    @rule()
    def an_agent_solves_it(self) -> None:
        before = self.ticket
        answer = self.ask(c.Resolve(summary="Done"))
        if isinstance(answer, Refused) or not answer:
            return
        assert before.fields.get("cause") in {"a", "b"}
        assert not (before.waits_for_children and self.children)
        assert self.ticket.reopen_until == self.now + timedelta(hours=48)
        assert self.ticket.close_at == self.now + timedelta(hours=96)

    @rule(wanted=st.sampled_from([*OPEN, C.NEW, C.POSTPONED]))
    def somebody_reopens_it(self, wanted: C) -> None:
        before = self.ticket
        answer = self.ask(c.Reopen(category=wanted))
        if isinstance(answer, Refused) or not answer:
            return
        assert before.category is C.SOLVED or (before.category is C.CLOSED and before.has_courtesy)
        assert answer[0].cause == ("courtesy_overruled" if before.has_courtesy else "requested")

    @rule()
    def somebody_closes_it(self) -> None:
        before = self.ticket
        answer = self.ask(c.Close())
        assert isinstance(answer, list) or before.merged_into or self.children

    @rule()
    def the_customer_confirms(self) -> None:
        before = self.ticket
        answer = self.ask(c.Confirm())
        if isinstance(answer, list) and answer:
            assert before.category is C.SOLVED

    @precondition(lambda self: self.ticket.close_at is not None)
    @rule()
    def its_time_comes(self) -> None:
        due = self.ticket.close_at
        self.now = max(self.now, due)
        answer = self.ask(c.CloseWhenDue(close_at=due))
        if isinstance(answer, list):
            assert self.ticket.category is C.CLOSED
            assert "life policy of group desk, version 3" in answer[0].rule

    @rule(early=st.booleans())
    def the_timer_is_late_or_wrong(self, early: bool) -> None:
        due = NOW + timedelta(days=3000 if early else -1)
        assert self.ask(c.CloseWhenDue(close_at=due)) == []
        assert self.ask(c.EndPostponement(until=due)) == []

    @rule()
    def it_is_merged(self) -> None:
        self.ask(c.Merge(into_ticket_id=OTHER, into_number=8))

    @rule()
    def the_merge_is_undone(self) -> None:
        before = self.ticket
        answer = self.ask(c.Unmerge())
        assert isinstance(answer, Refused) == (before.merged_into is None)
        if not isinstance(answer, Refused):
            expected = C.OPEN if before.before_merge is C.POSTPONED else before.before_merge
            assert self.ticket.category is expected

    @rule(waits=st.booleans(), children=st.sampled_from([(), (8, 9)]))
    def it_has_children(self, waits: bool, children: tuple[int, ...]) -> None:
        self.ask(c.SetFamilyRule(waits_for_children=waits))
        self.children = children

    @invariant()
    def nothing_is_broken(self) -> None:
        ticket = self.ticket
        assert (ticket.until is not None) == (ticket.category is C.POSTPONED)
        assert (ticket.merged_into is None) or ticket.category is C.CLOSED
        assert (ticket.before_merge is not None) == (ticket.merged_into is not None)
        assert ticket.close_at is None or ticket.category is C.SOLVED
        assert ticket.reopen_until is None or ticket.category is C.SOLVED
        assert ticket.version == len(self.history)

    def teardown(self) -> None:
        state: Ticket | None = None
        for event in self.history:
            state = evolve(state, codec.decode(event.wire_type, codec.encode(event)))
        assert state == self.ticket


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
