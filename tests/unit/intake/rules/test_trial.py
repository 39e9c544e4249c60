"""A dry run plays a ticket's real past: each act on the ticket as it was, time included, and nothing twice."""

from datetime import timedelta

from services.intake.domain import decide, evolve, open_ticket
from services.intake.domain.commands import AddCustomerReply, ChangePriority, ChangeTags, Resolve
from services.intake.domain.rules.subject import Owner
from services.intake.domain.rules.trial import replay
from shared.events import Channel, Priority
from tests.unit.intake.givens import MESSAGE, NOW, circumstances, to_open
from tests.unit.intake.rules.play import a_book, followed, ground

HOUR = timedelta(hours=1)
QUESTION = AddCustomerReply(message_id=MESSAGE, body="When?")


def a_history(*acts, via=Channel.AGENT, book=None):
    """A ticket's events, an act each hour; with `book` as rules really made it."""
    context = circumstances(recorded_at=NOW, via=via)
    first = open_ticket(to_open(), number=7, context=context, at=NOW)
    events, ticket = [first], evolve(None, first)
    for place, command in enumerate(acts, start=1):
        at = NOW + place * HOUR
        more = decide(ticket, command, context=circumstances(recorded_at=at, via=via), at=at)
        for event in more:
            ticket = evolve(ticket, event)
        events += more
        if book is not None:
            made, ticket = followed(ticket, more, book, now=at)
            events += made
    return events


def told(history, book, *, until=NOW + 10 * HOUR):
    runs = replay(history, book, ground(book).decide, Owner(lambda: (None, None)), until)
    return [(one.rule, one.cause, one.outcome, one.at) for one in runs]


def test_each_act_is_judged_on_the_ticket_as_it_was():
    rule = {
        "events": ["customer_replied"],
        "when": [{"field": "priority", "op": "is", "value": "urgent"}],
        "actions": {"note": "Hurry."},
    }
    history = a_history(QUESTION, ChangePriority(priority=Priority.URGENT), QUESTION)
    assert told(history, a_book(rule)) == [("r0", "customer_replied", "applied", NOW + 3 * HOUR)]


def test_time_passes_between_acts_and_until_now():
    rule = {
        "after": {"since": "last_customer_reply", "minutes": 30},
        "actions": {"note": "Waits."},
    }
    half = HOUR / 2
    assert told(a_history(QUESTION), a_book(rule)) == [
        ("r0", "time", "applied", NOW + half),
        ("r0", "time", "applied", NOW + HOUR + half),
    ]
    assert told(a_history(QUESTION), a_book(rule | {"once": True})) == [
        ("r0", "time", "applied", NOW + half)
    ]
    assert told(a_history(QUESTION), a_book(rule), until=NOW + HOUR) == [
        ("r0", "time", "applied", NOW + half)
    ]


def test_a_refusal_is_told_with_its_reason():
    rule = {"events": ["solved"], "actions": {"status": "open"}}
    assert told(a_history(Resolve(summary="done")), a_book(rule)) == [
        ("r0", "solved", "refused", NOW + HOUR)
    ]


def test_what_rules_really_did_is_no_act_of_the_trial():
    rule = {"events": ["tags_changed"], "actions": {"priority": "high"}}
    watching = {"events": ["priority_changed"], "actions": {"note": "Changed."}}
    history = a_history(ChangeTags(add=("x",)), book=a_book(rule))
    assert len(history) == 4
    assert told(history, a_book(watching)) == []
    assert told(history, a_book(rule)) == [("r0", "tags_changed", "applied", NOW + HOUR)]


def test_imported_history_is_left_alone():
    rule = {"events": ["opened", "customer_replied"], "actions": {"note": "Hello."}}
    assert told(a_history(QUESTION, via=Channel.IMPORT), a_book(rule)) == []
