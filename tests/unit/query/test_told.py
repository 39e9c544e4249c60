"""Every kind of event has a sentence, and the sentence says old and new."""

import json
from typing import Any

import pytest

from services.query.changes import changes_of
from services.query.views.told import sentence
from services.query.views.told_promises import CAUSES
from services.sla.engine.clockwork import TARGET_CHANGED, TIME_PASSED
from services.sla.engine.facts import TAGS
from shared.events import Priority, StatusCategory, encode, known_types
from shared.events.policies import AlertSinkDefined, OncallContactDefined
from shared.events.tickets import Changed, FieldsChanged, PriorityChanged, StatusChanged
from shared.identifiers import new_id
from tests.integration.query.stories import Story
from tests.support.events import ANNA, stamp


@pytest.mark.parametrize("wire_type", sorted(known_types()))
def test_every_known_kind_is_described(wire_type: str) -> None:
    facts = dict.fromkeys(known_types()[wire_type].__struct_fields__)
    lists: dict[str, Any] = {"changes": {}, "added": [], "removed": []}
    said = sentence(wire_type, facts | {key: lists[key] for key in lists.keys() & facts.keys()})
    assert said != wire_type
    assert "{" not in said


@pytest.mark.parametrize("cause", [*TAGS.values(), TIME_PASSED, TARGET_CHANGED, "opened"])
def test_every_cause_that_sla_names_is_said_in_words(cause: str) -> None:
    assert cause in CAUSES
    facts = {"metric": "resolution", "cause": cause, "reason": cause}
    for kind in ("breached", "due_changed", "breach_retracted"):
        wire_type = f"sla.{kind}.v1"
        said = sentence(
            wire_type, dict.fromkeys(known_types()[wire_type].__struct_fields__) | facts
        )
        assert CAUSES[cause] in said
        assert "_" not in said


@pytest.mark.parametrize(
    ("wire_type", "facts", "said"),
    [
        ("sla.cancelled.v1", {"reason": "no_policy"}, "no policy holds for it any more"),
        (
            "sla.unschedulable.v1",
            {"reason": "no_open_time"},
            "its calendar has too little open time",
        ),
        ("sla.warning.v1", {"threshold": "75%"}, "(75% of its time used)"),
        ("sla.warning.v1", {"threshold": "-900s", "remaining_seconds": 900.0}, "(15 min left)"),
        ("sla.page_acknowledged.v1", {"how": "assigned"}, "by taking the ticket"),
        ("sla.page_ended.v1", {"reason": "retracted"}, "the breach was taken back"),
        ("agent.presence_changed.v1", {"reason": "heartbeat_lost"}, "(no sign of life)"),
        ("assignment.unassigned.v1", {"reason": "lease_expired"}, "(lease expired)"),
        (
            "ticket.rule_not_applied.v1",
            {"why": "depth", "cause": "time"},
            "too many rules one after",
        ),
    ],
)
def test_codes_are_said_in_words(wire_type: str, facts: dict[str, Any], said: str) -> None:
    empty = dict.fromkeys(known_types()[wire_type].__struct_fields__)
    assert said in sentence(wire_type, empty | facts)


def test_a_code_of_the_future_is_told_in_plain_letters() -> None:
    facts = {"metric": "resolution", "reason": "sun_went_out"}
    assert sentence("sla.cancelled.v1", facts).endswith("without a result: sun went out")


def test_a_kind_of_the_future_is_told_by_its_name() -> None:
    assert sentence("ticket.teleported.v1", {}) == "ticket.teleported.v1"


@pytest.mark.parametrize(
    ("event", "said", "changes"),
    [
        (
            PriorityChanged(
                **stamp(2, actor=ANNA),
                ticket_id=new_id(),
                priority=Priority.HIGH,
                previous=Priority.LOW,
            ),
            "changed the priority from low to high",
            {"priority": ("low", "high")},
        ),
        (
            StatusChanged(
                **stamp(2),
                ticket_id=new_id(),
                category=StatusCategory.OPEN,
                previous_category=StatusCategory.OPEN,
                label="calling",
            ),
            "set the label to calling",
            {"label": (None, "calling")},
        ),
        (
            FieldsChanged(
                **stamp(2),
                ticket_id=new_id(),
                changes={"site": Changed("Riga", None), "room": Changed(None, 4)},
            ),
            "set site to Riga, removed room, before 4",
            {"fields.site": (None, "Riga"), "fields.room": (4, None)},
        ),
        (
            AlertSinkDefined(
                **stamp(2),
                sink_id="pager",
                definition={"kind": "pagerduty", "enabled": False},
                previous={"kind": "pagerduty"},
                source="api",
            ),
            "defined the sink of alerts pager",
            {"enabled": (None, False)},
        ),
        (
            OncallContactDefined(
                **stamp(2), target="agent:anna", ways=("phone",), previous_ways=("email", "phone")
            ),
            "said how agent:anna is reached: phone",
            {"ways": (("email", "phone"), ("phone",))},
        ),
    ],
)
def test_a_change_is_told_and_kept_with_both_values(
    event: Any, said: str, changes: dict[str, Any]
) -> None:
    assert sentence(event.wire_type, json.loads(encode(event))) == said
    assert changes_of(event) == changes


def test_times_and_durations_are_told_in_words() -> None:
    story = Story(1).opened().promise(0, "resolution", 4).pause(1.5, "resolution", 4)
    started, paused = story.events[-2:]
    assert (
        sentence(started.wire_type, json.loads(encode(started)))
        == "started the clock resolution (round 1), due 2026-03-02 16:00 UTC"
    )
    assert (
        sentence(paused.wire_type, json.loads(encode(paused)))
        == "stopped the clock resolution with 2 h 30 min left"
    )


def test_a_rule_says_what_started_it_what_it_saw_and_what_it_changed() -> None:
    facts: dict[str, Any] = {
        "cause": "tags_changed",
        "after": ["first"],
        "conditions": [{"condition": "tags contains vip", "saw": {"tags": ["vip", "x"]}}],
        "changes": [
            {"what": "priority", "before": "normal", "after": "high"},
            {"what": "tags", "added": ["hot"], "removed": []},
            {"what": "note", "after": "…"},
        ],
    }
    assert sentence("ticket.rule_applied.v1", facts) == (
        "ran on tags changed after first, as tags contains vip (was vip x): priority normal → high, tags +hot,"
        " note written"
    )
    stopped = {**facts, "cause": "time", "after": (), "why": "refused", "reason": "it is closed"}
    assert sentence("ticket.rule_not_applied.v1", stopped) == (
        "did nothing, though its turn had come by time, as tags contains vip (was vip x)"
        " (the ticket does not allow it): it is closed"
    )


def test_a_notice_says_whom_it_told_and_who_is_nobody():
    facts = {"to": ["agent:anna"], "nobody": ["lead"], "subject": "Not happy", "leaves_by": "email"}
    told = "told agent:anna (the ticket has no group): “Not happy”"
    assert sentence("ticket.notice_requested.v1", facts) == told
    no_way = sentence("ticket.notice_requested.v1", facts | {"leaves_by": None})
    assert no_way == f"{told}, which nothing carries: there is no way out by mail"
    nobody = facts | {"to": [], "nobody": ["agent"]}
    assert sentence("ticket.notice_requested.v1", nobody) == "told nobody: nobody has the ticket"
