"""Rules that can never hold, never be reached or never have their say are refused; nothing else is."""

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.routing.domain.rules import VOCABULARY, Known, Question, RuleBook, faults
from services.routing.domain.ticket import Facts
from shared.conditions import Shape
from shared.events.agents import RoutingRule, RuleMode
from shared.events.base import Priority
from shared.events.conditions import Condition
from tests.unit.routing.builders import a_rule

KNOWN = Known(groups={"g", "h"}, skills=(), calendars={"office"})


def told(*rules: RoutingRule, mode: RuleMode = RuleMode.FIRST) -> list[tuple[str, str]]:
    return [(fault.field, fault.message) for fault in faults(rules, KNOWN, mode)]


@pytest.mark.parametrize(
    "when",
    [
        (("channel", "is", "email"), ("channel", "is", "chat")),
        (("channel", "is", "email"), ("channel", "in", ["chat", "phone"])),
        (("priority", "gte", "high"), ("priority", "lt", "normal")),
        (("language", "is", "de"), ("language", "is", "EN")),
        (("language", "is", "de"), ("language", "is_not", "DE")),
        (("tags", "contains", "vip"), ("tags", "not_contains", "VIP")),
        (("fields.x", "exists", False), ("fields.x", "is", 3)),
        (("fields.x", "gte", 5), ("fields.x", "lt", 5)),
        (("fields.x", "gt", "b"), ("fields.x", "lte", "B")),
        (("hours.office", "is", "open"), ("hours.office", "is", "closed")),
        (("language", "in", ["de", "fr"]), ("language", "matches", "^e")),
        (("requester.email", "is", "ann@here.example"), ("requester.email", "contains", "there")),
        (("subject", "matches", "refund"), ("subject", "not_contains", "Refund")),
    ],
)
def test_conditions_that_exclude_each_other_are_refused(
    when: tuple[tuple[str, str, object], ...],
) -> None:
    ((field, message),) = told(a_rule("odd", "g", *when))
    assert field == "rules[0].when"
    assert message.startswith("rule 'odd': can never hold: ")


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ((), (("channel", "is", "email"),)),
        ((("tags", "contains", "vip"),), (("tags", "contains", "VIP"), ("language", "is", "de"))),
        ((("channel", "in", ["email", "chat"]),), (("channel", "is", "chat"),)),
        ((("channel", "is_not", "phone"),), (("channel", "is", "chat"),)),
        ((("priority", "gte", "normal"),), (("priority", "is", "urgent"),)),
        ((("subject", "contains", "pay"),), (("subject", "contains", "Payment"),)),
        ((("fields.n", "gte", 3),), (("fields.n", "gt", 4),)),
        ((("fields.n", "exists", True),), (("fields.n", "gt", 4),)),
        ((("language", "matches", "^d|^e"),), (("language", "is", "DE"),)),
        ((("tags", "matches", "^vip-"),), (("tags", "is", "vip-gold"),)),
        ((("subject", "matches", "pay"),), (("subject", "matches", r"^payment\."),)),
        ((("subject", "contains_any", ["cash", "pay"]),), (("subject", "matches", "repay|cash!"),)),
        (
            (("requester.email", "matches", r"@vip\.example$"),),
            (("requester.email", "in", ["a@vip.example", "b@VIP.example"]),),
        ),
    ],
)
def test_a_rule_behind_one_that_takes_all_of_its_tickets_is_refused(
    earlier: tuple[tuple[str, str, object], ...], later: tuple[tuple[str, str, object], ...]
) -> None:
    ((field, message),) = told(a_rule("wide", "g", *earlier), a_rule("narrow", "h", *later))
    assert (field, "never reached: rule 'wide'" in message) == ("rules[1]", True)
    assert not told(a_rule("narrow", "h", *later), a_rule("wide", "g", *earlier))


def test_nesting_does_not_hide_it() -> None:
    german, vip = Condition("language", "is", "de"), Condition("tags", "contains", "vip")
    either = RoutingRule(id="either", group="g", when=(Condition(any=(german, vip)),))
    both = RoutingRule(id="both", group="h", when=(Condition(all=(vip, german)),))
    not_german = RoutingRule(
        id="odd", group="g", when=(german, Condition(none=(Condition(any=(german, vip)),)))
    )
    assert [field for field, _ in told(either, both)] == ["rules[1]"]
    assert [field for field, _ in told(not_german)] == ["rules[0].when"]


