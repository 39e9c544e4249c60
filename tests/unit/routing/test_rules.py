"""Rules: the first that matches says where a ticket goes; a rule set with a fault is refused whole."""

import pytest

from services.routing.domain.rules import Known, Question, RuleBook, faults
from services.routing.domain.ticket import RANKS, Facts
from shared.events.agents import RoutingRule
from shared.events.base import Priority
from shared.events.conditions import Condition
from tests.unit.routing.builders import a_rule

FACTS = Facts(
    channel="email",
    subject="Invoice 4711 is WRONG",
    body="please help",
    ticket_type="question",
    language="de",
    tags=("vip", "billing"),
    fields={"product": "Router X", "seats": 40, "regions": ["EU", "US"], "since": "2026-01-05"},
    requester_id="cora",
    requester_email="cora@Example.org",
    organization="ACME",
)

KNOWN = Known(groups={"g"}, skills={"german", "No Slug"}, calendars={"office"})


def nested(depth: int) -> Condition:
    test = Condition("language", "is", "de")
    for _ in range(depth):
        test = Condition(any=(test,))
    return test


def holds(field: str, op: str, value: object, priority: Priority = Priority.HIGH) -> bool:
    book = RuleBook([a_rule("r", "g", (field, op, value))])
    return book.match(Question(FACTS, RANKS[priority])) is not None


@pytest.mark.parametrize(
    ("field", "op", "value"),
    [
        ("channel", "is", "email"),
        ("channel", "is_not", "phone"),
        ("channel", "in", ["chat", "email"]),
        ("channel", "not_in", ["chat"]),
        ("subject", "contains", "invoice"),
        ("subject", "not_contains", "refund"),
        ("subject", "starts_with", "INVOICE"),
        ("body", "contains", "HELP"),
        ("tags", "contains", "VIP"),
        ("tags", "is", "billing"),
        ("tags", "in", ["x", "billing"]),
        ("type", "is", "question"),
        ("language", "in", ["de", "at"]),
        ("requester.email", "contains", "@example.org"),
        ("requester.organization", "is", "acme"),
        ("fields.product", "is", "router x"),
        ("fields.seats", "gte", 40),
        ("fields.seats", "lt", 40.5),
        ("fields.since", "gt", "2026-01-01"),
        ("fields.regions", "contains", "eu"),
        ("fields.seats", "exists", True),
        ("fields.nothing", "exists", False),
        ("fields.nothing", "is_not", "x"),
        ("priority", "is", "high"),
        ("priority", "gte", "high"),
        ("priority", "in", ["high", "urgent"]),
        ("is_outbound", "is", False),
    ],
)
def test_a_condition_that_fits_holds(field: str, op: str, value: object) -> None:
    assert holds(field, op, value)


@pytest.mark.parametrize(
    ("field", "op", "value"),
    [
        ("channel", "is", "phone"),
        ("channel", "not_in", ["email"]),
        ("subject", "starts_with", "wrong"),
        ("tags", "contains", "vi"),
        ("fields.seats", "gt", 40),
        ("fields.seats", "gte", "40"),
        ("fields.product", "gte", 1),
        ("fields.nothing", "is", "x"),
        ("fields.nothing", "contains", "x"),
        ("fields.nothing", "gte", 0),
        ("fields.seats", "exists", False),
        ("priority", "gte", "urgent"),
        ("priority", "lt", "high"),
    ],
)
def test_a_condition_that_does_not_fit_does_not_hold(field: str, op: str, value: object) -> None:
    assert not holds(field, op, value)


def test_all_conditions_of_a_rule_must_hold_and_the_first_rule_wins() -> None:
    book = RuleBook(
        [
            a_rule("both", "g1", ("channel", "is", "email"), ("tags", "contains", "late")),
            a_rule("first", "g2", ("tags", "contains", "vip")),
            a_rule("second", "g3", ("channel", "is", "email")),
        ]
    )
    matched = book.match(Question(FACTS, 0))
    assert matched is not None
    assert matched.rules == ("first",)


