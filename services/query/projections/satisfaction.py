"""What the customer thinks: the questions and answers of a ticket, in its row and as rows of their own. Pure."""

from typing import Any, Final

from services.query.projections.writes import Writes
from shared.events.satisfaction import SatisfactionOffered, SatisfactionRated, Score

Row = dict[str, Any]

OFFERED: Final = "offered"
"""Asked and never answered."""

_UNANSWERED: Final[Row] = {
    "score": None,
    "first_score": None,
    "comment": None,
    "reason": None,
    "rated_at": None,
    "answers_count": 0,
    "is_good_to_bad": False,
    "is_bad_to_good": False,
}


def satisfaction_after(
    before: Row | None, event: SatisfactionOffered | SatisfactionRated, writes: Writes
) -> Row:
    """The ticket's satisfaction with what the event says; the row of the question is written as well.

    `score` is the customer's last word about any solution of the ticket; `count` counts all their words.
    """
    after: Row = before or {
        "score": OFFERED, "first_score": None, "comment": None, "reason": None, "rated_at": None,
        "count": 0, "is_good_to_bad": False, "is_bad_to_good": False, "surveys": [],
    }  # fmt: skip
    surveys: list[Row] = after["surveys"]
    if isinstance(event, SatisfactionOffered):
        row = _asked(event)
        writes.put_survey(row)
        return {**after, "surveys": [*surveys, row]}
    answered = []
    for one in surveys:
        if one["survey_id"] == str(event.survey_id):
            row = _answered(one, event) | {"answers_count": one["answers_count"] + 1}
            writes.put_survey(row)
            answered.append(row)
        else:
            answered.append(one)
    return _answered(after, event) | {"count": after["count"] + 1, "surveys": answered}


def _asked(event: SatisfactionOffered) -> Row:
    return {
        "survey_id": str(event.survey_id),
        "ticket_id": str(event.ticket_id),
        "resolution_count": event.resolution_count,
        "offered_at": event.occurred_at,
        "expires_at": event.expires_at,
        "leaves_by": event.leaves_by,
        "group_id": event.group_id,
        "agent_id": event.agent_id,
        "policy_group": event.policy_group,
        "policy_version": event.policy_version,
        **_UNANSWERED,
    }


def _answered(before: Row, event: SatisfactionRated) -> Row:
    change = (before["score"], event.score)
    return {
        **before,
        "score": event.score,
        "first_score": before["first_score"] or event.score,
        "comment": event.comment,
        "reason": event.reason,
        "rated_at": event.occurred_at,
        "is_good_to_bad": before["is_good_to_bad"] or change == (Score.GOOD, Score.BAD),
        "is_bad_to_good": before["is_bad_to_good"] or change == (Score.BAD, Score.GOOD),
    }
