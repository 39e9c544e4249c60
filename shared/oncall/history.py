"""A rota through time: each version in its own time, overrides on top; asked about any instant, past or future."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import msgspec

from shared.oncall.rota import Rota
from shared.oncall.spans import Span, joined, laid_over, rota_spans

_EVER: Final = datetime.fromisoformat("0001-01-02T00:00:00+00:00")
_WINDOWS: Final = tuple(timedelta(days=days) for days in (2, 16, 120, 800))
"""How far to look for the end of a turn, and for the next: most are found in the first."""


class RotaVersion(msgspec.Struct, frozen=True):
    """A rota from `in_force_from` on (`None`: since ever), until the next version."""

    rota: Rota
    in_force_from: datetime | None = None


class Override(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`agent_id` is on call in `[starts_at, ends_at)`, whatever the rota says.

    With `instead_of` only where that person would be: a swap. Of two overrides the later one counts.
    """

    override_id: str
    agent_id: str
    starts_at: datetime
    ends_at: datetime
    instead_of: str | None = None
    reason: str | None = None


class OnCall(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who is on call at an instant. `agent_id` `None`: nobody, until somebody's turn begins.

    `until` `None`: no end within two years. `next_agent_id` `None`: nobody follows within that time,
    or at `until` a gap begins (then `next_starts_at` is later than `until`).
    """

    at: datetime
    agent_id: str | None
    layer: str | None = None
    override_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    next_agent_id: str | None = None
    next_starts_at: datetime | None = None


class RotaHistory:
    """Every version of a rota, in order, and its overrides in the order in which they were made."""

    def __init__(self, versions: Iterable[RotaVersion], overrides: Iterable[Override] = ()) -> None:
        self.versions = tuple(versions)
        self.overrides = tuple(overrides)
        if not self.versions:
            raise ValueError("a rota has at least one version")

    @property
    def current(self) -> Rota:
        """The newest version."""
        return self.versions[-1].rota

    def spans(self, start: datetime, end: datetime) -> list[Span]:
        """Who is on call in `[start, end)`, in order; where nobody is, there is no span."""
        found: list[Span] = []
        for place, version in enumerate(self.versions):
            later = self.versions[place + 1 :]
            begins = max(start, _EVER if place == 0 else version.in_force_from or _EVER)
            ends = min([end, *(after.in_force_from or _EVER for after in later)])
            if begins < ends:
                found += rota_spans(version.rota, begins, ends)
        for override in self.overrides:
            begins, ends = max(start, override.starts_at), min(end, override.ends_at)
            if begins < ends:
                found = laid_over(found, _applied(override, found, begins, ends))
        return joined(found)

    def on_call(self, at: datetime) -> OnCall:
        """Who is on call at this instant, since when, until when, and who follows."""
        for window in _WINDOWS:
            spans = _by_person(self.spans(at - window, at + window))
            here = next((span for span in spans if span.starts_at <= at < span.ends_at), None)
            after = next((span for span in spans if span.starts_at > at), None)
            is_last = window is _WINDOWS[-1]
            if not is_last and (after is None or (here and here.starts_at == at - window)):
                continue
            return _answer(at, window, here, after)
        raise AssertionError("the last window answers")


def _answer(at: datetime, window: timedelta, here: Span | None, after: Span | None) -> OnCall:
    next_agent = after.agent_id if after else None
    next_start = after.starts_at if after else None
    if here is None:
        return OnCall(
            at, None, until=next_start, next_agent_id=next_agent, next_starts_at=next_start
        )
    return OnCall(
        at,
        here.agent_id,
        layer=here.layer,
        override_id=here.override_id,
        since=here.starts_at if here.starts_at > at - window else None,
        until=here.ends_at if here.ends_at < at + window else None,
        next_agent_id=next_agent,
        next_starts_at=next_start,
    )


def _by_person(spans: list[Span]) -> list[Span]:
    """One span where the same person goes on through another layer: nobody is handed anything over."""
    found: list[Span] = []
    for span in spans:
        last = found[-1] if found else None
        if last and last.ends_at == span.starts_at and last.agent_id == span.agent_id:
            found[-1] = msgspec.structs.replace(last, ends_at=span.ends_at)
        else:
            found.append(span)
    return found


def _applied(override: Override, spans: list[Span], start: datetime, end: datetime) -> list[Span]:
    if override.instead_of is None:
        return [Span(start, end, override.agent_id, override_id=override.override_id)]
    return [
        Span(
            max(start, span.starts_at),
            min(end, span.ends_at),
            override.agent_id,
            span.layer,
            override.override_id,
        )
        for span in spans
        if span.agent_id == override.instead_of and span.starts_at < end and span.ends_at > start
    ]
