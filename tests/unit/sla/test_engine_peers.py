"""What other desks promise, said in a policy's JSON: one documented case of each, judged as they judge it.

Who comes from one of them sets these options and keeps the numbers: which categories pause which
metric, when the next reply starts, and whether a reopening continues or restarts.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from services.sla.evaluation import TimelineQuestion, answer_timeline

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
FRIDAY = MONDAY + timedelta(days=4)
OFFICE = {
    "timezone": "UTC",
    "hours": {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")},
}
NO_PAUSE: dict[str, Any] = {"pauses": []}


class Desk:
    """A policy and a ticket's story; moments are minutes after `start`."""

    def __init__(self, start: datetime = MONDAY, *, calendar: str | None = None, **minutes: float):
        self.start = start
        self.timeline: list[dict[str, Any]] = []
        self.targets = [
            {"metric": metric, "seconds": int(amount * 60), "calendar_id": calendar}
            for metric, amount in minutes.items()
        ]
        self.metrics: dict[str, Any] = {}

    def set(self, *metrics: str, **rule: Any) -> "Desk":
        self.metrics |= dict.fromkeys(metrics, rule)
        return self

    def tell(self, at: float, kind: str, **more: Any) -> "Desk":
        moment = self.start + timedelta(minutes=at)
        self.timeline.append({"at": moment.isoformat(), "type": kind, **more})
        return self

    def enters(self, at: float, category: str, **more: Any) -> "Desk":
        return self.tell(at, "status_changed", category=category, **more)

    def judged(self, at: float, metric: str, cycle: int = 1):
        question = {
            "policies": [{"id": "p", "targets": self.targets, "metrics": self.metrics}],
            "calendars": {"office": OFFICE},
            "timeline": self.timeline,
            "evaluate_at": self.start + timedelta(minutes=at),
        }
        answer = answer_timeline(
            msgspec.json.decode(msgspec.json.encode(question), type=TimelineQuestion)
        )
        (found,) = [v for v in answer["result"] if (v.metric, v.cycle) == (metric, cycle)]
        return found

    def due(self, at: float, metric: str, cycle: int = 1) -> float | None:
        due_at = self.judged(at, metric, cycle).due_at
        return None if due_at is None else (due_at - self.start) / timedelta(minutes=1)


def zammad() -> Desk:
    """Ignored states freeze every metric; the closed time before a reopening does not count."""
    frozen = ["pending", "postponed", "solved", "closed"]
    desk = Desk(first_reply=60, next_reply=30, resolution=240)
    return desk.set("first_reply", "next_reply", "resolution", pauses=frozen)


def test_zammad_freezes_all_metrics_while_pending():
    desk = zammad().tell(0, "created").enters(10, "pending")
    assert [desk.due(20, metric) for metric in ("first_reply", "resolution")] == [None, None]
    desk.enters(70, "open")
    assert (desk.due(80, "first_reply"), desk.due(80, "resolution")) == (120, 300)


def test_zammad_a_reply_while_pending_still_meets_the_first_response():
    """Its issue 3551."""
    desk = zammad().tell(0, "created").enters(10, "pending").tell(65, "agent_replied")
    met = desk.judged(70, "first_reply")
    assert (met.status, met.elapsed_seconds, met.paused_seconds) == ("met", 600, 55 * 60)


def test_zammad_a_ticket_created_pending_has_paused_from_the_start():
    desk = zammad().tell(0, "created", category="pending").enters(120, "open")
    assert desk.due(121, "first_reply") == 180


def test_zammad_a_reopened_ticket_goes_on_with_the_time_that_was_left():
    """Its issue 188: the closed time had been counted."""
    desk = zammad().tell(0, "created").tell(100, "resolved").tell(1000, "reopened")
    again = desk.judged(1001, "resolution")
    assert (again.cycle, desk.due(1001, "resolution")) == (1, 1140)


def test_zendesk_reply_promises_do_not_pause_on_pending_but_resolution_promises_do():
    desk = Desk(first_reply=60, requester_wait=240, agent_work=240).tell(0, "created")
    desk.enters(10, "pending")
    assert desk.due(20, "first_reply") == 60
    assert [desk.due(20, metric) for metric in ("requester_wait", "agent_work")] == [None, None]
    desk.enters(40, "hold")
    assert (desk.due(45, "requester_wait"), desk.due(45, "agent_work")) == (270, None)


def test_zendesk_later_customer_comments_do_not_move_the_next_reply():
    desk = Desk(first_reply=60, next_reply=30).tell(0, "created").tell(5, "agent_replied")
    desk.tell(100, "customer_replied").tell(120, "customer_replied")
    assert desk.due(125, "next_reply") == 130
    desk.tell(131, "agent_replied").tell(200, "customer_replied")
    assert desk.judged(210, "next_reply", 1).status == "breached"
    assert desk.due(210, "next_reply", 2) == 230


