"""The panels of a ticket's page: what is still needed, what belongs to it, what can be taken back."""

import pytest

from shared.events import Actor, ActorKind, StatusCategory
from shared.events.steps import ActionsApplied, ActionsUndone, ConditionSeen, RuleApplied
from shared.events.tickets import TicketLinked
from shared.identifiers import new_id
from shared.security import Role
from tests.integration.query.conftest import Reader
from tests.integration.query.stories import Story
from tests.integration.query_web.test_new_ticket import house

__all__ = ["house"]

pytestmark = pytest.mark.integration


async def test_a_ticket_of_a_type_shows_what_is_still_needed(house: Reader):
    house.feed(Story(7).opened(ticket_type="laptop", fields={"many": 2, "free": [1, 2]}))
    page = (await house.get("/tickets/7")).text
    assert "<dt>How many</dt><dd>2</dd>" in page
    assert "<dt>free</dt><dd>1, 2</dd>" in page
    assert '<dt>Model</dt><dd class="soon">needed to solve it</dd>' in page


async def test_what_belongs_to_a_ticket_is_named_with_its_subject(house: Reader):
    part, whole = Story(8).opened(subject="Order <desks>"), Story(7).opened()
    said = {"other_ticket_id": part.ticket_id, "other_number": 8, "relation": "child"}
    whole.tell(TicketLinked, 1, **said)
    house.feed(part, whole)
    page = (await house.get("/tickets/7")).text
    assert "Has the part" in page
    assert "#8 Order &lt;desks&gt;</a>" in page


async def test_a_customer_sees_the_fields_that_are_theirs_and_the_state_they_know(house: Reader):
    story = Story(7).opened(fields={"many": 2, "cost": "4711"})
    story.answer(1).move(2, StatusCategory.PENDING)
    house.feed(story)
    page = (await house.get("/tickets/7", role=Role.CUSTOMER, subject="carl")).text
    assert '<span class="quiet">How many</span> 2' in page
    assert "4711" not in page
    assert '<span class="status answered">Answered</span>' in page


async def test_a_step_is_taken_back_from_the_timeline_once(house: Reader):
    standing, undone = new_id(), new_id()
    story = Story(7).opened()
    for hour, step in enumerate((standing, undone), 1):
        step_of = {"source": "macro", "name": "refund", "definition_version": 1}
        story.tell(ActionsApplied, hour, step_id=step, title="Refund", **step_of)
    story.tell(ActionsUndone, 3, step_id=undone, title="Refund")
    house.feed(story)
    page = (await house.get("/tickets/7")).text
    assert f"/steps/{standing}/undo" in page
    assert f"/steps/{undone}/undo" not in page


async def test_what_a_rule_did_is_told_with_its_reasons_and_can_be_taken_back(house: Reader):
    step, rule = new_id(), Actor(kind=ActorKind.SYSTEM, id="rule:vip@3", name="Very important")
    story = Story(7).opened()
    story.tell(
        RuleApplied,
        1,
        by=rule,
        step_id=step,
        rule="vip",
        rules_version=3,
        title="Very important",
        cause="tags_changed",
        conditions=(ConditionSeen("tags contains vip", {"tags": ["vip"]}),),
        changes=({"what": "priority", "before": "normal", "after": "high"},),
        until_version=3,
    )
    house.feed(story)
    page = (await house.get("/tickets/7")).text
    assert "Very important" in page
    assert "ran on tags changed, as tags contains vip (was vip): priority normal → high" in page
    assert f"/steps/{step}/undo" in page
