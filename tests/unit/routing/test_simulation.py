"""Simulation: each action acts, is refused with the reason, or changes nothing; equal scenarios end equally."""

import msgspec
import pytest

from services.routing.domain.simulation import simulate
from shared.errors import Invalid
from tests.unit.routing.scenarios import a_scenario, do, new, played, said


def test_an_assignment_tells_who_why_whom_else_and_the_loads() -> None:
    outcome = played(
        new(ticket="t1"),
        agents=({"id": "ann", "open_load": 1}, {"id": "bob"}, {"id": "cyd", "presence": "away"}),
        strategy="least_loaded",
        capacity_default=5,
    )
    (done,) = outcome.results
    assert said(done) == ("assigned", "bob", "least_loaded")
    assert done.why == "bob was the least loaded of 2 who could take it (load 1 of 5)."
    (decided,) = done.decisions
    assert [(one.agent_id, one.score, one.refused) for one in decided.candidates] == [
        ("bob", 0.0, None),
        ("ann", 0.2, None),
        ("cyd", None, "away"),
    ]
    assert decided.refused_counts == {"away": 1}
    assert (decided.load_before, decided.load_after, decided.capacity) == (0, 1, 5)
    assert done.loads == outcome.loads == {"ann": 1, "bob": 1, "cyd": 0}
    assert outcome.assigned_counts == {"ann": 0, "bob": 1, "cyd": 0}


def test_what_nobody_can_take_waits_with_the_reasons_and_is_in_the_queue_at_the_end() -> None:
    outcome = played(
        new(ticket="low", priority="low"),
        new(ticket="due", due_at="2026-01-01T01:00:00Z"),
        new(ticket="urgent", priority="urgent"),
        agents=({"id": "ann", "capacity": 0}, {"id": "bob", "presence": "offline"}),
    )
    assert said(outcome.results[0]) == ("queued", None, "at_capacity")
    assert outcome.results[0].decisions[0].refused_counts == {"at_capacity": 1, "offline": 1}
    assert [one.ticket for one in outcome.queue] == ["urgent", "due", "low"]
    assert outcome.queue[0].reasons == ["at_capacity", "offline"]


def test_presence_and_capacity_that_return_serve_what_waits_in_order() -> None:
    outcome = played(
        new(ticket=1),
        new(ticket=2, priority="high"),
        do("presence", agent="ann", presence="online"),
        do("capacity", agent="ann", capacity=None),
        do("presence", agent="ann", presence="online"),
        agents=({"id": "ann", "presence": "away", "capacity": 1},),
    )
    here, more, same = outcome.results[2:]
    assert (said(here), [one.ticket for one in here.decisions]) == (("done", "ann", "online"), [2])
    assert (said(more), [one.ticket for one in more.decisions]) == (
        ("done", "ann", "capacity"),
        [1],
    )
    assert said(same) == ("unchanged", "ann", "online")
    assert outcome.loads == {"ann": 2}


def test_resolving_frees_and_reopening_returns_even_above_the_limit() -> None:
    outcome = played(
        new(ticket="a"),
        do("resolve", ticket="a"),
        do("resolve", ticket="a"),
        new(ticket="b"),
        do("reopen", ticket="a"),
        do("reopen", ticket="a"),
        agents=({"id": "ann", "capacity": 1},),
    )
    assert [said(one) for one in outcome.results[1:]] == [
        ("done", "ann", "solved"),
        ("unchanged", "ann", "solved"),
        ("assigned", "ann", "least_loaded"),
        ("done", "ann", "open"),
        ("unchanged", "ann", "open"),
    ]
    assert outcome.loads == {"ann": 2}


def test_reopening_what_an_absent_agent_had_gives_it_to_somebody_else() -> None:
    outcome = played(
        new(ticket="a", agent="ann"),
        do("resolve", ticket="a"),
        do("presence", agent="ann", presence="offline"),
        do("reopen", ticket="a"),
    )
    assert [one.outcome for one in outcome.results[3].decisions] == ["unassigned", "assigned"]
    assert said(outcome.results[3]) == ("assigned", "bob", "least_loaded")


def test_work_at_the_beginning_can_be_finished_but_no_more_than_there_is() -> None:
    outcome = played(
        new(ticket="a", agent="ann"),
        do("resolve", agent="ann"),
        do("resolve", agent="ann"),
        do("resolve", agent="zoe"),
        agents=({"id": "ann", "open_load": 1},),
    )
    assert [said(one) for one in outcome.results[1:]] == [
        ("done", "ann", "resolved"),
        ("refused", None, "nothing_in_hand"),
        ("refused", None, "not_found"),
    ]
    assert outcome.loads == {"ann": 1}