def test_without_a_fitting_rule_there_is_none() -> None:
    assert (
        RuleBook([a_rule("r", "g", ("channel", "is", "phone"))]).match(Question(FACTS, 0)) is None
    )
    assert RuleBook().match(Question(FACTS, 0)) is None


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        (RoutingRule(id="Not A Slug", group="g"), "rules[0].id"),
        (RoutingRule(id="r", group="nowhere"), "rules[0].group"),
        (a_rule("r", "g", ("colour", "is", "red")), "rules[0].when[0].field"),
        (a_rule("r", "g", ("fields.", "is", "red")), "rules[0].when[0].field"),
        (a_rule("r", "g", ("subject", "resembles", "x")), "rules[0].when[0].op"),
        (a_rule("r", "g", ("subject", "matches", "(x")), "rules[0].when[0].value"),
        (a_rule("r", "g", ("subject", "matches", "(?<!x)y")), "rules[0].when[0].value"),
        (a_rule("r", "g", ("subject", "matches", "x" * 501)), "rules[0].when[0].value"),
        (a_rule("r", "g", ("hours.office", "is", "late")), "rules[0].when[0].value"),
        (a_rule("r", "g", ("hours.office", "contains", "open")), "rules[0].when[0].op"),
        (a_rule("r", "g", ("hours.nowhere", "is", "open")), "rules[0].when[0].field"),
        (a_rule("r", "g", ("group", "is", "x")), "rules[0].when[0].value"),
        (a_rule("r", "g", ("priority", "contains", "high")), "rules[0].when[0].op"),
        (a_rule("r", "g", ("subject", "in", ["x"] * 201)), "rules[0].when[0].value"),
        (a_rule("r", "g", french=3), "rules[0].skills.french"),
        (RoutingRule(id="r", group="g", tags=("",)), "rules[0].tags[0]"),
        (RoutingRule(id="r", tags=("x",)), "rules[0].group"),
        (RoutingRule(id="default", group="nowhere"), "default_group"),
        (RoutingRule(id="r", group="g", when=(Condition(),)), "rules[0].when[0]"),
        (
            RoutingRule(
                id="r", group="g", when=(Condition("language", "is", "de", any=(Condition(),)),)
            ),
            "rules[0].when[0]",
        ),
        (
            RoutingRule(id="r", group="g", when=(nested(5),)),
            "rules[0].when[0].any[0].any[0].any[0].any[0]",
        ),
        (a_rule("r", "g", ("subject", "in", "x")), "rules[0].when[0].value"),
        (a_rule("r", "g", ("subject", "in", [])), "rules[0].when[0].value"),
        (a_rule("r", "g", ("subject", "contains", 4)), "rules[0].when[0].value"),
        (a_rule("r", "g", ("subject", "is", None)), "rules[0].when[0].value"),
        (a_rule("r", "g", ("fields.x", "gte", True)), "rules[0].when[0].value"),
        (a_rule("r", "g", ("fields.x", "exists", "yes")), "rules[0].when[0].value"),
        (a_rule("r", "g", ("priority", "is", "huge")), "rules[0].when[0].value"),
        (a_rule("r", "g", ("channel", "in", ["fax"])), "rules[0].when[0].value"),
        (a_rule("r", "g", german=6), "rules[0].skills.german"),
        (a_rule("r", "g", ("subject", "is", "x"), **{"No Slug": 1}), "rules[0].skills"),
    ],
)
def test_a_fault_is_named_by_its_path(rule: RoutingRule, field: str) -> None:
    found = list(faults([rule], KNOWN))
    assert [fault.field for fault in found] == [field]
    assert found[0].message.startswith(f"rule {rule.id!r}: ")


def test_every_fault_is_named_and_a_good_set_has_none() -> None:
    good = a_rule("good", "g", ("channel", "is", "email"), german=3)
    assert not list(faults([good], KNOWN))
    twice = [good, good, RoutingRule(id="x", group="h", when=(Condition("a", "is", 1),))]
    assert [fault.field for fault in faults(twice, KNOWN)] == [
        "rules[1].id",
        "rules[2].group",
        "rules[2].when[0].field",
    ]
    assert [fault.field for fault in faults([good] * 501, KNOWN)] == ["rules"]
