"""From snapshots to commands: each rule acts, refuses, or stays quiet."""

from datetime import UTC, datetime

import pytest
from msgspec import UNSET

from deploy.imports.commands import (
    Assign,
    Close,
    Open,
    Patch,
    Resolve,
    Status,
    ToGroup,
    Unassign,
)
from shared.events import Channel, Priority, StatusCategory
from tests.unit.imports.rooms import judge, the_rules
from tests.unit.imports.samples import a_row, the_history

RESOLVED_AT = "1/3/2016 10:00"
CLOSED_AT = "6/3/2016 10:00"


def at(hour: int, minute: int = 0, *, day: int = 1) -> datetime:
    return datetime(2016, 3, day, hour, minute, tzinfo=UTC)


def names(history) -> list[str]:
    return [type(line).__name__ for line in history.intake]


def test_the_first_row_is_the_opening_and_holds_from_opened_at(tmp_path):
    history = the_history(tmp_path, a_row("Awaiting Vendor", assigned_to="Resolver 1"))
    (opened,) = history.intake
    assert isinstance(opened, Open)
    assert (opened.external_id, opened.occurred_at, opened.via) == ("INC1", at(8), Channel.IMPORT)
    assert (opened.category, opened.label) == (StatusCategory.HOLD, "Awaiting Vendor")
    assert opened.requester.id == "caller-7"
    assert opened.fields["made_sla"] is True
    assert "vendor" not in opened.fields
    group, assigned = history.routing
    assert isinstance(group, ToGroup)
    assert isinstance(assigned, Assign)
    assert group.occurred_at == assigned.occurred_at == at(8)
    assert (group.group_id, assigned.agent_id) == ("group-5", "resolver-1")


def test_the_same_row_again_says_nothing(tmp_path):
    history = the_history(tmp_path, a_row(), a_row(updated_at="1/3/2016 09:00"))
    assert names(history) == ["Open"]
    assert len(history.routing) == 1


def test_what_differs_from_the_row_before_is_one_patch(tmp_path):
    history = the_history(
        tmp_path,
        a_row(),
        a_row(
            "Awaiting User Info",
            "1/3/2016 09:00",
            priority="1 - Critical",
            made_sla="false",
            location="?",
        ),
    )
    _, patch = history.intake
    assert isinstance(patch, Patch)
    assert patch.priority is Priority.URGENT
    assert patch.fields == {"made_sla": False, "location": None}
    assert patch.status == Status(StatusCategory.PENDING, "Awaiting User Info")
    assert patch.occurred_at == at(9)


def test_waiting_for_something_else_is_the_same_category_with_another_label(tmp_path):
    history = the_history(
        tmp_path, a_row("Awaiting Vendor"), a_row("Awaiting Problem", "1/3/2016 09:00")
    )
    assert history.intake[1].status == Status(StatusCategory.HOLD, "Awaiting Problem")


def test_a_row_that_ties_or_goes_back_keeps_its_place_and_never_precedes_the_one_before(tmp_path):
    history = the_history(
        tmp_path,
        a_row(),
        a_row("Active", "1/3/2016 09:00"),
        a_row("Awaiting Vendor", "1/3/2016 08:30"),
        a_row("Active", "1/3/2016 09:00"),
    )
    assert [line.occurred_at for line in history.intake] == [at(8), at(9), at(9), at(9)]


def test_the_last_resolved_spell_is_solved_at_resolved_at_and_only_labelled_before(tmp_path):
    history = the_history(
        tmp_path,
        a_row(),
        a_row("Resolved", "1/3/2016 09:00"),
        a_row("Resolved", RESOLVED_AT),
        a_row("Resolved", "1/3/2016 11:00"),
        a_row("Closed", CLOSED_AT),
    )
    assert names(history) == ["Open", "Patch", "Resolve", "Close"]
    assert history.intake[1].status == Status(StatusCategory.ANSWERED, "Resolved")
    assert [line.occurred_at for line in history.intake[2:]] == [at(10), at(10, day=6)]
    assert history.intake[2].code == "code 6"


def test_without_resolved_at_nothing_is_ever_solved(tmp_path):
    history = the_history(
        tmp_path,
        a_row(resolved_at="?"),
        a_row("Resolved", "1/3/2016 09:00", resolved_at="?"),
        a_row("Closed", CLOSED_AT, resolved_at="?"),
    )
    assert names(history) == ["Open", "Patch", "Close"]
    assert judge(history, the_rules()).facts.resolved_at is None


