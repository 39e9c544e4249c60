"""Operators in the search field narrow the filter; everything else stays text."""

from typing import Any

import pytest

from services.query.views.fields import FieldWish
from services.query.views.list_filter import TicketFilter
from services.query.views.search_words import narrowed
from shared.errors import Invalid
from shared.events import Channel, Priority, StatusCategory


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("printer", {"q": "printer"}),
        ("is:open printer", {"is_open": True, "q": "printer"}),
        ("printer -is:open", {"is_open": False, "q": "printer"}),
        ("is:breached -is:at_risk", {"breached": True, "at_risk": False}),
        ("is:unassigned", {"assignee": ("none",)}),
        ("is:mine", {"assignee": ("anna",)}),
        ("is:pending is:hold", {"status": (StatusCategory.PENDING, StatusCategory.HOLD)}),
        ("from:eve@example.org", {"requester": "eve@example.org"}),
        ("assignee:me group:desk", {"assignee": ("anna",), "group": ("desk",)}),
        ("tag:vip tag:fire", {"tag": ("vip", "fire")}),
        ("priority:urgent channel:email", {"priority": (Priority.URGENT,), "channel": (Channel.EMAIL,)}),
        ('"paper jam" -toner group:"second level"', {"q": '"paper jam" -toner', "group": ("second level",)}),
        ("error:42 at https://x.org:8080", {"q": "error:42 at https://x.org:8080"}),
        ("-printer", {"q": "-printer"}),
        ("field.floor:3 jam", {"q": "jam", "fields": (FieldWish("floor", ("3",)),)}),
        ("field.cost:10..20", {"fields": (FieldWish("cost", ("10..20",)),)}),
    ],
)  # fmt: skip
def test_operators_narrow_the_filter(typed: str, expected: dict[str, Any]) -> None:
    assert narrowed(TicketFilter(q=typed), caller="anna") == TicketFilter(**expected)


def test_what_the_address_says_already_stays() -> None:
    wanted = narrowed(TicketFilter(q="tag:fire smoke", tag=("vip",)), caller="anna")
    assert wanted == TicketFilter(q="smoke", tag=("vip", "fire"))


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ("is:purple", "is:purple"),
        ("priority:purple", "priority:purple"),
        ("status:purple", "status:purple"),
        ("-tag:vip", "-tag"),
        ("-field.floor:3", "-field.floor"),
        ("-is:mine", "-is"),
    ],
)
def test_a_value_that_does_not_exist_is_refused_by_name(typed: str, named: str) -> None:
    with pytest.raises(Invalid, match=named) as refused:
        narrowed(TicketFilter(q=typed), caller="anna")
    assert refused.value.field == "q"
