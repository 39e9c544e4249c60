"""Rules on events: they act in order, say why, refuse loudly, and no set of them runs for ever."""

from datetime import timedelta
from itertools import pairwise
from uuid import uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.domain import decide
from services.intake.domain.actions import Actions, Macro
from services.intake.domain.commands import (
    AddAgentReply,
    AddCustomerReply,
    ChangePriority,
    ChangeTags,
    Close,
    RequestGroup,
    Resolve,
    Together,
)
from services.intake.domain.parts import RULE_RUNS_MAX
from services.intake.domain.rules.chain import DEPTH_MAX
from shared.errors import Invalid
from shared.events import Actor, ActorKind, Channel, Priority
from shared.events.assignments import GroupChanged
from shared.events.steps import ActionsUndone, RuleApplied, RuleNotApplied
from tests.unit.intake.givens import LATER, MESSAGE, a_ticket, after, circumstances
from tests.unit.intake.rules.play import a_book, followed, names


def happened(ticket, *commands, actor=None):
    """The events of these commands, and the ticket after them."""
    context = circumstances() if actor is None else circumstances(actor=actor)
    events = decide(ticket, Together(commands=commands), context=context, at=LATER)
    return events, after(ticket, events)


def tagged(ticket, *tags):
    return happened(ticket, ChangeTags(add=tags))


VIP = {
    "id": "vip",
    "title": "Very important",
    "events": ["tags_changed"],
    "when": [{"field": "tags_added", "op": "contains", "value": "vip"}],
    "actions": {"priority": "urgent", "note": "Hurry: {{requester.name}}"},
}


def test_it_acts_and_says_which_rule_why_and_what():
    events, ticket = tagged(a_ticket(), "vip")
    made, ticket = followed(ticket, events, a_book(VIP))
    assert names(made) == ["RuleApplied", "NoteAdded", "PriorityChanged"]
    run, note, _ = made
    assert (run.rule, run.rules_version, run.cause) == ("vip", 3, "tags_changed")
    assert run.conditions[0].condition == "tags_added contains vip"
    assert run.conditions[0].saw == {"tags_added": ["vip"]}
    assert [one["what"] for one in run.changes] == ["note", "priority"]
    assert run.causation_id == events[0].event_id
    assert run.until_version == made[-1].version
    assert {event.causation_id for event in made[1:]} == {run.event_id}
    assert {event.actor.id for event in made} == {"rule:vip@3"}
    assert note.body == "Hurry: Ben"
    assert ticket.priority is Priority.URGENT
    assert [event.version for event in made] == [3, 4, 5]


def test_it_stays_quiet_when_a_condition_does_not_hold_or_nothing_would_change():
    events, ticket = tagged(a_ticket(), "calm")
    assert followed(ticket, events, a_book(VIP))[0] == []
    urgent = a_ticket(tags=("ran",))
    events, ticket = happened(urgent, ChangePriority(priority=Priority.HIGH))
    assert followed(ticket, events, a_book({"events": ["priority_changed"]}))[0] == []


def test_what_the_ticket_refuses_is_recorded_with_the_reason():
    events, ticket = happened(a_ticket(), Close())
    made, _ = followed(ticket, events, a_book({"events": ["closed"]}))
    (refused,) = made
    assert isinstance(refused, RuleNotApplied)
    assert (refused.why, refused.rule) == ("refused", "r0")
    assert "closed" in refused.reason


def test_each_rule_sees_what_those_before_it_have_changed():
    first = {"events": ["tags_changed"], "actions": {"priority": "high"}}
    second = {
        "events": ["tags_changed"],
        "when": [{"field": "priority", "op": "gte", "value": "high"}],
        "actions": {"ticket_type": "incident"},
    }
    events, ticket = tagged(a_ticket(), "x")
    assert followed(ticket, events, a_book(first, second))[1].ticket_type == "incident"
    assert followed(ticket, events, a_book(second, first))[1].ticket_type is None


def test_a_rule_starts_another_and_its_event_names_the_way():
    first = {"id": "a", "events": ["tags_changed"], "actions": {"priority": "high"}}
    second = {"id": "b", "events": ["priority_changed"], "actions": {"ticket_type": "incident"}}
    events, ticket = tagged(a_ticket(), "x")
    made, _ = followed(ticket, events, a_book(first, second))
    runs = [event for event in made if isinstance(event, RuleApplied)]
    assert [(run.rule, run.after) for run in runs] == [("a", ()), ("b", ("a",))]
    assert runs[1].causation_id == made[1].event_id


def test_its_own_change_does_not_start_it_again():
    rule = {"events": ["tags_changed"], "actions": {"add_tags": ["again"]}}
    events, ticket = tagged(a_ticket(), "x")
    made, _ = followed(ticket, events, a_book(rule))
    assert names(made) == ["RuleApplied", "TagsChanged"]


