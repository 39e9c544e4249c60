"""The published log, if it is at hand: our commands must come to its published figures, by two independent ways.

No server is needed: the oracle works the figures out by hand, the services' own pure rooms must agree with it ticket
by ticket and refuse nothing.
"""

import os
from pathlib import Path

import pytest

from deploy.imports.servicenow import history
from deploy.imports.servicenow_file import read_log
from deploy.imports.verdicts import Ours, agreements, verdicts_of
from tests.unit.imports.oracle import figures, retell
from tests.unit.imports.rooms import judge, the_rules

VARIABLE = "TICKETING_TEST_SERVICENOW_LOG"
_PLACE = "shared/data/uci_servicenow_incident_event_log.csv.xz"


@pytest.fixture(scope="module")
def log():
    path = Path(os.environ.get(VARIABLE) or Path(__file__).parents[4] / _PLACE)
    if not path.exists():
        pytest.skip(f"the published log is not here: name it with {VARIABLE}, or put it at {path}")
    return read_log(path)


@pytest.fixture(scope="module")
def histories(log):
    return [history(number, rows) for number, rows in log.incidents.items()]


def test_only_the_five_senseless_rows_are_refused(log):
    assert (log.row_count, len(log.incidents)) == (141_712, 24_918)
    assert [row.value for row in log.refused] == ["-100"] * 5
    assert all(row.is_senseless for row in log.refused)


def test_the_commands_come_to_the_published_figures(histories):
    found = figures(map(retell, histories))
    assert (found.tickets, found.reopened, found.closed, found.resolved) == (
        24_918, 275, 24_918, 23_362,
    )  # fmt: skip
    assert found.opened_to_closed_median_hours == pytest.approx(145.87, abs=0.005)
    assert found.opened_to_resolved_median_hours == pytest.approx(22.10, abs=0.005)
    assert 0.455 <= found.handed_over_share <= 0.457
    assert 0.93 <= found.handovers_mean <= 0.94
    assert found.handovers_max == 27


def test_the_services_own_rules_agree_and_the_promises_come_out_as_in_the_file(log, histories):
    rules, ours = the_rules(), {}
    for one in histories:
        judged, expected = judge(one, rules), retell(one)
        facts = judged.facts
        assert (
            facts.opened_at, facts.resolved_at, facts.closed_at,
            facts.priority, facts.category, facts.reopen_count,
        ) == (
            expected.opened_at, expected.resolved_at, expected.closed_at,
            expected.priority, expected.category, expected.reopened,
        ), one.number  # fmt: skip
        ours[one.number] = Ours(str(facts.priority), judged.is_kept)
    *_, total = agreements(verdicts_of(log), ours)
    assert total.compared == 24_510
    assert total.missing == total.undecided == 0
    assert total.share is not None
    assert total.share >= 0.99
