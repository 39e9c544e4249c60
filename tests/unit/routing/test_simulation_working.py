"""Scenarios with room, widening, offers, grace, shifts, leases and tiers: time does what it does in the service."""

import json
from typing import Any

import pytest

from services.routing.domain.simulation import Outcome, Scenario, simulate
from shared.errors import Invalid
from shared.http.bodies import decode_json

START = "2026-03-02T09:00:00Z"  # a Monday


def played(
    config: dict[str, Any], agents: list[dict[str, Any]], *actions: dict[str, Any]
) -> Outcome:
    document = {"config": config, "agents": agents, "actions": actions, "start_at": START}
    return simulate(decode_json(json.dumps(document).encode(), Scenario))


def told(outcome: Outcome) -> list[tuple[str, str, str | None]]:
    return [
        (one.outcome, one.code, one.agent) for done in outcome.results for one in done.decisions
    ]


def test_an_offer_runs_out_and_the_next_one_declines_and_the_last_accepts() -> None:
    outcome = played(
        {"strategy": "round_robin", "offer": {"seconds": 60}},
        [{"id": "ann", "capacity": 1}, {"id": "bob"}, {"id": "cyd"}],
        {"type": "assign", "ticket": 1},
        {"type": "decline", "at": 70, "ticket": 1, "reason": ""},
        {"type": "decline", "ticket": 1, "reason": "busy"},
        {"type": "accept", "ticket": 1},
    )
    assert told(outcome) == [
        ("offered", "round_robin", "ann"),
        ("offer_ended", "expired", "ann"),
        ("offered", "round_robin", "bob"),
        ("offer_ended", "declined", "bob"),
        ("offered", "round_robin", "cyd"),
        ("assigned", "offer", "cyd"),
    ]
    assert [one.outcome for one in outcome.results] == [
        "offered", "done", "refused", "offered", "assigned",
    ]  # fmt: skip
    assert outcome.loads == {"ann": 0, "bob": 0, "cyd": 1}


def test_a_wait_gives_up_a_skill_and_then_asks_another_group() -> None:
    steps = [
        {"after_seconds": 60, "relax": ["german"]},
        {"after_seconds": 120, "overflow": ["helpers"]},
    ]
    outcome = played(
        {"groups": {"one": {"widening": steps}, "helpers": {}}, "group": "one"},
        [
            {"id": "ann", "groups": ["one"], "capacity": 0},
            {"id": "han", "groups": ["helpers"]},
        ],
        {"type": "assign", "ticket": 1, "skills": {"german": 2}},
        {"type": "wait", "at": 300},
    )
    relaxed, helped = [done for done in outcome.results if done.type == "time"]
    assert relaxed.decisions[0].relaxed == ("german",)
    assert relaxed.decisions[0].refused_counts == {"at_capacity": 1}
    assert (helped.at.minute, helped.decisions[0].agent) == (2, "han")
    assert helped.decisions[0].waited_seconds == 120


def test_room_is_by_channel_and_a_heavier_ticket_waits_for_it() -> None:
    outcome = played(
        {"units": {"channels": {"chat": 2}, "priorities": {"urgent": 2}}},
        [{"id": "ann", "capacity": 5, "channel_capacity": {"chat": 2}}],
        {"type": "assign", "ticket": "chat", "channel": "chat"},
        {"type": "assign", "ticket": "second", "channel": "chat"},
        {"type": "assign", "ticket": "mail", "channel": "email", "priority": "urgent"},
        {"type": "status", "ticket": "chat", "category": "pending"},
    )
    assert [one.outcome for one in outcome.results] == ["assigned", "queued", "assigned", "done"]
    assert outcome.results[1].code == "channel_full"
    assert outcome.results[3].decisions[0].ticket == "second"
    assert outcome.loads == {"ann": 4}


def test_who_is_away_for_too_long_gives_back_and_a_shift_brings_work() -> None:
    hours = {"timezone": "UTC", "hours": {"mon": [["09:10", "17:00"]]}}
    outcome = played(
        {"grace_seconds": 300, "calendars": {"late": hours}},
        [{"id": "ann"}, {"id": "bob", "shift_calendar": "late"}],
        {"type": "assign", "ticket": 1},
        {"type": "presence", "agent": "ann", "presence": "away"},
        {"type": "wait", "at": 3_600},
    )
    assert told(outcome) == [
        ("assigned", "least_loaded", "ann"),
        ("unassigned", "agent_away", None),
        ("queued", "away", None),
        ("assigned", "least_loaded", "bob"),
    ]
    given = outcome.results[-2]
    assert (given.at.minute, given.decisions[0].waited_seconds) == (10, 600)