def test_an_incident_that_begins_resolved_is_new_until_then(tmp_path):
    history = the_history(tmp_path, a_row("Resolved", RESOLVED_AT), a_row("Closed", CLOSED_AT))
    assert names(history) == ["Open", "Resolve", "Close"]
    assert history.intake[0].category is StatusCategory.NEW
    assert history.intake[1].occurred_at == at(10)


def test_an_incident_that_begins_resolved_without_resolved_at_is_labelled(tmp_path):
    history = the_history(tmp_path, a_row("Resolved", "1/3/2016 09:00", resolved_at="?"))
    assert names(history) == ["Open", "Patch"]
    assert history.intake[1].occurred_at == at(9)
    judge(history, the_rules())


def test_stepping_back_from_resolved_is_a_reopening_and_the_last_spell_counts(tmp_path):
    history = the_history(
        tmp_path,
        a_row(),
        a_row("Resolved", "1/3/2016 08:30"),
        a_row("Awaiting User Info", "1/3/2016 09:00"),
        a_row("Resolved", RESOLVED_AT),
        a_row("Closed", CLOSED_AT),
    )
    assert names(history) == ["Open", "Resolve", "Reopen", "Patch", "Resolve", "Close"]
    reopened, labelled = history.intake[2:4]
    assert (reopened.category, reopened.reason) == (
        StatusCategory.PENDING,
        "Resolved → Awaiting User Info",
    )
    assert labelled.status.label == "Awaiting User Info"
    judged = judge(history, the_rules())
    assert (judged.facts.reopen_count, judged.facts.resolved_at) == (1, at(10))


def test_stepping_back_from_closed_is_a_reopening(tmp_path):
    history = the_history(
        tmp_path,
        a_row(),
        a_row("Closed", "1/3/2016 09:00"),
        a_row("Active", "2/3/2016 09:00"),
        a_row("Closed", CLOSED_AT),
    )
    assert names(history) == ["Open", "Close", "Reopen", "Close"]
    assert judge(history, the_rules()).facts.closed_at == at(10, day=6)


def test_stepping_back_without_resolved_at_reopens_what_was_closed(tmp_path):
    history = the_history(
        tmp_path,
        a_row(resolved_at="?"),
        a_row("Resolved", "1/3/2016 09:00", resolved_at="?"),
        a_row("Active", "1/3/2016 10:00", resolved_at="?"),
        a_row("Resolved", "1/3/2016 11:00", resolved_at="?"),
        a_row("Closed", CLOSED_AT, resolved_at="?"),
    )
    assert names(history) == ["Open", "Close", "Reopen", "Patch", "Close"]
    judged = judge(history, the_rules())
    assert (judged.facts.reopen_count, judged.facts.resolved_at) == (1, None)


def test_the_last_closed_spell_is_closed_at_closed_at(tmp_path):
    history = the_history(
        tmp_path,
        a_row("Resolved", RESOLVED_AT),
        a_row("Closed", "5/3/2016 10:00"),
        a_row("Closed", CLOSED_AT),
    )
    assert [line.occurred_at for line in history.intake if isinstance(line, Close)] == [
        at(10, day=6)
    ]


def test_a_final_moment_after_all_rows_is_taken_from_the_last_one(tmp_path):
    history = the_history(tmp_path, a_row(), a_row("Resolved", "1/3/2016 09:00"))
    assert history.intake[-1].occurred_at == at(9)
    assert isinstance(history.intake[-1], Resolve)


def test_new_again_is_open_with_the_old_word(tmp_path):
    history = the_history(
        tmp_path,
        a_row(),
        a_row("Active", "1/3/2016 09:00"),
        a_row("New", "1/3/2016 09:30"),
        a_row("New", "1/3/2016 09:40"),
    )
    assert names(history) == ["Open", "Patch", "Patch"]
    assert history.intake[2].status == Status(StatusCategory.OPEN, "New")
    judge(history, the_rules())


