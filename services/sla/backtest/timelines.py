"""What happened to tickets and what is promised, as lines: for a judgement that is made elsewhere, with this engine."""

from collections.abc import Iterable
from uuid import UUID

import msgspec

from services.sla import engine
from services.sla.backtest.question import Trial
from services.sla.backtest.stories import Story


class Promises(msgspec.Struct, frozen=True, kw_only=True, tag="promises", tag_field="line"):
    """The first line: the window, and the policies and calendars as they are now."""

    trial: Trial


class Timeline(msgspec.Struct, frozen=True, kw_only=True, tag="timeline", tag_field="line"):
    """One ticket that came in the window, whole.

    Attributes:
        facts: in order of time, the creation first.
        ruled: places of facts that are there because routing's rules asked for them.
    """

    ticket_id: UUID
    facts: list[engine.Fact]
    ruled: list[int] = []


class Progress(msgspec.Struct, frozen=True, kw_only=True, tag="progress", tag_field="line"):
    """How much of the log has been read."""

    events_read: int
    events_total: int


class End(msgspec.Struct, frozen=True, kw_only=True, tag="end", tag_field="line"):
    """The last line; without it the answer was cut off. `unreadable_events_count`: passed over."""

    unreadable_events_count: int


Line = Promises | Timeline | Progress | End


def timelines(stories: Iterable[Story], trial: Trial) -> Iterable[Timeline]:
    """Those of the tickets that were opened in the window."""
    for story in stories:
        opened_at = story.opened_at
        if opened_at is None or not trial.since <= opened_at <= trial.until:
            continue
        facts = story.timeline()
        asked = {id(fact) for fact in story.ruled}
        ruled = [place for place, fact in enumerate(facts) if id(fact) in asked]
        yield Timeline(ticket_id=story.ticket_id, facts=facts, ruled=ruled)