def test_unassigning_goes_to_the_next_and_never_back() -> None:
    outcome = played(
        new(ticket="a"),
        do("unassign", ticket="a"),
        do("unassign", ticket="a"),
        do("unassign", ticket="a"),
        do("unassign", ticket="zzz"),
        strategy="round_robin",
    )
    assert [said(one) for one in outcome.results] == [
        ("assigned", "ann", "round_robin"),
        ("assigned", "bob", "round_robin"),
        ("queued", None, "excluded"),
        ("unchanged", None, "not_assigned"),
        ("refused", None, "not_found"),
    ]


def test_skipping_needs_a_reason_and_something_to_skip() -> None:
    outcome = played(
        new(ticket="a"),
        do("skip", ticket="a"),
        do("skip", ticket="a", agent="bob", reason="not mine"),
        do("skip", ticket="a", reason="on lunch"),
        do("skip", ticket="a", agent="ann", reason="again"),
    )
    assert [said(one) for one in outcome.results] == [
        ("assigned", "ann", "least_loaded"),
        ("refused", None, "skip_needs_reason"),
        ("refused", None, "not_in_hand"),
        ("assigned", "bob", "least_loaded"),
        ("refused", None, "not_in_hand"),
    ]
    assert outcome.results[3].decisions[0].why == "ann skipped it: on lunch"


def test_skipping_what_waits_takes_one_out_of_those_who_may_have_it() -> None:
    outcome = played(
        new(ticket="a"),
        do("skip", ticket="a", agent="ann", reason="too hard"),
        do("skip", ticket="a", agent="ann", reason="too hard"),
        do("presence", agent="ann", presence="online"),
        do("presence", agent="bob", presence="online"),
        agents=({"id": "ann", "presence": "away"}, {"id": "bob", "presence": "away"}),
    )
    assert [said(one) for one in outcome.results[1:4]] == [
        ("queued", None, "away"),
        ("unchanged", None, "excluded"),
        ("done", "ann", "online"),
    ]
    assert outcome.results[4].decisions[0].agent == "bob"


def test_pulling_takes_the_head_of_the_queue_and_is_refused_when_there_is_none() -> None:
    outcome = played(
        do("next", agent="ann"),
        new(ticket="a"),
        new(ticket="b", priority="urgent"),
        do("next", agent="ann"),
        strategy="manual",
    )
    assert [said(one) for one in outcome.results] == [
        ("refused", None, "nothing_to_pull"),
        ("queued", None, "manual_group"),
        ("queued", None, "manual_group"),
        ("assigned", "ann", "pull"),
    ]
    assert outcome.results[3].ticket == "b"
    assert outcome.results[0].why == "No ticket can be taken now: queue_empty."


def test_team_changes_of_tickets_and_of_agents() -> None:
    outcome = played(
        new(ticket="a", group="one"),
        do("team_change", ticket="a", group="two"),
        do("team_change", ticket="a", group="two"),
        do("team_change", agent="ann", groups=["two"]),
        do("team_change", agent="ann", groups=["nowhere"]),
        do("team_change", ticket="a", group="nowhere"),
        agents=({"id": "ann", "groups": ["one"]},),
        groups={"two": {"strategy": "round_robin"}},
    )
    assert [said(one) for one in outcome.results] == [
        ("assigned", "ann", "least_loaded"),
        ("queued", None, "no_members"),
        ("unchanged", None, "same_group"),
        ("done", "ann", "groups"),
        ("refused", None, "not_found"),
        ("refused", None, "not_found"),
    ]
    moved = outcome.results[1].decisions
    assert [one.outcome for one in moved] == ["moved", "unassigned", "queued"]
    assert outcome.results[3].decisions[0].code == "round_robin"


def test_statuses_and_priorities_move_the_queue() -> None:
    outcome = played(
        new(ticket="a"),
        new(ticket="b"),
        do("priority", ticket="b", priority="urgent"),
        do("priority", ticket="b", priority="urgent"),
        do("status", ticket="a", category="pending"),
        do("status", ticket="b", category="closed"),
        do("status", ticket="b", category="pending"),
        agents=({"id": "ann", "presence": "busy"},),
    )
    assert [said(one)[0::2] for one in outcome.results[2:]] == [
        ("done", "urgent"),
        ("unchanged", "urgent"),
        ("withdrawn", "pending"),
        ("withdrawn", "closed"),
        ("refused", "ticket_is_closed"),
    ]
    assert outcome.queue == []


