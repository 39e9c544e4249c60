"""What policies may ask of a ticket: operators, nesting, business hours, and the words of older documents."""

from typing import Any

import pytest

from services.sla.engine import (
    AttributesChanged,
    InvalidRules,
    Policy,
    PolicyApplied,
    check_references,
    fold,
    impossible,
    parse_policy,
    remarks,
)
from shared.calendar import Calendar
from tests.unit.sla.givens import OFFICE, START, a_policy, created, lived, minute, rules, targets

VIP, NETWORK, SPAM = (
    {"field": "tags", "op": "contains", "value": name} for name in ("vip", "network", "spam")
)


def is_meant(policy: Policy, at: float = 0, **attributes: Any) -> bool:
    """Whether a ticket with these attributes is put under this policy."""
    _, told = fold(None, created(at, attributes=attributes), rules(policy))
    return any(isinstance(one, PolicyApplied) and one.policy_id for one in told)


@pytest.mark.parametrize(
    ("op", "value", "yes", "no"),
    [
        ("is", "a", "A", "b"),
        ("is_not", "a", None, "a"),
        ("in", ["a", "b"], "b", "c"),
        ("not_in", ["a"], None, "a"),
        ("in", "a", "a", "b"),
        ("contains", "vip", ["x", "VIP"], ["x"]),
        ("contains", "vip", "a vip!", None),
        ("not_contains", "vip", None, ["vip"]),
        ("contains_any", ["a", "b"], ["b"], ["c"]),
        ("starts_with", "de", "De-AT", "en"),
        ("matches", "^a+$", "aaa", "ab"),
        ("exists", True, 0, None),
        ("exists", False, None, 0),
        ("gt", 3, 4, 3),
        ("gte", 3, 3, 2),
        ("lt", 3, 2, 3),
        ("lte", "b", "a", 4),
        # Words of older documents.
        ("present", None, 0, None),
        ("absent", None, None, 0),
        ("is", None, None, 0),
        ("is_not", None, 0, None),
    ],
)
def test_conditions_hold_or_not_and_never_fail(op: str, value: Any, yes: Any, no: Any) -> None:
    policy = a_policy(conditions={"all": [{"field": "fields.f", "op": op, "value": value}]})
    assert is_meant(policy, **{"fields.f": yes})
    assert not is_meant(policy, **{"fields.f": no})


def test_conditions_are_nested_to_any_of_the_three_forms() -> None:
    policy = a_policy(
        conditions={
            "any": [VIP, {"all": [NETWORK, {"none": [SPAM, {"field": "type", "value": "ad"}]}]}],
            "none": [{"field": "language", "value": "tlh"}],
        }
    )
    assert is_meant(policy, tags=["vip"])
    assert is_meant(policy, tags=["network"], type="question")
    assert not is_meant(policy, tags=["network"], type="ad")
    assert not is_meant(policy, tags=["network", "spam"])
    assert not is_meant(policy, tags=["vip"], language="tlh")


def test_a_nested_field_that_changes_matches_anew_and_one_that_nobody_asks_does_not() -> None:
    book = rules(a_policy(conditions={"none": [{"any": [SPAM]}]}))
    state, _ = lived(book, created())
    spam = AttributesChanged(at=minute(5), attributes={"tags": ["spam"]})
    assert isinstance(fold(state, spam, book)[1][0], PolicyApplied)
    assert fold(state, AttributesChanged(at=minute(5), attributes={"type": "ad"}), book)[1] == []


def test_priorities_are_compared_by_their_rank() -> None:
    policy = a_policy(conditions={"all": [{"field": "priority", "op": "gte", "value": "high"}]})
    for priority, meant in (("low", False), ("normal", False), ("high", True), ("urgent", True)):
        _, told = fold(None, created(priority=priority), rules(policy))
        assert any(isinstance(one, PolicyApplied) for one in told) is meant