def test_glpi_waiting_moves_the_time_to_resolve_by_the_business_time_waited():
    desk = Desk(FRIDAY, calendar="office", first_assign=60, resolution=600)
    desk.tell(0, "created").set("resolution", pauses=["pending"])
    desk.enters(7 * 60, "pending")  # Friday 16:00
    desk.enters(73 * 60, "open")  # Monday 10:00: two office hours later
    judged = desk.judged(74 * 60, "resolution")
    assert judged.paused_seconds == 2 * 3600
    assert judged.due_at == datetime(2026, 3, 9, 13, tzinfo=UTC)


def test_glpi_the_time_to_own_is_met_by_taking_the_ticket_and_never_pauses():
    desk = Desk(first_assign=60, speed_of_answer=60).tell(0, "created").enters(5, "pending")
    assert desk.due(10, "first_assign") == 60
    desk.tell(20, "assigned", assignee="anna")
    assert desk.judged(30, "first_assign").elapsed_seconds == 20 * 60
    assert desk.judged(30, "speed_of_answer").status == "met"


def test_glpi_the_time_on_hold_survives_another_target():
    """Its issue 15605: it was lost when the agreement changed."""
    desk = Desk(resolution=240)
    desk.targets.insert(0, {"metric": "resolution", "seconds": 7200, "priority": "high"})
    desk.tell(0, "created").enters(10, "pending").enters(70, "open")
    desk.tell(80, "priority_changed", priority="high")
    assert desk.due(81, "resolution") == 180


def test_frappe_adds_hold_time_to_the_resolution_only():
    desk = Desk(first_reply=60, resolution=240).tell(0, "created")
    desk.enters(10, "hold").enters(40, "open")
    assert (desk.due(45, "first_reply"), desk.due(45, "resolution")) == (60, 270)


def test_frappe_a_reply_exactly_at_its_time_is_in_time_and_closing_what_is_resolved_changes_nothing():
    desk = Desk(first_reply=60, resolution=240).tell(0, "created").tell(60, "agent_replied")
    desk.tell(240, "resolved")
    before = desk.judged(250, "resolution")
    assert (desk.judged(250, "first_reply").status, before.status) == ("met", "met")
    desk.tell(9000, "closed")
    assert desk.judged(9001, "resolution") == before


def test_rt_measures_every_answer_alike_from_the_oldest_unanswered_message():
    desk = Desk(next_reply=30).set("next_reply", starts="first_message").tell(0, "created")
    assert desk.due(1, "next_reply", 1) == 30
    desk.tell(10, "customer_replied").tell(20, "agent_replied").tell(50, "customer_replied")
    assert desk.judged(60, "next_reply", 1).margin_seconds == 600
    assert desk.due(60, "next_reply", 2) == 80


def test_rt_an_agent_who_is_the_requestor_answers_nobody():
    desk = Desk(first_reply=60).tell(0, "created").tell(10, "agent_replied", by_requester=True)
    assert desk.judged(61, "first_reply").status == "breached"


def test_rt_keep_in_loop_wants_another_message_in_time():
    desk = Desk(periodic_update=120).tell(0, "created").tell(10, "agent_replied")
    assert desk.due(11, "periodic_update", 1) == 130
    desk.tell(100, "agent_replied")
    assert desk.judged(101, "periodic_update", 1).status == "met"
    assert desk.due(101, "periodic_update", 2) == 220


def chatwoot() -> Desk:
    """Nothing pauses."""
    desk = Desk(first_reply=60, next_reply=30, resolution=240)
    return desk.set("first_reply", "next_reply", "resolution", **NO_PAUSE)


def test_chatwoot_pauses_nothing():
    desk = chatwoot().tell(0, "created").enters(10, "pending").enters(20, "hold")
    assert (desk.due(30, "first_reply"), desk.due(30, "resolution")) == (60, 240)


def test_chatwoot_the_next_response_waits_for_the_first():
    desk = chatwoot().tell(0, "created").tell(10, "customer_replied").tell(50, "agent_replied")
    desk.tell(60, "customer_replied").tell(90, "agent_replied")
    assert desk.judged(100, "next_reply", 1).started_at == MONDAY + timedelta(minutes=60)
    assert desk.judged(100, "next_reply", 1).status == "met", "exactly at its time"


def test_chatwoot_what_is_resolved_late_between_two_polls_is_a_miss_here():
    """There it counts as a hit, since its evaluator passes over resolved conversations."""
    desk = chatwoot().tell(0, "created").tell(241, "resolved")
    missed = desk.judged(245, "resolution")
    assert (missed.status, missed.margin_seconds) == ("breached", -60)
    assert missed.breached_at == MONDAY + timedelta(minutes=240)


def test_jira_a_reopening_is_a_new_cycle():
    desk = Desk(resolution=240).set("resolution", on_reopen="restart").tell(0, "created")
    desk.tell(100, "resolved").tell(1000, "reopened")
    assert desk.judged(1001, "resolution", 1).met_at == MONDAY + timedelta(minutes=100)
    assert desk.due(1001, "resolution", 2) == 1240


def test_otrs_a_reopening_restarts_nothing():
    desk = Desk(first_resolution=240).tell(0, "created").tell(100, "resolved")
    before = desk.judged(200, "first_resolution")
    desk.tell(1000, "reopened")
    assert desk.judged(2000, "first_resolution") == before
