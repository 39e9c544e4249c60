"""The comparison with the file's own verdicts, on a page worked out by hand."""

from deploy.imports.verdicts import Agreement, Ours, agreements, fetch_ours, verdicts_of
from tests.unit.imports.desk import SmallDesk
from tests.unit.imports.samples import a_log, a_row


def test_the_last_row_has_the_verdict(tmp_path):
    log = a_log(
        tmp_path,
        a_row(number="INC1"),
        a_row("Closed", number="INC1", made_sla="false"),
        a_row(number="INC2"),
        a_row(number="INC3", made_sla="?"),
    )
    assert verdicts_of(log) == {"INC1": False, "INC2": True}


def test_each_ticket_counts_once_by_its_priority():
    theirs = {"a": True, "b": True, "c": False, "d": False, "e": True, "f": True, "g": True}
    theirs["h"] = False
    ours = {
        "a": Ours("normal", is_kept=True),
        "b": Ours("normal", is_kept=False),
        "c": Ours("normal", is_kept=True),
        "d": Ours("low", is_kept=False),
        "e": Ours("low", is_kept=None),
        "f": Ours("high", is_kept=None),
        "h": Ours("normal", is_kept=True),
    }
    urgent, normal, low, total = agreements(theirs, ours)
    assert urgent == Agreement("urgent", 0, 0, 0, 0, 0)
    assert urgent.share is None
    assert normal == Agreement("normal", 4, 1, 1, 2, 0)
    assert low == Agreement("low", 2, 1, 0, 0, 1)
    assert total == Agreement("all", 6, 2, 1, 2, 1, missing=1)
    assert total.share == 2 / 6


async def test_all_pages_of_the_list_are_read():
    def a_ticket(name, breached, state):
        clocks = [{"metric": "resolution", "state": state}] if state else []
        return {
            "external_id": name,
            "priority": "normal",
            "breached_metrics": breached,
            "clocks": clocks,
        }

    desk = SmallDesk()
    desk.pages["/v1/tickets"] = [
        {"tickets": [a_ticket("a", [], "met"), a_ticket("b", ["resolution"], "met")], "next": "x"},
        {
            "tickets": [a_ticket("c", ["first_reply"], "running"), a_ticket("d", [], None)],
            "next": None,
        },
    ]
    found = await fetch_ours(desk.door())
    assert {name: one.is_kept for name, one in found.items()} == {
        "a": True, "b": False, "c": None, "d": None,
    }  # fmt: skip