def test_given_by_hand_wins_over_the_limit_and_over_a_group() -> None:
    outcome = played(
        new(ticket="a", agent="ann"),
        new(ticket="a", agent="ann"),
        new(ticket="a", agent="zoe"),
        new(ticket="b", agent="zoe"),
        new(ticket="b", group="nowhere"),
        new(ticket="a"),
        agents=({"id": "ann", "capacity": 0},),
    )
    assert [said(one) for one in outcome.results] == [
        ("assigned", "ann", "manual"),
        ("unchanged", "ann", "already_assigned"),
        ("refused", None, "not_found"),
        ("refused", None, "not_found"),
        ("refused", None, "not_found"),
        ("unchanged", "ann", "already_assigned"),
    ]
    assert outcome.loads == {"ann": 1}


def test_a_rate_limit_lets_go_on_at_its_own_moment_between_the_actions() -> None:
    outcome = played(
        new(ticket="a", at="2026-03-02T09:00:00+01:00"),
        new(ticket="b", at=10),
        do("wait", at=59.5),
        new(ticket="c", at=60),
        agents=("ann",),
        rate_limit={"count": 1, "seconds": 60},
    )
    assert [(one.type, one.at.isoformat()[11:], one.code) for one in outcome.results] == [
        ("assign", "08:00:00+00:00", "least_loaded"),
        ("assign", "08:00:10+00:00", "rate_limited"),
        ("wait", "08:00:59.500000+00:00", "wait"),
        ("time", "08:01:00+00:00", "time"),
        ("assign", "08:01:00+00:00", "rate_limited"),
    ]
    assert outcome.results[3].action is None
    (late,) = outcome.results[3].decisions
    assert (late.ticket, late.agent, late.waited_seconds) == ("b", "ann", 50)


def test_who_was_given_something_before_the_start_counts() -> None:
    agents = (
        {"id": "ann", "last_assigned_at": "2026-03-02T08:59:30Z"},
        {"id": "bob", "last_assigned_at": "2026-03-02T08:50:00Z"},
        {"id": "cyd"},
    )
    first = "2026-03-02T09:00:00Z"
    outcome = played(
        *(new(at=first) for _ in range(3)),
        agents=agents,
        strategy="round_robin",
        rate_limit={"count": 1, "seconds": 60},
    )
    assert [one.agent for one in outcome.results] == ["cyd", "bob", None]


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("round_robin", ["ann", "bob", "cyd", "ann"]),
        ("least_loaded", ["bob", "cyd", "bob", "cyd"]),
        ("most_spare", ["bob", "bob", "bob", "cyd"]),
        ("longest_idle", ["ann", "bob", "cyd", "ann"]),
        ("weighted", ["cyd", "bob", "ann", "cyd"]),
    ],
)
def test_every_strategy_shares_out_in_its_own_way(strategy: str, expected: list[str]) -> None:
    outcome = played(
        *(new(at=second) for second in range(4)),
        agents=(
            {"id": "ann", "capacity": 4, "open_load": 2},
            {"id": "bob", "capacity": 9, "open_load": 1},
            {"id": "cyd", "capacity": 6, "open_load": 1, "weight": 3},
        ),
        strategy=strategy,
        weights={"bob": 2},
    )
    assert [one.agent for one in outcome.results] == expected


def test_sticky_customers_come_back_to_the_same_agent() -> None:
    outcome = played(
        new(customer="cora", agent="bob"),
        new(customer="cora", at=60),
        new(customer="dave", at=60),
        new(customer="cora", at=121),
        new(customer="ann", at=121),
        sticky_seconds=60,
    )
    assert [said(one) for one in outcome.results] == [
        ("assigned", "bob", "manual"),
        ("assigned", "bob", "sticky"),
        ("assigned", "ann", "least_loaded"),
        ("assigned", "ann", "least_loaded"),
        ("assigned", "bob", "least_loaded"),  # whoever asks does not answer
    ]


def test_skills_with_and_without_levels() -> None:
    outcome = played(
        new(skills={"german": 3}),
        new(skills=["german"]),
        new(skills=["french"]),
        agents=({"id": "ann", "skills": ["german"]}, {"id": "bob", "skills": {"german": 4}}),
    )
    assert [one.agent for one in outcome.results] == ["bob", "ann", None]
    assert outcome.results[2].code == "skill_missing"


