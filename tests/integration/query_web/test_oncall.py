"""The page of on-call on real tables: who has it, who is next, what waits, and what became of each page."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.query.projections.oncall import write_oncall
from shared.events import Event, Priority
from shared.events.base import Actor, ActorKind
from shared.events.policies import RotaDefined, RotaOverridden, RotaOverrideEnded
from shared.events.sla import (
    SlaPageAcknowledged,
    SlaPaged,
    SlaPageEnded,
    SlaPageUnanswered,
)
from shared.identifiers import new_id
from shared.security import Role
from tests.integration.query.conftest import Reader
from tests.integration.query.stories import Story
from tests.support.events import ANNA, stamp

pytestmark = pytest.mark.integration

MIA = Actor(kind=ActorKind.AGENT, id="mia", name="Mia Roth")


def a_rota(version: int = 1, *members: str, **layer: Any) -> RotaDefined:
    document = {
        "name": "Night desk",
        "timezone": "Europe/Berlin",
        "layers": [
            {
                "name": "nights",
                "members": list(members) or ["anna"],
                "starts_on": "2026-01-05",
                "rotation": {"unit": "days"},
            }
            | layer
        ],
    }
    return RotaDefined(**stamp(version, actor=ANNA), rota_id="nights", definition=document)


class Paging:
    """The events of one ticket's pages, after its story's own."""

    def __init__(self, story: Story) -> None:
        self.ticket_id: UUID = story.ticket_id
        self.version = sum(event.OWNER == "sla" for event in story.events)

    def paged(self, agent_id: str | None, level: int = 1) -> SlaPaged:
        now = datetime.now(UTC)
        return SlaPaged(
            **self._clock(ANNA),
            level=level,
            levels_count=2,
            round=1,
            agent_id=agent_id,
            rota_id="nights",
            escalates_at=now + timedelta(minutes=5) if agent_id else None,
        )

    def acknowledged(self, how: str = "acknowledged") -> SlaPageAcknowledged:
        return SlaPageAcknowledged(**self._clock(MIA), how=how)

    def unanswered(self) -> SlaPageUnanswered:
        return SlaPageUnanswered(**self._clock(ANNA), pages_count=2)

    def ended(self) -> SlaPageEnded:
        return SlaPageEnded(**self._clock(ANNA), reason="met")

    def _clock(self, actor: Actor) -> dict[str, Any]:
        self.version += 1
        return {
            **stamp(self.version, datetime.now(UTC), actor),
            "ticket_id": self.ticket_id,
            "metric": "first_reply",
            "cycle": 1,
            "policy_id": "standard",
            "policy_version": 1,
            "priority": Priority.HIGH,
            "target_seconds": 3600.0,
            "key": f"sla:{self.ticket_id}:first_reply:1",
            "step": 2,
        }


def a_ticket(reader: Reader, number: int, subject: str) -> Paging:
    story = Story(number).opened(subject=subject, priority=Priority.HIGH)
    reader.feed(story)
    return Paging(story)


async def text(reader: Reader, path: str = "/oncall") -> str:
    answer = await reader.get(path)
    assert answer.status_code == 200, answer.text
    return " ".join(answer.text.split())


async def test_it_says_who_is_on_call_until_when_and_who_is_next(reader: Reader) -> None:
    reader.feed_events([a_rota(1, "anna", "ben")])
    html = await text(reader)
    here, following = ("anna", "ben") if "<b>anna</b>" in html else ("ben", "anna")
    assert f"<b>{here}</b>" in html
    assert f"Next: {following}" in html
    assert html.count("<td>anna</td>") + html.count("<td>ben</td>") >= 7, "the coming week"


async def test_a_swap_shows_and_its_end_takes_it_away(reader: Reader) -> None:
    now = datetime.now(UTC)
    swap = RotaOverridden(
        **stamp(2, now, ANNA),
        rota_id="nights",
        override_id=new_id(),
        agent_id="zoe",
        starts_at=now - timedelta(hours=1),
        ends_at=now + timedelta(hours=5),
    )
    reader.feed_events([a_rota(), swap])
    assert '<b>zoe</b> <span class="tag">override</span>' in await text(reader)
    ended = RotaOverrideEnded(
        **stamp(3, now, ANNA),
        rota_id="nights",
        override_id=swap.override_id,
        agent_id="zoe",
        starts_at=swap.starts_at,
        ends_at=now,
    )
    reader.feed_events([ended])
    assert "<b>anna</b>" in await text(reader)


async def test_a_gap_is_told_loudly(reader: Reader) -> None:
    yesterday = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[
        (datetime.now(UTC) - timedelta(days=2)).weekday()
    ]
    reader.feed_events([a_rota(1, "anna", hours={yesterday: [["10:00", "10:30"]]})])
    assert "Nobody is on call" in await text(reader)


async def test_a_page_waits_is_taken_and_is_over(reader: Reader) -> None:
    page = a_ticket(reader, 7, "Mail is down")
    events: list[Event] = [page.paged("anna"), page.paged("ben", level=2)]
    reader.feed_events(events)
    waiting = await text(reader)
    assert "Waiting for somebody: 1" in waiting
    assert "level 2 of 2" in waiting
    assert (
        f'data-action="/v1/oncall/alerts/sla:{page.ticket_id}:first_reply:1/acknowledge"' in waiting
    )
    on_ticket = await text(reader, "/tickets/7")
    assert "Paged: ben" in on_ticket
    reader.feed_events([page.unanswered()])
    assert "nobody answered" in await text(reader)
    reader.feed_events([page.acknowledged()])
    taken = await text(reader)
    assert "Somebody looks after it: 1" in taken
    assert "Mia Roth" in taken
    assert "/acknowledge" not in taken
    reader.feed_events([page.ended()])
    assert "Nobody is being paged." in await text(reader)
    assert "Mia Roth acknowledged the page about first reply" in await text(reader, "/tickets/7")


async def test_a_repeated_and_rebuilt_history_says_the_same(reader: Reader) -> None:
    page = a_ticket(reader, 7, "Mail is down")
    events = [page.paged("anna"), page.paged("ben", level=2), page.acknowledged("answered")]
    reader.feed_events(events, batch=1)
    (one,) = reader.rows("SELECT * FROM oncall_pages")
    reader.store.transact(lambda tx: tx.cursor.execute("TRUNCATE oncall_pages"))
    for event in events:
        reader.store.transact(lambda tx, event=event: _again(tx, event))
    assert reader.rows("SELECT * FROM oncall_pages") == [one]
    assert (one["state"], one["agent_id"], one["acknowledged_how"]) == (
        "acknowledged",
        "ben",
        "answered",
    )


def _again(tx: Any, event: Event) -> None:
    write_oncall(tx.cursor, event)


async def test_customers_do_not_see_it(reader: Reader) -> None:
    answer = await reader.get("/oncall", role=Role.CUSTOMER, subject="carl")
    assert answer.status_code == 403
