"""Wishes of routing's rules: done, unless somebody has said otherwise meanwhile or the ticket has ended."""

import pytest

from services.intake.domain.commands import ChangePriority, ChangeTags, Together
from services.intake.domain.triage import follow
from shared.events import Actor, ActorKind, Channel, Priority, StatusCategory
from shared.events.triage import TriageRequested
from tests.unit.intake import givens


def a_wish(**said) -> TriageRequested:
    values = {"previous_priority": Priority.NORMAL, "number": 1, "rule": "vip", "rules_version": 1}
    return TriageRequested(
        version=1,
        occurred_at=givens.NOW,
        recorded_at=givens.NOW,
        actor=Actor(kind=ActorKind.SYSTEM, id="routing"),
        via=Channel.SYSTEM,
        correlation_id="c",
        ticket_id=givens.TICKET,
        **values | said,
    )


def test_priority_and_tags_are_set_as_asked() -> None:
    wish = a_wish(priority=Priority.URGENT, tags=("vip",))
    assert follow(givens.a_ticket(), wish) == Together(
        commands=(ChangePriority(priority=Priority.URGENT), ChangeTags(add=("vip",)))
    )


def test_a_priority_that_somebody_set_meanwhile_stays() -> None:
    ticket = givens.a_ticket(ChangePriority(priority=Priority.LOW))
    assert follow(ticket, a_wish(priority=Priority.URGENT)) is None
    tagged = follow(ticket, a_wish(priority=Priority.URGENT, tags=("vip",)))
    assert tagged == Together(commands=(ChangeTags(add=("vip",)),))


@pytest.mark.parametrize("category", [StatusCategory.SOLVED, StatusCategory.CLOSED])
def test_a_ticket_that_has_ended_is_left_alone(category: StatusCategory) -> None:
    wish = a_wish(priority=Priority.URGENT, tags=("vip",))
    assert follow(givens.in_status(category), wish) is None