@pytest.mark.parametrize(
    ("agents", "fields", "expected"),
    [
        ([{"id": "a", "groups": ["one"]}, {"id": "b"}], {}, ["a", "b", "a"]),
        ([{"id": "a", "groups": ["one", "two"]}, {"id": "b"}], {}, ["b", "b", "b"]),
        ([{"id": "a", "groups": ["one"]}, {"id": "b"}], {"group": "two"}, ["b", "b", "b"]),
    ],
)
def test_who_names_no_group_is_where_tickets_without_a_group_go(
    agents: list, fields: dict, expected: list[str]
) -> None:
    outcome = played(new(), new(), new(), agents=agents, strategy="round_robin", **fields)
    assert [one.agent for one in outcome.results] == expected


def test_the_same_scenario_ends_the_same() -> None:
    scenario = a_scenario(
        *(new(at=second, customer=f"c{second % 3}") for second in range(20)),
        strategy="weighted",
        weights={"ann": 3},
        sticky_seconds=5,
        rate_limit={"count": 4, "seconds": 7},
    )
    assert msgspec.json.encode(simulate(scenario)) == msgspec.json.encode(simulate(scenario))


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"strategy": "best"}, ["config.strategy"]),
        ({"weights": {"zoe": 1}}, ["config.weights.zoe"]),
        ({"rate_limit": {"count": 0, "seconds": 1}}, ["config.rate_limit.count"]),
        ({"sticky_seconds": -1}, ["config.sticky_seconds"]),
        ({"capacity_default": -1}, ["config.capacity_default"]),
        ({"groups": {"g": {"strategy": "no"}}}, ["config.groups.g.strategy"]),
        ({"agents": ("ann", "ann")}, ["agents[1].id"]),
        ({"agents": ("",)}, ["agents[0].id"]),
        ({"agents": ({"id": "a", "capacity": -1},)}, ["agents[0].capacity"]),
        ({"agents": ({"id": "a", "open_load": -1},)}, ["agents[0].open_load"]),
        ({"agents": ({"id": "a", "weight": 0},)}, ["agents[0].weight"]),
        ({"agents": ({"id": "a", "skills": {"x": 9}},)}, ["agents[0].skills.x"]),
        (
            {"agents": ({"id": "a", "last_assigned_at": "2026-01-01T00:00:00"},)},
            ["agents[0].last_assigned_at"],
        ),
        (
            {"agents": ({"id": "a", "pushed_at": ["0001-01-01T00:00:00Z"]},)},
            ["agents[0].pushed_at[0]"],
        ),
        ({"agents": tuple(f"a{n}" for n in range(2_001))}, ["agents"]),
        (
            {"strategy": "best", "agents": ({"id": "a", "capacity": -1},)},
            ["config.strategy", "agents[0].capacity"],
        ),
    ],
)
def test_a_malformed_setting_is_refused_with_every_field(changes: dict, fields: list[str]) -> None:
    with pytest.raises(Invalid) as refused:
        played(**changes)
    assert [error.field for error in refused.value.errors] == fields


@pytest.mark.parametrize(
    ("action", "field"),
    [
        ({"type": "jump"}, "actions[1].type"),
        ({}, "actions[1].type"),
        (new(tiket="a"), "actions[1].tiket"),
        (do("presence", agent="ann", presence="asleep"), "actions[1].presence"),
        (do("unassign"), "actions[1].ticket"),
        (do("capacity", agent="ann", capacity=-1), "actions[1].capacity"),
        (do("transfer", ticket="a"), "actions[1].group"),
        (do("merge", ticket="a"), "actions[1].into"),
        (do("skills", agent="ann", skills={"x": 9}), "actions[1].skills.x"),
        (do("due", ticket="a", due_at="2026-01-01T00:00:00"), "actions[1].due_at"),
        (do("presence", agent="ann", presence="busy", reassign=True), "actions[1].reassign"),
        (do("resolve"), "actions[1]"),
        (do("team_change", ticket="a", groups=["x"]), "actions[1]"),
        (new(skills={"x": 0}), "actions[1].skills.x"),
        (new(at="2026-01-01T00:00:00"), "actions[1].at"),
        (new(at="9999-12-31T23:59:59-12:00"), "actions[1].at"),
        (new(at=-1), "actions[1].at"),
        (new(at=1e300), "actions[1].at"),
        (new(at=4), "actions[1].at"),
    ],
)
def test_a_malformed_action_is_refused_with_its_place(action: dict, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        played(new(at=5), action)
    assert [error.field for error in refused.value.errors] == [field]


def test_too_many_actions_are_refused() -> None:
    with pytest.raises(Invalid) as refused:
        played(*(do("wait") for _ in range(10_001)), agents=())
    assert [error.field for error in refused.value.errors] == ["actions"]
