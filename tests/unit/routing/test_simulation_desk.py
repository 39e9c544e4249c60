"""What people do at a live desk can be played as well: by hand, between groups, answers to offers, ends of tickets."""

import pytest

from tests.unit.routing.scenarios import do, new, played, said

TWO_GROUPS = (
    {"id": "ann", "groups": ["one"]},
    {"id": "bob", "groups": ["two"]},
)


def test_a_ticket_is_given_to_somebody_else_by_hand_over_the_limit() -> None:
    outcome = played(
        new(ticket="a"),
        do("reassign", ticket="a", agent="bob"),
        do("reassign", ticket="a", agent="bob"),
        agents=({"id": "ann"}, {"id": "bob", "capacity": 0}),
    )
    assert [said(one) for one in outcome.results] == [
        ("assigned", "ann", "least_loaded"),
        ("assigned", "bob", "manual"),
        ("unchanged", "bob", "already_assigned"),
    ]
    assert outcome.loads == {"ann": 0, "bob": 1}


def test_reassigned_without_a_name_it_goes_to_somebody_else() -> None:
    outcome = played(new(ticket="a"), do("reassign", ticket="a"), strategy="round_robin")
    assert [said(one) for one in outcome.results] == [
        ("assigned", "ann", "round_robin"),
        ("assigned", "bob", "round_robin"),
    ]


def test_what_was_taken_from_an_agent_by_hand_comes_back_only_by_hand() -> None:
    outcome = played(
        new(ticket="a"),
        do("unassign", ticket="a"),
        do("presence", agent="ann", presence="away"),
        do("presence", agent="ann", presence="online"),
        do("next", agent="ann"),
        do("reassign", ticket="a", agent="ann"),
        do("account", agent="ann", is_active=False),
        do("account", agent="ann", is_active=True),
        agents=("ann",),
    )
    assert [said(one) for one in outcome.results] == [
        ("assigned", "ann", "least_loaded"),
        ("queued", None, "excluded"),
        ("done", "ann", "away"),
        ("done", "ann", "online"),
        ("refused", None, "nothing_to_pull"),
        ("assigned", "ann", "manual"),
        ("done", "ann", "is_active"),
        ("done", "ann", "is_active"),
    ]
    assert outcome.loads == {"ann": 1}, "the last word of a person holds"


def test_a_transfer_takes_it_to_the_other_group() -> None:
    outcome = played(
        new(ticket="a", group="one"),
        do("transfer", ticket="a", group="two"),
        do("transfer", ticket="a", group="two"),
        do("transfer", ticket="a", group="none"),
        agents=TWO_GROUPS,
    )
    assert [said(one) for one in outcome.results] == [
        ("assigned", "ann", "least_loaded"),
        ("assigned", "bob", "least_loaded"),
        ("unchanged", "bob", "same_group"),
        ("refused", None, "not_found"),
    ]
    assert outcome.results[3].field == "actions[3].group"


def test_an_offer_expires_at_once_and_the_next_one_is_asked() -> None:
    outcome = played(
        new(ticket="a"),
        do("expire", ticket="a"),
        do("accept", ticket="a"),
        do("expire", ticket="a"),
        strategy="round_robin",
        offer={"seconds": 60, "away_after": 1},
    )
    assert [said(one) for one in outcome.results] == [
        ("offered", "ann", "round_robin"),
        ("offered", "bob", "round_robin"),
        ("assigned", "bob", "offer"),
        ("refused", None, "not_offered"),
    ]
    assert outcome.results[1].decisions[0].code == "expired"
    assert outcome.results[3].field == "actions[3].ticket"


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (do("close", ticket="b"), "closed"),
        (do("spam", ticket="b"), "spam"),
        (do("merge", ticket="b", into="a"), "merged"),
    ],
)
def test_what_ends_while_it_waits_is_withdrawn_and_what_ends_in_hand_frees_room(
    end: dict, code: str
) -> None:
    outcome = played(
        new(ticket="a"),
        new(ticket="b"),
        end,
        end,
        new(ticket="c"),
        {**end, "ticket": "a", "into": "b"} if code == "merged" else {**end, "ticket": "a"},
        agents=({"id": "ann", "capacity": 1},),
    )
    assert said(outcome.results[2]) == ("withdrawn", None, code)
    assert outcome.results[3].outcome in {"refused", "unchanged"}, "it is over already"
    assert [(one.ticket, one.agent) for one in outcome.results[5].decisions] == [("c", "ann")]
    assert outcome.queue == []


def test_a_ticket_is_merged_into_another_one_that_is_there() -> None:
    outcome = played(
        new(ticket="a"),
        do("merge", ticket="a", into="a"),
        do("merge", ticket="a", into="zzz"),
    )
    assert [(one.code, one.field) for one in outcome.results[1:]] == [
        ("merged_into_itself", "actions[1].into"),
        ("not_found", "actions[2].into"),
    ]


def test_who_goes_for_longer_gives_back_at_once_what_nobody_gave_by_hand() -> None:
    outcome = played(
        new(ticket="a", agent="ann"),
        new(ticket="b"),
        do("presence", agent="ann", presence="away", reassign=True),
        agents=({"id": "ann"}, {"id": "bob", "presence": "offline"}),
        grace_seconds=300,
    )
    last = outcome.results[2]
    assert [(one.ticket, one.code) for one in last.decisions] == [
        ("b", "agent_away"),
        ("b", "away"),
    ]
    assert outcome.loads["ann"] == 1


def test_an_account_that_is_closed_gives_everything_back() -> None:
    outcome = played(
        new(ticket="a", agent="ann"),
        do("account", agent="ann", is_active=False),
        do("account", agent="ann", is_active=False),
        do("reassign", ticket="a", agent="ann"),
    )
    assert outcome.loads == {"ann": 0, "bob": 1}
    assert said(outcome.results[2]) == ("unchanged", "ann", "is_active")
    assert (outcome.results[3].code, outcome.results[3].field) == (
        "agent_is_inactive",
        "actions[3].agent",
    )


def test_new_skills_serve_what_waits_for_them_and_the_earliest_deadline_is_first() -> None:
    outcome = played(
        new(ticket="a", skills=["german"]),
        new(ticket="b", skills=["german"]),
        do("due", ticket="b", due_at="2026-06-01T00:00:00Z"),
        do("skills", agent="ann", skills=["german"]),
        do("due", ticket="a", due_at=None),
        agents=({"id": "ann", "capacity": 1},),
    )
    assert [(one.ticket, one.agent) for one in outcome.results[3].decisions] == [("b", "ann")]


@pytest.mark.parametrize(
    ("action", "field"),
    [
        (do("resolve", agent="ann"), "agent"),
        (do("next", agent="ann"), "agent"),
        (do("next", agent="zoe"), "agent"),
        (do("skip", ticket="t", agent="bob"), "reason"),
        (do("skip", ticket="t", agent="bob", reason="no"), "ticket"),
        (do("escalate", ticket="t", reason="hard"), "group"),
        (do("team_change", agent="ann", groups=["none"]), "groups"),
        (do("reassign", ticket="t", agent="zoe"), "agent"),
        (do("decline", ticket="t", agent="ann"), "reason"),
    ],
)
def test_a_refusal_names_the_field(action: dict, field: str) -> None:
    done = played(new(ticket="t"), action).results[1]
    assert (done.outcome, done.field) == ("refused", f"actions[1].{field}")
    assert done.why.endswith(".")