def test_resolved_new_again_is_reopened(tmp_path):
    history = the_history(
        tmp_path, a_row(), a_row("Resolved", RESOLVED_AT), a_row("New", "1/3/2016 11:00")
    )
    assert judge(history, the_rules()).facts.category == "open"


def test_closed_and_back_to_resolved_is_neither_closed_nor_reopened(tmp_path):
    history = the_history(
        tmp_path,
        a_row(),
        a_row("Closed", "1/3/2016 09:00"),
        a_row("Resolved", RESOLVED_AT),
        a_row("Closed", CLOSED_AT),
    )
    assert names(history) == ["Open", "Resolve", "Close"]
    judge(history, the_rules())


def test_fields_still_change_after_the_end(tmp_path):
    history = the_history(
        tmp_path,
        a_row("Resolved", RESOLVED_AT),
        a_row("Closed", CLOSED_AT),
        a_row("Closed", "7/3/2016 10:00", made_sla="false", priority="4 - Low"),
    )
    assert names(history) == ["Open", "Resolve", "Close", "Patch"]
    judged = judge(history, the_rules())
    assert (judged.facts.priority, judged.facts.fields["made_sla"]) == ("low", False)


def test_groups_and_agents_follow_the_rows(tmp_path):
    history = the_history(
        tmp_path,
        a_row(assigned_to="Resolver 1"),
        a_row("Active", "1/3/2016 09:00", assignment_group="Group 6", assigned_to="?"),
        a_row("Active", "1/3/2016 09:30", assignment_group="?", assigned_to="Resolver 2"),
        a_row("Active", "1/3/2016 09:40", assignment_group="Group 5", assigned_to="Resolver 2"),
    )
    assert [type(line) for line in history.routing] == [
        ToGroup, Assign, ToGroup, Unassign, ToGroup, Assign, ToGroup,
    ]  # fmt: skip
    groups = [line.group_id for line in history.routing if isinstance(line, ToGroup)]
    assert groups == ["group-5", "group-6", "unknown-group", "group-5"]


def test_an_unknown_first_group_is_not_told(tmp_path):
    history = the_history(tmp_path, a_row(assignment_group="?"))
    assert history.routing == ()


def test_an_unknown_caller_and_an_unknown_opener(tmp_path):
    (opened,) = the_history(tmp_path, a_row(caller_id="?", opened_by="?")).intake
    assert opened.requester.id == "unknown-caller"
    assert opened.actor is UNSET


def test_keys_are_the_same_each_time_and_never_shared(tmp_path):
    rows = (
        a_row(),
        a_row("Resolved", "1/3/2016 08:30"),
        a_row("Awaiting Vendor", "1/3/2016 09:00", assignment_group="Group 6"),
        a_row("Resolved", RESOLVED_AT, made_sla="false"),
        a_row("Closed", CLOSED_AT),
    )
    first, second = the_history(tmp_path, *rows), the_history(tmp_path, *rows)
    keys = [line.key for line in (*first.intake, *first.routing)]
    assert first == second
    assert len(keys) == len(set(keys))
    assert keys[0] == "servicenow:INC1:0:open"


@pytest.mark.parametrize(
    ("priority", "closed_at", "is_kept"),
    [
        ("1 - Critical", "1/3/2016 14:24", True),  # 6.4 h to the minute
        ("1 - Critical", "1/3/2016 14:25", False),
        ("3 - Moderate", "9/3/2016 17:24", True),  # 153.4 h without the weekend
        ("3 - Moderate", "9/3/2016 17:25", False),
        ("4 - Low", "21/3/2016 17:36", True),  # 345.6 h without two weekends
        ("4 - Low", "21/3/2016 17:37", False),
        ("2 - High", "2/3/2016 08:00", None),  # nothing is promised
    ],
)
def test_the_promise_runs_on_weekdays_from_opened_to_closed_without_a_pause(
    tmp_path, priority, closed_at, is_kept
):
    said = {"priority": priority, "resolved_at": "?", "closed_at": closed_at}
    history = the_history(
        tmp_path,
        a_row(**said),
        a_row("Awaiting User Info", "1/3/2016 09:00", **said),
        a_row("Awaiting Vendor", "1/3/2016 10:00", **said),
        a_row("Resolved", "1/3/2016 11:00", **said),
        a_row("Closed", closed_at, **said),
    )
    assert judge(history, the_rules()).is_kept is is_kept
