"""What customers think of a solution: who is asked, once; what may be answered, and changed."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from services.intake.domain import Context, Ticket, decide
from services.intake.domain.commands import (
    ChangeTags,
    Close,
    Merge,
    OfferSurvey,
    RateSatisfaction,
    Reopen,
    Resolve,
)
from services.intake.domain.limits import SURVEY_ANSWERS_MAX
from services.intake.domain.refusals import NoSurveyIsOpen, RatedTooOften, SurveyIsOver
from services.intake.domain.survey_policy import SurveyPolicy, SurveyTerms
from shared.errors import Invalid
from shared.events import Channel
from shared.events.messages import MailHeaders
from shared.events.satisfaction import Score
from shared.events.tickets import Person
from tests.unit.intake.givens import NOW, OTHER, a_ticket, after, circumstances, when

POLICY = SurveyPolicy(delay_minutes=60, answer_days=7, reasons=("Too slow", "Not solved"))
DUE = NOW + timedelta(hours=1)
SOLVE = Resolve(summary="Put it out")
ROBOT = MailHeaders(no_answer_reason="Auto-Submitted: auto-generated")


def by(policy: SurveyPolicy = POLICY) -> Context:
    return replace(circumstances(), survey=SurveyTerms(policy, "*", 3))


def by_mail(**said) -> Ticket:
    return replace(a_ticket(**said), via=Channel.EMAIL)


def solved(ticket: Ticket | None = None, policy: SurveyPolicy = POLICY, **said) -> Ticket:
    ticket = ticket or by_mail(**said)
    return after(ticket, decide(ticket, SOLVE, context=by(policy), at=NOW))


def offer(ticket: Ticket, policy: SurveyPolicy = POLICY, **said):
    command = OfferSurvey(survey_at=DUE, **said)
    return decide(ticket, command, context=by(policy), at=DUE)


def asked(policy: SurveyPolicy = POLICY) -> Ticket:
    ticket = solved()
    return after(ticket, offer(ticket, policy, group_id="desk", agent_id="anna"))


def rate(ticket: Ticket, score: Score, *, at=DUE, policy: SurveyPolicy = POLICY, **said):
    return decide(ticket, RateSatisfaction(score=score, **said), context=by(policy), at=at)


def test_a_solution_says_when_the_customer_will_be_asked():
    assert solved().survey_at == DUE


@pytest.mark.parametrize(
    "said",
    [
        {"is_internal": True},
        {"is_outbound": True},
        {"mail": ROBOT},
        {"tags": ("spam",)},
        {"requester": Person(id="ben", organization="Acme")},
    ],
    ids=lambda said: next(iter(said)),
)
def test_nobody_is_asked_about_what_no_customer_asked_for(said):
    policy = replace(POLICY, except_organizations=("Acme",))
    assert solved(policy=policy, **said).survey_at is None


def test_nobody_is_asked_by_another_channel_by_history_or_without_a_policy():
    assert solved(policy=replace(POLICY, channels=(Channel.CHAT,))).survey_at is None
    history = decide(by_mail(), SOLVE, context=replace(by(), via=Channel.IMPORT), at=NOW)
    assert after(by_mail(), history).survey_at is None
    assert solved(a_ticket()).survey_at is None, "it was imported, and solved here"
    assert a_ticket(SOLVE).survey_at is None


def test_the_question_names_the_solution_who_had_it_and_until_when():
    (event,) = offer(solved(), leaves_by="email", group_id="desk", agent_id="anna")
    assert (event.resolution_count, event.leaves_by, event.group_id, event.agent_id) == (
        1,
        "email",
        "desk",
        "anna",
    )
    assert event.expires_at == DUE + timedelta(days=7)
    assert (event.policy_group, event.policy_version) == ("*", 3)


def test_it_is_asked_once_for_a_solution_and_again_for_the_next_one():
    ticket = asked()
    assert offer(ticket) == []
    reopened = after(ticket, decide(ticket, Reopen(), context=by(), at=DUE))
    again = solved(reopened)
    (event,) = offer(again)
    assert event.resolution_count == 2
    assert event.survey_id != ticket.surveys[0].id


@pytest.mark.parametrize(
    "meanwhile",
    [
        Reopen(),
        Merge(into_ticket_id=OTHER, into_number=8),
        Close(reason="spam"),
        ChangeTags(add=("spam",)),
    ],
    ids=lambda command: type(command).__name__,
)
def test_what_happened_before_the_moment_keeps_the_question_back(meanwhile):
    ticket = solved()
    ticket = after(ticket, decide(ticket, meanwhile, context=by(), at=NOW))
    assert offer(ticket) == []


def test_a_closed_ticket_is_asked_about_and_a_policy_that_was_switched_off_asks_nothing():
    ticket = solved()
    closed = after(ticket, decide(ticket, Close(), context=by(), at=NOW))
    assert len(offer(closed)) == 1
    assert offer(ticket, replace(POLICY, is_on=False)) == []


def test_an_answer_may_be_changed_and_tells_what_was_said_before():
    ticket = asked()
    first = rate(ticket, Score.GOOD, comment="Thanks")
    assert [(one.score, one.previous_score) for one in first] == [(Score.GOOD, None)]
    ticket = after(ticket, first)
    (second,) = rate(ticket, Score.BAD, reason="Not solved")
    assert (second.score, second.comment, second.reason) == (Score.BAD, None, "Not solved")
    assert (second.previous_score, second.previous_comment, second.previous_reason) == (
        Score.GOOD,
        "Thanks",
        None,
    )
    ticket = after(ticket, [second])
    assert rate(ticket, Score.BAD, reason="Not solved") == []
    assert ticket.category == "solved", "an opinion reopens nothing"


def test_who_was_not_asked_does_not_answer():
    with pytest.raises(NoSurveyIsOpen):
        rate(solved(), Score.GOOD)
    with pytest.raises(NoSurveyIsOpen):
        rate(asked(), Score.GOOD, survey_id=OTHER)


def test_an_answer_after_the_time_is_refused_and_one_in_time_is_not():
    ticket = asked()
    end = ticket.surveys[0].expires_at
    assert len(rate(ticket, Score.GOOD, at=end)) == 1
    with pytest.raises(SurveyIsOver):
        rate(ticket, Score.GOOD, at=end + timedelta(seconds=1))


def test_nobody_fills_a_ticket_with_opinions():
    ticket = asked()
    for turn in range(SURVEY_ANSWERS_MAX):
        ticket = after(ticket, rate(ticket, list(Score)[turn % 2]))
    with pytest.raises(RatedTooOften):
        rate(ticket, Score.GOOD, comment="once more")


def test_a_reason_is_one_of_those_that_are_offered_or_was_when_it_was_given():
    ticket = asked()
    with pytest.raises(Invalid, match="Too slow, Not solved"):
        rate(ticket, Score.BAD, reason="Weather")
    ticket = after(ticket, rate(ticket, Score.BAD, reason="Too slow"))
    without = replace(POLICY, reasons=())
    assert len(rate(ticket, Score.BAD, reason="Too slow", comment="Days", policy=without)) == 1


def test_an_opinion_of_an_earlier_solution_stays_with_it():
    ticket = asked()
    first = ticket.surveys[0].id
    reopened = after(ticket, decide(ticket, Reopen(), context=by(), at=DUE))
    again = solved(reopened)
    again = after(again, offer(again))
    (event,) = rate(again, Score.BAD, survey_id=first)
    assert event.resolution_count == 1
    (event,) = rate(again, Score.GOOD)
    assert event.resolution_count == 2


def test_a_policy_that_names_something_twice_or_what_is_never_asked_about_is_refused():
    with pytest.raises(Invalid) as refused:
        SurveyPolicy(reasons=("a", "a"), channels=(Channel.IMPORT,)).check()
    assert {one.field for one in refused.value.errors} == {"reasons", "channels"}


def test_when_tells_the_moment_with_the_solution():
    assert when(by_mail(), SOLVE, context=by())[0][1]["survey_at"] == DUE