def test_two_rules_that_undo_each_other_are_stopped_and_it_is_said_who_led_there():
    up = {"id": "up", "events": ["priority_changed"], "actions": {"priority": "urgent"}}
    down = {"id": "down", "events": ["priority_changed"], "actions": {"priority": "low"}}
    events, ticket = happened(a_ticket(), ChangePriority(priority=Priority.HIGH))
    made, _ = followed(ticket, events, a_book(up, down))
    stopped = [event for event in made if isinstance(event, RuleNotApplied)]
    assert [(one.rule, one.why, one.after) for one in stopped] == [("up", "loop", ("down",))]
    assert "down" in stopped[0].reason


def test_a_chain_of_rules_ends_at_its_depth_and_says_which_rule_it_kept():
    rules = [
        {
            "id": f"step-{n}",
            "events": ["tags_changed"],
            "when": [{"field": "tags_added", "op": "contains", "value": f"t{n}"}],
            "actions": {"add_tags": [f"t{n + 1}"]},
        }
        for n in range(DEPTH_MAX + 3)
    ]
    events, ticket = tagged(a_ticket(), "t0")
    made, _ = followed(ticket, events, a_book(*rules))
    last = made[-1]
    assert isinstance(last, RuleNotApplied)
    assert (last.why, last.rule) == ("depth", f"step-{DEPTH_MAX}")
    assert last.after == tuple(f"step-{n}" for n in range(DEPTH_MAX))


def test_an_hour_has_room_for_so_many_rules_and_the_limit_is_said_once():
    flip = {"events": ["customer_replied"], "actions": {"note": "Wrote."}}
    ticket, kinds = a_ticket(), []
    for _ in range(RULE_RUNS_MAX + 5):
        reply = AddCustomerReply(message_id=uuid4(), body="?")
        events, ticket = happened(ticket, reply)
        made, ticket = followed(ticket, events, a_book(flip))
        kinds += names(made)
    assert kinds.count("RuleApplied") == RULE_RUNS_MAX
    assert kinds.count("RuleNotApplied") == 1
    events, ticket = happened(ticket, AddCustomerReply(message_id=uuid4(), body="?"))
    later = LATER + timedelta(hours=1, seconds=1)
    assert names(followed(ticket, events, a_book(flip), now=later)[0])[0] == "RuleApplied"


def test_once_is_once_in_the_life_of_a_ticket():
    rule = {"events": ["customer_replied"], "once": True, "actions": {"note": "Hello."}}
    ticket, kinds = a_ticket(), []
    for _ in range(3):
        events, ticket = happened(ticket, AddCustomerReply(message_id=uuid4(), body="?"))
        made, ticket = followed(ticket, events, a_book(rule))
        kinds += names(made)
    assert kinds == ["RuleApplied", "NoteAdded"]


def test_a_robots_word_starts_nothing_and_a_rules_reply_is_a_robots():
    rule = {"events": ["agent_replied", "customer_replied"], "actions": {"reply": "Thanks!"}}
    reply = AddAgentReply(message_id=MESSAGE, body="Hi", is_automatic=True)
    events, ticket = happened(a_ticket(), reply)
    assert followed(ticket, events, a_book(rule))[0] == []
    events, ticket = happened(a_ticket(), AddCustomerReply(message_id=MESSAGE, body="?"))
    made, after_it = followed(ticket, events, a_book(rule))
    assert made[1].is_automatic
    assert after_it.is_waiting_for_us


def test_taking_a_step_back_starts_no_rule():
    events, ticket = tagged(a_ticket(), "vip")
    made, ticket = followed(ticket, events, a_book(VIP))
    stamp = {name: getattr(made[-1], name) for name in ("ticket_id", "occurred_at", "recorded_at")}
    back = ActionsUndone(
        **stamp,
        version=ticket.version + 1,
        actor=made[-1].actor,
        via=Channel.AGENT,
        correlation_id="c",
        step_id=made[0].step_id,
        title="Very important",
    )
    restored, ticket = happened(after(ticket, [back]), ChangeTags(remove=("vip",)))
    again, ticket = tagged(ticket, "vip")
    assert followed(ticket, [back, *restored, *again], a_book(VIP))[0] == []


def test_what_another_service_did_because_of_a_rule_does_not_start_that_rule():
    move = {
        "id": "move",
        "events": ["customer_replied", "group_changed"],
        "actions": {"group": "b"},
    }
    note = {"id": "note", "events": ["group_changed"], "actions": {"note": "Moved."}}
    book = a_book(move, note)
    events, ticket = happened(a_ticket(), AddCustomerReply(message_id=MESSAGE, body="?"))
    made, ticket = followed(ticket, events, book, group="a")
    asked = made[-1]
    heard = GroupChanged(
        ticket_id=ticket.id,
        version=2,
        occurred_at=LATER,
        recorded_at=LATER,
        actor=Actor(kind=ActorKind.SYSTEM, id="routing"),
        via=Channel.SYSTEM,
        correlation_id="c",
        causation_id=asked.event_id,
        group_id="c",
        previous_group_id="a",
        mode="manual",
        why="",
    )
    made, _ = followed(ticket, [heard], book, group="c")
    assert [(one.rule, one.after) for one in made if isinstance(one, RuleApplied)] == [
        ("note", ("move",))
    ]
    by_hand, _ = happened(ticket, RequestGroup(group_id="c"))
    other = GroupChanged(**{**_fields(heard), "causation_id": by_hand[0].event_id})
    made, _ = followed(ticket, [other], book, group="c")
    assert [one.rule for one in made if isinstance(one, RuleApplied)] == ["move", "note"]


