"""What is accepted with a remark (C8), and a ticket put under a policy by hand (S10)."""

from services.sla.engine import PolicyChanged, PriorityChanged, decode, encode, fold, remarks
from tests.unit.sla.givens import a_policy, created, lived, minute, rules, targets


def of(*targets, **more):
    return remarks(a_policy(targets=list(targets), **more))


def target(metric: str, seconds: int, **more):
    return {"metric": metric, "seconds": seconds, **more}


def test_a_first_reply_promised_later_than_the_resolution_is_remarked():
    (remark,) = of(target("first_reply", 7200), target("resolution", 3600))
    assert remark == (
        "targets: the first reply (7200 s) is promised later than the resolution (3600 s)"
        " for priority any"
    )


def test_the_remark_names_the_priorities_it_is_about():
    (remark,) = of(
        target("first_reply", 7200),
        target("resolution", 3600, priority="urgent"),
        target("resolution", 9000),
    )
    assert remark.endswith("for priority urgent")


def test_what_is_in_order_or_cannot_be_compared_is_not_remarked():
    assert of(target("first_reply", 3600), target("resolution", 3600)) == ()
    assert of(target("first_reply", 7200)) == ()
    # A shorter number of office seconds may well be the later moment.
    assert of(target("first_reply", 7200), target("resolution", 3600, calendar_id="office")) == ()
    vip = [{"field": "tier", "value": "vip"}]
    assert of(target("first_reply", 7200, when=vip), target("resolution", 3600)) == ()


def test_office_seconds_are_never_shorter_than_seconds_of_the_clock():
    assert of(target("first_reply", 7200, calendar_id="office"), target("resolution", 3600))


STANDARD = a_policy(conditions={"all": [{"field": "priority", "value": "low"}]})
GOLD = a_policy(
    id="gold",
    conditions={"all": [{"field": "tier", "value": "gold"}]},
    targets=targets(resolution=60),
)


def due(state, metric: str = "resolution") -> float | None:
    clock = state.clock(metric)
    return None if clock.due_us is None else (clock.due_us - state.clocks[0].started_us) / 60e6


def test_a_ticket_put_under_a_policy_is_judged_by_it_whatever_its_conditions_say():
    book = rules(STANDARD, GOLD)
    state, _ = lived(book, created(priority="low"), PolicyChanged(at=minute(5), policy_id="gold"))
    assert (state.policy_id, due(state)) == ("gold", 60)
    state = decode(encode(state))
    state, _ = fold(state, PriorityChanged(at=minute(6), priority="high"), book)
    assert state.policy_id == "gold", "no condition takes it away again"


def test_matching_anew_ends_the_choice():
    book = rules(STANDARD, GOLD)
    chosen = PolicyChanged(at=minute(5), policy_id="gold")
    state, _ = lived(book, created(priority="low"), chosen, PolicyChanged(at=minute(7)))
    assert (state.policy_id, due(state)) == ("standard", 240)


def test_a_policy_that_is_not_enabled_promises_nothing():
    book = rules(STANDARD, a_policy(id="gold", enabled=False))
    chosen = PolicyChanged(at=minute(5), policy_id="gold")
    state, _ = lived(book, created(priority="low"), chosen)
    assert (state.policy_id, due(state)) == (None, None)
