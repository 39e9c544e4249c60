"""The words of a survey, on its page and where it is asked by message: ours, or those of the survey policy. Pure."""

from collections.abc import Mapping
from typing import Final

from msgspec.structs import asdict

from services.intake.domain.survey_policy import SurveyPolicy
from shared.events.satisfaction import Score

TEXTS: Final[Mapping[str, str]] = {
    "title": "Your request {number}",
    "question": "What do you think of our help?",
    "good": "It was good",
    "bad": "It was bad",
    "reason": "Why?",
    "choose": "Please choose",
    "comment": "Would you like to tell us more?",
    "send": "Send",
    "thanks": "Thank you, we have noted it.",
    "change": "You may change your answer until {until}.",
    "over": "Thank you for looking in. The time for an answer is over.",
}
"""Our own words; `texts` of the survey policy replaces any of them."""


def texts_of(policy: SurveyPolicy) -> Mapping[str, str]:
    """All words, with `{number}` and `{until}` to be filled in."""
    own = {name: text for name, text in asdict(policy.texts).items() if text}
    return {**TEXTS, **own}


def invitation(policy: SurveyPolicy, number: int, answers: Mapping[Score, str]) -> str:
    """The question as a message, with the link of each answer (see `links.answers`)."""
    texts = texts_of(policy)
    title = texts["title"].replace("{number}", f"#{number}")
    choices = "\n".join(f"{texts[score.value]}: {link}" for score, link in answers.items())
    return f"{title}\n{texts['question']}\n\n{choices}"
