"""A ticket's whole story judged by the policies and calendars given with it."""

from datetime import datetime
from typing import Annotated, Any

import msgspec

from services.sla import engine
from services.sla.evaluation.book import Book, read_book
from services.sla.evaluation.kept import Kept
from services.sla.evaluation.refusals import aware, refused
from shared.calendar import FieldError, NoOpenTime
from shared.errors import Invalid


def _no_calendars() -> msgspec.Raw:
    return msgspec.Raw(b"{}")


class TimelineQuestion(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A ticket's facts, and the policies and calendars to judge them by, as of `evaluate_at`.

    A calendar may be a list of its versions, and a policy's id may come again with its next
    version: see `services.sla.evaluation.book`.
    """

    policies: Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"type": "array"})]
    timeline: list[Any]
    evaluate_at: datetime
    id: Any = None
    calendars: Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"type": "object"})] = (
        msgspec.field(default_factory=_no_calendars)
    )


_kept: Kept[Book] = Kept()


def answer_timeline(question: TimelineQuestion) -> dict[str, Any]:
    """`result`: one verdict per metric and cycle, by start; `warnings`, if any: remarks on the policies (C8).

    Raises:
        Invalid: naming the field at fault.
    """
    now = aware(question.evaluate_at, "evaluate_at")
    facts = _facts(question.timeline)
    key = bytes(question.policies), bytes(question.calendars)
    book = _kept.find(key) or read_book(*key, facts)
    _check_names(question.timeline, book)
    try:
        judged = engine.evaluate(book.rules, facts, now)
    except engine.TicketNotCreated as error:
        raise Invalid.of("evaluate_at", "lies before the ticket was created") from error
    except (NoOpenTime, OverflowError) as error:
        raise Invalid.of("timeline", f"reaches too far: {error}") from error
    finally:
        if not book.depends_on_timeline:
            _kept.keep(key, book, *book.calendars)
    _check_due(judged, book)
    answer: dict[str, Any] = {"result": judged.verdicts}
    if book.warnings:
        answer["warnings"] = book.warnings
    return answer


def _facts(timeline: list[Any]) -> list[engine.Fact]:
    try:
        return engine.parse_timeline(timeline)
    except engine.InvalidRules as error:
        raise refused(error.errors) from error


def _check_names(timeline: list[Any], book: Book) -> None:
    """A fact must not speak of a policy or calendar that is not given."""
    named = {
        "calendar_changed": ("calendar_id", "calendar", {each.id for each in book.calendars}),
        "policy_changed": ("policy_id", "policy", {each.id for each in book.policies}),
    }
    for place, fact in enumerate(timeline):
        if fact["type"] in named:
            field, what, known = named[fact["type"]]
            name = fact.get(field)
            if name is not None and name not in known:
                raise Invalid.of(f"timeline[{place}].{field}", f"there is no {what} {name}")


def _check_due(judged: engine.Evaluation, book: Book) -> None:
    """A target that can never come due is a mistake in the policy, shown by this ticket (C8, C9)."""
    errors = []
    for told in judged.outcomes:
        if not isinstance(told, engine.Unschedulable):
            continue
        for place, policy in enumerate(book.policies):
            if (policy.id, policy.version) != (told.policy_id, told.policy_version):
                continue
            errors += [
                FieldError(
                    f"policies[{place}].targets[{number}].seconds",
                    f"can never be reached: a {told.metric} that starts at {told.started_at.isoformat()}"
                    f" has fewer than {told.target_seconds} open seconds of calendar {told.calendar_id}"
                    " in the next 10 years",
                )
                for number, target in enumerate(policy.targets)
                if (target.metric, target.calendar_id, target.seconds)
                == (told.metric, told.calendar_id, told.target_seconds)
            ]
    if errors:
        raise refused(errors)
