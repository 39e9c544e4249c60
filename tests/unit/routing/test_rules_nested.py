"""Nesting, all rules at once, business hours, patterns, and text that is cut."""

import time
from datetime import UTC, datetime

import pytest

from services.routing.domain.rules import Question, RuleBook, Verdict
from services.routing.domain.ticket import Facts
from shared.calendar import parse_calendar
from shared.conditions import TEXT_CHARACTERS_MAX
from shared.events.agents import RoutingRule, RuleMode, Strategy
from shared.events.base import Priority
from shared.events.conditions import Condition

GERMAN = Condition("language", "is", "de")
VIP = Condition("tags", "contains", "vip")
GOLD = Condition("requester.tier", "is", "gold")
FACTS = Facts(channel="email", language="de", tags=("vip",), subject="Invoice", body="Pay now")


def matched(*when: Condition, facts: Facts = FACTS, at: datetime | None = None) -> bool:
    calendars = {
        "office": parse_calendar(
            {
                "timezone": "Europe/Berlin",
                "hours": {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")},
            }
        ).is_open
    }
    book = RuleBook([RoutingRule(id="r", group="g", when=when)], calendars=calendars)
    return book.match(Question(facts, 1, at)) is not None


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Condition(all=(GERMAN, VIP)), True),
        (Condition(all=(GERMAN, GOLD)), False),
        (Condition(any=(GOLD, VIP)), True),
        (Condition(any=(GOLD,)), False),
        (Condition(none=(GOLD,)), True),
        (Condition(none=(GOLD, VIP)), False),
        (Condition(none=(Condition(all=(GERMAN, GOLD)),)), True),
        (Condition(none=(Condition(none=(VIP,)),)), True),
        (Condition(any=(Condition(all=(GERMAN, GOLD)), Condition(none=(GOLD,)))), True),
    ],
)
def test_all_any_and_none_may_be_nested(condition: Condition, expected: bool) -> None:
    assert matched(condition) is expected


@pytest.mark.parametrize(
    ("op", "value", "expected"),
    [
        ("matches", r"pay\b", True),
        ("matches", "^PAY", True),
        ("matches", "refund|return", False),
        ("contains_any", ["refund", "NOW"], True),
        ("contains_any", ["refund"], False),
        ("not_contains", "refund", True),
        ("not_contains", "invoice", False),
    ],
)
def test_text_is_subject_or_body(op: str, value: object, expected: bool) -> None:
    assert matched(Condition("text", op, value)) is expected


def test_a_pattern_that_explodes_elsewhere_takes_no_time_here() -> None:
    evil = Facts(channel="email", body="a" * 60_000 + "!")
    began = time.process_time()
    assert not matched(Condition("body", "matches", "(a+)+$"), facts=evil)
    assert time.process_time() - began < 1.0, "2**65536 steps would take longer"


def test_only_the_beginning_of_a_long_message_is_looked_at() -> None:
    early = Facts(channel="email", body="x" * (TEXT_CHARACTERS_MAX - 6) + "refund")
    late = Facts(channel="email", body="x" * TEXT_CHARACTERS_MAX + "refund")
    refund = Condition("body", "contains", "refund")
    assert matched(refund, facts=early)
    assert not matched(refund, facts=late)


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        (datetime(2026, 3, 2, 8, 0, tzinfo=UTC), True),  # 09:00 in Berlin
        (datetime(2026, 3, 2, 7, 59, 59, tzinfo=UTC), False),
        (datetime(2026, 3, 2, 16, 0, tzinfo=UTC), False),  # 17:00: closed
        (datetime(2026, 7, 1, 7, 0, tzinfo=UTC), True),  # summer time
        (datetime(2026, 3, 1, 10, 0, tzinfo=UTC), False),  # a Sunday
    ],
)
def test_business_hours_are_those_of_the_calendar(at: datetime, is_open: bool) -> None:
    assert matched(Condition("hours.office", "is", "open"), at=at) is is_open
    assert matched(Condition("hours.office", "is", "closed"), at=at) is not is_open
    assert not matched(Condition("hours.gone", "is", "open"), at=at)


def all_of(*rules: RoutingRule, facts: Facts = FACTS) -> Verdict | None:
    return RuleBook(rules, mode=RuleMode.ALL).match(Question(facts, 1))


def test_all_rules_that_match_add_up_and_the_earlier_one_wins() -> None:
    verdict = all_of(
        RoutingRule(id="vip", when=(VIP,), priority=Priority.HIGH, tags=("care",)),
        RoutingRule(id="gold", when=(GOLD,), group="gold-desk"),
        RoutingRule(id="german", when=(GERMAN,), skills={"german": 3}, priority=Priority.LOW),
        RoutingRule(id="strict", skills={"german": 4}, strategy=Strategy.LONGEST_IDLE),
        RoutingRule(id="default", group="desk"),
    )
    assert verdict == Verdict(
        ("vip", "german", "strict", "default"),
        "desk",
        {"german": 4},
        Priority.HIGH,
        ("care",),
        Strategy.LONGEST_IDLE,
    )
    assert verdict.name == "vip+german+strict+default"


def test_a_rule_that_sets_nothing_new_is_not_named() -> None:
    first = RoutingRule(id="first", group="desk", tags=("a",))
    second = RoutingRule(id="second", group="other", tags=("a",))
    verdict = all_of(first, second)
    assert verdict is not None
    assert (verdict.rules, verdict.group) == (("first",), "desk")
    assert all_of(RoutingRule(id="gold", when=(GOLD,), group="g")) is None


def test_a_rule_that_is_not_enabled_is_not_asked() -> None:
    off = RoutingRule(id="off", group="a", is_enabled=False)
    on = RoutingRule(id="on", group="b")
    verdict = RuleBook([off, on]).match(Question(FACTS, 1))
    assert verdict is not None
    assert verdict.rules == ("on",)


@pytest.mark.parametrize(
    ("when", "helped", "failed"),
    [
        (Condition("body", "contains", "x"), True, False),
        (Condition(none=(Condition("body", "contains", "x"),)), True, False),
        (Condition(any=(GERMAN, Condition("text", "matches", "x"))), True, True),
        (Condition(all=(GOLD, Condition("body", "contains", "x"))), False, False),
        (Condition("text", "contains", "invoice"), True, True),
        (Condition("text", "contains", "x"), True, False),
        (Condition("text", "not_contains", "invoice"), False, False),
        (Condition("text", "not_contains", "x"), True, False),
    ],
)
def test_without_the_message_both_outcomes_are_told(
    when: Condition, helped: bool, failed: bool
) -> None:
    book = RuleBook([RoutingRule(id="r", group="g", when=(when,))])
    with_it, without_it = book.match_without_body(Question(FACTS, 1))
    assert (with_it is not None, without_it is not None) == (helped, failed)
