"""Rules S10-S16 and S20, one story each that walks through every clause of the rule.

The rules are this project's; each story's first line names the report or product that the rule answers.
"""

from datetime import date, timedelta

import pytest

from services.sla.engine import (
    AgentReplied,
    AttributesChanged,
    Breached,
    BreachRetracted,
    CalendarChanged,
    Cancelled,
    CustomerReplied,
    Discarded,
    DueChanged,
    Merged,
    MergeReceived,
    Met,
    NeedsReview,
    PolicyApplied,
    PolicyChanged,
    PriorityChanged,
    Reopened,
    Resolved,
    Resumed,
    Started,
    advance,
    fold,
)
from shared.calendar import Calendar, parse_calendar
from tests.unit.sla.givens import (
    a_policy,
    created,
    lived,
    minute,
    rules,
    said,
    status,
    targets,
    the,
)

VIP = {"field": "tags", "op": "contains", "value": "vip"}
NOT_SPAM = {"field": "type", "op": "is_not", "value": "spam"}


def tagged(at: float, *tags: str) -> AttributesChanged:
    return AttributesChanged(at=minute(at), attributes={"tags": list(tags)})


def typed(at: float, name: str) -> AttributesChanged:
    return AttributesChanged(at=minute(at), attributes={"type": name})


def pinned(told: list) -> list[tuple[str | None, int | None]]:
    return [(o.policy_id, o.policy_version) for o in told if isinstance(o, PolicyApplied)]


def test_s10_the_first_policy_in_order_is_pinned_with_its_version_until_it_is_matched_anew():
    """Zammad: overlapping policies are undefined, and an edit recomputes every open ticket in a job."""
    vip = a_policy(id="vip", order=1, targets=targets(resolution=60), conditions={"all": [VIP]})
    book = rules(
        a_policy(id="all", order=9),
        vip,
        a_policy(id="off", order=0, enabled=False),
        a_policy(id="all", version=2, order=9, in_force_from=minute(30)),
    )
    # In order, disabled ones left out; on creation …
    assert pinned(lived(book, created(attributes={"tags": ["vip"]}))[1]) == [("vip", 1)]
    # … and on each event that changes a matched attribute, and on no other.
    state, told = lived(book, created(), AgentReplied(at=minute(40)), typed(50, "question"))
    assert pinned(told) == [("all", 1)], "an edited policy leaves the ticket on its version"
    state, told = fold(state, tagged(60, "vip"), book)
    assert pinned(told) == [("vip", 1)]
    state, told = fold(state, tagged(70), book)
    assert pinned(told) == [("all", 2)], "the next match takes the version in force"
    # New tickets have the new version at once; the explicit command moves the others.
    assert pinned(lived(book, created(31))[1]) == [("all", 2)]
    _, told = lived(book, created(), PolicyChanged(at=minute(35)))
    assert pinned(told) == [("all", 1), ("all", 2)]


def test_s11_a_new_target_counts_from_the_start_and_a_breach_stands():
    """GLPI #15605: the hold time was lost when the promise changed; Zendesk may breach twice."""
    chosen = [
        {"metric": "resolution", "priority": name, "seconds": amount * 60}
        for name, amount in (("low", 600), ("normal", 240), ("high", 120), ("urgent", 30))
    ]
    book = rules(a_policy(targets=chosen, warnings=[{"percent": 90}]))
    paused = (created(), status(10, "pending"), status(30, "open"))
    state, told = lived(book, *paused, PriorityChanged(at=minute(60), priority="high"))
    change = the(DueChanged, told)
    assert (change.previous_due_at, change.due_at) == (minute(260), minute(140))
    assert change.elapsed_seconds == 40 * 60, "elapsed is never lost, nor is the pause"
    # Past already: at once, at the moment the target was set, and only once whatever follows.
    state, told = fold(state, PriorityChanged(at=minute(70), priority="urgent"), book)
    breach = the(Breached, told)
    assert (breach.due_at, breach.breached_at) == (minute(50), minute(70))
    later = (
        PriorityChanged(at=minute(80), priority="low"),
        PriorityChanged(at=minute(90), priority="urgent"),
    )
    for fact in later:
        state, told = fold(state, fact, book)
        assert told == [], "the verdict of a breached cycle is not rewritten"
    assert advance(state, minute(10_000), book)[1] == [], "and nothing is warned of any more"


def office(version: int, close: str, **more: object) -> Calendar:
    days = ("mon", "tue", "wed", "thu", "fri")
    document = {"id": "office", "timezone": "UTC", "hours": {d: [["09:00", close]] for d in days}}
    previous = office(1, "17:00") if "effective_from" in more else None
    since = {"in_force_from": minute(30).isoformat()} if version > 1 else {}
    return parse_calendar({**document, **since, **more, "version": version}, previous=previous)