def _fields(event):
    return {name: getattr(event, name) for name in event.__struct_fields__}


TRIGGERS = [
    "opened",
    "priority_changed",
    "tags_changed",
    "type_changed",
    "status_changed",
    "note_added",
]
ACTIONS = st.sampled_from(
    [
        *({"priority": one.value} for one in Priority),
        *({"add_tags": [tag]} for tag in "abc"),
        *({"remove_tags": [tag]} for tag in "abc"),
        *({"ticket_type": name} for name in ("x", "y")),
        *({"status": name} for name in ("open", "pending", "hold")),
        {"note": "n"},
        {"resolve": {"summary": "s"}},
    ]
)
CONDITIONS = st.sampled_from(
    [
        {"field": "priority", "op": "gte", "value": "high"},
        {"field": "tags", "op": "not_contains", "value": "a"},
        {"field": "status", "op": "is_not", "value": "solved"},
        {"field": "by", "op": "is", "value": "system"},
    ]
)
RULES = st.lists(
    st.fixed_dictionaries(
        {
            "events": st.lists(st.sampled_from(TRIGGERS), min_size=1, max_size=4, unique=True),
            "when": st.lists(CONDITIONS, max_size=2),
            "actions": ACTIONS,
            "once": st.booleans(),
        }
    ),
    max_size=12,
)


@given(rules=RULES, commands=st.lists(st.sampled_from(list(Priority)), min_size=1, max_size=6))
def test_no_set_of_rules_runs_for_ever_or_leaves_a_gap(rules, commands):
    book, ticket = a_book(*rules), a_ticket()
    for priority in commands:
        events, ticket = happened(
            ticket, ChangePriority(priority=priority), ChangeTags(tags=("z",))
        )
        made, ticket = followed(ticket, events, book)
        ran = [event.rule for event in made if isinstance(event, RuleApplied)]
        assert len(ran) == len(set(ran)) <= len(rules)
        assert all(len(event.after) <= DEPTH_MAX for event in made if hasattr(event, "after"))
        for one, two in pairwise([*events, *made]):
            assert two.version == one.version + 1
        assert len(ticket.rule_runs) <= RULE_RUNS_MAX


NOTIFY = {"to": ["agent", "lead", "boss@desk.example"], "text": "Look at #{{ticket.number}}."}


def test_it_tells_whoever_has_the_ticket_and_says_who_was_meant_and_is_nobody():
    events, ticket = tagged(a_ticket(), "vip")
    book = a_book(VIP | {"actions": {"notify": NOTIFY}})
    (run, notice), ticket = followed(ticket, events, book, group="first", agent="anna")
    assert notice.to == ("agent:anna", "lead:first", "boss@desk.example")
    assert (notice.subject, notice.body) == ("Very important", "Look at #7.")
    assert run.changes == ({"what": "notify", "added": notice.to, "after": "Look at #7."},)
    (_, notice), _ = followed(
        ticket,
        tagged(ticket, "vip2")[0],
        a_book({"events": ["tags_changed"], "actions": {"notify": NOTIFY}}),
    )
    assert (notice.to, notice.nobody) == (("boss@desk.example",), ("agent", "lead"))


def test_it_reopens_what_is_solved_and_leaves_alone_what_is_open():
    book = a_book(VIP | {"actions": {"reopen": True, "priority": "high"}})
    events, ticket = tagged(a_ticket(Resolve(summary="Done")), "vip")
    made, ticket = followed(ticket, events, book)
    assert names(made) == ["RuleApplied", "TicketReopened", "PriorityChanged"]
    events, ticket = tagged(a_ticket(), "vip")
    made, ticket = followed(ticket, events, book)
    assert names(made) == ["RuleApplied", "PriorityChanged"]


@pytest.mark.parametrize(
    ("actions", "place"),
    [
        ({"notify": NOTIFY | {"to": ["anna"]}}, "actions.notify.to[0]"),
        ({"notify": NOTIFY | {"text": "{{weather}}"}}, "actions.notify.text"),
        ({"reopen": True, "status": "pending"}, "actions.reopen"),
    ],
)
def test_what_could_never_be_done_is_named(actions, place):
    said = msgspec.convert(actions, Actions)
    assert [one.field for one in said.faults({}, "actions")] == [place]


def test_a_macro_sends_no_mails_to_strangers():
    macro = Macro(title="Tell all", actions=msgspec.convert({"notify": NOTIFY}, Actions))
    with pytest.raises(Invalid) as refusal:
        macro.check({})
    assert [one.field for one in refusal.value.errors] == ["actions.notify"]
