"""Every kind of event either says old and new value of what it set, or is known to set nothing."""

import json
from pathlib import Path
from typing import Final

import pytest

from services.query.changes import changes_of
from shared.events import Event, decode, known_types

GOLDEN = Path(__file__).parents[2] / "contract" / "golden"

SET_NOTHING: Final = {
    # What was written or sent; the text is the event's own.
    "ticket.agent_replied.v1", "ticket.customer_replied.v1", "ticket.note_added.v1", "ticket.message_recorded.v1",
    "ticket.message_sent.v1", "ticket.message_not_delivered.v1", "ticket.notice_requested.v1",
    "ticket.satisfaction_offered.v1",
    # What was decided or run; what it changed is told by the events that it caused.
    "ticket.actions_applied.v1", "ticket.actions_undone.v1", "ticket.rule_applied.v1", "ticket.rule_not_applied.v1",
    "sla.escalation_step.v1", "sla.judged_again.v1", "sla.breach_upheld.v1",
    # Where it waits, and what a clock saw.
    "assignment.queued.v1", "assignment.withdrawn.v1", "sla.paused.v1", "sla.met.v1", "sla.cancelled.v1",
    "sla.warning.v1", "sla.unschedulable.v1", "sla.paged.v1", "sla.page_acknowledged.v1", "sla.page_unanswered.v1",
    "sla.page_ended.v1",
    # What was read.
    "reading.recorded.v1",
}  # fmt: skip


def a_golden(wire_type: str) -> Event:
    """The golden event; where it says the same before and after, as the first of its kind."""
    said = json.loads((GOLDEN / f"{wire_type}.json").read_bytes())
    if wire_type.endswith(".defined.v1"):
        said = {name: value for name, value in said.items() if not name.startswith("previous")}
    elif wire_type in {"contact.merge_received.v1", "contact.merge_undone.v1"}:
        said["previous"] = {"name": "another"}
    event = decode(wire_type, json.dumps(said).encode())
    assert isinstance(event, Event)
    return event


@pytest.mark.parametrize("wire_type", sorted(known_types()))
def test_every_kind_says_what_it_set(wire_type: str):
    changes = changes_of(a_golden(wire_type))
    assert bool(changes) == (wire_type not in SET_NOTHING)
    for field, (old, new) in changes.items():
        assert field
        assert (old, new) != (None, None), "a change has an old or a new value"


@pytest.mark.parametrize("wire_type", sorted(SET_NOTHING))
def test_what_knows_a_value_before_is_no_bystander(wire_type: str):
    fields = known_types()[wire_type].__struct_fields__
    assert [name for name in fields if name.startswith("previous")] == []


@pytest.mark.parametrize(
    ("there", "back", "field"),
    [
        ("ticket.task_added.v1", "ticket.task_removed.v1", "task"),
        ("ticket.linked.v1", "ticket.unlinked.v1", "link.a relation"),
        ("ticket.participant_added.v1", "ticket.participant_removed.v1", "participant.a role"),
        ("ticket.merge_received.v1", "ticket.merge_undone.v1", "part"),
        ("ticket.messages_split.v1", "ticket.split_undone.v1", "split"),
        ("contact.merged.v1", "contact.unmerged.v1", "same_as"),
        ("sla.breached.v1", "sla.breach_retracted.v1", "breach.a metric"),
    ],
)
def test_what_is_taken_back_is_the_old_value_then(there: str, back: str, field: str):
    (before, new), (old, after) = (changes_of(a_golden(kind))[field] for kind in (there, back))
    assert before is None
    assert after is None
    assert new is not None
    assert old is not None