@pytest.mark.parametrize(
    ("more", "due"),
    [({}, 9 * 60), ({"effective_from": date(2026, 3, 3).isoformat()}, 1440 + 60)],
    ids=["for all dates", "from tomorrow on"],
)
def test_s12_a_new_calendar_moves_open_promises_from_their_start(more, due):
    """Zammad #534: a changed calendar was not applied to open tickets."""
    policy = a_policy(targets=targets("office", first_reply=20, resolution=9 * 60))
    book = rules(policy, calendars=[office(1, "17:00"), office(2, "19:00", **more)])
    state, _ = lived(book, created(), until=25)  # the first reply is late already
    _, told = fold(state, CalendarChanged(at=minute(60), calendar_id="office"), book)
    change = the(DueChanged, told)
    assert (change.metric, change.due_at) == ("resolution", minute(due))
    assert (change.previous_calendar_version, change.calendar_version) == (1, 2)


def test_s13_without_a_policy_nothing_is_due_and_a_later_one_counts_from_the_start():
    """Zammad #4353: a ticket that no policy meant any more stayed escalated."""
    book = rules(a_policy(conditions={"all": [NOT_SPAM]}))
    _, told = lived(book, created(), typed(10, "spam"), until=10_000)
    ended = {(o.reason, o.due_at) for o in told if isinstance(o, Cancelled)}
    assert ended == {("no_policy", None)}
    assert not [o for o in told if isinstance(o, Breached)]
    _, told = lived(book, created(), typed(10, "spam"), typed(20, "question"))
    again = [o for o in told if isinstance(o, Started)][-1]
    assert (again.metric, again.started_at, again.due_at) == ("resolution", minute(0), minute(240))


def test_s14_a_reopened_ticket_goes_on_with_what_was_left_and_the_time_between_is_left_out():
    """Zammad #188: a reopened ticket was computed with the closed time in it."""
    life = (created(), AgentReplied(at=minute(1)), Resolved(at=minute(100)))
    _, told = lived(rules(), *life, Reopened(at=minute(5000)))
    assert the(Resumed, told, "resolution").due_at == minute(5000 + 140)
    assert said(told, "next_reply") == []
    # By the customer, it waits for an answer as well.
    _, told = lived(rules(), *life, Reopened(at=minute(5000), by_customer=True))
    assert said(told, "next_reply") == [("started", "next_reply", 1, 5000)]
    # A breached cycle stays breached, and is not breached again.
    late = (created(), Resolved(at=minute(300)), Reopened(at=minute(400)))
    _, told = lived(rules(), *late, until=10_000)
    assert [o.breached_at for o in told if isinstance(o, Breached) if o.metric == "resolution"] == [
        minute(240)
    ]
    # Where the policy says so, another cycle begins.
    anew = rules(a_policy(metrics={"resolution": {"on_reopen": "restart"}}))
    _, told = lived(anew, *life, Reopened(at=minute(5000)))
    assert said(told, "resolution")[-1] == ("started", "resolution", 2, 5000)


def test_s15_a_merged_ticket_is_silent_and_its_open_question_is_asked_of_the_other():
    """Zammad #904: merged tickets went on escalating."""
    state, told = lived(rules(), created(), Merged(at=minute(10)), until=10_000)
    assert {o.reason for o in told if isinstance(o, Cancelled)} == {"merged"}
    assert not [o for o in told if isinstance(o, Breached)]
    assert fold(state, CustomerReplied(at=minute(10_001)), rules())[1] == []
    answered = (created(), AgentReplied(at=minute(1)))
    brought = MergeReceived(at=minute(30), customer_message=True)
    _, told = lived(rules(), *answered, brought)
    assert said(told, "next_reply") == [("started", "next_reply", 1, 30)]
    _, told = lived(rules(), *answered, CustomerReplied(at=minute(20)), brought)
    assert said(told, "next_reply") == [("started", "next_reply", 1, 20)], "one is open already"
    _, told = lived(rules(), *answered, MergeReceived(at=minute(30)))
    assert said(told, "next_reply") == []


@pytest.mark.parametrize("reason", ["deleted", "spam", "anonymised"])
def test_s16_what_was_discarded_is_cancelled_for_good(reason):
    """Zammad #904 again: removed tickets went on escalating."""
    state, told = lived(rules(), created(), Discarded(at=minute(10), reason=reason), until=10_000)
    assert {o.reason for o in told if isinstance(o, Cancelled)} == {reason}
    assert {clock.is_open for clock in state.clocks} == {False}
    assert fold(state, Reopened(at=minute(10_001)), rules())[1] == []


def test_s20_a_late_reply_takes_the_breach_back_and_after_a_day_a_person_decides():
    """HELPDESK.AI #584: two mechanisms disagreed about one breach; here the second takes back the first by name."""
    state, told = lived(rules(), created(), until=70)
    breach = the(Breached, told)
    in_time = AgentReplied(at=breach.due_at)
    retracted = the(BreachRetracted, fold(state, in_time, rules())[1])
    assert (retracted.attempt, retracted.breached_at) == (breach.attempt, breach.breached_at)
    assert (retracted.cause, retracted.fact_at) == ("agent_replied", breach.due_at)
    # Late in the world, not only late to arrive: the breach stands.
    _, told = fold(state, AgentReplied(at=minute(65)), rules())
    assert the(Met, told).breached_at == breach.breached_at
    # Heard of a day later, nothing is taken back without a person.
    heard = in_time.at + timedelta(hours=24, seconds=1)
    _, told = fold(state, in_time, rules(), known_at=heard)
    assert the(NeedsReview, told).breached_at == breach.breached_at
    assert not [o for o in told if isinstance(o, BreachRetracted)]