def test_a_tier_up_a_lease_and_a_warning() -> None:
    outcome = played(
        {
            "strategy": "manual",
            "pull_lease_seconds": 60,
            "on_sla_warning": ["raise"],
            "group": "one",
            "groups": {"one": {"escalates_to": "two"}, "two": {"strategy": "round_robin"}},
        },
        [{"id": "ann", "groups": ["one"]}, {"id": "sue", "groups": ["two"]}],
        {"type": "assign", "ticket": 1},
        {"type": "assign", "ticket": 2},
        {"type": "sla_warning", "ticket": 2},
        {"type": "next", "agent": "ann"},
        {"type": "escalate", "at": 90, "ticket": 1, "reason": "too hard"},
    )
    assert outcome.results[3].ticket == 2
    assert ("unassigned", "lease_expired", None) in told(outcome)
    assert told(outcome)[-1] == ("assigned", "round_robin", "sue")
    assert [one.ticket for one in outcome.queue] == [2]


def test_a_wait_that_begins_again_has_given_up_nothing_yet() -> None:
    outcome = played(
        {"widening": [{"after_seconds": 60, "relax": ["german"]}]},
        [{"id": "ann", "skills": {"french": 1}, "presence": "busy"}],
        {"type": "assign", "ticket": 1, "skills": {"german": 2}},
        {"type": "status", "at": 70, "ticket": 1, "category": "pending"},
        {"type": "status", "at": 200, "ticket": 1, "category": "open"},
        {"type": "presence", "at": 210, "agent": "ann", "presence": "online"},
        {"type": "wait", "at": 300},
    )
    given = outcome.results[-2]
    assert (given.type, given.at.minute, given.at.second) == ("time", 4, 20)
    assert given.decisions[0].agent == "ann"


def test_who_declined_is_asked_again_after_a_pause_and_only_if_nobody_else_can_take_it() -> None:
    outcome = played(
        {"strategy": "round_robin", "offer": {"seconds": 60, "again_seconds": 100}},
        [{"id": "ann"}, {"id": "bob", "presence": "busy"}],
        {"type": "assign", "ticket": 1},
        {"type": "decline", "ticket": 1, "reason": "not mine"},
        {"type": "decline", "at": 110, "ticket": 1, "reason": "still not mine"},
        {"type": "presence", "at": 150, "agent": "bob", "presence": "online"},
    )
    assert told(outcome) == [
        ("offered", "round_robin", "ann"),
        ("offer_ended", "declined", "ann"),
        ("queued", "busy", None),
        ("offered", "round_robin", "ann"),
        ("offer_ended", "declined", "ann"),
        ("queued", "busy", None),
        ("offered", "round_robin", "bob"),
    ]
    assert outcome.results[2].type == "time"
    assert (outcome.results[2].at.minute, outcome.results[2].at.second) == (1, 40)


@pytest.mark.parametrize(("other", "taken"), [("online", "refused"), ("away", "assigned")])
def test_a_skipped_ticket_comes_back_to_the_same_agent_only_if_nobody_else_could_ask_for_it(
    other: str, taken: str
) -> None:
    outcome = played(
        {"strategy": "manual"},
        [{"id": "ann"}, {"id": "bob", "presence": other}],
        {"type": "assign", "ticket": 1},
        {"type": "next", "agent": "ann"},
        {"type": "skip", "ticket": 1, "reason": "not mine"},
        {"type": "next", "at": 200, "agent": "ann"},
        {"type": "next", "at": 700, "agent": "ann"},
    )
    early, late = [one for one in outcome.results if one.type == "next"][1:]
    assert (early.outcome, late.outcome) == ("refused", taken)


def test_a_no_is_remembered_while_somebody_else_has_the_ticket() -> None:
    outcome = played(
        {"strategy": "round_robin", "offer": {"seconds": 60}, "grace_seconds": 30},
        [{"id": "ann"}, {"id": "bob"}],
        {"type": "assign", "ticket": 1},
        {"type": "decline", "ticket": 1, "reason": "not mine"},
        {"type": "accept", "ticket": 1},
        {"type": "presence", "agent": "bob", "presence": "away"},
        {"type": "wait", "at": 60},
    )
    assert told(outcome)[-2:] == [("unassigned", "agent_away", None), ("queued", "away", None)]
    assert outcome.results[-2].decisions[-1].refused_counts == {"away": 1, "excluded": 1}


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"units": {"channels": {"fax": 1}}}, "config.units.channels.fax"),
        ({"offer": {"seconds": 0}}, "config.offer.seconds"),
        ({"groups": {"one": {"escalates_to": "one"}}}, "config.groups.one.escalates_to"),
        (
            {"groups": {"one": {"widening": [{"after_seconds": 1, "overflow": ["nobody"]}]}}},
            "config.groups.one.widening[0].overflow[0]",
        ),
        ({"calendars": {"x": {"timezone": "Mars/Base"}}}, "config.calendars.x.timezone"),
    ],
)
def test_faults_name_their_field(config: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        played(config, [{"id": "ann"}])
    assert field in [error.field for error in refused.value.errors]


def test_an_agent_with_a_limit_below_zero_or_an_unknown_shift_is_refused() -> None:
    agent = {"id": "ann", "channel_capacity": {"chat": -1}, "shift_calendar": "none"}
    with pytest.raises(Invalid) as refused:
        played({}, [agent])
    assert [error.field for error in refused.value.errors] == [
        "agents[0].channel_capacity.chat",
        "agents[0].shift_calendar",
    ]
