"""Escalation ladders as a policy describes them: steps before, at and after a deadline, and whom each calls."""

import re
from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from services.sla.engine.facts import Priority
from services.sla.engine.metrics import METRICS
from shared.calendar import FieldError
from shared.identifiers import is_slug

LADDERS_MAX: Final = 20
STEPS_MAX: Final = 20
LEVELS_MAX: Final = 10
TARGETS_MAX: Final = 20
REPEATS_MAX: Final = 9
WAIT_SECONDS_MIN, WAIT_SECONDS_MAX = 10, 86_400
"""Nobody answers a page within less; a day later it is no page."""

_SECONDS_MAX: Final = 366 * 86_400
_PERCENT_MAX: Final = 1_000
_DEADLINE: Final = 100
"""The percentage of the target at which it is due."""
_TARGET: Final = re.compile(r"(?:assignee|lead|group|(?:agent|group|role):(?P<name>.+))")


class Level(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is paged on one level: the one on call in a rota, or always the same agent. Exactly one of the two.

    Not acknowledged within `acknowledge_within_seconds` (of the clock on the wall), the next level is paged.
    """

    rota: str | None = None
    agent: str | None = None
    acknowledge_within_seconds: int = 300


class Page(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Levels in order, all of them once and `repeats` times again."""

    levels: tuple[Level, ...]
    repeats: int = 0


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step: when, and what happens then.

    When: exactly one of `percent` of the target (over 100: after it), `seconds_before` and
    `seconds_after` the deadline. `time`: whether these seconds are those of the target's calendar
    (`business`) or of the clock on the wall (`calendar`).

    What: at least one of `raise_priority` (to this one; `next`: one up; never down), `move_to_group`
    (the tier of this id; `next`: the one to which its group escalates),
    `notify` (`assignee`, `lead`, `group`, `agent:<id>`, `group:<id>`, `role:<name>`) and `page`.
    """

    percent: int | None = None
    seconds_before: int | None = None
    seconds_after: int | None = None
    time: Literal["business", "calendar"] = "business"
    raise_priority: Priority | Literal["next"] | None = None
    move_to_group: str | None = None
    notify: tuple[str, ...] = ()
    page: Page | None = None

    @property
    def tells_somebody(self) -> bool:
        """Whether people are called by it."""
        return bool(self.notify) or self.page is not None

    @property
    def is_before_deadline(self) -> bool:
        """Whether it stands before the deadline, and not at it or behind it."""
        return bool(self.seconds_before) or (self.percent is not None and self.percent < _DEADLINE)

    def amount_us(self, target_us: int) -> int:
        """How much of the target's time has passed at this step."""
        if self.percent is not None:
            return target_us * self.percent // 100
        seconds = (self.seconds_after or 0) - (self.seconds_before or 0)
        return target_us + seconds * 1_000_000


class Ladder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The steps of one metric's cycles (`metric` `None`: of every metric without a ladder of its own).

    `acknowledged_by`: what counts as an acknowledgement beside the acknowledgement itself: a person
    answered the customer, the ticket was given to somebody by hand or taken.
    """

    metric: str | None = None
    steps: tuple[Step, ...] = ()
    acknowledged_by: tuple[Literal["answered", "assigned"], ...] = ("answered",)

    @property
    def tells_somebody(self) -> bool:
        """Whether it calls people: then it alone says whom and when, and a breach pages nobody beside it."""
        return any(step.tells_somebody for step in self.steps)

    @property
    def rotas(self) -> frozenset[str]:
        """The rotas it pages by."""
        pages = [step.page for step in self.steps if step.page is not None]
        return frozenset(level.rota for page in pages for level in page.levels if level.rota)


def ladder_problems(ladders: tuple[Ladder, ...]) -> Iterator[FieldError]:
    """What is wrong with a policy's ladders."""
    if len(ladders) > LADDERS_MAX:
        yield FieldError("escalation", f"must be {LADDERS_MAX} ladders at most")
    seen: set[str | None] = set()
    for place, ladder in enumerate(ladders):
        at = f"escalation[{place}]"
        if ladder.metric is not None and ladder.metric not in METRICS:
            yield FieldError(f"{at}.metric", f"must be one of {', '.join(METRICS)}")
        if ladder.metric in seen:
            yield FieldError(f"{at}.metric", "has a ladder already")
        seen.add(ladder.metric)
        if not 0 < len(ladder.steps) <= STEPS_MAX:
            yield FieldError(f"{at}.steps", f"must be 1 to {STEPS_MAX} steps")
        before: Step | None = None
        for number, step in enumerate(ladder.steps):
            yield from _step_problems(step, f"{at}.steps[{number}]")
            if before is not None and _is_out_of_order(before, step):
                yield FieldError(f"{at}.steps[{number}]", "comes before the step above it")
            before = step


def _step_problems(step: Step, at: str) -> Iterator[FieldError]:
    given = (step.percent, step.seconds_before, step.seconds_after)
    if sum(one is not None for one in given) != 1:
        yield FieldError(at, "needs one of percent, seconds_before and seconds_after")
    if step.percent is not None and not 0 < step.percent <= _PERCENT_MAX:
        yield FieldError(f"{at}.percent", f"must be from 1 to {_PERCENT_MAX}")
    if step.percent is not None and step.time == "calendar":
        yield FieldError(f"{at}.time", "a percentage is one of the target's own time")
    for name in ("seconds_before", "seconds_after"):
        seconds = getattr(step, name)
        if seconds is not None and not 0 <= seconds <= _SECONDS_MAX:
            yield FieldError(f"{at}.{name}", f"must be from 0 to {_SECONDS_MAX}")
    if step.raise_priority is None and step.move_to_group is None and not step.tells_somebody:
        yield FieldError(at, "does nothing: raise_priority, move_to_group, notify or page")
    if step.move_to_group is not None and not is_slug(step.move_to_group):
        yield FieldError(f"{at}.move_to_group", "must be a group's id")
    if len(step.notify) > TARGETS_MAX:
        yield FieldError(f"{at}.notify", f"must be {TARGETS_MAX} at most")
    for place, target in enumerate(step.notify):
        found = _TARGET.fullmatch(target)
        if found is None or (found["name"] is not None and not is_slug(found["name"])):
            known = "assignee, lead, group, agent:<id>, group:<id> or role:<name>"
            yield FieldError(f"{at}.notify[{place}]", f"must be {known}")
    if step.page is not None:
        yield from _page_problems(step.page, f"{at}.page")


def _page_problems(page: Page, at: str) -> Iterator[FieldError]:
    if not 0 < len(page.levels) <= LEVELS_MAX:
        yield FieldError(f"{at}.levels", f"must be 1 to {LEVELS_MAX} levels")
    if not 0 <= page.repeats <= REPEATS_MAX:
        yield FieldError(f"{at}.repeats", f"must be from 0 to {REPEATS_MAX}")
    for place, level in enumerate(page.levels):
        field = f"{at}.levels[{place}]"
        if (level.rota is None) == (level.agent is None):
            yield FieldError(field, "needs either rota or agent")
        if level.agent is not None and not is_slug(level.agent):
            yield FieldError(f"{field}.agent", "must be an agent's id")
        if not WAIT_SECONDS_MIN <= level.acknowledge_within_seconds <= WAIT_SECONDS_MAX:
            yield FieldError(
                f"{field}.acknowledge_within_seconds",
                f"must be from {WAIT_SECONDS_MIN} to {WAIT_SECONDS_MAX}",
            )


def _is_out_of_order(before: Step, step: Step) -> bool:
    """As far as it can be told without a target: a percentage and seconds cannot be compared."""
    if before.percent is not None and step.percent is not None:
        return step.percent < before.percent
    if before.percent is None and step.percent is None and before.time == step.time:
        return step.amount_us(0) < before.amount_us(0)
    return False