def test_a_rule_that_is_off_takes_nothing() -> None:
    off = RoutingRule(id="off", group="g", is_enabled=False)
    assert not told(off, a_rule("on", "h"))


def test_under_mode_all_a_contradiction_is_one_of_results() -> None:
    german = Condition("language", "is", "de")
    vip = Condition("tags", "contains", "vip")
    one = RoutingRule(id="german", group="g", when=(german,))
    other = RoutingRule(id="german-vip", group="h", when=(german, vip))
    ((field, message),) = told(one, other, mode=RuleMode.ALL)
    assert field == "rules[1]"
    assert "contradicts rule 'german'" in message
    assert "set group to g (here h)" in message
    assert not told(other, one, mode=RuleMode.ALL), "the special one first is how it is meant"
    more = RoutingRule(id="more", when=(german, vip), priority=Priority.HIGH)
    last = RoutingRule(id="default", group="h")
    assert not told(one, more, last, mode=RuleMode.ALL)


# Whatever is found must be so: compared with every ticket of a small world.

_TESTS = st.one_of(
    st.builds(
        Condition,
        st.just("channel"),
        st.sampled_from(["is", "is_not"]),
        st.sampled_from(["email", "chat"]),
    ),
    st.builds(
        Condition,
        st.just("priority"),
        st.sampled_from(["is", "gte", "lt", "is_not"]),
        st.sampled_from(["low", "high"]),
    ),
    st.builds(
        Condition,
        st.just("tags"),
        st.sampled_from(["contains", "not_contains", "is", "is_not"]),
        st.sampled_from(["a", "b"]),
    ),
    st.builds(
        Condition,
        st.just("language"),
        st.sampled_from(["in", "not_in"]),
        st.lists(st.sampled_from(["de", "en", "fr"]), min_size=1, max_size=2),
    ),
    st.builds(Condition, st.just("language"), st.just("exists"), st.booleans()),
    st.builds(
        Condition,
        st.just("fields.n"),
        st.sampled_from(["gte", "gt", "lte", "lt", "is", "is_not"]),
        st.integers(0, 2),
    ),
    st.builds(Condition, st.just("fields.n"), st.just("exists"), st.booleans()),
    st.builds(
        Condition,
        st.just("subject"),
        st.sampled_from(["contains", "not_contains", "starts_with"]),
        st.sampled_from(["x", "xy", "y"]),
    ),
    st.builds(
        Condition,
        st.sampled_from(["subject", "language", "tags", "text"]),
        st.just("matches"),
        st.sampled_from(["x", "^x", "X|y", "y$", "^d", "e", "a|b", "^.$", r"x\.", "[xy]"]),
    ),
    st.builds(
        Condition,
        st.sampled_from(["subject", "tags", "text"]),
        st.sampled_from(["is", "is_not"]),
        st.sampled_from(["x", "xy", "y", "a"]),
    ),
)
_CONDITIONS = st.recursive(
    _TESTS,
    lambda parts: st.one_of(
        *(
            st.lists(parts, min_size=1, max_size=2).map(
                lambda some, form=form: Condition(**{form: tuple(some)})
            )
            for form in ("all", "any", "none")
        )
    ),
    max_leaves=4,
)


def every_ticket() -> Iterator[Question]:
    for channel, rank, tags, language, number, subject in itertools.product(
        ("email", "chat", "phone"),
        (0, 2, 3),
        ((), ("a",), ("a", "b")),
        (None, "de", "en"),
        (None, 0, 1, [1, 2]),
        ("", "y", "xy"),
    ):
        facts = Facts(
            channel=channel,
            tags=tags,
            language=language,
            fields={} if number is None else {"n": number},
            subject=subject,
        )
        yield Question(facts, rank)


WORLD = list(every_ticket())


def holding(when: tuple[Condition, ...]) -> set[int]:
    book = RuleBook([RoutingRule(id="r", group="g", when=when)])
    return {place for place, ticket in enumerate(WORLD) if book.match(ticket) is not None}


@given(st.lists(_CONDITIONS, max_size=3).map(tuple), st.lists(_CONDITIONS, max_size=2).map(tuple))
def test_what_is_found_is_so(one: tuple[Condition, ...], other: tuple[Condition, ...]) -> None:
    if Shape(one, VOCABULARY).contradiction is not None:
        assert not holding(one)
    if Shape(one, VOCABULARY).implies(Shape(other, VOCABULARY)):
        assert holding(one) <= holding(other)
