"""A copy that is kept by the incremental export is the view, whatever changed: rows move with all that they show."""

import random
from typing import Any, Final

import pytest

from services.query.views.export import ENTITIES
from shared.events import Event
from shared.events.agents import (
    AgentDefined,
    AgentPresenceChanged,
    AgentProfile,
    GroupDefined,
    GroupProfile,
    Presence,
)
from shared.events.policies import CalendarDefined
from shared.events.tickets import Person
from tests.integration.query.conftest import Reader
from tests.integration.query.random_lives import agent_life, random_life
from tests.integration.query.stories import Story, shuffled
from tests.integration.query.test_export import page, pages, settled
from tests.support.events import ANNA, stamp

pytestmark = pytest.mark.integration

# The tables behind a view, directly or through other views.
_BEHIND: Final = """
WITH RECURSIVE behind AS (
    SELECT %s::regclass::oid AS relation
    UNION
    SELECT d.refobjid FROM behind JOIN pg_rewrite AS r ON r.ev_class = behind.relation
    JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
    WHERE d.refclassid = 'pg_class'::regclass
)
SELECT c.relname::text AS name FROM behind JOIN pg_class AS c ON c.oid = relation WHERE c.relkind = 'r'
"""
MOVED_BY_THIS_TEST: Final = {
    "tickets", "spans", "messages", "sla_cycles", "assignments", "surveys", "timeline", "agents", "groups",
    "definitions", "open_hours",
}  # fmt: skip


def of_the_house() -> list[Event]:
    """Agents who come, go and are called otherwise, a group likewise, a calendar: each stream in its order."""
    hours = {"mon": [["09:00", "17:00"]], "tue": [["09:00", "17:00"]]}
    anna = agent_life("anna", 1)
    last = len(anna)
    return [
        *anna,
        AgentDefined(**stamp(last + 1, actor=ANNA), agent_id="anna", profile=AgentProfile(name="Anna B.")),
        AgentDefined(**stamp(1, actor=ANNA), agent_id="carl", profile=AgentProfile(name="Carl")),
        AgentDefined(**stamp(1, actor=ANNA), agent_id="bob", profile=AgentProfile(name="Bob")),
        GroupDefined(**stamp(1, actor=ANNA), group_id="desk", profile=GroupProfile(name="Desk")),
        CalendarDefined(
            **stamp(1, actor=ANNA), calendar_id="office", definition={"timezone": "UTC", "hours": hours}
        ),
        GroupDefined(**stamp(2, actor=ANNA), group_id="desk", profile=GroupProfile(name="Front")),
        AgentDefined(
            **stamp(2, actor=ANNA), agent_id="bob", profile=AgentProfile(name="Bob", is_active=False)
        ),
    ]  # fmt: skip


def interleaved(events: list[Event], others: list[Event], chance: random.Random) -> list[Event]:
    """Both in their orders."""
    places = sorted(chance.randrange(len(events) + 1) for _ in others)
    for shift, (place, other) in enumerate(zip(places, others, strict=True)):
        events.insert(place + shift, other)
    return events


class Copy:
    """What somebody has who reads one entity's changes only."""

    def __init__(self, reader: Reader, entity: str) -> None:
        self.reader, self.entity, self.key = reader, entity, ENTITIES[entity].key
        self.rows: dict[str, dict[str, Any]] = {}
        self.cursor: dict[str, str] = {}

    async def follow(self) -> list[str]:
        """Read on; returns the keys that were told."""
        await settled(self.reader, self.entity)
        told: list[str] = []
        is_end = False
        while not is_end:
            rows, cursor, is_end = await page(self.reader, self.entity, limit=11, **self.cursor)
            self.cursor = {"cursor": cursor}
            told += (row[self.key] for row in rows)
            self.rows |= {row[self.key]: row for row in rows}
        return told

    async def whole(self) -> dict[str, dict[str, Any]]:
        """The view as it is now."""
        return {
            row[self.key]: row
            async for rows in pages(self.reader, self.entity, limit=100_000)
            for row in rows
        }


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_copy_by_changes_is_the_view(reader: Reader, seed: int) -> None:
    chance = random.Random(seed)
    stories = [random_life(number, 100 * seed + number) for number in range(1, 25)]
    events = interleaved(shuffled(stories, seed), of_the_house(), chance)
    copies = [Copy(reader, entity) for entity in ENTITIES]
    for first in range(0, len(events), 40):
        reader.feed_events(events[first : first + 40], batch=chance.choice([1, 7, 40]))
        for copy in copies:
            told = await copy.follow()
            assert len(told) == len(set(told)), f"{copy.entity} told a row twice"
            now, later = await copy.whole(), await copy.whole()
            assert copy.rows.keys() == now.keys(), copy.entity
            for key, row in now.items():
                # A duration that goes on is as of its page; what has ended must have been told.
                ended = {name for name in row if row[name] == later[key][name]}
                stale = {
                    name: (copy.rows[key][name], row[name])
                    for name in ended
                    if copy.rows[key][name] != row[name]
                }
                assert not stale, f"{copy.entity} {key}"


async def test_every_table_behind_an_export_is_moved_by_these_tests(reader: Reader) -> None:
    for entity in ENTITIES:
        behind = {row["name"] for row in reader.rows(_BEHIND, f"bi.{entity}")}
        assert behind <= MOVED_BY_THIS_TEST, f"a copy of {entity} may not follow these"


async def test_a_name_moves_the_tickets_that_show_it_and_presence_moves_none(
    reader: Reader,
) -> None:
    mine = Story(1).opened().give_group(0, "desk", "rule").assign(1, "anna")
    asked = Story(2).opened(requester=Person("anna", "Anna", "anna@example.org"))
    other = Story(3).opened().assign(1, "bob")
    reader.feed(mine, asked, other)
    enriched, metrics = Copy(reader, "ticket_enriched"), Copy(reader, "ticket_metrics")
    told = [await enriched.follow(), await metrics.follow()]
    assert [len(keys) for keys in told] == [3, 3]

    async def moved(event: Event) -> set[str]:
        reader.feed_events([event])
        keys = await enriched.follow()
        assert await metrics.follow() == keys
        return set(keys)

    named = AgentDefined(**stamp(1, actor=ANNA), agent_id="anna", profile=AgentProfile(name="Anna"))
    assert await moved(named) == {str(mine.ticket_id), str(asked.ticket_id)}
    came = AgentPresenceChanged(
        **stamp(2, actor=ANNA), agent_id="anna", presence=Presence.ONLINE, previous=Presence.OFFLINE
    )
    assert await moved(came) == set()
    desk = GroupDefined(**stamp(1, actor=ANNA), group_id="desk", profile=GroupProfile(name="Desk"))
    assert await moved(desk) == {str(mine.ticket_id)}
    assert enriched.rows[str(mine.ticket_id)]["group_name"] == "Desk"
