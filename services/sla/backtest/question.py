"""What is asked: which promises, on the tickets of which days. Drafts are read and refused as policies are."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import msgspec

from services.sla import engine
from services.sla.promises.documents import as_sent, check_conditions, read_calendar, read_policy
from shared.calendar import Calendar
from shared.errors import FieldError, Invalid

DAYS_MAX: Final = 366
SHOWN_MAX: Final = 2_000

Documents = Mapping[str, tuple[int, dict[str, Any]]]
"""Id to version and document, as they are now."""


class Question(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Judge the tickets that were opened in the last `days` before `until` (without it: now).

    `policies`: drafts, each with its `id`; one with the id of a policy stands in its place, the others
    are added by their `order`. Everything else is as it is now. `calendars`: the same, by id.
    `timezone`: whose hours the counts by hour are. `show`: how many changed tickets are named.
    """

    policies: list[dict[str, Any]] = []
    calendars: dict[str, dict[str, Any]] = {}
    days: Annotated[int, msgspec.Meta(ge=1, le=DAYS_MAX)] = 30
    until: datetime | None = None
    timezone: str = "UTC"
    show: Annotated[int, msgspec.Meta(ge=0, le=SHOWN_MAX)] = 20


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """A question that was checked, with the documents to judge by; what the working process is given.

    `policies` and `calendars`: id, version and document. A draft has the version it would get.
    """

    policies: list[tuple[str, int, dict[str, Any]]]
    calendars: list[tuple[str, int, dict[str, Any]]]
    drafts: list[str]
    since: datetime
    until: datetime
    timezone: str
    show: int
    lists_changes: bool = False

    def rules(self) -> engine.Rulebook:
        """The rulebook: every version in force since ever, so that each ticket is judged by the same words."""
        return engine.Rulebook(
            [_policy(*each) for each in self.policies],
            [_calendar(*each) for each in self.calendars],
        )


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What the working process is told: where the log is, and what is asked.

    `tells_timelines`: what happened is wanted, and no judgement.
    """

    bootstrap_servers: str
    prefix: str
    trial: Trial
    tells_timelines: bool = False


def read_trial(
    question: Question,
    *,
    policies: Documents,
    calendars: Documents,
    now: datetime,
    lists_changes: bool = False,
) -> Trial:
    """Check a question against what is defined now.

    Raises:
        Invalid: naming every wrong field of the question or of a draft.
    """
    until = question.until or now
    if until.tzinfo is None:
        raise Invalid.of("until", "needs a time zone, 2026-01-31T09:00:00Z")
    if not datetime(1970, 1, 1, tzinfo=UTC) <= until <= now:
        raise Invalid.of("until", "must lie between 1970 and now")
    _check_zone(question.timezone)
    drafted = {name: _next(calendars.get(name), doc) for name, doc in question.calendars.items()}
    known = {**calendars, **drafted}
    for calendar_id, (version, document) in drafted.items():
        with _at(f"calendars.{calendar_id}"):
            read_calendar(calendar_id, version, document, first_day=now.date())
    chosen = dict(policies)
    drafts: list[str] = []
    for place, draft in enumerate(question.policies):
        at = f"policies[{place}]"
        name = draft.get("id")
        if not isinstance(name, str) or not name:
            raise Invalid.of(f"{at}.id", "is needed: the policy it stands for, or a new one's")
        if name in drafts:
            raise Invalid.of(f"{at}.id", "is given twice")
        drafts.append(name)
        version, document = _next(policies.get(name), draft)
        previous = policies.get(name)
        document.setdefault("order", previous[1].get("order", 0) if previous else 0)
        chosen[name] = version, document
        with _at(at):
            _check(name, version, document, known, now)
    return Trial(
        policies=[(name, *chosen[name]) for name in sorted(chosen)],
        calendars=[(name, *known[name]) for name in sorted(known)],
        drafts=drafts,
        since=until - timedelta(days=question.days),
        until=until,
        timezone=question.timezone,
        show=question.show,
        lists_changes=lists_changes,
    )


def _check(
    name: str, version: int, document: dict[str, Any], calendars: Documents, now: datetime
) -> None:
    """As a policy is checked when it is defined."""
    policy = _policy(name, version, document)
    check_conditions(policy, calendars)
    errors = [
        FieldError(f"targets[{place}].calendar_id", f"there is no calendar {target.calendar_id}")
        for place, target in enumerate(policy.targets)
        if target.calendar_id is not None and target.calendar_id not in calendars
    ]
    asked = {target.calendar_id for target in policy.targets} & calendars.keys()
    found = {each: _calendar(each, *calendars[each]) for each in asked if each is not None}
    errors += [
        FieldError(each.field, each.message)
        for each in engine.impossible(policy, found, at=now)
        if each.field not in {error.field for error in errors}
    ]
    if errors:
        raise Invalid("The draft cannot be tried.", errors=errors)


def _next(
    current: tuple[int, dict[str, Any]] | None, draft: dict[str, Any]
) -> tuple[int, dict[str, Any]]:
    return (current[0] if current else 0) + 1, as_sent(draft)


def _policy(name: str, version: int, document: dict[str, Any]) -> engine.Policy:
    kept = {key: value for key, value in document.items() if key != "in_force_from"}
    return read_policy(name, version, kept)


def _calendar(name: str, version: int, document: dict[str, Any]) -> Calendar:
    kept = {key: value for key, value in document.items() if key != "in_force_from"}
    return read_calendar(name, version, kept)


@contextmanager
def _at(place: str) -> Iterator[None]:
    """Refusals of a part get the part's place."""
    try:
        yield
    except Invalid as error:
        errors: Sequence[FieldError] = error.errors or [FieldError("", error.detail)]
        raise Invalid(
            f"{place}: {error.detail}",
            errors=[
                FieldError(f"{place}.{each.field}" if each.field else place, each.message)
                for each in errors
            ],
        ) from error


def _check_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (
        ValueError,
        OSError,
    ):  # not found, or not even a name; ZoneInfoNotFoundError is a KeyError
        raise Invalid.of("timezone", f"there is no time zone {name!r}") from None
    except KeyError:
        raise Invalid.of("timezone", f"there is no time zone {name!r}") from None