def test_business_hours_are_those_in_which_the_ticket_came() -> None:
    """An edit by day does not change what was promised by night."""
    night = {"field": "hours.office", "value": "closed"}
    book = rules(
        a_policy(id="night", order=1, conditions={"all": [night]}),
        a_policy(
            id="day", order=2, conditions={"none": [{"field": "tags", "op": "is", "value": 1}]}
        ),
    )
    state, told = lived(book, created(-60))  # at eight, the office opens at nine
    assert [one.policy_id for one in told if isinstance(one, PolicyApplied)] == ["night"]
    by_day = AttributesChanged(at=minute(60), attributes={"tags": ["vip"]})
    assert not any(isinstance(one, PolicyApplied) for one in fold(state, by_day, book)[1])
    _, told = lived(book, created(0))
    assert [one.policy_id for one in told if isinstance(one, PolicyApplied)] == ["day"]


def test_targets_ask_the_same_language() -> None:
    closed = {"none": [{"field": "hours.office", "value": "open"}]}
    by_night = {"metric": "resolution", "seconds": 600, "when": [closed]}
    policy = a_policy(targets=[by_night, *targets(resolution=240)])
    for at, seconds in ((-60, 600), (0, 14_400)):
        state, _ = lived(rules(policy), created(at))
        clock = state.clock("resolution")
        assert clock is not None
        assert clock.target_us == seconds * 1_000_000


@pytest.mark.parametrize(
    ("conditions", "field"),
    [
        ({"all": [{"field": "type", "op": "sounds_like", "value": "a"}]}, "conditions.all[0].op"),
        ({"all": [{"field": "type", "op": "in", "value": {}}]}, "conditions.all[0].value"),
        ({"all": [{"field": "type"}]}, "conditions.all[0].value"),
        ({"all": [{"field": "type", "op": [], "value": "a"}]}, "conditions.all[0].op"),
        ({"any": [{"any": [{}]}]}, "conditions.any[0].any[0]"),
        ({"none": [{"field": "priority", "value": "huge"}]}, "conditions.none[0].value"),
        ({"all": [{"field": "type", "op": "matches", "value": "("}]}, "conditions.all[0].value"),
        ({"some": []}, "conditions"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_its_field(
    conditions: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidRules) as refused:
        parse_policy({"id": "p", "targets": [], "conditions": conditions})
    assert [error.field for error in refused.value.errors] == [field]


def test_what_was_accepted_once_stays_readable() -> None:
    """A policy of the history that today would be refused must not stop the service."""
    strange = [{"field": "fields.f", "op": op, "value": 5} for op in ("contains", "in")]
    conditions = {"all": strange, "remark": "nobody minded"}
    document = {"id": "p", "targets": targets(resolution=60), "conditions": conditions}
    with pytest.raises(InvalidRules):
        parse_policy(document)
    policy = parse_policy(document, is_accepted=True)
    assert not is_meant(policy, **{"fields.f": 5})
    assert not is_meant(policy)


def test_a_calendar_that_is_not_given_is_refused() -> None:
    policy = a_policy(conditions={"none": [{"any": [{"field": "hours.fair", "value": "open"}]}]})
    with pytest.raises(InvalidRules) as refused:
        check_references([policy], [OFFICE])
    assert [error.field for error in refused.value.errors] == ["policies[0].conditions"]
    check_references([policy], [Calendar(id="fair")])


def test_contradictions_and_targets_that_are_never_chosen_are_found_through_nesting() -> None:
    both = a_policy(conditions={"all": [VIP], "none": [{"any": [VIP]}]})
    assert [one.field for one in impossible(both, {}, at=START)] == ["conditions.none"]
    general = {"metric": "resolution", "seconds": 600, "when": [{"any": [VIP, NETWORK]}]}
    narrow = {"metric": "resolution", "seconds": 300, "when": [VIP]}
    (told,) = remarks(a_policy(targets=[general, narrow]))
    assert told == "targets[1]: never chosen, targets[0] fits every such ticket"
    assert remarks(a_policy(targets=[narrow, general])) == ()
